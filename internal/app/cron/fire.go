package cron

import (
	"context"
	"time"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/cron"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// outcome is what became of a schedule in hand.
type outcome struct {
	// fired is the tick that the schedule has moved to, zero when it has not moved.
	fired time.Time
	// missed is true when ticks before it did not fire.
	missed bool
	err    error
}

// fire fires the latest tick of a schedule that is due.
func (s *Scheduler) fire(ctx context.Context, e *entry) (result outcome) {
	defer func() { result.err = advance.Fault(recover(), result.err) }()
	now := s.d.Clock.Now()
	fn, jitter, registered := s.settings(e)
	at := e.schedule.Latest(e.since, now)
	if !registered || at.IsZero() {
		return outcome{}
	}
	tick := cron.Tick{FunctionID: fn.ID, Version: fn.Version, Expression: e.expression, At: at}
	schedule := s.decide(fn, tick, jitter, now)
	schedule.Ticks = []ports.Tick{{FunctionID: fn.ID, Expression: e.expression, At: at, Previous: e.place}}
	scheduled, err := s.d.Store.Schedule(ctx, schedule)
	if err != nil {
		return outcome{err: err}
	}
	for _, answer := range scheduled {
		if answer.Duplicate {
			s.d.Log.InfoContext(ctx, "run not started: its idempotency key was used before",
				"fn_id", fn.ID.String(), "cron", e.expression, "tick", at, "run_id", answer.RunID.String())
		}
	}
	return outcome{fired: at, missed: e.schedule.Next(e.since).Before(at)}
}

// settings are those that the entry's function has now; false when it does not have the schedule any more.
func (s *Scheduler) settings(e *entry) (fn function.Function, jitter string, registered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.functions[e.function]
	if known == nil || e.gone {
		return function.Function{}, "", false
	}
	return known.Function, e.jitter, true
}

// decide says what a tick comes to: its event, and its run, which an event with a time in the future starts then. The run gets
// its ID before the function's standing is asked, see route.
func (s *Scheduler) decide(fn function.Function, tick cron.Tick, jitter string, now time.Time) ports.Schedule {
	id := s.d.IDs.ULID(now)
	schedule := ports.Schedule{Publish: s.d.Tracker.Track(tick.Event(tick.FireAt(jitter)))}
	if reason := s.d.Functions.Standing(fn.ID).Skip(); reason != run.NotSkipped {
		schedule.Skipped = []ports.SkippedRun{{
			RunID: id, FunctionID: fn.ID, Event: schedule.Publish[0].InternalID, Cron: tick.Expression, End: run.Skip(reason, now),
		}}
		return schedule
	}
	spec := start.Spec(fn, s.d.Functions, schedule.Publish...)
	spec.ID, spec.Key, spec.Now = id, tick.Key(), now
	state, jobs := run.New(spec)
	schedule.Runs = []ports.NewRun{{
		State: state, Start: jobs[0], More: jobs[1:], IdempotencyKey: state.Idempotency, Cron: tick.Expression,
	}}
	return schedule
}
