package apiv2

import (
	"time"

	"github.com/ingothq/ingot/internal/domain/function"
	api "github.com/ingothq/ingot/proto/api/v2"
)

// functionOf is a function with its configuration. Spec 04 §11.5.
func (s *service) functionOf(app function.App, fn function.Function) *api.Function {
	id := publicID(app, fn)
	out := &api.Function{Id: id, Name: fn.Name, Slug: id, App: &api.AppRef{Id: appRef(app)}, Configuration: configurationOf(fn)}
	if paused := s.Functions.Standing(fn.ID).Paused; paused {
		out.IsPaused = &paused
	}
	for _, trigger := range fn.Triggers {
		if trigger.Cron != "" {
			out.Triggers = append(out.Triggers, &api.FunctionTrigger{Type: api.FunctionTriggerType_FUNCTION_TRIGGER_TYPE_CRON, Value: trigger.Cron})
			continue
		}
		out.Triggers = append(out.Triggers, &api.FunctionTrigger{
			Type: api.FunctionTriggerType_FUNCTION_TRIGGER_TYPE_EVENT, Value: trigger.Event, If: optional(trigger.Expression),
		})
	}
	return out
}

func configurationOf(fn function.Function) *api.FunctionConfiguration {
	settings := fn.Settings
	byDefault := fn.Step.Retries == nil
	out := &api.FunctionConfiguration{
		Retries:     &api.FunctionRetries{Value: number(fn.MaxAttempts() - 1), IsDefault: &byDefault},
		Concurrency: concurrencyOf(settings.Concurrency),
	}
	for _, c := range settings.Cancel {
		out.Cancellations = append(out.Cancellations, &api.FunctionCancellation{Event: c.Event, Timeout: optional(c.Timeout), Condition: optional(c.If)})
	}
	if settings.Priority != nil {
		out.Priority = settings.Priority.Run
	}
	if b := settings.Batch; b != nil {
		out.EventsBatch = &api.FunctionEventsBatch{MaxSize: number(b.MaxSize), Timeout: b.Timeout, Key: optional(b.Key)}
	}
	if r := settings.RateLimit; r != nil {
		out.RateLimit = &api.FunctionRateLimit{Limit: number(r.Limit), Period: r.Period, Key: optional(r.Key)}
	}
	if d := settings.Debounce; d != nil {
		out.Debounce = &api.FunctionDebounce{Period: d.Period, Key: optional(d.Key)}
	}
	if t := settings.Throttle; t != nil {
		out.Throttle = &api.FunctionThrottle{Burst: number(t.Burst), Limit: number(t.Limit), Period: time.Duration(t.Period).String(), Key: optional(t.Key)}
	}
	if only := settings.Singleton; only != nil {
		mode := api.FunctionSingletonMode_FUNCTION_SINGLETON_MODE_SKIP
		if only.Mode == function.SingletonCancel {
			mode = api.FunctionSingletonMode_FUNCTION_SINGLETON_MODE_CANCEL
		}
		out.Singleton = &api.FunctionSingleton{Mode: mode, Key: optional(only.Key)}
	}
	return out
}

func concurrencyOf(limits *function.Concurrency) []*api.FunctionConcurrency {
	scopes := map[function.Scope]api.FunctionConcurrencyScope{
		function.ScopeFunction: api.FunctionConcurrencyScope_FUNCTION_CONCURRENCY_SCOPE_FUNCTION,
		function.ScopeEnv:      api.FunctionConcurrencyScope_FUNCTION_CONCURRENCY_SCOPE_ENVIRONMENT,
		function.ScopeAccount:  api.FunctionConcurrencyScope_FUNCTION_CONCURRENCY_SCOPE_ACCOUNT,
	}
	shown := limits.Shown()
	out := make([]*api.FunctionConcurrency, len(shown))
	for i, step := range shown {
		out[i] = &api.FunctionConcurrency{
			Scope: scopes[step.Scope], Limit: &api.FunctionConcurrencyLimit{Value: number(step.Limit), IsPlanLimit: new(step.OfPlan())}, Key: optional(step.Key),
		}
	}
	return out
}

// number is one that an app chose, at most what fits.
func number(n int) int32 {
	const most = 1<<31 - 1
	return int32(max(min(n, most), -most))
}
