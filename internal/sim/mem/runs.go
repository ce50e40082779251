package mem

import (
	"context"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// summaries are what lists say of all runs, in no order: what the rows of their traces say.
func (b *Backend) summaries() []ports.RunSummary {
	var all []ports.RunSummary
	for id, rows := range b.spans {
		s := ports.RunSummary{RunID: id, QueuedAt: ulid.Time(id.Time()).UTC(), OriginalRunID: b.record(id).OriginalRunID}
		known := false
		for _, row := range trace.Merge(slices.Clone(rows)) {
			s.AI = s.AI || row.AI
			if row.Summary == nil {
				continue
			}
			known = true
			s.AppID, s.FunctionID, s.TraceID, s.Events, s.Deferred = row.App, row.Function, row.Trace, row.EventIDs, row.Deferred
			s.Batch, s.Cron, s.Debounced = row.Summary.Batch, row.Summary.Cron, row.Summary.Debounced
			s.Status = ports.RunStatus(row.Summary.Status)
			if s.Status != ports.RunSkipped {
				s.StartedAt = toMillis(row.Summary.StartedAt)
			}
			s.EndedAt = toMillis(row.Summary.EndedAt)
			s.HasOutput, s.Output = row.Output != nil, trace.Unwrapped(row.Output)
		}
		if known {
			all = append(all, s)
		}
	}
	return all
}

func toMillis(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

// history is the backend as that port; Runs of the backend itself are the records.
type history struct{ *Backend }

// Runs implements ports.History.
func (b history) Runs(ctx context.Context, q ports.RunList) ([]ports.RunSummary, error) {
	found, err := b.selected(ctx, q)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(s ports.RunSummary) bool { return !q.Behind(s) })
	for i := range found {
		found[i].Output = nil
	}
	return found[:min(len(found), max(q.Limit, 1))], nil
}

// CountRuns implements ports.History.
func (b *Backend) CountRuns(ctx context.Context, q ports.RunList) (int, error) {
	found, err := b.selected(ctx, q)
	return len(found), err
}

// selected are the runs of all pages, in order.
func (b *Backend) selected(ctx context.Context, q ports.RunList) ([]ports.RunSummary, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []ports.RunSummary
	for _, s := range b.summaries() {
		if q.Selects(s) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, q.Compare)
	return found, nil
}

// Summaries implements ports.History.
func (b *Backend) Summaries(ctx context.Context, ids []ulid.ULID) ([]ports.RunSummary, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []ports.RunSummary
	for _, s := range b.summaries() {
		if slices.Contains(ids, s.RunID) {
			found = append(found, s)
		}
	}
	return found, nil
}

// RunsOfEvents implements ports.History.
func (b *Backend) RunsOfEvents(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]ports.RunSummary, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[ulid.ULID][]ports.RunSummary{}
	for _, s := range b.summaries() {
		for _, id := range s.Events {
			if slices.Contains(ids, id) {
				found[id] = append(found[id], s)
			}
		}
	}
	for _, runs := range found {
		slices.SortFunc(runs, func(x, y ports.RunSummary) int { return x.RunID.Compare(y.RunID) })
	}
	return found, nil
}

// EventsByID implements ports.History.
func (b *Backend) EventsByID(ctx context.Context, ids []ulid.ULID) ([]event.Tracked, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []event.Tracked
	for _, e := range b.events {
		if slices.Contains(ids, e.InternalID) {
			found = append(found, e)
		}
	}
	return found, nil
}

// EventPage implements ports.History.
func (b *Backend) EventPage(ctx context.Context, q ports.EventList) ([]event.Tracked, error) {
	found, err := b.listed(ctx, q)
	if err != nil {
		return nil, err
	}
	if !q.Cursor.IsZero() {
		found = slices.DeleteFunc(found, func(e event.Tracked) bool { return e.InternalID.Compare(q.Cursor) >= 0 })
	}
	return found[:min(len(found), max(q.Limit, 1))], nil
}

// CountEvents implements ports.History.
func (b *Backend) CountEvents(ctx context.Context, q ports.EventList) (int, error) {
	found, err := b.listed(ctx, q)
	return len(found), err
}

// listed are the events of all pages, newest first.
func (b *Backend) listed(ctx context.Context, q ports.EventList) ([]event.Tracked, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []event.Tracked
	for _, e := range b.events {
		window := ports.EventQuery{After: q.From, Before: q.Until}
		if q.Internal && withinReceipt(window, e) || selects(window, e) {
			if len(q.Names) == 0 || slices.Contains(q.Names, e.Name) {
				found = append(found, e)
			}
		}
	}
	slices.SortFunc(found, func(x, y event.Tracked) int { return y.InternalID.Compare(x.InternalID) })
	return found, nil
}

func withinReceipt(q ports.EventQuery, e event.Tracked) bool {
	return (q.After.IsZero() || !e.ReceivedAt.Before(q.After)) && (q.Before.IsZero() || !e.ReceivedAt.After(q.Before))
}
