package graphql

import (
	"context"
	"errors"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// FunctionRun is a run as older clients see it. Spec 05 §7.2.
func (q query) FunctionRun(ctx context.Context, asked generated.FunctionRunQuery) (*generated.FunctionRun, error) {
	if asked.FunctionRunID == "" {
		return nil, refuse("function run id is required")
	}
	id, err := ulid.ParseStrict(asked.FunctionRunID)
	if err != nil {
		return nil, refuse("invalid run ID: %s", err)
	}
	return q.functionRunOf(ctx, id)
}

// functionRunOf reads a run and shows it.
func (a *api) functionRunOf(ctx context.Context, id ulid.ULID) (*generated.FunctionRun, error) {
	found, err := a.Past.Run(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return nil, refuse("not found")
	}
	if err != nil {
		return nil, err
	}
	return a.functionRun(found), nil
}

func (a *api) functionRun(one ports.RunSummary) *generated.FunctionRun {
	list := []ports.RunSummary{one}
	return showFunctionRuns(list, loader.NewRuns(a.sources(), list))[0]
}

// showFunctionRuns shows runs that share a page.
func showFunctionRuns(list []ports.RunSummary, page *loader.Runs) []*generated.FunctionRun {
	shown := make([]*generated.FunctionRun, len(list))
	for i, one := range list {
		startedAt := ulid.Time(one.RunID.Time()).UTC()
		status := runStatuses[one.Status]
		if one.Status == ports.RunQueued {
			status = generated.FunctionRunStatusRunning
		}
		shown[i] = &generated.FunctionRun{
			ID: one.RunID.String(), FunctionID: one.FunctionID.String(), BatchID: given(one.Batch), Status: &status,
			StartedAt: &startedAt, FinishedAt: instant(one.EndedAt), Cron: known(one.Cron), Page: page, Source: one,
		}
		if !one.Batch.IsZero() {
			shown[i].BatchCreatedAt = instant(ulid.Time(one.Batch.Time()))
		}
		var first ulid.ULID
		if len(one.Events) > 0 {
			first = one.Events[0]
		}
		shown[i].EventID = first.String()
	}
	return shown
}

// Function is the run's function, archived or not.
func (r functionRunFields) Function(ctx context.Context, obj *generated.FunctionRun) (*generated.Function, error) {
	fn, ok, err := obj.Page.Get(ctx, obj.Source.FunctionID)
	if err != nil || !ok {
		return nil, err
	}
	return showFunction(fn, obj.Page.Apps, obj.Page.Active), nil
}

// Output is what the function returned, or the error that ended it; an empty object for a run that was cancelled.
func (r functionRunFields) Output(ctx context.Context, obj *generated.FunctionRun) (*string, error) {
	one, _, err := obj.Page.Outputs.Get(ctx, obj.Source.RunID)
	if err != nil {
		return nil, err
	}
	output := string(one.Output)
	switch {
	case one.Status == ports.RunCancelled && !one.HasOutput:
		output = "{}"
	case !one.HasOutput:
		return nil, nil
	}
	return &output, nil
}

// Event is the first event that started the run, null when it is not kept any more.
func (r functionRunFields) Event(ctx context.Context, obj *generated.FunctionRun) (*generated.Event, error) {
	list, err := r.kept(ctx, obj)
	if err != nil || len(list) == 0 || len(obj.Source.Events) == 0 || list[0].InternalID != obj.Source.Events[0] {
		return nil, err
	}
	return showEvent(list[0], obj.Page.EventRuns), nil
}

// Events are those that started the run, as far as they are kept.
func (r functionRunFields) Events(ctx context.Context, obj *generated.FunctionRun) ([]*generated.Event, error) {
	list, err := r.kept(ctx, obj)
	shown := make([]*generated.Event, len(list))
	for i, e := range list {
		shown[i] = showEvent(e, obj.Page.EventRuns)
	}
	return shown, err
}

func (r functionRunFields) kept(ctx context.Context, obj *generated.FunctionRun) ([]event.Tracked, error) {
	var list []event.Tracked
	for _, id := range obj.Source.Events {
		e, ok, err := obj.Page.Events.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, e)
		}
	}
	return list, nil
}

// PendingSteps is how many jobs lead the run on.
func (r functionRunFields) PendingSteps(ctx context.Context, obj *generated.FunctionRun) (*int, error) {
	pending := 0
	if obj.Source.Status.Ended() {
		return &pending, nil
	}
	state, err := r.Store.Load(ctx, obj.Source.RunID)
	if errors.Is(err, ports.ErrNotFound) {
		return &pending, nil
	}
	if err != nil {
		return nil, err
	}
	for _, kind := range state.Jobs {
		if kind != run.KindCancel {
			pending++
		}
	}
	return &pending, nil
}
