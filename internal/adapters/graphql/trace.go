package graphql

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// RunTrace is what happened in a run, in the new shape.
func (q query) RunTrace(ctx context.Context, text string) (*generated.RunTraceSpan, error) {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return nil, refuse("error parsing runID: %s", err)
	}
	found, err := q.Past.Traces(ctx, []ulid.ULID{id}, true)
	if err != nil {
		return nil, err
	}
	if found[id] == nil {
		return nil, refuse("error retrieving trace: no root span found for run %s", id)
	}
	return showTrace(found[id], loader.NewRecords(q.Records, id)), nil
}

// showTrace shows a span with all that are below it.
func showTrace(node *trace.Node, page *loader.Records) *generated.RunTraceSpan {
	shown := &generated.RunTraceSpan{
		AppID: node.App, FunctionID: node.Function, RunID: node.Run, SpanID: node.ID, TraceID: node.Trace, GroupID: known(node.Group),
		Name: node.Name, Status: generated.RunTraceSpanStatus(node.Status), Attempts: &node.Attempts, QueuedAt: node.QueuedAt,
		ScheduledAt: instant(node.ScheduledAt), StartedAt: instant(node.StartedAt), EndedAt: instant(node.EndedAt),
		ChildrenSpans: make([]*generated.RunTraceSpan, len(node.Children)), StepID: known(node.StepID), StepInfo: showInfo(node.Info),
		StepType: node.StepType, IsRoot: node.Root, ParentSpanID: known(node.Parent), IsUserland: node.Userland != nil,
		DebugRunID: identity(node.DebugRun), DebugSessionID: identity(node.DebugSession), SkipReason: known(node.SkipReason),
		SkipExistingRunID: known(node.SkipExisting), Metadata: make([]*generated.SpanMetadata, len(node.Metadata)), Page: page,
	}
	if node.HasDuration {
		duration := int(node.Duration.Milliseconds())
		shown.Duration = &duration
	}
	if node.Output != nil {
		id := node.Output.String()
		shown.OutputID = &id
	}
	if node.Op != "" {
		op := generated.StepOp(node.Op)
		shown.StepOp = &op
	}
	if node.Response != nil {
		shown.Response = &generated.RunTraceSpanResponseInfo{StatusCode: node.Response.Status, Headers: node.Response.Headers}
	}
	if node.Userland != nil {
		shown.UserlandSpan = showUserland(node.Userland)
	}
	for i, m := range node.Metadata {
		shown.Metadata[i] = &generated.SpanMetadata{
			Scope: m.Scope, Kind: m.Kind, Values: json.RawMessage(encode(m.Values)), UpdatedAt: m.UpdatedAt.UTC(),
		}
	}
	for i, child := range node.Children {
		shown.ChildrenSpans[i] = showTrace(child, page)
	}
	return shown
}

// identity reads an ID that may be missing.
func identity(text string) *ulid.ULID {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return nil
	}
	return &id
}

// given is nil for an ID that is not known.
func given(id ulid.ULID) *ulid.ULID {
	if id.IsZero() {
		return nil
	}
	return &id
}

func showInfo(info trace.StepInfo) generated.StepInfo {
	switch info := info.(type) {
	case trace.RunInfo:
		return generated.RunStepInfo{Type: known(info.Type)}
	case trace.SleepInfo:
		return generated.SleepStepInfo{SleepUntil: info.Until}
	case trace.EventInfo:
		return generated.WaitForEventStepInfo{
			EventName: info.Event, Expression: known(info.Expression), Timeout: info.Timeout, FoundEventID: given(info.Found), TimedOut: info.TimedOut,
		}
	case trace.InvokeInfo:
		return generated.InvokeStepInfo{
			TriggeringEventID: info.Event, FunctionID: info.Function, Timeout: info.Timeout, ReturnEventID: given(info.Return),
			RunID: given(info.Run), TimedOut: info.TimedOut,
		}
	case trace.SignalInfo:
		return generated.WaitForSignalStepInfo{Signal: info.Signal, Timeout: info.Timeout, TimedOut: info.TimedOut}
	}
	return nil
}

func showUserland(span *trace.Userland) *generated.UserlandSpan {
	return &generated.UserlandSpan{
		SpanName: known(span.Name), SpanKind: known(span.Kind), ServiceName: known(span.Service), ScopeName: known(span.Scope),
		ScopeVersion: known(span.ScopeVersion), SpanAttrs: known(string(span.Attributes)), ResourceAttrs: known(string(span.Resource)),
	}
}

// Run is the run that the span is of.
func (r spanFields) Run(ctx context.Context, obj *generated.RunTraceSpan) (*generated.FunctionRun, error) {
	run, ok, err := obj.Page.Get(ctx, obj.RunID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse("not found")
	}
	return r.functionRun(run), nil
}

// RunTraceSpanOutputByID is what went into a span and what came out. Spec 05 §7.4.
func (q query) RunTraceSpanOutputByID(ctx context.Context, outputID string) (*generated.RunTraceSpanOutput, error) {
	if _, err := trace.ParseOutputID(outputID); err != nil {
		return nil, shown(err)
	}
	found, err := q.Past.Output(ctx, outputID)
	if err != nil {
		return nil, err
	}
	shown := &generated.RunTraceSpanOutput{Input: known(string(found.Input))}
	if found.Error != nil {
		shown.Error = &generated.StepError{
			Message: found.Error.Message, Name: found.Error.Name, Stack: found.Error.Stack, Cause: found.Error.Cause,
		}
		return shown, nil
	}
	data := string(found.Data)
	shown.Data = &data
	return shown, nil
}

// RunTrigger is what started a run. Spec 05 §7.3.
func (q query) RunTrigger(ctx context.Context, text string) (*generated.RunTraceTrigger, error) {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return nil, refuse("error parsing runID: %s", err)
	}
	found, err := q.Past.Trigger(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return nil, refuse("error retrieving run: " + textNoRows)
	}
	if err != nil {
		return nil, err
	}
	shown := &generated.RunTraceTrigger{
		EventName: known(found.Name), IDs: found.Events, Payloads: make([]string, len(found.Payloads)), Timestamp: found.At,
		IsBatch: !found.Batch.IsZero(), BatchID: given(found.Batch), Cron: known(found.Cron),
	}
	if shown.IDs == nil {
		shown.IDs = []ulid.ULID{}
	}
	for i, e := range found.Payloads {
		shown.Payloads[i] = string(e.AppendStored(nil))
	}
	return shown, nil
}
