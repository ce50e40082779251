package portstest

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// testWaits is the contract of ports.Store for what runs wait for, and for jobs that go with it.
func testWaits(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Schedule/creates all first jobs":              scheduleMore,
		"Schedule/stores what a run waits for":         scheduleWaits,
		"Schedule/of a duplicate accepts other events": scheduleOnDuplicate,
		"Schedule/of a duplicate is all or nothing":    scheduleWaitsCut,
		"Commit/stores what a gateway job requests":    commitGateway,
		"Commit/drops jobs":                            commitDropsJobs,
		"Commit/drops a job that somebody has in hand": commitDropsLeased,
		"Commit/may replace a dropped job":             commitReplacesDropped,
		"Commit/makes and drops pauses":                commitPauses,
		"Commit/remembers the latest consumed events":  commitConsumed,
		"Commit/keeps deferred runs":                   commitDefers,
		"Commit/of waits is all or nothing":            commitWaitsCut,
		"Commit/of an end takes everything away":       commitEndsWaits,
		"Paused/finds by name and condition":           pausedFinds,
		"Paused/orders by run and pause":               pausedOrder,
		"Paused/follows every change":                  pausedFollows,
		"Paused/with an ended context is refused":      pausedEnded,
	})
}

// paused lists the pauses that the event may end.
func paused(t tb, p Ports, e event.Tracked) []ports.Paused {
	t.Helper()
	found, err := p.Store.Paused(t.Context(), e)
	must(t, err)
	return found
}

// waitFor commits a transition without a job that makes pauses, and returns the state afterwards.
func waitFor(t *testing.T, p Ports, state run.State, pauses ...run.Pause) run.State {
	t.Helper()
	return commit(t, p, ports.Lease{}, state, run.Transition{Pauses: pauses})
}

func scheduleMore(t *testing.T, p Ports) {
	next := aRun(p)
	timeout := next.Start
	timeout.ID, timeout.Kind, timeout.At = "timeout", run.KindCancel, p.Now().UTC().Add(time.Hour)
	second := next.Start
	second.ID, second.At = "second", next.Start.At.Add(time.Nanosecond)
	next.More = []run.Job{timeout, second}
	next.State.Jobs = map[string]run.Kind{next.Start.ID: next.Start.Kind, "timeout": run.KindCancel, "second": second.Kind}
	schedule(t, p, next)
	same(t, load(t, p, next.State.ID), next.State)
	p = restarted(p)
	same(t, load(t, p, next.State.ID), next.State)
	p.Pass(time.Second)
	same(t, []run.Job{lease(t, p).Job, lease(t, p).Job}, []run.Job{next.Start, second})
	p.Pass(time.Hour)
	same(t, lease(t, p).Job, timeout)
}

func scheduleWaits(t *testing.T, p Ports) {
	next := aRun(p)
	cancel, other := aPause(p, run.PauseCancel, "cancel/ü"), aPause(p, run.PauseCancel, "")
	cancel.Expression = `async.data.id == "\u00e9"`
	next.State.Pauses = map[uuid.UUID]run.Pause{cancel.ID: cancel, other.ID: other}
	next.State.Consumed = []ulid.ULID{anEvent(p).InternalID, {}, anEvent(p).InternalID}
	next.State.Defers = map[string]run.Defer{"": {}, "one": {Slug: "ü", Input: json.RawMessage("\x00"), Status: run.DeferAfterRun}}
	next.State.Inputs = map[string]json.RawMessage{"": nil, "op": json.RawMessage(`[1]`), "日本": bytes.Repeat([]byte("x"), 1<<20)}
	next.State.Timeouts = run.Timeouts{Start: time.Nanosecond, Finish: 100 * 365 * 24 * time.Hour}
	schedule(t, p, next)
	for range 2 {
		same(t, load(t, p, next.State.ID), next.State)
		same(t, paused(t, p, anEvent(p, named("cancel/ü"), withData(`{"id":"é"}`))), []ports.Paused{{Run: next.State.ID, Pause: cancel}})
		p = restarted(p)
	}
	after := commit(t, p, ports.Lease{}, next.State, run.Transition{Consumed: anEvent(p).InternalID})
	same(t, load(t, restarted(p), next.State.ID), after)
}

func scheduleOnDuplicate(t *testing.T, p Ports) {
	fresh, published := anEvent(p, named("not accepted")), anEvent(p, named("published"))
	failure, second := anEvent(p, named(event.FunctionFinished)), anEvent(p)
	first, again := aRun(p, withKey("k")), aRun(p, withKey("k"))
	first.Instead, again.Instead = instead(fresh), instead(failure, second)
	answer, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{first, again}, Publish: []event.Tracked{published}})
	must(t, err)
	same(t, answer, []ports.Scheduled{{RunID: first.State.ID}, {RunID: first.State.ID, Result: flow.Duplicate}})
	_, err = p.History.Event(t.Context(), fresh.InternalID)
	is(t, err, ports.ErrNotFound)
	p = restarted(p)
	byID := func(a, b event.Tracked) int { return a.InternalID.Compare(b.InternalID) }
	want := []event.Tracked{published, failure, second}
	got := takeSoon(t, p, 10)
	slices.SortFunc(want, byID)
	slices.SortFunc(got, byID)
	same(t, got, want)
}

func scheduleWaitsCut(t *testing.T, p Ports) {
	schedule(t, p, aRun(p, withKey("used"), dueAt(p.Now().UTC().Add(time.Hour))))
	other := anEvent(p)
	duplicate, next := aRun(p, withKey("used")), aRun(p)
	duplicate.Instead = instead(other)
	pause := aPause(p, run.PauseCancel, "cancel")
	next.State.Pauses = map[uuid.UUID]run.Pause{pause.ID: pause}
	next.State.Inputs = map[string]json.RawMessage{"op": json.RawMessage(`[1]`)}
	more := next.Start
	more.ID = "more"
	next.More = []run.Job{more}
	change := func() error {
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{duplicate, next}})
		return err
	}
	cut(t, p, change, func(t *testing.T) {
		_, err := p.Store.Load(t.Context(), next.State.ID)
		is(t, err, ports.ErrNotFound)
		_, err = p.History.Event(t.Context(), other.InternalID)
		is(t, err, ports.ErrNotFound)
		same(t, paused(t, p, anEvent(p, named("cancel"))), []ports.Paused(nil))
		if leaseSoon(t, p) != nil || takeSoon(t, p, 1) != nil {
			t.Fatal("a job was created or an event accepted")
		}
	})
}

func commitGateway(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	var jobs []run.Job
	for i, request := range []*run.Gateway{{}, {Op: "AIGateway", Opts: json.RawMessage(`{"url":"ü"}`)}, {Op: "Gateway", Opts: bytes.Repeat([]byte("x"), 2<<20)}} {
		job := l.Job
		job.ID, job.Kind, job.Gateway = string(rune('a'+i)), run.KindGateway, request
		job.At = job.At.Add(time.Duration(i))
		jobs = append(jobs, job)
	}
	after := commit(t, p, l, next.State, run.Transition{Current: run.Disposition{Fate: run.FateDone}, Jobs: jobs})
	p.Pass(time.Second)
	for range 2 {
		same(t, load(t, p, next.State.ID), after)
		leases := make([]ports.Lease, len(jobs))
		for i := range jobs {
			leases[i] = lease(t, p)
			same(t, leases[i].Job, jobs[i])
		}
		for _, got := range leases {
			must(t, p.Queue.Return(t.Context(), got, got.Job.At))
		}
		p = restarted(p)
	}
}

// besides are a run with a job in hand and two more jobs: one is due, one is not.
func besides(t *testing.T, p Ports) (l ports.Lease, state run.State, due, later run.Job) {
	t.Helper()
	next := aRun(p)
	schedule(t, p, next)
	l = lease(t, p)
	due, later = l.Job, l.Job
	due.ID, later.ID, later.At = "due", "later", p.Now().UTC().Add(time.Hour)
	state = commit(t, p, l, next.State, run.Transition{Current: run.Disposition{Fate: run.FateKeep}, Jobs: []run.Job{due, later}})
	return l, state, due, later
}

func commitDropsJobs(t *testing.T, p Ports) {
	l, state, _, _ := besides(t, p)
	transition := step(l, "one", nil)
	transition.DropJobs = []string{"due", "later", "unknown"}
	after := commit(t, p, l, state, transition)
	for range 2 {
		same(t, load(t, p, state.ID), after)
		p.Pass(2 * time.Hour)
		only := lease(t, p)
		same(t, only.Job, transition.Jobs[0])
		if leaseSoon(t, p) != nil {
			t.Fatal("a dropped job was handed out")
		}
		must(t, p.Queue.Return(t.Context(), only, only.Job.At))
		p = restarted(p)
	}
}

func commitDropsLeased(t *testing.T, p Ports) {
	l, state, due, _ := besides(t, p)
	held := lease(t, p)
	same(t, held.Job, due)
	after := commit(t, p, ports.Lease{}, state, run.Transition{DropJobs: []string{l.Job.ID, due.ID}})
	for _, lost := range []ports.Lease{l, held} {
		is(t, p.Queue.Return(t.Context(), lost, p.Now()), ports.ErrLeaseLost)
		is(t, p.Queue.Park(t.Context(), lost, "reason"), ports.ErrLeaseLost)
		_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: lost, State: after, Transition: step(lost, "one", nil)})
		is(t, err, ports.ErrLeaseLost)
	}
	same(t, load(t, p, state.ID), after)
	p = restarted(p)
	same(t, load(t, p, state.ID), after)
	if leaseSoon(t, p) != nil {
		t.Fatal("a dropped job was handed out")
	}
}

func commitReplacesDropped(t *testing.T, p Ports) {
	_, state, due, _ := besides(t, p)
	held := lease(t, p)
	renamed := due
	renamed.Edge.Outgoing = "other"
	after := commit(t, p, ports.Lease{}, state, run.Transition{DropJobs: []string{due.ID}, Jobs: []run.Job{renamed}})
	is(t, p.Queue.Return(t.Context(), held, p.Now()), ports.ErrLeaseLost)
	same(t, lease(t, p).Job, renamed)
	is(t, p.Queue.Return(t.Context(), held, p.Now()), ports.ErrLeaseLost)
	same(t, load(t, restarted(p), state.ID), after)
}

func commitPauses(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	wait, signal, invoke := aPause(p, run.PauseEvent, "e"), aPause(p, run.PauseSignal, "s"), aPause(p, run.PauseInvoke, "i")
	wait.Expression, wait.Mode, wait.CoalesceKey, wait.Ignore = "async.data.n == 1", run.ModeRace, "key\x00", ulid.ULID{}
	signal.Op, signal.Replace, signal.Expires = "日本", true, time.Time{}
	after := waitFor(t, p, next.State, wait, signal, invoke)
	p = restarted(p)
	same(t, load(t, p, next.State.ID), after)
	renewed := wait
	renewed.Event, renewed.Expression = "other", ""
	after = commit(t, p, ports.Lease{}, after, run.Transition{Drop: []uuid.UUID{wait.ID, signal.ID, uuid.New()}, Pauses: []run.Pause{renewed}})
	same(t, load(t, p, next.State.ID), after)
	invoke.Op = "changed" // a pause that is made a second time takes the place of the first
	after = waitFor(t, p, after, invoke)
	same(t, load(t, restarted(p), next.State.ID), after)
}

func commitConsumed(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	state := next.State
	for range 70 {
		state = commit(t, p, ports.Lease{}, state, run.Transition{Consumed: anEvent(p).InternalID})
		state = commit(t, p, ports.Lease{}, state, run.Transition{Steps: []run.Step{{ID: "op"}}})
	}
	same(t, load(t, restarted(p), next.State.ID), state)
}

func commitDefers(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	large := run.Defer{Slug: "a-b", Input: bytes.Repeat([]byte("x"), 1<<20), Status: run.DeferAfterRun}
	state := commit(t, p, ports.Lease{}, next.State, run.Transition{Defers: map[string]run.Defer{"one": large, "日本": {Status: run.DeferRejected}}})
	state = commit(t, p, ports.Lease{}, state, run.Transition{Defers: map[string]run.Defer{"one": {Slug: "a-b", Status: run.DeferAborted}, "two": large}})
	p = restarted(p)
	same(t, load(t, p, next.State.ID), state)
	state = commit(t, p, ports.Lease{}, state, run.Transition{Steps: []run.Step{{ID: "op"}}})
	same(t, load(t, p, next.State.ID), state)
}

func commitWaitsCut(t *testing.T, p Ports) {
	l, state, due, _ := besides(t, p)
	old, signal := aPause(p, run.PauseEvent, "old"), aPause(p, run.PauseSignal, "old")
	state = waitFor(t, p, state, old, signal)
	held := lease(t, p)
	transition := step(l, "one", nil)
	transition.DropJobs = []string{due.ID}
	transition.Drop = []uuid.UUID{old.ID, signal.ID}
	transition.Pauses = []run.Pause{aPause(p, run.PauseEvent, "new"), aPause(p, run.PauseSignal, "new")}
	transition.Consumed = anEvent(p).InternalID
	transition.Defers = map[string]run.Defer{"op": {Slug: "a"}}
	unchanged := func(t *testing.T) {
		same(t, load(t, p, state.ID), state)
		same(t, paused(t, p, anEvent(p, named("old"))), []ports.Paused{{Run: state.ID, Pause: old}})
		same(t, paused(t, p, anEvent(p, named("new"))), []ports.Paused(nil))
		owner, err := p.Store.SignalWaiter(t.Context(), "old")
		must(t, err)
		same(t, owner, state.ID)
		_, err = p.Store.SignalWaiter(t.Context(), "new")
		is(t, err, ports.ErrNotFound)
		must(t, p.Queue.Return(t.Context(), held, time.Time{})) // the job that was to be dropped is there
		held = lease(t, p)
	}
	cut(t, p, func() error {
		_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: transition})
		return err
	}, unchanged)
	if p.FailWrite == nil {
		return
	}
	after := load(t, p, state.ID)
	same(t, after, state.Apply(l.Job, transition))
	cut(t, p, func() error {
		_, err := p.Store.Commit(t.Context(), ports.Commit{State: after, Transition: ending(p)})
		return err
	}, func(t *testing.T) {
		same(t, load(t, p, state.ID), after)
		same(t, paused(t, p, anEvent(p, named("new"))), []ports.Paused{{Run: state.ID, Pause: transition.Pauses[0]}})
		_, err := p.Store.SignalWaiter(t.Context(), "new")
		must(t, err)
	})
}

func commitEndsWaits(t *testing.T, p Ports) {
	next, other := aRun(p), aRun(p)
	schedule(t, p, next, other)
	state := waitFor(t, p, next.State, aPause(p, run.PauseEvent, "e"), aPause(p, run.PauseSignal, "s"), aPause(p, run.PauseCancel, "e"))
	state = commit(t, p, ports.Lease{}, state, run.Transition{Consumed: anEvent(p).InternalID, Defers: map[string]run.Defer{"op": {Slug: "a"}}})
	kept := aPause(p, run.PauseEvent, "e")
	waitFor(t, p, other.State, kept)
	commit(t, p, ports.Lease{}, state, ending(p))
	for range 2 {
		same(t, paused(t, p, anEvent(p, named("e"))), []ports.Paused{{Run: other.State.ID, Pause: kept}})
		_, err := p.Store.SignalWaiter(t.Context(), "s")
		is(t, err, ports.ErrNotFound)
		p = restarted(p)
	}
	// Nothing of it is left to a run with the same ID.
	schedule(t, p, next)
	same(t, load(t, restarted(p), next.State.ID), next.State)
}

func pausedFinds(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	conditions := []string{
		"", `async.data.id == "a"`, `async.data.n == 1`, `async.data.n == 1.0 && async.data.id == "a"`, `async.data.id == "b" || async.data.n == 1`,
		`async.data.n > 0`, `async.data.missing == null`, `async.data.id in ["x", "a"]`, `async.name == "e" && async.data.id != "b"`,
		`!(async.data.id == "b")`, `async.data.deep.id == "ü"`,
	}
	others := []string{`async.data.id == "b"`, `async.data.n == 2`, `async.data.n < 0`, "no (expression", `async.data.deep.id == "u"`}
	var pauses []run.Pause
	meets := map[uuid.UUID]bool{}
	for i, condition := range append(conditions, others...) {
		pause := aPause(p, []run.PauseKind{run.PauseEvent, run.PauseCancel}[i%2], "e")
		pause.Expression = condition
		pauses = append(pauses, pause)
		meets[pause.ID] = i < len(conditions)
	}
	expired, otherName := aPause(p, run.PauseEvent, "e"), aPause(p, run.PauseEvent, "f")
	expired.Expires = p.Now().UTC().Add(-time.Hour)
	meets[expired.ID] = true
	pauses = append(pauses, expired, otherName, aPause(p, run.PauseSignal, "e"), aPause(p, run.PauseInvoke, "e"))
	after := waitFor(t, p, next.State, pauses...)
	for range 2 {
		found := paused(t, p, anEvent(p, named("e"), withData(`{"id":"a","n":1,"deep":{"id":"ü"}}`)))
		missing := 0
		for id := range meets {
			if meets[id] && !slices.ContainsFunc(found, func(got ports.Paused) bool { return got.Pause.ID == id }) {
				t.Errorf("%q was not found", after.Pauses[id].Expression)
				missing++
			}
		}
		for _, got := range found {
			if _, waits := meets[got.Pause.ID]; !waits {
				t.Errorf("found a pause for %q", got.Pause.Event)
			}
			same(t, got, ports.Paused{Run: next.State.ID, Pause: after.Pauses[got.Pause.ID]})
		}
		same(t, paused(t, p, anEvent(p, named("f"))), []ports.Paused{{Run: next.State.ID, Pause: otherName}})
		same(t, paused(t, p, anEvent(p, named(""))), []ports.Paused(nil))
		same(t, paused(t, p, anEvent(p, named("E"))), []ports.Paused(nil))
		p = restarted(p)
	}
}

func pausedOrder(t *testing.T, p Ports) {
	first, second := aRun(p), aRun(p)
	schedule(t, p, second, first)
	var want []ports.Paused
	for _, next := range []ports.NewRun{second, first} {
		pauses := []run.Pause{aPause(p, run.PauseEvent, "e"), aPause(p, run.PauseCancel, "e"), aPause(p, run.PauseEvent, "e")}
		waitFor(t, p, next.State, pauses...)
		for _, pause := range pauses {
			want = append(want, ports.Paused{Run: next.State.ID, Pause: pause})
		}
	}
	slices.SortFunc(want, func(a, b ports.Paused) int {
		if c := a.Run.Compare(b.Run); c != 0 {
			return c
		}
		return bytes.Compare(a.Pause.ID[:], b.Pause.ID[:])
	})
	same(t, paused(t, p, anEvent(p, named("e"))), want)
	same(t, paused(t, restarted(p), anEvent(p, named("e"))), want)
}

func pausedFollows(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	pause := aPause(p, run.PauseEvent, "e")
	pause.Expression = `async.data.id == "a"`
	e, f := anEvent(p, named("e"), withData(`{"id":"a"}`)), anEvent(p, named("f"), withData(`{"id":"b"}`))
	state := waitFor(t, p, next.State, pause)
	same(t, paused(t, p, e), []ports.Paused{{Run: next.State.ID, Pause: pause}})

	renamed := pause
	renamed.Event, renamed.Expression = "f", `async.data.id == "b"`
	state = waitFor(t, p, state, renamed)
	same(t, paused(t, p, e), []ports.Paused(nil))
	same(t, paused(t, p, f), []ports.Paused{{Run: next.State.ID, Pause: renamed}})

	state = commit(t, p, ports.Lease{}, state, run.Transition{Drop: []uuid.UUID{pause.ID}, Pauses: []run.Pause{pause}})
	same(t, paused(t, p, e), []ports.Paused{{Run: next.State.ID, Pause: pause}})
	same(t, paused(t, p, f), []ports.Paused(nil))

	stale := state
	stale.Revision--
	_, err := p.Store.Commit(t.Context(), ports.Commit{State: stale, Transition: run.Transition{Drop: []uuid.UUID{pause.ID}}})
	is(t, err, ports.ErrConflict)
	same(t, len(paused(t, p, e)), 1)
	commit(t, p, ports.Lease{}, state, run.Transition{Drop: []uuid.UUID{pause.ID}})
	same(t, paused(t, p, e), []ports.Paused(nil))
	same(t, paused(t, restarted(p), e), []ports.Paused(nil))
}

func pausedEnded(t *testing.T, p Ports) {
	_, err := p.Store.Paused(ended(t), anEvent(p))
	is(t, err, context.Canceled)
	_, err = p.Store.SignalWaiter(ended(t), "s")
	is(t, err, context.Canceled)
}

// instead are events that are accepted when a run is a duplicate.
func instead(events ...event.Tracked) map[flow.Result][]event.Tracked {
	return map[flow.Result][]event.Tracked{flow.Duplicate: events}
}
