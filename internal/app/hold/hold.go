// Package hold starts the runs of events that were kept back: of batches that are full or whose time is over, and of debounces
// whose key has become quiet. A hold and the run that it starts are one commit: a crash before it leaves the hold to be taken
// again, a crash after it changes nothing.
//
// Source: spec 11 §3.5, §4.4.
package hold

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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
		d.Pause = advance.Pause
	}
	advancer := advance.New(d.Store, d.Tracker, d.Watcher, d.Log, d.Pause)
	return &Starter{d: d, advance: advancer, starter: start.Starter{Store: d.Store, Advance: advancer, Clock: d.Clock}}
}

const (
	// inFlight bounds the holds being worked on. A hold has up to some megabytes of events.
	inFlight = 32
	// releaseDelay is how long a hold rests that could not be committed.
	releaseDelay = 2 * time.Second
)

// Run starts runs until ctx ends, and waits for those in hand.
func (s *Starter) Run(ctx context.Context) error {
	slots := make(chan struct{}, inFlight)
	var work sync.WaitGroup
	defer work.Wait()
	for failures := 0; ; {
		held, err := s.d.Holds.Take(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, ports.ErrClosed):
			return nil
		case err != nil:
			failures++
			s.d.Log.ErrorContext(ctx, "take hold", "error", err)
			s.d.Pause(ctx, failures)
			continue
		}
		failures = 0
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			s.Do(ctx, held)
		})
	}
}

// Do starts the run of one hold, also when ctx ends meanwhile. A hold that cannot be committed is released, to be taken again; one
// that changes meanwhile is taken again by itself.
func (s *Starter) Do(ctx context.Context, held ports.Hold) {
	work := context.WithoutCancel(ctx)
	err := s.start(work, held)
	log := s.d.Log.With("hold_id", held.ID.String(), "fn_id", held.FunctionID.String(), "kind", string(held.Kind))
	switch {
	case err == nil:
	case errors.Is(err, ports.ErrConflict):
		log.DebugContext(ctx, "hold has changed")
	case errors.Is(err, ports.ErrClosed):
	case errors.Is(err, ports.ErrUnavailable):
		log.ErrorContext(ctx, "hold released", "error", err)
		at := s.d.Clock.Now().Add(releaseDelay)
		s.letGo(ctx, held, "release hold", func() error { return s.d.Holds.Release(work, held.HoldRef, at) })
	default:
		log.ErrorContext(ctx, "hold parked", "error", err)
		s.letGo(ctx, held, "park hold", func() error { return s.d.Holds.Park(work, held.HoldRef, err.Error()) })
	}
}

func (s *Starter) letGo(ctx context.Context, held ports.Hold, what string, call func() error) {
	s.advance.LetGo(ctx, call, ports.ErrNotFound, what, "hold_id", held.ID.String())
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
	next.Spec, next.Waiter = spec, s.waiter(held.Events, spec.Now)
	schedule := ports.Schedule{Hold: held.HoldRef}
	start.Plan(&schedule, s.d.Functions, next, s.d.Log)
	return schedule
}

// waiter tells all who wait for the run why there is none; nil when nobody does.
func (s *Starter) waiter(events []event.Tracked, now time.Time) func(reason string) []event.Tracked {
	var correlations []string
	for _, e := range events {
		if _, correlation := event.Target(e.Event); correlation != "" {
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
