package portstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// loadEqualsApply commits random transitions to a run and compares what is loaded with what run.State.Apply says, also
// after a restart in between.
func loadEqualsApply(t *testing.T, p Ports) {
	// In a bubble of synctest a test may not be asked for its deadline, which rapid does if it can.
	rapid.Check(struct{ rapid.TB }{t}, func(r *rapid.T) {
		next := aRun(p, drawnWaits(r, p))
		schedule(r, p, next)
		r.Cleanup(func() { end(t, p, next.State.ID) }) // a check that is cut short must leave nothing to the next
		model := next.State
		jobs := []run.Job{next.Start}
		owned := map[string]bool{}
		for range rapid.IntRange(1, 8).Draw(r, "commits") {
			l := leaseOf(r, p, jobs)
			transition := drawTransition(r, p, model, l.Job)
			after, err := p.Store.Commit(r.Context(), ports.Commit{Lease: l, State: load(r, p, model.ID), Transition: transition})
			must(r, err)
			moveSignals(owned, model, transition)
			model = model.Apply(l.Job, transition)
			same(r, after, model)
			gone := slices.Clone(transition.DropJobs)
			if transition.Current.Fate == run.FateDone {
				gone = append(gone, l.Job.ID)
			}
			jobs = slices.DeleteFunc(jobs, func(job run.Job) bool { return slices.Contains(gone, job.ID) })
			jobs = append(jobs, transition.Jobs...)
			if transition.Current.Fate == run.FateKeep {
				err := p.Queue.Return(r.Context(), l, time.Time{})
				if slices.Contains(transition.DropJobs, l.Job.ID) {
					is(r, err, ports.ErrLeaseLost)
				} else {
					must(r, err)
				}
			}
			if p.Restart != nil && rapid.IntRange(0, 7).Draw(r, "restart") == 0 {
				p = p.Restart()
			}
			same(r, load(r, p, model.ID), model)
			samePauses(r, p, model)
			sameSignals(r, p, model.ID, owned)
		}
	})
}

// end ends a run if it is in progress.
func end(t tb, p Ports, id ulid.ULID) {
	t.Helper()
	state, err := p.Store.Load(t.Context(), id)
	if errors.Is(err, ports.ErrNotFound) {
		return
	}
	must(t, err)
	_, err = p.Store.Commit(t.Context(), ports.Commit{State: state, Transition: run.Transition{
		Finish: &run.Finish{Status: run.Cancelled, At: p.Now()},
	}})
	must(t, err)
}

// leaseOf takes one of a run's jobs, at the latest when the last of them is due.
func leaseOf(t tb, p Ports, jobs []run.Job) ports.Lease {
	t.Helper()
	for range 3 {
		if l := leaseSoon(t, p); l != nil {
			if !slices.ContainsFunc(jobs, func(job run.Job) bool { return job.ID == l.Job.ID && job.RunID == l.Job.RunID }) {
				t.Fatalf("job %s does not exist", l.Job.ID)
			}
			return *l
		}
		p.Pass(time.Hour)
	}
	t.Fatal("no job came due")
	return ports.Lease{}
}

// drawTransition draws what may follow in a run; it always leaves a job.
func drawTransition(r *rapid.T, p Ports, s run.State, job run.Job) run.Transition {
	t := run.Transition{
		RequestVersion: rapid.IntRange(-1, 3).Draw(r, "version"),
		ForceStepPlan:  rapid.Bool().Draw(r, "plan"),
		SetPending:     rapid.Bool().Draw(r, "set pending"),
		Current:        run.Disposition{Fate: run.FateDone},
	}
	if rapid.Bool().Draw(r, "started") {
		t.StartedAt = p.Now().UTC()
	}
	if t.SetPending {
		t.Pending = rapid.SliceOfN(rapid.StringMatching(`[a-e]`), 0, 3).Draw(r, "pending")
	}
	for range rapid.IntRange(0, 3).Draw(r, "steps") {
		t.Steps = append(t.Steps, run.Step{
			ID:   rapid.OneOf(rapid.StringMatching(`[a-e]`), rapid.String()).Draw(r, "op"),
			Memo: json.RawMessage(rapid.SliceOf(rapid.Byte()).Draw(r, "memo")),
		})
	}
	for i := range rapid.IntRange(1, 3).Draw(r, "jobs") {
		next := job
		next.ID = fmt.Sprintf("%d-%d", s.Revision, i)
		next.Kind = rapid.SampledFrom([]run.Kind{run.KindEdge, run.KindEdgeError, run.KindSleep}).Draw(r, "kind")
		next.At = p.Now().UTC().Add(rapid.SampledFrom([]time.Duration{0, 0, time.Minute}).Draw(r, "delay"))
		next.Attempt, next.Gateway = 0, nil
		if rapid.IntRange(0, 3).Draw(r, "gateway") == 0 {
			next.Kind, next.Gateway = run.KindGateway, &run.Gateway{Op: "Gateway", Opts: rapid.SliceOf(rapid.Byte()).Draw(r, "opts")}
		}
		t.Jobs = append(t.Jobs, next)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Jobs)) {
		if id != job.ID && rapid.IntRange(0, 4).Draw(r, "reset job") == 0 {
			t.ResetJob = id
		}
		if rapid.IntRange(0, 4).Draw(r, "drop job") == 0 {
			t.DropJobs = append(t.DropJobs, id)
		}
	}
	drawWaits(r, p, s, &t)
	switch rapid.IntRange(0, 5).Draw(r, "fate") {
	case 0:
		t.Current.Fate = run.FateKeep
	case 1:
		t.Current = run.Disposition{Fate: run.FateRetry, At: p.Now().UTC().Add(time.Second), Attempt: job.Attempt + 1}
	}
	return t
}

// drawnWaits gives a new run what a run may have from the start.
func drawnWaits(r *rapid.T, p Ports) func(*ports.NewRun) {
	return func(next *ports.NewRun) {
		next.State.Timeouts = run.Timeouts{
			Start: time.Duration(rapid.Int64Min(0).Draw(r, "start timeout")), Finish: time.Duration(rapid.Int64Min(0).Draw(r, "finish timeout")),
		}
		inputs := rapid.MapOfN(rapid.String(), rapid.SliceOf(rapid.Byte()), 0, 2).Draw(r, "inputs")
		for op, input := range inputs {
			if next.State.Inputs == nil {
				next.State.Inputs = map[string]json.RawMessage{}
			}
			next.State.Inputs[op] = input
		}
		if rapid.Bool().Draw(r, "cancel on") {
			pause := drawPause(r, p, rapid.SampledFrom([]run.PauseKind{run.PauseCancel, run.PauseEvent}).Draw(r, "first pause"))
			next.State.Pauses = map[uuid.UUID]run.Pause{pause.ID: pause}
		}
	}
}

// drawWaits draws what a transition changes in what a run waits for.
func drawWaits(r *rapid.T, p Ports, s run.State, t *run.Transition) {
	for _, id := range slices.SortedFunc(maps.Keys(s.Pauses), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		if rapid.IntRange(0, 2).Draw(r, "drop pause") == 0 {
			t.Drop = append(t.Drop, id)
		}
	}
	for range rapid.IntRange(0, 3).Draw(r, "pauses") {
		kind := rapid.SampledFrom([]run.PauseKind{run.PauseEvent, run.PauseSignal, run.PauseInvoke, run.PauseCancel}).Draw(r, "pause")
		pause := drawPause(r, p, kind)
		if len(t.Drop) > 0 && rapid.Bool().Draw(r, "again") {
			pause.ID = t.Drop[0] // a pause may be made anew in the transition that drops it
		}
		same := func(other run.Pause) bool { return other.ID == pause.ID }
		if !slices.ContainsFunc(t.Pauses, same) {
			t.Pauses = append(t.Pauses, pause)
		}
	}
	if rapid.Bool().Draw(r, "consumes") {
		t.Consumed = anEvent(p).InternalID
	}
	for range rapid.IntRange(0, 2).Draw(r, "defers") {
		if t.Defers == nil {
			t.Defers = map[string]run.Defer{}
		}
		t.Defers[rapid.OneOf(rapid.StringMatching(`[a-c]`), rapid.String()).Draw(r, "op")] = run.Defer{
			Slug: rapid.String().Draw(r, "slug"), Input: rapid.SliceOf(rapid.Byte()).Draw(r, "input"),
			Status: rapid.SampledFrom([]run.DeferStatus{run.DeferAfterRun, run.DeferAborted, run.DeferRejected}).Draw(r, "status"),
		}
	}
}

func drawPause(r *rapid.T, p Ports, kind run.PauseKind) run.Pause {
	pause := aPause(p, kind, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "what"))
	pause.Op, pause.Job, pause.Name = rapid.String().Draw(r, "op"), rapid.String().Draw(r, "job"), rapid.String().Draw(r, "name")
	pause.Expression = rapid.SampledFrom([]string{"", `async.data.id == "a"`, `async.data.id == "b" && async.name != "c"`, "no (expression"}).Draw(r, "if")
	pause.Mode = rapid.SampledFrom([]run.Mode{run.ModeNone, run.ModeWait, run.ModeRace}).Draw(r, "mode")
	pause.CoalesceKey, pause.MaxAttempts = rapid.String().Draw(r, "key"), rapid.IntRange(0, 20).Draw(r, "attempts")
	pause.Replace = rapid.Bool().Draw(r, "replace")
	if rapid.Bool().Draw(r, "ignores none") {
		pause.Ignore = ulid.ULID{}
	}
	if rapid.Bool().Draw(r, "has expired") {
		pause.Expires = p.Now().UTC().Add(-time.Nanosecond)
	}
	return pause
}

// moveSignals notes whose signals are the run's after a transition.
func moveSignals(owned map[string]bool, before run.State, t run.Transition) {
	for _, id := range t.Drop {
		if pause := before.Pauses[id]; pause.Kind == run.PauseSignal {
			delete(owned, pause.Signal)
		}
	}
	for _, pause := range t.Pauses {
		if pause.Kind == run.PauseSignal {
			owned[pause.Signal] = true
		}
	}
}

// samePauses compares what events may end with what the run says, for a run that is alone.
func samePauses(t tb, p Ports, s run.State) {
	t.Helper()
	for _, name := range []string{"a", "b", "c"} {
		mustFind := map[uuid.UUID]bool{}
		for id, pause := range s.Pauses {
			if (pause.Kind == run.PauseEvent || pause.Kind == run.PauseCancel) && pause.Event == name {
				mustFind[id] = pause.Expression == "" || pause.Expression == `async.data.id == "a"`
			}
		}
		found, err := p.Store.Paused(t.Context(), anEvent(p, named(name), withData(`{"id":"a"}`)))
		must(t, err)
		for _, got := range found {
			if _, waits := mustFind[got.Pause.ID]; !waits || got.Run != s.ID {
				t.Fatalf("event %s finds pause %s of run %s, which does not wait for it", name, got.Pause.ID, got.Run)
			}
			same(t, got.Pause, s.Pauses[got.Pause.ID])
			delete(mustFind, got.Pause.ID)
		}
		for id, missing := range mustFind {
			if missing {
				t.Fatalf("event %s does not find pause %s", name, id)
			}
		}
	}
}

func sameSignals(t tb, p Ports, id ulid.ULID, owned map[string]bool) {
	t.Helper()
	for _, signal := range []string{"a", "b", "c"} {
		owner, err := p.Store.SignalWaiter(t.Context(), signal)
		if !owned[signal] {
			is(t, err, ports.ErrNotFound)
			continue
		}
		must(t, err)
		same(t, owner, id)
	}
}
