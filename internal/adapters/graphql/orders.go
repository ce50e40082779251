package graphql

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// InvokeFunction accepts an event that starts one function. Spec 05 §7.5.
func (m mutation) InvokeFunction(ctx context.Context, data json.RawMessage, slug string, meta, user json.RawMessage, debugSession, debugRun *ulid.ULID) (*bool, error) {
	sessions, err := event.ConsoleSessions(meta)
	if err != nil {
		return nil, shown(err)
	}
	now := m.Clock.Now()
	metadata := event.Metadata{FnID: slug, DebugSessionID: text(debugSession), DebugRunID: text(debugRun)}
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	e := event.Event{
		ID: m.IDs.ULID(now).String(), Name: event.FunctionInvoked, Data: event.WithMetadata(data, metadata), User: user,
		TS: now.UnixMilli(), Sessions: sessions,
	}
	if string(user) == "{}" {
		e.User = nil
	}
	if _, err := m.Ingest.Accept(ctx, []event.Event{e}, nil, 0); err != nil {
		return nil, err
	}
	accepted := true
	return &accepted, nil
}

// text is empty for an ID that is not given.
func text(id *ulid.ULID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

// CancelRun cancels a run in progress and returns it as it is then. One that is cancelled already stays as it is. Spec 05 §7.5.
func (m mutation) CancelRun(ctx context.Context, id ulid.ULID) (*generated.FunctionRun, error) {
	// Who gives an order and goes wants it carried out.
	ctx = context.WithoutCancel(ctx)
	if err := m.Runs.Cancel(ctx, id); err != nil && !errors.Is(err, ports.ErrNotFound) {
		return nil, err
	}
	found, err := m.functionRunOf(ctx, id)
	if err != nil {
		return nil, err
	}
	if found.Source.Status != ports.RunCancelled {
		return nil, refuse("cannot cancel an ended run")
	}
	return found, nil
}

// Rerun starts a run again, from its beginning or from a step, and returns the ID of the new one. Spec 05 §7.5.
func (m mutation) Rerun(ctx context.Context, id ulid.ULID, fromStep *generated.RerunFromStepInput, _, _ *ulid.ULID) (ulid.ULID, error) {
	var from *run.From
	if fromStep != nil {
		from = &run.From{Step: fromStep.StepID}
		if fromStep.Input != nil {
			from.Input = json.RawMessage(*fromStep.Input)
		}
	}
	next, err := m.Reruns.Run(context.WithoutCancel(ctx), id, from)
	return next, rerunError(err)
}

// rerunError says why a run is not started again.
func rerunError(err error) error {
	for _, known := range []error{run.ErrNoSuchStep, run.ErrAmbiguousStep} {
		if errors.Is(err, known) {
			return refuse("error reconstructing input state: %s", known)
		}
	}
	for _, known := range []error{run.ErrStepInput, rerun.ErrNoFunction, rerun.ErrNoEvents, start.ErrPaused, start.ErrDebounced, start.ErrSingleton} {
		if errors.Is(err, known) {
			return shown(known)
		}
	}
	if errors.Is(err, ports.ErrNotFound) {
		return refuse(textNoRows)
	}
	return err
}
