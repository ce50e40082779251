package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// eventLog hands accepted events to routing. An event is accepted by its row in events, and needs routing for as long as
// it has a row in the inbox. In memory there is the order of those that wait, and, up to a bound, the events themselves,
// so that routing reads nothing back unless it has fallen far behind or the server was restarted.
type eventLog struct {
	cfg    Config
	writer *writer
	db     *database
	alarm  *alarm

	mu sync.Mutex
	// fresh wait in the order of their acceptance.
	fresh fifo[pending]
	// delayed were released and wait for their time.
	delayed heap[*item]
	// known are all events with a row in the inbox, by ID.
	known map[ulid.ULID]eventState
	// held is the size of the events in fresh, in bytes.
	held   int
	wake   chan struct{} // of capacity 1: something may be there to take
	seq    uint64
	closed chan struct{}
	once   sync.Once
}

var _ ports.EventLog = (*eventLog)(nil)

// pending is an event that waits to be taken. The event is nil when it has to be read back.
type pending struct {
	id    ulid.ULID
	event *event.Tracked
	size  int
}

// eventState is where an event that needs routing is.
type eventState uint8

const (
	eventWaiting eventState = iota + 1
	eventTaken
	eventDelayed
)

func newEventLog(cfg Config, w *writer, d *database) *eventLog {
	l := &eventLog{
		cfg: cfg, writer: w, db: d, known: map[ulid.ULID]eventState{}, wake: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	l.alarm = newAlarm(cfg, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.releaseDue()
	})
	return l
}

// restore makes everything in the inbox wait again, oldest first.
func (l *eventLog) restore(ctx context.Context, queries *db.Queries) error {
	rows, err := queries.ListInbox(ctx)
	if err != nil {
		return translate(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, row := range rows {
		id, err := parseULID(row)
		if err != nil {
			l.cfg.Logger.ErrorContext(ctx, "unreadable row of the inbox", "error", err)
			continue
		}
		l.known[id] = eventWaiting
		l.fresh.push(pending{id: id})
	}
	l.signal()
	return nil
}

// Append implements ports.EventLog. The log keeps the events that it is given; the caller does not change them.
func (l *eventLog) Append(ctx context.Context, events []event.Tracked) error {
	if len(events) == 0 {
		return nil
	}
	var accepted []event.Tracked
	err := l.writer.do(ctx, &operation{
		size: eventsSize(events),
		apply: func(t *tx) (err error) {
			accepted, err = l.insert(t, events, accepted[:0])
			return err
		},
		committed: func() { l.add(accepted) },
	})
	if err != nil {
		return fmt.Errorf("append %d events: %w", len(events), err)
	}
	return nil
}

// insert writes events and their rows in the inbox and appends those that were new to accepted.
func (l *eventLog) insert(t *tx, events, accepted []event.Tracked) ([]event.Tracked, error) {
	for _, tracked := range events {
		var version, user any = nil, jsonNull
		if tracked.V != "" {
			version = tracked.V
		}
		if len(tracked.User) > 0 {
			user = string(tracked.User)
		}
		written, err := t.exec(t.statements.insertEvent, tracked.InternalID[:], formatInstant(tracked.ReceivedAt), tracked.ID,
			tracked.Name, dataText(tracked.Data), user, version, formatInstant(time.UnixMilli(tracked.TS)))
		if err != nil {
			return accepted, err
		}
		if written == 0 {
			continue
		}
		if _, err := t.exec(t.statements.insertInbox, tracked.InternalID[:], sessionsColumn(tracked.Sessions)); err != nil {
			return accepted, err
		}
		accepted = append(accepted, tracked)
	}
	return accepted, nil
}

// add makes events wait for a taker after their commit.
func (l *eventLog) add(events []event.Tracked) {
	if len(events) == 0 {
		return
	}
	l.writer.keep.accepted(events)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		tracked := events[i]
		l.known[tracked.InternalID] = eventWaiting
		waiting := pending{id: tracked.InternalID}
		if size := eventSize(tracked); l.held+size <= l.cfg.EventBufferBytes {
			waiting.event, waiting.size = &tracked, size
			l.held += size
		}
		l.fresh.push(waiting)
	}
	l.signal()
}

// signal wakes one taker. Who takes and leaves something behind wakes the next. The caller holds mu.
func (l *eventLog) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Take implements ports.EventLog.
func (l *eventLog) Take(ctx context.Context, limit int) ([]event.Tracked, error) {
	for {
		if ctx.Err() != nil {
			l.passOn()
			return nil, context.Cause(ctx)
		}
		select {
		case <-l.closed:
			return nil, ports.ErrClosed
		default:
		}
		if batch := l.grab(max(limit, 1)); len(batch) > 0 {
			events, err := l.read(ctx, batch)
			if err != nil || len(events) > 0 {
				return events, err
			}
			continue
		}
		select {
		case <-l.wake:
		case <-l.closed:
		case <-ctx.Done():
		}
	}
}

// passOn wakes another taker in the place of one who goes, who may have been woken.
func (l *eventLog) passOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fresh.len() > 0 {
		l.signal()
	}
}

// grab takes up to limit waiting events into the caller's hands.
func (l *eventLog) grab(limit int) []pending {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.releaseDue()
	var batch []pending
	for len(batch) < limit && l.fresh.len() > 0 {
		next := l.fresh.pop()
		l.held -= next.size
		if l.known[next.id] != eventWaiting {
			continue // settled without having been taken
		}
		l.known[next.id] = eventTaken
		batch = append(batch, next)
	}
	if l.fresh.len() > 0 {
		l.signal()
	}
	return batch
}

// read completes a batch with the events that memory does not hold. On an error all of it waits again.
func (l *eventLog) read(ctx context.Context, batch []pending) ([]event.Tracked, error) {
	events := make([]event.Tracked, 0, len(batch))
	for _, next := range batch {
		if next.event != nil {
			events = append(events, *next.event)
			continue
		}
		tracked, err := l.stored(ctx, next.id)
		switch {
		case errors.Is(err, errDamaged):
			// Nobody can route it, and it would come first for ever.
			l.cfg.Logger.Error("unreadable event parked", "event_id", next.id, "error", err)
			if err := l.Park(ctx, next.id, err.Error()); err != nil {
				l.putBack(batch)
				return nil, err
			}
		case err != nil:
			l.putBack(batch)
			return nil, fmt.Errorf("read event %s: %w", next.id, err)
		default:
			events = append(events, tracked)
		}
	}
	return events, nil
}

// stored reads an event that is in the inbox back from its rows.
func (l *eventLog) stored(ctx context.Context, id ulid.ULID) (event.Tracked, error) {
	var row db.GetEventRow
	var sessions []byte
	err := l.db.read(ctx, func(q *db.Queries) (err error) {
		if row, err = q.GetEvent(ctx, id[:]); err != nil {
			return err
		}
		sessions, err = q.GetInbox(ctx, id[:])
		return err
	})
	if errors.Is(err, ports.ErrNotFound) {
		return event.Tracked{}, damaged("event", errors.New("its row is missing"))
	}
	if err != nil {
		return event.Tracked{}, err
	}
	tracked, err := eventFrom(row)
	if err == nil {
		tracked.Sessions, err = sessionsFromColumn(sessions)
	}
	return tracked, err
}

// putBack makes a batch wait again, in front of the others.
func (l *eventLog) putBack(batch []pending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(batch) - 1; i >= 0; i-- {
		if l.known[batch[i].id] == eventTaken {
			l.known[batch[i].id] = eventWaiting
			l.held += batch[i].size
			l.fresh.pushFront(batch[i])
		}
	}
	l.signal()
}

// Release implements ports.EventLog. The delay is kept in memory: after a restart the event is handed out at once.
func (l *eventLog) Release(ctx context.Context, id ulid.ULID, at time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known[id] != eventTaken {
		return fmt.Errorf("release event %s: %w", id, ports.ErrNotFound)
	}
	l.known[id] = eventDelayed
	l.seq++
	l.delayed.push(&item{run: id, due: nanos(at), seq: l.seq})
	l.releaseDue()
	return nil
}

// releaseDue makes released events wait again whose time has come, and sets the alarm for the next. The caller holds mu.
func (l *eventLog) releaseDue() {
	if len(l.delayed) == 0 {
		return
	}
	now := l.cfg.Clock.Now().UnixNano()
	for len(l.delayed) > 0 && l.delayed[0].due <= now {
		id := l.delayed.pop().run
		if l.known[id] == eventDelayed {
			l.known[id] = eventWaiting
			l.fresh.push(pending{id: id})
			l.signal()
		}
	}
	if len(l.delayed) > 0 {
		l.alarm.set(l.delayed[0].due)
	}
}

// Park implements ports.EventLog.
func (l *eventLog) Park(ctx context.Context, id ulid.ULID, reason string) error {
	err := l.writer.do(ctx, &operation{
		size: len(reason),
		apply: func(t *tx) error {
			settled, err := t.exec(t.statements.deleteInbox, id[:])
			if err != nil {
				return err
			}
			if settled == 0 {
				return t.refuse(ports.ErrNotFound)
			}
			_, err = t.exec(t.statements.insertParked, "event", id.String(), nil, reason, l.writer.now().UnixNano(), nil)
			return err
		},
		committed: func() { l.settle(id) },
	})
	if err != nil {
		return fmt.Errorf("park event %s: %w", id, err)
	}
	return nil
}

// settle forgets an event that no longer needs routing.
func (l *eventLog) settle(id ulid.ULID) {
	l.forget(id)
	l.writer.keep.settled(id) // which asks whether it is needed, so not under the lock
}

func (l *eventLog) forget(id ulid.ULID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, id)
	// An event may be settled that nobody has taken. Its place in the line is given back when it comes to the front.
	for l.fresh.len() > 0 && l.known[l.fresh.peek().id] != eventWaiting {
		l.held -= l.fresh.pop().size
	}
}

// needs tells whether an event still needs routing.
func (l *eventLog) needs(id ulid.ULID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[id] != 0
}

// shut wakes everybody who waits; Take returns ErrClosed from now on.
func (l *eventLog) shut() {
	l.once.Do(func() {
		l.alarm.shut()
		close(l.closed)
	})
}

// fifo is a first-in, first-out queue that gives back the memory of what has left it.
type fifo[T any] struct {
	items []T
	head  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

func (f *fifo[T]) push(value T) { f.items = append(f.items, value) }

func (f *fifo[T]) pushFront(value T) {
	if f.head == 0 {
		room := len(f.items) + 16
		f.items = append(make([]T, room, room+len(f.items)), f.items...)
		f.head = room
	}
	f.head--
	f.items[f.head] = value
}

func (f *fifo[T]) peek() T { return f.items[f.head] }

func (f *fifo[T]) pop() T {
	var zero T
	value := f.items[f.head]
	f.items[f.head] = zero
	f.head++
	switch {
	case f.head == len(f.items):
		f.items, f.head = f.items[:0], 0
		if cap(f.items) > 4096 {
			f.items = nil
		}
	case f.head > 1024 && f.head > len(f.items)/2:
		f.items = append(make([]T, 0, f.len()*2), f.items[f.head:]...)
		f.head = 0
	}
	return value
}
