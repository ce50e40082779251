-- name: InsertRun :exec
INSERT INTO ingot_runs (run_id, revision, meta, head) VALUES (?, ?, ?, ?);

-- name: UpdateRun :execrows
UPDATE ingot_runs SET revision = revision + 1, meta = sqlc.arg(meta)
WHERE run_id = sqlc.arg(run_id) AND revision = sqlc.arg(revision);

-- name: DeleteRun :execrows
DELETE FROM ingot_runs WHERE run_id = ? AND revision = ?;

-- name: GetRunRevision :one
SELECT revision FROM ingot_runs WHERE run_id = ?;

-- name: GetRun :one
SELECT revision, meta, head FROM ingot_runs WHERE run_id = ?;

-- name: ListRunHeads :many
SELECT run_id, head FROM ingot_runs;

-- name: InsertRunEvent :exec
INSERT INTO ingot_run_events (run_id, seq, event) VALUES (?, ?, ?);

-- name: ListRunEvents :many
SELECT seq, event FROM ingot_run_events WHERE run_id = ? ORDER BY seq;

-- name: DeleteRunEvents :exec
DELETE FROM ingot_run_events WHERE run_id = ?;

-- name: InsertStep :exec
INSERT INTO ingot_steps (run_id, seq, op, memo, name, kind) VALUES (?, ?, ?, ?, ?, ?);

-- name: ListSteps :many
SELECT op, memo FROM ingot_steps WHERE run_id = ? ORDER BY seq;

-- name: ListNamedSteps :many
SELECT op, memo, name, kind FROM ingot_steps WHERE run_id = ? ORDER BY seq;

-- name: DeleteSteps :exec
DELETE FROM ingot_steps WHERE run_id = ?;

-- name: InsertEndedRun :exec
INSERT INTO ingot_ended_runs (run_id, head, response) VALUES (?, ?, ?);

-- name: GetEndedRun :one
SELECT head, response FROM ingot_ended_runs WHERE run_id = ?;

-- name: DeleteEndedRun :exec
DELETE FROM ingot_ended_runs WHERE run_id = ?;

-- name: InsertJob :execrows
INSERT INTO ingot_jobs (run_id, job_id, due_at, attempt, generation, payload) VALUES (?, ?, ?, ?, 0, ?)
ON CONFLICT (run_id, job_id) DO NOTHING;

-- name: UpdateJob :execrows
UPDATE ingot_jobs SET due_at = ?, attempt = ?, generation = ? WHERE run_id = ? AND job_id = ?;

-- name: ResetJob :execrows
UPDATE ingot_jobs SET attempt = 0 WHERE run_id = ? AND job_id = ?;

-- name: AdmitJob :execrows
UPDATE ingot_jobs SET admitted = 1 WHERE run_id = ? AND job_id = ?;

-- name: ParkJob :execrows
UPDATE ingot_jobs SET parked = 1 WHERE run_id = ? AND job_id = ?;

-- name: DeleteJob :execrows
DELETE FROM ingot_jobs WHERE run_id = ? AND job_id = ?;

-- name: DeleteRunJobs :exec
DELETE FROM ingot_jobs WHERE run_id = ?;

-- name: ListRunJobs :many
SELECT job_id, payload FROM ingot_jobs WHERE run_id = ?;

-- name: ListQueue :many
-- Everything that is to be handed out, read once at start.
SELECT run_id, job_id, due_at, attempt, generation, admitted, payload FROM ingot_jobs WHERE parked = 0;

-- name: PutPause :exec
INSERT INTO ingot_pauses (run_id, pause_id, event_name, body) VALUES (?, ?, ?, ?)
ON CONFLICT (run_id, pause_id) DO UPDATE SET event_name = excluded.event_name, body = excluded.body;

-- name: DeletePause :exec
DELETE FROM ingot_pauses WHERE run_id = ? AND pause_id = ?;

-- name: DeleteRunPauses :exec
DELETE FROM ingot_pauses WHERE run_id = ?;

-- name: ListRunPauses :many
SELECT pause_id, event_name, body FROM ingot_pauses WHERE run_id = ?;

-- name: ListPauses :many
-- Everything that is waited for, read once at start.
SELECT run_id, pause_id, event_name, body FROM ingot_pauses;

-- name: GetSignal :one
SELECT run_id FROM ingot_signals WHERE signal = ?;

-- name: PutSignal :exec
INSERT INTO ingot_signals (signal, run_id) VALUES (?, ?)
ON CONFLICT (signal) DO UPDATE SET run_id = excluded.run_id;

-- name: DeleteSignal :exec
DELETE FROM ingot_signals WHERE signal = ? AND run_id = ?;

-- name: PutRunPart :exec
INSERT INTO ingot_run_parts (run_id, kind, id, body) VALUES (?, ?, ?, ?)
ON CONFLICT (run_id, kind, id) DO UPDATE SET body = excluded.body;

-- name: ListRunParts :many
SELECT kind, id, body FROM ingot_run_parts WHERE run_id = ?;

-- name: DeleteRunParts :exec
DELETE FROM ingot_run_parts WHERE run_id = ?;

-- name: GetIdempotency :one
SELECT run_id, expires_at FROM ingot_idempotency WHERE key_hash = ?;

-- name: InsertIdempotency :exec
INSERT INTO ingot_idempotency (key_hash, run_id, expires_at) VALUES (?, ?, ?);

-- name: DeleteIdempotency :exec
DELETE FROM ingot_idempotency WHERE key_hash = ?;

-- name: DeleteExpiredIdempotency :execrows
-- Keys live equally long, so they expire in the order of seq; a few at a time keep the transaction short.
DELETE FROM ingot_idempotency
WHERE seq IN (SELECT oldest.seq FROM ingot_idempotency AS oldest ORDER BY oldest.seq LIMIT sqlc.arg(max))
    AND ingot_idempotency.expires_at <= sqlc.arg(now);

-- name: DeleteOldestIdempotency :execrows
DELETE FROM ingot_idempotency
WHERE seq IN (SELECT oldest.seq FROM ingot_idempotency AS oldest ORDER BY oldest.seq LIMIT sqlc.arg(max));

-- name: CountIdempotency :one
SELECT COUNT(*) FROM ingot_idempotency;

-- name: InsertParked :exec
INSERT INTO ingot_parked (kind, id, run_id, reason, parked_at, payload) VALUES (?, ?, ?, ?, ?, ?);

-- name: ListParked :many
SELECT kind, id, reason FROM ingot_parked ORDER BY seq;
