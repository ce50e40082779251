// Package rerun starts runs again: with the same events, from the beginning or from one of their steps.
package rerun

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Errors of Rerun, besides those of run.Resume and ports.ErrNotFound for a run that is not known.
var (
	// ErrNoFunction says that the run's function does not exist any more.
	ErrNoFunction = errors.New("the run's function no longer exists")
	// ErrNoEvents says that the events which started the run are not kept any more.
	ErrNoEvents = errors.New("the run's events are not kept any more")
	// ErrPaused says that no run of the function starts at present.
	ErrPaused = errors.New("the function is paused")
)

// Functions finds functions, registered or archived.
type Functions interface {
	start.Templates
	start.Standings
	Function(ctx context.Context, id uuid.UUID) (function.Function, error)
}

// Rerun is the use case. It is safe for concurrent use.
type Rerun struct {
	store     ports.Store
	history   ports.History
	functions Functions
	clock     ports.Clock
	ids       ports.IDs
}

// New returns the use case.
func New(store ports.Store, history ports.History, functions Functions, clock ports.Clock, ids ports.IDs) *Rerun {
	return &Rerun{store: store, history: history, functions: functions, clock: clock, ids: ids}
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
	if errors.Is(err, ports.ErrOutdated) {
		// Something was done about the function at this moment: the run has to begin after it.
		next, err = r.start(ctx, record, spec)
	}
	return next, err
}

// start gives the run its identity and creates it.
func (r *Rerun) start(ctx context.Context, record ports.RunRecord, spec run.Spec) (ulid.ULID, error) {
	spec.Now = r.clock.Now()
	spec.ID = r.ids.ULID(spec.Now)
	spec.Key = spec.ID.String()
	if r.functions.Standing(record.FunctionID).Skip() != run.NotSkipped {
		return ulid.ULID{}, fmt.Errorf("rerun %s: %w", record.RunID, ErrPaused)
	}
	state, jobs := run.New(spec)
	next := ports.NewRun{State: state, Start: jobs[0], More: jobs[1:], Steps: spec.Steps, Original: record.OriginalRunID, Cron: record.Cron}
	if next.Original == (ulid.ULID{}) {
		next.Original = record.RunID
	}
	if _, err := r.store.Schedule(ctx, ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
		return ulid.ULID{}, fmt.Errorf("rerun %s: %w", record.RunID, err)
	}
	return spec.ID, nil
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
