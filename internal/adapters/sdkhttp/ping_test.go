package sdkhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

type pinged struct {
	Method, Body string
	Header       http.Header
}

func TestPing(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]Config{
		"dev, unsigned":              {},
		"cloud, signed":              {ServerKind: "cloud", SigningKey: "12345678"},
		"signed with a prefixed key": {ServerKind: "cloud", SigningKey: "signkey-test-12345678"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := make(chan pinged, 1)
			app := serve(t, func(w http.ResponseWriter, r *http.Request) {
				content, _ := io.ReadAll(r.Body)
				requests <- pinged{r.Method, string(content), r.Header}
				w.Header().Set("X-Inngest-Sdk", "go:v0.16.0")
				_, _ = io.WriteString(w, `{"app_id":"go"}`)
			})
			url := app.URL + "/api/inngest"
			response, err := newWorker(t, config).Ping(t.Context(), url)
			if err != nil || response.Status != 200 || string(response.Body) != `{"app_id":"go"}` || response.Header["X-Inngest-Sdk"] == "" {
				t.Errorf("got %+v, %v", response, err)
			}
			got := <-requests
			signature := got.Header.Get("X-Inngest-Signature")
			if config.SigningKey != "" {
				if err := sdk.VerifySignature("12345678", signature, []byte(got.Body), time.Unix(1700000000, 0)); err != nil {
					t.Error(err)
				}
				got.Header.Del("X-Inngest-Signature")
			}
			want := pinged{"PUT", `{"url":"` + url + `"}`, http.Header{
				"Accept-Encoding": {"gzip"}, "User-Agent": {"Go-http-client/1.1"}, "Content-Type": {"application/json"},
				"X-Inngest-Server-Kind": {config.withDefaults().ServerKind}, "Content-Length": {got.Header.Get("Content-Length")},
			}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ping (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPing_SaysWhyThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusTemporaryRedirect) })
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	for name, test := range map[string]struct{ url, want, code string }{
		"no HTTPS there":     {strings.Replace(app.URL, "http:", "https:", 1), "server gave HTTP response to HTTPS client", "unsupported_protocol"},
		"another protocol":   {"ftp://localhost/", "unsupported protocol scheme", "unsupported_protocol"},
		"not a URL":          {"http://[", "missing ']' in host", "unreachable"},
		"too many redirects": {app.URL, "stopped after 10 redirects", "unreachable"},
		"no answer in time":  {slow.URL, "no answer to the ping within 20ms", "unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := Config{}
			if test.url == slow.URL {
				config.PingTimeout = 20 * time.Millisecond
			}
			response, err := newWorker(t, config).Ping(t.Context(), test.url)
			if err != nil || !strings.Contains(response.TransportError, test.want) {
				t.Errorf("got %+v, %v; want %s", response, err, test.want)
			}
			if code := function.PingTransportError(errors.New(response.TransportError)); code != test.code {
				t.Errorf("PingTransportError = %s, want %s", code, test.code)
			}
		})
	}
}

func TestPing_ShowsItsSignatureToTheAppOnly(t *testing.T) {
	t.Parallel()
	signed := make(chan string, 2)
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		signed <- r.Header.Get("X-Inngest-Signature")
		if r.Host == "app.test" {
			http.Redirect(w, r, "http://other.test/", http.StatusTemporaryRedirect)
		}
	})
	worker := newWorker(t, Config{SigningKey: "12345678"})
	worker.everywhere(app)
	if response, err := worker.Ping(t.Context(), "http://app.test/"); err != nil || response.Status != 200 {
		t.Fatalf("got %+v, %v", response, err)
	}
	if app, other := <-signed, <-signed; app == "" || other != "" {
		t.Errorf("signature for the app %q, for the other host %q", app, other)
	}
}

func TestPing_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	app := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(started)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	if _, err := newWorker(t, Config{}).Ping(ctx, app.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPing_LimitsTheAnswer(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, sdk.MaxResponseBytes+1)) })
	response, err := newWorker(t, Config{}).Ping(t.Context(), app.URL)
	if err != nil || !response.TooLarge || response.Body != nil {
		t.Errorf("got too large %v, %d bytes, %v", response.TooLarge, len(response.Body), err)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sdk":
			w.Header().Set("x-inngest-sdk", "py:v0.5.0")
			w.WriteHeader(http.StatusForbidden)
		case "/slow":
			<-r.Context().Done()
		}
		if r.Method != http.MethodGet {
			t.Errorf("probed with %s", r.Method)
		}
	})
	for path, want := range map[string]bool{app.URL + "/sdk": true, app.URL + "/other": false, "ftp://localhost": false, "http://[": false} {
		if got := newWorker(t, Config{}).Probe(t.Context(), path); got != want {
			t.Errorf("Probe(%s) = %v", path, got)
		}
	}
	if newWorker(t, Config{ProbeTimeout: 20 * time.Millisecond}).Probe(t.Context(), app.URL+"/slow") {
		t.Error("an app was found that does not answer")
	}
}
