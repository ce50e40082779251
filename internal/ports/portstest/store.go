package portstest

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// TestStore is the contract of ports.Store.
func TestStore(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Schedule/creates a run with its first job":           scheduleCreates,
		"Schedule/stores every value":                         scheduleValues,
		"Schedule/settles the event":                          scheduleSettles,
		"Schedule/settles an event once":                      scheduleSettlesOnce,
		"Schedule/of a settled event writes nothing":          scheduleConflict,
		"Schedule/refuses a key for 24 hours":                 scheduleKeys,
		"Schedule/creates one run per key":                    scheduleKeysAtOnce,
		"Schedule/accepts what it publishes":                  schedulePublishes,
		"Schedule/is all or nothing":                          scheduleCut,
		"Schedule/with an ended context writes nothing":       scheduleEnded,
		"Load/of an unknown run is ErrNotFound":               loadUnknown,
		"Commit/saves steps, jobs and settings":               commitSaves,
		"Commit/stores every memo":                            commitMemos,
		"Commit/keeps the job in hand":                        commitKeeps,
		"Commit/retries the job":                              commitRetries,
		"Commit/resets the attempts of a job":                 commitResets,
		"Commit/resets attempts for after a crash":            commitResetOutlivesACrash,
		"Commit/creates no second job with an ID":             commitSameJob,
		"Commit/may replace the job by one with its ID":       commitReplacesJob,
		"Commit/on an old revision is ErrConflict":            commitConflict,
		"Commit/with a lost lease is ErrLeaseLost":            commitLeaseLost,
		"Commit/to a run that has ended is ErrNotFound":       commitNotFound,
		"Commit/by two at once succeeds once":                 commitAtOnce,
		"Commit/ends the run and publishes":                   commitEnds,
		"Commit/of an end takes thousands of jobs away":       commitEndsJobs,
		"Commit/without a lease ends the run under the other": commitCancels,
		"Commit/is all or nothing":                            commitCut,
		"Commit/of an end is all or nothing":                  commitEndCut,
		"Commit/with an ended context writes nothing":         commitEnded,
		"Load/equals Apply of all transitions":                loadEqualsApply,
	})
	t.Run("Waits", func(t *testing.T) { t.Parallel(); testWaits(t, run) })
	t.Run("Signals", func(t *testing.T) { t.Parallel(); testSignals(t, run) })
	t.Run("Runs", func(t *testing.T) { t.Parallel(); testRuns(t, run) })
}

// load returns a run that must be in progress.
func load(t tb, p Ports, id ulid.ULID) run.State {
	t.Helper()
	state, err := p.Store.Load(t.Context(), id)
	must(t, err)
	return state
}

// restarted is the backend after a crash, or the same one when the adapter keeps nothing.
func restarted(p Ports) Ports {
	if p.Restart == nil {
		return p
	}
	return p.Restart()
}

// step is a transition that saves a memo, settles the job in hand and goes on with another.
func step(l ports.Lease, op string, memo json.RawMessage) run.Transition {
	next := l.Job
	next.ID, next.Kind, next.Attempt = "after-"+op, run.KindEdge, 0
	next.Edge = run.Edge{Incoming: run.EdgeStep, Outgoing: op}
	return run.Transition{
		Steps: []run.Step{{ID: op, Memo: memo}}, Jobs: []run.Job{next}, RequestVersion: 2,
		Current: run.Disposition{Fate: run.FateDone},
	}
}

func scheduleCreates(t *testing.T, p Ports) {
	next := aRun(p)
	same(t, schedule(t, p, next), []ports.Scheduled{{RunID: next.State.ID}})
	same(t, load(t, p, next.State.ID), next.State)
	l := lease(t, p)
	same(t, l.Job, next.Start)
	same(t, l.Generation, 1)
	if l.Token == 0 {
		t.Fatal("a lease has no token")
	}
	record, err := p.History.Run(t.Context(), next.State.ID)
	must(t, err)
	same(t, record, ports.RunRecord{
		RunID: next.State.ID, StartedAt: ulid.Time(next.State.ID.Time()).UTC(), FunctionID: aFunction,
		EventID: next.State.Events[0].InternalID, Status: run.Running,
	})
	p = restarted(p)
	same(t, load(t, p, next.State.ID), next.State)
}

func scheduleValues(t *testing.T, p Ports) {
	huge := anEvent(p, func(e *event.Tracked) {
		e.Data = json.RawMessage(`"` + string(bytes.Repeat([]byte("0123456789"), 1<<17)) + `"`)
		e.Sessions = map[string]string{"session": "ü"}
	})
	logged := anEvent(p, func(e *event.Tracked) { e.Data, e.Sessions = huge.Data, huge.Sessions })
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{logged}))
	runs := []ports.NewRun{
		aRun(p, startedBy(huge)),
		aRun(p, startedBy(logged)),
		aRun(p, startedBy(logged, anEvent(p), huge)),
		aRun(p, startedBy(anEvent(p, func(e *event.Tracked) { e.User, e.V = json.RawMessage(`{"a":"é"}`), "1" }))),
		aRun(p, func(next *ports.NewRun) {
			next.State.Slug, next.Start.Edge.TargetName, next.Start.CoalesceKey = "日本-\xff", "naïve", "key\x00"
			next.Start.Mode, next.Cron = run.ModeRace, "*/5 * * * *"
		}),
		aRun(p, func(next *ports.NewRun) { // as a run that begins with the memos of another
			next.State.Stack = []string{"one", "two"}
			next.State.Steps = map[string]json.RawMessage{"one": json.RawMessage(`{"data":1}`), "two": nil}
			next.State.Size = 10
		}),
	}
	schedule(t, p, runs...)
	p = restarted(p)
	for i := range runs {
		same(t, load(t, p, runs[i].State.ID), runs[i].State)
	}
	jobs := map[ulid.ULID]run.Job{}
	for range runs {
		l := lease(t, p)
		jobs[l.Job.RunID] = l.Job
	}
	for i := range runs {
		same(t, jobs[runs[i].State.ID], runs[i].Start)
	}
	record, err := p.History.Run(t.Context(), runs[4].State.ID)
	must(t, err)
	same(t, record.Cron, "*/5 * * * *")
}

func scheduleSettles(t *testing.T, p Ports) {
	tracked := anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: tracked.InternalID, Runs: []ports.NewRun{aRun(p, startedBy(tracked))}})
	must(t, err)
	is(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now()), ports.ErrNotFound)
	p = restarted(p)
	same(t, takeSoon(t, p, 1), []event.Tracked(nil))
}

func scheduleSettlesOnce(t *testing.T, p Ports) {
	tracked := anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	won := atOnce(t, 8, func(int) error {
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: tracked.InternalID, Runs: []ports.NewRun{aRun(p, startedBy(tracked))}})
		return err
	}, ports.ErrConflict)
	same(t, won, 1)
	records, err := p.History.EventRuns(t.Context(), tracked.InternalID)
	must(t, err)
	same(t, len(records), 1)
}

func scheduleConflict(t *testing.T, p Ports) {
	next := aRun(p, withKey("k"))
	published := anEvent(p)
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{
		Event: anEvent(p).InternalID, Runs: []ports.NewRun{next}, Publish: []event.Tracked{published},
	})
	is(t, err, ports.ErrConflict)
	_, err = p.Store.Load(t.Context(), next.State.ID)
	is(t, err, ports.ErrNotFound)
	_, err = p.History.Event(t.Context(), published.InternalID)
	is(t, err, ports.ErrNotFound)
	if leaseSoon(t, p) != nil {
		t.Fatal("a job was created")
	}
	same(t, schedule(t, p, next)[0].Result, flow.Started)
}

func scheduleKeys(t *testing.T, p Ports) {
	first, second, other := aRun(p, withKey("käy")), aRun(p, withKey("käy")), aRun(p, withKey("kay"))
	same(t, schedule(t, p, first, second, other), []ports.Scheduled{
		{RunID: first.State.ID}, {RunID: first.State.ID, Result: flow.Duplicate}, {RunID: other.State.ID},
	})
	_, err := p.Store.Load(t.Context(), second.State.ID)
	is(t, err, ports.ErrNotFound)
	for range 2 {
		finish(t, p, lease(t, p))
	}
	if leaseSoon(t, p) != nil {
		t.Fatal("the duplicate has a job")
	}

	p.Pass(24*time.Hour - time.Second)
	p = restarted(p)
	same(t, schedule(t, p, aRun(p, withKey("käy"))), []ports.Scheduled{{RunID: first.State.ID, Result: flow.Duplicate}})
	p.Pass(time.Second)
	late := aRun(p, withKey("käy"))
	same(t, schedule(t, p, late), []ports.Scheduled{{RunID: late.State.ID}})
	same(t, schedule(t, p, aRun(p, withKey("käy"))), []ports.Scheduled{{RunID: late.State.ID, Result: flow.Duplicate}})
	same(t, schedule(t, p, aRun(p), aRun(p))[1].Result, flow.Started)
}

func scheduleKeysAtOnce(t *testing.T, p Ports) {
	answers := make([]ports.Scheduled, 8)
	atOnce(t, len(answers), func(caller int) error {
		answer, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{aRun(p, withKey("one"))}})
		if err == nil {
			answers[caller] = answer[0]
		}
		return err
	})
	created := 0
	for _, answer := range answers {
		if answer.Result != flow.Duplicate {
			created++
		}
		same(t, answer.RunID, answers[0].RunID)
	}
	same(t, created, 1)
}

func schedulePublishes(t *testing.T, p Ports) {
	published := []event.Tracked{anEvent(p, named(event.FunctionFinished)), anEvent(p)}
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Publish: published})
	must(t, err)
	same(t, takeSoon(t, p, 10), published)
	p = restarted(p)
	same(t, len(takeSoon(t, p, 10)), 2*flag(p.Restart != nil))
}

// flag is 1 for true.
func flag(condition bool) int {
	if condition {
		return 1
	}
	return 0
}

func scheduleCut(t *testing.T, p Ports) {
	tracked, published := anEvent(p), anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	first, second := aRun(p, startedBy(tracked), withKey("a")), aRun(p, withKey("b"))
	cut(t, p, func() error {
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{
			Event: tracked.InternalID, Runs: []ports.NewRun{first, second}, Publish: []event.Tracked{published},
		})
		return err
	}, func(t *testing.T) {
		for _, next := range []ports.NewRun{first, second} {
			_, err := p.Store.Load(t.Context(), next.State.ID)
			is(t, err, ports.ErrNotFound)
			_, err = p.History.Run(t.Context(), next.State.ID)
			is(t, err, ports.ErrNotFound)
		}
		_, err := p.History.Event(t.Context(), published.InternalID)
		is(t, err, ports.ErrNotFound)
		if leaseSoon(t, p) != nil {
			t.Fatal("a job was created")
		}
		must(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now()))
		same(t, takeSoon(t, p, 10), []event.Tracked{tracked})
	})
}

func scheduleEnded(t *testing.T, p Ports) {
	next := aRun(p)
	if _, err := p.Store.Schedule(ended(t), ports.Schedule{Runs: []ports.NewRun{next}}); err == nil {
		t.Fatal("scheduled")
	}
	_, err := p.Store.Load(t.Context(), next.State.ID)
	is(t, err, ports.ErrNotFound)
}

func loadUnknown(t *testing.T, p Ports) {
	_, err := p.Store.Load(t.Context(), anEvent(p).InternalID)
	is(t, err, ports.ErrNotFound)
}
