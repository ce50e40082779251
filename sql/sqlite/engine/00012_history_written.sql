-- Runs are written into history in another order than they came in.
-- +goose Up

-- Runs whose spans are written although they are in the log still: all that it has of them up to number seq. runs are their IDs.
CREATE TABLE ingot_history_written (
    seq INTEGER NOT NULL PRIMARY KEY,
    runs BLOB NOT NULL
);

-- Row 0 of the log said how far it was written.
DELETE FROM ingot_history_log WHERE seq = 0;
