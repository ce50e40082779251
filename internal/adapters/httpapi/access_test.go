package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
)

// TestAccess sends every route with every spelling of a key. A request that is let in may fail for what it says, but never
// with 401.
func TestAccess(t *testing.T) {
	t.Parallel()
	type expect struct{ dev, start int }
	routes := []struct {
		method, path, body string
		let                expect // the status of a request that is let in
		open               bool   // no signing key is asked for
	}{
		{http.MethodPost, "/e/" + eventKey, `{"name":"a"}`, expect{200, 200}, true},
		{http.MethodPost, "/e/wrong", `{"name":"a"}`, expect{200, 401}, true},
		{http.MethodGet, "/health", "", expect{200, 200}, true},
		{http.MethodGet, "/nope", "", expect{404, 404}, true},
		{http.MethodGet, "/metrics", "", expect{200, 200}, false},
		{http.MethodPost, "/invoke/app-fn", `{}`, expect{200, 200}, false},
		{http.MethodGet, "/dev", "", expect{200, 404}, false},
		{http.MethodPost, "/fn/register", registration(""), expect{200, 200}, false},
		{http.MethodDelete, "/fn/remove?url=x", "", expect{404, 404}, false},
		{http.MethodPost, "/fn/step-limit?limit=1", "", expect{200, 200}, false},
		{http.MethodDelete, "/fn/step-limit", "", expect{404, 404}, false},
		{http.MethodPost, "/fn/state-size-limit?limit=1", "", expect{200, 200}, false},
		{http.MethodDelete, "/fn/state-size-limit", "", expect{404, 404}, false},
		{http.MethodGet, "/v0/runs/" + unknownID + "/actions", "", expect{410, 410}, false},
		{http.MethodGet, "/v0/runs/" + unknownID + "/batch", "", expect{410, 410}, false},
		{http.MethodDelete, "/v0/runs/" + unknownID, "", expect{404, 404}, false},
		{http.MethodPost, "/v0/telemetry", "{}", expect{200, 200}, false},
		{http.MethodGet, "/v1/events", "", expect{200, 200}, false},
		{http.MethodGet, "/v1/events/" + unknownID, "", expect{404, 404}, false},
		{http.MethodGet, "/v1/events/" + unknownID + "/runs", "", expect{200, 200}, false},
		{http.MethodGet, "/v1/runs/" + unknownID, "", expect{404, 404}, false},
		{http.MethodDelete, "/v1/runs/" + unknownID, "", expect{404, 404}, false},
		{http.MethodGet, "/v1/runs/" + unknownID + "/metadata", "", expect{404, 404}, false},
		{http.MethodPost, "/v1/runs/" + unknownID + "/metadata", "{}", expect{404, 404}, false},
		{http.MethodPost, "/v1/apps/a/functions/f/pause", "", expect{404, 404}, false},
		{http.MethodPost, "/v1/apps/a/functions/f/resume", "", expect{404, 404}, false},
		{http.MethodGet, "/v1/cancellations", "", expect{200, 200}, false},
		{http.MethodPost, "/v1/cancellations", "{}", expect{400, 400}, false},
		{http.MethodDelete, "/v1/cancellations/" + unknownID, "", expect{404, 404}, false},
		{http.MethodPost, "/v1/signals", `{"signal":"x"}`, expect{404, 404}, false},
		{http.MethodPost, "/v1/checkpoint/x/async", "{}", expect{400, 400}, false},
		{http.MethodPost, "/v1/http/runs/x/async", "{}", expect{400, 400}, false},
		{http.MethodPost, "/v1/checkpoint", "{}", expect{400, 400}, false},
		{http.MethodPost, "/v1/http/runs", "{}", expect{400, 400}, false},
		{http.MethodPost, "/v1/checkpoint/x/steps", "{}", expect{400, 400}, false},
		{http.MethodPost, "/v1/http/runs/x/steps", "{}", expect{400, 400}, false},
		{http.MethodGet, "/v1/checkpoint/x/output", "", expect{401, 401}, true},
		{http.MethodPost, "/v1/http/runs/x/output?token=x", "", expect{401, 401}, true},
	}
	keys := []struct {
		name, header string
		right        bool
	}{
		{"none", "", false},
		{"wrong", "Bearer 000000", false},
		{"another scheme", "Basic " + signingKey, false},
		{"no scheme", signingKey, false},
		{"empty", "Bearer ", false},
		{"only a prefix", "Bearer signkey-prod-", false},
		{"two prefixes", "Bearer signkey-a-b-" + signingKey, false},
		{"hash in capitals", "Bearer " + strings.ToUpper(signingHash), false},
		{"half a key", "Bearer " + signingKey[:6], false},
		{"key", "Bearer " + signingKey, true},
		{"key with its prefix", "Bearer signkey-prod-" + signingKey, true},
		{"hash", "Bearer " + signingHash, true},
		{"hash with a prefix", "Bearer signkey-test-" + signingHash, true},
		{"small scheme", "bearer " + signingKey, true},
		{"any separator", "BEARER:" + signingKey, true},
	}
	for _, key := range keys {
		t.Run(key.name, func(t *testing.T) {
			t.Parallel()
			for _, route := range routes {
				check := func(mode string, config httpapi.Config, want int) {
					f := newFixture(t, config)
					w := f.send(route.method, route.path, route.body, "Authorization: "+key.header)
					if w.Code != want {
						t.Errorf("%s %s in %s: status %d, want %d", route.method, route.path, mode, w.Code, want)
					}
					if want == http.StatusUnauthorized && !route.open && w.Body.String() != "Authentication failed\n" {
						t.Errorf("%s %s in %s: body %q", route.method, route.path, mode, w.Body)
					}
				}
				check("dev", devConfig, route.let.dev)
				if route.open || key.right {
					check("start", startConfig, route.let.start)
				} else {
					check("start", startConfig, http.StatusUnauthorized)
				}
			}
		})
	}
}

// TestAccess_CoversTheRouteTable makes sure that TestAccess forgets no route: one that is not in its table would answer
// something other than 404 or 405 here.
func TestAccess_CoversTheRouteTable(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig)
	for method, paths := range map[string][]string{
		http.MethodGet:    {"/health", "/dev", "/metrics", "/v0/runs/x/actions", "/v0/runs/x/batch", "/v1/events", "/v1/events/x", "/v1/events/x/runs", "/v1/runs/x", "/v1/checkpoint/x/output", "/v1/http/runs/x/output", "/v1/cancellations"},
		http.MethodPost:   {"/e/x", "/invoke/x", "/fn/register", "/fn/step-limit", "/fn/state-size-limit", "/v0/telemetry", "/v1/signals", "/v1/checkpoint/x/async", "/v1/http/runs/x/async", "/v1/checkpoint", "/v1/http/runs", "/v1/checkpoint/x/steps", "/v1/http/runs/x/steps", "/v1/checkpoint/x/output", "/v1/http/runs/x/output", "/v1/cancellations", "/v1/apps/x/functions/x/pause", "/v1/apps/x/functions/x/resume"},
		http.MethodDelete: {"/fn/remove", "/fn/step-limit", "/fn/state-size-limit", "/v0/runs/x", "/v1/runs/x", "/v1/checkpoint/x/output", "/v1/http/runs/x/output", "/v1/cancellations/x"},
		http.MethodPut:    {"/v1/checkpoint/x/output", "/v1/http/runs/x/output"},
		http.MethodPatch:  {"/v1/checkpoint/x/output", "/v1/http/runs/x/output"},
	} {
		for _, path := range paths {
			if w := f.send(method, path, ""); w.Code != http.StatusUnauthorized && path != "/health" {
				t.Errorf("%s %s without any key: status %d", method, path, w.Code)
			}
		}
	}
	if got, want := fmt.Sprint(httpapi.RouteCount(startConfig, f.deps)), "44"; got != want {
		t.Errorf("%s routes, want %s: add the new one to TestAccess", got, want)
	}
}

// TestAccess_ToWhatOthersServe makes sure that a handler of another adapter is behind the key, whatever the method and the path.
func TestAccess_ToWhatOthersServe(t *testing.T) {
	t.Parallel()
	for _, config := range []httpapi.Config{devConfig, startConfig} {
		f := newFixture(t, config, func(d *httpapi.Deps) {
			d.Mounts = []httpapi.Mount{{Paths: []string{"/mounted", "/also/mounted"}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/mounted/panic" {
					panic("oh no")
				}
				w.WriteHeader(http.StatusTeapot)
				fmt.Fprint(w, r.Method, " ", r.URL.EscapedPath())
			})}}
		})
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			for _, path := range []string{"/mounted", "/mounted/a%2Fb/c", "/also/mounted/x"} {
				if w := f.send(method, path, ""); config.SigningKey != "" && (w.Code != http.StatusUnauthorized || w.Body.String() != "Authentication failed\n") {
					t.Errorf("%s %s without a key: %d %s", method, path, w.Code, w.Body)
				}
				if w := f.send(method, path, "", "Authorization: Bearer "+signingKey); w.Code != http.StatusTeapot || w.Body.String() != method+" "+path {
					t.Errorf("%s %s with the key: %d %s", method, path, w.Code, w.Body)
				}
			}
		}
		if w := f.send(http.MethodGet, "/mounted/panic", "", "Authorization: Bearer "+signingKey); w.Code != http.StatusInternalServerError {
			t.Errorf("panic: %d", w.Code)
		}
	}
}
