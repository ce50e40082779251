-- name: InsertMetadata :exec
INSERT INTO ingot_metadata (run_id, seq, step_id, attempt, span_id, kind, op, body, total, stored_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: LastMetadata :one
SELECT seq, total FROM ingot_metadata WHERE run_id = ? ORDER BY seq DESC LIMIT 1;

-- name: ListMetadata :many
SELECT step_id, attempt, span_id, kind, op, body, stored_at FROM ingot_metadata WHERE run_id = ? ORDER BY seq;

-- name: ListMetadataOf :many
SELECT run_id, step_id, attempt, span_id, kind, op, body, stored_at FROM ingot_metadata
WHERE run_id IN (sqlc.slice(runs)) ORDER BY run_id, seq;

-- name: DeleteMetadata :exec
DELETE FROM ingot_metadata WHERE run_id = ?;

-- name: RunExists :one
SELECT EXISTS (SELECT 1 FROM function_runs WHERE run_id = ?);
