package graphql

import (
	"context"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
	"github.com/ingothq/ingot/internal/domain/trace"
)

// History is what happened in the run, made of its trace: there is no other record of it. Spec 05 §7.2.
func (r functionRunFields) History(ctx context.Context, obj *generated.FunctionRun) ([]*generated.RunHistoryItem, error) {
	root, _, err := obj.Page.Trace(ctx, obj.Source.RunID, true)
	if err != nil {
		return nil, err
	}
	shown := []*generated.RunHistoryItem{}
	var app *generated.App
	for _, item := range trace.Items(root) {
		if app == nil {
			if app, err = r.appOf(ctx, obj); err != nil {
				return nil, err
			}
		}
		shown = append(shown, showItem(item, app))
	}
	return shown, nil
}

// appOf is the run's app, an empty one when it is not known.
func (r functionRunFields) appOf(ctx context.Context, obj *generated.FunctionRun) (*generated.App, error) {
	app, _, err := obj.Page.Apps.Get(ctx, obj.Source.AppID)
	if err != nil {
		return nil, err
	}
	return r.app(app.App, loader.NewActive(r.Catalog)), nil
}

func showItem(item trace.Item, app *generated.App) *generated.RunHistoryItem {
	shown := &generated.RunHistoryItem{ID: item.ID, CreatedAt: item.At, Type: generated.HistoryType(item.Type), Attempt: item.Node.Attempts}
	if group, err := uuid.Parse(item.Node.Group); err == nil {
		shown.GroupID = &group
	}
	if item.Step == nil {
		return shown
	}
	shown.StepName, shown.StepType = known(item.Step.Name), historyStepType(item.Step)
	if item.Type.Ends() {
		shown.Result = &generated.RunHistoryResult{
			DurationMs: int(item.Node.Duration.Milliseconds()), Framework: app.Framework, SdkLanguage: app.SdkLanguage, SdkVersion: app.SdkVersion,
		}
	}
	showWait(item, shown)
	return shown
}

// historyStepType is what kind of step it is, as far as older clients know it.
func historyStepType(step *trace.Node) *generated.HistoryStepType {
	var kind generated.HistoryStepType
	info, _ := step.Info.(trace.RunInfo)
	switch {
	case info.Type == "step.sendEvent":
		kind = generated.HistoryStepTypeSend
	case step.Op == trace.OpRun, step.Op == trace.OpGateway:
		kind = generated.HistoryStepTypeRun
	case step.Op == trace.OpSleep:
		kind = generated.HistoryStepTypeSleep
	case step.Op == trace.OpWaitForEvent, step.Op == trace.OpWaitForSignal:
		kind = generated.HistoryStepTypeWait
	default:
		return nil
	}
	return &kind
}

// showWait shows what a step waits for, and what came.
func showWait(item trace.Item, shown *generated.RunHistoryItem) {
	ended := item.Type.Ends()
	timedOut := func(t *bool) bool { return t != nil && *t }
	switch info := item.Step.Info.(type) {
	case trace.SleepInfo:
		shown.Sleep = &generated.RunHistorySleep{Until: info.Until}
	case trace.EventInfo:
		shown.WaitForEvent = &generated.RunHistoryWaitForEvent{EventName: info.Event, Expression: known(info.Expression), Timeout: info.Timeout}
		if ended {
			shown.WaitResult = &generated.RunHistoryWaitResult{EventID: given(info.Found), Timeout: timedOut(info.TimedOut)}
		}
	case trace.InvokeInfo:
		shown.InvokeFunction = &generated.RunHistoryInvokeFunction{
			EventID: info.Event, FunctionID: info.Function, CorrelationID: item.Node.Run.String() + "." + item.Step.StepID, Timeout: info.Timeout,
		}
		if ended {
			shown.InvokeFunctionResult = &generated.RunHistoryInvokeFunctionResult{
				EventID: given(info.Return), RunID: given(info.Run), Timeout: timedOut(info.TimedOut),
			}
		}
	}
}

// HistoryItemOutput is what came out of a step or of the run, null when the item is no end.
func (r functionRunFields) HistoryItemOutput(ctx context.Context, obj *generated.FunctionRun, id ulid.ULID) (*string, error) {
	root, _, err := obj.Page.Trace(ctx, obj.Source.RunID, true)
	if err != nil {
		return nil, err
	}
	for _, item := range trace.Items(root) {
		if item.ID != id || !item.Type.Ends() || item.Node.Output == nil {
			continue
		}
		output, err := r.Past.Output(ctx, item.Node.Output.String())
		if err != nil {
			return nil, err
		}
		if output.Error != nil {
			failure := encode(map[string]string{"message": output.Error.Message, "name": textOf(output.Error.Name), "stack": textOf(output.Error.Stack)})
			return &failure, nil
		}
		return known(string(output.Data)), nil
	}
	return nil, nil
}
