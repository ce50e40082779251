package ingot

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/config"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// quiet is a development server that looks for no apps.
func quiet() config.Config {
	cfg := config.Default(config.Dev)
	cfg.Discovery, cfg.PollHealthy = false, false
	return cfg
}

var allCalls = []string{"a", "nap", "b", "end"}

func TestRun_InMemory(t *testing.T) {
	t.Parallel()
	p, a := start(t, quiet()), newApp(t, "10ms")
	if status, body := p.ask(http.MethodPost, "/fn/register", a.registration()); status != http.StatusOK {
		t.Fatalf("register: status %d, body %s", status, body)
	}
	if status, output := p.finished(p.send("any", `{"name":"app/event"}`)); status != "Completed" || output != `"done"` {
		t.Errorf("the run ended as %s with %s", status, output)
	}
	if diff := cmp.Diff(allCalls, a.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	p.stop()
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(p.url, "http://"), time.Second); err == nil {
		t.Error("the port is still open")
	}
}

// TestRun_AsksConfiguredApps gives the server nothing but the app's URL.
func TestRun_AsksConfiguredApps(t *testing.T) {
	t.Parallel()
	a := newApp(t, "10ms")
	cfg := quiet()
	cfg.SDKURLs = []string{a.URL + "/api/inngest"}
	cfg.PollInterval = 50 * time.Millisecond
	p := start(t, cfg)
	a.syncTo <- p.url
	p.awaitApp()
	if status, _ := p.finished(p.send("any", `{"name":"app/event"}`)); status != "Completed" {
		t.Errorf("the run ended as %s", status)
	}
}

// TestRun_Persist stops the server while a run sleeps. The next server on the directory wakes it.
func TestRun_Persist(t *testing.T) {
	t.Parallel()
	dev := quiet()
	dev.Persist = true
	selfHosted := config.Default(config.Start)
	selfHosted.SigningKey, selfHosted.EventKeys = "0123abcd", []config.Secret{"key"}
	for name, cfg := range map[string]config.Config{"dev": dev, "start": selfHosted} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.SQLiteDir = t.TempDir()
			a, first := newApp(t, "1s"), start(t, cfg)
			if status, body := first.ask(http.MethodPost, "/fn/register", a.registration()); status != http.StatusOK {
				t.Fatalf("register: status %d, body %s", status, body)
			}
			event := first.send("key", `{"name":"app/event"}`)
			<-a.slept
			first.stop()

			second := start(t, cfg)
			if status, output := second.finished(event); status != "Completed" || output != `"done"` {
				t.Errorf("the run ended as %s with %s", status, output)
			}
			// The answer with the sleep may have been cut off before it was stored; then the app is asked again.
			if diff := cmp.Diff(allCalls, withoutRepeats(a.called())); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if status, _ := second.finished(second.send("key", `{"name":"app/event","id":"second"}`)); status != "Completed" {
				t.Errorf("the function of the first server ended as %s in the second", status)
			}
			if _, err := os.Stat(filepath.Join(cfg.SQLiteDir, "main.db")); err != nil {
				t.Error(err)
			}
		})
	}
}

func withoutRepeats(calls []string) []string {
	var once []string
	for _, call := range calls {
		if len(once) == 0 || once[len(once)-1] != call {
			once = append(once, call)
		}
	}
	return once
}

// TestRun_KeysOfStart makes sure that keys reach the API.
func TestRun_KeysOfStart(t *testing.T) {
	t.Parallel()
	cfg := config.Default(config.Start)
	cfg.SQLiteDir, cfg.SigningKey, cfg.EventKeys = t.TempDir(), "0123abcd", []config.Secret{"one", "two"}
	p := start(t, cfg)
	for path, want := range map[string]int{"/e/one": 200, "/e/two": 200, "/e/three": 401} {
		if status, body := p.ask(http.MethodPost, path, `{"name":"a"}`); status != want {
			t.Errorf("%s: status %d, want %d: %s", path, status, want, body)
		}
	}
	if status, _ := p.ask(http.MethodGet, "/v1/events", ""); status != http.StatusOK {
		t.Errorf("with the signing key: status %d", status)
	}
	p.key = "0000"
	if status, _ := p.ask(http.MethodGet, "/v1/events", ""); status != http.StatusUnauthorized {
		t.Errorf("with a wrong key: status %d", status)
	}
}

// TestRun_ChecksExpressions makes sure that registrations are checked with the real language.
func TestRun_ChecksExpressions(t *testing.T) {
	t.Parallel()
	p, a := start(t, quiet()), newApp(t, "1s")
	for expression, want := range map[string]int{"event.data.n == 1": http.StatusOK, "event.data.n ==": http.StatusBadRequest} {
		body := strings.Replace(a.registration(), `"event":"app/event"`, `"event":"app/event","expression":"`+expression+`"`, 1)
		if status, answer := p.ask(http.MethodPost, "/fn/register", body); status != want {
			t.Errorf("%s: status %d, want %d: %s", expression, status, want, answer)
		}
	}
}

// TestRun_DiscoversOnThePortOfTheEnvironment runs the app on a port that only the environment knows.
func TestRun_DiscoversOnThePortOfTheEnvironment(t *testing.T) {
	t.Parallel()
	a := newApp(t, "10ms")
	cfg := quiet()
	cfg.Discovery, cfg.PollInterval = true, 50*time.Millisecond
	cfg.DiscoveryPort = a.URL[strings.LastIndexByte(a.URL, ':')+1:]
	p := start(t, cfg)
	a.syncTo <- p.url
	p.awaitApp()
}

func TestRun_DevTellsOfItsOptions(t *testing.T) {
	t.Parallel()
	cfg := quiet()
	cfg.FeatureFlags, cfg.RetryInterval, cfg.QueueWorkers = "mine=true", 3*time.Second, 7
	_, body := start(t, cfg).ask(http.MethodGet, "/dev", "")
	for _, want := range []string{
		`"version": "1.43.0-test"`, `"mine": true`, `"retry_interval": 3`, `"queue_workers": 7`, `"tick": 150000000`, `"poll_interval": 5`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestRun_SwitchesOfTheEnvironment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set                  func(*config.Config)
		metadata, checkpoint int
	}{
		"defaults":            {func(*config.Config) {}, http.StatusOK, http.StatusOK},
		"no metadata":         {func(cfg *config.Config) { cfg.Metadata = false }, http.StatusForbidden, http.StatusOK},
		"dispatch validation": {func(cfg *config.Config) { cfg.DispatchValidation = true }, http.StatusOK, http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := quiet()
			c.set(&cfg)
			p, a := start(t, cfg), newApp(t, "1h")
			p.ask(http.MethodPost, "/fn/register", a.registration())
			event := p.send("any", `{"name":"app/event"}`)
			<-a.slept
			_, body := p.ask(http.MethodGet, "/v1/events/"+event+"/runs", "")
			_, rest, _ := strings.Cut(body, `"run_id":"`)
			run, _, _ := strings.Cut(rest, `"`)
			if status, body := p.ask(http.MethodPost, "/v1/runs/"+run+"/metadata", `{"target":{},"metadata":[]}`); status != c.metadata {
				t.Errorf("metadata: status %d, body %s", status, body)
			}
			stale := `{"run_id":"` + run + `","qi_id":"` + sdk.QueueItemID("gone") + `","generation_id":1,"steps":[]}`
			if status, body := p.ask(http.MethodPost, "/v1/checkpoint/"+run+"/async", stale); status != c.checkpoint {
				t.Errorf("checkpoint: status %d, body %s", status, body)
			}
		})
	}
}

func TestRun_CannotStart(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	listen := func() net.Listener {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		return listener
	}
	t.Run("directory is a file", func(t *testing.T) {
		cfg := quiet()
		cfg.Persist, cfg.SQLiteDir = true, filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(cfg.SQLiteDir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Run(t.Context(), cfg, "", log, listen()); err == nil || !strings.HasPrefix(err.Error(), "build server: ") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("listener is closed", func(t *testing.T) {
		listener := listen()
		_ = listener.Close()
		if err := Run(t.Context(), quiet(), "", log, listener); err == nil || !strings.HasPrefix(err.Error(), "serve http: ") {
			t.Errorf("error %v", err)
		}
	})
}
