package history

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/trace"
)

// Links are what joins a run to others.
type Links struct {
	trace.Links
	// Siblings are what the run's parents defer besides it.
	Siblings []trace.Defer
}

// Links returns what joins a run to others; none for a run that is not known.
func (r *Reader) Links(ctx context.Context, run ulid.ULID) (Links, error) {
	own, err := r.links(ctx, run)
	if err != nil {
		return Links{}, err
	}
	links := Links{Links: own}
	for _, parent := range own.Parents {
		its, err := r.links(ctx, parent)
		if err != nil {
			return Links{}, err
		}
		links.Siblings = append(links.Siblings, slices.DeleteFunc(its.Defers, func(d trace.Defer) bool { return d.Run == run })...)
	}
	return links, nil
}

// links reads what the rows of a run say. Runs that were deferred are found by the events that started them, whether or not a row says
// so.
func (r *Reader) links(ctx context.Context, run ulid.ULID) (trace.Links, error) {
	rows, err := r.History.Spans(ctx, run)
	if err != nil {
		return trace.Links{}, err
	}
	links := trace.ReadLinks(rows)
	var events []ulid.ULID
	for _, d := range links.Defers {
		if d.Run.IsZero() {
			events = append(events, ids.DeferEventID(run, d.ID))
		}
	}
	if len(events) == 0 {
		return links, nil
	}
	started, err := r.History.RunsOfEvents(ctx, events)
	if err != nil {
		return trace.Links{}, err
	}
	for i, d := range links.Defers {
		if runs := started[ids.DeferEventID(run, d.ID)]; d.Run.IsZero() && len(runs) > 0 {
			links.Defers[i].Run = runs[0].RunID
		}
	}
	return links, nil
}
