-- name: UpsertFunction :exec
INSERT INTO functions (id, app_id, name, slug, config, created_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    app_id = excluded.app_id, name = excluded.name, slug = excluded.slug, config = excluded.config, archived_at = NULL;

-- name: ListFunctions :many
SELECT f.* FROM functions f JOIN apps a ON a.id = f.app_id WHERE f.archived_at IS NULL AND a.archived_at IS NULL;

-- name: ListAppFunctions :many
SELECT * FROM functions WHERE app_id = ? AND archived_at IS NULL;

-- name: ArchiveFunction :exec
UPDATE functions SET archived_at = COALESCE(archived_at, CURRENT_TIMESTAMP) WHERE id = ?;

-- name: ArchiveAppFunctions :exec
UPDATE functions SET archived_at = CURRENT_TIMESTAMP WHERE app_id = ? AND archived_at IS NULL;

-- name: ListAppFunctionPage :many
SELECT * FROM functions WHERE app_id = ? AND id > ? AND archived_at IS NULL ORDER BY id LIMIT ?;

-- name: ListFunctionsByID :many
SELECT * FROM functions WHERE id IN (sqlc.slice(ids));
