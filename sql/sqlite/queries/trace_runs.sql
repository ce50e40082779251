-- name: ListRunsDown :many
-- A page of the runs with a status, newest first, from the index alone. Bounds are inclusive.
SELECT t.run_id
FROM trace_runs t
WHERE t.status = sqlc.arg(status) AND t.run_id >= sqlc.arg(first) AND t.run_id <= sqlc.arg(last)
ORDER BY t.run_id DESC LIMIT sqlc.arg(max);

-- name: ListRunsUp :many
SELECT t.run_id
FROM trace_runs t
WHERE t.status = sqlc.arg(status) AND t.run_id >= sqlc.arg(first) AND t.run_id <= sqlc.arg(last)
ORDER BY t.run_id LIMIT sqlc.arg(max);

-- name: ListFunctionRunsDown :many
SELECT t.run_id
FROM trace_runs t
WHERE t.function_id = sqlc.arg(function_id) AND t.status = sqlc.arg(status)
    AND t.run_id >= sqlc.arg(first) AND t.run_id <= sqlc.arg(last)
ORDER BY t.run_id DESC LIMIT sqlc.arg(max);

-- name: ListFunctionRunsUp :many
SELECT t.run_id
FROM trace_runs t
WHERE t.function_id = sqlc.arg(function_id) AND t.status = sqlc.arg(status)
    AND t.run_id >= sqlc.arg(first) AND t.run_id <= sqlc.arg(last)
ORDER BY t.run_id LIMIT sqlc.arg(max);

-- name: ListEndedDown :many
-- A page of the runs with a status that have ended, those that ended last first. The list of statuses is that of the index.
SELECT t.run_id, t.ended_at
FROM trace_runs t
WHERE t.status = sqlc.arg(status) AND t.status NOT IN (0, 5, 6, 100, 200)
    AND t.ended_at >= sqlc.arg(since) AND (t.ended_at, t.run_id) <= (sqlc.arg(until), CAST(sqlc.arg(last) AS BLOB))
ORDER BY t.ended_at DESC, t.run_id DESC LIMIT sqlc.arg(max);

-- name: ListEndedUp :many
SELECT t.run_id, t.ended_at
FROM trace_runs t
WHERE t.status = sqlc.arg(status) AND t.status NOT IN (0, 5, 6, 100, 200)
    AND t.ended_at <= sqlc.arg(until) AND (t.ended_at, t.run_id) >= (sqlc.arg(since), CAST(sqlc.arg(first) AS BLOB))
ORDER BY t.ended_at, t.run_id LIMIT sqlc.arg(max);

-- name: ListFunctionsEndedDown :many
SELECT t.run_id, t.ended_at
FROM trace_runs t
WHERE t.status = sqlc.arg(status) AND t.status NOT IN (0, 5, 6, 100, 200)
    AND t.ended_at >= sqlc.arg(since) AND (t.ended_at, t.run_id) <= (sqlc.arg(until), CAST(sqlc.arg(last) AS BLOB))
    AND +t.function_id IN (SELECT value FROM json_each(CAST(sqlc.arg(functions) AS TEXT)))
ORDER BY t.ended_at DESC, t.run_id DESC LIMIT sqlc.arg(max);

-- name: ListFunctionsEndedUp :many
SELECT t.run_id, t.ended_at
FROM trace_runs t
WHERE t.status = sqlc.arg(status) AND t.status NOT IN (0, 5, 6, 100, 200)
    AND t.ended_at <= sqlc.arg(until) AND (t.ended_at, t.run_id) >= (sqlc.arg(since), CAST(sqlc.arg(first) AS BLOB))
    AND +t.function_id IN (SELECT value FROM json_each(CAST(sqlc.arg(functions) AS TEXT)))
ORDER BY t.ended_at, t.run_id LIMIT sqlc.arg(max);

-- name: CountSomeFunctionRuns :one
-- How many runs of a function have a status, up to a bound.
SELECT COUNT(*) FROM (
    SELECT 1 FROM trace_runs t WHERE t.function_id = sqlc.arg(function_id) AND t.status = sqlc.arg(status) LIMIT sqlc.arg(max));

-- name: ListFewEnded :many
-- The places of all runs of few functions that have a status and have ended in a window. Each is read.
SELECT t.run_id, t.ended_at
FROM trace_runs t
WHERE t.function_id IN (SELECT value FROM json_each(CAST(sqlc.arg(functions) AS TEXT))) AND t.status = sqlc.arg(status)
    AND +t.ended_at >= sqlc.arg(since) AND +t.ended_at <= sqlc.arg(until);

-- name: CountFewEnded :one
SELECT COUNT(*) FROM trace_runs t
WHERE t.function_id IN (SELECT value FROM json_each(CAST(sqlc.arg(functions) AS TEXT))) AND t.status = sqlc.arg(status)
    AND +t.ended_at >= sqlc.arg(since) AND +t.ended_at <= sqlc.arg(until);

-- name: CountRunsOf :one
SELECT COUNT(*) FROM trace_runs
WHERE status = sqlc.arg(status) AND run_id >= sqlc.arg(first) AND run_id <= sqlc.arg(last);

-- name: CountFunctionRuns :one
SELECT COUNT(*) FROM trace_runs
WHERE function_id = sqlc.arg(function_id) AND status = sqlc.arg(status) AND run_id >= sqlc.arg(first) AND run_id <= sqlc.arg(last);

-- name: CountEnded :one
SELECT COUNT(*) FROM trace_runs
WHERE status = sqlc.arg(status) AND status NOT IN (0, 5, 6, 100, 200) AND ended_at >= sqlc.arg(since) AND ended_at <= sqlc.arg(until);

-- name: CountFunctionsEnded :one
SELECT COUNT(*) FROM trace_runs
WHERE status = sqlc.arg(status) AND status NOT IN (0, 5, 6, 100, 200) AND ended_at >= sqlc.arg(since) AND ended_at <= sqlc.arg(until)
    AND +function_id IN (SELECT value FROM json_each(CAST(sqlc.arg(functions) AS TEXT)));

-- name: ListRunRows :many
SELECT t.run_id, t.app_id, t.function_id, t.trace_id, t.started_at, t.ended_at, t.status, t.trigger_ids, t.output IS NOT NULL AS has_output,
    t.is_debounce, t.batch_id, t.cron_schedule, t.has_ai,
    (SELECT f.original_run_id FROM function_runs f WHERE f.run_id = t.run_id LIMIT 1) AS original_run_id
FROM trace_runs t WHERE t.run_id IN (sqlc.slice('ids'));

-- name: ListSummaries :many
SELECT t.run_id, t.app_id, t.function_id, t.trace_id, t.started_at, t.ended_at, t.status, t.trigger_ids, t.output,
    t.is_debounce, t.batch_id, t.cron_schedule, t.has_ai,
    (SELECT f.original_run_id FROM function_runs f WHERE f.run_id = t.run_id LIMIT 1) AS original_run_id
FROM trace_runs t WHERE t.run_id IN (sqlc.slice('ids'));

-- name: FirstFunctionWithRuns :one
-- The functions that have runs are found one after the other, because nothing lists them; each is a step in the index.
SELECT function_id, app_id FROM trace_runs WHERE function_id > ? ORDER BY function_id LIMIT 1;

-- name: ListBatchRuns :many
SELECT event_id, run_id FROM ingot_event_runs WHERE event_id IN (sqlc.slice('events'));

-- name: ListRunsOfEvents :many
SELECT event_id, run_id FROM function_runs WHERE event_id IN (sqlc.slice('events'));
