-- What flow control decides by: events that wait for their run, rate limits, and the locks of singletons. Spec 11.
-- +goose Up

-- Batches that fill up, and debounces. open says that more events may come. Instants are in nanoseconds since the epoch;
-- max_at is NULL for a hold without one. events and bytes are what is in it, so that adding to it reads nothing else. A hold
-- that was parked has a row in ingot_parked instead, of kind 'hold', whose payload lists the IDs of its events.
CREATE TABLE ingot_holds (
    hold_id BLOB NOT NULL PRIMARY KEY,
    function_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    open INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    max_at INTEGER,
    events INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX ingot_holds_open ON ingot_holds (function_id, kind, key) WHERE open = 1;

-- The events of holds, complete, in the order in which they were put in.
CREATE TABLE ingot_hold_events (
    hold_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (hold_id, seq)
) WITHOUT ROWID;

-- When the buckets of rate limits are full again, in nanoseconds since the epoch. A row of the past means nothing.
CREATE TABLE ingot_buckets (
    name TEXT NOT NULL PRIMARY KEY,
    tat INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX ingot_buckets_tat ON ingot_buckets (tat);

-- Which run holds the lock of a singleton. A row counts as long as the run is in progress.
CREATE TABLE ingot_locks (
    lock TEXT NOT NULL PRIMARY KEY,
    run_id BLOB NOT NULL
) WITHOUT ROWID;

-- The batch of a run that is deleted is found by the run.
CREATE INDEX ingot_event_batches_run_id ON event_batches (run_id);
