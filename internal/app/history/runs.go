package history

import (
	"context"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// Query selects runs.
type Query struct {
	ports.RunList
	// Search is an expression a line, all of which a run must meet; empty for none. Spec 05 §6.6.
	Search string
}

// Runs is a page of runs.
type Runs struct {
	// Runs are without their outputs; Summaries of the port has them.
	Runs []ports.RunSummary
	// More says that there are runs behind the last.
	More bool
}

// Cursor is the place of a run in a list, as clients get it.
func Cursor(by ports.RunTime, run ports.RunSummary) string {
	return trace.Cursor{Run: run.RunID, Field: fields[by][0], At: run.At(by)}.String()
}

// fields are the fields that cursors of a list may have, that of new ones first.
var fields = map[ports.RunTime][]trace.CursorField{
	ports.ByQueued:  {trace.FieldQueued, trace.FieldStart},
	ports.ByStarted: {trace.FieldStarted, trace.FieldStart},
	ports.ByEnded:   {trace.FieldEnded, trace.FieldEnd},
}

// ParseCursor reads a cursor of a list; empty is none. The error says what is wrong with it.
func ParseCursor(by ports.RunTime, text string) (*ports.RunCursor, error) {
	if text == "" {
		return nil, nil
	}
	cursor, err := trace.ParseCursor(text, fields[by]...)
	if err != nil {
		return nil, err
	}
	return &ports.RunCursor{At: cursor.At, Run: cursor.Run}, nil
}

// Runs returns a page of runs. Errors of the search: *expr.SearchError, *SearchLimitError.
func (r *Reader) Runs(ctx context.Context, q Query) (Runs, error) {
	if q.Limit <= 0 {
		return Runs{}, fmt.Errorf("a page of %d runs", q.Limit)
	}
	list := q.RunList
	list.Limit++
	var found []ports.RunSummary
	var err error
	if q.Search == "" {
		found, err = r.list(ctx, list)
	} else {
		found, err = r.search(ctx, q.Search, list)
	}
	if err != nil {
		return Runs{}, err
	}
	return Runs{Runs: found[:min(q.Limit, len(found))], More: len(found) > q.Limit}, nil
}

// CountRuns counts the runs of all pages, with the errors of Runs.
func (r *Reader) CountRuns(ctx context.Context, q Query) (int, error) {
	if q.Search == "" {
		return r.count(ctx, q.RunList)
	}
	list := q.RunList
	list.After, list.Limit = nil, r.cfg.SearchRuns+1
	found, err := r.search(ctx, q.Search, list)
	return len(found), err
}

// search walks the list and keeps what meets the search, up to the list's limit.
func (r *Reader) search(ctx context.Context, text string, list ports.RunList) ([]ports.RunSummary, error) {
	search, err := expr.CompileSearch(text)
	if err != nil {
		return nil, err
	}
	limit := list.Limit
	list.Limit = searchPage
	return walk(r, "runs", limit, func() ([]ports.RunSummary, []ports.RunSummary, time.Time, error) {
		page, err := r.list(ctx, list)
		if err != nil || len(page) == 0 {
			return nil, nil, time.Time{}, err
		}
		last := page[len(page)-1]
		list.After = &ports.RunCursor{At: last.At(list.Time), Run: last.RunID}
		met, err := r.meeting(ctx, search, page)
		return page, met, last.At(list.Time), err
	})
}

// meeting are those of the runs that meet the search. What it looks at is read for all of them at once.
func (r *Reader) meeting(ctx context.Context, search *expr.Search, page []ports.RunSummary) ([]ports.RunSummary, error) {
	events, err := r.eventsOf(ctx, search, page)
	if err != nil {
		return nil, err
	}
	outcomes, err := r.outcomesOf(ctx, search, page)
	if err != nil {
		return nil, err
	}
	var met []ports.RunSummary
	for _, run := range page {
		var started []event.Event
		for _, id := range run.Events {
			if e, ok := events[id]; ok {
				started = append(started, e)
			}
		}
		if search.Match(started, outcomes[run.RunID]) {
			met = append(met, run)
		}
	}
	return met, nil
}

func (r *Reader) eventsOf(ctx context.Context, search *expr.Search, page []ports.RunSummary) (map[ulid.ULID]event.Event, error) {
	events := map[ulid.ULID]event.Event{}
	if !search.Event {
		return events, nil
	}
	var ids []ulid.ULID
	for _, run := range page {
		ids = append(ids, run.Events...)
	}
	found, err := r.History.EventsByID(ctx, ids)
	for i := range found {
		events[found[i].InternalID] = found[i].Event
	}
	return events, err
}

func (r *Reader) outcomesOf(ctx context.Context, search *expr.Search, page []ports.RunSummary) (map[ulid.ULID]expr.Outcome, error) {
	outcomes := map[ulid.ULID]expr.Outcome{}
	none := expr.NewOutcome(nil, nil)
	var ids []ulid.ULID
	for _, run := range page {
		outcomes[run.RunID] = none
		if search.Outcome && run.HasOutput {
			ids = append(ids, run.RunID)
		}
	}
	if len(ids) == 0 {
		return outcomes, nil
	}
	found, err := r.History.Summaries(ctx, ids)
	for _, run := range found {
		if run.Status == ports.RunFailed {
			outcomes[run.RunID] = expr.NewOutcome(nil, trace.RunResult(run.Output))
			continue
		}
		outcomes[run.RunID] = expr.NewOutcome(trace.RunResult(run.Output), nil)
	}
	return outcomes, err
}
