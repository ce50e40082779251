-- An app has one active function per slug; the youngest stays active. Spec 15 §2.2.
-- +goose Up
UPDATE functions SET archived_at = datetime('now')
WHERE archived_at IS NULL
  AND rowid < (
    SELECT MAX(other.rowid) FROM functions other
    WHERE other.app_id IS functions.app_id AND other.slug = functions.slug AND other.archived_at IS NULL
  );
CREATE UNIQUE INDEX IF NOT EXISTS functions_app_id_slug_active_key ON functions (app_id, slug) WHERE archived_at IS NULL;
