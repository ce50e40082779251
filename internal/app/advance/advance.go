// Package advance moves a run on: load it, ask the domain what an input means, commit the answer, and do so again when
// somebody else was faster. All use cases that change runs in progress go through it.
package advance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// Tracker gives published events their identity.
type Tracker interface {
	Track(events ...event.Event) []event.Tracked
}

// Watcher is told what became of runs.
type Watcher interface {
	// Turn is called before a commit on a run, and end when Advanced has been told of it or it has failed. A watcher that
	// wants to hear of commits in their order waits here for those that it has let begin. The commits of a run exclude each
	// other anyway.
	Turn(run ulid.ULID) (end func())
	// Advanced tells of a transition that was committed, or that needed no commit, and of the run's state before it. It must
	// return soon: the run goes on after it.
	Advanced(ctx context.Context, before run.State, t run.Transition)
}

// Advancer is safe for concurrent use.
type Advancer struct {
	store   ports.Store
	tracker Tracker
	watcher Watcher
	log     *slog.Logger
	pause   func(ctx context.Context, n int)
}

// New returns an advancer. Nobody watches when watcher is nil. pause waits after the n-th failure in a row, n from 1, or
// until ctx ends, see Pause.
func New(store ports.Store, tracker Tracker, watcher Watcher, log *slog.Logger, pause func(ctx context.Context, n int)) *Advancer {
	return &Advancer{store: store, tracker: tracker, watcher: watcher, log: log, pause: pause}
}

// Pause returns what waits 20 ms after the first failure in a row, doubled with each, to 5 s, or until ctx ends.
func Pause(clock ports.Clock) func(ctx context.Context, n int) {
	return func(ctx context.Context, n int) {
		over := make(chan struct{})
		defer clock.AfterFunc(min(time.Duration(1<<min(n, 10))*10*time.Millisecond, 5*time.Second), func() { close(over) })()
		select {
		case <-ctx.Done():
		case <-over:
		}
	}
}

// Step is one input to a run.
type Step struct {
	Run ulid.ULID
	// Lease is the job that led to the input; zero for none.
	Lease ports.Lease
	// Known is a state that is at hand and is tried first; nil loads one.
	Known *run.State
	Input run.Input
}

// Tries bounds how often a decision is made anew because the run changed meanwhile. Every conflict means that somebody
// else's commit on the run succeeded.
const Tries = 1000

// Apply decides on the latest state and commits the decision, until nobody else was faster. It returns the state after
// the commit. A transition that changes nothing is not committed.
//
// Errors: those of ports.Store and run.Advance, among them ports.ErrNotFound for a run that has ended and run.ErrIgnored
// for an input that does not concern it.
func (a *Advancer) Apply(ctx context.Context, step Step) (run.State, run.Transition, error) {
	for range Tries {
		state, err := a.state(ctx, step)
		if err != nil {
			return run.State{}, run.Transition{}, err
		}
		step.Known = nil
		t, err := run.Advance(state, step.Input)
		if err != nil {
			return state, t, fmt.Errorf("advance run %s: %w", state.ID, err)
		}
		if !t.Writes() {
			a.tell(ctx, state, t)
			return state, t, nil
		}
		published := a.tracker.Track(t.Publish...)
		next, err := a.commit(ctx, ports.Commit{
			Lease: step.Lease, State: state, Transition: t, Publish: published, Spans: trace.Advanced(state, step.Input, t, published),
		})
		if taken := (*ports.SignalTakenError)(nil); errors.As(err, &taken) {
			step.Input = run.WithConflict(step.Input, taken.Signal)
			step.Known = &state
			continue
		}
		if errors.Is(err, ports.ErrConflict) {
			continue
		}
		if err != nil {
			return state, t, fmt.Errorf("commit run %s: %w", state.ID, err)
		}
		return next, t, nil
	}
	return run.State{}, run.Transition{}, fmt.Errorf("commit run %s: %w", step.Run, ports.ErrConflict)
}

// Offer gives a run an input that may concern it no longer: that it has ended, or ignores it, is no error.
func (a *Advancer) Offer(ctx context.Context, id ulid.ULID, in run.Input) error {
	_, _, err := a.Apply(ctx, Step{Run: id, Input: in})
	if errors.Is(err, ports.ErrNotFound) || errors.Is(err, run.ErrIgnored) {
		return nil
	}
	return err
}

// tell tells the watcher. What is done is done: a bug in the watcher must not have the caller take it for undone.
func (a *Advancer) tell(ctx context.Context, before run.State, t run.Transition) {
	if a.watcher == nil {
		return
	}
	defer func() {
		if err := Fault(recover(), nil); err != nil {
			a.log.ErrorContext(ctx, "watch run", "run_id", before.ID.String(), "error", err)
		}
	}()
	a.watcher.Advanced(ctx, before, t)
}

func (a *Advancer) state(ctx context.Context, step Step) (run.State, error) {
	if step.Known != nil {
		return *step.Known, nil
	}
	state, err := a.store.Load(ctx, step.Run)
	if err != nil {
		return run.State{}, fmt.Errorf("load run %s: %w", step.Run, err)
	}
	return state, nil
}

// commit writes and tells the watcher of it.
func (a *Advancer) commit(ctx context.Context, c ports.Commit) (run.State, error) {
	if a.watcher != nil {
		defer a.watcher.Turn(c.State.ID)()
	}
	next, err := a.write(ctx, c)
	if err == nil {
		a.tell(ctx, c.State, c.Transition)
	}
	return next, err
}

// WriteTries bounds how long what is to be committed is held in memory while the store is unavailable.
const WriteTries = 8

// write commits, and tries again while the store is unavailable: what an app answered shall not be lost to a hiccup.
func (a *Advancer) write(ctx context.Context, c ports.Commit) (run.State, error) {
	for try := 1; ; try++ {
		next, err := a.store.Commit(ctx, c)
		if !errors.Is(err, ports.ErrUnavailable) || try == WriteTries || ctx.Err() != nil {
			return next, err
		}
		a.log.WarnContext(ctx, "commit again", "run_id", c.State.ID.String(), "error", err, "attempt", try)
		a.pause(ctx, try)
	}
}

// LetGo repeats a call that takes an event or a job out of the caller's hands while the store is unavailable. It ends when
// the call succeeds, the error gone or ports.ErrClosed says that it is not the caller's any more, or ctx ends: what nobody
// works on but stays taken would wait for the next start of the server. Failures are logged as what, with the attributes.
func (a *Advancer) LetGo(ctx context.Context, call func() error, gone error, what string, attrs ...any) {
	for try := 1; ; try++ {
		err := call()
		if err == nil || errors.Is(err, gone) || errors.Is(err, ports.ErrClosed) {
			return
		}
		a.log.With(attrs...).ErrorContext(ctx, what, "error", err)
		if !errors.Is(err, ports.ErrUnavailable) || ctx.Err() != nil {
			return
		}
		a.pause(ctx, try)
	}
}
