package history

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/ports"
)

// Nothing is written of a run's first call until it is answered. Until then its run is stored as queued, and the queue knows that it has
// begun. All answers go by that: what is shown, what is selected, and what is counted.

// begin tells of runs that are stored as queued that they have begun.
func begin(begun map[ulid.ULID]time.Time, runs []ports.RunSummary) {
	for i := range runs {
		if since, ok := begun[runs[i].RunID]; ok && runs[i].Status == ports.RunQueued {
			runs[i].Status, runs[i].StartedAt = ports.RunRunning, since.UTC().Truncate(time.Millisecond)
		}
	}
}

// list is a page of runs. A page of what is queued is longer by what has begun before that is taken out; to one of what is running, which is
// read last, so that none that moves on meanwhile is missed, the others are added.
func (r *Reader) list(ctx context.Context, list ports.RunList) ([]ports.RunSummary, error) {
	if list.Time == ports.ByEnded {
		return r.History.Runs(ctx, list)
	}
	begun, err := r.Queue.Begun(ctx)
	if err != nil {
		return nil, err
	}
	wide, limit := list, list.Limit
	var more []ports.RunSummary
	switch wantsQueued, wantsRunning := wants(list); {
	case wantsQueued == wantsRunning:
	case wantsQueued:
		wide.Limit += len(begun)
	default:
		more, err = r.begun(ctx, begun, list)
		more = slices.DeleteFunc(more, func(run ports.RunSummary) bool { return !list.Behind(run) })
	}
	if err != nil {
		return nil, err
	}
	found, err := r.History.Runs(ctx, wide)
	if err != nil {
		return nil, err
	}
	begin(begun, found)
	found = slices.DeleteFunc(append(found, more...), func(run ports.RunSummary) bool {
		return len(list.Statuses) > 0 && !slices.Contains(list.Statuses, run.Status)
	})
	slices.SortFunc(found, list.Compare)
	found = slices.CompactFunc(found, func(a, b ports.RunSummary) bool { return a.RunID == b.RunID })
	return found[:min(limit, len(found))], nil
}

// count is how many runs there are on all pages.
func (r *Reader) count(ctx context.Context, list ports.RunList) (int, error) {
	n, err := r.History.CountRuns(ctx, list)
	wantsQueued, wantsRunning := wants(list)
	if err != nil || list.Time == ports.ByEnded || wantsQueued == wantsRunning {
		return n, err
	}
	begun, err := r.Queue.Begun(ctx)
	if err != nil {
		return 0, err
	}
	list.Statuses = []ports.RunStatus{ports.RunRunning}
	more, err := r.begun(ctx, begun, list)
	if wantsRunning {
		return n + len(more), err
	}
	return max(n-len(more), 0), err
}

// wants says which of the two statuses a list selects that it takes the queue to tell apart.
func wants(list ports.RunList) (queued, running bool) {
	return slices.Contains(list.Statuses, ports.RunQueued), slices.Contains(list.Statuses, ports.RunRunning)
}

// begun are the runs of the list, of all pages, that have begun but are stored as queued. They are no more than what is in hand.
func (r *Reader) begun(ctx context.Context, begun map[ulid.ULID]time.Time, list ports.RunList) ([]ports.RunSummary, error) {
	if len(begun) == 0 {
		return nil, nil
	}
	found, err := r.History.Summaries(ctx, slices.SortedFunc(maps.Keys(begun), ulid.ULID.Compare))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(run ports.RunSummary) bool { return run.Status != ports.RunQueued })
	begin(begun, found)
	return slices.DeleteFunc(found, func(run ports.RunSummary) bool { return !list.Selects(run) }), nil
}
