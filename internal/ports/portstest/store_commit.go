package portstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// commit makes a transition true that must be.
func commit(t *testing.T, p Ports, l ports.Lease, state run.State, transition run.Transition) run.State {
	t.Helper()
	after, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: transition})
	must(t, err)
	same(t, after, state.Apply(l.Job, transition))
	return after
}

func commitSaves(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	transition := step(l, "one", json.RawMessage(`{"data":1}`))
	transition.StartedAt = p.Now().UTC().Add(-time.Second)
	transition.ForceStepPlan, transition.SetPending, transition.Pending = true, true, []string{"a", "b"}
	later := transition.Jobs[0]
	later.ID, later.Kind, later.At = "later", run.KindSleep, p.Now().UTC().Add(time.Hour)
	transition.Jobs = append(transition.Jobs, later)
	after := commit(t, p, l, next.State, transition)
	same(t, load(t, p, next.State.ID), after)

	second := lease(t, p)
	same(t, second.Job, transition.Jobs[0])
	after = commit(t, p, second, after, step(second, "a", json.RawMessage(`{"data":2}`)))
	p = restarted(p)
	same(t, load(t, p, next.State.ID), after)
	same(t, lease(t, p).Job.ID, "after-a")
	p.Pass(time.Hour)
	same(t, lease(t, p).Job, later)
}

func commitMemos(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	transition := run.Transition{Current: run.Disposition{Fate: run.FateKeep}, Steps: []run.Step{
		{ID: "nothing"},
		{ID: "empty", Memo: json.RawMessage{}},
		{ID: "", Memo: json.RawMessage(`null`)},
		{ID: "日本語", Memo: json.RawMessage(`"ü"`)},
		{ID: "binary", Memo: json.RawMessage("a\x00\xff")},
		{ID: "huge", Memo: bytes.Repeat([]byte("x"), 3<<20)},
		{ID: "huge", Memo: json.RawMessage(`"again"`)},
	}}
	after := commit(t, p, l, next.State, transition)
	p = restarted(p)
	same(t, load(t, p, next.State.ID), after)
}

func commitKeeps(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	after := commit(t, p, l, next.State, run.Transition{Current: run.Disposition{Fate: run.FateKeep}, RequestVersion: 1})
	if leaseSoon(t, p) != nil {
		t.Fatal("the job was handed out a second time")
	}
	commit(t, p, l, after, step(l, "one", nil))
	same(t, lease(t, p).Job.ID, "after-one")
}

// tried brings a run's first job to its third attempt, leased.
func tried(t *testing.T, p Ports) (ports.Lease, run.State) {
	t.Helper()
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	after := commit(t, p, l, next.State, run.Transition{Current: run.Disposition{Fate: run.FateRetry, At: p.Now().UTC(), Attempt: 2}})
	l = lease(t, p)
	same(t, l.Job.Attempt, 2)
	return l, after
}

func commitResets(t *testing.T, p Ports) {
	// Nothing of it stays when a write fails.
	l, state := tried(t, p)
	reset := run.Transition{Steps: []run.Step{{ID: "saved", Memo: json.RawMessage(`{"data":1}`)}}, ResetJob: l.Job.ID}
	after := state.Apply(run.Job{}, reset)
	saved := false
	cut(t, p, func() error {
		_, err := p.Store.Commit(t.Context(), ports.Commit{State: state, Transition: reset})
		saved = err == nil
		return err
	}, func(t *testing.T) {
		t.Helper()
		same(t, load(t, p, state.ID), state)
	})
	if !saved {
		commit(t, p, ports.Lease{}, state, reset)
	}

	// The holder's own attempt goes on.
	again := p.Now().UTC().Add(time.Hour)
	after = commit(t, p, l, after, run.Transition{Current: run.Disposition{Fate: run.FateRetry, At: again, Attempt: l.Job.Attempt + 1}})
	p.Pass(time.Hour)
	l = lease(t, p)
	same(t, l.Job.Attempt, 3)

	// Who gets the job after somebody who did not end it begins anew.
	unknown := reset
	unknown.Steps, unknown.ResetJob = []run.Step{{ID: "more"}}, "unknown"
	after = commit(t, p, ports.Lease{}, after, unknown)
	reset.Steps = []run.Step{{ID: "again"}}
	after = commit(t, p, ports.Lease{}, after, reset)
	must(t, p.Queue.Return(t.Context(), l, p.Now()))
	l = lease(t, p)
	same(t, l.Job.Attempt, 0)
	commit(t, p, l, after, step(l, "one", nil))
}

func commitResetOutlivesACrash(t *testing.T, p Ports) {
	l, state := tried(t, p)
	commit(t, p, ports.Lease{}, state, run.Transition{Steps: []run.Step{{ID: "saved"}}, ResetJob: l.Job.ID})
	if p.Restart == nil {
		must(t, p.Queue.Return(t.Context(), l, p.Now()))
	}
	p = restarted(p)
	same(t, lease(t, p).Job.Attempt, 0)
}

func commitRetries(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	at := p.Now().UTC().Add(time.Minute)
	after := commit(t, p, l, next.State, run.Transition{Current: run.Disposition{Fate: run.FateRetry, At: at, Attempt: 1}})
	if leaseSoon(t, p) != nil {
		t.Fatal("the job came before its time")
	}
	p.Pass(time.Minute - time.Millisecond)
	p = restarted(p)
	if leaseSoon(t, p) != nil {
		t.Fatal("the job came before its time")
	}
	p.Pass(time.Millisecond)
	again := lease(t, p)
	want := l.Job
	want.At, want.Attempt = at, 1
	same(t, again.Job, want)
	same(t, again.Generation, 2)
	if again.Token == l.Token && p.Restart == nil {
		t.Fatal("two leases have one token")
	}
	same(t, load(t, p, next.State.ID), after)
}

func commitSameJob(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	transition := step(l, "one", nil)
	other := transition.Jobs[0]
	other.MaxAttempts = 99
	transition.Jobs = append(transition.Jobs, other)
	after := commit(t, p, l, next.State, transition)
	got := lease(t, p)
	same(t, got.Job, transition.Jobs[0])
	again := step(got, "two", nil)
	again.Current.Fate = run.FateKeep
	again.Jobs = []run.Job{other}
	commit(t, p, got, after, again)
	if leaseSoon(t, p) != nil {
		t.Fatal("a job was handed out twice")
	}

	// The ID is one within its run: another run may have a job that is called the same.
	third := aRun(p)
	schedule(t, p, third)
	l = lease(t, p)
	commit(t, p, l, third.State, step(l, "one", nil))
	same(t, lease(t, p).Job.RunID, third.State.ID)
}

func commitReplacesJob(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	renamed := l.Job
	renamed.Edge.Outgoing = "other"
	transition := run.Transition{Current: run.Disposition{Fate: run.FateDone}, Jobs: []run.Job{renamed}}
	after := commit(t, p, l, next.State, transition)
	p = restarted(p)
	same(t, load(t, p, next.State.ID), after)
	same(t, lease(t, p).Job, renamed)
}

func commitConflict(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	after := commit(t, p, l, next.State, run.Transition{Current: run.Disposition{Fate: run.FateKeep}})
	published := anEvent(p)
	for _, stale := range []int64{next.State.Revision, after.Revision + 1} {
		state := after
		state.Revision = stale
		_, err := p.Store.Commit(t.Context(), ports.Commit{
			Lease: l, State: state, Transition: step(l, "one", nil), Publish: []event.Tracked{published},
		})
		is(t, err, ports.ErrConflict)
		_, err = p.Store.Commit(t.Context(), ports.Commit{State: state, Transition: ending(p)})
		is(t, err, ports.ErrConflict)
	}
	_, err := p.History.Event(t.Context(), published.InternalID)
	is(t, err, ports.ErrNotFound)
	same(t, load(t, p, next.State.ID), after)
	commit(t, p, l, after, step(l, "one", nil)) // the lease is still the caller's
}

func commitLeaseLost(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	must(t, p.Queue.Return(t.Context(), l, time.Time{}))
	second := lease(t, p)
	for name, lost := range map[string]ports.Lease{
		"returned": l, "of another token": {Job: second.Job, Generation: 2, Token: second.Token + 1000},
		"of no job": {Job: run.Job{ID: "none", RunID: next.State.ID}, Token: second.Token},
	} {
		if _, err := p.Store.Commit(t.Context(), ports.Commit{Lease: lost, State: next.State, Transition: step(l, "one", nil)}); err == nil {
			t.Fatalf("committed with a lease %s", name)
		} else {
			is(t, err, ports.ErrLeaseLost)
		}
	}
	same(t, load(t, p, next.State.ID), next.State)
	commit(t, p, second, next.State, step(second, "one", nil))
	_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: second, State: load(t, p, next.State.ID), Transition: step(l, "two", nil)})
	is(t, err, ports.ErrLeaseLost)
}

func commitNotFound(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	finish(t, p, l)
	_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: next.State, Transition: step(l, "one", nil)})
	is(t, err, ports.ErrNotFound)
	_, err = p.Store.Commit(t.Context(), ports.Commit{State: next.State, Transition: ending(p)})
	is(t, err, ports.ErrNotFound)
}

func commitAtOnce(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	won := atOnce(t, 8, func(int) error {
		_, err := p.Store.Commit(t.Context(), ports.Commit{State: next.State, Transition: run.Transition{
			Steps: []run.Step{{ID: "one", Memo: json.RawMessage(`1`)}},
		}})
		return err
	}, ports.ErrConflict)
	same(t, won, 1)
	same(t, load(t, p, next.State.ID).Stack, []string{"one"})

	l := lease(t, p)
	state := load(t, p, next.State.ID)
	won = atOnce(t, 8, func(int) error {
		_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: step(l, "two", nil)})
		return err
	}, ports.ErrConflict, ports.ErrLeaseLost)
	same(t, won, 1)
}

func commitEnds(t *testing.T, p Ports) {
	started := anEvent(p)
	next := aRun(p, startedBy(started))
	schedule(t, p, next)
	l := lease(t, p)
	after := commit(t, p, l, next.State, step(l, "one", json.RawMessage(`1`)))
	l = lease(t, p)
	published := []event.Tracked{anEvent(p, named(event.FunctionFinished)), anEvent(p, named(event.FunctionFailed))}
	p.Pass(time.Second)
	end := run.Transition{
		Current: run.Disposition{Fate: run.FateDone},
		Finish:  &run.Finish{Status: run.Failed, Output: json.RawMessage("{\"é\":\"\x00\"}"), At: p.Now().UTC()},
	}
	last, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: after, Transition: end, Publish: published})
	must(t, err)
	same(t, last, after.Apply(l.Job, end))
	check := func(p Ports) {
		_, err := p.Store.Load(t.Context(), next.State.ID)
		is(t, err, ports.ErrNotFound)
		record, err := p.History.Run(t.Context(), next.State.ID)
		must(t, err)
		same(t, []any{record.Status, record.EndedAt, string(record.Output)}, []any{run.Failed, end.Finish.At, string(end.Finish.Output)})
		same(t, takeSoon(t, p, 10), published)
		if leaseSoon(t, p) != nil {
			t.Fatal("a job is left")
		}
	}
	check(p)
	if p.Restart != nil {
		check(p.Restart())
	}
}

// commitEndsJobs: spec 02 §22 #29.
func commitEndsJobs(t *testing.T, p Ports) {
	const jobs = 3500
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	transition := run.Transition{RequestVersion: 2, Current: run.Disposition{Fate: run.FateDone}}
	for i := range jobs {
		job := next.Start
		job.ID, job.Kind, job.At = fmt.Sprintf("job-%d", i), run.KindEdge, p.Now().Add(time.Duration(i%2)*time.Hour)
		transition.Jobs = append(transition.Jobs, job)
	}
	after := commit(t, p, l, next.State, transition)
	same(t, len(after.Jobs), jobs)
	commit(t, p, ports.Lease{}, after, ending(p))
	for range 2 {
		p.Pass(2 * time.Hour)
		if left := leaseSoon(t, p); left != nil {
			t.Fatalf("job %s is left", left.Job.ID)
		}
		p = restarted(p)
	}
}

func commitCancels(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	transition := step(l, "one", nil)
	waiting, sleeping := transition.Jobs[0], transition.Jobs[0]
	waiting.ID, sleeping.ID, sleeping.At = "waiting", "sleeping", p.Now().Add(time.Hour)
	transition.Jobs = append(transition.Jobs, waiting, sleeping)
	after := commit(t, p, l, next.State, transition)
	held := lease(t, p)
	_, err := p.Store.Commit(t.Context(), ports.Commit{State: after, Transition: run.Transition{
		Finish: &run.Finish{Status: run.Cancelled, At: p.Now().UTC()},
	}})
	must(t, err)
	_, err = p.Store.Commit(t.Context(), ports.Commit{Lease: held, State: after, Transition: step(held, "two", nil)})
	is(t, err, ports.ErrNotFound)
	is(t, p.Queue.Return(t.Context(), held, p.Now()), ports.ErrLeaseLost)
	is(t, p.Queue.Park(t.Context(), held, "reason"), ports.ErrLeaseLost)
	p.Pass(2 * time.Hour)
	p = restarted(p)
	if leaseSoon(t, p) != nil {
		t.Fatal("a job is left")
	}
	record, err := p.History.Run(t.Context(), next.State.ID)
	must(t, err)
	same(t, record.Status, run.Cancelled)
}

func commitCut(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	published := anEvent(p)
	transition := step(l, "one", json.RawMessage(`1`))
	transition.Steps = append(transition.Steps, run.Step{ID: "two"})
	cut(t, p, func() error {
		_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: next.State, Transition: transition, Publish: []event.Tracked{published}})
		return err
	}, func(t *testing.T) {
		same(t, load(t, p, next.State.ID), next.State)
		if leaseSoon(t, p) != nil {
			t.Fatal("a job was created")
		}
		same(t, takeSoon(t, p, 10), []event.Tracked(nil))
	})
	if p.FailWrite != nil {
		same(t, load(t, p, next.State.ID), next.State.Apply(l.Job, transition))
		same(t, lease(t, p).Job, transition.Jobs[0])
	}
}

func commitEndCut(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	after := commit(t, p, l, next.State, step(l, "one", json.RawMessage(`1`)))
	l = lease(t, p)
	published := anEvent(p)
	cut(t, p, func() error {
		_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: after, Transition: ending(p), Publish: []event.Tracked{published}})
		return err
	}, func(t *testing.T) {
		same(t, load(t, p, next.State.ID), after)
		record, err := p.History.Run(t.Context(), next.State.ID)
		must(t, err)
		same(t, record.Status, run.Running)
		same(t, takeSoon(t, p, 10), []event.Tracked(nil))
	})
	if p.FailWrite != nil {
		same(t, takeSoon(t, p, 10), []event.Tracked{published})
	}
}

func commitEnded(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	_, err := p.Store.Commit(ended(t), ports.Commit{Lease: l, State: next.State, Transition: step(l, "one", nil)})
	is(t, err, context.Canceled)
	same(t, load(t, p, next.State.ID), next.State)
	commit(t, p, l, next.State, step(l, "one", nil))
}
