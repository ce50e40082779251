// Package rerun starts runs again: with the same events, from the beginning or from one of their steps.
package rerun

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Errors of Rerun, besides those of run.Resume and start.Refusal, and ports.ErrNotFound for a run that is not known.
var (
	// ErrNoFunction says that the run's function does not exist any more.
	ErrNoFunction = errors.New("the run's function no longer exists")
	// ErrNoEvents says that the events which started the run are not kept any more.
	ErrNoEvents = errors.New("the run's events are not kept any more")
)

// Functions finds functions, registered or archived.
type Functions interface {
	start.Functions
	Function(ctx context.Context, id uuid.UUID) (function.Function, error)
}

// Rerun is the use case. It is safe for concurrent use.
type Rerun struct {
	starter   start.Starter
	history   ports.History
	functions Functions
	clock     ports.Clock
	ids       ports.IDs
	log       *slog.Logger
}

// New returns the use case.
func New(starter start.Starter, history ports.History, functions Functions, ids ports.IDs, log *slog.Logger) *Rerun {
	return &Rerun{starter: starter, history: history, functions: functions, clock: starter.Clock, ids: ids, log: log}
}

// Run starts a run again, whether it has ended or not, and returns the ID of the new one, which is durable then. All events of
// the run start it, also when they were several; it runs with the function's settings of today. With from it takes over the
// steps before the one named. Each call starts one more run. Spec 02 §13.
func (r *Rerun) Run(ctx context.Context, id ulid.ULID, from *run.From) (ulid.ULID, error) {
	record, err := r.history.Run(ctx, id)
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("rerun %s: %w", id, err)
	}
	spec, err := r.spec(ctx, record)
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("rerun %s: %w", id, err)
	}
	if from != nil {
		if err := r.resume(ctx, &spec, id, *from); err != nil {
			return ulid.ULID{}, fmt.Errorf("rerun %s: %w", id, err)
		}
	}
	next, err := r.start(ctx, record, spec)
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("rerun %s: %w", id, err)
	}
	return next, nil
}

// start gives the run its identity and creates it, unless the function's flow control keeps it back.
func (r *Rerun) start(ctx context.Context, record ports.RunRecord, spec run.Spec) (ulid.ULID, error) {
	schedule, answers, err := r.starter.Schedule(ctx, func() ports.Schedule { return r.decide(record, spec) })
	switch {
	case err != nil:
		return ulid.ULID{}, err
	case len(schedule.Runs) == 0:
		return ulid.ULID{}, start.ErrPaused
	}
	return answers[0].RunID, start.Refusal(schedule.Runs[0], answers[0])
}

// decide makes a run of today of the one that is repeated. Of a function that is paused nothing is recorded: the caller is told.
func (r *Rerun) decide(record ports.RunRecord, spec run.Spec) ports.Schedule {
	spec.Now = r.clock.Now()
	spec.ID = r.ids.ULID(spec.Now)
	spec.Key = flow.RerunKey(spec.ID)
	next := start.Run{
		Function: function.Function{ID: spec.FunctionID}, Spec: spec, From: flow.FromRerun,
		Record: ports.NewRun{Steps: spec.Steps, Original: record.OriginalRunID, Cron: record.Cron},
	}
	if next.Record.Original == (ulid.ULID{}) {
		next.Record.Original = record.RunID
	}
	var schedule ports.Schedule
	start.Plan(&schedule, r.functions, next, r.log)
	schedule.Skipped = nil
	return schedule
}

// spec is the new run, from its beginning, but for its identity.
func (r *Rerun) spec(ctx context.Context, record ports.RunRecord) (run.Spec, error) {
	fn, err := r.functions.Function(ctx, record.FunctionID)
	if errors.Is(err, ports.ErrNotFound) {
		return run.Spec{}, ErrNoFunction
	}
	if err != nil {
		return run.Spec{}, err
	}
	origin, err := r.history.Origin(ctx, record.RunID)
	if errors.Is(err, ports.ErrNotFound) {
		return run.Spec{}, ErrNoEvents
	}
	if err != nil {
		return run.Spec{}, err
	}
	spec := start.Spec(fn, r.functions, origin.Events...)
	spec.Endpoint = origin.Endpoint
	return spec, nil
}

// resume has the new run take over steps of the earlier one.
func (r *Rerun) resume(ctx context.Context, spec *run.Spec, id ulid.ULID, from run.From) error {
	steps, err := r.history.Steps(ctx, id)
	if err != nil {
		return err
	}
	resumed, err := run.Resume(steps, from)
	if err != nil {
		return err
	}
	spec.Steps, spec.Inputs, spec.Target = resumed.Steps, resumed.Inputs, resumed.Target
	return nil
}
