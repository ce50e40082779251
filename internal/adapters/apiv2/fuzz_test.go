package apiv2_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
)

// FuzzREST sends any request. Whatever it says, the answer is JSON, data or errors, and nothing is the server's fault.
func FuzzREST(f *testing.F) {
	for _, seed := range [][3]string{
		{get, "/api/v2/runs?limit=1&from=2026-03-01T12:00:00Z&status=FAILED", ""},
		{get, "/v2/apps/a%2Fb/functions/c:d", ""},
		{get, "/api/v2/runs?cursor=eyJpZCI6IiJ9&includeOutput=1", ""},
		{post, "/api/v2/events", `{"name":"a/b","data":{"a":[1,{"b":null}]},"ts":"1700000000000"}`},
		{post, "/api/v2/apps/shop/functions/one/invoke", `{"data":{"n":12345678901234567890},"idempotencyKey":"k"}`},
		{post, "/api/v2/runs/" + unknownRun + "/rerun", `{"fromStep":{"stepId":"x","input":[1]}}`},
		{post, "/api/v2/runs/" + unknownRun + "/scores", `[{"name":"x","value":1,"experiment":{"id":"a","variant":"b"}}]`},
		{http.MethodPatch, "/api/v2/envs/%zz", `{`},
		{get, "/api/v2/health", `{}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if _, err := url.ParseRequestURI(path); err != nil || strings.HasPrefix(path, "/api.v2.") || strings.HasPrefix(path, "/grpc.") || !strings.HasPrefix(path, "/") {
			return // no path of REST
		}
		if method != get && method != post && method != http.MethodPatch {
			method = post
		}
		api := newFixture(t, apiv2.Config{})
		api.register("shop", `[`+fn("shop", "one", "")+`]`)
		r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
		if err != nil {
			return // no request
		}
		w := httptest.NewRecorder()
		api.handler.ServeHTTP(w, r)
		if w.Code == http.StatusMethodNotAllowed {
			return // of a document
		}
		var answer map[string]json.RawMessage
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%d %s: %v", w.Code, w.Body, err)
		}
		if _, refused := answer["errors"]; refused != (w.Code >= http.StatusBadRequest) || w.Code == http.StatusInternalServerError {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
