package execute

import (
	"time"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// endpointRequest writes the call of a durable endpoint: the request that its run began with, once more. Spec 01 §12.
func (x *Executor) endpointRequest(lease ports.Lease, state run.State, call run.Call, _ function.Function, at time.Time) (ports.Call, error) {
	request, err := sdk.ParseEndpointRequest(state.Events[0].Data)
	if err != nil {
		return ports.Call{}, err
	}
	again := request.Call(state.Endpoint.Language)
	job := lease.Job
	header := sdk.HeaderInput{
		RunID: state.ID, Target: call.Target, JobID: job.ID, RequestID: ids.RequestID(at.UnixMilli(), job.ID, lease.Generation).String(),
		GenerationID: lease.Generation, Attempt: call.Attempt, RequestVersion: call.RequestVersion,
	}
	if x.config.SigningKey != "" {
		header.Signature = sdk.EndpointSignature(x.config.SigningKey, state.Endpoint.Language, again, at.Unix())
	}
	return ports.Call{
		Method: again.Method, URL: again.URL, Body: again.Body,
		Header: sdk.EndpointHeaders(header, again.ContentType, call.DisableImmediateExecution),
	}, nil
}
