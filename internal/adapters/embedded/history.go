package embedded

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// maxEvents bounds one page of events when the caller names no limit.
const maxEvents = 1000

// history answers from the reference's tables, so it also knows what the reference wrote.
type history struct {
	db        *database
	projector *projector
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
	err := h.db.read(ctx, func(q *db.Queries) (err error) {
		events, err = listEvents(ctx, q, query, before, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return events, nil
}

// listEvents reads a page within the window of time, if there is one.
func listEvents(ctx context.Context, q *db.Queries, query ports.EventQuery, before ulid.ULID, limit int64) ([]event.Tracked, error) {
	if query.After.IsZero() && query.Before.IsZero() {
		rows, err := q.ListEventsByID(ctx, db.ListEventsByIDParams{
			BeforeID: before[:], AnyName: query.Name == "", EventName: query.Name, Max: limit,
		})
		if err != nil {
			return nil, err
		}
		return each(rows, listed[db.ListEventsByIDRow])
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
	if err != nil {
		return nil, err
	}
	return each(rows, listed[db.ListEventsByTimeRow])
}

// listed is the event of a row of a list.
func listed[Row db.ListEventsByIDRow | db.ListEventsByTimeRow](row Row) (event.Tracked, error) {
	return eventFrom(db.GetEventRow(row))
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
