// Package mem keeps everything in memory, in the plainest way that keeps the promises of the ports: one lock, maps, and
// slices that are searched from end to end. It is the model that other adapters are compared with, the storage of the
// simulation, and a stand-in for tests of what lies above the ports. It is not for production.
package mem

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// Backend is EventLog, Holds, Store, Queue, Catalog, History, Metadata and Cancellations in one. Safe for concurrent use.
type Backend struct {
	clock ports.Clock

	mu     sync.Mutex
	wake   chan struct{} // closed and replaced whenever something may have become ready
	closed bool

	events []event.Tracked
	inbox  []*waiting
	parked map[string]string
	holds  []*hold

	runs map[ulid.ULID]run.State
	jobs []*job
	keys map[string]usedKey
	// locks are the runs that hold the locks of singletons, tats what rate limits and throttles have counted, by the names of their
	// buckets.
	locks map[string]ulid.ULID
	tats  map[string]time.Time
	// signals are the runs that wait for a signal.
	signals map[string]ulid.ULID
	token   uint64
	// turn is the token of a function's last lease.
	turn map[uuid.UUID]uint64
	// limits are what the jobs of functions are limited by, started the runs in progress whose first job was handed out.
	limits  map[uuid.UUID]*flow.Settings
	started map[ulid.ULID]bool
	// paces are how fast limits let jobs through for which others wait, by the keys of the limits.
	paces map[string]flow.Pace
	meter ports.Meter

	// fences are the times before which no run of a function may have been decided on.
	fences map[uuid.UUID]time.Time
	orders map[ulid.ULID]cancellation.Cancellation

	records []*ports.RunRecord
	// begun are the runs as they were created, memos the steps of all runs, answers what durable endpoints answered.
	begun   map[ulid.ULID]run.State
	memos   map[ulid.ULID][]run.Step
	answers map[ulid.ULID]*sdk.HTTPResult
	// attached is the metadata of runs.
	attached map[ulid.ULID][]metadata.Stored
	// spans are the rows of their traces.
	spans    map[ulid.ULID][]trace.Span
	paused   []uuid.UUID
	apps     map[uuid.UUID]*function.App
	appTimes map[uuid.UUID]appTimes
	funcs    map[uuid.UUID]*fn
	// ticks is where schedules are.
	ticks map[schedule]time.Time
}

// waiting is an event that is not settled.
type waiting struct {
	id    ulid.ULID
	at    time.Time
	taken bool
}

// job is a job that is not done.
type job struct {
	run.Job
	generation int
	token      uint64 // zero when nobody has it
	since      time.Time
	parked     bool
	// places are the constraints that it holds while somebody has it; admitted says that it has had its throttle's token.
	places   map[string]bool
	admitted bool
	// refused is the limit that keeps it back, as far as anybody has tried; empty for none.
	refused string
}

type usedKey struct {
	run     ulid.ULID
	expires time.Time
}

type fn struct {
	function.Function
	archived bool
	created  time.Time
}

// New returns an empty backend.
func New(clock ports.Clock) *Backend {
	return &Backend{
		clock: clock, wake: make(chan struct{}), parked: map[string]string{},
		runs: map[ulid.ULID]run.State{}, keys: map[string]usedKey{},
		locks: map[string]ulid.ULID{}, tats: map[string]time.Time{},
		begun: map[ulid.ULID]run.State{}, memos: map[ulid.ULID][]run.Step{}, answers: map[ulid.ULID]*sdk.HTTPResult{},
		limits: map[uuid.UUID]*flow.Settings{}, started: map[ulid.ULID]bool{}, paces: map[string]flow.Pace{}, meter: ports.NoMeter{},
		turn: map[uuid.UUID]uint64{}, signals: map[string]ulid.ULID{},
		fences: map[uuid.UUID]time.Time{}, orders: map[ulid.ULID]cancellation.Cancellation{},
		apps: map[uuid.UUID]*function.App{}, appTimes: map[uuid.UUID]appTimes{}, funcs: map[uuid.UUID]*fn{}, ticks: map[schedule]time.Time{}, attached: map[ulid.ULID][]metadata.Stored{},
		spans: map[ulid.ULID][]trace.Span{},
	}
}

// queue is the backend as a queue; the event log has a Park of its own.
type queue struct{ *Backend }

// EventLog returns the backend as that port.
func (b *Backend) EventLog() ports.EventLog { return b }

// Holds returns the backend as that port.
func (b *Backend) Holds() ports.Holds { return holds{b} }

// Store returns the backend as that port.
func (b *Backend) Store() ports.Store { return b }

// Queue returns the backend as that port.
func (b *Backend) Queue() ports.Queue { return queue{b} }

// Catalog returns the backend as that port.
func (b *Backend) Catalog() ports.Catalog { return b }

// History returns the backend as that port.
func (b *Backend) History() ports.History { return history{b} }

// Metadata returns the backend as that port.
func (b *Backend) Metadata() ports.Metadata { return attachments{b} }

// Meter has the meter told from now on.
func (b *Backend) Meter(m ports.Meter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.meter = m
}

// Crash forgets what a process only knows while it runs: who has which job, which event and which hold, what was fenced off, and what
// functions are limited by.
func (b *Backend) Crash() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		j.token = 0
	}
	for _, w := range b.inbox {
		w.taken = false
	}
	for _, h := range b.holds {
		h.taken = false
	}
	clear(b.fences)
	clear(b.limits)
	clear(b.paces)
	b.awaken()
}

// Close ends all waiting calls with ports.ErrClosed.
func (b *Backend) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.awaken()
}

// Wake has waiting calls look again. Tests whose clock is not the machine's call it after moving the clock.
func (b *Backend) Wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.awaken()
}

func (b *Backend) awaken() {
	close(b.wake)
	b.wake = make(chan struct{})
}

// wait calls try under the lock until it is satisfied. In between it sleeps until something changes, or until the time
// that try names.
func (b *Backend) wait(ctx context.Context, try func() (done bool, next time.Time)) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.mu.Lock()
		if b.closed {
			b.mu.Unlock()
			return ports.ErrClosed
		}
		done, next := try()
		wake := b.wake
		b.mu.Unlock()
		if done {
			return nil
		}
		if err := b.sleep(ctx, wake, next); err != nil {
			return err
		}
	}
}

func (b *Backend) sleep(ctx context.Context, wake <-chan struct{}, next time.Time) error {
	var due chan struct{}
	if !next.IsZero() {
		due = make(chan struct{})
		defer b.clock.AfterFunc(next.Sub(b.clock.Now()), func() { close(due) })()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wake:
	case <-due:
	}
	return nil
}

// earlier returns the earlier of two times; zero is no time.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
