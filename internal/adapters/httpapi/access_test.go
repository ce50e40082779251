package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/adapters/tokens"
	apprealtime "github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/domain/session"
)

// probe is a request to a route. let is the status of one that is let in: it may fail for what it says, but not for who says it.
type probe struct {
	path, body string
	let        int
	// start is the status of one that is let in in start mode, where it is another; 0 where not.
	start int
	// open says why no signing key is asked for; empty for a route that wants one.
	open string
}

const (
	forEvents  = "it has keys of its own"
	byToken    = "it has tokens of its own"
	forAll     = "it tells nothing"
	forLogin   = "a session begins here"
	seeOutputs = "run tokens decide"
)

// probes are all routes. One that is added needs a line here, and a reason if it is to be open.
var probes = map[string]probe{
	"POST /e/:key":                {path: "/e/" + eventKey, body: `{"name":"a"}`, let: 200, open: forEvents},
	"GET /health":                 {path: "/health", let: 200, open: forAll},
	"GET /v0/session":             {path: "/v0/session", let: 200, open: forLogin},
	"POST /v0/session":            {path: "/v0/session", body: "{}", let: 200, start: 400, open: forLogin},
	"DELETE /v0/session":          {path: "/v0/session", let: 204, open: forLogin},
	"POST /invoke/:slug":          {path: "/invoke/app-fn", body: `{}`, let: 200},
	"GET /dev":                    {path: "/dev", let: 200, start: 404},
	"POST /fn/register":           {path: "/fn/register", body: registration(""), let: 200},
	"DELETE /fn/remove":           {path: "/fn/remove?url=x", let: 404},
	"POST /fn/step-limit":         {path: "/fn/step-limit?limit=1", let: 200},
	"DELETE /fn/step-limit":       {path: "/fn/step-limit", let: 404},
	"POST /fn/state-size-limit":   {path: "/fn/state-size-limit?limit=1", let: 200},
	"DELETE /fn/state-size-limit": {path: "/fn/state-size-limit", let: 404},

	"GET /v0/runs/:run/actions": {path: "/v0/runs/" + unknownID + "/actions", let: 410},
	"GET /v0/runs/:run/batch":   {path: "/v0/runs/" + unknownID + "/batch", let: 410},
	"DELETE /v0/runs/:run":      {path: "/v0/runs/" + unknownID, let: 404},
	"POST /v0/telemetry":        {path: "/v0/telemetry", body: "{}", let: 200},

	"GET /v1/events":                                {path: "/v1/events", let: 200},
	"GET /v1/events/:id":                            {path: "/v1/events/" + unknownID, let: 404},
	"GET /v1/events/:id/runs":                       {path: "/v1/events/" + unknownID + "/runs", let: 200},
	"GET /v1/runs/:id":                              {path: "/v1/runs/" + unknownID, let: 404},
	"GET /v1/runs/:id/jobs":                         {path: "/v1/runs/" + unknownID + "/jobs", let: 404},
	"GET /v1/apps/:app/functions":                   {path: "/v1/apps/a/functions", let: 200},
	"GET /v1/prom/:env":                             {path: "/v1/prom/x", let: 501},
	"DELETE /v1/runs/:id":                           {path: "/v1/runs/" + unknownID, let: 404},
	"GET /v1/runs/:id/metadata":                     {path: "/v1/runs/" + unknownID + "/metadata", let: 404},
	"POST /v1/runs/:id/metadata":                    {path: "/v1/runs/" + unknownID + "/metadata", body: "{}", let: 404},
	"POST /v1/apps/:app/functions/:function/pause":  {path: "/v1/apps/a/functions/f/pause", let: 404},
	"POST /v1/apps/:app/functions/:function/resume": {path: "/v1/apps/a/functions/f/resume", let: 404},
	"GET /v1/cancellations":                         {path: "/v1/cancellations", let: 200},
	"POST /v1/cancellations":                        {path: "/v1/cancellations", body: "{}", let: 400},
	"DELETE /v1/cancellations/:id":                  {path: "/v1/cancellations/" + unknownID, let: 404},
	"POST /v1/signals":                              {path: "/v1/signals", body: `{"signal":"x"}`, let: 404},

	"POST /v1/traces/userland": {path: "/v1/traces/userland", body: "{}", let: 200},

	"POST /v1/checkpoint":            {path: "/v1/checkpoint", body: "{}", let: 400},
	"POST /v1/checkpoint/:run/steps": {path: "/v1/checkpoint/x/steps", body: "{}", let: 400},
	"POST /v1/checkpoint/:run/async": {path: "/v1/checkpoint/x/async", body: "{}", let: 400},
	"POST /v1/http/runs":             {path: "/v1/http/runs", body: "{}", let: 400},
	"POST /v1/http/runs/:run/steps":  {path: "/v1/http/runs/x/steps", body: "{}", let: 400},
	"POST /v1/http/runs/:run/async":  {path: "/v1/http/runs/x/async", body: "{}", let: 400},

	"POST /v1/realtime/token": {path: "/v1/realtime/token", body: "{}", let: 400},
	// These take the signing key for publishing only.
	"GET /v1/realtime/connect":      {path: "/v1/realtime/connect", let: 401, open: byToken},
	"GET /v1/realtime/sse":          {path: "/v1/realtime/sse", let: 401, open: byToken},
	"POST /v1/realtime/publish":     {path: "/v1/realtime/publish", let: 200},
	"POST /v1/realtime/publish/tee": {path: "/v1/realtime/publish/tee", let: 400},

	"OPTIONS /v0/gql": {path: "/v0/gql", let: 200},
	"GET /v0/gql":     {path: "/v0/gql", let: 200},
	"POST /v0/gql":    {path: "/v0/gql", body: "{}", let: 200},
	"PUT /v0/gql":     {path: "/v0/gql", let: 200},
	"PATCH /v0/gql":   {path: "/v0/gql", let: 200},
	"DELETE /v0/gql":  {path: "/v0/gql", let: 200},

	"GET /test/":                          {path: "/test/", let: 200},
	"POST /test/reset":                    {path: "/test/reset", let: 200},
	"GET /test/queue/function-queue-size": {path: "/test/queue/function-queue-size", let: 400},
	"POST /test/function/pause":           {path: "/test/function/pause", let: 400},
	"POST /test/function/runs/cancel":     {path: "/test/function/runs/cancel", let: 400},

	"GET /metrics":                  {path: "/metrics", let: 200},
	"GET /debug":                    {path: "/debug", let: 301},
	"GET /debug/vars":               {path: "/debug/vars", let: 200},
	"GET /debug/pprof":              {path: "/debug/pprof", let: 301},
	"GET /debug/pprof/":             {path: "/debug/pprof/", let: 200},
	"GET /debug/pprof/profile":      {path: "/debug/pprof/profile", let: 200},
	"GET /debug/pprof/trace":        {path: "/debug/pprof/trace", let: 200},
	"GET /debug/pprof/symbol":       {path: "/debug/pprof/symbol", let: 200},
	"POST /debug/pprof/symbol":      {path: "/debug/pprof/symbol", let: 200},
	"GET /debug/pprof/allocs":       {path: "/debug/pprof/allocs", let: 200},
	"GET /debug/pprof/block":        {path: "/debug/pprof/block", let: 200},
	"GET /debug/pprof/goroutine":    {path: "/debug/pprof/goroutine", let: 200},
	"GET /debug/pprof/heap":         {path: "/debug/pprof/heap", let: 200},
	"GET /debug/pprof/mutex":        {path: "/debug/pprof/mutex", let: 200},
	"GET /debug/pprof/threadcreate": {path: "/debug/pprof/threadcreate", let: 200},
}

func init() {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, prefix := range []string{"/v1/checkpoint", "/v1/http/runs"} {
			probes[method+" "+prefix+"/:run/output"] = probe{path: prefix + "/x/output?token=x", let: 401, open: seeOutputs}
		}
	}
}

// onLoopback is the other end of a connection from this machine, elsewhere of one that is not.
const (
	onLoopback = "127.0.0.1:5000"
	elsewhere  = "192.0.2.1:5000"
)

// withAll is a fixture with every route that there can be.
func withAll(t *testing.T, config httpapi.Config) *fixture {
	t.Helper()
	config.TestMode = true
	live := broadcast.New(broadcast.Config{})
	t.Cleanup(live.Close)
	return newFixture(t, config, func(d *httpapi.Deps) {
		d.GraphQL = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
		d.Realtime = httpapi.NewRealtime(httpapi.RealtimeDeps{
			Publisher: apprealtime.New(live, d.Clock, d.IDs), Tokens: d.Tokens, Clock: d.Clock, IDs: d.IDs, Log: d.Log,
		}, httpapi.RealtimeConfig{})
	})
}

// TestAccess sends every route with every kind of credentials, in both modes.
func TestAccess(t *testing.T) {
	t.Parallel()
	start := startConfig
	start.SigningKeyFallback = fallbackKey
	for name, who := range map[string]struct {
		headers []string
		from    string
		right   bool
	}{
		"nobody":       {nil, elsewhere, false},
		"nobody, near": {nil, onLoopback, false},
		"a wrong key":  {[]string{"Authorization: Bearer 000000"}, onLoopback, false},
		"the key":      {[]string{"Authorization: Bearer " + signingKey}, elsewhere, true},
		"the fallback": {[]string{"Authorization: Bearer " + fallbackKey}, elsewhere, true},
		"a session":    {[]string{"Cookie: " + sessionCookie(t, signingKey), "X-Ingot-Csrf: 1"}, elsewhere, true},
		"a wrong key in a session": {[]string{
			"Authorization: Bearer 000000", "Cookie: " + sessionCookie(t, signingKey), "X-Ingot-Csrf: 1"}, onLoopback, false},
		"a session of another key":    {[]string{"Cookie: " + sessionCookie(t, "00"), "X-Ingot-Csrf: 1"}, onLoopback, false},
		"a session of no key":         {[]string{"Cookie: " + sessionCookie(t, ""), "X-Ingot-Csrf: 1"}, onLoopback, false},
		"a session of another origin": {[]string{"Cookie: " + sessionCookie(t, signingKey), "X-Ingot-Csrf: 1", "Origin: http://evil.example"}, onLoopback, false},
	} {
		t.Run(name, func(t *testing.T) {
			dev, started := withAll(t, devConfig), withAll(t, start)
			for _, route := range slices.Sorted(maps.Keys(probes)) {
				p := probes[route]
				method, _, _ := strings.Cut(route, " ")
				wantDev, wantStart := p.let, p.let
				if p.start != 0 {
					wantStart = p.start
				}
				foreign := slices.Contains(who.headers, "Origin: http://evil.example")
				if strings.HasPrefix(p.path, "/debug") && (who.from != onLoopback || foreign) {
					wantDev = http.StatusForbidden
				}
				if p.open == "" && !who.right {
					wantStart = http.StatusUnauthorized
				}
				if p.open == forLogin && foreign && method != http.MethodGet {
					wantStart = http.StatusForbidden
					if method == http.MethodDelete {
						wantDev = http.StatusForbidden
					}
				}
				dev, started := dev, started
				if route == "DELETE /v0/session" { // what follows shall not be logged out
					dev, started = withAll(t, devConfig), withAll(t, start)
				}
				headers := append([]string{asJSON}, who.headers...)
				if w := dev.sendFrom(who.from, method, p.path, p.body, headers...); w.Code != wantDev {
					t.Errorf("%s in dev: status %d, want %d", route, w.Code, wantDev)
				}
				w := started.sendFrom(who.from, method, p.path, p.body, headers...)
				if w.Code != wantStart {
					t.Errorf("%s in start: status %d, want %d", route, w.Code, wantStart)
				}
				if wantStart == http.StatusUnauthorized && p.open == "" && w.Body.String() != "Authentication failed\n" {
					t.Errorf("%s in start: body %q", route, w.Body)
				}
			}
		})
	}
}

// TestAccess_IsOfAllRoutes makes sure that TestAccess forgets no route, and that none is open without a reason.
func TestAccess_IsOfAllRoutes(t *testing.T) {
	t.Parallel()
	config := startConfig
	config.TestMode = true
	all, needKey := httpapi.Routes(config, withAll(t, startConfig).deps)
	slices.Sort(all)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(probes)), all); diff != "" {
		t.Errorf("routes that the table has (-) and that are served (+):\n%s", diff)
	}
	for route, p := range probes {
		// Publishing takes a realtime token or the key.
		either := strings.HasPrefix(p.path, "/v1/realtime/publish")
		if managed := slices.Contains(needKey, route); managed != (p.open == "") && !either {
			t.Errorf("%s is managed: %t, and open because %q", route, managed, p.open)
		}
	}
}

// TestAccess_Spellings are the ways to write a key.
func TestAccess_Spellings(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig)
	for name, key := range map[string]struct {
		header string
		right  bool
	}{
		"none":                 {"", false},
		"wrong":                {"Bearer 000000", false},
		"another scheme":       {"Basic " + signingKey, false},
		"no scheme":            {signingKey, false},
		"empty":                {"Bearer ", false},
		"only a prefix":        {"Bearer signkey-prod-", false},
		"two prefixes":         {"Bearer signkey-a-b-" + signingKey, false},
		"hash in capitals":     {"Bearer " + strings.ToUpper(signingHash), false},
		"half a key":           {"Bearer " + signingKey[:6], false},
		"the fallback of none": {"Bearer " + fallbackKey, false},
		"key":                  {"Bearer " + signingKey, true},
		"key with its prefix":  {"Bearer signkey-prod-" + signingKey, true},
		"hash":                 {"Bearer " + signingHash, true},
		"hash with a prefix":   {"Bearer signkey-test-" + signingHash, true},
		"small scheme":         {"bearer " + signingKey, true},
		"any separator":        {"BEARER:" + signingKey, true},
	} {
		w := f.send(http.MethodGet, "/v1/events", "", "Authorization: "+key.header)
		if got := w.Code == http.StatusOK; got != key.right || !got && w.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
}

// TestAccess_EventKeys: a wrong one opens nothing, in start.
func TestAccess_EventKeys(t *testing.T) {
	t.Parallel()
	for config, want := range map[*httpapi.Config]int{&devConfig: 200, &startConfig: 401} {
		if w := newFixture(t, *config).send(http.MethodPost, "/e/wrong", `{"name":"a"}`); w.Code != want {
			t.Errorf("%s: status %d, want %d", config.Kind, w.Code, want)
		}
	}
}

// TestDebug_KeepsTheCommandLine: it may hold keys.
func TestDebug_KeepsTheCommandLine(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig)
	w := f.send(http.MethodGet, "/debug/vars", "", "Authorization: Bearer "+signingKey)
	if body := w.Body.String(); !strings.Contains(body, `"memstats":{`) || strings.Contains(body, "cmdline") {
		t.Errorf("vars are %s", body)
	}
	if w := f.send(http.MethodGet, "/debug/pprof/cmdline", "", "Authorization: Bearer "+signingKey); w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
}

const fallbackKey = "fedcba"

// sessionCookie is the cookie of a session of a server with the key, that began when a fixture's time is.
func sessionCookie(t *testing.T, key string) string {
	t.Helper()
	signer, err := tokens.New(key)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.SignSession(session.New(ulid.MustParse(unknownID), fixtureTime))
	if err != nil {
		t.Fatal(err)
	}
	return "ingot-session=" + token
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
