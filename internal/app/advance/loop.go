package advance

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ingothq/ingot/internal/ports"
)

// Loop works on what a port hands out, several side by side.
type Loop[T any] struct {
	// What is handed out, for the log.
	What string
	// AtOnce bounds what is in hand.
	AtOnce int
	// Take waits for something to work on.
	Take func(ctx context.Context) ([]T, error)
	// Do works on one, also when ctx ends meanwhile.
	Do    func(ctx context.Context, one T)
	Log   *slog.Logger
	Pause func(ctx context.Context, n int)
}

// Run works until ctx ends or the port is closed, and waits for what is in hand. When nothing can be taken it pauses and tries again.
func (l Loop[T]) Run(ctx context.Context) {
	slots := make(chan struct{}, l.AtOnce)
	var work sync.WaitGroup
	defer work.Wait()
	for failures := 0; ; {
		taken, err := l.Take(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, ports.ErrClosed):
			return
		case err != nil:
			failures++
			l.Log.ErrorContext(ctx, "take "+l.What, "error", err)
			l.Pause(ctx, failures)
			continue
		}
		failures = 0
		for _, one := range taken {
			slots <- struct{}{}
			work.Go(func() {
				defer func() { <-slots }()
				l.Do(ctx, one)
			})
		}
	}
}

// ReleaseDelay is how long something rests that could not be committed.
const ReleaseDelay = 2 * time.Second

// Held is something in a caller's hands that a commit was to settle.
type Held struct {
	// What it is, and Settled is what it means that the commit found it changed or gone; for the log.
	What, Settled string
	// Attrs name it in the log, LetGo where letting go of it fails.
	Attrs, LetGo []any
	// Release has it handed out again, not before at. Park takes it away for good. ports.ErrNotFound says that it is not with the caller.
	Release func(ctx context.Context, at time.Time) error
	Park    func(ctx context.Context, reason string) error
}

// Failed lets go of what could not be committed because of err: it is released if the store was unavailable, parked if it will not be
// better later, and left alone if somebody else has settled it or the port is closed. It does so even if ctx has ended.
func (a *Advancer) Failed(ctx context.Context, h Held, err error, now time.Time) {
	log, work := a.log.With(h.Attrs...), context.WithoutCancel(ctx)
	switch {
	case errors.Is(err, ports.ErrConflict):
		log.DebugContext(ctx, h.Settled)
	case errors.Is(err, ports.ErrClosed):
	case errors.Is(err, ports.ErrUnavailable):
		log.ErrorContext(ctx, h.What+" released", "error", err)
		a.LetGo(ctx, func() error { return h.Release(work, now.Add(ReleaseDelay)) }, ports.ErrNotFound, "release "+h.What, h.LetGo...)
	default:
		log.ErrorContext(ctx, h.What+" parked", "error", err)
		a.LetGo(ctx, func() error { return h.Park(work, err.Error()) }, ports.ErrNotFound, "park "+h.What, h.LetGo...)
	}
}
