-- name: GetBucket :one
SELECT tat FROM ingot_buckets WHERE name = ?;

-- name: ListBuckets :many
-- Those of a kind, between two names, that are not full; read once at start.
SELECT name, tat FROM ingot_buckets WHERE tat > sqlc.arg(now) AND name >= sqlc.arg(first) AND name < sqlc.arg(beyond);

-- name: PutBucket :exec
INSERT INTO ingot_buckets (name, tat) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET tat = excluded.tat;

-- name: DeleteFullBuckets :execrows
-- A few at a time keep the transaction short.
DELETE FROM ingot_buckets
WHERE name IN (SELECT old.name FROM ingot_buckets AS old WHERE old.tat <= sqlc.arg(now) ORDER BY old.tat LIMIT sqlc.arg(max));

-- name: CountBuckets :one
SELECT COUNT(*) FROM ingot_buckets;

-- name: GetLock :one
-- A run that is not in progress holds nothing, whatever is written.
SELECT l.run_id FROM ingot_locks l JOIN ingot_runs r ON r.run_id = l.run_id WHERE l.lock = ?;

-- name: PutLock :exec
INSERT INTO ingot_locks (lock, run_id) VALUES (?, ?)
ON CONFLICT (lock) DO UPDATE SET run_id = excluded.run_id;

-- name: DeleteLock :exec
DELETE FROM ingot_locks WHERE lock = ? AND run_id = ?;
