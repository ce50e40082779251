-- The engine's own tables and indexes beside those of the reference, which never sees them: other names, other version
-- table. Spec 15 §2.1, §4.
-- +goose Up

-- Lookups that the reference does by a full scan.
CREATE INDEX ingot_events_internal_id ON events (internal_id);
CREATE INDEX ingot_events_received_at ON events (received_at);
CREATE INDEX ingot_function_runs_run_id ON function_runs (run_id);
CREATE INDEX ingot_function_runs_event_id ON function_runs (event_id, run_id);
CREATE INDEX ingot_function_finishes_run_id ON function_finishes (run_id);
CREATE INDEX ingot_apps_url ON apps (url);

-- Events that still need routing. sessions holds what the events table has no column for.
CREATE TABLE ingot_inbox (
    internal_id BLOB NOT NULL PRIMARY KEY,
    sessions BLOB
) WITHOUT ROWID;

-- Runs in progress. head is written once, meta at every commit.
CREATE TABLE ingot_runs (
    run_id BLOB NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    meta BLOB NOT NULL,
    head BLOB NOT NULL
) WITHOUT ROWID;

-- Events of runs in progress that are too large for the head and that the events table does not hold.
CREATE TABLE ingot_run_events (
    run_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

-- Memos of runs in progress, in the order in which they were saved.
CREATE TABLE ingot_steps (
    run_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    op TEXT NOT NULL,
    memo BLOB,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

-- Jobs of runs in progress. due_at is in nanoseconds since the epoch, 0 for at once. A parked job belongs to its run but
-- is not handed out.
CREATE TABLE ingot_jobs (
    run_id BLOB NOT NULL,
    job_id TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    parked INTEGER NOT NULL DEFAULT 0,
    payload BLOB NOT NULL,
    PRIMARY KEY (run_id, job_id)
) WITHOUT ROWID;

-- Idempotency keys in use, as hashes. seq orders them by age.
CREATE TABLE ingot_idempotency (
    seq INTEGER NOT NULL PRIMARY KEY,
    key_hash BLOB NOT NULL UNIQUE,
    run_id BLOB NOT NULL,
    expires_at INTEGER NOT NULL
);

-- What could not be worked on, for an operator to look at. kind is 'event' or 'job'; payload is the job's record.
CREATE TABLE ingot_parked (
    seq INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    run_id BLOB,
    reason TEXT NOT NULL,
    parked_at INTEGER NOT NULL,
    payload BLOB
);
