// Package route takes accepted events out of the log and starts the runs that they trigger. An event and all that it
// starts are one commit: a crash before it leaves the event to be routed again, a crash after it changes nothing.
package route

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Functions finds what an event starts.
type Functions interface {
	// Match returns what the event starts at the instant now.
	Match(e event.Event, now time.Time) []Match
	Find(slugOrID string) (function.Function, bool)
	start.Functions
}

// Match is a function that an event starts, or one whose trigger condition could not be evaluated.
type Match = struct {
	Function function.Function
	Err      error
}

// Router is the use case. It is safe for concurrent use.
type Router struct {
	log       ports.EventLog
	store     ports.Store
	advance   *advance.Advancer
	starter   start.Starter
	programs  programs
	functions Functions
	events    Events
	tracker   advance.Tracker
	clock     ports.Clock
	ids       ports.IDs
	logger    *slog.Logger
	pause     func(ctx context.Context, n int)
	atOnce    int
}

// Deps are what the router needs.
type Deps struct {
	EventLog  ports.EventLog
	Store     ports.Store
	Functions Functions
	Events    Events
	Tracker   advance.Tracker
	// Watcher is told of the runs that are resumed; nil for nobody.
	Watcher advance.Watcher
	Clock   ports.Clock
	IDs     ports.IDs
	Log     *slog.Logger
	// Pause waits after the n-th failure in a row, n from 1, or until ctx ends. Nil waits 20 ms, doubled each time, to 5 s.
	Pause func(ctx context.Context, n int)
	// ResumesAtOnce bounds the runs that one event resumes side by side; 1 resumes them in order and starts no goroutine.
	// Zero means 64.
	ResumesAtOnce int
}

// New returns a router.
func New(d Deps) *Router {
	if d.ResumesAtOnce <= 0 {
		d.ResumesAtOnce = resumesAtOnce
	}
	if d.Pause == nil {
		d.Pause = advance.Pause(d.Clock)
	}
	advancer := advance.New(d.Store, d.Tracker, d.Watcher, d.Log, d.Pause)
	return &Router{
		log: d.EventLog, store: d.Store, functions: d.Functions, events: d.Events, tracker: d.Tracker, clock: d.Clock, ids: d.IDs,
		logger: d.Log, pause: d.Pause, atOnce: d.ResumesAtOnce, advance: advancer,
		starter: start.Starter{Store: d.Store, Advance: advancer, Tracker: d.Tracker, Clock: d.Clock}, programs: programs{cache: expr.NewCache(programsKept)},
	}
}

const (
	// inFlight bounds the events being routed at once; commits of one moment share a transaction, so more of them make
	// larger transactions, not more.
	inFlight = 256
	// takeMax is how many events are asked for at once.
	takeMax = 64
	// programsKept bounds the compiled conditions of waits.
	programsKept = 4096
)

// Run routes events until ctx ends, and waits for those in hand.
func (r *Router) Run(ctx context.Context) error {
	advance.Loop[event.Tracked]{
		What: "events", AtOnce: inFlight, Do: r.Do, Log: r.logger, Pause: r.pause,
		Take: func(ctx context.Context) ([]event.Tracked, error) { return r.log.Take(ctx, takeMax) },
	}.Run(ctx)
	return nil
}

// Do routes one event, also when ctx ends meanwhile. An event that cannot be committed is released, to be routed again.
func (r *Router) Do(ctx context.Context, e event.Tracked) {
	err := r.route(context.WithoutCancel(ctx), e)
	if err == nil {
		return
	}
	id := []any{"event_id", e.InternalID.String()}
	r.advance.Failed(ctx, advance.Held{
		What: "event", Settled: "event was routed already", LetGo: id, Attrs: append(id, "event_name", e.Name),
		Release: func(ctx context.Context, at time.Time) error { return r.log.Release(ctx, e.InternalID, at) },
		Park:    func(ctx context.Context, reason string) error { return r.log.Park(ctx, e.InternalID, reason) },
	}, err, r.clock.Now())
}

// candidate is a function of which the event would start a run.
type candidate struct {
	function.Function
	// invoked is true when a step waits for the run.
	invoked bool
}

func (r *Router) route(ctx context.Context, e event.Tracked) (err error) {
	defer func() { err = advance.Fault(recover(), err) }()
	starts, failure := r.starts(ctx, e)
	if err := r.resume(ctx, e); err != nil {
		return err
	}
	schedule, scheduled, err := r.starter.Schedule(ctx, func() ports.Schedule { return r.decide(e, starts, failure) })
	if err != nil {
		return fmt.Errorf("schedule runs of event %s: %w", e.InternalID, err)
	}
	r.report(ctx, e, schedule, scheduled)
	return nil
}

// starts are the functions that the event would start, each once. failure is what tells an invoker that there is none to
// start; nil for nothing.
func (r *Router) starts(ctx context.Context, e event.Tracked) (starts []candidate, failure *event.Event) {
	found := map[uuid.UUID]bool{}
	add := func(fn function.Function, invoked bool) {
		if !found[fn.ID] {
			found[fn.ID] = true
			starts = append(starts, candidate{fn, invoked})
		}
	}
	if e.Name == event.FunctionInvoked {
		target, correlation := event.Target(e.Event)
		if fn, ok := r.functions.Find(target); ok && target != "" {
			add(fn, correlation != "")
		} else {
			failure = new(notInvoked(target, correlation, r.clock.Now()))
		}
	}
	for _, match := range r.functions.Match(e.Event, r.clock.Now()) {
		if match.Err != nil {
			// The reference would route such an event again for ever. The condition will not evaluate better later.
			r.logger.WarnContext(ctx, "trigger condition failed", "event_id", e.InternalID.String(), "fn_id", match.Function.ID.String(), "error", match.Err)
			continue
		}
		add(match.Function, false)
	}
	return starts, failure
}

// decide says what becomes of the event.
func (r *Router) decide(e event.Tracked, starts []candidate, failure *event.Event) ports.Schedule {
	schedule := ports.Schedule{Event: e.InternalID}
	if failure != nil {
		schedule.Publish = r.tracker.Track(*failure)
	}
	for _, s := range starts {
		start.Plan(&schedule, r.functions, r.wanted(s, e), r.logger)
	}
	return schedule
}

// wanted is the run of a function that the event is to start.
func (r *Router) wanted(s candidate, e event.Tracked) start.Run {
	spec := start.Spec(s.Function, r.functions, e)
	spec.Now = r.clock.Now()
	spec.ID, spec.Key = r.ids.ULID(spec.Now), flow.EventKey(e.Event)
	next := start.Run{
		Function: s.Function, Spec: spec, From: flow.FromEvent,
		// If the event has no ID of its own, no other event can have the key, and the event log routes it once.
		Unique: e.ID != e.InternalID.String(),
	}
	if _, correlation := event.Target(e.Event); s.invoked && correlation != "" {
		next.Waiter = func(reason string) []event.Tracked {
			return r.tracker.Track(start.NotStarted(correlation, reason, spec.Now))
		}
	}
	return next
}

// report logs what was decided and is not seen elsewhere.
func (r *Router) report(ctx context.Context, e event.Tracked, schedule ports.Schedule, scheduled []ports.Scheduled) {
	for i, s := range scheduled {
		if s.Result != flow.Started {
			r.logger.InfoContext(ctx, "event starts no run now", "event_id", e.InternalID.String(), "reason", s.Result.String(),
				"fn_id", schedule.Runs[i].State.FunctionID.String(), "run_id", s.RunID.String())
		}
	}
	for _, s := range schedule.Skipped {
		r.logger.DebugContext(ctx, "run skipped", "event_id", e.InternalID.String(), "fn_id", s.FunctionID.String(), "run_id", s.RunID.String())
	}
}

// notInvoked tells the invoker that its function does not exist. Spec 02 §2.
func notInvoked(target, correlation string, now time.Time) event.Event {
	if target == "" {
		return start.NotStarted(correlation, "could not extract function ID from event", now)
	}
	return start.NotStarted(correlation, "could not find function with ID: "+target, now)
}
