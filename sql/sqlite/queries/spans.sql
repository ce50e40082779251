-- name: InsertHistoryLog :exec
INSERT INTO ingot_history_log (seq, body) VALUES (?, ?);

-- name: DeleteHistoryLog :exec
DELETE FROM ingot_history_log WHERE seq <= ?;

-- name: ListHistoryLog :many
SELECT seq, body FROM ingot_history_log WHERE seq > sqlc.arg(after) ORDER BY seq LIMIT sqlc.arg(most);

-- name: PutHistoryWritten :exec
INSERT INTO ingot_history_written (seq, runs) VALUES (?, ?)
ON CONFLICT (seq) DO UPDATE SET runs = CAST(runs || excluded.runs AS BLOB);

-- name: DeleteHistoryWritten :exec
DELETE FROM ingot_history_written WHERE seq <= ?;

-- name: ListHistoryWritten :many
SELECT seq, runs FROM ingot_history_written ORDER BY seq;

-- Account and environment are the only ones that there are. A text that is bound costs more than one in the statement.
-- name: InsertSpan :execrows
INSERT INTO spans (
    span_id, trace_id, parent_span_id, name, start_time, end_time, attributes, links, dynamic_span_id, account_id, app_id, function_id,
    run_id, env_id, output, status, input, event_ids, is_deferred
) VALUES (
    ?, ?, ?, ?, ?, ?, ?, 'null', ?, '00000000-0000-4000-a000-000000000000', ?, ?,
    ?, '00000000-0000-4000-b000-000000000000', ?, ?, ?, ?, ?
)
ON CONFLICT (trace_id, span_id) DO NOTHING;

-- The columns of JSON hold numbers where their texts look like one, so they are read as texts.
-- name: ListSpansOf :many
SELECT
    span_id, trace_id, CAST(COALESCE(parent_span_id, '') AS TEXT) AS parent_span_id, name, CAST(start_time AS TEXT) AS start_time,
    CAST(end_time AS TEXT) AS end_time, CAST(COALESCE(attributes, '') AS TEXT) AS attributes,
    CAST(COALESCE(dynamic_span_id, '') AS TEXT) AS dynamic_span_id, app_id, function_id, CAST(COALESCE(status, '') AS TEXT) AS status,
    CAST(COALESCE(event_ids, '') AS TEXT) AS event_ids, CAST(COALESCE(is_deferred, 0) AS INTEGER) AS is_deferred,
    CAST(input IS NOT NULL AS INTEGER) AS has_input, CAST(output IS NOT NULL AS INTEGER) AS has_output, run_id
FROM spans WHERE run_id IN (sqlc.slice('ids')) ORDER BY run_id, start_time, end_time, span_id;

-- name: GetSpanPayload :one
SELECT CAST(COALESCE(input, '') AS TEXT) AS input, CAST(COALESCE(output, '') AS TEXT) AS output
FROM spans WHERE run_id = ? AND span_id = ?;

-- name: CountUserland :one
SELECT count(*) FROM (SELECT 1 FROM spans WHERE run_id = ? AND name = 'userland' LIMIT ?);

-- name: DeleteSpans :exec
DELETE FROM spans WHERE run_id = ?;

-- name: TraceRunExists :one
SELECT EXISTS (SELECT 1 FROM trace_runs WHERE run_id = ?);

-- A run that has ended does not begin again. Spec 15 7.4.
-- name: PutTraceRun :exec
INSERT INTO trace_runs (
    run_id, account_id, workspace_id, app_id, function_id, trace_id, queued_at, started_at, ended_at, status, source_id, trigger_ids,
    output, is_debounce, batch_id, cron_schedule, has_ai
) VALUES (
    ?, '00000000-0000-4000-a000-000000000000', '00000000-0000-4000-b000-000000000000', ?, ?, ?, ?, ?, ?, ?, '', ?,
    ?, ?, ?, ?, ?
)
ON CONFLICT (run_id) DO UPDATE SET
    started_at = max(started_at, excluded.started_at), ended_at = excluded.ended_at, status = excluded.status,
    output = excluded.output, has_ai = max(has_ai, excluded.has_ai)
WHERE status NOT IN (50, 300, 400, 500, 600);

-- name: UpdateTraceRun :execrows
UPDATE trace_runs SET
    started_at = max(started_at, sqlc.arg(started_at)), ended_at = sqlc.arg(ended_at), status = sqlc.arg(status), output = sqlc.arg(output),
    has_ai = max(has_ai, sqlc.arg(has_ai))
WHERE run_id = sqlc.arg(run_id) AND status NOT IN (50, 300, 400, 500, 600);

-- name: InsertEventRun :exec
INSERT INTO ingot_event_runs (event_id, run_id) VALUES (?, ?) ON CONFLICT (event_id, run_id) DO NOTHING;

-- What the reference has written since. Runs order by time, so it is what comes after the last run that is there.
-- name: AddEventRuns :exec
INSERT INTO ingot_event_runs (event_id, run_id)
SELECT CAST(e.value AS TEXT), r.run_id
FROM trace_runs r, json_each('["' || replace(CAST(r.trigger_ids AS TEXT), ',', '","') || '"]') e
WHERE (length(r.trigger_ids) > 26 OR r.status IN (7, 600)) AND r.run_id > COALESCE((
    SELECT k.run_id FROM trace_runs k
    WHERE (length(k.trigger_ids) > 26 OR k.status IN (7, 600)) AND EXISTS (
        SELECT 1 FROM ingot_event_runs h WHERE h.event_id = substr(CAST(k.trigger_ids AS TEXT), 1, 26) AND h.run_id = k.run_id
    )
    ORDER BY k.run_id DESC LIMIT 1
), x'')
ON CONFLICT (event_id, run_id) DO NOTHING;

-- name: MarkTraceRunAI :exec
UPDATE trace_runs SET has_ai = TRUE WHERE run_id = ?;

-- name: DeleteTraceRun :exec
DELETE FROM trace_runs WHERE run_id = ?;

-- name: RunTriggers :one
SELECT event_id, batch_id, cron FROM function_runs WHERE run_id = ?;

-- name: ListDeferred :many
SELECT run_id FROM spans WHERE is_deferred = 1 AND run_id IN (sqlc.slice('ids'));

-- name: ListDeferredDown :many
SELECT run_id FROM spans WHERE is_deferred = 1 AND run_id >= sqlc.arg(first) AND run_id <= sqlc.arg(last)
ORDER BY run_id DESC LIMIT sqlc.arg(max);

-- name: ListDeferredUp :many
SELECT run_id FROM spans WHERE is_deferred = 1 AND run_id >= sqlc.arg(first) AND run_id <= sqlc.arg(last)
ORDER BY run_id LIMIT sqlc.arg(max);
