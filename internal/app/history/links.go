package history

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/trace"
)

// Linked are the runs that a run is linked to, with those that its parents defer besides it.
type Linked struct {
	Links
	Siblings []trace.Deferred
}

// Linked returns the runs that a run is linked to; none of a run that is not known. Runs that were deferred are found by the events that
// started them, whether or not a row names them.
func (r *Reader) Linked(ctx context.Context, id ulid.ULID) (Linked, error) {
	own, err := r.linked(ctx, id)
	if err != nil {
		return Linked{}, err
	}
	all := Linked{Links: own}
	for _, parent := range own.Parents.Runs {
		its, err := r.linked(ctx, parent)
		if err != nil {
			return Linked{}, err
		}
		all.Siblings = append(all.Siblings, slices.DeleteFunc(its.Deferred, func(d trace.Deferred) bool { return d.Run == id })...)
	}
	return all, nil
}

func (r *Reader) linked(ctx context.Context, id ulid.ULID) (Links, error) {
	links, err := r.Links(ctx, id)
	if err != nil {
		return Links{}, err
	}
	var events []ulid.ULID
	for _, d := range links.Deferred {
		if d.Run.IsZero() {
			events = append(events, ids.DeferEventID(id, d.ID))
		}
	}
	if len(events) == 0 {
		return links, nil
	}
	started, err := r.History.RunsOfEvents(ctx, events)
	if err != nil {
		return Links{}, err
	}
	for i, d := range links.Deferred {
		if runs := started[ids.DeferEventID(id, d.ID)]; d.Run.IsZero() && len(runs) > 0 {
			links.Deferred[i].Run = runs[0].RunID
		}
	}
	return links, nil
}
