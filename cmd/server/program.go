package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/ingothq/ingot/internal/config"
)

// Runner builds the server out of its configuration and serves ln until ctx ends or it fails. It closes ln, ends its
// goroutines, and bounds the time it takes to stop. cfg.Port is the port ln is bound to.
type Runner func(ctx context.Context, cfg config.Config, log *slog.Logger, ln net.Listener) error

// Main is the program with everything of the process that it touches, so that tests run commands in their own process.
type Main struct {
	Stdout, Stderr io.Writer
	// Stdin is read only when a flag says so.
	Stdin io.Reader
	// StdoutTTY and StderrTTY tell whether a person reads the stream.
	StdoutTTY, StderrTTY bool
	// Environ has the form of os.Environ.
	Environ []string
	// Dir is the working directory and Home the user's home, for the config file; empty when unknown.
	Dir, Home string
	// Version is what the version command prints.
	Version string
	// Serve is the application.
	Serve Runner
	// Signals ask the server to stop. The second one calls Exit(1). Nil for none.
	Signals <-chan os.Signal
	// Exit ends the process at once.
	Exit func(code int)
}

// Run executes one command line, args[0] being the program's name, and returns the exit code: 0, or 1 after printing the
// error on stdout (Spec 16 §1, §8).
func (m *Main) Run(ctx context.Context, args []string) int {
	if err := m.command().Run(ctx, args); err != nil {
		fmt.Fprintln(m.Stdout, err)
		return 1
	}
	return 0
}

// serve is the action of dev and start.
func (m *Main) serve(ctx context.Context, mode config.Mode, command *cli.Command) error {
	logging := config.LoadLog(config.LogFlags{
		JSON:    command.Bool(flagJSON),
		Verbose: command.Bool(flagVerbose),
		Level:   givenLevel(command),
	}, m.Environ, m.StdoutTTY)
	log := newLogger(m.Stderr, logging, m.StderrTTY).With("caller", mode.ServiceName())

	cfg, err := config.Load(mode, config.Sources{
		Flags:   given(command, mode),
		Environ: m.Environ,
		Dir:     m.Dir,
		Home:    m.Home,
	}, log)
	if err != nil {
		return err
	}

	listener, err := Listen(ctx, cfg.Host, cfg.Port, mode == config.Dev)
	if err != nil {
		return err
	}
	defer listener.Close() // the runner has closed it by then, unless it failed early
	if bound := boundPort(listener); bound != cfg.Port {
		if cfg.Port != 0 {
			log.Info("Port conflict, using new port", "name", "dev server api", "from", cfg.Port, "to", bound)
		}
		cfg.Port = bound
	}
	if m.StdoutTTY {
		writeBanner(m.Stdout, cfg, m.Version, localAddresses())
	}

	ctx, stop := m.untilSignal(ctx, log)
	defer stop()
	err = m.Serve(ctx, cfg, log, listener)
	if errors.As(context.Cause(ctx), new(stopSignal)) && (errors.Is(err, context.Canceled) || errors.As(err, new(stopSignal))) {
		return nil // asked to stop, and stopped
	}
	return err
}
