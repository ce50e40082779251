// Command clockserver is a development server whose time is moved by hand, for tests: the whole of Ingot, with a clock that
// POST /advance on a port of its own moves ahead. It is not shipped.
//
//	clockserver dev --port 8288 --clock-port 9288 [flags of server dev]
//
//	POST /advance?by=36h    moves the clock ahead and answers with the time then
//	GET  /now               answers with the time
//
// Times are RFC 3339 in UTC, with nanoseconds. What is due after a jump happens at once, side by side, as after a machine has slept;
// the answer does not wait for it. Bounds on I/O stay real.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
	_ "time/tzdata" // schedules name time zones, and the machine may have no list of them

	"golang.org/x/sync/errgroup"

	"github.com/ingothq/ingot"
	"github.com/ingothq/ingot/internal/config"
	"github.com/ingothq/ingot/internal/testkit/clock"
)

func main() {
	time.Local = time.UTC
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends or one of the two listeners fails.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	given, err := parse(args, stderr)
	if err != nil {
		return err
	}
	// Neither the environment nor a file: a test says all that it wants.
	cfg, err := config.Load(config.Dev, config.Sources{Flags: given.flags}, log)
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	server, err := listen.Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("listen for the server: %w", err)
	}
	defer server.Close() // it is closed by then, unless what follows fails
	hand, err := listen.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(given.clockPort)))
	if err != nil {
		return fmt.Errorf("listen for the clock: %w", err)
	}
	var moved clock.Clock
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ingot.RunAt(ctx, cfg, "clockserver", &moved, log, server) })
	group.Go(func() error { return serve(ctx, handler(&moved), hand) })
	return group.Wait()
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, handler http.Handler, listener net.Listener) error {
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = web.Close() })()
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the clock: %w", err)
	}
	return nil
}

// handler moves the clock and tells its time.
func handler(c *clock.Clock) http.Handler {
	mux := http.NewServeMux()
	tell := func(w http.ResponseWriter, now time.Time) { fmt.Fprintln(w, now.Format(time.RFC3339Nano)) }
	mux.HandleFunc("GET /now", func(w http.ResponseWriter, _ *http.Request) { tell(w, c.Now()) })
	mux.HandleFunc("POST /advance", func(w http.ResponseWriter, r *http.Request) {
		by, err := time.ParseDuration(r.FormValue("by"))
		if err != nil || by < 0 {
			http.Error(w, fmt.Sprintf("by is %q, want a duration that is not negative, such as 36h", r.FormValue("by")), http.StatusBadRequest)
			return
		}
		tell(w, c.Advance(by))
	})
	return mux
}
