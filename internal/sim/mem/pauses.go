package mem

import (
	"bytes"
	"context"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Paused implements ports.Store: it names every pause for events of that name.
func (b *Backend) Paused(ctx context.Context, e event.Tracked) ([]ports.Paused, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []ports.Paused
	for id, state := range b.runs {
		for _, pause := range state.Pauses {
			if pause.Event == e.Name && (pause.Kind == run.PauseEvent || pause.Kind == run.PauseCancel) {
				found = append(found, ports.Paused{Run: id, Pause: pause})
			}
		}
	}
	slices.SortFunc(found, func(x, y ports.Paused) int {
		if c := x.Run.Compare(y.Run); c != 0 {
			return c
		}
		return bytes.Compare(x.Pause.ID[:], y.Pause.ID[:])
	})
	return found, nil
}

// SignalWaiter implements ports.Store.
func (b *Backend) SignalWaiter(ctx context.Context, signal string) (ulid.ULID, error) {
	if err := ctx.Err(); err != nil {
		return ulid.ULID{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := b.signals[signal]; ok {
		return id, nil
	}
	return ulid.ULID{}, ports.ErrNotFound
}

// signalsFree reports a signal of the commit that another run waits for.
func (b *Backend) signalsFree(c ports.Commit) error {
	if c.Transition.Finish != nil {
		return nil
	}
	for _, pause := range c.Transition.Pauses {
		if owner, taken := b.signals[pause.Signal]; pause.Kind == run.PauseSignal && taken && owner != c.State.ID && !pause.Replace {
			return &ports.SignalTakenError{Signal: pause.Signal, Run: owner}
		}
	}
	return nil
}

// moveSignals gives up the signals that the run no longer waits for and takes those that it begins to wait for.
func (b *Backend) moveSignals(before run.State, c ports.Commit) {
	ended := c.Transition.Finish != nil
	for id, pause := range before.Pauses {
		if pause.Kind == run.PauseSignal && (ended || slices.Contains(c.Transition.Drop, id)) && b.signals[pause.Signal] == before.ID {
			delete(b.signals, pause.Signal)
		}
	}
	if ended {
		return
	}
	for _, pause := range c.Transition.Pauses {
		if pause.Kind == run.PauseSignal {
			b.signals[pause.Signal] = before.ID
		}
	}
}
