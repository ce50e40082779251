-- name: GetOpenHold :one
SELECT hold_id, revision, due_at, max_at, events, bytes FROM ingot_holds
WHERE function_id = ? AND kind = ? AND key = ? AND open = 1;

-- name: GetHold :one
SELECT function_id, kind, key, revision, due_at, events FROM ingot_holds WHERE hold_id = ?;

-- name: GetHoldRevision :one
SELECT revision FROM ingot_holds WHERE hold_id = ?;

-- name: InsertHold :exec
INSERT INTO ingot_holds (hold_id, function_id, kind, key, revision, open, due_at, max_at, events, bytes)
VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?);

-- name: UpdateHold :execrows
UPDATE ingot_holds SET revision = revision + 1, open = ?, due_at = ?, events = ?, bytes = ? WHERE hold_id = ?;

-- name: DeleteHold :execrows
DELETE FROM ingot_holds WHERE hold_id = ?;

-- name: ListHolds :many
-- Everything that waits, read once at start.
SELECT hold_id, revision, due_at FROM ingot_holds;

-- name: InsertHoldEvent :exec
INSERT INTO ingot_hold_events (hold_id, seq, record) VALUES (?, ?, ?);

-- name: ReplaceHoldEvent :exec
UPDATE ingot_hold_events SET record = ? WHERE hold_id = ? AND seq = 0;

-- name: FirstHoldEvent :one
SELECT record FROM ingot_hold_events WHERE hold_id = ? AND seq = 0;

-- name: ListHoldEvents :many
SELECT record FROM ingot_hold_events WHERE hold_id = ? ORDER BY seq;

-- name: DeleteHoldEvents :exec
DELETE FROM ingot_hold_events WHERE hold_id = ?;
