// Package execute works off jobs: it takes a job that is due, asks the domain what it means, calls the app, asks the
// domain what the answer means, and commits that. It decides nothing itself.
package execute

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// Functions finds the function of a job, registered or archived.
type Functions interface {
	Function(ctx context.Context, id uuid.UUID) (function.Function, error)
	// SDK is the language of the app's SDK, for example "js"; empty when it is not known.
	SDK(app uuid.UUID) string
}

// Tracker gives published events their identity.
type Tracker interface {
	Track(events ...event.Event) []event.Tracked
}

// Config are the executor's settings. Zero fields take the defaults.
type Config struct {
	// Workers is the number of jobs in hand at once; 100.
	Workers int
	// RetryInterval replaces the backoff table by a constant when it is positive.
	RetryInterval time.Duration
	// Drain is how long calls in flight may take to end once the executor is told to stop; 20 s. What is cut off is
	// called again after the next start, with the attempt uncounted.
	Drain time.Duration
	// SigningKey signs calls; empty for none.
	SigningKey string
}

// Executor is the use case. It is safe for concurrent use.
type Executor struct {
	store     ports.Store
	queue     ports.Queue
	worker    ports.Worker
	functions Functions
	tracker   Tracker
	limits    LimitsOf
	clock     ports.Clock
	random    ports.Random
	log       *slog.Logger
	pause     func(ctx context.Context, n int)
	config    Config
}

// LimitsOf returns the limits of a function's runs.
type LimitsOf func(function uuid.UUID) run.Limits

// Deps are what the executor needs.
type Deps struct {
	Store     ports.Store
	Queue     ports.Queue
	Worker    ports.Worker
	Functions Functions
	Tracker   Tracker
	Limits    LimitsOf
	Clock     ports.Clock
	Random    ports.Random
	Log       *slog.Logger
	// Pause waits after the n-th failure in a row, n from 1, or until ctx ends. Nil waits 20 ms, doubled each time, to 5 s.
	Pause func(ctx context.Context, n int)
}

// New returns an executor.
func New(d Deps, config Config) *Executor {
	if config.Workers <= 0 {
		config.Workers = 100
	}
	if config.Drain <= 0 {
		config.Drain = 20 * time.Second
	}
	if d.Pause == nil {
		d.Pause = pause
	}
	return &Executor{
		store: d.Store, queue: d.Queue, worker: d.Worker, functions: d.Functions, tracker: d.Tracker, limits: d.Limits,
		clock: d.Clock, random: d.Random, log: d.Log, pause: d.Pause, config: config,
	}
}

// Run works off jobs until ctx ends, then waits for the calls in flight, no longer than Config.Drain.
func (x *Executor) Run(ctx context.Context) error {
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	var workers sync.WaitGroup
	for range x.config.Workers {
		workers.Go(func() { x.loop(ctx, work) })
	}
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()

	<-ctx.Done()
	select {
	case <-done:
	case <-time.After(x.config.Drain):
		cut(fmt.Errorf("calls still open %s after the stop: %w", x.config.Drain, context.DeadlineExceeded))
		<-done
	}
	return nil
}

// loop leases and does one job after the other. A failing queue is asked again with backoff.
func (x *Executor) loop(ctx, work context.Context) {
	for failures := 0; ; {
		lease, err := x.queue.Lease(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, ports.ErrClosed):
			if err == nil {
				x.giveBack(work, lease, x.clock.Now())
			}
			return
		case err != nil:
			failures++
			x.log.ErrorContext(ctx, "lease job", "error", err)
			x.pause(ctx, failures)
		default:
			failures = 0
			x.Do(work, lease)
		}
	}
}

// pause is the default of Deps.Pause.
func pause(ctx context.Context, n int) {
	timer := time.NewTimer(min(time.Duration(1<<min(n, 10))*10*time.Millisecond, 5*time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Do works on one leased job until what became of it is committed, or the job is handed back or parked.
func (x *Executor) Do(ctx context.Context, lease ports.Lease) {
	err := x.do(ctx, lease)
	job := lease.Job
	log := x.log.With("run_id", job.RunID.String(), "job_id", job.ID, "kind", string(job.Kind), "attempt", job.Attempt)
	switch {
	case err == nil:
	case errors.Is(err, ports.ErrNotFound), errors.Is(err, ports.ErrLeaseLost), errors.Is(err, run.ErrForeignJob):
		// The run ended, or the job was taken over, while we worked on it: whatever we found no longer matters.
		log.DebugContext(ctx, "job dropped", "reason", err.Error())
	case ctx.Err() != nil, errors.Is(err, ports.ErrClosed):
		log.InfoContext(ctx, "job handed back at shutdown")
	case errors.Is(err, ports.ErrUnavailable), errors.Is(err, ports.ErrConflict):
		log.ErrorContext(ctx, "job handed back", "error", err)
		x.giveBack(ctx, lease, x.clock.Now().Add(unavailableDelay))
	default:
		log.ErrorContext(ctx, "job parked", "error", err)
		x.letGo(ctx, lease, "park job", func() error { return x.queue.Park(ctx, lease, err.Error()) })
	}
}

// unavailableDelay is how long a job rests whose outcome could not be committed.
const unavailableDelay = 5 * time.Second

func (x *Executor) giveBack(ctx context.Context, lease ports.Lease, at time.Time) {
	x.letGo(ctx, lease, "hand job back", func() error { return x.queue.Return(ctx, lease, at) })
}

// letGo repeats a call that takes a job out of our hands until it succeeds, the job is no longer ours, or ctx ends: a job
// that nobody works on but that stays leased would wait for the next start of the server.
func (x *Executor) letGo(ctx context.Context, lease ports.Lease, what string, call func() error) {
	for try := 1; ; try++ {
		err := call()
		if err == nil || errors.Is(err, ports.ErrLeaseLost) || errors.Is(err, ports.ErrClosed) {
			return
		}
		x.log.ErrorContext(ctx, what, "run_id", lease.Job.RunID.String(), "job_id", lease.Job.ID, "error", err)
		if !errors.Is(err, ports.ErrUnavailable) || ctx.Err() != nil {
			return
		}
		x.pause(ctx, try)
	}
}

func (x *Executor) do(ctx context.Context, lease ports.Lease) (err error) {
	defer func() { err = fault(recover(), err) }()
	job := lease.Job
	limits := x.limits(job.FunctionID)
	state, due, err := x.commit(ctx, lease, nil, func() run.Input {
		return run.Due{Job: job, Now: x.clock.Now(), Limits: limits}
	})
	if err != nil || due.Call == nil {
		return err
	}
	calledAt := x.clock.Now()
	response, err := x.call(ctx, lease, state, *due.Call, calledAt)
	if err != nil {
		return err
	}
	now := x.clock.Now()
	replied := run.Replied{
		Job: job, Reply: sdk.Interpret(response, now), CalledAt: calledAt, Now: now, Limits: limits,
		Backoff: run.Backoff{Interval: x.config.RetryInterval, Jitter: x.random.Duration(run.MaxJitter)},
	}
	_, t, err := x.commit(ctx, lease, &state, func() run.Input { return replied })
	if err == nil && t.Finish != nil {
		x.log.DebugContext(ctx, "run ended", "run_id", job.RunID.String(), "status", string(t.Finish.Status))
	}
	return err
}

// fault turns what a bug did into an error, so that it parks the job it happened for and the others go on. The panics of
// others are not ours to stop.
func fault(reason any, err error) error {
	if reason == nil {
		return err
	}
	bug, ok := reason.(runtime.Error)
	if !ok {
		panic(reason)
	}
	return fmt.Errorf("bug: %w\n%s", bug, debug.Stack())
}

// conflictTries bounds how often a decision is made anew because the run changed meanwhile. Every conflict means that
// somebody else's commit on the run succeeded.
const conflictTries = 1000

// commit decides on the latest state and commits the decision, again and again until nobody else was faster. A state
// that the caller has at hand is tried first. A transition that changes nothing is not committed.
func (x *Executor) commit(ctx context.Context, lease ports.Lease, known *run.State, input func() run.Input) (run.State, run.Transition, error) {
	in := input()
	for range conflictTries {
		state, err := x.stateOf(ctx, lease.Job.RunID, known)
		if err != nil {
			return run.State{}, run.Transition{}, err
		}
		known = nil
		t, err := run.Advance(state, in)
		if err != nil {
			return state, t, fmt.Errorf("advance run %s: %w", state.ID, err)
		}
		if t.Call != nil && len(t.Steps) == 0 {
			return state, t, nil
		}
		next, err := x.write(ctx, ports.Commit{Lease: lease, State: state, Transition: t, Publish: x.tracker.Track(t.Publish...)})
		if errors.Is(err, ports.ErrConflict) {
			continue
		}
		if err != nil {
			return state, t, fmt.Errorf("commit run %s: %w", state.ID, err)
		}
		return next, t, nil
	}
	return run.State{}, run.Transition{}, fmt.Errorf("commit run %s: %w", lease.Job.RunID, ports.ErrConflict)
}

func (x *Executor) stateOf(ctx context.Context, id ulid.ULID, known *run.State) (run.State, error) {
	if known != nil {
		return *known, nil
	}
	state, err := x.store.Load(ctx, id)
	if err != nil {
		return run.State{}, fmt.Errorf("load run %s: %w", id, err)
	}
	return state, nil
}

// writeTries bounds how long an answer of an app is held in memory while the store is unavailable.
const writeTries = 8

// write commits, and tries again while the store is unavailable: what the app answered shall not be lost to a hiccup.
func (x *Executor) write(ctx context.Context, c ports.Commit) (run.State, error) {
	for try := 1; ; try++ {
		next, err := x.store.Commit(ctx, c)
		if !errors.Is(err, ports.ErrUnavailable) || try == writeTries || ctx.Err() != nil {
			return next, err
		}
		x.log.WarnContext(ctx, "commit again", "run_id", c.State.ID.String(), "error", err, "attempt", try)
		x.pause(ctx, try)
	}
}

// Cancel ends a run as cancelled. It returns ports.ErrNotFound when the run is not in progress.
func (x *Executor) Cancel(ctx context.Context, id ulid.ULID) error {
	lease := ports.Lease{Job: run.Job{RunID: id}}
	_, _, err := x.commit(ctx, lease, nil, func() run.Input { return run.CancelRequested{Now: x.clock.Now()} })
	return err
}
