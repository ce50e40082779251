// Package hold starts the runs of events that were kept back: of batches that are full or whose time is over, and of debounces
// whose key has become quiet. A hold and the run that it starts are one commit: a crash before it leaves the hold to be taken
// again, a crash after it changes nothing.
//
// Source: spec 11 §3.5, §4.4.
package hold

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Functions finds functions, registered or archived.
type Functions interface {
	start.Functions
	Function(ctx context.Context, id uuid.UUID) (function.Function, error)
}

// Deps are what the use case needs.
type Deps struct {
	Holds     ports.Holds
	Store     ports.Store
	Functions Functions
	Tracker   advance.Tracker
	// Watcher is told of runs that are cancelled for new ones; nil for nobody.
	Watcher advance.Watcher
	Clock   ports.Clock
	IDs     ports.IDs
	Log     *slog.Logger
	// Pause waits after the n-th failure in a row, n from 1, or until ctx ends. Nil waits 20 ms, doubled each time, to 5 s.
	Pause func(ctx context.Context, n int)
}

// Starter is the use case. It is safe for concurrent use.
type Starter struct {
	d       Deps
	advance *advance.Advancer
	starter start.Starter
}

// New returns the use case.
func New(d Deps) *Starter {
	if d.Pause == nil {
		d.Pause = advance.Pause(d.Clock)
	}
	advancer := advance.New(d.Store, d.Tracker, d.Watcher, d.Log, d.Pause)
	return &Starter{d: d, advance: advancer, starter: start.Starter{Store: d.Store, Advance: advancer, Tracker: d.Tracker, Clock: d.Clock}}
}

// inFlight bounds the holds being worked on. A hold has up to some megabytes of events.
const inFlight = 32

// Run starts runs until ctx ends, and waits for those in hand.
func (s *Starter) Run(ctx context.Context) error {
	advance.Loop[ports.Hold]{
		What: "hold", AtOnce: inFlight, Do: s.Do, Log: s.d.Log, Pause: s.d.Pause,
		Take: func(ctx context.Context) ([]ports.Hold, error) {
			held, err := s.d.Holds.Take(ctx)
			return []ports.Hold{held}, err
		},
	}.Run(ctx)
	return nil
}

// Do starts the run of one hold, also when ctx ends meanwhile. A hold that cannot be committed is released, to be taken again; one
// that changes meanwhile is taken again by itself.
func (s *Starter) Do(ctx context.Context, held ports.Hold) {
	err := s.start(context.WithoutCancel(ctx), held)
	if err == nil {
		return
	}
	id := []any{"hold_id", held.ID.String()}
	s.advance.Failed(ctx, advance.Held{
		What: "hold", Settled: "hold has changed", LetGo: id, Attrs: append(id, "fn_id", held.FunctionID.String(), "kind", string(held.Kind)),
		Release: func(ctx context.Context, at time.Time) error { return s.d.Holds.Release(ctx, held.HoldRef, at) },
		Park:    func(ctx context.Context, reason string) error { return s.d.Holds.Park(ctx, held.HoldRef, reason) },
	}, err, s.d.Clock.Now())
}

func (s *Starter) start(ctx context.Context, held ports.Hold) (err error) {
	defer func() { err = advance.Fault(recover(), err) }()
	fn, err := s.d.Functions.Function(ctx, held.FunctionID)
	if err != nil {
		return fmt.Errorf("function %s: %w", held.FunctionID, err)
	}
	schedule, answers, err := s.starter.Schedule(ctx, func() ports.Schedule { return s.decide(fn, held) })
	if err != nil {
		return fmt.Errorf("schedule the run of hold %s: %w", held.ID, err)
	}
	for i, answer := range answers {
		if answer.Result != flow.Started {
			s.d.Log.InfoContext(ctx, "hold starts no run", "hold_id", held.ID.String(), "reason", answer.Result.String(),
				"fn_id", fn.ID.String(), "run_id", schedule.Runs[i].State.ID.String())
		}
	}
	return nil
}

// decide makes the run of a hold. Its key needs no keeping: the hold goes with the commit.
func (s *Starter) decide(fn function.Function, held ports.Hold) ports.Schedule {
	spec := start.Spec(fn, s.d.Functions, held.Events...)
	spec.Now = s.d.Clock.Now()
	spec.ID = s.d.IDs.ULID(spec.Now)
	next := start.Run{Function: fn, From: flow.FromDebounce}
	switch held.Kind {
	case ports.HoldBatch:
		next.From, next.Record.Batch = flow.FromBatch, held.ID
		spec.AtOnce, spec.Key, spec.CancelOn = true, flow.BatchKey(fn.ID, held.ID), nil
	case ports.HoldDebounce:
		spec.Key = flow.DebounceKey(held.Events[0])
	}
	next.Spec, next.Waiter = spec, s.waiter(fn, held.Events, spec.Now)
	schedule := ports.Schedule{Hold: held.HoldRef}
	start.Plan(&schedule, s.d.Functions, next, s.d.Log)
	return schedule
}

// waiter tells all who wait for the run why there is none; nil when nobody does.
func (s *Starter) waiter(fn function.Function, events []event.Tracked, now time.Time) func(reason string) []event.Tracked {
	var correlations []string
	for _, e := range events {
		if correlation := start.Awaits(fn.Slug, fn.ID, e.Event); correlation != "" {
			correlations = append(correlations, correlation)
		}
	}
	if len(correlations) == 0 {
		return nil
	}
	return func(reason string) []event.Tracked {
		answers := make([]event.Event, len(correlations))
		for i, correlation := range correlations {
			answers[i] = start.NotStarted(correlation, reason, now)
		}
		return s.d.Tracker.Track(answers...)
	}
}
