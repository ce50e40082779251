package portstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

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
		next := aRun(p)
		schedule(r, p, next)
		r.Cleanup(func() { end(t, p, next.State.ID) }) // a check that is cut short must leave nothing to the next
		model := next.State
		jobs := []run.Job{next.Start}
		for range rapid.IntRange(1, 8).Draw(r, "commits") {
			l := leaseOf(r, p, jobs)
			transition := drawTransition(r, p, model, l.Job)
			after, err := p.Store.Commit(r.Context(), ports.Commit{Lease: l, State: load(r, p, model.ID), Transition: transition})
			must(r, err)
			model = model.Apply(l.Job, transition)
			same(r, after, model)
			jobs = append(jobs, transition.Jobs...)
			switch transition.Current.Fate {
			case run.FateDone:
				jobs = slices.DeleteFunc(jobs, func(job run.Job) bool { return job.ID == l.Job.ID })
			case run.FateKeep:
				must(r, p.Queue.Return(r.Context(), l, time.Time{}))
			}
			if p.Restart != nil && rapid.IntRange(0, 3).Draw(r, "restart") == 0 {
				p = p.Restart()
			}
			same(r, load(r, p, model.ID), model)
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
		next.Attempt = 0
		t.Jobs = append(t.Jobs, next)
	}
	switch rapid.IntRange(0, 5).Draw(r, "fate") {
	case 0:
		t.Current.Fate = run.FateKeep
	case 1:
		t.Current = run.Disposition{Fate: run.FateRetry, At: p.Now().UTC().Add(time.Second), Attempt: job.Attempt + 1}
	}
	return t
}
