package graphql

import (
	"context"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/trace"
)

// Defers are the runs that start when the run ends.
func (r runFields) Defers(ctx context.Context, obj *generated.FunctionRunV2) ([]*generated.RunDefer, error) {
	links, err := obj.Page.Links(ctx, obj.ID)
	if err != nil {
		return nil, err
	}
	return r.defers(links.Deferred), nil
}

// SiblingDefers are the other runs that those start which started the run.
func (r runFields) SiblingDefers(ctx context.Context, obj *generated.FunctionRunV2) ([]*generated.RunDefer, error) {
	links, err := obj.Page.Links(ctx, obj.ID)
	if err != nil {
		return nil, err
	}
	return r.defers(links.Siblings), nil
}

// DeferredFrom are the runs that started the run when they ended.
func (r runFields) DeferredFrom(ctx context.Context, obj *generated.FunctionRunV2) ([]*generated.RunDeferredFrom, error) {
	links, err := obj.Page.Links(ctx, obj.ID)
	if err != nil {
		return nil, err
	}
	parents := links.Parents
	page := loader.NewLinked(r.sources(), parents.Runs)
	shown := make([]*generated.RunDeferredFrom, len(parents.Runs))
	for i, parent := range parents.Runs {
		shown[i] = &generated.RunDeferredFrom{RunID: parent, FunctionSlug: parents.Slug, Page: page}
	}
	return shown, nil
}

// deferStatuses are those of runs that are deferred, as they are stored.
var deferStatuses = map[string]generated.RunDeferStatus{
	"after_run": generated.RunDeferStatusScheduled, "aborted": generated.RunDeferStatusAborted, "rejected": generated.RunDeferStatusRejected,
}

func (a *api) defers(list []trace.Deferred) []*generated.RunDefer {
	var ids []ulid.ULID
	for _, d := range list {
		if !d.Run.IsZero() {
			ids = append(ids, d.Run)
		}
	}
	page := loader.NewLinked(a.sources(), ids)
	shown := make([]*generated.RunDefer, len(list))
	for i, d := range list {
		shown[i] = &generated.RunDefer{
			HashedDeferID: d.ID, UserlandDeferID: d.UserID, FnSlug: d.Slug, Status: deferStatuses[d.Status], Page: page,
		}
		if !d.Run.IsZero() {
			shown[i].RunID = &list[i].Run
		}
	}
	return shown
}

// Function is the function that is deferred to, null when it is not active any more.
func (r deferFields) Function(ctx context.Context, obj *generated.RunDefer) (*generated.Function, error) {
	fn, err := obj.Page.Function(ctx, obj.FnSlug)
	if err != nil || fn == nil {
		return nil, err
	}
	return r.functionList([]function.Function{*fn})[0], nil
}

// Run is the run that was deferred, null until there is one.
func (r deferFields) Run(ctx context.Context, obj *generated.RunDefer) (*generated.FunctionRunV2, error) {
	if obj.RunID == nil {
		return nil, nil
	}
	return linked(ctx, obj.Page, *obj.RunID)
}

// Function is the function of the run that defers.
func (r deferredFields) Function(ctx context.Context, obj *generated.RunDeferredFrom) (*generated.Function, error) {
	fn, err := obj.Page.Function(ctx, obj.FunctionSlug)
	if err != nil {
		return nil, err
	}
	if fn == nil {
		return nil, refuse("error retrieving function: " + textNoRows)
	}
	return r.functionList([]function.Function{*fn})[0], nil
}

// Run is the run that defers.
func (r deferredFields) Run(ctx context.Context, obj *generated.RunDeferredFrom) (*generated.FunctionRunV2, error) {
	return linked(ctx, obj.Page, obj.RunID)
}

func linked(ctx context.Context, page *loader.Linked, id ulid.ULID) (*generated.FunctionRunV2, error) {
	run, shared, ok, err := page.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse("failed to get run")
	}
	return showRun(run, shared), nil
}
