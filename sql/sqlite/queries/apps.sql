-- name: UpsertAppByName :exec
-- The row that has the name keeps its ID. Spec 15 section 6.1.
INSERT INTO apps (id, name, sdk_language, sdk_version, framework, metadata, status, error, checksum, url, method, app_version)
VALUES (?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?)
ON CONFLICT (name) WHERE name <> '' DO UPDATE SET
    sdk_language = excluded.sdk_language, sdk_version = excluded.sdk_version, framework = excluded.framework,
    metadata = excluded.metadata, status = excluded.status, error = excluded.error, checksum = excluded.checksum,
    url = excluded.url, method = excluded.method, app_version = excluded.app_version, archived_at = NULL;

-- name: UpsertAppByID :exec
-- An empty name leaves the stored one. Spec 15 section 6.1.
INSERT INTO apps (id, name, sdk_language, sdk_version, framework, metadata, status, error, checksum, url, method, app_version)
VALUES (?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    name = CASE WHEN excluded.name = '' THEN apps.name ELSE excluded.name END,
    sdk_language = excluded.sdk_language, sdk_version = excluded.sdk_version, framework = excluded.framework,
    metadata = excluded.metadata, status = excluded.status, error = excluded.error, checksum = excluded.checksum,
    url = excluded.url, method = excluded.method, app_version = excluded.app_version, archived_at = NULL;

-- name: ListApps :many
SELECT * FROM apps WHERE archived_at IS NULL;

-- name: GetAppByName :one
-- The second condition is what makes the partial unique index usable.
SELECT * FROM apps WHERE name = ? AND name <> '';

-- name: GetAppByURL :one
SELECT * FROM apps WHERE url = ? AND archived_at IS NULL LIMIT 1;

-- name: SetAppError :execrows
UPDATE apps SET error = ? WHERE id = ?;

-- name: ArchiveApp :execrows
UPDATE apps SET archived_at = COALESCE(archived_at, CURRENT_TIMESTAMP) WHERE id = ?;

-- name: ListActiveAppPage :many
SELECT * FROM apps WHERE id > ? AND archived_at IS NULL ORDER BY id LIMIT ?;

-- name: ListArchivedAppPage :many
SELECT * FROM apps WHERE id > ? AND archived_at IS NOT NULL ORDER BY id LIMIT ?;

-- name: CountAppFunctions :one
SELECT COUNT(*) FROM functions WHERE app_id = ? AND archived_at IS NULL;

-- name: ListAppsByID :many
SELECT * FROM apps WHERE id IN (sqlc.slice(ids));

-- name: SetAppURL :execrows
UPDATE apps SET url = ? WHERE id = ?;
