package apiv2

import (
	"context"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
	api "github.com/ingothq/ingot/proto/api/v2"
)

// names tells what apps and functions are called, for one answer.
type names struct {
	*service

	apps map[uuid.UUID]function.App
}

func (s *service) names() *names { return &names{s, map[uuid.UUID]function.App{}} }

func (n *names) app(ctx context.Context, id uuid.UUID) (function.App, error) {
	if app, ok := n.apps[id]; ok {
		return app, nil
	}
	record, err := ports.One(n.Catalog.AppsByID(ctx, []uuid.UUID{id}))
	if err == nil {
		n.apps[id] = record.App
	}
	return record.App, err
}

// refs are what a function and its app are called; their UUIDs, with ports.ErrNotFound, when they are not known.
func (n *names) refs(ctx context.Context, app, fn uuid.UUID) (*api.FunctionRef, *api.AppRef, error) {
	called, itsApp := &api.FunctionRef{Id: fn.String()}, &api.AppRef{Id: app.String()}
	found, err := n.Functions.Function(ctx, fn)
	if err != nil {
		return called, itsApp, err
	}
	owner, err := n.app(ctx, found.AppID)
	if err != nil {
		return called, itsApp, err
	}
	return &api.FunctionRef{Id: publicID(owner, found), Name: found.Name}, &api.AppRef{Id: appRef(owner)}, nil
}

// run describes a run. With ports.ErrNotFound, for a function that is not known, it is complete but for names.
func (n *names) run(ctx context.Context, r ports.RunSummary, output bool) (*api.FunctionRun, error) {
	out := &api.FunctionRun{
		Id: r.RunID.String(), Status: runStatuses[r.Status], QueuedAt: stamp(r.QueuedAt), StartedAt: stamp(r.StartedAt), EndedAt: stamp(r.EndedAt),
		Trigger: triggerOf(r),
	}
	if !r.StartedAt.IsZero() && !r.EndedAt.IsZero() {
		duration := r.EndedAt.Sub(r.StartedAt).Milliseconds()
		out.DurationMs = &duration
	}
	if output && r.HasOutput {
		out.Output = object(ctx, trace.RunResult(r.Output))
	}
	var err error
	out.Function, out.App, err = n.refs(ctx, r.AppID, r.FunctionID)
	return out, err
}

func triggerOf(r ports.RunSummary) *api.FunctionRunTrigger {
	trigger := &api.FunctionRunTrigger{CronSchedule: optional(r.Cron)}
	for _, id := range r.Events {
		trigger.EventIds = append(trigger.EventIds, id.String())
	}
	if !r.Batch.IsZero() {
		batch, id := true, r.Batch.String()
		trigger.IsBatch, trigger.BatchId = &batch, &id
	}
	return trigger
}

var runStatuses = map[ports.RunStatus]api.FunctionRunStatus{
	ports.RunQueued:    api.FunctionRunStatus_FUNCTION_RUN_STATUS_QUEUED,
	ports.RunRunning:   api.FunctionRunStatus_FUNCTION_RUN_STATUS_RUNNING,
	ports.RunCompleted: api.FunctionRunStatus_FUNCTION_RUN_STATUS_COMPLETED,
	ports.RunFailed:    api.FunctionRunStatus_FUNCTION_RUN_STATUS_FAILED,
	ports.RunCancelled: api.FunctionRunStatus_FUNCTION_RUN_STATUS_CANCELLED,
	ports.RunSkipped:   api.FunctionRunStatus_FUNCTION_RUN_STATUS_SKIPPED,
}
