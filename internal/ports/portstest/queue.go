package portstest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// TestQueue is the contract of ports.Queue.
func TestQueue(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Lease/waits for a job":                            leaseWaits,
		"Lease/gives a job not before its time":            leaseInTime,
		"Lease/gives what has been due longest first":      leaseInOrder,
		"Lease/lets functions take turns":                  leaseTurns,
		"Lease/gives a job to one caller":                  leaseOnce,
		"Lease/serves callers who wait":                    leaseAllWaiting,
		"Lease/with an ended context takes nothing":        leaseEnded,
		"Lease/that ends while waiting loses no job":       leaseGivenUp,
		"Return/hands out again, not before its time":      returnDelays,
		"Return/keeps attempt and counts handing out":      returnCounts,
		"Return/of a lost lease is ErrLeaseLost":           returnLost,
		"Return/does not bring a job forward":              returnNotEarlier,
		"Park/takes the job out and leaves the run":        parkJob,
		"Park/of a lost lease is ErrLeaseLost":             parkLost,
		"Park/is all or nothing":                           parkCut,
		"Generation/counts how often a job was handed out": generations,
		"Jobs/are those that are queued or in hand":        queuedJobs,
		"Begun/are the runs whose first job is in hand":    begunRuns,
		"Restart/frees leases and keeps times and order":   restartQueue,
	})
}

// order leases all that is due and returns whose runs they are.
func order(t *testing.T, p Ports) []ulid.ULID {
	t.Helper()
	var runs []ulid.ULID
	for {
		l := leaseSoon(t, p)
		if l == nil {
			return runs
		}
		runs = append(runs, l.Job.RunID)
	}
}

func leaseWaits(t *testing.T, p Ports) {
	got := make(chan ports.Lease, 1)
	go func() {
		l, err := p.Queue.Lease(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- l
	}()
	p.Settle()
	select {
	case l := <-got:
		t.Fatalf("leased %v of an empty queue", l)
	default:
	}
	next := aRun(p)
	schedule(t, p, next)
	same(t, (<-got).Job, next.Start)
}

func leaseInTime(t *testing.T, p Ports) {
	begin := p.Now()
	got := make(chan time.Time, 1)
	for _, delay := range []time.Duration{time.Hour, 3 * time.Hour, time.Minute} {
		schedule(t, p, aRun(p, dueAt(begin.Add(delay))))
	}
	for _, delay := range []time.Duration{time.Minute, time.Hour, 3 * time.Hour} {
		go func() {
			if _, err := p.Queue.Lease(t.Context()); err != nil {
				t.Error(err)
			}
			got <- p.Now()
		}()
		p.Settle()
		p.Pass(begin.Add(delay - time.Nanosecond).Sub(p.Now()))
		select {
		case <-got:
			t.Fatalf("a job came before %s", delay)
		default:
		}
		p.Pass(time.Nanosecond)
		if late := (<-got).Sub(begin.Add(delay)); late < 0 {
			t.Fatalf("the job came %s early", -late)
		}
	}
}

func leaseInOrder(t *testing.T, p Ports) {
	begin := p.Now()
	var runs []ports.NewRun
	for _, delay := range []int{3, 1, 2, 1, 0} {
		runs = append(runs, aRun(p, dueAt(begin.Add(time.Duration(delay)*time.Second))))
	}
	for _, next := range runs {
		schedule(t, p, next)
	}
	p.Pass(time.Minute)
	want := []ulid.ULID{runs[4].State.ID, runs[1].State.ID, runs[3].State.ID, runs[2].State.ID, runs[0].State.ID}
	same(t, order(t, p), want)
}

func leaseTurns(t *testing.T, p Ports) {
	functions := []uuid.UUID{{1}, {2}, {3}}
	var runs []ports.NewRun
	for _, function := range []int{0, 0, 0, 0, 1, 1, 2} {
		runs = append(runs, aRun(p, ofFunction(functions[function])))
	}
	schedule(t, p, runs...)
	var got []int
	for _, id := range order(t, p) {
		got = append(got, slices.IndexFunc(runs, func(next ports.NewRun) bool { return next.State.ID == id }))
	}
	same(t, got, []int{0, 4, 6, 1, 5, 2, 3})
}

func leaseOnce(t *testing.T, p Ports) {
	const count = 40
	var runs []ports.NewRun
	for range count {
		runs = append(runs, aRun(p))
	}
	schedule(t, p, runs...)
	leases := make(chan ports.Lease, count)
	atOnce(t, 8, func(int) error {
		for range count / 8 {
			l, err := p.Queue.Lease(t.Context())
			if err != nil {
				return err
			}
			leases <- l
		}
		return nil
	})
	close(leases)
	seen, tokens := map[ulid.ULID]bool{}, map[uint64]bool{}
	for l := range leases {
		seen[l.Job.RunID], tokens[l.Token] = true, true
	}
	same(t, []int{len(seen), len(tokens)}, []int{count, count})
	if leaseSoon(t, p) != nil {
		t.Fatal("a job was handed out twice")
	}
}

func leaseAllWaiting(t *testing.T, p Ports) {
	const count = 8
	leases := make(chan ports.Lease, count)
	for range count {
		go func() {
			l, err := p.Queue.Lease(t.Context())
			if err != nil {
				t.Error(err)
			}
			leases <- l
		}()
	}
	p.Settle()
	at := p.Now().Add(time.Minute)
	var runs []ports.NewRun
	for range count {
		runs = append(runs, aRun(p, dueAt(at)))
	}
	schedule(t, p, runs...)
	p.Pass(time.Minute)
	seen := map[ulid.ULID]bool{}
	for range count {
		seen[(<-leases).Job.RunID] = true
	}
	same(t, len(seen), count)
}

func leaseEnded(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	_, err := p.Queue.Lease(ended(t))
	is(t, err, context.Canceled)
	same(t, lease(t, p).Generation, 1)
}

func leaseGivenUp(t *testing.T, p Ports) {
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan ports.Lease, 1)
		go func() {
			defer close(got)
			if l, err := p.Queue.Lease(ctx); err == nil {
				got <- l
			}
		}()
		p.Settle()
		next := aRun(p)
		done := make(chan struct{})
		go func() {
			defer close(done)
			cancel()
		}()
		schedule(t, p, next)
		<-done
		l, leased := <-got
		if !leased {
			l = lease(t, p)
		}
		same(t, l.Job, next.Start)
		same(t, l.Generation, 1)
		finish(t, p, l)
	}
}

func returnDelays(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	must(t, p.Queue.Return(t.Context(), l, p.Now().Add(time.Hour)))
	if leaseSoon(t, p) != nil {
		t.Fatal("the job came before its time")
	}
	p.Pass(time.Hour - time.Second)
	p = restarted(p)
	if leaseSoon(t, p) != nil {
		t.Fatal("the job came before its time")
	}
	p.Pass(time.Second)
	lease(t, p)
}

func returnCounts(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	for generation := 1; generation <= 3; generation++ {
		l := lease(t, p)
		same(t, l.Generation, generation)
		same(t, l.Job, next.Start)
		must(t, p.Queue.Return(t.Context(), l, time.Time{}))
	}
}

func returnLost(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	must(t, p.Queue.Return(t.Context(), l, time.Time{}))
	is(t, p.Queue.Return(t.Context(), l, time.Time{}), ports.ErrLeaseLost)
	second := lease(t, p)
	is(t, p.Queue.Return(t.Context(), l, time.Time{}), ports.ErrLeaseLost)
	is(t, p.Queue.Return(t.Context(), ports.Lease{Job: l.Job}, time.Time{}), ports.ErrLeaseLost)
	finish(t, p, second)
	is(t, p.Queue.Return(t.Context(), second, time.Time{}), ports.ErrLeaseLost)
}

func returnNotEarlier(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	p.Pass(time.Minute)
	l := lease(t, p)
	must(t, p.Queue.Return(t.Context(), l, next.Start.At.Add(-time.Hour)))
	same(t, lease(t, p).Job, next.Start)
}

func parkJob(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	must(t, p.Queue.Park(t.Context(), l, "its function is unknown: \x00é"))
	same(t, load(t, p, next.State.ID), next.State)
	p.Pass(time.Hour)
	p = restarted(p)
	if leaseSoon(t, p) != nil {
		t.Fatal("a parked job was handed out")
	}
	same(t, load(t, p, next.State.ID), next.State)
	_, err := p.Store.Commit(t.Context(), ports.Commit{State: next.State, Transition: ending(p)})
	must(t, err)
}

func parkLost(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	must(t, p.Queue.Park(t.Context(), l, "reason"))
	is(t, p.Queue.Park(t.Context(), l, "reason"), ports.ErrLeaseLost)
	is(t, p.Queue.Return(t.Context(), l, p.Now()), ports.ErrLeaseLost)
}

func parkCut(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	cut(t, p, func() error { return p.Queue.Park(t.Context(), l, "reason") }, func(t *testing.T) {
		must(t, p.Queue.Return(t.Context(), l, time.Time{})) // it is still the caller's
		l = lease(t, p)
	})
}

func restartQueue(t *testing.T, p Ports) {
	if p.Restart == nil {
		return
	}
	begin := p.Now()
	var runs []ports.NewRun
	for _, delay := range []time.Duration{2 * time.Minute, 0, time.Minute} {
		next := aRun(p, dueAt(begin.Add(delay)))
		runs = append(runs, next)
		schedule(t, p, next)
	}
	l := lease(t, p)
	p = p.Restart()
	is(t, p.Queue.Return(t.Context(), l, p.Now()), ports.ErrLeaseLost)
	again := lease(t, p)
	same(t, again.Job, l.Job)
	if leaseSoon(t, p) != nil {
		t.Fatal("a job came before its time")
	}
	p.Pass(time.Hour)
	same(t, order(t, p), []ulid.ULID{runs[2].State.ID, runs[0].State.ID})
}

func generations(t *testing.T, p Ports) {
	next, other := aRun(p), aRun(p, dueAt(p.Now().Add(time.Hour)))
	schedule(t, p, next, other)
	generation := func(job run.Job) int {
		t.Helper()
		n, err := p.Queue.Generation(t.Context(), job.RunID, job.ID)
		must(t, err)
		return n
	}
	same(t, generation(next.Start), 0)
	for want := 1; want < 4; want++ {
		l := lease(t, p)
		same(t, l.Generation, want)
		same(t, generation(next.Start), want)
		must(t, p.Queue.Return(t.Context(), l, p.Now()))
		same(t, generation(next.Start), want)
	}
	same(t, generation(other.Start), 0)
	for _, unknown := range [][2]any{{next.State.ID, other.Start.ID + "x"}, {aRun(p).State.ID, next.Start.ID}} {
		_, err := p.Queue.Generation(t.Context(), unknown[0].(ulid.ULID), unknown[1].(string))
		is(t, err, ports.ErrNotFound)
	}
	if _, err := p.Queue.Generation(ended(t), next.State.ID, next.Start.ID); err == nil {
		t.Fatal("read with an ended context")
	}

	l := lease(t, p)
	finish(t, p, l)
	_, err := p.Queue.Generation(t.Context(), next.State.ID, next.Start.ID)
	is(t, err, ports.ErrNotFound)
	p.Pass(time.Hour)
	must(t, p.Queue.Park(t.Context(), lease(t, p), "why not"))
	_, err = p.Queue.Generation(t.Context(), other.State.ID, other.Start.ID)
	is(t, err, ports.ErrNotFound)
}

func begunRuns(t *testing.T, p Ports) {
	next, later := aRun(p), aRun(p, dueAt(p.Now().UTC().Add(time.Hour)))
	schedule(t, p, next, later)
	begun := func(want map[ulid.ULID]time.Time) {
		t.Helper()
		got, err := p.Queue.Begun(t.Context())
		must(t, err)
		same(t, got, want)
	}
	begun(map[ulid.ULID]time.Time{})
	l, since := lease(t, p), p.Now().UTC()
	p.Pass(time.Minute)
	begun(map[ulid.ULID]time.Time{next.State.ID: since})
	must(t, p.Queue.Return(t.Context(), l, p.Now().UTC()))
	begun(map[ulid.ULID]time.Time{})
	p.Pass(time.Minute)
	l, since = lease(t, p), p.Now().UTC()
	begun(map[ulid.ULID]time.Time{next.State.ID: since})
	if _, err := p.Queue.Begun(ended(t)); err == nil {
		t.Fatal("read with an ended context")
	}
	_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: next.State, Transition: run.Transition{
		Current: run.Disposition{Fate: run.FateDone},
		Jobs:    []run.Job{{ID: "then", RunID: l.Job.RunID, FunctionID: l.Job.FunctionID, Kind: run.KindEdge, At: p.Now().UTC(), MaxAttempts: 4}},
	}})
	must(t, err)
	same(t, lease(t, p).Job.ID, "then")
	begun(map[ulid.ULID]time.Time{}) // its first job is done
}

func queuedJobs(t *testing.T, p Ports) {
	next, other := aRun(p), aRun(p, dueAt(p.Now().UTC().Add(time.Hour)))
	schedule(t, p, next, other)
	jobs := func(of run.Job) []ports.QueuedJob {
		t.Helper()
		list, err := p.Queue.Jobs(t.Context(), of.RunID, []string{"x", of.ID})
		must(t, err)
		return list
	}
	same(t, jobs(next.Start), []ports.QueuedJob{{Job: next.Start}})
	same(t, jobs(other.Start), []ports.QueuedJob{{Job: other.Start}})
	l, began := lease(t, p), p.Now().UTC()
	p.Pass(time.Minute)
	same(t, jobs(next.Start), []ports.QueuedJob{{Job: next.Start, Since: began}})
	must(t, p.Queue.Return(t.Context(), l, p.Now().UTC().Add(time.Minute)))
	l.Job.At = p.Now().UTC().Add(time.Minute)
	same(t, jobs(next.Start), []ports.QueuedJob{{Job: l.Job}})
	if _, err := p.Queue.Jobs(ended(t), next.State.ID, nil); err == nil {
		t.Fatal("read with an ended context")
	}
	p.Pass(time.Minute)
	finish(t, p, lease(t, p))
	same(t, jobs(next.Start), []ports.QueuedJob(nil))
	p.Pass(time.Hour)
	must(t, p.Queue.Park(t.Context(), lease(t, p), "why not"))
	same(t, jobs(other.Start), []ports.QueuedJob(nil))
}
