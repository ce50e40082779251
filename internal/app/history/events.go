package history

import (
	"context"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/ports"
)

// EventQuery selects events.
type EventQuery struct {
	ports.EventList
	// Search is an expression over event a line, all of which an event must meet; empty for none.
	Search string
}

// Events is a page of events.
type Events struct {
	Events []event.Tracked
	// More says that there are events behind the last.
	More bool
}

// Events returns a page of events, newest first. The cursor of the next page is the last event's internal ID. Errors of the search:
// *expr.SearchError, *SearchLimitError.
func (r *Reader) Events(ctx context.Context, q EventQuery) (Events, error) {
	if q.Limit <= 0 {
		return Events{}, fmt.Errorf("a page of %d events", q.Limit)
	}
	list := q.EventList
	list.Limit++
	var found []event.Tracked
	var err error
	if q.Search == "" {
		found, err = r.History.EventPage(ctx, list)
	} else {
		found, err = r.searchEvents(ctx, q.Search, list)
	}
	if err != nil {
		return Events{}, err
	}
	return Events{Events: found[:min(q.Limit, len(found))], More: len(found) > q.Limit}, nil
}

// CountEvents counts the events of all pages, with the errors of Events.
func (r *Reader) CountEvents(ctx context.Context, q EventQuery) (int, error) {
	if q.Search == "" {
		return r.History.CountEvents(ctx, q.EventList)
	}
	list := q.EventList
	list.Cursor, list.Limit = ulid.ULID{}, r.cfg.SearchRuns+1
	found, err := r.searchEvents(ctx, q.Search, list)
	return len(found), err
}

// searchEvents walks the list and keeps what meets the search, up to the list's limit.
func (r *Reader) searchEvents(ctx context.Context, text string, list ports.EventList) ([]event.Tracked, error) {
	search, err := expr.CompileEventSearch(text)
	if err != nil {
		return nil, err
	}
	limit := list.Limit
	list.Limit = searchPage
	return walk(r, "events", limit, func() (page, met []event.Tracked, last time.Time, err error) {
		page, err = r.History.EventPage(ctx, list)
		for _, e := range page {
			if search.Match([]event.Event{e.Event}, expr.Outcome{}) {
				met = append(met, e)
			}
			list.Cursor, last = e.InternalID, e.ReceivedAt
		}
		return page, met, last, err
	})
}
