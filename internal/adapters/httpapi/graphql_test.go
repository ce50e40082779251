package httpapi_test

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
)

// echoing answers with what it was asked.
func echoing(d *httpapi.Deps) {
	d.GraphQL = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Method+" "+r.URL.RawQuery+string(body))
	})
}

func TestGraphQL_WantsTheSigningKeyWhereThereIsOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config httpapi.Config
		header string
		status int
	}{
		"dev":            {devConfig, "", 200},
		"no key":         {startConfig, "", 401},
		"a wrong key":    {startConfig, "Authorization: Bearer 000000", 401},
		"the key":        {startConfig, "Authorization: Bearer " + signingKey, 200},
		"the key's hash": {startConfig, "Authorization: Bearer " + signingHash, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, c.config, echoing)
			if c.header == "" {
				c.header = "X-None: 1"
			}
			if w := f.send(http.MethodPost, "/v0/gql", "{apps}", c.header); w.Code != c.status || c.status == 200 && w.Body.String() != "POST {apps}" {
				t.Errorf("POST: %d %s", w.Code, w.Body)
			}
			if w := f.send(http.MethodGet, "/v0/gql?query=x", "", c.header); w.Code != c.status || c.status == 200 && w.Body.String() != "GET query=x" {
				t.Errorf("GET: %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestGraphQL_OtherMethodsAndNoHandler(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig, echoing)
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
		if w := f.send(method, "/v0/gql", ""); w.Code != http.StatusOK || w.Body.String() != method+" " {
			t.Errorf("%s is not left to the handler: %d %s", method, w.Code, w.Body)
		}
	}
	none := newFixture(t, devConfig)
	if w := none.send(http.MethodPost, "/v0/gql", "{}"); w.Code != http.StatusNotFound {
		t.Errorf("without a handler: %d", w.Code)
	}
}

// A page of another site must not read what the server answers to its visitor's browser.
func TestGraphQL_IsForPagesOfItsOwnOriginOutsideOfDevelopment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config httpapi.Config
		want   string
	}{"dev": {devConfig, "https://elsewhere.test"}, "start": {startConfig, ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, c.config, echoing)
			headers := []string{"Origin: https://elsewhere.test", "Authorization: Bearer " + signingKey}
			if got := f.send(http.MethodPost, "/v0/gql", "{}", headers...).Header().Get("Access-Control-Allow-Origin"); got != c.want {
				t.Errorf("answer: allows %q, want %q", got, c.want)
			}
			preflight := slices.Concat(headers, []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"})
			if got := f.send(http.MethodOptions, "/v0/gql", "", preflight...).Header().Get("Access-Control-Allow-Origin"); got != c.want {
				t.Errorf("preflight: allows %q, want %q", got, c.want)
			}
			if got := f.send(http.MethodPost, "/e/"+eventKey, `{"name":"a"}`, headers...).Header().Get("Access-Control-Allow-Origin"); got == "" {
				t.Error("events are not admitted from everywhere")
			}
		})
	}
}
