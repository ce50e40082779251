-- Bulk cancellations, and functions that are paused. Spec 04 section 7.4; spec 02 section 11.
-- +goose Up

-- Orders to cancel runs of a function. Instants are in nanoseconds since the epoch, 0 for none, but for those that a client
-- gave, which are text: they may be of any year.
CREATE TABLE ingot_cancellations (
    id BLOB NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    app_id BLOB NOT NULL,
    function_id BLOB NOT NULL,
    slug TEXT NOT NULL,
    started_after TEXT NOT NULL,
    started_before TEXT NOT NULL,
    condition TEXT NOT NULL,
    state TEXT NOT NULL,
    -- The last run that was looked at.
    position BLOB NOT NULL,
    cancelled INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    error TEXT NOT NULL,
    ended_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE ingot_paused_functions (
    function_id BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;
