package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// maxEvents bounds one page of events when the caller names no limit.
const maxEvents = 1000

// history answers from the reference's tables, so it also knows what the reference wrote.
type history struct {
	db *database
}

var _ ports.History = history{}

// Event implements ports.History.
func (h history) Event(ctx context.Context, id ulid.ULID) (event.Tracked, error) {
	var found event.Tracked
	err := h.db.read(ctx, func(q *db.Queries) error {
		row, err := q.GetEvent(ctx, id[:])
		if err != nil {
			return err
		}
		found, err = eventFrom(row)
		return err
	})
	if err != nil {
		return event.Tracked{}, fmt.Errorf("event %s: %w", id, err)
	}
	return found, nil
}

// Events implements ports.History.
func (h history) Events(ctx context.Context, query ports.EventQuery) ([]event.Tracked, error) {
	before := query.Cursor
	if before == (ulid.ULID{}) {
		for i := range before {
			before[i] = 0xff
		}
	}
	limit := int64(query.Limit)
	if limit <= 0 {
		limit = maxEvents
	}
	var events []event.Tracked
	err := h.db.read(ctx, func(q *db.Queries) error {
		rows, err := listEvents(ctx, q, query, before, limit)
		if err != nil {
			return err
		}
		events = make([]event.Tracked, 0, len(rows))
		for _, row := range rows {
			found, err := eventFrom(db.GetEventRow(row))
			if err != nil {
				return err
			}
			events = append(events, found)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return events, nil
}

// listEvents reads a page within the window of time, if there is one.
func listEvents(ctx context.Context, q *db.Queries, query ports.EventQuery, before ulid.ULID, limit int64) ([]db.ListEventsByIDRow, error) {
	if query.After.IsZero() && query.Before.IsZero() {
		return q.ListEventsByID(ctx, db.ListEventsByIDParams{
			BeforeID: before[:], AnyName: query.Name == "", EventName: query.Name, Max: limit,
		})
	}
	since, until := "", "~"
	if !query.After.IsZero() {
		since = firstInstant(query.After)
	}
	if !query.Before.IsZero() {
		until = afterInstant(query.Before)
	}
	rows, err := q.ListEventsByTime(ctx, db.ListEventsByTimeParams{
		Since: since, Until: until, BeforeID: before[:], AnyName: query.Name == "", EventName: query.Name, Max: limit,
	})
	page := make([]db.ListEventsByIDRow, len(rows))
	for i, row := range rows {
		page[i] = db.ListEventsByIDRow(row)
	}
	return page, err
}

// EventRuns implements ports.History.
func (h history) EventRuns(ctx context.Context, id ulid.ULID) ([]ports.RunRecord, error) {
	var records []ports.RunRecord
	err := h.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListEventRuns(ctx, id[:])
		if err != nil {
			return err
		}
		records = make([]ports.RunRecord, 0, len(rows))
		for _, row := range rows {
			record, err := runRecordFrom(db.GetRunRecordRow(row))
			if err != nil {
				return err
			}
			if n := len(records); n > 0 && records[n-1].RunID == record.RunID {
				continue // the reference may have written a run twice
			}
			records = append(records, record)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("runs of event %s: %w", id, err)
	}
	return records, nil
}

// Run implements ports.History.
func (h history) Run(ctx context.Context, id ulid.ULID) (ports.RunRecord, error) {
	var record ports.RunRecord
	err := h.db.read(ctx, func(q *db.Queries) error {
		row, err := q.GetRunRecord(ctx, id[:])
		if err != nil {
			return err
		}
		record, err = runRecordFrom(row)
		return err
	})
	if err != nil {
		return ports.RunRecord{}, fmt.Errorf("run %s: %w", id, err)
	}
	return record, nil
}

// firstInstant returns a text that sorts before every form of the instant, and after every earlier one.
func firstInstant(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.999999999") }
