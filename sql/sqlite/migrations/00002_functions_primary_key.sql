-- Functions get a primary key; of several rows with one ID the youngest stays. Spec 15 §2.2.
-- +goose Up
CREATE TABLE functions_new (
    id CHAR(36) PRIMARY KEY,
    app_id CHAR(36),
    name VARCHAR NOT NULL,
    slug VARCHAR NOT NULL,
    config VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    archived_at TIMESTAMP
);
INSERT INTO functions_new (id, app_id, name, slug, config, created_at, archived_at)
SELECT f.id, f.app_id, f.name, f.slug, f.config, f.created_at, f.archived_at
FROM functions f
WHERE f.rowid = (SELECT MAX(other.rowid) FROM functions other WHERE other.id = f.id)
ORDER BY f.rowid;
DROP TABLE functions;
ALTER TABLE functions_new RENAME TO functions;
