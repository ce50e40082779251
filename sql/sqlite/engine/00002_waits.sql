-- What runs wait for from outside, and the parts of a run that change seldom.
-- +goose Up

-- Pauses of runs in progress. event_name is the event that is waited for, empty for what is not an event.
CREATE TABLE ingot_pauses (
    run_id BLOB NOT NULL,
    pause_id BLOB NOT NULL,
    event_name TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run_id, pause_id)
) WITHOUT ROWID;

-- Which run a signal is for. A run whose signal was taken over keeps its pause, so the pauses alone do not tell.
CREATE TABLE ingot_signals (
    signal TEXT NOT NULL PRIMARY KEY,
    run_id BLOB NOT NULL
) WITHOUT ROWID;

-- Parts of runs in progress that may be large and are written only when they change. kind is 'input' or 'defer' with the
-- op as id, or 'consumed', one row whose body is the 16 bytes of each event ID in order.
CREATE TABLE ingot_run_parts (
    run_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body BLOB,
    PRIMARY KEY (run_id, kind, id)
) WITHOUT ROWID;
