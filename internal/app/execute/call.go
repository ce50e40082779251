package execute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// call builds the request for a job and makes it. What is wrong with the run or its function comes back as a response
// that failed, so that it takes the way of every failed attempt and ends the run visibly.
func (x *Executor) call(ctx context.Context, lease ports.Lease, state run.State, call run.Call, at time.Time) (sdk.Response, error) {
	fn, err := x.functions.Function(ctx, state.FunctionID)
	if errors.Is(err, ports.ErrNotFound) {
		return sdk.Response{TransportError: "the run's function no longer exists"}, nil
	}
	if err != nil {
		return sdk.Response{}, fmt.Errorf("function %s of run %s: %w", state.FunctionID, state.ID, err)
	}
	build := x.request
	if state.Endpoint != nil {
		build = x.endpointRequest
	}
	request, err := build(lease, state, call, fn, at)
	if err != nil {
		return sdk.Response{TransportError: err.Error()}, nil
	}
	response, err := x.worker.Call(ctx, request)
	if err != nil {
		return sdk.Response{}, fmt.Errorf("call app for run %s: %w", state.ID, err)
	}
	return response, nil
}

// request writes the call. Spec 01 §8.
func (x *Executor) request(lease ports.Lease, state run.State, call run.Call, fn function.Function, at time.Time) (ports.Call, error) {
	url, err := sdk.CallURL(fn.Step.URI, call.Target)
	if err != nil {
		return ports.Call{}, err
	}
	job := lease.Job
	language := x.functions.SDK(fn.AppID)
	request := ids.RequestID(at.UnixMilli(), job.ID, lease.Generation).String()
	input := sdk.CallInput{
		RunID: state.ID, FunctionID: state.FunctionID, StepID: sdk.NoTarget,
		JobID: job.ID, RequestID: request, GenerationID: lease.Generation,
		Attempt: call.Attempt, MaxAttempts: call.MaxAttempts,
		DisableImmediateExecution: call.DisableImmediateExecution, RequestVersion: call.RequestVersion,
		Stack: state.Stack, Current: call.Current, Steps: state.Steps, Inputs: state.InputMemos(), Defers: state.Abortable(), Language: language,
		Events: make([]json.RawMessage, len(state.Events)),
	}
	for i, e := range state.Events {
		const frame = 128 // the members' names, the time and the quotes
		input.Events[i] = e.AppendCall(make([]byte, 0, frame+len(e.Data)+len(e.User)+len(e.ID)+len(e.Name)+len(e.V)))
	}
	input.Event = input.Events[0]
	body, err := sdk.AppendBody(make([]byte, 0, bodySize(input)), input)
	if err != nil {
		return ports.Call{}, err
	}
	place := trace.Of(state.ID)
	header := sdk.HeaderInput{
		RunID: state.ID, FunctionID: state.FunctionID, AppID: state.AppID, Target: call.Target,
		JobID: job.ID, RequestID: request, GenerationID: lease.Generation, Attempt: call.Attempt, RequestVersion: call.RequestVersion,
		TraceID: place.ID, TraceRef: place.Parent,
	}
	if x.config.SigningKey != "" {
		if header.Signature, err = sdk.Signature(x.config.SigningKey, body, at.Unix()); err != nil {
			return ports.Call{}, fmt.Errorf("sign call: %w", err)
		}
	}
	return ports.Call{URL: url, Header: sdk.Headers(header), Body: body}, nil
}

// bodySize is roughly how long the body will be, so that it is written without growing.
func bodySize(in sdk.CallInput) int {
	const frame, perStep = 800, len(`"",`) + len(`"":,`) // a step is named on the stack and before its memo
	size := frame + len(in.Event)
	for _, e := range in.Events {
		size += len(e) + 1
	}
	for _, id := range in.Stack {
		size += perStep + 2*len(id) + len(in.Steps[id])
	}
	return min(size, sdk.MaxCallBytes)
}
