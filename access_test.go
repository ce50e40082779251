package ingot

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/config"
)

// TestAccess_OfTheBuiltServer: the second key opens what the first does, and a browser that has given a key once needs none.
func TestAccess_OfTheBuiltServer(t *testing.T) {
	t.Parallel()
	cfg := config.Default(config.Start)
	cfg.SigningKey, cfg.SigningKeyFallback, cfg.EventKeys, cfg.SQLiteDir = "0123abcd", "fedc", []config.Secret{"key"}, t.TempDir()
	p := start(t, cfg)
	for key, want := range map[string]int{"0123abcd": 200, "fedc": 200, "00": 401, "": 401} {
		p.key = key
		if status, _ := p.ask(http.MethodGet, "/debug/vars", ""); status != want {
			t.Errorf("key %q: status %d", key, status)
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, path, body string) (int, []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Ingot-Csrf", "1")
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, text
	}
	if status, _ := ask(http.MethodGet, "/v1/events", ""); status != http.StatusUnauthorized {
		t.Errorf("before the login: status %d", status)
	}
	status, text := ask(http.MethodPost, "/v0/session", `{"signing_key":"signkey-prod-fedc"}`)
	var who struct{ Authenticated bool }
	if err := json.Unmarshal(text, &who); err != nil || status != http.StatusOK || !who.Authenticated {
		t.Fatalf("login: status %d, %s", status, text)
	}
	if status, _ := ask(http.MethodGet, "/v1/events", ""); status != http.StatusOK {
		t.Errorf("after the login: status %d", status)
	}
	if status, _ := ask(http.MethodDelete, "/v0/session", ""); status != http.StatusNoContent {
		t.Errorf("logout: status %d", status)
	}
	if status, _ := ask(http.MethodGet, "/v1/events", ""); status != http.StatusUnauthorized {
		t.Errorf("after the logout: status %d", status)
	}
}
