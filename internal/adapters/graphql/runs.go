package graphql

import (
	"context"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/ports"
)

// maxRuns is how many runs a page has at most. Spec 05 §6.1.
const maxRuns = 400

// Statuses of runs, both ways. Spec 05 §6.2.
var (
	runStatuses = map[ports.RunStatus]generated.FunctionRunStatus{
		ports.RunQueued: generated.FunctionRunStatusQueued, ports.RunRunning: generated.FunctionRunStatusRunning,
		ports.RunCompleted: generated.FunctionRunStatusCompleted, ports.RunFailed: generated.FunctionRunStatusFailed,
		ports.RunCancelled: generated.FunctionRunStatusCancelled, ports.RunSkipped: generated.FunctionRunStatusSkipped,
	}
	askedStatuses = map[generated.FunctionRunStatus]ports.RunStatus{}
)

func init() { //nolint:gochecknoinits // the second table is the first one, the other way
	for status, shown := range runStatuses {
		askedStatuses[shown] = status
	}
}

// runTimes are the fields by which runs are ordered.
var runTimes = map[generated.RunsV2OrderByField]ports.RunTime{
	generated.RunsV2OrderByFieldQueuedAt: ports.ByQueued, generated.RunsV2OrderByFieldStartedAt: ports.ByStarted,
	generated.RunsV2OrderByFieldEndedAt: ports.ByEnded,
}

// Runs is a page of runs. Spec 05 §6. Both values of preview are answered from the same store.
func (q query) Runs(ctx context.Context, first int, after *string, orderBy []*generated.RunsV2OrderBy, filter generated.RunsFilterV2, _ *bool) (*generated.RunsV2Connection, error) {
	asked, err := q.runQuery(orderBy, filter)
	if err != nil {
		return nil, err
	}
	asked.Limit = pageSize(first, maxRuns)
	page := &generated.RunsV2Connection{Edges: []*generated.FunctionRunV2Edge{}, PageInfo: &generated.PageInfo{}, Query: asked}
	if after != nil {
		if asked.After, err = history.ParseCursor(asked.Time, *after); err != nil {
			return nil, refuse("error retrieving runs: %s", err)
		}
		page.PageInfo.HasPreviousPage = asked.After != nil
	}
	found, err := q.Past.Runs(ctx, asked)
	if err != nil {
		return nil, searchError("error retrieving runs", err)
	}
	page.PageInfo.HasNextPage = found.More
	for i, node := range showRuns(found.Runs, loader.NewRuns(q.sources(), found.Runs)) {
		page.Edges = append(page.Edges, &generated.FunctionRunV2Edge{Node: node, Cursor: history.Cursor(asked.Time, found.Runs[i])})
	}
	if n := len(page.Edges); n > 0 {
		page.PageInfo.StartCursor, page.PageInfo.EndCursor = &page.Edges[0].Cursor, &page.Edges[n-1].Cursor
	}
	return page, nil
}

// searchError shows what is wrong with a search.
func searchError(what string, err error) error {
	var unreadable *expr.SearchError
	var limit *history.SearchLimitError
	if errors.As(err, &unreadable) || errors.As(err, &limit) {
		return refuse("%s: %s", what, err)
	}
	return err
}

// runQuery is what is asked for, but for the page.
func (a *api) runQuery(orderBy []*generated.RunsV2OrderBy, filter generated.RunsFilterV2) (history.Query, error) {
	order := generated.RunsV2OrderBy{Field: generated.RunsV2OrderByFieldQueuedAt, Direction: generated.RunsOrderByDirectionDesc}
	switch {
	case len(orderBy) == 1:
		order = *orderBy[0]
	case len(orderBy) > 1:
		return history.Query{}, refuse("orderBy: runs are ordered by one field")
	}
	by, window := runTimes[order.Field], generated.RunsV2OrderByFieldQueuedAt
	if filter.TimeField != nil {
		window = *filter.TimeField
	}
	if (window == generated.RunsV2OrderByFieldEndedAt) != (by == ports.ByEnded) {
		return history.Query{}, refuse("filter.timeField: runs that are ordered by %s cannot be bounded by %s", order.Field, window)
	}
	list := ports.RunList{
		Functions: filter.FunctionIDs, Apps: filter.AppIDs, Time: by, From: filter.From, Until: a.Clock.Now(),
		Ascending: order.Direction == generated.RunsOrderByDirectionAsc, Deferred: filter.IsDeferred,
	}
	if filter.Until != nil {
		list.Until = *filter.Until
	}
	for _, status := range filter.Status {
		list.Statuses = append(list.Statuses, askedStatuses[status])
	}
	asked := history.Query{RunList: list}
	if filter.Query != nil {
		asked.Search = *filter.Query
	}
	return asked, nil
}

// TotalCount is the number of runs of all pages.
func (r runsFields) TotalCount(ctx context.Context, obj *generated.RunsV2Connection, _ *bool) (int, error) {
	total, err := r.Past.CountRuns(ctx, obj.Query)
	return total, searchError("error retrieving count for runs", err)
}

// showRuns shows runs that share a page.
func showRuns(list []ports.RunSummary, page *loader.Runs) []*generated.FunctionRunV2 {
	shown := make([]*generated.FunctionRunV2, len(list))
	for i, run := range list {
		shown[i] = showRun(run, page)
	}
	return shown
}

func showRun(run ports.RunSummary, page *loader.Runs) *generated.FunctionRunV2 {
	shown := &generated.FunctionRunV2{
		ID: run.RunID, AppID: run.AppID, FunctionID: run.FunctionID, TraceID: run.TraceID,
		QueuedAt: run.QueuedAt, StartedAt: instant(run.StartedAt), EndedAt: instant(run.EndedAt), Status: runStatuses[run.Status],
		TriggerIDs: run.Events, IsBatch: !run.Batch.IsZero(), CronSchedule: known(run.Cron), HasAi: run.AI, IsDeferred: run.Deferred,
		Page: page,
	}
	if shown.TriggerIDs == nil {
		shown.TriggerIDs = []ulid.ULID{}
	}
	if shown.IsBatch {
		shown.BatchCreatedAt = instant(ulid.Time(run.Batch.Time()))
	}
	return shown
}

// instant is nil for a time that is not known.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// App is the run's app, archived or not.
func (r runFields) App(ctx context.Context, obj *generated.FunctionRunV2) (*generated.App, error) {
	app, ok, err := obj.Page.Apps.Get(ctx, obj.AppID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse("error retrieving app: " + textNoRows)
	}
	return r.app(app.App, obj.Page.Active), nil
}

// Function is the run's function, archived or not.
func (r runFields) Function(ctx context.Context, obj *generated.FunctionRunV2) (*generated.Function, error) {
	fn, ok, err := obj.Page.Get(ctx, obj.FunctionID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse("error retrieving function: " + textNoRows)
	}
	return showFunction(fn, obj.Page.Apps, obj.Page.Active), nil
}

// EventName is the name of the event that started the run; null for a batch and for a schedule.
func (r runFields) EventName(ctx context.Context, obj *generated.FunctionRunV2) (*string, error) {
	if obj.IsBatch || obj.CronSchedule != nil || len(obj.TriggerIDs) == 0 {
		return nil, nil
	}
	e, _, err := obj.Page.Events.Get(ctx, obj.TriggerIDs[0])
	if err != nil {
		return nil, err
	}
	return known(e.Name), nil
}

// Trace is what happened in the run, in the new shape if preview is true, else in the older one.
func (r runFields) Trace(ctx context.Context, obj *generated.FunctionRunV2, preview *bool) (*generated.RunTraceSpan, error) {
	node, ok, err := obj.Page.Trace(ctx, obj.ID, preview != nil && *preview)
	if err != nil || !ok {
		return nil, err
	}
	return showTrace(node, obj.Page.Outputs), nil
}

// Output is what the function returned, or the error that ended it.
func (r runFields) Output(ctx context.Context, obj *generated.FunctionRunV2) (*string, error) {
	run, _, err := obj.Page.Outputs.Get(ctx, obj.ID)
	if err != nil || !run.HasOutput {
		return nil, err
	}
	output := string(run.Output)
	return &output, nil
}

// Run is a run by its ID. Spec 05 §7.1.
func (q query) Run(ctx context.Context, text string) (*generated.FunctionRunV2, error) {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return nil, refuse("error parsing runID: %s", err)
	}
	found, err := q.Past.Run(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return nil, refuse("error retrieving run: " + textNoRows)
	}
	if err != nil {
		return nil, err
	}
	return showRun(found, loader.NewRuns(q.sources(), []ports.RunSummary{found})), nil
}
