-- name: InsertEvent :execrows
-- Writes nothing when the event is there: internal_id has no unique index, because the reference's table has none.
INSERT INTO events (internal_id, received_at, event_id, event_name, event_data, event_user, event_v, event_ts)
SELECT sqlc.arg(internal_id), sqlc.arg(received_at), sqlc.arg(event_id), sqlc.arg(event_name), sqlc.arg(event_data),
    sqlc.arg(event_user), sqlc.arg(event_v), sqlc.arg(event_ts)
WHERE NOT EXISTS (SELECT 1 FROM events WHERE internal_id = sqlc.arg(internal_id));

-- name: EventExists :one
SELECT 1 FROM events WHERE internal_id = ?;

-- name: GetEvent :one
SELECT internal_id, received_at, event_id, event_name, event_data, event_user, event_v, event_ts
FROM events WHERE internal_id = ? LIMIT 1;

-- name: ListEventsByID :many
-- Newest first, from the cursor down, whatever the time of receipt.
SELECT internal_id, received_at, event_id, event_name, event_data, event_user, event_v, event_ts
FROM events
WHERE internal_id < sqlc.arg(before_id) AND NOT (event_name >= 'inngest/' AND event_name < 'inngest0')
    AND (CAST(sqlc.arg(any_name) AS BOOLEAN) OR event_name = sqlc.arg(event_name))
ORDER BY internal_id DESC LIMIT sqlc.arg(max);

-- name: ListEventsByTime :many
-- The same within a window of times of receipt, both ends inclusive. The unary plus keeps the planner on the index of
-- received_at: a walk down internal_id would visit every event younger or older than the window.
SELECT internal_id, received_at, event_id, event_name, event_data, event_user, event_v, event_ts
FROM events
WHERE received_at >= sqlc.arg(since) AND received_at < sqlc.arg(until)
    AND +internal_id < sqlc.arg(before_id) AND NOT (event_name >= 'inngest/' AND event_name < 'inngest0')
    AND (CAST(sqlc.arg(any_name) AS BOOLEAN) OR event_name = sqlc.arg(event_name))
ORDER BY +internal_id DESC LIMIT sqlc.arg(max);

-- name: ListEventsIn :many
SELECT internal_id, received_at, event_id, event_name, event_data, event_user, event_v, event_ts
FROM events WHERE internal_id IN (sqlc.slice('ids'));

-- name: PageEventsByID :many
-- Down from the cursor to another ID, whatever lies outside of the window is passed over.
SELECT internal_id, received_at, event_id, event_name, event_data, event_user, event_v, event_ts
FROM events
WHERE internal_id < sqlc.arg(before_id) AND internal_id >= sqlc.arg(from_id) AND +received_at >= sqlc.arg(since) AND +received_at < sqlc.arg(until)
    AND (CAST(sqlc.arg(internal) AS BOOLEAN) OR NOT (event_name >= 'inngest/' AND event_name < 'inngest0'))
    AND (CAST(sqlc.arg(any_name) AS BOOLEAN) OR event_name IN (SELECT value FROM json_each(CAST(sqlc.arg(names) AS TEXT))))
ORDER BY internal_id DESC LIMIT sqlc.arg(max);

-- name: EventBefore :one
-- The ID so many events before another.
SELECT internal_id FROM events WHERE internal_id < sqlc.arg(before_id) ORDER BY internal_id DESC LIMIT 1 OFFSET sqlc.arg(number);

-- name: PageEventsByTime :many
-- Which events of the window they are is found in the index alone.
SELECT p.internal_id, p.received_at, p.event_id, p.event_name, p.event_data, p.event_user, p.event_v, p.event_ts
FROM events p
WHERE p.rowid IN (
    SELECT e.rowid FROM events e
    WHERE e.received_at >= sqlc.arg(since) AND e.received_at < sqlc.arg(until) AND +e.internal_id < sqlc.arg(before_id)
        AND (CAST(sqlc.arg(internal) AS BOOLEAN) OR NOT (e.event_name >= 'inngest/' AND e.event_name < 'inngest0'))
        AND (CAST(sqlc.arg(any_name) AS BOOLEAN) OR +e.event_name IN (SELECT value FROM json_each(CAST(sqlc.arg(names) AS TEXT))))
    ORDER BY +e.internal_id DESC LIMIT sqlc.arg(max))
ORDER BY +p.internal_id DESC;

-- name: CountEventsByTime :one
SELECT COUNT(*) FROM events
WHERE received_at >= sqlc.arg(since) AND received_at < sqlc.arg(until)
    AND (CAST(sqlc.arg(internal) AS BOOLEAN) OR NOT (event_name >= 'inngest/' AND event_name < 'inngest0'))
    AND (CAST(sqlc.arg(any_name) AS BOOLEAN) OR +event_name IN (SELECT value FROM json_each(CAST(sqlc.arg(names) AS TEXT))));

-- name: CountSomeEvents :one
-- How many events the window has, up to a bound.
SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE received_at >= sqlc.arg(since) AND received_at < sqlc.arg(until) LIMIT sqlc.arg(max));

-- name: NewestReceipt :one
SELECT received_at FROM events WHERE received_at > '' ORDER BY received_at DESC LIMIT 1;

-- name: DeleteEvent :exec
DELETE FROM events WHERE internal_id = ?;

-- name: ListEventIDs :many
SELECT internal_id FROM events ORDER BY rowid;

-- name: InsertInbox :exec
INSERT INTO ingot_inbox (internal_id, sessions) VALUES (?, ?);

-- name: DeleteInbox :execrows
DELETE FROM ingot_inbox WHERE internal_id = ?;

-- name: ListInbox :many
SELECT internal_id FROM ingot_inbox ORDER BY internal_id;

-- name: GetInbox :one
SELECT sessions FROM ingot_inbox WHERE internal_id = ?;
