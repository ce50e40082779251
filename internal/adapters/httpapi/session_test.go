package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/domain/session"
	"github.com/ingothq/ingot/internal/ports"
)

const (
	theKey = `{"signing_key":"` + signingKey + `"}`
	proof  = "X-Ingot-Csrf: 1"
)

// cookieOf is the only cookie that an answer sets.
func cookieOf(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	set := w.Result().Cookies()
	if len(set) != 1 {
		t.Fatalf("status %d sets %d cookies: %s", w.Code, len(set), w.Body)
	}
	return set[0]
}

func cookieHeader(c *http.Cookie) string { return "Cookie: " + c.Name + "=" + c.Value }

// whoAmI asks for the session.
func whoAmI(t *testing.T, f *fixture, headers ...string) (answer struct {
	Required, Authenticated bool
	By                      string
	ExpiresAt               time.Time `json:"expires_at"`
	EndsAt                  time.Time `json:"ends_at"`
}, w *httptest.ResponseRecorder) {
	t.Helper()
	w = f.send(http.MethodGet, "/v0/session", "", headers...)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d: %s, %v", w.Code, w.Body, err)
	}
	return answer, w
}

func TestSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig)
	if who, _ := whoAmI(t, f); !who.Required || who.Authenticated || who.By != "" {
		t.Errorf("nobody is %+v", who)
	}
	if who, _ := whoAmI(t, f, "Authorization: Bearer "+signingKey); !who.Authenticated || who.By != "signing-key" {
		t.Errorf("who has the key is %+v", who)
	}
	w := f.send(http.MethodPost, "/v0/session", theKey, asJSON, "Origin: http://example.com")
	login := cookieOf(t, w)
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("login: status %d, %v: %s", w.Code, w.Header(), w.Body)
	}
	if !login.HttpOnly || login.SameSite != http.SameSiteStrictMode || login.Secure || login.Path != "/" || login.Domain != "" || login.Name != "ingot-session" || login.MaxAge != 12*60*60-1 {
		t.Errorf("cookie is %+v", login)
	}
	mine := cookieHeader(login)
	who, _ := whoAmI(t, f, mine)
	at := fixtureTime.Truncate(time.Second)
	if !who.Authenticated || who.By != "session" || !who.ExpiresAt.Equal(at.Add(session.Idle)) || !who.EndsAt.Equal(at.Add(session.Longest)) {
		t.Errorf("who has logged in is %+v", who)
	}
	if who, _ := whoAmI(t, f, mine, "Authorization: Bearer 00"); who.Authenticated {
		t.Errorf("a wrong key is covered by a session: %+v", who)
	}
	if w := f.send(http.MethodGet, "/v1/events", "", mine); w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("read: status %d, %v", w.Code, w.Header())
	}
	if w := f.send(http.MethodPost, "/v0/telemetry", "", mine); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "X-Ingot-Csrf") {
		t.Errorf("change without proof: status %d, %s", w.Code, w.Body)
	}
	if w := f.send(http.MethodPost, "/v0/telemetry", "", mine, proof); w.Code != http.StatusOK {
		t.Errorf("change: status %d, %s", w.Code, w.Body)
	}
	if w := f.send(http.MethodDelete, "/v0/session", "", mine); w.Code != http.StatusForbidden {
		t.Errorf("logout without proof: status %d", w.Code)
	}
	w = f.send(http.MethodDelete, "/v0/session", "", mine, proof)
	if set := w.Header()["Set-Cookie"]; w.Code != http.StatusNoContent || len(set) != 2 || !strings.Contains(set[0]+set[1], "Max-Age=0") {
		t.Errorf("logout: status %d, cookies %q", w.Code, set)
	}
	if w := f.send(http.MethodGet, "/v1/events", "", mine); w.Code != http.StatusUnauthorized {
		t.Errorf("read after logout: status %d", w.Code)
	}
}

// TestSession_OfOtherOrigins: whatever cookie a page of another origin makes a browser send, it is no session there.
func TestSession_OfOtherOrigins(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig)
	mine := "Cookie: " + sessionCookie(t, signingKey)
	for name, test := range map[string]struct {
		headers []string
		same    bool
	}{
		"no browser":              {nil, true},
		"own page":                {[]string{"Sec-Fetch-Site: same-origin", "Origin: http://elsewhere.example"}, true},
		"typed":                   {[]string{"Sec-Fetch-Site: none"}, true},
		"own page, old browser":   {[]string{"Origin: http://example.com"}, true},
		"another site":            {[]string{"Sec-Fetch-Site: cross-site"}, false},
		"another port":            {[]string{"Sec-Fetch-Site: same-site"}, false},
		"another site, old":       {[]string{"Origin: http://evil.example"}, false},
		"another port, old":       {[]string{"Origin: http://example.com:3000"}, false},
		"a page without its name": {[]string{"Origin: null"}, false},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			path := map[string]string{http.MethodGet: "/v1/events", http.MethodPost: "/v0/telemetry"}[method]
			w := f.send(method, path, "", append(test.headers, mine, proof)...)
			if got := w.Code == http.StatusOK; got != test.same || !got && w.Code != http.StatusUnauthorized {
				t.Errorf("%s from %s: status %d", method, name, w.Code)
			}
		}
		w := f.send(http.MethodPost, "/v0/session", theKey, append(test.headers, asJSON)...)
		if got := w.Code == http.StatusOK; got != test.same || !got && w.Code != http.StatusForbidden {
			t.Errorf("login from %s: status %d", name, w.Code)
		}
		w = f.send(http.MethodDelete, "/v0/session", "", test.headers...)
		if got := w.Code == http.StatusNoContent; got != test.same || !got && w.Code != http.StatusForbidden {
			t.Errorf("logout from %s: status %d", name, w.Code)
		}
	}
}

func TestSession_IsRenewedByUse(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig)
	first := cookieOf(t, f.send(http.MethodPost, "/v0/session", theKey, asJSON))
	f.clock.advance(7 * time.Hour)
	w := f.send(http.MethodGet, "/v1/events", "", cookieHeader(first))
	second := cookieOf(t, w)
	if w.Code != http.StatusOK || second.Value == first.Value {
		t.Fatalf("status %d, the same cookie: %t", w.Code, second.Value == first.Value)
	}
	if w := f.send(http.MethodGet, "/v1/events", "", cookieHeader(second)); len(w.Header()["Set-Cookie"]) != 0 {
		t.Error("renewed twice at once")
	}
	f.clock.advance(6 * time.Hour)
	if w := f.send(http.MethodGet, "/v1/events", "", cookieHeader(first)); w.Code != http.StatusUnauthorized {
		t.Errorf("the old cookie: status %d", w.Code)
	}
	who, w := whoAmI(t, f, cookieHeader(second))
	if third := cookieOf(t, w); !who.Authenticated || !who.ExpiresAt.After(f.clock.Now().Add(11*time.Hour)) {
		t.Errorf("asking renews to %+v, %v", who, third)
	}
	f.send(http.MethodDelete, "/v0/session", "", cookieHeader(second), proof)
	if w := f.send(http.MethodGet, "/v1/events", "", cookieHeader(second)); w.Code != http.StatusUnauthorized {
		t.Errorf("after logout: status %d", w.Code)
	}
}

func TestSession_OverTLS(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig)
	login := cookieOf(t, f.send(http.MethodPost, "/v0/session", theKey, asJSON, "X-Forwarded-Proto: https, http"))
	if login.Name != "__Host-ingot-session" || !login.Secure {
		t.Errorf("cookie is %+v", login)
	}
	if who, _ := whoAmI(t, f, cookieHeader(login)); !who.Authenticated {
		t.Errorf("who has logged in is %+v", who)
	}
	if w := f.send(http.MethodGet, "/v1/events", "", "Cookie: __Host-ingot-session=x; "+sessionCookie(t, signingKey)); w.Code != http.StatusOK {
		t.Errorf("behind a cookie that is none: status %d", w.Code)
	}
}

func TestSession_IsNotNeededWithoutAKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	for _, w := range []*httptest.ResponseRecorder{f.send(http.MethodGet, "/v0/session", ""), f.send(http.MethodPost, "/v0/session", "{}", asJSON)} {
		if want := `{"required":false,"authenticated":true,"by":"open"}` + "\n"; w.Body.String() != want || len(w.Header()["Set-Cookie"]) != 0 {
			t.Errorf("%s, %v", w.Body, w.Header())
		}
	}
}

func TestLogin_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig)
	for name, test := range map[string]struct {
		body, kind string
		status     int
		text       string
	}{
		"wrong key":   {`{"signing_key":"00"}`, "application/json", 401, "The signing key is not right"},
		"no key":      {`{}`, "application/json", 400, "signing_key is required"},
		"no JSON":     {`x`, "application/json", 400, "signing_key is required"},
		"a form":      {theKey, "text/plain", 415, "Content-Type must be application/json"},
		"no type":     {theKey, "", 415, "Content-Type must be application/json"},
		"a long body": {strings.Repeat(" ", 5000), "application/json", 413, "Unable to read the request: request body too large"},
	} {
		w := f.send(http.MethodPost, "/v0/session", test.body, "Content-Type: "+test.kind)
		if w.Code != test.status || !strings.Contains(w.Body.String(), `"`+test.text+`"`) || len(w.Header()["Set-Cookie"]) != 0 {
			t.Errorf("%s: status %d, %s, %v", name, w.Code, w.Body, w.Header())
		}
	}
	if w := f.send(http.MethodPost, "/v0/session", `{"signing_key":"signkey-prod-`+signingHash+`"}`, "Content-Type: application/json; charset=utf-8"); w.Code != http.StatusOK {
		t.Errorf("the hash of the key: status %d", w.Code)
	}
	if strings.Contains(f.log.String(), "signing_key") || !strings.Contains(f.log.String(), "login with a wrong signing key") {
		t.Errorf("log is %s", f.log)
	}
}

// TestLogin_IsLimited: who guesses is slowed down; who is elsewhere, or has the key, is not.
func TestLogin_IsLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig)
	try := func(address, key string) *httptest.ResponseRecorder {
		return f.sendFrom(address, http.MethodPost, "/v0/session", `{"signing_key":"`+key+`"}`, asJSON)
	}
	for i := range 50 {
		if w := try("192.0.2.7:1", signingKey); w.Code != http.StatusOK {
			t.Fatalf("right key %d: status %d", i, w.Code)
		}
	}
	for i := range 10 {
		if w := try(fmt.Sprintf("[2001:db8::%d]:1", i), "00"); w.Code != http.StatusUnauthorized {
			t.Fatalf("attempt %d: status %d", i, w.Code)
		}
	}
	w := try("[2001:db8::ff]:1", signingKey)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "10" {
		t.Errorf("status %d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	for _, address := range []string{"[2001:db8:0:1::1]:1", "192.0.2.8:1", "not an address", "also:1"} {
		if w := try(address, "00"); w.Code != http.StatusUnauthorized {
			t.Errorf("from %s: status %d", address, w.Code)
		}
	}
	f.clock.advance(10 * time.Second)
	if w := try("[2001:db8::ff]:1", signingKey); w.Code != http.StatusOK {
		t.Errorf("after the wait: status %d", w.Code)
	}
}

// brokenSigner verifies and cannot sign.
type brokenSigner struct{ ports.Tokens }

func (brokenSigner) SignSession(session.Claims) (string, error) { return "", errors.New("no entropy") }

func TestSession_ThatCannotBeSigned(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startConfig, func(d *httpapi.Deps) { d.Tokens = brokenSigner{d.Tokens} })
	mine := "Cookie: " + sessionCookie(t, signingKey)
	if w := f.send(http.MethodPost, "/v0/session", theKey, asJSON); w.Code != http.StatusInternalServerError {
		t.Errorf("login: status %d", w.Code)
	}
	f.clock.advance(7 * time.Hour)
	for _, path := range []string{"/v0/session", "/v1/events"} {
		w := f.send(http.MethodGet, path, "", mine)
		if w.Code != http.StatusInternalServerError || strings.Count(w.Body.String(), "{") != 1 {
			t.Errorf("%s: status %d, %s", path, w.Code, w.Body)
		}
	}
}
