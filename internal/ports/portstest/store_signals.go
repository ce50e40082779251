package portstest

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// testSignals is the contract of ports.Store for whose a signal is.
func testSignals(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"is the run's that waits for it":                signalTaken,
		"of another run is refused and nothing written": signalRefused,
		"of another run is taken over by replacing":     signalReplaced,
		"taken over is not given back":                  signalNotGivenBack,
		"of one run may be waited for twice":            signalTwice,
		"is free when its run drops the pause or ends":  signalFreed,
		"is one run's when many want it at once":        signalAtOnce,
	})
}

// signalOf returns whose the signal is, zero when nobody's.
func signalOf(t *testing.T, p Ports, signal string) ulid.ULID {
	t.Helper()
	owner, err := p.Store.SignalWaiter(t.Context(), signal)
	if errors.Is(err, ports.ErrNotFound) {
		return ulid.ULID{}
	}
	must(t, err)
	return owner
}

// taken fails the test unless the error says that the run has the signal.
func taken(t tb, err error, signal string, owner ulid.ULID) {
	t.Helper()
	var conflict *ports.SignalTakenError
	if !errors.As(err, &conflict) {
		t.Fatalf("error is %v", err)
	}
	same(t, *conflict, ports.SignalTakenError{Signal: signal, Run: owner})
}

// twoRuns are two new runs; the first waits for the signal "é".
func twoRuns(t *testing.T, p Ports) (first, second run.State, pause run.Pause) {
	t.Helper()
	a, b := aRun(p), aRun(p)
	schedule(t, p, a, b)
	pause = aPause(p, run.PauseSignal, "é")
	return waitFor(t, p, a.State, pause), b.State, pause
}

func replacing(pause run.Pause) run.Pause {
	pause.Replace = true
	return pause
}

func signalTaken(t *testing.T, p Ports) {
	first, second, _ := twoRuns(t, p)
	waitFor(t, p, second, aPause(p, run.PauseSignal, "e"), aPause(p, run.PauseSignal, ""))
	for range 2 {
		same(t, signalOf(t, p, "é"), first.ID)
		same(t, signalOf(t, p, "e"), second.ID)
		same(t, signalOf(t, p, ""), second.ID)
		same(t, signalOf(t, p, "E"), ulid.ULID{})
		p = restarted(p)
	}
}

func signalRefused(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	first := waitFor(t, p, next.State, aPause(p, run.PauseSignal, "s"))
	finishFirst := lease(t, p)
	second := aRun(p)
	schedule(t, p, second)
	l := lease(t, p)
	transition := step(l, "one", nil)
	transition.Pauses = []run.Pause{aPause(p, run.PauseSignal, "free"), aPause(p, run.PauseEvent, "e"), aPause(p, run.PauseSignal, "s")}
	transition.DropJobs, transition.Consumed = []string{l.Job.ID}, anEvent(p).InternalID
	published := anEvent(p)
	attempt := func(state run.State) error {
		_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: transition, Publish: []event.Tracked{published}})
		return err
	}
	stale := second.State
	stale.Revision++
	is(t, attempt(stale), ports.ErrConflict)
	taken(t, attempt(second.State), "s", first.ID)
	same(t, load(t, p, second.State.ID), second.State)
	same(t, signalOf(t, p, "free"), ulid.ULID{})
	same(t, paused(t, p, anEvent(p, named("e"))), []ports.Paused(nil))
	_, err := p.History.Event(t.Context(), published.InternalID)
	is(t, err, ports.ErrNotFound)

	end := ending(p)
	end.Pauses = transition.Pauses // a run that ends waits for nothing
	_, err = p.Store.Commit(t.Context(), ports.Commit{Lease: finishFirst, State: first, Transition: end})
	must(t, err)
	must(t, attempt(second.State)) // the lease is still the caller's, and the signal is free
	same(t, signalOf(t, p, "s"), second.State.ID)
}

func signalReplaced(t *testing.T, p Ports) {
	first, second, pause := twoRuns(t, p)
	after := waitFor(t, p, second, replacing(aPause(p, run.PauseSignal, "é")))
	for range 2 {
		same(t, signalOf(t, p, "é"), second.ID)
		same(t, load(t, p, first.ID), first) // its pause stays
		p = restarted(p)
	}
	_, err := p.Store.Commit(t.Context(), ports.Commit{State: first, Transition: run.Transition{Pauses: []run.Pause{aPause(p, run.PauseSignal, "é")}}})
	taken(t, err, "é", second.ID)
	// What the first run does with its pause changes nothing.
	first = commit(t, p, ports.Lease{}, first, run.Transition{Drop: []uuid.UUID{pause.ID}})
	same(t, signalOf(t, p, "é"), second.ID)
	commit(t, p, ports.Lease{}, first, ending(p))
	same(t, signalOf(t, restarted(p), "é"), after.ID)
}

func signalNotGivenBack(t *testing.T, p Ports) {
	first, second, _ := twoRuns(t, p)
	after := waitFor(t, p, second, replacing(aPause(p, run.PauseSignal, "é")))
	commit(t, p, ports.Lease{}, after, ending(p))
	for range 2 {
		same(t, signalOf(t, p, "é"), ulid.ULID{})
		p = restarted(p)
	}
	third := aRun(p)
	schedule(t, p, third)
	waitFor(t, p, third.State, aPause(p, run.PauseSignal, "é"))
	commit(t, p, ports.Lease{}, first, ending(p))
	same(t, signalOf(t, p, "é"), third.State.ID)
}

func signalTwice(t *testing.T, p Ports) {
	first, _, _ := twoRuns(t, p)
	first = waitFor(t, p, first, aPause(p, run.PauseSignal, "é"))
	same(t, signalOf(t, p, "é"), first.ID)
	same(t, len(load(t, restarted(p), first.ID).Pauses), 2)
}

func signalFreed(t *testing.T, p Ports) {
	first, second, pause := twoRuns(t, p)
	renewed := aPause(p, run.PauseSignal, "é")
	first = commit(t, p, ports.Lease{}, first, run.Transition{Drop: []uuid.UUID{pause.ID}, Pauses: []run.Pause{renewed}})
	same(t, signalOf(t, p, "é"), first.ID)
	commit(t, p, ports.Lease{}, first, run.Transition{Drop: []uuid.UUID{renewed.ID}})
	same(t, signalOf(t, restarted(p), "é"), ulid.ULID{})
	second = waitFor(t, p, second, aPause(p, run.PauseSignal, "é"))
	same(t, signalOf(t, p, "é"), second.ID)
	commit(t, p, ports.Lease{}, second, ending(p))
	same(t, signalOf(t, p, "é"), ulid.ULID{})
	same(t, signalOf(t, restarted(p), "é"), ulid.ULID{})
}

func signalAtOnce(t *testing.T, p Ports) {
	runs := make([]ports.NewRun, 8)
	for i := range runs {
		runs[i] = aRun(p)
	}
	schedule(t, p, runs...)
	errRefused := errors.New("refused")
	won := atOnce(t, len(runs), func(caller int) error {
		_, err := p.Store.Commit(t.Context(), ports.Commit{State: runs[caller].State, Transition: run.Transition{
			Pauses: []run.Pause{aPause(p, run.PauseSignal, "s")},
		}})
		var conflict *ports.SignalTakenError
		if errors.As(err, &conflict) {
			return errRefused
		}
		return err
	}, errRefused)
	same(t, won, 1)
	owner := signalOf(t, p, "s")
	for _, next := range runs {
		same(t, len(load(t, p, next.State.ID).Pauses), flag(next.State.ID == owner))
	}
}
