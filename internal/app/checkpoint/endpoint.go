package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// ErrRunExists says that the ID of a new run is that of a run of another function.
var ErrRunExists = errors.New("run already exists")

// Started is a run of a durable endpoint that has begun.
type Started struct {
	FunctionID, AppID uuid.UUID
	RunID             ulid.ULID
	// OutputToken lets its bearer have the run's output; empty when the request reported no steps.
	OutputToken string
	// StreamToken lets its bearer follow what the app streams.
	StreamToken string
}

// newRun is the request of Start.
type newRun struct {
	RunID          ulid.ULID       `json:"run_id"`
	Event          json.RawMessage `json:"event"`
	Steps          json.RawMessage `json:"steps"`
	RequestVersion *int            `json:"request_version"`
	Retries        *int            `json:"retries"`

	event    event.Event
	endpoint sdk.EndpointRequest
	ops      []sdk.Op
}

// invalidStart opens the text of every refusal of Start.
const invalidStart = "Invalid request body"

// parse reads the request; the error is an *InvalidError.
func (n *newRun) parse(body []byte) error {
	if err := json.Unmarshal(body, n); err != nil {
		return &InvalidError{Reason: invalidStart}
	}
	if n.RunID == (ulid.ULID{}) {
		return &InvalidError{Reason: invalidStart + ": run_id is required"}
	}
	var err error
	if n.event, err = event.Decode(n.Event); err == nil {
		n.endpoint, err = sdk.ParseEndpointRequest(n.event.Data)
	}
	if err != nil {
		return &InvalidError{Run: n.RunID, Reason: invalidStart + ": " + err.Error()}
	}
	n.ops, err = steps(n.RunID, n.Steps)
	return err
}

// steps reads the ops of a report; none for an absent list.
func steps(id ulid.ULID, raw json.RawMessage) ([]sdk.Op, error) {
	ops, err := sdk.ParseOps(raw)
	if large := (*sdk.SizeError)(nil); errors.As(err, &large) {
		return nil, &InvalidError{Run: id, Reason: "step " + large.Op + " output too large: " + large.Text, TooLarge: true}
	}
	if err != nil {
		return nil, &InvalidError{Reason: "invalid request body: " + err.Error()}
	}
	return ops, nil
}

// Start begins a run of a durable endpoint that is at work inside a client's request, and saves the steps that the request
// already reports. sdkName is what the app's SDK calls itself. All of it is durable when it returns. The ID of the run is the
// app's, and a request may be repeated: what is there already stays as it is. It returns an *InvalidError for a request that
// cannot be accepted, and ErrRunExists. Spec 02 §19, 04 §8.1.
func (c *Checkpoint) Start(ctx context.Context, sdkName string, body []byte) (Started, error) {
	var request newRun
	if err := request.parse(body); err != nil {
		return Started{}, err
	}
	fn, err := c.endpoint(ctx, request)
	if err != nil {
		return Started{}, err
	}
	if err := c.begin(ctx, fn, request, sdkName); err != nil {
		return Started{}, err
	}
	answer := Started{FunctionID: fn.ID, AppID: fn.AppID, RunID: request.RunID}
	if len(request.ops) > 0 {
		if err := c.report(ctx, request.RunID, request.ops); err != nil {
			return Started{}, err
		}
	}
	return c.sign(answer, len(request.ops) > 0)
}

// sign adds the tokens.
func (c *Checkpoint) sign(answer Started, output bool) (Started, error) {
	now := c.clock.Now()
	var err error
	if output {
		if answer.OutputToken, err = c.tokens.SignRun(realtime.NewRunClaims(ids.EnvID(), answer.RunID, now)); err != nil {
			return Started{}, err
		}
	}
	answer.StreamToken, err = c.tokens.SignRealtime(realtime.StreamClaims(c.ids.ULID(now), ids.EnvID(), answer.RunID, now))
	return answer, err
}

// endpoint returns the function that stands for the endpoint, and stores it when it is new or has changed. The run's row is
// written later, so that no run is ever without its function.
func (c *Checkpoint) endpoint(ctx context.Context, request newRun) (function.Function, error) {
	app, fn := function.Endpoint(request.endpoint.Domain, request.endpoint.Slug(), request.endpoint.Method, request.Retries)
	known, err := c.functions.Function(ctx, fn.ID)
	switch {
	case err == nil && known.MaxAttempts() == fn.MaxAttempts():
		return known, nil
	case err != nil && !errors.Is(err, ports.ErrNotFound):
		return function.Function{}, fmt.Errorf("endpoint %s: %w", fn.Slug, err)
	}
	if err := c.catalog.Sync(ctx, function.EndpointPlan(app, fn)); err != nil {
		return function.Function{}, fmt.Errorf("store endpoint %s: %w", fn.Slug, err)
	}
	c.functions.PutEndpoint(fn)
	return fn, nil
}

// begin creates the run with its event, unless it is there.
func (c *Checkpoint) begin(ctx context.Context, fn function.Function, request newRun, sdkName string) error {
	record, err := c.history.Run(ctx, request.RunID)
	switch {
	case err == nil && record.FunctionID != fn.ID:
		return fmt.Errorf("run %s: %w", request.RunID, ErrRunExists)
	case err == nil:
		return nil
	case !errors.Is(err, ports.ErrNotFound):
		return fmt.Errorf("run %s: %w", request.RunID, err)
	}
	if c.functions.Standing(fn.ID).Skip() != flow.NotSkipped {
		return &InvalidError{Run: request.RunID, Reason: "the function is paused"}
	}
	started := request.event
	if started.TS == 0 {
		started.TS = c.clock.Now().UnixMilli()
	}
	tracked := c.tracker.Track(started)
	spec := start.Spec(fn, c.functions, tracked...)
	spec.ID, spec.Key, spec.Now = request.RunID, request.RunID.String(), c.clock.Now()
	spec.Attached, spec.RequestVersion = true, request.RequestVersion
	spec.Endpoint = &run.Endpoint{Method: request.endpoint.Method, Language: sdk.EndpointLanguage(sdkName)}
	state, jobs := run.New(spec)
	_, err = c.store.Schedule(ctx, ports.Schedule{
		Runs: []ports.NewRun{{
			State: state, Start: jobs[0], More: jobs[1:], IdempotencyKey: state.Idempotency,
			Spans: trace.Scheduled(trace.Beginning{Spec: spec, Due: spec.Now, From: flow.FromRequest}),
		}},
		Publish: tracked,
	})
	if errors.Is(err, ports.ErrOutdated) {
		return &InvalidError{Run: request.RunID, Reason: "the function was paused, or its runs were cancelled, at the time of run_id"}
	}
	if err != nil {
		return fmt.Errorf("schedule run %s: %w", request.RunID, err)
	}
	return nil
}

// Report saves what a durable endpoint did in its client's request, and begins what it waits for; all of it is durable when it
// returns. The request is {"run_id","fn_id","app_id","steps"}. A step that is saved already keeps its memo, so that a request
// may be repeated; also when it has ended the run. It returns an *InvalidError for a request that cannot be accepted, among
// them one for a run that is not in progress. Spec 02 §19, 04 §8.2.
func (c *Checkpoint) Report(ctx context.Context, body []byte) error {
	var request struct {
		RunID ulid.ULID       `json:"run_id"`
		Steps json.RawMessage `json:"steps"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return &InvalidError{Reason: "invalid request body: " + err.Error()}
	}
	ops, err := steps(request.RunID, request.Steps)
	if err != nil {
		return err
	}
	return c.report(ctx, request.RunID, ops)
}

func (c *Checkpoint) report(ctx context.Context, id ulid.ULID, ops []sdk.Op) error {
	state, err := c.store.Load(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return c.reportLate(ctx, id, ops)
	}
	if err != nil {
		return fmt.Errorf("checkpoint run %s: %w", id, err)
	}
	fn, err := c.functions.Function(ctx, state.FunctionID)
	if err != nil {
		return fmt.Errorf("checkpoint run %s: %w", id, err)
	}
	_, t, err := c.advance.Apply(ctx, advance.Step{Run: id, Known: &state, Input: run.Synced{
		Ops: ops, MaxAttempts: fn.MaxAttempts(), Now: c.clock.Now(), Limits: c.limits(state.FunctionID),
	}})
	refused := (*run.CheckpointError)(nil)
	switch {
	case errors.As(err, &refused):
		return &InvalidError{Run: id, Reason: refused.Reason, TooLarge: refused.TooLarge}
	case errors.Is(err, run.ErrNotEndpoint):
		return &InvalidError{Run: id, Reason: run.ErrNotEndpoint.Error()}
	case errors.Is(err, ports.ErrNotFound):
		return c.reportLate(ctx, id, ops)
	case err != nil:
		return fmt.Errorf("checkpoint run %s: %w", id, err)
	case len(t.Pauses) > 0:
		c.waits.Began(ctx, id, t.Pauses)
	}
	return nil
}

// reportLate is for a run that is not in progress. That it has ended is no news to who reports its end.
func (c *Checkpoint) reportLate(ctx context.Context, id ulid.ULID, ops []sdk.Op) error {
	_, err := c.history.Run(ctx, id)
	switch {
	case err == nil && run.Ends(ops):
		return nil
	case err == nil, errors.Is(err, ports.ErrNotFound):
		return &InvalidError{Run: id, Reason: "run not found in state store"}
	}
	return fmt.Errorf("run %s: %w", id, err)
}
