package function

import (
	"github.com/ingothq/ingot/internal/domain/ids"
)

// What the stored configuration of a durable endpoint says of how it is called.
const (
	driverType     = "type"
	driverMethod   = "method"
	driverSync     = "sync"
	endpointStep   = "step"
	endpointConfig = 1
)

// Endpoint returns the app and the function that stand for a durable endpoint: the app is the domain, for example
// "https://api.example.com", the function the endpoint, for example "POST /users". Equal arguments give equal values.
// Retries nil, or negative, are the default of any function; the reference, and the Go SDK's documentation, have none when
// they are absent.
// Source: spec 02 §19, 04 §8.1.
func Endpoint(domain, slug, method string, retries *int) (App, Function) {
	app := App{ID: ids.EndpointAppID(ids.EnvID(), domain), Name: domain, URL: domain, Method: MethodAPI}
	count := DefaultRetries
	if retries != nil && *retries >= 0 {
		count = min(*retries, maxRetries)
	}
	f := Function{
		ID: ids.EndpointFunctionID(app.ID, slug), AppID: app.ID, Version: 1, Name: slug, Slug: slug,
		Step: Step{ID: endpointStep, Name: slug, URI: domain, Retries: &count},
		Settings: Settings{
			ConfigVersion: endpointConfig,
			Driver:        &Driver{URI: domain, Metadata: map[string]any{driverType: driverSync, driverMethod: method}},
		},
	}
	f.Config = Encode(f)
	return app, f
}

// IsEndpoint reports whether the function stands for a durable endpoint: it has no triggers, and starts by being called.
func (f Function) IsEndpoint() bool {
	return f.Settings.Driver != nil && f.Settings.Driver.Metadata[driverType] == driverSync
}

// EndpointPlan registers a durable endpoint, and leaves all others of its app as they are.
func EndpointPlan(app App, f Function) SyncPlan { return SyncPlan{App: app, Put: []Function{f}} }
