-- Where the schedules of functions are.
-- +goose Up

-- Up to when the ticks of a cron trigger have been dealt with, in nanoseconds since the epoch. A schedule has a row from the
-- moment that it is registered. function_id is text as in functions.
CREATE TABLE ingot_ticks (
    function_id TEXT NOT NULL,
    expression TEXT NOT NULL,
    dealt_until INTEGER NOT NULL,
    PRIMARY KEY (function_id, expression)
) WITHOUT ROWID;
