-- What is kept of runs that have ended, for reruns and for the clients of durable endpoints.
-- +goose Up

-- Steps stay when their run ends. kind is the op that made the step.
ALTER TABLE ingot_steps ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE ingot_steps ADD COLUMN kind TEXT NOT NULL DEFAULT '';

-- Runs that have ended of which the tables of the reference do not say all that a rerun needs, or whose app has answered its
-- client. head is that of ingot_runs, response the record of the answer, NULL for none.
CREATE TABLE ingot_ended_runs (
    run_id BLOB NOT NULL PRIMARY KEY,
    head BLOB NOT NULL,
    response BLOB
) WITHOUT ROWID;
