// Package execute works off jobs: it takes a job that is due, asks the domain what it means, calls the app, asks the
// domain what the answer means, and commits that. It decides nothing itself.
package execute

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
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

// Waits is told of the waits of a run once they are stored.
type Waits interface {
	Began(ctx context.Context, id ulid.ULID, pauses []run.Pause)
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
	advance   *advance.Advancer
	queue     ports.Queue
	worker    ports.Worker
	gateways  ports.Gateway
	waits     Waits
	streams   Streams
	functions Functions
	limits    LimitsOf
	clock     ports.Clock
	random    ports.Random
	meter     ports.Meter
	log       *slog.Logger
	pause     func(ctx context.Context, n int)
	config    Config
}

// LimitsOf returns the limits of a function's runs.
type LimitsOf func(function uuid.UUID) run.Limits

// Deps are what the executor needs.
type Deps struct {
	Store   ports.Store
	Queue   ports.Queue
	Worker  ports.Worker
	Gateway ports.Gateway
	Waits   Waits
	// Streams takes the responses that steps want published; nil for nobody.
	Streams   Streams
	Functions Functions
	Tracker   advance.Tracker
	// Watcher is told of the runs that advance; nil for nobody.
	Watcher advance.Watcher
	Limits  LimitsOf
	Clock   ports.Clock
	Random  ports.Random
	// Meter is told of calls; nil for nobody.
	Meter ports.Meter
	Log   *slog.Logger
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
		d.Pause = advance.Pause(d.Clock)
	}
	if d.Meter == nil {
		d.Meter = ports.NoMeter{}
	}
	return &Executor{
		advance: advance.New(d.Store, d.Tracker, d.Watcher, d.Log, d.Pause), queue: d.Queue, worker: d.Worker, functions: d.Functions,
		gateways: d.Gateway, waits: d.Waits, streams: d.Streams, limits: d.Limits, clock: d.Clock, random: d.Random, meter: d.Meter, log: d.Log, pause: d.Pause, config: config,
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

// Do works on one leased job until what became of it is committed, or the job is handed back or parked.
func (x *Executor) Do(ctx context.Context, lease ports.Lease) {
	err := x.do(ctx, lease)
	if err == nil {
		return
	}
	job := lease.Job
	log := x.log.With("run_id", job.RunID.String(), "job_id", job.ID, "kind", string(job.Kind), "attempt", job.Attempt)
	switch {
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

func (x *Executor) letGo(ctx context.Context, lease ports.Lease, what string, call func() error) {
	x.advance.LetGo(ctx, call, ports.ErrLeaseLost, what, "run_id", lease.Job.RunID.String(), "job_id", lease.Job.ID)
}

func (x *Executor) do(ctx context.Context, lease ports.Lease) (err error) {
	defer func() { err = advance.Fault(recover(), err) }()
	job := lease.Job
	limits := x.limits(job.FunctionID)
	state, due, err := x.advance.Apply(ctx, advance.Step{
		Run: job.RunID, Lease: lease, Input: run.Due{Job: job, Now: x.clock.Now(), Limits: limits},
	})
	if err != nil || due.Call == nil {
		return err
	}
	if state.StartedAt.IsZero() {
		x.meter.RunStarted(job.FunctionID)
	}
	var outcome run.Input
	if due.Call.Gateway != nil {
		outcome, err = x.gateway(ctx, lease, state, *due.Call.Gateway, limits)
	} else {
		outcome, err = x.reply(ctx, lease, state, *due.Call, limits)
	}
	if err != nil {
		return err
	}
	_, t, err := x.advance.Apply(ctx, advance.Step{Run: job.RunID, Lease: lease, Known: &state, Input: outcome})
	switch {
	case err != nil:
		return err
	case t.Finish != nil:
		x.log.DebugContext(ctx, "run ended", "run_id", job.RunID.String(), "status", string(t.Finish.Status))
	case len(t.Pauses) > 0:
		x.waits.Began(ctx, job.RunID, t.Pauses)
	}
	return nil
}

// reply calls the app and says what it answered.
func (x *Executor) reply(ctx context.Context, lease ports.Lease, state run.State, call run.Call, limits run.Limits) (run.Input, error) {
	calledAt, result := x.clock.Now(), ports.CallErrored
	x.meter.CallStarted(lease.Job.FunctionID)
	defer func() { x.meter.CallEnded(lease.Job.FunctionID, result) }()
	response, err := x.call(ctx, lease, state, call, calledAt)
	if err != nil {
		return nil, err
	}
	now := x.clock.Now()
	interpret := sdk.Interpret
	if state.Endpoint != nil {
		interpret = sdk.InterpretEndpoint
	}
	reply := interpret(response, now)
	result = resultOf(reply)
	header := response.Header
	if reply.Header != nil {
		header = reply.Header
	}
	return run.Replied{
		Job: lease.Job, Reply: reply, CalledAt: calledAt, Now: now, Limits: limits, Backoff: x.backoff(),
		Exchange: run.Exchange{
			Request: ids.RequestID(calledAt.UnixMilli(), lease.Job.ID, lease.Generation).String(), Status: response.Status,
			Header: header, Size: len(response.Body), Timing: response.Timing, Limited: lease.Limited,
		},
	}, nil
}

// resultOf is what a call that was answered counts as. Spec 17 §1.
func resultOf(reply sdk.Reply) ports.CallResult {
	switch {
	case reply.Failure == nil:
		return ports.CallSucceeded
	case reply.Failure.NoRetry:
		return ports.CallFailed
	}
	return ports.CallErrored
}

func (x *Executor) backoff() run.Backoff {
	return run.Backoff{Interval: x.config.RetryInterval, Jitter: x.random.Duration(run.MaxJitter)}
}

// Cancel ends a run as cancelled. It returns ports.ErrNotFound when the run is not in progress.
func (x *Executor) Cancel(ctx context.Context, id ulid.ULID) error {
	_, _, err := x.advance.Apply(ctx, advance.Step{Run: id, Input: run.CancelRequested{Now: x.clock.Now()}})
	return err
}
