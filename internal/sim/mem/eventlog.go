package mem

import (
	"context"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
)

// Append implements ports.EventLog.
func (b *Backend) Append(ctx context.Context, events []event.Tracked) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ports.ErrClosed
	}
	b.accept(events)
	return nil
}

// accept stores events that are not stored yet.
func (b *Backend) accept(events []event.Tracked) {
	for _, e := range events {
		if _, stored := b.find(e.InternalID); stored {
			continue
		}
		b.events = append(b.events, e)
		b.inbox = append(b.inbox, &waiting{id: e.InternalID})
	}
	b.awaken()
}

func (b *Backend) find(id ulid.ULID) (event.Tracked, bool) {
	for _, e := range b.events {
		if e.InternalID == id {
			return e, true
		}
	}
	return event.Tracked{}, false
}

// Take implements ports.EventLog.
func (b *Backend) Take(ctx context.Context, max int) ([]event.Tracked, error) {
	var taken []event.Tracked
	err := b.wait(ctx, func() (bool, time.Time) {
		var next time.Time
		taken, next = b.take(max)
		return len(taken) > 0, next
	})
	return taken, err
}

// TryTake is Take that does not wait: it returns nothing when there is nothing.
func (b *Backend) TryTake(max int) []event.Tracked {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken, _ := b.take(max)
	return taken
}

func (b *Backend) take(max int) (taken []event.Tracked, next time.Time) {
	now := b.clock.Now()
	for _, w := range b.inbox {
		switch {
		case w.taken:
		case w.at.After(now):
			next = earlier(next, w.at)
		case len(taken) < max:
			w.taken = true
			e, _ := b.find(w.id)
			taken = append(taken, e)
		}
	}
	return taken, next
}

// Release implements ports.EventLog.
func (b *Backend) Release(ctx context.Context, id ulid.ULID, at time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.inbox {
		if w.id == id && w.taken {
			w.taken, w.at = false, at
			b.awaken()
			return nil
		}
	}
	return ports.ErrNotFound
}

// Park implements ports.EventLog.
func (b *Backend) Park(ctx context.Context, id ulid.ULID, reason string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.settle(id) {
		return ports.ErrNotFound
	}
	b.parked[id.String()] = reason
	return nil
}

// waits reports whether the event is not settled; none is none to settle.
func (b *Backend) waits(id ulid.ULID) bool {
	return id.IsZero() || slices.ContainsFunc(b.inbox, func(w *waiting) bool { return w.id == id })
}

// settle takes an event out of the inbox and reports whether it was there.
func (b *Backend) settle(id ulid.ULID) bool {
	before := len(b.inbox)
	b.inbox = slices.DeleteFunc(b.inbox, func(w *waiting) bool { return w.id == id })
	return len(b.inbox) < before
}
