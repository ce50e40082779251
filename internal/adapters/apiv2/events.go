package apiv2

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"connectrpc.com/connect"

	"github.com/ingothq/ingot/internal/app/invoke"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	api "github.com/ingothq/ingot/proto/api/v2"
)

// maxEventName bounds the name of an event, in bytes.
const maxEventName = 512

// SendEvent implements apiv2connect.APIServiceHandler. Spec 03 §12.
func (s *service) SendEvent(ctx context.Context, r *connect.Request[api.SendEventRequest]) (*connect.Response[api.SendEventResponse], error) {
	e, err := s.readEvent(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	// What is accepted is accepted, also when the client goes away now.
	accepted, err := s.Ingest.Accept(context.WithoutCancel(ctx), []event.Event{e}, nil, 0)
	if err != nil {
		return nil, broken("Unable to send event", err)
	}
	return answer(&api.SendEventResponse{Data: &api.SentEvent{EventId: accepted[0].String()}, Metadata: s.metadata()}, nil)
}

func (s *service) readEvent(ctx context.Context, m *api.SendEventRequest) (event.Event, error) {
	switch {
	case m.GetName() == "":
		return event.Event{}, missing("Event name is required")
	case len(m.GetName()) > maxEventName:
		return event.Event{}, badFormat("Event name cannot exceed 512 characters")
	case event.IsInternal(m.GetName()):
		return event.Event{}, badFormat("event name is reserved for internal use: " + m.GetName())
	}
	e, err := dataOf(ctx, m.GetData(), m.GetUser())
	if err == nil {
		e.Name, e.ID, e.TS = m.GetName(), m.GetId(), m.GetTs()
		e, err = event.Normalise(e, s.Clock.Now())
	}
	if err != nil {
		return event.Event{}, fail(http.StatusBadRequest, codeValidation, err.Error())
	}
	if len(e.AppendStored(nil)) > maxEvent {
		return event.Event{}, fail(http.StatusBadRequest, codeValidation, fmt.Sprintf("Event payload cannot exceed %d bytes", maxEvent))
	}
	return e, nil
}

// InvokeFunction implements apiv2connect.APIServiceHandler. Spec 04 §11.6.
func (s *service) InvokeFunction(ctx context.Context, r *connect.Request[api.InvokeFunctionRequest]) (*connect.Response[api.InvokeFunctionResponse], error) {
	switch m := r.Msg; {
	case m.GetAppId() == "":
		return nil, missing("App ID is required")
	case m.GetFunctionId() == "":
		return nil, missing("Function ID is required")
	case m.GetData() == nil:
		return nil, missing("Input data is required")
	}
	_, fn, err := s.function(ctx, r.Msg.GetAppId(), r.Msg.GetFunctionId())
	if err != nil {
		return nil, err
	}
	input, err := dataOf(ctx, r.Msg.GetData(), nil)
	if err != nil {
		return nil, fail(http.StatusBadRequest, codeValidation, err.Error())
	}
	started, err := s.Invoker.Invoke(context.WithoutCancel(ctx), fn, input.Data, r.Msg.GetIdempotencyKey())
	if err != nil {
		return nil, notStarted("There was an error invoking your function", err)
	}
	out := connect.NewResponse(&api.InvokeFunctionResponse{Data: &api.InvokedRun{RunId: started.RunID.String()}, Metadata: s.metadata()})
	if started.Replayed {
		out.Header().Set(headerReplayed, "true")
	}
	return out, nil
}

// notStarted says why a run that is asked for does not start; other is the text for all other reasons.
func notStarted(other string, err error) *failure {
	const status = http.StatusUnprocessableEntity
	switch {
	case errors.Is(err, start.ErrRateLimited):
		return fail(status, codeRateLimited, "Function execution rate limit exceeded. Please try again later.")
	case errors.Is(err, start.ErrDebounced):
		return fail(status, codeDebounced, "Function invocation was debounced.")
	case errors.Is(err, start.ErrPaused):
		return fail(status, codeSkipped, "Function invocation was skipped because the function is paused or draining.")
	case errors.Is(err, start.ErrSingleton):
		return fail(status, codeSkipped, "Function invocation was skipped because another run of the function is in progress.")
	case errors.Is(err, invoke.ErrFlow):
		return fail(status, codeSkipped, "Function invocation was skipped because a flow control key of the function failed on its data.")
	}
	return broken(other, err)
}
