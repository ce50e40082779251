package sdkhttp

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCall_FollowsRedirects(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, Host, Query, Body, Signature, Type string }
	const body, signature, kind = `{"ctx":{}}`, "t=1&s=2", "application/json"
	for name, test := range map[string]struct {
		status   int
		location string
		want     seen
	}{
		"307 repeats the request":               {307, "/moved", seen{"POST", "app.test", "fnId=a&stepId=step", body, signature, kind}},
		"308 too, and keeps new parameters":     {308, "/moved?z=1&fnId=other", seen{"POST", "app.test", "fnId=a&stepId=step&z=1", body, signature, kind}},
		"301 asks by GET with headers and body": {301, "/moved", seen{"GET", "app.test", "fnId=a&stepId=step", body, signature, kind}},
		"302 too":                               {302, "http://app.test/moved", seen{"GET", "app.test", "fnId=a&stepId=step", body, signature, kind}},
		"303 too":                               {303, "/moved", seen{"GET", "app.test", "fnId=a&stepId=step", body, signature, kind}},
		"a subdomain is the same site":          {307, "http://www.app.test/moved", seen{"POST", "www.app.test", "fnId=a&stepId=step", body, signature, kind}},
		"a stranger gets no signature":          {307, "http://other.test/moved", seen{"POST", "other.test", "fnId=a&stepId=step", body, "", kind}},
		"a stranger gets no body with a GET":    {302, "http://other.test/moved", seen{"GET", "other.test", "fnId=a&stepId=step", "", "", kind}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan seen, 1)
			app := serve(t, func(w http.ResponseWriter, r *http.Request) {
				content, _ := io.ReadAll(r.Body)
				if r.URL.Path != "/moved" {
					w.Header().Set("Location", test.location)
					w.WriteHeader(test.status)
					return
				}
				arrived <- seen{r.Method, r.Host, r.URL.RawQuery, string(content), r.Header.Get("X-Inngest-Signature"), r.Header.Get("Content-Type")}
			})
			worker := newWorker(t, Config{})
			worker.everywhere(app)
			call := aCall("http://app.test/api?fnId=a&stepId=step")
			call.Header["X-Inngest-Signature"] = signature
			if response, err := worker.Call(t.Context(), call); err != nil || response.Status != 200 {
				t.Fatalf("got %+v, %v", response, err)
			}
			if diff := cmp.Diff(test.want, <-arrived); diff != "" {
				t.Errorf("redirected request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCall_GivesUpOnRedirects(t *testing.T) {
	t.Parallel()
	requests := 0
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
	})
	response, err := newWorker(t, Config{}).Call(t.Context(), aCall(app.URL+"/"))
	want := `error performing request: Post "` + app.URL + `/": stopped after 60 redirects`
	if err != nil || response.TransportError != want {
		t.Errorf("got %+v, %v; want %s", response, err, want)
	}
	if requests != 61 {
		t.Errorf("%d requests, want 61", requests)
	}
}

func TestCall_TakesARedirectToNowhereAsTheAnswer(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.Header().Set("Location", "http://[")
		}
		w.WriteHeader(http.StatusFound)
	})
	worker := newWorker(t, Config{})
	if response, err := worker.Call(t.Context(), aCall(app.URL)); err != nil || response.Status != 302 {
		t.Errorf("without Location: got %+v, %v", response, err)
	}
	response, err := worker.Call(t.Context(), aCall(app.URL+"/broken"))
	if err != nil || !strings.Contains(response.TransportError, `failed to parse Location header "http://["`) {
		t.Errorf("with a broken Location: got %+v, %v", response, err)
	}
}

func TestSameSite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"http://app.test", "https://APP.test:8443/x", true},
		{"http://app.test", "http://www.app.test", true},
		{"http://www.app.test", "http://app.test", true},
		{"http://localhost:3000", "http://127.0.0.1:4000", true},
		{"http://[::1]:3000", "http://localhost:4000", true},
		{"http://api.app.test", "http://app.test", false},
		{"http://app.test", "http://notapp.test", false},
		{"http://app.test", "http://app.test.evil.test", false},
		{"http://127.0.0.1", "http://10.0.0.1", false},
		{"http://0.0.0.1", "http://1.0.0.0.1", false},
	} {
		from, err := url.Parse(test.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(test.to)
		if err != nil {
			t.Fatal(err)
		}
		if got := sameSite(from, to); got != test.want {
			t.Errorf("sameSite(%s, %s) = %v", test.from, test.to, got)
		}
	}
}
