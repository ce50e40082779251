package apiv2

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	api "github.com/ingothq/ingot/proto/api/v2"
)

// Texts of what a self-hosted server does not have. Spec 04 §11.3.
const (
	noAccounts    = "Accounts not implemented in OSS"
	noEnvs        = "Environments not implemented in OSS"
	noExperiments = "Experiments not implemented in OSS"
	noInsights    = "Insights not implemented in OSS"
	noPartners    = "Partners not implemented in OSS"
	noSessions    = "Sessions not implemented in OSS"
	noSync        = "App sync not implemented in OSS"
	noWebhooks    = "Webhooks not implemented in OSS"
)

const headerEnv = "X-Inngest-Env"

// unservedRoute is a route of the API that this server does not serve. A segment "*" is any, "**" is any number of them.
type unservedRoute struct {
	method, path string
	refuse       func(r *http.Request) *failure
}

// absent refuses with the texts.
func absent(texts ...string) func(*http.Request) *failure {
	return func(*http.Request) *failure {
		f := &failure{status: http.StatusNotImplemented}
		for _, text := range texts {
			f.errors = append(f.errors, &api.Error{Code: codeUnimplemented, Message: text})
		}
		return f
	}
}

// unknownMethod refuses like a method of an RPC that nobody serves.
func unknownMethod(name string) func(*http.Request) *failure {
	return func(*http.Request) *failure {
		return fail(http.StatusNotImplemented, codeAPI, "method "+name+" not implemented")
	}
}

// named wants a member "name" in the body first.
func named(text string, then func(*http.Request) *failure) func(*http.Request) *failure {
	return func(r *http.Request) *failure {
		var body struct {
			Name string `json:"name"`
		}
		raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxMessage))
		if err != nil || len(raw) > 0 && json.Unmarshal(raw, &body) != nil {
			return fail(http.StatusBadRequest, codeAPI, "the body is not a JSON object")
		}
		if body.Name == "" {
			return missing(text)
		}
		return then(r)
	}
}

// inEnv wants the header that names an environment first.
func inEnv(then func(*http.Request) *failure) func(*http.Request) *failure {
	return func(r *http.Request) *failure {
		if r.Header.Get(headerEnv) == "" {
			return missing(headerEnv + " header is required")
		}
		return then(r)
	}
}

var unservedRoutes = []unservedRoute{
	{http.MethodPost, "/envs", named("Environment name is required", absent(noEnvs))},
	{http.MethodPatch, "/envs/*", absent(noEnvs)},
	{http.MethodPost, "/partner/accounts", absent(noAccounts, noPartners)},
	{http.MethodGet, "/partner/accounts", absent(noAccounts)},
	{http.MethodPost, "/env/webhooks", inEnv(named("Webhook name is required", absent(noWebhooks)))},
	{http.MethodGet, "/env/webhooks", inEnv(absent(noWebhooks))},
	{http.MethodPost, "/apps/*/syncs", absent(noSync)},
	{http.MethodGet, "/insights/tables", absent(noInsights)},
	{http.MethodGet, "/insights/events/schemas", absent(noInsights)},
	{http.MethodPost, "/insights/query", absent(noInsights)},
	{http.MethodPost, "/insights/query/prompt", absent(noInsights)},
	{http.MethodGet, "/experiments", absent(noExperiments)},
	{http.MethodGet, "/apps/*/functions/*/experiments", absent(noExperiments)},
	{http.MethodGet, "/apps/*/functions/*/experiments/**", absent(noExperiments)},
	{http.MethodGet, "/sessions", absent(noSessions)},
	{http.MethodGet, "/sessions/*", absent(noSessions)},
	{http.MethodGet, "/sessions/*/**", absent(noSessions)},
	{http.MethodGet, "/_internal/schema-only", unknownMethod("XSchemaOnly")},
	{http.MethodPost, "/sandboxes", unknownMethod("CreateSandbox")},
	{http.MethodGet, "/sandboxes", unknownMethod("ListSandboxes")},
	{http.MethodGet, "/sandboxes/*", unknownMethod("GetSandbox")},
	{http.MethodDelete, "/sandboxes/*", unknownMethod("DestroySandbox")},
	{"*", "/sandboxes/*/**", unknownMethod("Sandbox")},
}

// unserved says why a request to a route of the table is not served; nil for other routes.
func unserved(r *http.Request, path string) *failure {
	known := false
	for _, route := range unservedRoutes {
		if !matches(strings.Split(route.path, "/"), strings.Split(path, "/")) {
			continue
		}
		if route.method == r.Method || route.method == "*" {
			return route.refuse(r)
		}
		known = true
	}
	if known && !servedToo[path] {
		return fail(http.StatusNotImplemented, codeAPI, "Method Not Allowed")
	}
	return nil
}

// servedToo are paths of the table that have other methods that are served.
var servedToo = map[string]bool{"/envs": true}

// matches says whether the segments of a path are those of a pattern.
func matches(pattern, path []string) bool {
	for i, segment := range pattern {
		switch {
		case segment == "**":
			return len(path) > i && path[len(path)-1] != ""
		case i >= len(path):
			return false
		case segment == "*" && path[i] != "":
		case segment != path[i]:
			return false
		}
	}
	return len(path) == len(pattern)
}
