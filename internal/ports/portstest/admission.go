package portstest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// TestAdmission is the contract of what Store.Schedule makes of runs that ask flow control, but for holds (TestHolds). What
// flow.Admit decides is the matter of its own tests; here it is what is known to it and what becomes of its answers.
func TestAdmission(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Start/is at once or when the event says":             admissionStart,
		"RateLimit/allows by the vectors":                     rateLimitVectors,
		"RateLimit/drops the event":                           rateLimitDrops,
		"RateLimit/counts by key":                             rateLimitKeys,
		"RateLimit/does not count a duplicate":                rateLimitDuplicate,
		"RateLimit/counts what is skipped or held back":       rateLimitSpends,
		"RateLimit/counts every caller at once":               rateLimitAtOnce,
		"Singleton/skips while a run holds the lock":          singletonSkips,
		"Singleton/is free when the run has ended":            singletonFree,
		"Singleton/is free when the run was cancelled":        singletonCancelled,
		"Singleton/has a lock for each key":                   singletonKeys,
		"Singleton/starts one of many at once":                singletonAtOnce,
		"Singleton/that cancels names the holder":             singletonLocked,
		"Paused/skips and takes nothing":                      pausedSkips,
		"Paused/skips the run of a batch and settles it":      pausedBatch,
		"Duplicate/is refused for 24 hours":                   duplicateRuns,
		"Duplicate/of a request comes before all else":        duplicateRequest,
		"Instead/is accepted by what becomes of the run":      insteadOf,
		"Results/of several functions are in their order":     severalResults,
		"Refused/by a settled event changes nothing":          refusedConflict,
		"Refused/by a fence changes nothing":                  refusedOutdated,
		"Refused/by the lock of another run changes nothing":  refusedLocked,
		"Refused/by what cannot be evaluated changes nothing": refusedInvalid,
		"Schedule/is all or nothing":                          admissionCut,
	})
}

// isLocked fails the test unless err says that the run holds the lock.
func isLocked(t tb, err error, lock string, holder ulid.ULID) {
	t.Helper()
	var locked *ports.LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("error is %v", err)
	}
	same(t, *locked, ports.LockedError{Lock: lock, Holder: holder})
}

// starts accepts an event that must start a run of the function.
func starts(t tb, p Ports, settings *flow.Settings, options ...func(*event.Tracked)) ports.NewRun {
	t.Helper()
	e := accepted(t, p, options...)
	next := asks(p, settings, e)
	same(t, route(t, p, e, next), ports.Scheduled{RunID: next.State.ID})
	return next
}

func admissionStart(t *testing.T, p Ports) {
	settings := limited(t, 1000, "1s", "")
	now := p.Now().UTC()
	future := now.Truncate(time.Millisecond).Add(time.Hour)
	at := now.Add(90 * time.Minute)
	for _, c := range []struct {
		want   time.Time
		event  func(*event.Tracked)
		adjust func(*ports.NewRun)
	}{
		{want: now, event: func(e *event.Tracked) { e.TS = now.Add(-time.Hour).UnixMilli() }},
		{want: future, event: func(e *event.Tracked) { e.TS = future.UnixMilli() }},
		{want: at, event: func(*event.Tracked) {}, adjust: func(next *ports.NewRun) { next.Request.At = at }},
	} {
		e := accepted(t, p, c.event)
		next := asks(p, settings, e, dueAt(now.Add(24*time.Hour)))
		if c.adjust != nil {
			c.adjust(&next)
		}
		same(t, route(t, p, e, next), ports.Scheduled{RunID: next.State.ID})
		same(t, load(t, p, next.State.ID), next.State)
		p = restarted(p)
		if wait := c.want.Sub(p.Now()); wait > 0 {
			p.Pass(wait - time.Millisecond)
			if leaseSoon(t, p) != nil {
				t.Fatal("it starts too early")
			}
			p.Pass(time.Millisecond)
		}
		l := lease(t, p)
		next.Start.At = c.want
		same(t, l.Job, next.Start)
		finish(t, p, l)
	}
}

// rateLimitVectors are those of spec 11 §5.3.
func rateLimitVectors(t *testing.T, p Ports) {
	type attempt struct {
		at    time.Duration
		retry time.Duration // 0 when it is allowed
	}
	burst := []attempt{{600 * time.Millisecond, 0}, {600 * time.Millisecond, 600 * time.Millisecond}}
	full := make([]attempt, 11, 14)
	for _, c := range []struct {
		limit    int
		period   string
		attempts []attempt
	}{
		{10, "1h", []attempt{
			{0, 0}, {0, 0}, {0, 360 * time.Second}, {359 * time.Second, time.Second}, {360 * time.Second, 0}, {360 * time.Second, 360 * time.Second},
		}},
		{5, "1m", []attempt{{0, 0}, {time.Second, 11 * time.Second}, {12 * time.Second, 0}, {24 * time.Second, 0}}},
		{100, "1m", append(append(full, attempt{0, 600 * time.Millisecond}), burst...)},
		{7, "1s", []attempt{{0, 0}, {0, 142_857_143}, {142_857_142, 1}, {142_857_143, 0}}},
		{1, "24h", []attempt{{0, 0}, {86399 * time.Second, time.Second}, {86400 * time.Second, 0}}},
	} {
		settings := limited(t, c.limit, c.period, "")
		begin := p.Now()
		for i, one := range c.attempts {
			p.Pass(one.at - p.Now().Sub(begin))
			if i%3 == 1 {
				p = restarted(p)
			}
			e := accepted(t, p)
			next := asks(p, settings, e)
			want := ports.Scheduled{RunID: next.State.ID}
			if one.retry > 0 {
				want = ports.Scheduled{Result: flow.RateLimited, RetryAt: p.Now().UTC().Add(one.retry)}
			}
			same(t, route(t, p, e, next), want)
		}
	}
}

func rateLimitDrops(t *testing.T, p Ports) {
	settings := limited(t, 1, "1h", "")
	starts(t, p, settings)
	e := accepted(t, p)
	dropped := asks(p, settings, e)
	same(t, route(t, p, e, dropped).Result, flow.RateLimited)
	finish(t, p, lease(t, p))
	survives(t, p, func(p Ports) {
		noRun(t, p, dropped)
		same(t, len(takeSoon(t, p, 10)), 0)
		if leaseSoon(t, p) != nil {
			t.Fatal("it has a job")
		}
	})
	// Its key was not used.
	p.Pass(time.Hour)
	again := asks(p, settings, e)
	same(t, schedule(t, p, again), []ports.Scheduled{{RunID: again.State.ID}})
}

func rateLimitKeys(t *testing.T, p Ports) {
	one, two := limited(t, 1, "1h", "event.data.k"), limited(t, 1, "1h", "event.data.k")
	for _, settings := range []*flow.Settings{one, two} {
		starts(t, p, settings, withData(`{"k":"a"}`))
		starts(t, p, settings, withData(`{"k":"b"}`))
		becomes(t, p, settings, flow.RateLimited, withData(`{"k":"a"}`))
		becomes(t, p, settings, flow.RateLimited, withData(`{"k":"b"}`))
		starts(t, p, settings, withData(`{}`)) // what has no key is not counted
		starts(t, p, settings, withData(`{}`))
	}
}

func rateLimitDuplicate(t *testing.T, p Ports) {
	settings := limited(t, 1, "1h", "")
	first := starts(t, p, settings, sentTwice)
	for range 2 {
		p = restarted(p)
		_, answer := ask(t, p, settings, sentTwice)
		same(t, answer, ports.Scheduled{Result: flow.Duplicate, RunID: first.State.ID})
	}
	p.Pass(time.Hour)
	_, answer := ask(t, p, settings, sentTwice)
	same(t, answer, ports.Scheduled{Result: flow.Duplicate, RunID: first.State.ID})
	starts(t, p, settings)
}

func rateLimitSpends(t *testing.T, p Ports) {
	limit := &function.RateLimit{Limit: 1, Period: "1h"}
	skipping := controlled(t, function.Settings{RateLimit: limit})
	e := accepted(t, p)
	same(t, route(t, p, e, asks(p, skipping, e, whilePaused)).Result, flow.Skipped)
	becomes(t, p, skipping, flow.RateLimited)

	debounced := controlled(t, function.Settings{RateLimit: limit, Debounce: &function.Debounce{Period: "10s"}})
	becomes(t, p, debounced, flow.IntoDebounce)
	becomes(t, p, debounced, flow.RateLimited)
	p.Pass(10 * time.Second)
	taken := takeHold(t, p) // the one that waited is not counted again
	answer, err := p.Store.Schedule(t.Context(), starting(p, debounced, taken))
	must(t, err)
	same(t, answer[0].Result, flow.Started)
}

func rateLimitAtOnce(t *testing.T, p Ports) {
	settings := limited(t, 10, "1h", "") // two at once
	var started atomic.Int64
	atOnce(t, 8, func(int) error {
		answer, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{asks(p, settings, anEvent(p))}})
		if err == nil && answer[0].Result == flow.Started {
			started.Add(1)
		}
		return err
	})
	same(t, started.Load(), int64(2))
}

// isSkipped fails the test unless history has the run as skipped, and nothing else has it.
func isSkipped(t *testing.T, p Ports, next ports.NewRun, reason flow.SkipReason, at time.Time) {
	t.Helper()
	record, err := p.History.Run(t.Context(), next.State.ID)
	must(t, err)
	end := run.Skip(reason, at)
	same(t, record, ports.RunRecord{
		RunID: next.State.ID, StartedAt: ulid.Time(next.State.ID.Time()).UTC(), FunctionID: next.State.FunctionID,
		EventID: next.State.Events[0].InternalID, BatchID: next.Batch, Cron: next.Cron,
		Status: end.Status, EndedAt: end.At, Output: end.Output,
	})
	_, err = p.Store.Load(t.Context(), next.State.ID)
	is(t, err, ports.ErrNotFound)
}

func singletonSkips(t *testing.T, p Ports) {
	settings := single(t, function.SingletonSkip, "")
	holder := starts(t, p, settings)
	same(t, holder.State.Lock, settings.Function.String())
	same(t, load(t, p, holder.State.ID), holder.State)
	p = restarted(p)
	e := accepted(t, p)
	skipped := asks(p, settings, e)
	skipped.Cron = "* * * * *"
	same(t, route(t, p, e, skipped), ports.Scheduled{Result: flow.Skipped, RunID: skipped.State.ID})
	at := p.Now().UTC()
	p.Pass(time.Second)
	survives(t, p, func(p Ports) { isSkipped(t, p, skipped, flow.SkippedBySingleton, at) })
	records, err := p.History.EventRuns(t.Context(), e.InternalID)
	must(t, err)
	same(t, len(records), 1)
	finish(t, p, lease(t, p))
	if leaseSoon(t, p) != nil {
		t.Fatal("a skipped run has a job")
	}
	// Its key was not used.
	again := asks(p, settings, e)
	same(t, schedule(t, p, again), []ports.Scheduled{{RunID: again.State.ID}})
}

func singletonFree(t *testing.T, p Ports) {
	settings := single(t, function.SingletonSkip, "")
	holder := starts(t, p, settings)
	l := lease(t, p)
	_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: holder.State, Transition: step(l, "one", []byte(`1`))})
	must(t, err)
	becomes(t, p, settings, flow.Skipped)
	p = restarted(p)
	becomes(t, p, settings, flow.Skipped)
	finish(t, p, lease(t, p))
	p = restarted(p)
	next := starts(t, p, settings)
	becomes(t, p, settings, flow.Skipped)
	same(t, load(t, p, next.State.ID), next.State)
}

func singletonCancelled(t *testing.T, p Ports) {
	settings := single(t, function.SingletonSkip, "")
	holder := starts(t, p, settings)
	other := starts(t, p, single(t, function.SingletonSkip, ""))
	endRun(t, p, other.State)
	becomes(t, p, settings, flow.Skipped)
	endRun(t, p, holder.State)
	starts(t, p, settings)
}

func singletonKeys(t *testing.T, p Ports) {
	one, two := single(t, function.SingletonSkip, "event.data.k"), single(t, function.SingletonSkip, "event.data.k")
	var runs []ports.NewRun
	for _, settings := range []*flow.Settings{one, two} {
		runs = append(runs, starts(t, p, settings, withData(`{"k":"a"}`)), starts(t, p, settings, withData(`{"k":"b"}`)))
		starts(t, p, settings, withData(`{}`)) // what has no key has no lock
		starts(t, p, settings, withData(`{}`))
		becomes(t, p, settings, flow.Skipped, withData(`{"k":"a"}`))
	}
	endRun(t, p, runs[0].State)
	starts(t, p, one, withData(`{"k":"a"}`))
	becomes(t, p, one, flow.Skipped, withData(`{"k":"b"}`))
	becomes(t, p, two, flow.Skipped, withData(`{"k":"a"}`))
}

func singletonAtOnce(t *testing.T, p Ports) {
	settings := single(t, function.SingletonSkip, "")
	var started, skipped atomic.Int64
	atOnce(t, 8, func(int) error {
		answer, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{asks(p, settings, anEvent(p))}})
		if err != nil {
			return err
		}
		if answer[0].Result == flow.Skipped {
			skipped.Add(1)
		} else {
			started.Add(1)
		}
		return nil
	})
	same(t, []int64{started.Load(), skipped.Load()}, []int64{1, 7})
}

func singletonLocked(t *testing.T, p Ports) {
	settings := single(t, function.SingletonCancel, "event.data.k")
	holder := starts(t, p, settings, withData(`{"k":"a"}`))
	starts(t, p, settings, withData(`{"k":"b"}`))
	p = restarted(p)
	e := accepted(t, p, withData(`{"k":"a"}`))
	next := asks(p, settings, e)
	taking := ports.Schedule{Event: e.InternalID, Runs: []ports.NewRun{next}}
	_, err := p.Store.Schedule(t.Context(), taking)
	isLocked(t, err, next.State.Lock, holder.State.ID)
	noRun(t, p, next)
	unsettled(t, p, e)
	endRun(t, p, holder.State)
	answer, err := p.Store.Schedule(t.Context(), taking)
	must(t, err)
	same(t, answer, []ports.Scheduled{{RunID: next.State.ID}})
	_, err = p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{asks(p, settings, anEvent(p, withData(`{"k":"a"}`)))}})
	isLocked(t, err, next.State.Lock, next.State.ID)

	// What does not start takes nothing over.
	same(t, schedule(t, p, asks(p, settings, anEvent(p, withData(`{"k":"a"}`)), whilePaused))[0].Result, flow.Skipped)
	same(t, schedule(t, p, asks(p, settings, e)), []ports.Scheduled{{Result: flow.Duplicate, RunID: next.State.ID}})
	same(t, load(t, p, next.State.ID), next.State)
}

func pausedSkips(t *testing.T, p Ports) {
	settings := single(t, function.SingletonSkip, "")
	e := accepted(t, p)
	skipped := asks(p, settings, e, whilePaused)
	same(t, route(t, p, e, skipped), ports.Scheduled{Result: flow.Skipped, RunID: skipped.State.ID})
	at := p.Now().UTC()
	survives(t, p, func(p Ports) { isSkipped(t, p, skipped, flow.SkippedByPause, at) })
	if leaseSoon(t, p) != nil {
		t.Fatal("a skipped run has a job")
	}
	started := asks(p, settings, e) // neither its key nor its lock was taken
	same(t, schedule(t, p, started), []ports.Scheduled{{RunID: started.State.ID}})
}

func pausedBatch(t *testing.T, p Ports) {
	settings := batching(t, 2, "1h", "")
	intoHold(t, p, settings, 2)
	taken := takeHold(t, p)
	skipping := starting(p, settings, taken, whilePaused)
	answer, err := p.Store.Schedule(t.Context(), skipping)
	must(t, err)
	same(t, answer, []ports.Scheduled{{Result: flow.Skipped, RunID: skipping.Runs[0].State.ID}})
	at := p.Now().UTC()
	survives(t, p, func(p Ports) {
		isSkipped(t, p, skipping.Runs[0], flow.SkippedByPause, at)
		noHold(t, p)
	})
}

// sentTwice gives events the same ID of their sender.
func sentTwice(e *event.Tracked) { e.ID = "sent twice" }

// duplicateRequest: whoever asks again is told the run that the key has started, although it holds the lock, the rate limit lets no other
// through, and the function is paused by now; without a setting too.
func duplicateRequest(t *testing.T, p Ports) {
	for _, settings := range []function.Settings{
		{},
		{Singleton: &function.Singleton{Mode: function.SingletonSkip}},
		{Singleton: &function.Singleton{Mode: function.SingletonCancel}},
		{RateLimit: &function.RateLimit{Limit: 1, Period: "48h"}},
	} {
		settings := controlled(t, settings)
		e := anEvent(p)
		first := asking(p, settings, flow.FromRequest, []event.Tracked{e})
		same(t, schedule(t, p, first), []ports.Scheduled{{Result: flow.Started, RunID: first.State.ID}})
		second := asking(p, settings, flow.FromRequest, []event.Tracked{e}, whilePaused)
		same(t, schedule(t, p, second), []ports.Scheduled{{Result: flow.Duplicate, RunID: first.State.ID}})
		settings = controlled(t, function.Settings{Debounce: &function.Debounce{Period: "1h"}})
		third := asking(p, settings, flow.FromRequest, []event.Tracked{e}, func(next *ports.NewRun) { next.IdempotencyKey = first.IdempotencyKey })
		same(t, schedule(t, p, third), []ports.Scheduled{{Result: flow.Duplicate, RunID: first.State.ID}})
	}
}

func duplicateRuns(t *testing.T, p Ports) {
	settings := single(t, function.SingletonSkip, "event.data.k")
	first := starts(t, p, settings, sentTwice)
	p.Pass(24*time.Hour - time.Second)
	p = restarted(p)
	e := accepted(t, p, sentTwice)
	second := asks(p, settings, e)
	same(t, route(t, p, e, second), ports.Scheduled{Result: flow.Duplicate, RunID: first.State.ID})
	noRun(t, p, second)
	p.Pass(time.Second)
	starts(t, p, settings, sentTwice)
}

// insteadOfEach gives a run an event for each result but that it starts, and returns them.
func insteadOfEach(p Ports, next *ports.NewRun) map[flow.Result][]event.Tracked {
	next.Instead = map[flow.Result][]event.Tracked{}
	for _, result := range []flow.Result{flow.IntoBatch, flow.RateLimited, flow.IntoDebounce, flow.Skipped, flow.Duplicate} {
		next.Instead[result] = []event.Tracked{anEvent(p, named(fmt.Sprintf("instead/%d", result))), anEvent(p)}
	}
	return next.Instead
}

func insteadOf(t *testing.T, p Ports) {
	limit, free := limited(t, 1, "1h", ""), single(t, function.SingletonSkip, "event.data.none")
	starts(t, p, limit)
	starts(t, p, free, sentTwice)
	for want, c := range map[flow.Result]struct {
		settings *flow.Settings
		adjust   func(*ports.NewRun)
		event    func(*event.Tracked)
	}{
		flow.Started:      {settings: free},
		flow.IntoBatch:    {settings: batching(t, 2, "1h", "")},
		flow.RateLimited:  {settings: limit},
		flow.IntoDebounce: {settings: debouncing(t, "1h", "", "")},
		flow.Skipped:      {settings: free, adjust: whilePaused},
		flow.Duplicate:    {settings: free, event: sentTwice},
	} {
		e, published := accepted(t, p), anEvent(p)
		if c.event != nil {
			e = accepted(t, p, c.event)
		}
		next := asks(p, c.settings, e)
		if c.adjust != nil {
			c.adjust(&next)
		}
		instead := insteadOfEach(p, &next)
		takeSoon(t, p, 100)
		answer, err := p.Store.Schedule(t.Context(), ports.Schedule{
			Event: e.InternalID, Runs: []ports.NewRun{next}, Publish: []event.Tracked{published},
		})
		must(t, err)
		same(t, answer[0].Result, want)
		got := map[ulid.ULID]bool{}
		for _, e := range takeSoon(t, p, 100) {
			got[e.InternalID] = true
		}
		wanted := map[ulid.ULID]bool{published.InternalID: true}
		for _, e := range instead[want] {
			wanted[e.InternalID] = true
			stored, err := p.History.Event(t.Context(), e.InternalID)
			must(t, err)
			same(t, stored, e)
		}
		same(t, got, wanted)
	}
}

func severalResults(t *testing.T, p Ports) {
	limit, lock := limited(t, 1, "1h", ""), single(t, function.SingletonSkip, "")
	starts(t, p, limit)
	starts(t, p, lock)
	batched, debounced, free := batching(t, 2, "1h", ""), debouncing(t, "1h", "", ""), limited(t, 5, "1h", "")
	e := accepted(t, p)
	plain := aRun(p, startedBy(e))
	runs := []ports.NewRun{asks(p, batched, e), asks(p, limit, e), plain, asks(p, lock, e), asks(p, debounced, e), asks(p, free, e)}
	answer, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: e.InternalID, Runs: runs})
	must(t, err)
	same(t, answer, []ports.Scheduled{
		{Result: flow.IntoBatch}, {Result: flow.RateLimited, RetryAt: p.Now().UTC().Add(time.Hour)}, {RunID: plain.State.ID},
		{Result: flow.Skipped, RunID: runs[3].State.ID}, {Result: flow.IntoDebounce}, {RunID: runs[5].State.ID},
	})
	records, err := p.History.EventRuns(t.Context(), e.InternalID)
	must(t, err)
	same(t, len(records), 3)
}

// refusal is a call that would change something of everything if it were not refused.
type refusal struct {
	counted, locks, batched, debounced *flow.Settings
	e, published                       event.Tracked
	tick                               ports.Tick
	runs                               []ports.NewRun
}

func aRefusal(t *testing.T, p Ports) *refusal {
	t.Helper()
	r := &refusal{
		counted: limited(t, 1, "1h", ""), locks: single(t, function.SingletonSkip, ""),
		batched: batching(t, 2, "10s", ""), debounced: debouncing(t, "20s", "", ""),
		e: accepted(t, p), published: anEvent(p),
	}
	r.tick = ports.Tick{FunctionID: r.counted.Function, Expression: "* * * * *", At: p.Now().UTC()}
	r.runs = []ports.NewRun{asks(p, r.counted, r.e), asks(p, r.locks, r.e), asks(p, r.batched, r.e), asks(p, r.debounced, r.e)}
	return r
}

func (r *refusal) schedule(more ...ports.NewRun) ports.Schedule {
	return ports.Schedule{
		Event: r.e.InternalID, Runs: append(append([]ports.NewRun(nil), r.runs...), more...),
		Publish: []event.Tracked{r.published}, Ticks: []ports.Tick{r.tick},
	}
}

// unchanged fails the test if something was written.
func (r *refusal) unchanged(t *testing.T, p Ports) {
	t.Helper()
	for _, next := range r.runs {
		noRun(t, p, next)
	}
	unsettled(t, p, r.e)
	_, err := p.History.Event(t.Context(), r.published.InternalID)
	is(t, err, ports.ErrNotFound)
	same(t, ticks(t, p, r.tick.FunctionID), []ports.Tick(nil))
	if leaseSoon(t, p) != nil {
		t.Fatal("a job was created")
	}
}

// asBefore does what would not do so if something had been counted, locked or held back.
func (r *refusal) asBefore(t *testing.T, p Ports) {
	t.Helper()
	r.unchanged(t, p)
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: r.e.InternalID})
	must(t, err)
	p.Pass(time.Minute)
	noHold(t, p)
	starts(t, p, r.counted)
	starts(t, p, r.locks)
}

func refusedConflict(t *testing.T, p Ports) {
	r := aRefusal(t, p)
	s := r.schedule()
	s.Event = anEvent(p).InternalID
	_, err := p.Store.Schedule(t.Context(), s)
	is(t, err, ports.ErrConflict)
	r.unchanged(t, p)
	s = r.schedule()
	s.Ticks[0].Previous = p.Now().UTC()
	_, err = p.Store.Schedule(t.Context(), s)
	is(t, err, ports.ErrConflict)
	r.asBefore(t, p)
}

func refusedOutdated(t *testing.T, p Ports) {
	r := aRefusal(t, p)
	must(t, p.Store.Fence(t.Context(), aFunction, p.Now().Add(time.Hour)))
	_, err := p.Store.Schedule(t.Context(), r.schedule(aRun(p)))
	is(t, err, ports.ErrOutdated)
	r.asBefore(t, p)
}

func refusedLocked(t *testing.T, p Ports) {
	settings := single(t, function.SingletonCancel, "")
	holder := starts(t, p, settings)
	l := lease(t, p)
	r := aRefusal(t, p)
	_, err := p.Store.Schedule(t.Context(), r.schedule(asks(p, settings, r.e)))
	isLocked(t, err, settings.Function.String(), holder.State.ID)
	r.asBefore(t, p)
	same(t, finish(t, p, l).ID, holder.State.ID)
}

func refusedInvalid(t *testing.T, p Ports) {
	wrong := errors.New("the key cannot be evaluated")
	r := aRefusal(t, p)
	invalid := asks(p, limited(t, 1, "1h", ""), r.e)
	invalid.Request.Values.Err = wrong
	_, err := p.Store.Schedule(t.Context(), r.schedule(invalid))
	is(t, err, wrong)
	r.asBefore(t, p)
}

func admissionCut(t *testing.T, p Ports) {
	r := aRefusal(t, p)
	skipped := asks(p, single(t, function.SingletonSkip, ""), r.e, whilePaused)
	instead := insteadOfEach(p, &skipped)[flow.Skipped]
	cut(t, p, func() error {
		_, err := p.Store.Schedule(t.Context(), r.schedule(skipped))
		return err
	}, func(t *testing.T) {
		r.unchanged(t, p)
		noRun(t, p, skipped)
		_, err := p.History.Event(t.Context(), instead[0].InternalID)
		is(t, err, ports.ErrNotFound)
		noHold(t, p)
	})
	if p.FailWrite == nil {
		return
	}
	// What it counted, locked and held back is counted, locked and held back once.
	becomes(t, p, r.counted, flow.RateLimited)
	becomes(t, p, r.locks, flow.Skipped)
	p = restarted(p)
	p.Pass(time.Minute)
	for range 2 {
		same(t, takeHold(t, p).Events, []event.Tracked{r.e})
	}
	noHold(t, p)
}
