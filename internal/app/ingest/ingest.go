// Package ingest accepts events: it gives each its identity and makes it durable before the sender hears of success.
package ingest

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
)

// Ingest is the use case. It is safe for concurrent use.
type Ingest struct {
	log   ports.EventLog
	clock ports.Clock
	ids   ports.IDs
}

// New returns the use case.
func New(log ports.EventLog, clock ports.Clock, ids ports.IDs) *Ingest {
	return &Ingest{log: log, clock: clock, ids: ids}
}

// Accept stores the events, all or none, and returns their internal IDs in order. With a seed the IDs are the same for
// every delivery of the same request, so that a request sent twice is stored and routed once: the first event has the
// index first, the next one first+1, and so on. Spec 03 §8.
func (i *Ingest) Accept(ctx context.Context, events []event.Event, seed *ids.Seed, first int) ([]ulid.ULID, error) {
	tracked := i.Track(events...)
	internal := make([]ulid.ULID, len(tracked))
	for n := range tracked {
		if seed != nil {
			if id, ok := seed.EventID(first + n); ok {
				tracked[n].InternalID = id
				if events[n].ID == "" {
					tracked[n].ID = id.String()
				}
			}
		}
		internal[n] = tracked[n].InternalID
	}
	if err := i.log.Append(ctx, tracked); err != nil {
		return nil, fmt.Errorf("append %d events: %w", len(tracked), err)
	}
	return internal, nil
}

// Track gives events their internal IDs and the time of receipt. An event without an ID gets the internal one.
func (i *Ingest) Track(events ...event.Event) []event.Tracked {
	now := i.clock.Now()
	tracked := make([]event.Tracked, len(events))
	for n, e := range events {
		id := i.ids.ULID(now)
		if e.ID == "" {
			e.ID = id.String()
		}
		tracked[n] = event.Tracked{InternalID: id, ReceivedAt: now, Event: e}
	}
	return tracked
}
