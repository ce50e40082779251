package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
)

// stopSignal is the cause of a context that a signal ended.
type stopSignal struct{ os.Signal }

// Error names the signal.
func (s stopSignal) Error() string { return "stopped by signal: " + s.String() }

// untilSignal returns a context that the first signal ends; the second signal ends the process, for a stop that hangs.
// The returned function must be called; it waits for the goroutine that watches.
func (m *Main) untilSignal(parent context.Context, log *slog.Logger) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case received := <-m.Signals:
			log.Info("stopping", "signal", received.String())
			cancel(stopSignal{received})
		case <-done:
			return
		}
		select {
		case received := <-m.Signals:
			log.Warn("exiting without waiting", "signal", received.String())
			m.Exit(1)
		case <-done:
		}
	})
	return ctx, func() {
		close(done)
		watcher.Wait()
		cancel(nil)
	}
}
