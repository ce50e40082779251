package apiv2

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	api "github.com/ingothq/ingot/proto/api/v2"
)

const (
	textRunNotFound  = "Run not found"
	textRerunFailed  = "Unable to rerun run"
	textCancelFailed = "Unable to cancel run"
)

// runID reads the ID of a run. The error is the answer.
func runID(text string) (ulid.ULID, error) {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return id, badFormat("Run ID must be a valid ULID")
	}
	return id, nil
}

// Rerun implements apiv2connect.APIServiceHandler. Spec 04 §11.8.
func (s *service) Rerun(ctx context.Context, r *connect.Request[api.RerunRequest]) (*connect.Response[api.RerunResponse], error) {
	id, err := runID(r.Msg.GetRunId())
	if err != nil {
		return nil, err
	}
	from, err := fromStep(ctx, r.Msg.GetFromStep())
	if err != nil {
		return nil, err
	}
	next, err := s.Reruns.Run(context.WithoutCancel(ctx), id, from)
	if err != nil {
		return nil, notRerun(err)
	}
	return answer(&api.RerunResponse{Data: &api.RerunData{RunId: next.String()}, Metadata: s.metadata()}, nil)
}

// fromStep is where to begin; nil for the beginning.
func fromStep(ctx context.Context, step *api.RerunFromStep) (*run.From, error) {
	if step == nil {
		return nil, nil
	}
	if step.GetStepId() == "" {
		return nil, missing("Step ID is required")
	}
	from := &run.From{Step: step.GetStepId()}
	if step.GetInput() == nil {
		return from, nil
	}
	if call := restOf(ctx); call != nil && call.body != nil {
		from.Input = rawInput(call.body)
		return from, nil
	}
	input, err := codec{}.MarshalAppend(nil, step.GetInput())
	if err != nil {
		return nil, fail(http.StatusBadRequest, codeFormat, "fromStep.input: "+err.Error())
	}
	from.Input = input
	return from, nil
}

// rawInput is the step's input of a body that was read already, with all its digits.
func rawInput(body []byte) json.RawMessage {
	type step struct {
		Input json.RawMessage `json:"input"`
	}
	var request struct {
		Camel *step `json:"fromStep"`
		Snake *step `json:"from_step"`
	}
	if json.Unmarshal(body, &request) != nil {
		return nil
	}
	if request.Camel != nil {
		return request.Camel.Input
	}
	if request.Snake != nil {
		return request.Snake.Input
	}
	return nil
}

// notRerun says why a run was not started again.
func notRerun(err error) *failure {
	switch {
	case errors.Is(err, run.ErrNoSuchStep):
		return fail(http.StatusBadRequest, codeInvalid, "Step not found in original run")
	case errors.Is(err, run.ErrAmbiguousStep):
		return fail(http.StatusBadRequest, codeInvalid, "Step name matches multiple steps in original run")
	case errors.Is(err, run.ErrStepInput):
		return fail(http.StatusBadRequest, codeInvalid, run.ErrStepInput.Error())
	case errors.Is(err, ports.ErrNotFound):
		return notFound(textRunNotFound)
	case errors.Is(err, rerun.ErrNoFunction):
		return notFound(textFunctionNotFound)
	case errors.Is(err, rerun.ErrNoEvents):
		return notFound("The events of the run are not kept any more")
	}
	return notStarted(textRerunFailed, err)
}

// CancelRun implements apiv2connect.APIServiceHandler. Spec 04 §11.8.
func (s *service) CancelRun(ctx context.Context, r *connect.Request[api.CancelRunRequest]) (*connect.Response[api.CancelRunResponse], error) {
	id, err := runID(r.Msg.GetRunId())
	if err != nil {
		return nil, err
	}
	err = s.Runs.Cancel(context.WithoutCancel(ctx), id)
	if errors.Is(err, ports.ErrNotFound) {
		return nil, s.notCancelled(ctx, id)
	}
	if err != nil {
		return nil, broken(textCancelFailed, err)
	}
	return answer(&api.CancelRunResponse{Data: &api.CancelRunData{RunId: id.String()}, Metadata: s.metadata()}, nil)
}

// notCancelled says why a run that is not in progress cannot be cancelled.
func (s *service) notCancelled(ctx context.Context, id ulid.ULID) *failure {
	record, err := s.History.Run(ctx, id)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return notFound(textRunNotFound)
	case err != nil:
		return broken(textCancelFailed, err)
	case record.Status == run.Cancelled:
		return fail(http.StatusConflict, codeRunCancelled, "Run is already cancelled")
	}
	return fail(http.StatusConflict, codeRunEnded, "Cannot cancel an ended run")
}
