package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/config"
)

func writeConfig(t *testing.T, content string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "inngest.json"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestServe_HandsOverAListenerOnTheConfiguredPort(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Serve = func(ctx context.Context, cfg config.Config, _ *slog.Logger, ln net.Listener) error {
		server := &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, "hello") })}
		defer server.Close()
		go func() { _ = server.Serve(ln) }()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", cfg.Port), nil)
		if err != nil {
			return err
		}
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	w.run(t, 0, "dev")
	if w.stdout.Len() != 0 {
		t.Errorf("stdout without a terminal: %s", &w.stdout)
	}
}

func TestServe_PortInUse(t *testing.T) {
	t.Parallel()
	taken, port := take(t)
	flag := "--port=" + strconv.Itoa(port)
	t.Run("dev moves up and says so", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.run(t, 0, "dev", flag)
		var line struct {
			Level, Msg, Name, Caller string
			From, To                 int
		}
		if err := json.Unmarshal(w.stderr.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, &w.stderr)
		}
		if line.To <= port || line.To != w.served.Port {
			t.Errorf("moved from %d to %d, served %d", port, line.To, w.served.Port)
		}
		line.To = 0
		want := line
		want.Level, want.Msg, want.Name, want.Caller, want.From = "INFO", "Port conflict, using new port", "dev server api", "devserver", port
		if diff := cmp.Diff(want, line); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("start fails", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.run(t, 1, append([]string{"start", flag}, keys...)...)
		if want := fmt.Sprintf("listen on %s: ", taken); !strings.HasPrefix(w.stdout.String(), want) || !strings.Contains(w.stdout.String(), "address already in use") {
			t.Errorf("stdout %s", &w.stdout)
		}
	})
}

func TestServe_PrintsTheRunnersError(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Serve = func(context.Context, config.Config, *slog.Logger, net.Listener) error { return errors.New("disk full") }
	w.run(t, 1, "dev")
	if got := w.stdout.String(); got != "disk full\n" {
		t.Errorf("stdout %q", got)
	}
}

func TestServe_StopsAtTheFirstSignal(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT} {
		for name, result := range map[string]func(context.Context) error{
			"clean":                  func(context.Context) error { return nil },
			"with the context's end": func(ctx context.Context) error { return fmt.Errorf("serve: %w", ctx.Err()) },
			"with its cause":         func(ctx context.Context) error { return fmt.Errorf("serve: %w", context.Cause(ctx)) },
		} {
			t.Run(signal.String()+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := setup(t)
				w.Serve = func(ctx context.Context, _ config.Config, _ *slog.Logger, _ net.Listener) error {
					w.signals <- signal
					<-ctx.Done()
					return result(ctx)
				}
				w.run(t, 0, "dev")
				if w.stdout.Len() != 0 || !strings.Contains(w.stderr.String(), `"msg":"stopping"`) {
					t.Errorf("stdout %s stderr %s", &w.stdout, &w.stderr)
				}
			})
		}
	}
	t.Run("an error of the stop counts", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.Serve = func(ctx context.Context, _ config.Config, _ *slog.Logger, _ net.Listener) error {
			w.signals <- syscall.SIGTERM
			<-ctx.Done()
			return errors.New("did not stop in time")
		}
		w.run(t, 1, "dev")
	})
	t.Run("a cancellation without a signal is an error", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.Serve = func(context.Context, config.Config, *slog.Logger, net.Listener) error { return context.Canceled }
		w.run(t, 1, "dev")
	})
}

func TestServe_ExitsAtTheSecondSignal(t *testing.T) {
	t.Parallel()
	w := setup(t)
	code := -1
	w.Serve = func(ctx context.Context, _ config.Config, _ *slog.Logger, _ net.Listener) error {
		w.signals <- syscall.SIGINT
		<-ctx.Done()
		w.signals <- syscall.SIGINT
		code = <-w.exits // the stop hangs until the process is gone
		return nil
	}
	w.run(t, 0, "dev")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}

func TestServe_LogsAtTheLevelAskedFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args, environ []string
		want          string
	}{
		"default":                 {[]string{"dev"}, nil, "INFO WARN "},
		"verbose before":          {[]string{"--verbose", "dev"}, nil, "DEBUG INFO WARN "},
		"verbose after":           {[]string{"dev", "--verbose"}, nil, "DEBUG INFO WARN "},
		"level before":            {[]string{"-l", "trace", "dev"}, nil, "TRACE DEBUG INFO WARN "},
		"level after":             {[]string{"dev", "--log-level", "warn"}, nil, "WARN "},
		"environment over a flag": {[]string{"dev", "-l", "trace"}, []string{"LOG_LEVEL=warn"}, "WARN "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, test.environ...)
			w.Serve = func(ctx context.Context, _ config.Config, log *slog.Logger, _ net.Listener) error {
				for _, level := range []slog.Level{config.LevelTrace, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
					log.Log(ctx, level, "line")
				}
				return nil
			}
			w.run(t, 0, test.args...)
			got := ""
			for line := range strings.Lines(w.stderr.String()) {
				var decoded struct{ Level, Caller string }
				if err := json.Unmarshal([]byte(line), &decoded); err != nil || decoded.Caller != "devserver" {
					t.Fatalf("%v: %s", err, line)
				}
				got += decoded.Level + " "
			}
			if got != test.want {
				t.Errorf("levels %q, want %q", got, test.want)
			}
		})
	}
}

// TestMain_RunsAsAProcess runs this test binary as the server, see TestMain.
func TestMain_RunsAsAProcess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		out  string
		code int
	}{
		"version":    {[]string{"version"}, "dev-\n", 0},
		"validation": {[]string{"start"}, "Error: signing-key is required\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			process := exec.CommandContext(t.Context(), os.Args[0], test.args...)
			process.Dir = t.TempDir()
			process.Env = []string{asServer + "=1", "HOME=" + process.Dir}
			out, err := process.Output()
			if string(out) != test.out || process.ProcessState.ExitCode() != test.code {
				t.Errorf("stdout %q, exit code %d (%v)", out, process.ProcessState.ExitCode(), err)
			}
		})
	}
}
