package history

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
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
	if !slices.ContainsFunc(links.Deferred, func(d trace.Deferred) bool { return d.Run.IsZero() }) {
		return links, nil
	}
	started, err := r.deferredBy(ctx, id)
	if err != nil {
		return Links{}, err
	}
	for i, d := range links.Deferred {
		if d.Run.IsZero() {
			links.Deferred[i].Run = started[ids.DeferEventID(id, d.ID).String()]
		}
	}
	return links, nil
}

// The events that start deferred runs are published when the run ends: they came in between so long before and after that.
const (
	publishedBefore = time.Second
	publishedWithin = 10 * time.Second
	// publishedMost bounds how many such events of that time are looked at.
	publishedMost = 1000
)

// deferredBy are the runs that a run has started by ending, by the IDs of their events.
func (r *Reader) deferredBy(ctx context.Context, id ulid.ULID) (map[string]ulid.ULID, error) {
	parent, err := r.Run(ctx, id)
	if errors.Is(err, ports.ErrNotFound) || err == nil && parent.EndedAt.IsZero() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	published, err := r.History.EventPage(ctx, ports.EventList{
		Names: []string{event.DeferredSchedule}, Internal: true, From: parent.EndedAt.Add(-publishedBefore),
		Until: parent.EndedAt.Add(publishedWithin), Limit: publishedMost,
	})
	if err != nil {
		return nil, err
	}
	internal := make([]ulid.ULID, len(published))
	for i, e := range published {
		internal[i] = e.InternalID
	}
	runs, err := r.History.RunsOfEvents(ctx, internal)
	if err != nil {
		return nil, err
	}
	started := map[string]ulid.ULID{}
	for _, e := range published {
		if own := runs[e.InternalID]; len(own) > 0 {
			started[e.ID] = own[0].RunID
		}
	}
	return started, nil
}
