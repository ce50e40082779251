package apiv2

import (
	"context"
	"encoding/json"
	"errors"

	"connectrpc.com/connect"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
	api "github.com/ingothq/ingot/proto/api/v2"
)

const textTraceFailed = "Unable to build trace response"

// GetRunTrace implements apiv2connect.APIServiceHandler. Spec 04 §11.9.
func (s *service) GetRunTrace(ctx context.Context, r *connect.Request[api.GetRunTraceRequest]) (*connect.Response[api.GetRunTraceResponse], error) {
	id, err := runID(r.Msg.GetRunId())
	if err != nil {
		return nil, err
	}
	root, err := s.Reader.Trace(ctx, id, true)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return nil, notFound("Trace not found")
	case err != nil:
		return nil, broken(textTraceFailed, err)
	}
	tree := spans{service: s, outputs: r.Msg.GetIncludeOutput()}
	span, err := tree.span(ctx, root)
	if err != nil {
		return nil, broken(textTraceFailed, err)
	}
	return answer(&api.GetRunTraceResponse{Data: &api.RunTrace{RunId: id.String(), RootSpan: span}, Metadata: s.metadata()}, nil)
}

// maxTraceOutputs is how many bytes of inputs and outputs a trace has before the rest of them is left out.
const maxTraceOutputs = 32 << 20

// spans makes the spans of one answer.
type spans struct {
	*service

	outputs bool
	size    int
}

func (s *spans) span(ctx context.Context, node *trace.Node) (*api.TraceSpan, error) {
	out := &api.TraceSpan{
		Id: node.ID, Name: node.Name, Status: spanStatuses[node.Status], StepId: optional(node.StepID),
		QueuedAt: stamp(node.QueuedAt), StartedAt: stamp(node.StartedAt), EndedAt: stamp(node.EndedAt),
	}
	if op, ok := stepOps[node.Op]; ok {
		out.StepOp = &op
	}
	if node.HasDuration {
		duration := node.Duration.Milliseconds()
		out.DurationMs = &duration
	}
	for _, attached := range node.Metadata {
		values := make(map[string]string, len(attached.Values))
		for name, value := range attached.Values {
			values[name] = string(value)
		}
		out.Metadata = append(out.Metadata, &api.TraceMetadata{Scope: attached.Scope, Kind: attached.Kind, Values: values, UpdatedAt: stamp(attached.UpdatedAt)})
	}
	if err := s.payloads(ctx, node, out); err != nil {
		return nil, err
	}
	for _, child := range node.Children {
		below, err := s.span(ctx, child)
		if err != nil {
			return nil, err
		}
		out.Children = append(out.Children, below)
	}
	return out, nil
}

// payloads adds what went into a span and what came out.
func (s *spans) payloads(ctx context.Context, node *trace.Node, out *api.TraceSpan) error {
	if !s.outputs || node.Output == nil || s.size > maxTraceOutputs {
		return nil
	}
	found, err := s.Reader.Output(ctx, node.Output.String())
	if err != nil {
		return err
	}
	result := found.Data
	if found.Error != nil {
		if result, err = errorText(found.Error); err != nil {
			return err
		}
	}
	s.size += len(found.Input) + len(result)
	out.Input, out.Output = value(ctx, found.Input), value(ctx, result)
	return nil
}

// errorText is an error in the place of a result.
func errorText(e *trace.StepError) (json.RawMessage, error) {
	type member struct {
		Name    *string         `json:"name,omitempty"`
		Message string          `json:"message,omitempty"`
		Stack   *string         `json:"stack,omitempty"`
		Cause   json.RawMessage `json:"cause,omitempty"`
	}
	return json.Marshal(struct {
		Error member `json:"error"`
	}{member{e.Name, e.Message, e.Stack, e.Cause}})
}

var spanStatuses = map[trace.NodeStatus]api.TraceSpanStatus{
	trace.NodeQueued:    api.TraceSpanStatus_TRACE_SPAN_STATUS_WAITING,
	trace.NodeWaiting:   api.TraceSpanStatus_TRACE_SPAN_STATUS_WAITING,
	trace.NodeRunning:   api.TraceSpanStatus_TRACE_SPAN_STATUS_RUNNING,
	trace.NodeCompleted: api.TraceSpanStatus_TRACE_SPAN_STATUS_COMPLETED,
	trace.NodeFailed:    api.TraceSpanStatus_TRACE_SPAN_STATUS_FAILED,
	trace.NodeCancelled: api.TraceSpanStatus_TRACE_SPAN_STATUS_CANCELLED,
	trace.NodeSkipped:   api.TraceSpanStatus_TRACE_SPAN_STATUS_SKIPPED,
}

var stepOps = map[trace.StepOp]api.TraceStepOp{
	trace.OpRun:           api.TraceStepOp_TRACE_STEP_OP_RUN,
	trace.OpSleep:         api.TraceStepOp_TRACE_STEP_OP_SLEEP,
	trace.OpWaitForEvent:  api.TraceStepOp_TRACE_STEP_OP_WAIT_FOR_EVENT,
	trace.OpInvoke:        api.TraceStepOp_TRACE_STEP_OP_INVOKE,
	trace.OpWaitForSignal: api.TraceStepOp_TRACE_STEP_OP_WAIT_FOR_SIGNAL,
	trace.OpGateway:       api.TraceStepOp_TRACE_STEP_OP_AI_GATEWAY,
}
