-- A name belongs to one app. Of several the active one stays, then the one with more active functions, the newer, the one
-- with the higher ID; the others are archived under a name that says so. Spec 15 §2.2.
-- +goose Up
UPDATE apps SET archived_at = COALESCE(archived_at, datetime('now')), name = name || ' (id:' || id || ')'
WHERE id IN (
    SELECT ranked.id FROM (
        SELECT a.id AS id, ROW_NUMBER() OVER (
            PARTITION BY a.name
            ORDER BY a.archived_at IS NOT NULL,
                (SELECT COUNT(*) FROM functions f WHERE f.app_id = a.id AND f.archived_at IS NULL) DESC,
                a.created_at DESC, a.id DESC
        ) AS place
        FROM apps a WHERE a.name <> ''
    ) ranked
    WHERE ranked.place > 1
);
CREATE UNIQUE INDEX IF NOT EXISTS apps_name_unique_key ON apps (name) WHERE name <> '';
