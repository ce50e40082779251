// Package cron starts functions by the clock.
//
// The scheduler keeps every cron trigger of the active functions in a heap by the time of its next tick and sleeps until the
// first of them. Of functions it knows what the registry tells it; when the schedules were dealt with last, it reads from the
// catalog, at the start for all of them and later for those that change.
//
// A tick is one commit: the timer event is accepted, the run created, and the schedule moved on from where it was. A crash before
// it leaves the tick to be fired late, after the restart; a crash after it changes nothing. Who else fires the same tick, another
// server or an earlier try of which nobody knows how it ended, is refused with ports.ErrConflict and reads anew where the
// schedule is. A trigger that was taken away has no place to be moved from, so it does not fire any more from the moment that its
// removal is acknowledged.
//
//	registry ── Changed ──► entries ── heap ──► due ── Store.Schedule ──► heap
//	                           │                              │
//	                           └── unread ◄── ErrConflict ────┘
//	                                  │
//	                               Catalog.Ticks
//
// Source: spec 12 §9, spec 02 §12.
package cron

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/cron"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Functions says of functions what the scheduler is not told.
type Functions interface {
	start.Functions
}

// Deps are what the scheduler needs.
type Deps struct {
	Store     ports.Store
	Catalog   ports.Catalog
	Functions Functions
	Tracker   advance.Tracker
	// Watcher is told of runs that are cancelled for new ones; nil for nobody.
	Watcher advance.Watcher
	Clock   ports.Clock
	IDs     ports.IDs
	Log     *slog.Logger
	// Zone is that of schedules that name none. Nil is UTC.
	Zone *time.Location
	// AtOnce bounds the ticks that are being committed; 1 commits them in order and starts no goroutine. Zero means 256.
	AtOnce int
}

// Scheduler is the use case. It is an observer of the registry and safe for concurrent use.
type Scheduler struct {
	d       Deps
	starter start.Starter
	// wake is of capacity 1: something has changed that the sleeper should know.
	wake chan struct{}

	mu        sync.Mutex
	functions map[uuid.UUID]*timed
	heap      queue
	// unread are the functions with schedules of which it is not known where they are. They are read not before readAt.
	unread   map[uuid.UUID]bool
	readAt   time.Time
	failures int
	// latest is the latest time that the clock was seen at.
	latest time.Time
}

// timed is a function with schedules.
type timed struct {
	function.Function
	entries map[string]*entry
}

// entry is a schedule of a function.
type entry struct {
	function   uuid.UUID
	expression string
	jitter     string
	schedule   cron.Schedule
	// place is the instant up to which the ticks have been dealt with, as it is stored; zero while it is not known. since is the
	// one after which they are looked for.
	place, since time.Time
	// due is when to look at it again: at its next tick, or to try a tick once more.
	due      time.Time
	failures int
	// at is the entry's place in the heap, -1 while it is not in there: in hand, unread, or without ticks.
	at int
	// gone is true when the function does not have the schedule any more.
	gone bool
}

// atOnce is the default of Deps.AtOnce. Commits of one moment share a transaction.
const atOnce = 256

// New returns a scheduler that knows of no function.
func New(d Deps) *Scheduler {
	if d.Zone == nil {
		d.Zone = time.UTC
	}
	if d.AtOnce <= 0 {
		d.AtOnce = atOnce
	}
	starter := start.Starter{Store: d.Store, Advance: advance.New(d.Store, d.Tracker, d.Watcher, d.Log, advance.Pause(d.Clock)), Tracker: d.Tracker, Clock: d.Clock}
	return &Scheduler{d: d, starter: starter, wake: make(chan struct{}, 1), functions: map[uuid.UUID]*timed{}, unread: map[uuid.UUID]bool{}}
}

// Changed implements registry.Observer. A new schedule begins with the sync that brought it; one that stays goes on, with the
// function's settings of now.
func (s *Scheduler) Changed(put []function.Function, gone []uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range gone {
		s.drop(id, nil)
	}
	for _, fn := range put {
		s.put(fn)
	}
	s.signal()
}

// put makes the schedules of a function those that its triggers name. The caller holds mu.
func (s *Scheduler) put(fn function.Function) {
	named := map[string]bool{}
	for _, trigger := range fn.Triggers {
		if trigger.Cron == "" || named[trigger.Cron] {
			continue
		}
		schedule, err := cron.Parse(trigger.Cron, s.d.Zone)
		if err != nil {
			s.d.Log.Error("schedule cannot be read; it starts nothing", "fn_id", fn.ID.String(), "error", err)
			continue
		}
		named[trigger.Cron] = true
		known := s.functions[fn.ID]
		if known == nil {
			known = &timed{entries: map[string]*entry{}}
			s.functions[fn.ID] = known
		}
		e := known.entries[trigger.Cron]
		if e == nil {
			e = &entry{function: fn.ID, expression: trigger.Cron, schedule: schedule, at: -1}
			known.entries[trigger.Cron] = e
		}
		if e.place.IsZero() {
			s.unread[fn.ID] = true
		}
		e.jitter = trigger.Jitter
	}
	s.drop(fn.ID, named)
	if known := s.functions[fn.ID]; known != nil {
		known.Function = fn
	}
}

// drop forgets the schedules of a function but for those to be kept. The caller holds mu.
func (s *Scheduler) drop(id uuid.UUID, keep map[string]bool) {
	known := s.functions[id]
	if known == nil {
		return
	}
	for expression, e := range known.entries {
		if !keep[expression] {
			e.gone = true
			s.heap.remove(e)
			delete(known.entries, expression)
		}
	}
	if len(known.entries) == 0 {
		delete(s.functions, id)
		delete(s.unread, id)
	}
}

func (s *Scheduler) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// longestSleep bounds how late the scheduler notes that the clock has been set. It costs two wake-ups a minute while there are
// schedules, none otherwise.
const longestSleep = 30 * time.Second

// Run fires ticks until ctx ends, and waits for those in hand. Load comes first.
func (s *Scheduler) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.Fire(ctx); errors.Is(err, ports.ErrClosed) {
			return nil
		}
		if !s.sleep(ctx) {
			return nil
		}
	}
	return nil
}

// sleep waits until something is to be done; false when ctx has ended.
func (s *Scheduler) sleep(ctx context.Context) bool {
	var due chan struct{}
	if next := s.Next(); !next.IsZero() {
		wait := next.Sub(s.d.Clock.Now())
		if wait <= 0 {
			return true
		}
		due = make(chan struct{})
		defer s.d.Clock.AfterFunc(min(wait, longestSleep), func() { close(due) })()
	}
	select {
	case <-ctx.Done():
		return false
	case <-s.wake:
	case <-due:
	}
	return true
}

// Next is when Fire has something to do; the zero time when that is never, as things are.
func (s *Scheduler) Next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next time.Time
	if len(s.heap) > 0 {
		next = s.heap[0].due
	}
	if len(s.unread) > 0 && (next.IsZero() || s.readAt.Before(next)) {
		next = s.readAt
		if next.IsZero() {
			next = s.d.Clock.Now()
		}
	}
	return next
}

// Fire fires ticks that are due, as many as are committed at once, also when ctx ends meanwhile. What fails is logged and tried
// again later; the error is ports.ErrClosed when there is no later.
func (s *Scheduler) Fire(ctx context.Context) error {
	work := context.WithoutCancel(ctx)
	s.read(work)
	due := s.take()
	outcomes := make([]outcome, len(due))
	if s.d.AtOnce == 1 {
		for i, e := range due {
			outcomes[i] = s.fire(work, e)
		}
	} else {
		var group sync.WaitGroup
		for i, e := range due {
			group.Go(func() { outcomes[i] = s.fire(work, e) })
		}
		group.Wait()
	}
	return s.settle(ctx, due, outcomes)
}

// take takes schedules that are due into the caller's hands. Whoever holds mu asks for the time then: an earlier answer, from before a
// slow read, looks like that of a clock that was set back.
func (s *Scheduler) take() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.d.Clock.Now()
	s.followClock(now)
	var due []*entry
	for len(due) < s.d.AtOnce && len(s.heap) > 0 && !s.heap[0].due.After(now) {
		due = append(due, s.heap.pop())
	}
	return due
}

// followClock looks for the next ticks anew when the clock was set back by so much that the times of the heap may be of no
// worth. The caller holds mu.
func (s *Scheduler) followClock(now time.Time) {
	if back := cron.Since(s.latest, now); back.Equal(s.latest) {
		if now.After(s.latest) {
			s.latest = now
		}
		return
	}
	s.d.Log.Warn("clock was set back", "from", s.latest, "to", now)
	s.latest = now
	s.readAt = time.Time{}
	for _, e := range append(queue(nil), s.heap...) {
		s.heap.remove(e)
		e.since = cron.Since(e.place, now)
		s.await(e)
	}
}

// await puts a schedule into the heap at its next tick, unless it has none. The caller holds mu.
func (s *Scheduler) await(e *entry) {
	if e.due = e.schedule.Next(e.since); !e.due.IsZero() {
		s.heap.push(e)
	}
}

// settle puts schedules back that were in hand.
func (s *Scheduler) settle(ctx context.Context, due []*entry, outcomes []outcome) (closed error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.d.Clock.Now()
	var failure error
	failed, missed := 0, 0
	for i, e := range due {
		result := outcomes[i]
		if !result.fired.IsZero() {
			e.place, e.since = result.fired, result.fired
		}
		if result.missed {
			missed++
		}
		switch {
		case errors.Is(result.err, ports.ErrClosed):
			closed = result.err
		case e.gone:
		case result.err == nil:
			e.failures = 0
			s.await(e)
		case errors.Is(result.err, ports.ErrConflict):
			e.place = time.Time{}
			s.unread[e.function] = true
		default:
			e.failures++
			e.due = now.Add(pause(e.failures))
			s.heap.push(e)
			failed, failure = failed+1, result.err
		}
	}
	if failed > 0 {
		s.d.Log.ErrorContext(ctx, "ticks could not be fired; they are tried again", "count", failed, "error", failure)
	}
	if missed > 0 {
		s.d.Log.WarnContext(ctx, "ticks were missed; the latest of each schedule was fired", "count", missed)
	}
	return closed
}

// pause is the time before a try that follows n failures in a row: 100 ms, doubled each time, to 30 s.
func pause(n int) time.Duration {
	return min(100*time.Millisecond<<min(n-1, 9), 30*time.Second)
}

// readOneByOne is how many functions are read one by one. For more of them everything is read at once.
const readOneByOne = 32

// read reads where schedules are of which it is not known.
func (s *Scheduler) read(ctx context.Context) {
	ids := s.toRead()
	if len(ids) > readOneByOne {
		ticks, err := s.d.Catalog.Ticks(ctx, uuid.Nil)
		if err != nil {
			s.unreadable(ctx, err)
			return
		}
		its := byFunction(ticks)
		for _, id := range ids {
			s.stand(id, its[id])
		}
		return
	}
	for _, id := range ids {
		ticks, err := s.d.Catalog.Ticks(ctx, id)
		if err != nil {
			s.unreadable(ctx, fmt.Errorf("function %s: %w", id, err))
			return
		}
		s.stand(id, ticks)
	}
}

func (s *Scheduler) toRead() []uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d.Clock.Now().Before(s.readAt) {
		return nil
	}
	return slices.SortedFunc(maps.Keys(s.unread), compareIDs)
}

func byFunction(ticks []ports.Tick) map[uuid.UUID][]ports.Tick {
	all := map[uuid.UUID][]ports.Tick{}
	for _, tick := range ticks {
		all[tick.FunctionID] = append(all[tick.FunctionID], tick)
	}
	return all
}

func (s *Scheduler) unreadable(ctx context.Context, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures++
	s.readAt = s.d.Clock.Now().Add(pause(s.failures))
	s.d.Log.ErrorContext(ctx, "read ticks", "error", err)
}

// stand notes where the schedules of a function are. One that has no place has been taken away, and its end is about to be told.
func (s *Scheduler) stand(id uuid.UUID, ticks []ports.Tick) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.d.Clock.Now()
	s.failures, s.readAt = 0, time.Time{}
	delete(s.unread, id)
	known := s.functions[id]
	if known == nil {
		return
	}
	for _, tick := range ticks {
		if e := known.entries[tick.Expression]; e != nil && e.place.IsZero() {
			e.place, e.since = tick.At, cron.Since(tick.At, now)
			s.await(e)
		}
	}
}
