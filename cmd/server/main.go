// Command server runs Ingot: "server dev" for development, "server start" for production.
//
// It reads flags, environment and config file, binds the port and hands both to the application; it knows no adapter.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
	_ "time/tzdata" // schedules name time zones, and the machine may have no list of them

	"github.com/mattn/go-isatty"
)

// version and commit are set at build time: -ldflags "-X main.version=1.0.0 -X main.commit=abc1234".
var (
	version = "dev"
	commit  = ""
)

func main() {
	// Times in logs and cron schedules without a zone are UTC, whatever the machine's zone (Spec 16 §1).
	_ = os.Setenv("TZ", "UTC")
	time.Local = time.UTC

	signals := make(chan os.Signal, 2) // room for the first signal and for the one that insists
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)

	program := newMain(os.Stdout, os.Stderr, os.Environ())
	program.StdoutTTY = isatty.IsTerminal(os.Stdout.Fd())
	program.StderrTTY = isatty.IsTerminal(os.Stderr.Fd())
	program.Stdin, program.Signals = os.Stdin, signals
	program.Dir, _ = os.Getwd()
	program.Home, _ = os.UserHomeDir()
	ballast := newBallast(os.LookupEnv)
	code := program.Run(context.Background(), os.Args)
	runtime.KeepAlive(ballast)
	os.Exit(code)
}

// newMain is a program with the real application and no terminal.
func newMain(stdout, stderr io.Writer, environ []string) *Main {
	return &Main{
		Stdout:  stdout,
		Stderr:  stderr,
		Environ: environ,
		Version: version + "-" + commit,
		Serve:   run,
		Exit:    os.Exit,
	}
}
