package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// runRow is a row of trace_runs without its output.
type runRow = db.ListRunRowsRow

// summaryFrom reads a row of trace_runs. Spec 15 §3.9.
func summaryFrom(row runRow) (ports.RunSummary, error) {
	var s ports.RunSummary
	var errs []error
	read := func(err error) { errs = append(errs, err) }
	var err error
	s.RunID, err = parseULID(row.RunID)
	read(err)
	s.AppID, err = parseUUID(row.AppID)
	read(err)
	s.FunctionID, err = parseUUID(row.FunctionID)
	read(err)
	s.Batch, err = parseULID(row.BatchID)
	read(err)
	s.OriginalRunID, err = parseULID(row.OriginalRunID)
	read(err)
	s.Events, err = parseTriggers(row.TriggerIds)
	read(err)
	var known bool
	if s.Status, known = statusOfCode(row.Status); !known {
		read(fmt.Errorf("status %d", row.Status))
	}
	if err := errors.Join(errs...); err != nil {
		return ports.RunSummary{}, damaged("run "+s.RunID.String(), err)
	}
	s.TraceID, s.QueuedAt = string(row.TraceID), timeOf(s.RunID).UTC()
	s.Cron, s.Debounced, s.AI, s.HasOutput = row.CronSchedule.String, row.IsDebounce, row.HasAi, row.HasOutput
	if s.Status != ports.RunQueued && s.Status != ports.RunSkipped {
		s.StartedAt = fromMillis(row.StartedAt)
	}
	if s.Status.Ended() {
		s.EndedAt = fromMillis(row.EndedAt)
	}
	return s, nil
}

// fromMillis reads an instant of trace_runs; what is not after the epoch is none.
func fromMillis(ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// parseTriggers reads a list of IDs, joined by commas.
func parseTriggers(list []byte) ([]ulid.ULID, error) {
	if len(list) == 0 {
		return nil, nil
	}
	var ids []ulid.ULID
	for text := range strings.SplitSeq(string(list), ",") {
		id, err := ulid.ParseStrict(text)
		if err != nil {
			return nil, fmt.Errorf("event %q: %w", text, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Summaries implements ports.History.
func (h history) Summaries(ctx context.Context, ids []ulid.ULID) ([]ports.RunSummary, error) {
	var found []ports.RunSummary
	err := h.written(ctx, ids, func(q *db.Queries) (err error) {
		found, err = summaries(ctx, q, ids)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("summaries of %d runs: %w", len(ids), err)
	}
	return found, nil
}

// idChunk is how many IDs one query is asked for.
const idChunk = 500

func summaries(ctx context.Context, q *db.Queries, ids []ulid.ULID) ([]ports.RunSummary, error) {
	var found []ports.RunSummary
	for chunk := range slices.Chunk(ids, idChunk) {
		rows, err := q.ListSummaries(ctx, blobs(chunk))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if _, known := statusOfCode(row.Status); !known {
				continue
			}
			summary, err := summaryFrom(runRow{
				RunID: row.RunID, AppID: row.AppID, FunctionID: row.FunctionID, TraceID: row.TraceID, StartedAt: row.StartedAt,
				EndedAt: row.EndedAt, Status: row.Status, TriggerIds: row.TriggerIds, HasOutput: row.Output != nil,
				IsDebounce: row.IsDebounce, BatchID: row.BatchID, CronSchedule: row.CronSchedule, HasAi: row.HasAi,
				OriginalRunID: row.OriginalRunID,
			})
			if err != nil {
				return nil, err
			}
			summary.Output = row.Output
			found = append(found, summary)
		}
	}
	return found, markDeferred(ctx, q, found)
}

func blobs(ids []ulid.ULID) [][]byte {
	list := make([][]byte, len(ids))
	for i := range ids {
		list[i] = ids[i][:]
	}
	return list
}

// RunsOfEvents implements ports.History.
func (h history) RunsOfEvents(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]ports.RunSummary, error) {
	found := map[ulid.ULID][]ports.RunSummary{}
	err := h.flushed(ctx, func(q *db.Queries) error {
		runs := map[ulid.ULID][]ulid.ULID{}
		for chunk := range slices.Chunk(ids, idChunk) {
			if err := eventRuns(ctx, q, chunk, runs); err != nil {
				return err
			}
		}
		var all []ulid.ULID
		for _, list := range runs {
			all = append(all, list...)
		}
		known, err := summaries(ctx, q, all)
		if err != nil {
			return err
		}
		byID := map[ulid.ULID]ports.RunSummary{}
		for _, summary := range known {
			byID[summary.RunID] = summary
		}
		for event, list := range runs {
			slices.SortFunc(list, ulid.ULID.Compare)
			for _, id := range slices.Compact(list) {
				if summary, ok := byID[id]; ok {
					found[event] = append(found[event], summary)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("runs of %d events: %w", len(ids), err)
	}
	return found, nil
}

// eventRuns adds the runs that the events are of.
func eventRuns(ctx context.Context, q *db.Queries, ids []ulid.ULID, into map[ulid.ULID][]ulid.ULID) error {
	add := func(event ulid.ULID, run []byte) error {
		id, err := parseULID(run)
		if err != nil {
			return damaged("run of event "+event.String(), err)
		}
		into[event] = append(into[event], id)
		return nil
	}
	first, err := q.ListRunsOfEvents(ctx, blobs(ids))
	if err != nil {
		return err
	}
	for _, row := range first {
		event, err := parseULID(row.EventID)
		if err != nil {
			return damaged("run", err)
		}
		if err := add(event, row.RunID); err != nil {
			return err
		}
	}
	named := make([]string, len(ids))
	for i := range ids {
		named[i] = ids[i].String()
	}
	others, err := q.ListBatchRuns(ctx, named)
	if err != nil {
		return err
	}
	for _, row := range others {
		event, err := ulid.ParseStrict(row.EventID)
		if err != nil {
			return damaged("run of event "+row.EventID, err)
		}
		if err := add(event, row.RunID); err != nil {
			return err
		}
	}
	return nil
}
