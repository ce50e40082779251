package apiv2

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/waiting"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	api "github.com/ingothq/ingot/proto/api/v2"
)

// Waiting says what runs in progress wait for.
type Waiting interface {
	// Why says what a run waits for; ports.ErrNotFound when it is not in progress.
	Why(ctx context.Context, id ulid.ULID) (waiting.Why, error)
}

const textWaitingFailed = "Unable to tell what the run waits for"

// GetRunWaiting implements apiv2connect.APIServiceHandler. A run that has ended waits for nothing.
func (s *service) GetRunWaiting(ctx context.Context, r *connect.Request[api.GetRunWaitingRequest]) (*connect.Response[api.GetRunWaitingResponse], error) {
	id, err := runID(r.Msg.GetRunId())
	if err != nil {
		return nil, err
	}
	// What it waits for is asked first, so that the status that is told is not older.
	why, err := s.Waiting.Why(ctx, id)
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		return nil, broken(textWaitingFailed, err)
	}
	summary, err := s.Reader.Run(ctx, id)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return nil, notFound(textRunNotFound)
	case err != nil:
		return nil, broken(textWaitingFailed, err)
	case summary.Status.Ended():
		why = waiting.Why{}
	}
	data := waitingOf(why)
	data.RunId, data.Status = id.String(), runStatuses[summary.Status]
	data.Function, data.App, err = s.names().refs(ctx, summary.AppID, summary.FunctionID)
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		return nil, broken(textWaitingFailed, err)
	}
	return answer(&api.GetRunWaitingResponse{Data: data, Metadata: s.metadata()}, nil)
}

// waitingOf is what is waited for, without the run's own names.
func waitingOf(why waiting.Why) *api.RunWaiting {
	data := &api.RunWaiting{Until: stamp(why.Until)}
	for _, job := range why.Jobs {
		data.Jobs = append(data.Jobs, waitingJob(job))
	}
	for _, pause := range why.Pauses {
		data.Pauses = append(data.Pauses, &api.WaitingPause{
			Kind: waitingPauses[pause.Kind], StepId: pause.Step, StepName: pause.Name, EventName: optional(pause.Event),
			Condition: optional(pause.Expression), Signal: optional(pause.Signal), Until: stamp(pause.Until),
		})
	}
	return data
}

func waitingJob(job waiting.Job) *api.WaitingJob {
	out := &api.WaitingJob{Id: job.ID, Reason: api.WaitingReason_WAITING_REASON_PARKED}
	if job.Parked {
		return out
	}
	out.Reason, out.ExpectedAt, out.Limit = waitingReasons[job.Reason], stamp(job.Expected), waitingLimit(job.Limit)
	switch job.Reason {
	case flow.ForWorker, flow.ForRoom, flow.ForToken:
		ahead := number(job.Ahead)
		out.Ahead = &ahead
	case flow.InHand, flow.DueLater:
	}
	if job.AtLeast {
		out.AheadIsAtLeast = &job.AtLeast
	}
	if job.Functions > 0 {
		functions := number(job.Functions)
		out.Functions = &functions
	}
	return out
}

func waitingLimit(limit *flow.Limit) *api.WaitingLimit {
	if limit == nil {
		return nil
	}
	out := &api.WaitingLimit{
		Kind: waitingLimits[limit.Kind], Key: optional(limit.Expression), Limit: number(limit.Number), Held: number(limit.Held),
	}
	if scope, ok := concurrencyScopes[limit.Scope]; ok {
		out.Scope = &scope
	}
	if limit.Every > 0 {
		every := max(1, limit.Every.Round(time.Millisecond).Milliseconds())
		out.EveryMs = &every
	}
	return out
}

var (
	waitingReasons = map[flow.Reason]api.WaitingReason{
		flow.InHand: api.WaitingReason_WAITING_REASON_RUNNING, flow.DueLater: api.WaitingReason_WAITING_REASON_LATER,
		flow.ForWorker: api.WaitingReason_WAITING_REASON_WORKER, flow.ForRoom: api.WaitingReason_WAITING_REASON_ROOM,
		flow.ForToken: api.WaitingReason_WAITING_REASON_THROTTLE,
	}
	waitingLimits = map[flow.LimitKind]api.WaitingLimitKind{
		flow.LimitAccount: api.WaitingLimitKind_WAITING_LIMIT_KIND_ACCOUNT, flow.LimitFunction: api.WaitingLimitKind_WAITING_LIMIT_KIND_FUNCTION,
		flow.LimitKey: api.WaitingLimitKind_WAITING_LIMIT_KIND_KEY, flow.LimitRuns: api.WaitingLimitKind_WAITING_LIMIT_KIND_RUNS,
		flow.LimitThrottle: api.WaitingLimitKind_WAITING_LIMIT_KIND_THROTTLE,
	}
	waitingPauses = map[run.PauseKind]api.WaitingPauseKind{
		run.PauseEvent: api.WaitingPauseKind_WAITING_PAUSE_KIND_EVENT, run.PauseSignal: api.WaitingPauseKind_WAITING_PAUSE_KIND_SIGNAL,
		run.PauseInvoke: api.WaitingPauseKind_WAITING_PAUSE_KIND_INVOKE,
	}
)
