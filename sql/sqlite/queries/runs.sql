-- name: InsertFunctionRun :exec
INSERT INTO function_runs (run_id, run_started_at, function_id, function_version, trigger_type, event_id, batch_id,
    original_run_id, cron, workspace_id)
VALUES (?, ?, ?, 0, 'event', ?, ?, ?, ?, ?);

-- name: InsertFunctionFinish :exec
INSERT INTO function_finishes (run_id, status, output, completed_step_count, created_at) VALUES (?, ?, ?, 0, ?);

-- name: GetRunRecord :one
-- The reference has no key here and may have written a run twice; any row says the same.
SELECT r.run_id, r.run_started_at, r.function_id, r.function_version, r.event_id, r.batch_id, r.original_run_id, r.cron,
    f.status, f.output, f.created_at AS ended_at
FROM function_runs r LEFT JOIN function_finishes f ON f.run_id = r.run_id
WHERE r.run_id = ? LIMIT 1;

-- name: ListEventRuns :many
SELECT r.run_id, r.run_started_at, r.function_id, r.function_version, r.event_id, r.batch_id, r.original_run_id, r.cron,
    f.status, f.output, f.created_at AS ended_at
FROM function_runs r LEFT JOIN function_finishes f ON f.run_id = r.run_id
WHERE r.event_id = ? ORDER BY r.run_id;

-- name: DeleteFunctionRun :exec
DELETE FROM function_runs WHERE run_id = ?;

-- name: InsertEventBatch :exec
-- The run of a batch that is run again has the same batch; the first one's row stays.
INSERT INTO event_batches (id, account_id, workspace_id, app_id, workflow_id, run_id, started_at, executed_at, event_ids)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: DeleteEventBatch :exec
DELETE FROM event_batches WHERE run_id = ?;

-- name: DeleteFunctionFinish :exec
DELETE FROM function_finishes WHERE run_id = ?;

-- name: ListFinishedRunIDs :many
SELECT run_id FROM function_finishes ORDER BY rowid;
