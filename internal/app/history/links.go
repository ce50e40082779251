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

// Linked returns the runs that each of the runs is linked to; none of a run that is not known. Runs that were deferred are found by the
// events that started them, whether or not a row names them. What is stored is read for all of them at once; besides, those that have
// deferred others are looked at one by one.
func (r *Reader) Linked(ctx context.Context, runs []ulid.ULID) (map[ulid.ULID]Linked, error) {
	own, err := r.linksOf(ctx, runs)
	if err != nil {
		return nil, err
	}
	var parents []ulid.ULID
	for _, links := range own {
		parents = append(parents, links.Parents.Runs...)
	}
	var its map[ulid.ULID]Links
	if len(parents) > 0 {
		if its, err = r.linksOf(ctx, parents); err != nil {
			return nil, err
		}
	}
	all := make(map[ulid.ULID]Linked, len(own))
	for id, links := range own {
		linked := Linked{Links: links}
		for _, parent := range links.Parents.Runs {
			for _, d := range its[parent].Deferred {
				if d.Run != id {
					linked.Siblings = append(linked.Siblings, d)
				}
			}
		}
		all[id] = linked
	}
	return all, nil
}

func (r *Reader) linksOf(ctx context.Context, runs []ulid.ULID) (map[ulid.ULID]Links, error) {
	rows, err := r.History.SpansOf(ctx, runs)
	if err != nil {
		return nil, err
	}
	all := make(map[ulid.ULID]Links, len(rows))
	for id, own := range rows {
		var links Links
		links.Deferred, links.Parents = trace.Links(own)
		if slices.ContainsFunc(links.Deferred, func(d trace.Deferred) bool { return d.Run.IsZero() }) {
			started, err := r.deferredBy(ctx, id)
			if err != nil {
				return nil, err
			}
			for i, d := range links.Deferred {
				if d.Run.IsZero() {
					links.Deferred[i].Run = started[ids.DeferEventID(id, d.ID).String()]
				}
			}
		}
		all[id] = links
	}
	return all, nil
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
