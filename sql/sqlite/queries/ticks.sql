-- name: ListTicks :many
SELECT function_id, expression, dealt_until FROM ingot_ticks;

-- name: ListFunctionTicks :many
SELECT function_id, expression, dealt_until FROM ingot_ticks WHERE function_id = ?;

-- name: GetTick :one
SELECT dealt_until FROM ingot_ticks WHERE function_id = ? AND expression = ?;

-- name: PutTick :exec
INSERT INTO ingot_ticks (function_id, expression, dealt_until) VALUES (?, ?, ?)
ON CONFLICT (function_id, expression) DO UPDATE SET dealt_until = excluded.dealt_until;

-- name: AddTick :exec
INSERT INTO ingot_ticks (function_id, expression, dealt_until) VALUES (?, ?, ?)
ON CONFLICT (function_id, expression) DO NOTHING;

-- name: DeleteTick :exec
DELETE FROM ingot_ticks WHERE function_id = ? AND expression = ?;

-- name: DeleteFunctionTicks :exec
DELETE FROM ingot_ticks WHERE function_id = ?;

-- name: DeleteAppTicks :exec
DELETE FROM ingot_ticks WHERE function_id IN (SELECT id FROM functions WHERE app_id = ? AND archived_at IS NULL);
