package embedded

import (
	"context"
	"fmt"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// EventsByID implements ports.History.
func (h history) EventsByID(ctx context.Context, ids []ulid.ULID) ([]event.Tracked, error) {
	var events []event.Tracked
	err := h.db.read(ctx, func(q *db.Queries) error {
		for chunk := range slices.Chunk(ids, idChunk) {
			rows, err := q.ListEventsIn(ctx, blobs(chunk))
			if err != nil {
				return err
			}
			some, err := each(rows, func(row db.ListEventsInRow) (event.Tracked, error) { return eventFrom(db.GetEventRow(row)) })
			if err != nil {
				return err
			}
			events = append(events, some...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%d events: %w", len(ids), err)
	}
	// The reference may have written an event twice.
	slices.SortFunc(events, func(a, b event.Tracked) int { return a.InternalID.Compare(b.InternalID) })
	return slices.CompactFunc(events, func(a, b event.Tracked) bool { return a.InternalID == b.InternalID }), nil
}

const (
	// smallWindow is how many events may be read and sorted to find a page of them.
	smallWindow = 5000
	// longestWalk is how many events are read, newest first, to find a page of those that are asked for.
	longestWalk = 5000
)

// EventPage implements ports.History. Events are in the order of their IDs, the window is one of receipt. The two orders are all but
// the same, so a large window that reaches to the newest event, or to the cursor, is walked down by ID, and any other is read as a whole:
// not the events, but what the index has of them. So is one in which a walk does not find enough, because names are rare or the window ends.
func (h history) EventPage(ctx context.Context, list ports.EventList) ([]event.Tracked, error) {
	var events []event.Tracked
	err := h.db.read(ctx, func(q *db.Queries) error {
		p := eventParams(list)
		few, err := q.CountSomeEvents(ctx, db.CountSomeEventsParams{Since: p.Since, Until: p.Until, Max: smallWindow})
		if err != nil || few == 0 {
			return err
		}
		walk := few == smallWindow
		if walk {
			walk, err = reachesUp(ctx, q, list, p)
		}
		if err == nil && walk {
			var done bool
			if events, done, err = eventsDown(ctx, q, p); done || err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		rows, err := q.PageEventsByTime(ctx, p)
		if err != nil {
			return err
		}
		events, err = each(rows, func(row db.PageEventsByTimeRow) (event.Tracked, error) { return eventFrom(db.GetEventRow(row)) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("page of events: %w", err)
	}
	return events, nil
}

// reachesUp says whether a walk down from the cursor, or from the newest event, begins in the window.
func reachesUp(ctx context.Context, q *db.Queries, list ports.EventList, p db.PageEventsByTimeParams) (bool, error) {
	if !list.Cursor.IsZero() && (list.Until.IsZero() || !ulid.Time(list.Cursor.Time()).After(list.Until)) {
		return true, nil
	}
	newest, err := q.NewestReceipt(ctx)
	return newest < p.Until, err
}

// eventsDown walks down by ID, so far only; done says that what it found is the page.
func eventsDown(ctx context.Context, q *db.Queries, p db.PageEventsByTimeParams) (events []event.Tracked, done bool, err error) {
	from, err := q.EventBefore(ctx, db.EventBeforeParams{BeforeID: p.BeforeID, Number: max(longestWalk, p.Max)})
	all := isNoRows(err)
	switch {
	case all:
		from = make([]byte, len(ulid.ULID{}))
	case err != nil:
		return nil, false, err
	}
	rows, err := q.PageEventsByID(ctx, db.PageEventsByIDParams{
		BeforeID: p.BeforeID, FromID: from, Since: p.Since, Until: p.Until, Internal: p.Internal, AnyName: p.AnyName, Names: p.Names, Max: p.Max,
	})
	if err != nil {
		return nil, false, err
	}
	events, err = each(rows, func(row db.PageEventsByIDRow) (event.Tracked, error) { return eventFrom(db.GetEventRow(row)) })
	return events, all || int64(len(events)) >= p.Max, err
}

// CountEvents implements ports.History.
func (h history) CountEvents(ctx context.Context, list ports.EventList) (int, error) {
	var count int64
	err := h.db.read(ctx, func(q *db.Queries) (err error) {
		p := eventParams(list)
		count, err = q.CountEventsByTime(ctx, db.CountEventsByTimeParams{
			Since: p.Since, Until: p.Until, Internal: p.Internal, AnyName: p.AnyName, Names: p.Names,
		})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	return int(count), nil
}

// eventParams is a list as the queries take it.
func eventParams(list ports.EventList) db.PageEventsByTimeParams {
	before := list.Cursor
	if before.IsZero() {
		for i := range before {
			before[i] = 0xff
		}
	}
	p := db.PageEventsByTimeParams{
		Since: "", Until: "~", BeforeID: before[:], Internal: list.Internal, AnyName: len(list.Names) == 0, Names: jsonList(list.Names),
		Max: int64(max(list.Limit, 1)),
	}
	if !list.From.IsZero() {
		p.Since = firstInstant(list.From)
	}
	if !list.Until.IsZero() {
		p.Until = afterInstant(list.Until)
	}
	return p
}
