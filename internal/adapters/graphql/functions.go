package graphql

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
	"github.com/ingothq/ingot/internal/domain/function"
)

// Functions are the active functions of the active apps, in the order of their slugs. Spec 05 §4.1.
func (q query) Functions(ctx context.Context) ([]*generated.Function, error) {
	all, err := q.Catalog.Functions(ctx)
	if err != nil {
		return nil, err
	}
	return q.functionList(all), nil
}

// FunctionBySlug is the active function of that slug; of several apps' the first in the order of IDs.
func (q query) FunctionBySlug(ctx context.Context, asked generated.FunctionQuery) (*generated.Function, error) {
	fn, err := loader.NewActive(q.Catalog).WithSlug(ctx, asked.FunctionSlug)
	if err != nil {
		return nil, err
	}
	if fn == nil {
		return nil, refuse(textNoRows)
	}
	return q.functionList([]function.Function{*fn})[0], nil
}

// functionList shows functions of one list, in the order of their slugs.
func (a *api) functionList(list []function.Function) []*generated.Function {
	list = slices.SortedFunc(slices.Values(list), func(x, y function.Function) int {
		return strings.Compare(x.Slug+"\x00"+x.ID.String(), y.Slug+"\x00"+y.ID.String())
	})
	ids := make([]uuid.UUID, len(list))
	for i, fn := range list {
		ids[i] = fn.AppID
	}
	apps, active := loader.NewApps(a.Catalog, ids), loader.NewActive(a.Catalog)
	shown := make([]*generated.Function, len(list))
	for i, fn := range list {
		shown[i] = showFunction(fn, apps, active)
	}
	return shown
}

func showFunction(fn function.Function, apps *loader.Apps, active *loader.Active) *generated.Function {
	return &generated.Function{
		ID: fn.ID.String(), Name: fn.Name, Slug: fn.Slug, Config: string(fn.Config), Concurrency: functionLimit(fn.Settings.Concurrency),
		Triggers: showTriggers(fn.Triggers), URL: urlOf(fn), AppID: fn.AppID.String(), Source: fn, Apps: apps, Active: active,
	}
}

// urlOf is where the function is called.
func urlOf(fn function.Function) string {
	if fn.Step.URI == "" && fn.Settings.Driver != nil {
		return fn.Settings.Driver.URI
	}
	return fn.Step.URI
}

// functionLimit is the limit that holds for the function whatever its event, 0 for none. Spec 05 §4.3.
func functionLimit(c *function.Concurrency) int {
	if c == nil {
		return 0
	}
	for _, limit := range c.Step {
		if limit.Scope == function.ScopeFunction && limit.Key == "" {
			return limit.Limit
		}
	}
	return 0
}

func showTriggers(list []function.Trigger) []*generated.FunctionTrigger {
	if list == nil {
		return nil
	}
	shown := make([]*generated.FunctionTrigger, 0, len(list))
	for _, trigger := range list {
		if trigger.Cron != "" {
			shown = append(shown, &generated.FunctionTrigger{Type: generated.FunctionTriggerTypesCron, Value: trigger.Cron})
			continue
		}
		shown = append(shown, &generated.FunctionTrigger{
			Type: generated.FunctionTriggerTypesEvent, Value: trigger.Event, Condition: known(trigger.Expression),
		})
	}
	return shown
}

// FailureHandler is the function that SDKs register for the failures of this one.
func (r functionFields) FailureHandler(ctx context.Context, obj *generated.Function) (*generated.Function, error) {
	handler, err := obj.Active.WithSlug(ctx, obj.Slug+"-failure")
	if err != nil || handler == nil {
		return nil, err
	}
	return showFunction(*handler, obj.Apps, obj.Active), nil
}

// App is the function's app, archived or not.
func (r functionFields) App(ctx context.Context, obj *generated.Function) (*generated.App, error) {
	app, ok, err := obj.Apps.Get(ctx, obj.Source.AppID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse(textNoRows)
	}
	return r.app(app.App, obj.Active), nil
}

// scopes are those of limits. Spec 05 §4.4.
var scopes = map[function.Scope]generated.ConcurrencyScope{
	function.ScopeFunction: generated.ConcurrencyScopeFunction, function.ScopeEnv: generated.ConcurrencyScopeEnvironment,
	function.ScopeAccount: generated.ConcurrencyScopeAccount,
}

// Configuration is what the function asks for. Spec 05 §4.4.
func (r functionFields) Configuration(_ context.Context, obj *generated.Function) (*generated.FunctionConfiguration, error) {
	fn, s := obj.Source, obj.Source.Settings
	retries := function.DefaultRetries
	if fn.Step.Retries != nil {
		retries = *fn.Step.Retries
	}
	isDefault := retries == function.DefaultRetries
	shown := &generated.FunctionConfiguration{
		Cancellations: []*generated.CancellationConfiguration{},
		Retries:       &generated.RetryConfiguration{Value: retries, IsDefault: &isDefault},
		Concurrency:   showConcurrency(s.Concurrency),
	}
	for _, cancel := range s.Cancel {
		shown.Cancellations = append(shown.Cancellations, &generated.CancellationConfiguration{
			Event: cancel.Event, Timeout: known(cancel.Timeout), Condition: known(cancel.If),
		})
	}
	if s.Priority != nil {
		shown.Priority = s.Priority.Run
	}
	if b := s.Batch; b != nil {
		shown.EventsBatch = &generated.EventsBatchConfiguration{MaxSize: b.MaxSize, Timeout: b.Timeout, Key: known(b.Key)}
	}
	if l := s.RateLimit; l != nil {
		shown.RateLimit = &generated.RateLimitConfiguration{Limit: l.Limit, Period: l.Period, Key: known(l.Key)}
	}
	if d := s.Debounce; d != nil {
		shown.Debounce = &generated.DebounceConfiguration{Period: d.Period, Key: known(d.Key)}
	}
	if t := s.Throttle; t != nil {
		shown.Throttle = &generated.ThrottleConfiguration{
			Burst: t.Burst, Key: known(t.Key), Limit: t.Limit, Period: time.Duration(t.Period).String(),
		}
	}
	if one := s.Singleton; one != nil {
		shown.Singleton = &generated.SingletonConfiguration{Mode: generated.SingletonModeSkip, Key: known(one.Key)}
		if one.Mode == function.SingletonCancel {
			shown.Singleton.Mode = generated.SingletonModeCancel
		}
	}
	return shown, nil
}

func showConcurrency(c *function.Concurrency) []*generated.ConcurrencyConfiguration {
	limits := c.Shown()
	shown := make([]*generated.ConcurrencyConfiguration, len(limits))
	for i, limit := range limits {
		shown[i] = &generated.ConcurrencyConfiguration{
			Scope: scopes[limit.Scope], Key: known(limit.Key),
			Limit: &generated.ConcurrencyLimitConfiguration{Value: limit.Limit, IsPlanLimit: new(limit.OfPlan())},
		}
	}
	return shown
}
