-- name: ListSpans :many
SELECT span_id, trace_id, parent_span_id, name, CAST(start_time AS TEXT) AS start_time, CAST(end_time AS TEXT) AS end_time,
    CAST(COALESCE(attributes, '') AS TEXT) AS attributes, dynamic_span_id, app_id, function_id, status, CAST(COALESCE(event_ids, '') AS TEXT) AS event_ids, is_deferred,
    input IS NOT NULL AS has_input, output IS NOT NULL AS has_output
FROM spans WHERE run_id = ?;

-- name: GetPayload :one
-- The columns have numeric affinity: what looks like a number is stored as one.
SELECT CAST(COALESCE(input, '') AS TEXT) AS input, CAST(COALESCE(output, '') AS TEXT) AS output FROM spans WHERE run_id = ? AND span_id = ? LIMIT 1;

-- name: ListDeferred :many
SELECT run_id FROM spans WHERE is_deferred = 1 AND run_id IN (sqlc.slice('ids'));

-- name: ListDeferredDown :many
SELECT run_id FROM spans WHERE is_deferred = 1 AND run_id >= sqlc.arg(first) AND run_id <= sqlc.arg(last)
ORDER BY run_id DESC LIMIT sqlc.arg(max);

-- name: ListDeferredUp :many
SELECT run_id FROM spans WHERE is_deferred = 1 AND run_id >= sqlc.arg(first) AND run_id <= sqlc.arg(last)
ORDER BY run_id LIMIT sqlc.arg(max);
