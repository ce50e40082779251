package mem

import (
	"context"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
)

// Event implements ports.History.
func (b *Backend) Event(ctx context.Context, id ulid.ULID) (event.Tracked, error) {
	if err := ctx.Err(); err != nil {
		return event.Tracked{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, ok := b.find(id); ok {
		return e, nil
	}
	return event.Tracked{}, ports.ErrNotFound
}

// Events implements ports.History.
func (b *Backend) Events(ctx context.Context, q ports.EventQuery) ([]event.Tracked, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []event.Tracked
	for _, e := range b.events {
		if selects(q, e) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(x, y event.Tracked) int { return y.InternalID.Compare(x.InternalID) })
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return found, nil
}

func selects(q ports.EventQuery, e event.Tracked) bool {
	switch {
	case strings.HasPrefix(e.Name, event.ReservedPrefix),
		q.Name != "" && e.Name != q.Name,
		!q.After.IsZero() && e.ReceivedAt.Before(q.After),
		!q.Before.IsZero() && e.ReceivedAt.After(q.Before),
		q.Cursor != (ulid.ULID{}) && e.InternalID.Compare(q.Cursor) >= 0:
		return false
	}
	return true
}

// EventRuns implements ports.History.
func (b *Backend) EventRuns(ctx context.Context, id ulid.ULID) ([]ports.RunRecord, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []ports.RunRecord
	for _, r := range b.records {
		if r.EventID == id {
			found = append(found, *r)
		}
	}
	slices.SortFunc(found, func(x, y ports.RunRecord) int { return x.RunID.Compare(y.RunID) })
	return found, nil
}

// Run implements ports.History.
func (b *Backend) Run(ctx context.Context, id ulid.ULID) (ports.RunRecord, error) {
	if err := ctx.Err(); err != nil {
		return ports.RunRecord{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.record(id); r.RunID == id {
		return *r, nil
	}
	return ports.RunRecord{}, ports.ErrNotFound
}

// Runs returns the records of all runs, oldest first.
func (b *Backend) Runs() []ports.RunRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]ports.RunRecord, len(b.records))
	for i, r := range b.records {
		all[i] = *r
	}
	return all
}

// AllEvents returns every event that was accepted, in order, those of the server itself too.
func (b *Backend) AllEvents() []event.Tracked {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// Idle reports whether nothing is left to do: every event and hold is settled and no run is in progress.
func (b *Backend) Idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.inbox) == 0 && len(b.holds) == 0 && len(b.runs) == 0
}

// Parked returns what was parked, by ID, with the reasons.
func (b *Backend) Parked() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	parked := make(map[string]string, len(b.parked))
	for id, reason := range b.parked {
		parked[id] = reason
	}
	return parked
}
