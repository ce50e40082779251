package appsync

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// polling runs a poller until the test stops it.
func (w *world) polling(config PollerConfig) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	poller := NewPoller(w.syncer, w.catalog, w.apps, w.log, config)
	go func() { done <- poller.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

// put stores an app as it is.
func (w *world) put(app function.App) function.App {
	w.t.Helper()
	if app.ID == ([16]byte{}) {
		app.ID = ids.AppID(app.Name + app.URL)
	}
	if err := w.catalog.Sync(w.t.Context(), function.SyncPlan{App: app}); err != nil {
		w.t.Fatal(err)
	}
	return app
}

func anApp(name, url, fault string) function.App {
	return function.App{Name: name, URL: url, Method: function.MethodServe, Error: fault}
}

// The table of spec 01 §6.
func TestPing_MakesTheOutcomeTheAppsError(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) sdk.Response { return sdk.Response{Status: status, Body: []byte(body)} }
	for name, c := range map[string]struct {
		url      string
		response sdk.Response
		want     string
	}{
		"another scheme":                         {"ftp://app.test", answer(200, ``), "unsupported_protocol"},
		"no url":                                 {"http://a b", answer(200, ``), `parse "http://a b": invalid character " " in host name`},
		"no answer":                              {appURL, sdk.Response{TransportError: "Unable to reach SDK URL"}, "unreachable"},
		"no TLS":                                 {appURL, sdk.Response{TransportError: "http: server gave HTTP response to HTTPS client"}, "unsupported_protocol"},
		"400, no json":                           {appURL, answer(400, `<html>`), "invalid character '<' looking for beginning of value"},
		"400, bad key":                           {appURL, answer(400, `{"message":"Your signing key is invalid"}`), "invalid_signing_key"},
		"400, no functions":                      {appURL, answer(400, `{"message":"No functions registered"}`), "no_functions"},
		"400, invalid function":                  {appURL, answer(400, `{"message":"A function is invalid"}`), "invalid_function"},
		"400, no key":                            {appURL, answer(400, `{"message":"You didn't specify your workspace's signing key"}`), "missing_signing_key"},
		"400, no branch":                         {appURL, answer(400, `{"message":"No INNGEST_ENV branch name found"}`), "missing_branch_env_name"},
		"400, something else":                    {appURL, answer(400, `{"message":"something else"}`), "something else"},
		"400 without a message":                  {appURL, answer(400, `{}`), ""},
		"401":                                    {appURL, answer(401, ``), "unauthorized"},
		"403":                                    {appURL, answer(403, ``), "forbidden"},
		"404":                                    {appURL, answer(404, ``), "url_not_found"},
		"500":                                    {appURL, answer(500, ``), "internal_server_error"},
		"405 is a success, which clears nothing": {appURL, answer(405, ``), "before"},
		"503 is a success":                       {appURL, answer(503, ``), "before"},
		"200":                                    {appURL, answer(200, `{"message":"ok"}`), "before"},
		"an app's description with 503":          {appURL, answer(503, inBand("")), "before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			app := w.put(anApp("app", c.url, "before"))
			w.apps.answers(c.response)
			p := NewPoller(w.syncer, w.catalog, w.apps, w.log, PollerConfig{})
			_ = p.Ping(t.Context(), app)
			if got := w.app(c.url); got.Error != c.want {
				t.Errorf("error is %q, want %q", got.Error, c.want)
			}
			if got := w.slugs(); got != nil {
				t.Errorf("functions are %v", got)
			}
			_ = p.Ping(t.Context(), w.app(c.url))
			if n := w.catalog.count("SetAppError"); n > 1 {
				t.Errorf("the same error was written %d times", n)
			}
		})
	}
}

// inBand is the answer of a Go app to a signed ping.
func inBand(url string) string {
	return fmt.Sprintf(`{"app_id":"go-app","env":null,"framework":"net/http","functions":[%s],"inspection":{},"platform":"","sdk_author":"inngest","sdk_language":"go","sdk_version":"0.16.0","url":%q}`,
		declared("go-app", appURL, "a", ""), url)
}

func TestPing_RegistersAnAppThatDescribesItselfInItsAnswer(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"with its URL": appURL, "at the URL that was asked": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			placeholder := w.put(anApp("", appURL, "unreachable"))
			w.apps.answers(sdk.Response{Status: 200, Body: []byte(inBand(url))})
			p := NewPoller(w.syncer, w.catalog, w.apps, w.log, PollerConfig{})
			_ = p.Ping(t.Context(), placeholder)
			app := w.app(appURL)
			if app.Name != "go-app" || app.SDK != "go" || app.SDKVersion != "v0.16.0" || app.Error != "" || app.ID != ids.AppID("go-app") {
				t.Errorf("app is %+v", app)
			}
			if diff := cmp.Diff([]string{"go-app-a"}, w.slugs()); diff != "" {
				t.Errorf("functions -want +got:\n%s", diff)
			}
			_ = p.Ping(t.Context(), app)
			if n := w.catalog.count("Sync"); n != 2 { // the placeholder's and the app's
				t.Errorf("the catalog was written %d times", n)
			}
		})
	}
}

func TestPing_SaysOnceWhyAnAnswerIsNotRegistered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		fail   string
		logged string
	}{
		"it is refused":     {strings.Replace(inBand(""), `{"event":"a"}`, `{"event":"a","expression":"bad"}`, 1), "", "app sync refused"},
		"the catalog fails": {inBand(""), "Sync", "register app from its answer to a ping"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			app := w.put(anApp("", appURL, "unreachable"))
			if c.fail != "" {
				w.catalog.failing(c.fail, 9)
			}
			w.apps.answers(sdk.Response{Status: 200, Body: []byte(c.body)})
			_ = NewPoller(w.syncer, w.catalog, w.apps, w.log, PollerConfig{}).Ping(t.Context(), app)
			if lines := strings.Count(w.logged.String(), "\n"); lines != 1 || !strings.Contains(w.logged.String(), c.logged) {
				t.Errorf("logged %s", w.logged)
			}
		})
	}
}

func TestPing_LogsAnErrorThatCannotBeStored(t *testing.T) {
	t.Parallel()
	w := setup(t)
	app := w.put(anApp("app", appURL, ""))
	w.catalog.failing("SetAppError", 1)
	w.apps.answers(sdk.Response{Status: 404})
	_ = NewPoller(w.syncer, w.catalog, w.apps, w.log, PollerConfig{}).Ping(t.Context(), app)
	if !strings.Contains(w.logged.String(), "store app error") {
		t.Errorf("logged %s", w.logged)
	}
}

func TestRun_PlaceholdersStandForConfiguredApps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.catalog.failing("PutPlaceholder", 1)
		w.apps.answers(sdk.Response{Status: 404})
		stop := w.polling(PollerConfig{URLs: []string{"127.0.0.1:3000/api", "https://app.test:443/api?deployId=1"}})
		defer stop()
		second := w.app("https://app.test/api")
		if second.Name != "" || second.ID != ids.PlaceholderAppID(second.URL) || second.Error != "url_not_found" {
			t.Errorf("placeholder is %+v", second)
		}
		if apps, err := w.catalog.Apps(t.Context()); err != nil || len(apps) != 1 {
			t.Errorf("%d apps, %v", len(apps), err)
		}
		time.Sleep(5 * time.Second) // what could not be stored is tried again
		synctest.Wait()
		if first := w.app("http://localhost:3000/api"); first.Error != "url_not_found" {
			t.Errorf("placeholder is %+v", first)
		}
		if n := w.catalog.count("PutPlaceholder"); n != 3 {
			t.Errorf("stored in %d calls", n)
		}
	})
}

func TestRun_AsksTheAppsThatAreToBeAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		healthy bool
		want    map[string]int
	}{
		"those with an error": {false, map[string]int{"ping http://broken": 3}},
		"all":                 {true, map[string]int{"ping http://broken": 3, "ping http://healthy": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.put(anApp("healthy", "http://healthy", ""))
				w.put(anApp("broken", "http://broken", "unreachable"))
				connected := anApp("connected", "wss://connected", "gone")
				connected.Method = function.MethodConnect
				w.put(connected)
				endpoint := anApp("endpoint", "http://endpoint", "gone")
				endpoint.Method = function.MethodAPI
				w.put(endpoint)
				w.apps.answers(sdk.Response{Status: 200})
				stop := w.polling(PollerConfig{Healthy: c.healthy, Interval: time.Minute})
				time.Sleep(2*time.Minute + time.Second)
				stop()
				if diff := cmp.Diff(c.want, w.apps.all()); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		})
	}
}

func TestRun_AnAppThatHangsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.put(anApp("hanging", "http://hanging", "unreachable"))
		w.put(anApp("other", "http://other", "unreachable"))
		w.apps.answer = func(ctx context.Context, url string) (sdk.Response, error) {
			if url != "http://hanging" {
				return sdk.Response{Status: 200}, nil
			}
			select {
			case <-ctx.Done():
				return sdk.Response{}, ctx.Err()
			case <-time.After(time.Minute):
				return sdk.Response{TransportError: "timeout"}, nil
			}
		}
		stop := w.polling(PollerConfig{})
		time.Sleep(51 * time.Second)
		if n := w.apps.count("ping http://other"); n != 11 {
			t.Errorf("the other app was asked %d times in 51 s, want every 5 s", n)
		}
		if n := w.apps.count("ping http://hanging"); n != 1 {
			t.Errorf("the app that hangs is asked %d times at once", n)
		}
		time.Sleep(15 * time.Second)
		if n := w.apps.count("ping http://hanging"); n != 2 {
			t.Errorf("the app that hung was asked %d times", n)
		}
		stop() // which ends the question under way
		if app := w.app("http://hanging"); app.Error != "unreachable" {
			t.Errorf("the end of the server became the app's error %q", app.Error)
		}
	})
}

func TestRun_ManyHangingAppsAreAskedInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		const count = 3 * pingsAtOnce
		for n := range count {
			w.put(anApp(fmt.Sprint("app", n), fmt.Sprintf("http://app%d", n), "unreachable"))
		}
		w.apps.answer = func(ctx context.Context, _ string) (sdk.Response, error) {
			select {
			case <-ctx.Done():
				return sdk.Response{}, ctx.Err()
			case <-time.After(10 * time.Second):
				return sdk.Response{TransportError: "timeout"}, nil
			}
		}
		stop := w.polling(PollerConfig{})
		time.Sleep(25 * time.Second)
		if n := len(w.apps.all()); n != count {
			t.Errorf("%d of %d apps were asked", n, count)
		}
		begin := time.Now()
		stop()
		if took := time.Since(begin); took != 0 {
			t.Errorf("the stop took %s", took)
		}
	})
}

func TestRun_DiscoversUntilAnAppIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		var there atomic.Bool
		w.apps.probe = func(_ context.Context, url string) bool {
			return there.Load() && url == "http://127.0.0.1:3000/api/inngest"
		}
		w.apps.answers(sdk.Response{Status: 401})
		urls := []string{"http://127.0.0.1:3000/api/inngest", "http://127.0.0.1:3000/x/inngest"}
		stop := w.polling(PollerConfig{Discover: true, DiscoveryURLs: urls})
		defer stop()
		time.Sleep(6 * time.Second)
		if n := w.apps.count("probe " + urls[1]); n != 2 {
			t.Errorf("looked %d times in 6 s", n)
		}
		there.Store(true)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		app := w.app("http://localhost:3000/api/inngest")
		if app.Name != "" || app.Error != "unauthorized" {
			t.Errorf("app is %+v", app)
		}
		if err := w.syncer.Remove(t.Context(), app.URL); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := w.apps.count("probe " + urls[1]); n != 3 {
			t.Errorf("looked %d times: an app that was removed is found again", n)
		}
	})
}

func TestRun_DoesNotDiscoverWhenAnAppIsKnownOrItIsNotToBe(t *testing.T) {
	t.Parallel()
	for name, discover := range map[string]bool{"an app is known": true, "it is not to be": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				if discover {
					w.put(anApp("app", appURL, ""))
				}
				stop := w.polling(PollerConfig{Discover: discover, DiscoveryURLs: []string{"http://127.0.0.1:3000"}})
				time.Sleep(time.Minute)
				stop()
				if asked := w.apps.all(); len(asked) > 0 {
					t.Errorf("asked %v", asked)
				}
			})
		})
	}
}

func TestRun_GoesOnAfterTheCatalogFailed(t *testing.T) {
	t.Parallel()
	for name, failures := range map[string]func(string, int) error{
		"in a round":      func(call string, n int) error { return failOn(call == "Apps" && n == 1) },
		"after discovery": func(call string, n int) error { return failOn(call == "Apps" && n == 2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.catalog.fail = failures
				w.apps.probe = func(context.Context, string) bool { return true }
				w.apps.answers(sdk.Response{Status: 404})
				stop := w.polling(PollerConfig{Discover: true, DiscoveryURLs: []string{"http://127.0.0.1:3000"}})
				time.Sleep(6 * time.Second)
				stop()
				if app := w.app("http://localhost:3000"); app.Error != "url_not_found" {
					t.Errorf("app is %+v", app)
				}
				if n := strings.Count(w.logged.String(), "poll apps"); n != 1 {
					t.Errorf("logged %s", w.logged)
				}
			})
		})
	}
}

func failOn(now bool) error {
	if now {
		return ports.ErrUnavailable
	}
	return nil
}

func TestRun_EndsWhenStoppedBeforeItBegins(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := NewPoller(w.syncer, w.catalog, w.apps, w.log, PollerConfig{}).Run(ctx); err != nil {
		t.Error(err)
	}
	if text := w.logged.String(); text != "" {
		t.Errorf("logged %s", text)
	}
}

func TestDiscoveryURLs(t *testing.T) {
	t.Parallel()
	plain, more := DiscoveryURLs(), DiscoveryURLs("4000")
	if len(plain) != 4*27 || len(more) != len(plain)+4 {
		t.Errorf("%d and %d URLs", len(plain), len(more))
	}
	if !slices.Contains(more, "http://127.0.0.1:4000/.netlify/functions/inngest") || !slices.Contains(plain, "http://127.0.0.1:3000/api/inngest") {
		t.Errorf("URLs are %v", more)
	}
	if diff := cmp.Diff(plain, DiscoveryURLs()); diff != "" {
		t.Errorf("the ports given to one call stayed: %s", diff)
	}
}
