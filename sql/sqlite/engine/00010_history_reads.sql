-- What lists of history are read by. Runs are listed by their IDs, which order by time, for one status or one function and status at a
-- time; pages of several are merged. So what a page costs depends neither on how many runs there are nor on how rare a status is.
-- +goose Up

CREATE INDEX ingot_trace_runs_status ON trace_runs (status, run_id);
CREATE INDEX ingot_trace_runs_function ON trace_runs (function_id, status, run_id);
-- By the time of the end, of runs that have ended; a function is looked for within the index.
CREATE INDEX ingot_trace_runs_ended ON trace_runs (status, ended_at, run_id, function_id)
    WHERE status NOT IN (0, 5, 6, 100, 200);

CREATE INDEX ingot_spans_deferred ON spans (run_id) WHERE is_deferred = 1;

-- Counting and naming need not look at the events themselves.
CREATE INDEX ingot_events_received ON events (received_at, event_name, internal_id);
DROP INDEX ingot_events_received_at;

-- The runs that an event is of besides those that function_runs names: of a batch, and those that did not start. Either server's writes
-- keep it through the triggers. event_id is the text of an internal ID.
CREATE TABLE ingot_event_runs (
    event_id TEXT NOT NULL,
    run_id BLOB NOT NULL,
    PRIMARY KEY (event_id, run_id)
) WITHOUT ROWID;

INSERT OR IGNORE INTO ingot_event_runs (event_id, run_id)
SELECT e.value, r.run_id
FROM trace_runs r, json_each('["' || replace(CAST(r.trigger_ids AS TEXT), ',', '","') || '"]') e
WHERE length(r.trigger_ids) > 26 OR r.status IN (7, 600);

CREATE TRIGGER ingot_event_runs_insert AFTER INSERT ON trace_runs
WHEN length(NEW.trigger_ids) > 26 OR NEW.status IN (7, 600)
BEGIN
    INSERT OR IGNORE INTO ingot_event_runs (event_id, run_id)
    SELECT value, NEW.run_id FROM json_each('["' || replace(CAST(NEW.trigger_ids AS TEXT), ',', '","') || '"]');
END;

CREATE TRIGGER ingot_event_runs_update AFTER UPDATE OF trigger_ids ON trace_runs
WHEN length(NEW.trigger_ids) > 26 AND NEW.trigger_ids IS NOT OLD.trigger_ids
BEGIN
    INSERT OR IGNORE INTO ingot_event_runs (event_id, run_id)
    SELECT value, NEW.run_id FROM json_each('["' || replace(CAST(NEW.trigger_ids AS TEXT), ',', '","') || '"]');
END;

CREATE TRIGGER ingot_event_runs_delete AFTER DELETE ON trace_runs
WHEN length(OLD.trigger_ids) > 26 OR OLD.status IN (7, 600)
BEGIN
    DELETE FROM ingot_event_runs WHERE run_id = OLD.run_id AND event_id IN (
        SELECT value FROM json_each('["' || replace(CAST(OLD.trigger_ids AS TEXT), ',', '","') || '"]'));
END;
