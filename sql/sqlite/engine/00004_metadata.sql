-- What is attached to runs and their steps.
-- +goose Up

-- Updates in the order in which they came, kept as long as the run's record. step_id is empty for the run itself, attempt
-- is -1 for the one that ended the step, span_id is empty for the step itself. body is a JSON object; total is what the run
-- had used of its room after the update, in bytes; stored_at is in nanoseconds since the epoch.
CREATE TABLE ingot_metadata (
    run_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    step_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    span_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    op TEXT NOT NULL,
    body BLOB NOT NULL,
    total INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;
