-- What history shows of runs, until it is written into the tables of the reference.
-- +goose Up

-- A row for each transaction that has spans, body is their record. It is written with the change that it tells of and deleted with
-- the transaction that writes the spans, so that each is written once, whatever happens in between.
CREATE TABLE ingot_history_log (
    seq INTEGER NOT NULL PRIMARY KEY,
    body BLOB NOT NULL
);
