package apiv2_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
)

const (
	get  = http.MethodGet
	post = http.MethodPost
)

func TestHealthAndAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	for _, prefix := range apiv2.Prefixes {
		f.expect(get, prefix+"/health", "", 200, stamped(`{"status":"ok"}`, ""))
		f.expect(get, prefix+"/account", "", 200, stamped(`{"createdAt":"2021-05-13T09:30:04Z","email":"dev@inngest.local",`+
			`"id":"00000000-0000-4000-a000-000000000000","name":"Dev Server","updatedAt":"2021-05-13T09:30:04Z"}`, ""))
		f.expect(get, prefix+"/envs", "", 200, stamped(`[{"createdAt":"2021-05-13T09:30:04Z",`+
			`"id":"00000000-0000-4000-b000-000000000000","name":"dev","type":"TEST"}]`, `,"page":{}`))
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	for _, path := range []string{"/api/v2/nope", "/v2/nope", "/api/v2", "/v2/", "/api/v2/health/", "/api/v2/runs/x/y", "/api/v2/api/v2/health"} {
		f.expect(get, path, "", 404, refused("api_error", "Not Found"))
	}
	for _, method := range []string{post, http.MethodPut} {
		f.expect(method, "/api/v2/health", "", 501, refused("api_error", "Method Not Allowed"))
	}
	if allow := f.rest(post, "/api/v2/health", "").Header().Get("Allow"); allow != get {
		t.Errorf("allow %q", allow)
	}
	f.expect(http.MethodDelete, "/api/v2/partner/accounts", "", 501, refused("api_error", "Method Not Allowed"))
	// Parameters that are not known are ignored, as are those that would stand in for a part of the path.
	f.expect(get, "/api/v2/health?a=b&limit=x&connect=v1", "", 200, stamped(`{"status":"ok"}`, ""))
	f.expect(get, "/api/v2/runs/x/trace?runId="+unknownRun, "", 400, refused("invalid_field_format", "Run ID must be a valid ULID"))
	// What would make it another protocol is taken off.
	f.expect(get, "/api/v2/health", "", 200, stamped(`{"status":"ok"}`, ""), "Connect-Protocol-Version: 1", "Accept-Encoding: gzip", "Content-Type: text/plain")
	f.expect(post, "/api/v2/events", `{"name":"x"`, 400, refused("api_error", "proto: unexpected EOF"), "Content-Type: text/plain")
}

func TestBodies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.expect(post, "/api/v2/runs/"+unknownRun+"/rerun", strings.Repeat(" ", 4<<20+1), 413, refused("invalid_request", "Request body cannot exceed 4194304 bytes"))
	for _, short := range []string{"cancel", "scores"} {
		f.expect(post, "/api/v2/runs/"+unknownRun+"/"+short, strings.Repeat(" ", 256<<10+1), 413, refused("invalid_request", "Request body cannot exceed 262144 bytes"))
	}
	f.expect(post, "/api/v2/events", strings.Repeat(" ", 3<<20+1), 413, refused("invalid_request", "Request body cannot exceed 3145728 bytes")+"\n")
	// One whose length is not announced.
	r := f.rest(post, "/v2/events", strings.Repeat(" ", 3<<20+1), "Transfer-Encoding: chunked")
	if r.Code != 413 {
		t.Errorf("status %d", r.Code)
	}
	f.expect(post, "/api/v2/runs/"+unknownRun+"/rerun", `{"nope":1}`, 400, refused("api_error", `proto: (line 1:2): unknown field "nope"`))
	f.expect(post, "/api/v2/runs/"+unknownRun+"/rerun", "", 404, refused("not_found", "Run not found"))
}

func TestLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	for path, most := range map[string]string{"/envs": "250", "/keys/events": "100", "/keys/signing": "100"} {
		f.expect(get, "/api/v2"+path+"?limit=0", "", 400, refused("invalid_field_format", "Limit must be at least 1"))
		f.expect(get, "/api/v2"+path+"?limit="+most+"1", "", 400, refused("invalid_field_format", "Limit cannot exceed "+most))
		f.expect(get, "/api/v2"+path+"?limit=x", "", 400, refused("api_error", `parsing field "limit": strconv.ParseInt: parsing "x": invalid syntax`))
		if w := f.rest(get, "/api/v2"+path+"?limit="+most, ""); w.Code != 200 {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
}

func TestKeys_AreMasked(t *testing.T) {
	t.Parallel()
	open := newFixture(t, apiv2.Config{})
	for _, path := range []string{"/keys/events", "/keys/signing"} {
		open.expect(get, "/api/v2"+path, "", 200, `{"metadata":{"fetchedAt":"`+now+`"},"page":{}}`)
	}
	f := newFixture(t, apiv2.Config{SigningKey: signingKey, EventKeys: []string{"a-long-event-key-1234", "short"}})
	key := func(shown string) string {
		return `{"createdAt":"` + now + `","environment":"dev","key":"********` + shown + `"}`
	}
	f.expect(get, "/api/v2/keys/signing", "", 200, stamped(`[`+key("f456")+`]`, `,"page":{}`))
	f.expect(get, "/api/v2/keys/signing", "", 200, stamped(`[`+key("f456")+`]`, `,"page":{}`), "X-Inngest-Env: dev")
	f.expect(get, "/api/v2/keys/events", "", 200, stamped(`[`+key("1234")+`,`+key("")+`]`, `,"page":{}`))
	f.expect(get, "/api/v2/keys/events?limit=1", "", 200, stamped(`[`+key("1234")+`]`, `,"page":{}`))
	for _, path := range []string{"/keys/events", "/keys/signing"} {
		f.expect(get, "/api/v2"+path, "", 200, `{"metadata":{"fetchedAt":"`+now+`"},"page":{}}`, "X-Inngest-Env: other")
	}
}

func TestUnserved(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	gone := func(text string) string { return refused("not_implemented", text) }
	const env = "X-Inngest-Env: dev"
	f.expect(post, "/api/v2/envs", `{}`, 400, refused("missing_field", "Environment name is required"))
	f.expect(post, "/api/v2/envs", `[`, 400, refused("api_error", "the body is not a JSON object"))
	f.expect(post, "/api/v2/envs", `{"name":"x"}`, 501, gone("Environments not implemented in OSS"))
	f.expect(http.MethodPatch, "/v2/envs/x", `{}`, 501, gone("Environments not implemented in OSS"))
	f.expect(post, "/api/v2/partner/accounts", `{}`, 501, `{"errors":[{"code":"not_implemented","message":"Accounts not implemented in OSS"},`+
		`{"code":"not_implemented","message":"Partners not implemented in OSS"}]}`)
	f.expect(get, "/api/v2/partner/accounts", "", 501, gone("Accounts not implemented in OSS"))
	f.expect(get, "/api/v2/env/webhooks", "", 400, refused("missing_field", "X-Inngest-Env header is required"))
	f.expect(get, "/api/v2/env/webhooks", "", 501, gone("Webhooks not implemented in OSS"), env)
	f.expect(post, "/api/v2/env/webhooks", "", 400, refused("missing_field", "Webhook name is required"), env)
	f.expect(post, "/api/v2/env/webhooks", `{"name":"x","transform":"y"}`, 501, gone("Webhooks not implemented in OSS"), env)
	f.expect(post, "/api/v2/apps/x/syncs", `{"url":"y"}`, 501, gone("App sync not implemented in OSS"))
	for _, path := range []string{"/insights/tables", "/insights/events/schemas"} {
		f.expect(get, "/api/v2"+path, "", 501, gone("Insights not implemented in OSS"))
	}
	for _, path := range []string{"/insights/query", "/insights/query/prompt"} {
		f.expect(post, "/api/v2"+path, `{"query":"x"}`, 501, gone("Insights not implemented in OSS"))
	}
	for _, path := range []string{"/experiments", "/apps/a/functions/f/experiments", "/apps/a/functions/f/experiments/x/y"} {
		f.expect(get, "/api/v2"+path, "", 501, gone("Experiments not implemented in OSS"))
	}
	for _, path := range []string{"/sessions", "/sessions/k", "/sessions/k/a/b/runs"} {
		f.expect(get, "/api/v2"+path, "", 501, gone("Sessions not implemented in OSS"))
	}
	f.expect(get, "/api/v2/_internal/schema-only", "", 501, refused("api_error", "method XSchemaOnly not implemented"))
	f.expect(post, "/api/v2/sandboxes", `{}`, 501, refused("api_error", "method CreateSandbox not implemented"))
	f.expect(get, "/api/v2/sandboxes/s/processes/p/output/stream", "", 501, refused("api_error", "method Sandbox not implemented"))
}
