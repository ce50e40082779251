// Package ingot assembles the server out of its parts and runs it. It is the only package that knows every adapter;
// wire.go says which part gets which.
package ingot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/adapters/system"
	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/app/cancel"
	"github.com/ingothq/ingot/internal/app/checkpoint"
	"github.com/ingothq/ingot/internal/app/cron"
	"github.com/ingothq/ingot/internal/app/execute"
	"github.com/ingothq/ingot/internal/app/hold"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/app/route"
	"github.com/ingothq/ingot/internal/config"
	"github.com/ingothq/ingot/internal/ports"
)

// Version is what the server calls itself, "<version>-<commit>".
type Version string

// Run builds the server and serves on the listener until ctx ends, then stops within a bound: it takes no more jobs,
// lets calls and requests in flight end, and closes the store. What is cut off by the bound goes on after the next start.
func Run(ctx context.Context, cfg config.Config, version Version, log *slog.Logger, listener net.Listener) error {
	return RunAt(ctx, cfg, version, system.Clock{}, log, listener)
}

// RunAt is Run with a clock of the caller's. All that is decided, stored and waited for follows it; what bounds I/O does not.
func RunAt(ctx context.Context, cfg config.Config, version Version, clock ports.Clock, log *slog.Logger, listener net.Listener) error {
	server, cleanup, err := build(ctx, cfg, version, clock, log)
	if err != nil {
		return fmt.Errorf("build server: %w", err)
	}
	defer cleanup()
	return server.serve(ctx, listener)
}

// server is the assembled application.
type server struct {
	handler     http.Handler
	realtime    *httpapi.Realtime
	registry    *registry.Registry
	router      *route.Router
	scheduler   *cron.Scheduler
	holds       *hold.Starter
	executor    *execute.Executor
	checkpoints *checkpoint.Checkpoint
	canceller   *cancel.Canceller
	poller      *appsync.Poller
	log         *slog.Logger
}

func newServer(handler http.Handler, live *httpapi.Realtime, reg *registry.Registry, router *route.Router, scheduler *cron.Scheduler, holds *hold.Starter, executor *execute.Executor, checkpoints *checkpoint.Checkpoint, canceller *cancel.Canceller, poller *appsync.Poller, log *slog.Logger) *server {
	return &server{handler, live, reg, router, scheduler, holds, executor, checkpoints, canceller, poller, log}
}

// Limits of the listener. There is no limit on writing an answer; none of the handlers waits for a slow client while it
// holds anything others need.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	// httpDrain is how long requests in flight may take to end, once jobs are drained.
	httpDrain = 10 * time.Second
)

// webServer speaks HTTP/1 and, for gRPC, HTTP/2 without TLS.
func webServer(handler http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Protocols: protocols,
		Handler:   handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// serve runs the parts. On the way down the order matters: apps that are still working call back, so the port stays
// open until the jobs in hand are done; events that come in meanwhile are stored, and routed after the next start.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	if err := s.registry.Reload(ctx); err != nil {
		return fmt.Errorf("load functions: %w", err)
	}
	if err := s.scheduler.Load(ctx); err != nil {
		return fmt.Errorf("load schedules: %w", err)
	}
	web := webServer(s.handler, s.log)
	web.RegisterOnShutdown(s.checkpoints.Close)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve http: %w", err)
		}
		return nil
	})
	group.Go(func() error { return s.router.Run(ctx) })
	group.Go(func() error { return s.scheduler.Run(ctx) })
	group.Go(func() error { return s.holds.Run(ctx) })
	group.Go(func() error { return s.canceller.Run(ctx) })
	group.Go(func() error { return s.poller.Run(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		s.realtime.Announce()
		return nil
	})
	group.Go(func() error {
		err := s.executor.Run(ctx)
		s.closeRealtime(ctx)
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpDrain)
		defer cancel()
		if shutdown := web.Shutdown(stop); shutdown != nil {
			s.log.WarnContext(ctx, "requests cut off at shutdown", "error", shutdown)
			_ = web.Close()
		}
		return err
	})
	return group.Wait()
}

// closeRealtime ends the connections of realtime clients, which would not end by themselves.
func (s *server) closeRealtime(ctx context.Context) {
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpDrain)
	defer cancel()
	if err := s.realtime.Close(stop); err != nil {
		s.log.WarnContext(ctx, "realtime clients cut off at shutdown", "error", err)
	}
}
