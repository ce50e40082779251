package graphql

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// methods are the ways to reach apps, as they are stored. Spec 05 §4.2.
var methods = map[string]generated.AppMethod{
	function.MethodServe: generated.AppMethodServe, function.MethodConnect: generated.AppMethodConnect, function.MethodAPI: generated.AppMethodAPI,
}

// Apps are the active apps, in the order of their IDs. Spec 05 §4.1.
func (q query) Apps(ctx context.Context, filter *generated.AppsFilterV1) ([]*generated.App, error) {
	all, err := q.Catalog.Apps(ctx)
	if err != nil {
		return nil, err
	}
	if filter != nil && filter.Method != nil {
		all = slices.DeleteFunc(all, func(app function.App) bool { return methods[app.Method] != *filter.Method })
	}
	slices.SortFunc(all, func(a, b function.App) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return q.apps(all), nil
}

// App is an app by ID, archived or not.
func (q query) App(ctx context.Context, id uuid.UUID) (*generated.App, error) {
	found, err := ports.One(q.Catalog.AppsByID(ctx, []uuid.UUID{id}))
	if errors.Is(err, ports.ErrNotFound) {
		return nil, refuse(textNoRows)
	}
	if err != nil {
		return nil, err
	}
	return q.apps([]function.App{found.App})[0], nil
}

// apps shows apps of one list.
func (a *api) apps(list []function.App) []*generated.App {
	active := loader.NewActive(a.Catalog)
	shown := make([]*generated.App, len(list))
	for i, one := range list {
		shown[i] = a.app(one, active)
	}
	return shown
}

func (a *api) app(app function.App, active *loader.Active) *generated.App {
	return &generated.App{
		ID: app.ID.String(), ExternalID: app.Name, Name: app.Name, SdkLanguage: app.SDK, SdkVersion: app.SDKVersion,
		Framework: known(app.Framework), URL: &app.URL, Checksum: &app.Checksum, Error: known(app.Error),
		Method: methods[app.Method], AppVersion: &app.AppVersion, Connected: app.Error == "",
		Autodiscovered: a.Apps.Discovered(app.URL), Active: active, Source: app,
	}
}

// known is nil for a text that is not there.
func known(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// textOf is what known has made a pointer of.
func textOf(known *string) string {
	if known == nil {
		return ""
	}
	return *known
}

// Functions are the app's active functions, in the order of their slugs.
func (r appFields) Functions(ctx context.Context, obj *generated.App) ([]*generated.Function, error) {
	own, _, err := obj.Active.Get(ctx, obj.Source.ID)
	if err != nil {
		return nil, err
	}
	return r.functionList(own), nil
}

// FunctionCount is the number of the app's active functions.
func (r appFields) FunctionCount(ctx context.Context, obj *generated.App) (int, error) {
	own, _, err := obj.Active.Get(ctx, obj.Source.ID)
	return len(own), err
}

// SdkFeatureReadiness is what the app's SDK said of itself. Spec 05 §4.2.
func (r appFields) SdkFeatureReadiness(_ context.Context, obj *generated.App) (*generated.SDKFeatureReadiness, error) {
	seen, err := obj.Source.Observations()
	if err != nil {
		return nil, shown(err)
	}
	readiness := &generated.SDKFeatureReadiness{}
	if seen == nil {
		return readiness, nil
	}
	status := func(reason function.ObservedEnum) *generated.SDKFeatureStatus {
		code := int(reason)
		return &generated.SDKFeatureStatus{Ready: code == 1, Reason: &code}
	}
	if seen.AIMetadata != nil {
		readiness.AiMetadataExtraction = status(seen.AIMetadata.Reason)
	}
	if seen.ExtendedTraces != nil {
		readiness.ExtendedTraces = status(seen.ExtendedTraces.Reason)
	}
	return readiness, nil
}

// CreateApp makes an app known and asks it to register. Spec 05 §4.5.
func (m mutation) CreateApp(ctx context.Context, input generated.CreateAppInput) (*generated.App, error) {
	app, err := m.api.Apps.Add(ctx, input.URL)
	var unusable *appsync.PingError
	var refused *appsync.RefusedError
	switch {
	case errors.As(err, &unusable) && unusable.Text == "":
		return nil, refuse("There was an error creating your app")
	case errors.As(err, &unusable), errors.As(err, &refused):
		return nil, shown(err)
	case err != nil:
		return nil, err
	}
	return m.apps([]function.App{app})[0], nil
}

// UpdateApp changes the app's URL.
func (m mutation) UpdateApp(ctx context.Context, input generated.UpdateAppInput) (*generated.App, error) {
	id, err := uuid.Parse(input.ID)
	if err != nil {
		return nil, shown(err)
	}
	app, err := m.Sync.Move(ctx, id, input.URL)
	if errors.Is(err, ports.ErrNotFound) {
		return nil, refuse(textNoRows)
	}
	if err != nil {
		return nil, err
	}
	return m.apps([]function.App{app})[0], nil
}

// DeleteApp archives the app. One that is not there is no error.
func (m mutation) DeleteApp(ctx context.Context, text string) (string, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return "", shown(err)
	}
	if err := m.Sync.RemoveID(ctx, id); err != nil && !errors.Is(err, ports.ErrNotFound) {
		return "", err
	}
	return text, nil
}

// DeleteAppByName archives the active app of that name, and says whether there was one.
func (m mutation) DeleteAppByName(ctx context.Context, name string) (bool, error) {
	err := m.Sync.RemoveName(ctx, name)
	if errors.Is(err, ports.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
