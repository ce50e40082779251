package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ingothq/ingot/internal/config"
)

// asServer is the variable that makes the test binary the server itself.
const asServer = "INGOT_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// world is a program under test with what it wrote and what it ran with.
type world struct {
	*Main
	stdout, stderr bytes.Buffer
	signals        chan os.Signal
	exits          chan int
	// served is the configuration the runner got, nil when it was not called.
	served *config.Config
}

// setup is a program without terminal, files and environment, whose application ends at once. Its port is free unless a
// test sets another.
func setup(t *testing.T, environ ...string) *world {
	t.Helper()
	w := &world{signals: make(chan os.Signal, 2), exits: make(chan int, 1)}
	w.Main = newMain(&w.stdout, &w.stderr, append(environ, "INNGEST_PORT=0", "INNGEST_HOST=127.0.0.1"))
	w.Signals = w.signals
	w.Exit = func(code int) { w.exits <- code }
	w.Serve = func(_ context.Context, cfg config.Config, _ *slog.Logger, _ net.Listener) error {
		w.served = &cfg
		return nil
	}
	return w
}

// run executes one command line and checks the exit code.
func (w *world) run(t *testing.T, wantCode int, args ...string) {
	t.Helper()
	if code := w.Run(t.Context(), append([]string{"server"}, args...)); code != wantCode {
		t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, wantCode, &w.stdout, &w.stderr)
	}
}

// keys are the flags start requires.
var keys = []string{"--signing-key", "signkey-prod-00ff", "--event-key", "k"}
