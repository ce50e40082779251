package cron

import (
	"context"
	"time"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/cron"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
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
	fn, jitter, registered := s.settings(e)
	at := e.schedule.Latest(e.since, s.d.Clock.Now())
	if !registered || at.IsZero() {
		return outcome{}
	}
	tick := cron.Tick{FunctionID: fn.ID, Version: fn.Version, Expression: e.expression, At: at}
	_, scheduled, err := s.starter.Schedule(ctx, func() ports.Schedule {
		schedule := s.decide(fn, tick, jitter)
		schedule.Ticks = []ports.Tick{{FunctionID: fn.ID, Expression: e.expression, At: at, Previous: e.place}}
		return schedule
	})
	if err != nil {
		return outcome{err: err}
	}
	for _, answer := range scheduled {
		if answer.Result != flow.Started {
			s.d.Log.InfoContext(ctx, "tick starts no run now", "reason", answer.Result.String(),
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

// decide says what a tick comes to: its event, and its run, which an event with a time in the future starts then.
func (s *Scheduler) decide(fn function.Function, tick cron.Tick, jitter string) ports.Schedule {
	now := s.d.Clock.Now()
	schedule := ports.Schedule{Publish: s.d.Tracker.Track(tick.Event(tick.FireAt(jitter)))}
	spec := start.Spec(fn, s.d.Functions, schedule.Publish...)
	spec.ID, spec.Key, spec.Now = s.d.IDs.ULID(now), tick.Key(), now
	start.Plan(&schedule, s.d.Functions, start.Run{
		Function: fn, Spec: spec, From: flow.FromCron, Unique: true, Record: ports.NewRun{Cron: tick.Expression},
	}, s.d.Log)
	return schedule
}
