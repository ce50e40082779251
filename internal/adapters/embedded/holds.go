package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// holds hands out what waits for its run when it is due. In memory there is of each hold its ID, its revision and when it is
// to be handed out, in a heap with one alarm for the first; the events are read when somebody takes it.
type holds struct {
	cfg    Config
	writer *writer
	db     *database
	alarm  *alarm

	mu    sync.Mutex
	known map[ulid.ULID]*hold
	// waiting are those that nobody has in hand.
	waiting heap[*item]
	wake    chan struct{} // of capacity 1: something may be there to take
	seq     uint64
	closed  chan struct{}
	once    sync.Once
}

var _ ports.Holds = (*holds)(nil)

// hold is a hold in memory. Its due time is when it is to be handed out: when it is due, or later after a release.
type hold struct {
	item
	revision int64
	taken    bool
	// events are those in it, as far as the retention has to know of them.
	events []ulid.ULID
}

func newHolds(cfg Config, w *writer, d *database) *holds {
	h := &holds{cfg: cfg, writer: w, db: d, known: map[ulid.ULID]*hold{}, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	h.alarm = newAlarm(cfg, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.wakeDue()
	})
	return h
}

// restore makes every hold wait again.
func (h *holds) restore(ctx context.Context, queries *db.Queries) error {
	rows, err := queries.ListHolds(ctx)
	if err != nil {
		return translate(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, row := range rows {
		id, err := holdID(row.HoldID)
		if err != nil {
			h.cfg.Logger.ErrorContext(ctx, "unreadable row of a hold", "error", err)
			continue
		}
		h.put(holdChange{id: id, revision: row.Revision, due: row.DueAt})
		if err := h.restoreEvents(ctx, queries, h.known[id]); err != nil {
			return err
		}
	}
	h.wakeDue()
	return nil
}

// restoreEvents notes the events of a hold that was there at start.
func (h *holds) restoreEvents(ctx context.Context, queries *db.Queries, it *hold) error {
	if h.cfg.KeepEvents < 0 {
		return nil
	}
	records, err := queries.ListHoldEvents(ctx, it.run[:])
	if err != nil {
		return translate(err)
	}
	for _, record := range records {
		if held, err := heldEventFrom(record); err == nil { // one that cannot be read is reported by who takes it
			it.events = append(it.events, held.InternalID)
		}
	}
	h.writer.keep.held(it.events, nil)
	return nil
}

// holdChange is what a commit does to a hold.
type holdChange struct {
	id            ulid.ULID
	revision, due int64
	// event is what was put into it, zero for nothing; alone says that it took the place of what was there.
	event ulid.ULID
	alone bool
	// gone says that there is no such hold any more.
	gone bool
}

// apply makes a commit's changes true in memory.
func (h *holds) apply(changes []holdChange) {
	if len(changes) == 0 {
		return
	}
	var in, out []ulid.ULID
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, change := range changes {
		if old := h.known[change.id]; old != nil && (change.gone || change.alone) {
			out = append(out, old.events...)
			old.events = nil
		}
		if change.gone {
			h.forget(change.id)
			continue
		}
		h.put(change)
		if h.cfg.KeepEvents >= 0 && !change.event.IsZero() {
			in = append(in, change.event)
			it := h.known[change.id]
			it.events = append(it.events, change.event)
		}
	}
	h.writer.keep.held(in, out)
	h.wakeDue()
}

// put makes a hold wait as it is now, also one that somebody has in hand as it was. The caller holds mu.
func (h *holds) put(change holdChange) {
	next := &hold{item: item{run: change.id, due: change.due}, revision: change.revision}
	if old := h.known[change.id]; old != nil {
		next.events = old.events
	}
	h.forget(change.id)
	h.known[change.id] = next
	h.wait(next)
}

// wait puts a hold into the heap, behind others of its time. The caller holds mu.
func (h *holds) wait(it *hold) {
	h.seq++
	it.seq, it.taken = h.seq, false
	h.waiting.push(&it.item)
}

// forget removes a hold wherever it is. The caller holds mu.
func (h *holds) forget(id ulid.ULID) {
	it := h.known[id]
	if it == nil {
		return
	}
	if !it.taken {
		h.waiting.remove(&it.item)
	}
	delete(h.known, id)
}

// wakeDue wakes one taker if a hold is due, or sets the alarm for the first. Who takes one wakes the next. The caller holds
// mu.
func (h *holds) wakeDue() {
	if len(h.waiting) == 0 {
		return
	}
	if first := h.waiting[0].due; first > h.cfg.Clock.Now().UnixNano() {
		h.alarm.set(first)
		return
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Take implements ports.Holds.
func (h *holds) Take(ctx context.Context) (ports.Hold, error) {
	for {
		select {
		case <-h.closed:
			return ports.Hold{}, ports.ErrClosed
		default:
		}
		if ctx.Err() != nil {
			h.passOn()
			return ports.Hold{}, context.Cause(ctx)
		}
		if ref, due := h.grab(); due {
			taken, err := h.complete(ctx, ref)
			if err != nil || len(taken.Events) > 0 {
				return taken, err
			}
			continue
		}
		select {
		case <-h.wake:
		case <-h.closed:
		case <-ctx.Done():
		}
	}
}

// passOn wakes another taker in the place of one who goes.
func (h *holds) passOn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakeDue()
}

// grab takes the first hold that is due into the caller's hands.
func (h *holds) grab() (ports.HoldRef, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 || h.waiting[0].due > h.cfg.Clock.Now().UnixNano() {
		h.wakeDue()
		return ports.HoldRef{}, false
	}
	it := h.known[h.waiting.pop().run]
	it.taken = true
	h.wakeDue()
	return ports.HoldRef{ID: it.run, Revision: int(it.revision)}, true
}

// complete reads a hold that was grabbed. It is empty when it changed or went meanwhile: the commit that did that makes it
// known, and it waits again if it is still there.
func (h *holds) complete(ctx context.Context, ref ports.HoldRef) (ports.Hold, error) {
	taken, err := h.stored(ctx, ref)
	if errors.Is(err, errDamaged) {
		// Nobody can start a run with it, and it would come first for ever.
		h.cfg.Logger.ErrorContext(ctx, "unreadable hold parked", "hold_id", ref.ID, "error", err)
		err = h.Park(ctx, ref, err.Error())
	}
	switch {
	case err == nil:
		return taken, nil
	case errors.Is(err, ports.ErrNotFound):
		return ports.Hold{}, nil
	}
	h.putBack(ref)
	return ports.Hold{}, fmt.Errorf("read hold %s: %w", ref.ID, err)
}

// stored reads a hold from its rows; ErrNotFound when it is not at that revision. The revision only grows, so if it is still
// the same after the events were read, they belong to it.
func (h *holds) stored(ctx context.Context, ref ports.HoldRef) (ports.Hold, error) {
	var row db.GetHoldRow
	var records [][]byte
	err := h.db.read(ctx, func(q *db.Queries) (err error) {
		if records, err = q.ListHoldEvents(ctx, ref.ID[:]); err != nil {
			return err
		}
		row, err = q.GetHold(ctx, ref.ID[:])
		return err
	})
	if err != nil {
		return ports.Hold{}, err
	}
	if row.Revision != int64(ref.Revision) {
		return ports.Hold{}, ports.ErrNotFound
	}
	return holdFrom(ref, row, records)
}

// putBack makes a hold wait again that could not be read.
func (h *holds) putBack(ref ports.HoldRef) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if it := h.inHand(ref); it != nil {
		h.wait(it)
	}
	h.wakeDue()
}

// inHand is the hold if a caller has it at that revision, else nil. The caller holds mu.
func (h *holds) inHand(ref ports.HoldRef) *hold {
	it := h.known[ref.ID]
	if it == nil || !it.taken || it.revision != int64(ref.Revision) {
		return nil
	}
	return it
}

// Release implements ports.Holds. The delay is kept in memory: after a restart the hold is handed out at once.
func (h *holds) Release(ctx context.Context, ref ports.HoldRef, at time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	it := h.inHand(ref)
	if it == nil {
		return fmt.Errorf("release hold %s: %w", ref.ID, ports.ErrNotFound)
	}
	it.due = max(it.due, nanos(at))
	h.wait(it)
	h.wakeDue()
	return nil
}

// Park implements ports.Holds.
func (h *holds) Park(ctx context.Context, ref ports.HoldRef, reason string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	h.mu.Lock()
	it := h.inHand(ref)
	h.mu.Unlock()
	if it == nil {
		return fmt.Errorf("park hold %s: %w", ref.ID, ports.ErrNotFound)
	}
	err := h.writer.do(ctx, &operation{
		size: len(reason) + 400,
		apply: func(t *tx) error {
			current, err := holdIs(t, ref)
			if err != nil {
				return err
			}
			if !current {
				return t.refuse(ports.ErrNotFound)
			}
			return parkHold(ctx, t, ref.ID, reason, h.writer.now())
		},
		committed: func() { h.apply([]holdChange{{id: ref.ID, gone: true}}) },
	})
	if err != nil {
		return fmt.Errorf("park hold %s: %w", ref.ID, err)
	}
	return nil
}

// shut wakes everybody who waits; Take returns ErrClosed from now on.
func (h *holds) shut() {
	h.once.Do(func() {
		h.alarm.shut()
		close(h.closed)
	})
}
