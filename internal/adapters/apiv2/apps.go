package apiv2

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
	api "github.com/ingothq/ingot/proto/api/v2"
)

// Pages of lists.
const (
	defaultPage = 20
	maxPage     = 100
)

const (
	textAppNotFound      = "App not found"
	textAppsFailed       = "Unable to fetch apps"
	textAppFailed        = "Unable to fetch app"
	textFunctionNotFound = "Function not found"
	textFunctionFailed   = "Unable to fetch function"
	textFunctionsFailed  = "Unable to fetch functions"
	textCursorInvalid    = "Cursor is invalid"
)

// GetApps implements apiv2connect.APIServiceHandler. Spec 04 §11.4.
func (s *service) GetApps(ctx context.Context, r *connect.Request[api.GetAppsRequest]) (*connect.Response[api.GetAppsResponse], error) {
	size, after, err := catalogPage(r.Msg.Limit, r.Msg.GetCursor())
	if err != nil {
		return nil, err
	}
	records, err := s.Catalog.AppPage(ctx, ports.AppQuery{Archived: r.Msg.GetArchived(), After: after, Limit: size + 1})
	if err != nil {
		return nil, broken(textAppsFailed, err)
	}
	records, page := cut(records, size, func(r ports.AppRecord) string { return r.ID.String() })
	apps := make([]*api.App, len(records))
	for i, record := range records {
		apps[i] = appOf(record)
	}
	return answer(&api.GetAppsResponse{Data: apps, Metadata: s.metadata(), Page: page}, nil)
}

// GetApp implements apiv2connect.APIServiceHandler. Spec 04 §11.4.
func (s *service) GetApp(ctx context.Context, r *connect.Request[api.GetAppRequest]) (*connect.Response[api.GetAppResponse], error) {
	record, err := s.app(ctx, r.Msg.GetAppId())
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return nil, notFound(textAppNotFound)
	case err != nil:
		return nil, broken(textAppFailed, err)
	}
	return answer(&api.GetAppResponse{Data: appOf(record), Metadata: s.metadata()}, nil)
}

// catalogPage reads what selects a page of apps or functions. No limit, and a limit of zero, is the default.
func catalogPage(asked *int32, cursor string) (size int, after uuid.UUID, err error) {
	size = defaultPage
	if asked != nil && *asked != 0 {
		if size, err = limit(asked, maxPage); err != nil {
			return 0, after, err
		}
	}
	if cursor == "" {
		return size, after, nil
	}
	if after, err = uuid.Parse(cursor); err != nil {
		return 0, after, badFormat(textCursorInvalid)
	}
	return size, after, nil
}

// cut makes a page out of one more item than it may have.
func cut[T any](items []T, size int, cursor func(T) string) ([]T, *api.Page) {
	page := &api.Page{Limit: number(size), HasMore: len(items) > size}
	if page.GetHasMore() {
		items = items[:size]
		page.Cursor = cursor(items[size-1])
	}
	return items, page
}

// app finds an app by its name, or by its UUID, archived or not. Names that came escaped twice, as clients of the reference send
// a slash, are found as well.
func (s *service) app(ctx context.Context, name string) (ports.AppRecord, error) {
	for _, name := range spellings(name) {
		app, err := s.Catalog.AppByName(ctx, name)
		switch {
		case err == nil && !app.Archived:
			return app, nil
		case err != nil && !errors.Is(err, ports.ErrNotFound):
			return ports.AppRecord{}, err
		}
		if id, err := uuid.Parse(name); err == nil {
			return ports.One(s.Catalog.AppsByID(ctx, []uuid.UUID{id}))
		}
	}
	return ports.AppRecord{}, ports.ErrNotFound
}

// spellings are a part of a path as it is and, if that is another, unescaped once more. Spec 04 §11.1.
func spellings(text string) []string {
	if more, err := url.PathUnescape(text); err == nil && more != text {
		return []string{text, more}
	}
	return []string{text}
}

func appOf(record ports.AppRecord) *api.App {
	app := &api.App{
		Id: appRef(record.App), Name: record.Name, Method: appMethods[record.Method], AppVersion: optional(record.AppVersion),
		CreatedAt: timestamppb.New(record.CreatedAt), FunctionCount: number(record.Functions),
		LatestSync: &api.AppSync{
			SdkLanguage: optional(record.SDK), SdkVersion: optional(record.SDKVersion), Framework: optional(record.Framework),
			Url: optional(record.URL), Error: optional(record.Error), AppVersion: optional(record.AppVersion),
		},
	}
	if record.Archived {
		app.IsArchived, app.ArchivedAt = &record.Archived, timestamppb.New(record.ArchivedAt)
	}
	return app
}

// appRef is what an app is called by: its name, or its UUID while it has none.
func appRef(app function.App) string {
	if app.Name == "" {
		return app.ID.String()
	}
	return app.Name
}

var appMethods = map[string]api.AppMethod{
	"":                     api.AppMethod_APP_METHOD_SERVE,
	function.MethodServe:   api.AppMethod_APP_METHOD_SERVE,
	function.MethodConnect: api.AppMethod_APP_METHOD_CONNECT,
	function.MethodAPI:     api.AppMethod_APP_METHOD_API,
}

// ListFunctions implements apiv2connect.APIServiceHandler. Spec 04 §11.5.
func (s *service) ListFunctions(ctx context.Context, r *connect.Request[api.ListFunctionsRequest]) (*connect.Response[api.ListFunctionsResponse], error) {
	size, after, err := catalogPage(r.Msg.Limit, r.Msg.GetCursor())
	if err != nil {
		return nil, err
	}
	app, err := s.app(ctx, r.Msg.GetAppId())
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		return nil, broken(textFunctionsFailed, err)
	}
	var found []function.Function
	if err == nil {
		if found, err = s.Catalog.FunctionPage(ctx, ports.FunctionQuery{App: app.ID, After: after, Limit: size + 1}); err != nil {
			return nil, broken(textFunctionsFailed, err)
		}
	}
	found, page := cut(found, size, func(f function.Function) string { return f.ID.String() })
	functions := make([]*api.Function, len(found))
	for i, fn := range found {
		functions[i] = s.functionOf(app.App, fn)
	}
	return answer(&api.ListFunctionsResponse{Data: functions, Metadata: s.metadata(), Page: page}, nil)
}

// GetFunction implements apiv2connect.APIServiceHandler. Spec 04 §11.5.
func (s *service) GetFunction(ctx context.Context, r *connect.Request[api.GetFunctionRequest]) (*connect.Response[api.GetFunctionResponse], error) {
	app, fn, err := s.function(ctx, r.Msg.GetAppId(), r.Msg.GetFunctionId())
	if err != nil {
		return nil, err
	}
	return answer(&api.GetFunctionResponse{Data: s.functionOf(app, fn), Metadata: s.metadata()}, nil)
}

// function finds an active function of an app by its ID in the app, its slug or its UUID. The error is the answer.
func (s *service) function(ctx context.Context, appName, name string) (function.App, function.Function, error) {
	app, err := s.app(ctx, appName)
	if errors.Is(err, ports.ErrNotFound) {
		return function.App{}, function.Function{}, notFound(textFunctionNotFound)
	}
	if err != nil {
		return function.App{}, function.Function{}, broken(textFunctionFailed, err)
	}
	for _, name := range spellings(name) {
		fn, err := s.functionIn(ctx, app.App, name)
		if !errors.Is(err, ports.ErrNotFound) {
			if err != nil {
				err = broken(textFunctionFailed, err)
			}
			return app.App, fn, err
		}
	}
	return function.App{}, function.Function{}, notFound(textFunctionNotFound)
}

// functionIn asks the registry first. It does not know durable endpoints by name; those are looked for among the app's functions.
func (s *service) functionIn(ctx context.Context, app function.App, name string) (function.Function, error) {
	for _, slug := range []string{app.Name + "-" + name, name} {
		if fn, ok := s.Functions.Find(slug); ok && fn.AppID == app.ID {
			return fn, nil
		}
	}
	query := ports.FunctionQuery{App: app.ID, Limit: maxPage}
	for app.Method == function.MethodAPI {
		page, err := s.Catalog.FunctionPage(ctx, query)
		if err != nil {
			return function.Function{}, err
		}
		for _, fn := range page {
			if fn.Slug == name || fn.ID.String() == name {
				return fn, nil
			}
			query.After = fn.ID
		}
		if len(page) < query.Limit {
			break
		}
	}
	return function.Function{}, ports.ErrNotFound
}

// publicID is what a function is called in its app: its slug without the app's name. Spec 04 §11.5.
func publicID(app function.App, fn function.Function) string {
	return strings.TrimPrefix(fn.Slug, appRef(app)+"-")
}
