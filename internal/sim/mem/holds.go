package mem

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/ports"
)

// holds is the backend as that port.
type holds struct{ *Backend }

// hold is a hold that is not settled.
type hold struct {
	ports.Hold
	// bytes is the size of a batch's events, maxAt when a debounce is due at the latest.
	bytes int
	maxAt time.Time
	// closed says that a batch takes no more events.
	closed bool
	taken  bool
	// notBefore is when a hold that was handed back may be taken.
	notBefore time.Time
}

// from is when the hold may be taken.
func (h *hold) from() time.Time {
	if h.notBefore.After(h.Due) {
		return h.notBefore
	}
	return h.Due
}

// changed notes a change: whoever has the hold decides on what it was before.
func (h *hold) changed() {
	h.Revision++
	h.taken, h.notBefore = false, time.Time{}
}

// Take implements ports.Holds.
func (p holds) Take(ctx context.Context) (taken ports.Hold, err error) {
	err = p.wait(ctx, func() (bool, time.Time) {
		got, next := p.takeHold()
		if got != nil {
			taken = *got
		}
		return got != nil, next
	})
	return taken, err
}

// TryTakeHold is Take that does not wait; false when no hold is due.
func (b *Backend) TryTakeHold() (ports.Hold, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken, _ := b.takeHold()
	if taken == nil {
		return ports.Hold{}, false
	}
	return *taken, true
}

// takeHold takes the hold that has been due longest, or else says when the next one is.
func (b *Backend) takeHold() (*ports.Hold, time.Time) {
	best, next := b.dueHold()
	if best == nil {
		return nil, next
	}
	best.taken = true
	taken := best.Hold
	taken.Events = slices.Clone(taken.Events)
	return &taken, next
}

// dueHold is the hold that has been due longest, or else when the next one is.
func (b *Backend) dueHold() (best *hold, next time.Time) {
	now := b.clock.Now()
	for _, h := range b.holds {
		switch {
		case h.taken:
		case h.from().After(now):
			next = earlier(next, h.from())
		case best == nil || h.Due.Before(best.Due):
			best = h
		}
	}
	return best, next
}

// Release implements ports.Holds.
func (p holds) Release(ctx context.Context, ref ports.HoldRef, at time.Time) error {
	return p.locked(ctx, func() error {
		h := p.holdAt(ref)
		if h == nil || !h.taken {
			return ports.ErrNotFound
		}
		h.taken, h.notBefore = false, at
		p.awaken()
		return nil
	})
}

// Park implements ports.Holds.
func (p holds) Park(ctx context.Context, ref ports.HoldRef, reason string) error {
	return p.locked(ctx, func() error {
		h := p.holdAt(ref)
		if h == nil || !h.taken {
			return ports.ErrNotFound
		}
		events := make([]ulid.ULID, len(h.Events))
		for i, e := range h.Events {
			events[i] = e.InternalID
		}
		p.parked[h.ID.String()] = fmt.Sprintf("%s: %s of events %v", reason, h.Kind, events)
		p.dropHold(h.ID)
		return nil
	})
}

// holdAt is the hold at that revision, nil when there is none.
func (b *Backend) holdAt(ref ports.HoldRef) *hold {
	for _, h := range b.holds {
		if h.HoldRef == ref {
			return h
		}
	}
	return nil
}

// holdIs reports whether the hold is what a caller thinks; none is none to settle.
func (b *Backend) holdIs(ref ports.HoldRef) bool {
	return ref == (ports.HoldRef{}) || b.holdAt(ref) != nil
}

func (b *Backend) dropHold(id ulid.ULID) {
	b.holds = slices.DeleteFunc(b.holds, func(h *hold) bool { return h.ID == id })
}

// openHold is the hold that takes more events, nil for none.
func (b *Backend) openHold(function uuid.UUID, kind ports.HoldKind, key string) *hold {
	for _, h := range b.holds {
		if h.FunctionID == function && h.Kind == kind && h.Key == key && !h.closed {
			return h
		}
	}
	return nil
}

// opened is the hold with the ID, which is a new one at revision 0 when there is none.
func (b *Backend) opened(id ulid.ULID, function uuid.UUID, kind ports.HoldKind, key string) *hold {
	for _, h := range b.holds {
		if h.ID == id {
			return h
		}
	}
	created := &hold{Hold: ports.Hold{HoldRef: ports.HoldRef{ID: id}, FunctionID: function, Kind: kind, Key: key}}
	b.holds = append(b.holds, created)
	return created
}

// intoBatch makes true what becomes of the event of a request for a batch. A batch whose time has come already does not change
// by being closed: whoever has it has its events.
func (b *Backend) intoBatch(r ports.NewRun, appended flow.Appended) {
	into := appended.Put[0]
	for _, full := range appended.Full {
		h := b.batch(r, full, into)
		due := h.Due
		h.closed, h.Due = true, earlier(due, b.clock.Now().UTC())
		if full.ID == into || h.Due.Before(due) {
			h.changed()
		}
	}
	if open := appended.Open; open != nil {
		if h := b.batch(r, *open, into); open.ID == into {
			h.changed()
		}
	}
}

// batch is the hold of a batch of the function, with the event of the request if it is the one that the event goes into.
func (b *Backend) batch(r ports.NewRun, batch flow.OpenBatch, into ulid.ULID) *hold {
	h := b.opened(batch.ID, r.State.FunctionID, ports.HoldBatch, r.Request.Values.BatchKey)
	if batch.ID == into {
		h.Events, h.bytes, h.Due = append(h.Events, r.Request.Event), batch.Bytes, batch.Deadline
	}
	return h
}

// intoDebounce makes true what waits under the key of a request now.
func (b *Backend) intoDebounce(r ports.NewRun, next flow.Debounced) {
	h := b.opened(next.ID, r.State.FunctionID, ports.HoldDebounce, r.Request.Values.DebounceKey)
	h.Events, h.Due, h.maxAt = []event.Tracked{next.Event}, next.Due, next.MaxAt
	h.changed()
}
