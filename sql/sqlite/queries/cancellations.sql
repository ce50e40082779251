-- name: PutCancellation :exec
INSERT INTO ingot_cancellations (id, created_at, app_id, function_id, slug, started_after, started_before, condition, state,
    position, cancelled, refused, error, ended_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    created_at = excluded.created_at, app_id = excluded.app_id, function_id = excluded.function_id, slug = excluded.slug,
    started_after = excluded.started_after, started_before = excluded.started_before, condition = excluded.condition,
    state = excluded.state, position = excluded.position, cancelled = excluded.cancelled, refused = excluded.refused,
    error = excluded.error, ended_at = excluded.ended_at;

-- name: UpdateCancellation :execrows
UPDATE ingot_cancellations
SET state = ?, position = ?, cancelled = ?, refused = ?, error = ?, ended_at = ?
WHERE id = ?;

-- name: DeleteCancellation :execrows
DELETE FROM ingot_cancellations WHERE id = ?;

-- name: PruneCancellations :exec
-- The table holds some hundred rows.
DELETE FROM ingot_cancellations WHERE id IN (
    SELECT old.id FROM ingot_cancellations AS old WHERE old.ended_at <> 0
    ORDER BY old.id DESC LIMIT -1 OFFSET sqlc.arg(keep)
);

-- name: GetCancellation :one
SELECT * FROM ingot_cancellations WHERE id = ?;

-- name: ListCancellations :many
SELECT * FROM ingot_cancellations ORDER BY id DESC;

-- name: PauseFunction :exec
INSERT INTO ingot_paused_functions (function_id) VALUES (?) ON CONFLICT (function_id) DO NOTHING;

-- name: ResumeFunction :exec
DELETE FROM ingot_paused_functions WHERE function_id = ?;

-- name: ListPausedFunctions :many
SELECT function_id FROM ingot_paused_functions;
