package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// faulty is the store and the event log as tasks see them: every call is a place where the task may stop, crash, or be
// told of a failure that did, or did not, happen.
type faulty struct{ w *World }

var errFault = fmt.Errorf("injected fault: %w", ports.ErrUnavailable)

// do makes one call. Once in a while it fails before its effect, or after it.
func (w *World) do(name string, call func() error) error {
	w.stop(name)
	if w.faults && w.chance(25) {
		w.note("  %s fails before", name)
		return errFault
	}
	err := call()
	w.stop(name + " done")
	if w.faults && err == nil && w.chance(25) {
		w.note("  %s fails after", name)
		return errFault
	}
	return err
}

// ask makes a call that has an answer. A failure after the effect keeps the answer.
func ask[T any](w *World, name string, call func() (T, error)) (answer T, err error) {
	err = w.do(name, func() error {
		answer, err = call()
		return err
	})
	return answer, err
}

func (f faulty) Append(ctx context.Context, events []event.Tracked) error {
	return f.w.do("append", func() error { return f.w.backend.Append(ctx, events) })
}

func (f faulty) Take(context.Context, int) ([]event.Tracked, error) {
	return nil, ports.ErrClosed // the world hands out events itself
}

func (f faulty) Release(ctx context.Context, id ulid.ULID, at time.Time) error {
	return f.w.do("release", func() error { return f.w.backend.Release(ctx, id, at) })
}

func (f faulty) Park(ctx context.Context, id ulid.ULID, reason string) error {
	return f.w.do("park event", func() error { return f.w.backend.Park(ctx, id, reason) })
}

func (f faulty) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	return ask(f.w, "schedule", func() ([]ports.Scheduled, error) {
		answers, err := f.w.store.Schedule(ctx, s)
		if err == nil {
			f.w.moved(s.Ticks)
		}
		if err == nil {
			f.w.scheduled(s, answers)
		}
		return answers, err
	})
}

func (f faulty) Load(ctx context.Context, id ulid.ULID) (run.State, error) {
	return ask(f.w, "load", func() (run.State, error) { return f.w.store.Load(ctx, id) })
}

func (f faulty) Commit(ctx context.Context, c ports.Commit) (run.State, error) {
	return ask(f.w, "commit", func() (run.State, error) { return f.w.store.Commit(ctx, c) })
}

func (f faulty) Paused(ctx context.Context, e event.Tracked) ([]ports.Paused, error) {
	return ask(f.w, "paused", func() ([]ports.Paused, error) { return f.w.store.Paused(ctx, e) })
}

func (f faulty) SignalWaiter(ctx context.Context, signal string) (ulid.ULID, error) {
	return ask(f.w, "signal waiter", func() (ulid.ULID, error) { return f.w.store.SignalWaiter(ctx, signal) })
}

func (f faulty) Events(ctx context.Context, q ports.EventQuery) ([]event.Tracked, error) {
	return ask(f.w, "events", func() ([]event.Tracked, error) { return f.w.backend.Events(ctx, q) })
}

func (f faulty) Fence(ctx context.Context, function uuid.UUID, before time.Time) error {
	return f.w.do("fence", func() error { return f.w.store.Fence(ctx, function, before) })
}

func (f faulty) RunsOf(ctx context.Context, q ports.RunsQuery) ([]ulid.ULID, error) {
	return ask(f.w, "runs of", func() ([]ulid.ULID, error) { return f.w.store.RunsOf(ctx, q) })
}

func (c catalog) SetPaused(ctx context.Context, function uuid.UUID, paused bool) error {
	return c.w.do("set paused", func() error { return c.Catalog.SetPaused(ctx, function, paused) })
}

// orders is the storage of cancellations as tasks see it.
type orders struct {
	ports.Cancellations
	w *World
}

func (o orders) Create(ctx context.Context, c cancellation.Cancellation) error {
	return o.w.do("create cancellation", func() error {
		o.w.requested(c)
		return o.Cancellations.Create(ctx, c)
	})
}

func (o orders) Find(ctx context.Context, id ulid.ULID) (cancellation.Cancellation, error) {
	return ask(o.w, "find cancellation", func() (cancellation.Cancellation, error) { return o.Cancellations.Find(ctx, id) })
}

func (o orders) Update(ctx context.Context, c cancellation.Cancellation) error {
	return o.w.do("update cancellation", func() error {
		err := o.Cancellations.Update(ctx, c)
		if err == nil && c.State != cancellation.Active {
			o.w.fulfilled(c)
		}
		return err
	})
}

func (o orders) Delete(ctx context.Context, id ulid.ULID) error {
	return o.w.do("delete cancellation", func() error { return o.Cancellations.Delete(ctx, id) })
}

// queue is the queue as tasks see it.
type queue struct{ w *World }

func (q queue) Lease(context.Context) (ports.Lease, error) {
	return ports.Lease{}, ports.ErrClosed // the world hands out jobs itself
}

func (q queue) Limit(function uuid.UUID, settings *flow.Settings) {
	q.w.backend.Queue().Limit(function, settings)
}

func (q queue) Return(ctx context.Context, l ports.Lease, at time.Time) error {
	return q.w.do("return", func() error { return q.w.backend.Queue().Return(ctx, l, at) })
}

func (q queue) Begun(ctx context.Context) (map[ulid.ULID]time.Time, error) {
	return ask(q.w, "begun", func() (map[ulid.ULID]time.Time, error) { return q.w.backend.Queue().Begun(ctx) })
}

func (q queue) Jobs(ctx context.Context, id ulid.ULID, jobs []string) ([]ports.QueuedJob, error) {
	return ask(q.w, "jobs", func() ([]ports.QueuedJob, error) { return q.w.backend.Queue().Jobs(ctx, id, jobs) })
}

func (q queue) Generation(ctx context.Context, id ulid.ULID, job string) (int, error) {
	return ask(q.w, "generation", func() (int, error) { return q.w.backend.Queue().Generation(ctx, id, job) })
}

func (q queue) Waiting(ctx context.Context, id ulid.ULID, jobs []string) ([]ports.JobWaiting, error) {
	return ask(q.w, "waiting", func() ([]ports.JobWaiting, error) { return q.w.backend.Queue().Waiting(ctx, id, jobs) })
}

func (q queue) Depth(ctx context.Context) ([]ports.Depth, error) {
	return ask(q.w, "depth", func() ([]ports.Depth, error) { return q.w.backend.Queue().Depth(ctx) })
}

func (q queue) Park(ctx context.Context, l ports.Lease, reason string) error {
	return q.w.do("park job", func() error { return q.w.backend.Queue().Park(ctx, l, reason) })
}

// history is the history as tasks see it.
type history struct {
	ports.History
	w *World
}

func (h history) Run(ctx context.Context, id ulid.ULID) (ports.RunRecord, error) {
	return ask(h.w, "read run", func() (ports.RunRecord, error) { return h.History.Run(ctx, id) })
}

func (h history) Steps(ctx context.Context, id ulid.ULID) ([]run.Step, error) {
	return ask(h.w, "read steps", func() ([]run.Step, error) { return h.History.Steps(ctx, id) })
}

func (h history) Origin(ctx context.Context, id ulid.ULID) (ports.Origin, error) {
	return ask(h.w, "read origin", func() (ports.Origin, error) { return h.History.Origin(ctx, id) })
}

// catalog is the catalog as tasks see it.
type catalog struct {
	ports.Catalog
	w *World
}

// Ticks is read without faults while the server starts.
func (c catalog) Ticks(ctx context.Context, function uuid.UUID) ([]ports.Tick, error) {
	if c.w.current == nil {
		return c.Catalog.Ticks(ctx, function)
	}
	return ask(c.w, "read ticks", func() ([]ports.Tick, error) { return c.Catalog.Ticks(ctx, function) })
}

func (c catalog) Sync(ctx context.Context, plan function.SyncPlan) error {
	return c.w.do("sync", func() error { return c.Catalog.Sync(ctx, plan) })
}
