package portstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// orderings are the cases of how jobs of a function are ordered.
var orderings = map[string]func(t *testing.T, p Ports){
	"Priority/puts runs first":                           priorityOrder,
	"Priority/never starts a run before its time":        priorityInTime,
	"Priority/that is negative delays a run":             priorityDelays,
	"Priority/counts for later steps, not for sleeps":    prioritySteps,
	"Order/has steps of older runs before younger runs":  orderByAge,
	"Order/by age and priority is kept by a restart":     orderRestart,
	"Order/passes over jobs for which there is no room":  orderPasses,
	"Order/of what is due at once is that of its coming": orderOfComing,
}

// prioritised is a new function of which one step may run at once, whose runs have the priority p of their events.
func prioritised(t tb, p Ports) *flow.Settings {
	t.Helper()
	key := "event.data.p"
	settings := stepLimits(function.StepLimit{Limit: 1})
	settings.Priority = &function.Priority{Run: &key}
	return limiting(t, p, settings)
}

func withFactor(factor int) string { return fmt.Sprintf(`{"p":%d}`, factor) }

// oneByOne works off the runs of which one step may run at once, and returns their order.
func oneByOne(t *testing.T, p Ports) []ulid.ULID {
	t.Helper()
	var ids []ulid.ULID
	for {
		l := leaseSoon(t, p)
		if l == nil {
			return ids
		}
		ids = append(ids, l.Job.RunID)
		finish(t, p, *l)
	}
}

func priorityOrder(t *testing.T, p Ports) {
	settings := prioritised(t, p)
	runs := map[int][]ulid.ULID{}
	for _, factor := range []int{0, 50, 0, 100} {
		runs[factor] = append(runs[factor], queued(t, p, settings, withFactor(factor)).ID)
		p.Pass(time.Second)
	}
	// a factor is worth as many seconds of age, no more
	p.Pass(time.Minute)
	late := queued(t, p, settings, withFactor(50))
	same(t, oneByOne(t, p), []ulid.ULID{runs[100][0], runs[50][0], runs[0][0], runs[0][1], late.ID})
}

func priorityInTime(t *testing.T, p Ports) {
	settings := prioritised(t, p)
	urgent := queued(t, p, settings, withFactor(100), dueAt(p.Now().UTC().Add(time.Minute)))
	soon := queued(t, p, settings, withFactor(100), dueAt(p.Now().UTC().Add(time.Second)))
	plain := queued(t, p, settings, withFactor(0))
	same(t, oneByOne(t, p), []ulid.ULID{plain.ID})
	p.Pass(time.Second - time.Millisecond)
	full(t, p)
	p.Pass(time.Millisecond)
	same(t, oneByOne(t, p), []ulid.ULID{soon.ID})
	p.Pass(59*time.Second - time.Millisecond)
	full(t, p)
	p.Pass(time.Millisecond)
	same(t, oneByOne(t, p), []ulid.ULID{urgent.ID})
}

func priorityDelays(t *testing.T, p Ports) {
	settings := prioritised(t, p)
	delayed := queued(t, p, settings, withFactor(-10))
	got := awaits(t, p)
	p.Pass(10*time.Second - time.Millisecond)
	stillWaits(t, p, got)
	p.Pass(time.Millisecond)
	same(t, arrived(t, p, got).Job.RunID, delayed.ID)
	end(t, p, delayed.ID)

	delayed = queued(t, p, settings, withFactor(-10))
	p = reopened(p, settings)
	p.Pass(10*time.Second - time.Millisecond)
	full(t, p)
	p.Pass(time.Millisecond)
	leaseRun(t, p, delayed)
}

func prioritySteps(t *testing.T, p Ports) {
	settings := prioritised(t, p)
	p.Queue.Limit(settings.Function, nil)
	plain := queued(t, p, settings, withFactor(0))
	p.Pass(time.Second)
	for _, kind := range []run.Kind{run.KindEdge, run.KindEdgeError, run.KindGateway, run.KindSleep} {
		ahead := queued(t, p, settings, withFactor(100), withJob(p, kind))
		behind := queued(t, p, settings, withFactor(-100), withJob(p, kind))
		if kind == run.KindSleep {
			leaseRun(t, p, plain)
			leaseRun(t, p, ahead)
			leaseRun(t, p, behind)
			continue
		}
		leaseRun(t, p, ahead)
		must(t, p.Queue.Return(t.Context(), leaseRun(t, p, plain), time.Time{}))
		end(t, p, behind.ID)
	}
}

func orderByAge(t *testing.T, p Ports) {
	settings := atMost(t, p, 1)
	older := queued(t, p, settings, `{}`)
	p.Pass(time.Second)
	younger := several(t, p, settings, 2)
	goOn(t, p, leaseRun(t, p, older), run.KindEdge, p.Now())
	goOn(t, p, leaseRun(t, p, older), run.KindSleep, p.Now().Add(time.Minute))
	l := leaseRun(t, p, younger[0])
	p.Pass(time.Minute)
	finish(t, p, l)
	goOn(t, p, leaseRun(t, p, older), run.KindEdge, p.Now().Add(-time.Millisecond))
	same(t, oneByOne(t, p), []ulid.ULID{older.ID, younger[1].ID})
}

func orderRestart(t *testing.T, p Ports) {
	settings := prioritised(t, p)
	older := queued(t, p, settings, withFactor(0))
	p.Pass(time.Second)
	younger := queued(t, p, settings, withFactor(0))
	urgent := queued(t, p, settings, withFactor(100))
	late := queued(t, p, settings, withFactor(-30))
	first := leaseRun(t, p, urgent)
	goOn(t, p, first, run.KindSleep, p.Now())
	goOn(t, p, leaseRun(t, p, older), run.KindEdge, p.Now())
	p = reopened(p, settings)
	same(t, oneByOne(t, p), []ulid.ULID{older.ID, younger.ID, urgent.ID})
	p = reopened(p, settings)
	p.Pass(30 * time.Second)
	same(t, oneByOne(t, p), []ulid.ULID{late.ID})
}

func orderPasses(t *testing.T, p Ports) {
	settings := limiting(t, p, stepLimits(function.StepLimit{Limit: 1, Key: "event.data.k"}))
	var runs []ulid.ULID
	for _, key := range []string{"a", "a", "a", "b", "b", "c"} {
		runs = append(runs, queued(t, p, settings, `{"k":"`+key+`"}`).ID)
		p.Pass(time.Millisecond)
	}
	same(t, order(t, p), []ulid.ULID{runs[0], runs[3], runs[5]})
	end(t, p, runs[3])
	end(t, p, runs[0])
	same(t, order(t, p), []ulid.ULID{runs[1], runs[4]})
}

func orderOfComing(t *testing.T, p Ports) {
	settings := atMost(t, p, 1)
	at := p.Now().UTC()
	var want []ulid.ULID
	for _, n := range []byte{3, 1, 2} {
		want = append(want, queued(t, p, settings, `{}`, withID(at, n), dueAt(at)).ID)
	}
	same(t, oneByOne(t, p), want)
}

// throttlings are the cases of throttles.
func throttlings() map[string]func(t *testing.T, p Ports) {
	all := map[string]func(t *testing.T, p Ports){
		"Throttle/is of a key":                                  throttleKeys,
		"Throttle/wakes who waits when there is a token":        throttleWakes,
		"Throttle/gives each of those who wait a token":         throttleAllWaiting,
		"Throttle/takes one token of a start":                   throttleOnce,
		"Throttle/remembers its tokens":                         throttleRemembers,
		"Throttle/hands out no start whose token is not kept":   throttleCut,
		"Throttle/delays nothing but starts":                    throttleSteps,
		"Throttle/that has gone or changed delays nothing":      throttleGone,
		"Throttle/takes no token of a start that has no room":   throttleNoRoom,
		"Throttle/takes no token of a run that ended before it": throttleCancelled,
		"Throttle/of one function does not delay another":       throttleOther,
	}
	for _, vector := range []struct {
		limit, burst int
		starts       []time.Duration
	}{
		{limit: 1, starts: seconds(0, 5, 10, 15)},
		{limit: 0, starts: seconds(0, 5, 10)},
		{limit: 1, burst: 1, starts: seconds(0, 0, 5, 10)},
		{limit: 2, starts: seconds(0, 0, 2.5, 5, 7.5)},
		{limit: 2, burst: 1, starts: seconds(0, 0, 0, 2.5, 5)},
		{limit: 5, burst: 2, starts: seconds(0, 0, 0, 0, 0, 0, 0, 1, 2)},
	} {
		all[fmt.Sprintf("Throttle/of %d and %d more", vector.limit, vector.burst)] = func(t *testing.T, p Ports) {
			settings := throttled(t, p, vector.limit, vector.burst, "")
			for range vector.starts {
				queued(t, p, settings, `{}`)
			}
			same(t, startTimes(t, p, len(vector.starts)), vector.starts)
		}
	}
	return all
}

func seconds(all ...float64) []time.Duration {
	durations := make([]time.Duration, len(all))
	for i, one := range all {
		durations[i] = time.Duration(one * float64(time.Second))
	}
	return durations
}

// startTimes takes as many jobs as they come and returns after how long each did, by half seconds.
func startTimes(t *testing.T, p Ports, count int) []time.Duration {
	t.Helper()
	const grain = 500 * time.Millisecond
	var times []time.Duration
	for elapsed := time.Duration(0); len(times) < count; elapsed += grain {
		for range order(t, p) {
			times = append(times, elapsed)
		}
		if elapsed > time.Hour {
			t.Fatalf("%d of %d jobs came", len(times), count)
		}
		p.Pass(grain)
	}
	return times
}

const throttlePeriod = 5 * time.Second

func throttleOf(limit, burst int, key string) function.Settings {
	return function.Settings{Throttle: &function.Throttle{
		Limit: limit, Burst: burst, Period: function.Duration(throttlePeriod), Key: key,
	}}
}

// throttled is a new function that is throttled.
func throttled(t tb, p Ports, limit, burst int, key string) *flow.Settings {
	t.Helper()
	return limiting(t, p, throttleOf(limit, burst, key))
}

func throttleKeys(t *testing.T, p Ports) {
	settings := throttled(t, p, 1, 0, "event.data.k")
	var runs []ulid.ULID
	for _, key := range []string{"a", "a", "b", "b"} {
		runs = append(runs, queued(t, p, settings, `{"k":"`+key+`"}`).ID)
	}
	same(t, order(t, p), []ulid.ULID{runs[0], runs[2]})
	p.Pass(throttlePeriod - time.Millisecond)
	full(t, p)
	p.Pass(time.Millisecond)
	same(t, order(t, p), []ulid.ULID{runs[1], runs[3]})
}

func throttleOther(t *testing.T, p Ports) {
	one, other := throttled(t, p, 1, 0, "event.data.k"), throttled(t, p, 1, 0, "event.data.k")
	for _, settings := range []*flow.Settings{one, other} {
		queued(t, p, settings, `{"k":"a"}`)
		leaseRun(t, p, queued(t, p, settings, `{"k":"b"}`, dueAt(p.Now().UTC().Add(-time.Second))))
		lease(t, p)
	}
	full(t, p)
}

func throttleWakes(t *testing.T, p Ports) {
	settings := throttled(t, p, 1, 0, "")
	runs := several(t, p, settings, 2)
	begin := p.Now()
	leaseRun(t, p, runs[0])
	got := awaits(t, p)
	p.Pass(begin.Add(throttlePeriod - time.Millisecond).Sub(p.Now()))
	stillWaits(t, p, got)
	p.Pass(time.Millisecond)
	same(t, arrived(t, p, got).Job.RunID, runs[1].ID)
}

func throttleAllWaiting(t *testing.T, p Ports) {
	settings := throttled(t, p, 1, 0, "")
	const count = 4
	leases := make(chan ports.Lease, count)
	for range count {
		go func() {
			if l, err := p.Queue.Lease(t.Context()); err == nil {
				leases <- l
			}
		}()
	}
	p.Settle()
	for range count {
		queued(t, p, settings, `{}`)
	}
	for got := 1; got <= count; got++ {
		p.Settle()
		same(t, len(leases), got)
		p.Pass(throttlePeriod)
	}
}

func throttleOnce(t *testing.T, p Ports) {
	settings := throttled(t, p, 1, 0, "")
	first := queued(t, p, settings, `{}`)
	begin := p.Now()
	l := leaseRun(t, p, first)
	second := queued(t, p, settings, `{}`)
	tryAgain(t, p, l, p.Now())
	must(t, p.Queue.Return(t.Context(), leaseRun(t, p, first), time.Time{}))
	leaseRun(t, p, first)
	if p.Restart != nil {
		p = reopened(p, settings)
		leaseRun(t, p, first)
	}
	p.Pass(begin.Add(throttlePeriod - time.Millisecond).Sub(p.Now()))
	full(t, p)
	p.Pass(time.Millisecond)
	leaseRun(t, p, second)
	full(t, p)
}

func throttleRemembers(t *testing.T, p Ports) {
	settings := throttled(t, p, 1, 1, "")
	begin := p.Now()
	for range 3 {
		queued(t, p, settings, `{}`)
	}
	finish(t, p, lease(t, p))
	p = reopened(p, settings)
	finish(t, p, lease(t, p))
	full(t, p)
	p = reopened(p, settings)
	full(t, p)
	p.Pass(begin.Add(throttlePeriod - time.Millisecond).Sub(p.Now()))
	full(t, p)
	p.Pass(time.Millisecond)
	lease(t, p)
}

func throttleCut(t *testing.T, p Ports) {
	if p.FailWrite == nil {
		return
	}
	const day = 24 * time.Hour
	settings := limiting(t, p, function.Settings{Throttle: &function.Throttle{Limit: 1, Period: function.Duration(day)}})
	first := queued(t, p, settings, `{}`)
	queued(t, p, settings, `{}`)
	p.FailWrite(1)
	l := leaseSoon(t, p) // waits for better times, or gets an error
	p.FailWrite(0)
	for n := 0; l == nil && n < 10; n++ {
		p.Pass(time.Minute)
		l = leaseSoon(t, p)
	}
	if l == nil {
		t.Fatal("the start that there is a token for does not come")
	}
	same(t, l.Job.RunID, first.ID)
	full(t, p)
	p = reopened(p, settings)
	if p.Restart != nil {
		leaseRun(t, p, first)
	}
	full(t, p)
}

func throttleSteps(t *testing.T, p Ports) {
	settings := throttled(t, p, 1, 0, "")
	first := queued(t, p, settings, `{}`)
	l := leaseRun(t, p, first)
	queued(t, p, settings, `{}`)
	for _, kind := range []run.Kind{run.KindEdge, run.KindSleep, run.KindEdgeError, run.KindGateway} {
		goOn(t, p, l, kind, p.Now())
		l = leaseRun(t, p, first)
		same(t, l.Job.Kind, kind)
	}
	finish(t, p, l)
	full(t, p)
}

func throttleGone(t *testing.T, p Ports) {
	for _, settings := range []*function.Settings{nil, {}, ptr(throttleOf(1, 0, "event.data.other"))} {
		was := throttled(t, p, 1, 0, "event.data.k")
		queued(t, p, was, `{}`)
		lease(t, p)
		next := queued(t, p, was, `{}`)
		got := awaits(t, p)
		stillWaits(t, p, got)
		if settings == nil {
			p.Queue.Limit(was.Function, nil)
		} else {
			change(t, p, was.Function, *settings)
		}
		same(t, arrived(t, p, got).Job.RunID, next.ID)
	}
}

func ptr[T any](value T) *T { return &value }

func throttleNoRoom(t *testing.T, p Ports) {
	for _, limits := range []function.Settings{stepLimits(function.StepLimit{Limit: 1}), runLimit(1, "")} {
		limits.Throttle = throttleOf(2, 0, "").Throttle
		settings := limiting(t, p, limits)
		runs := several(t, p, settings, 3)
		begin := p.Now()
		first := leaseRun(t, p, runs[0])
		full(t, p)
		finish(t, p, first)
		second := leaseRun(t, p, runs[1]) // with the token that it could not take before
		finish(t, p, second)
		full(t, p)
		p.Pass(begin.Add(throttlePeriod / 2).Sub(p.Now()))
		finish(t, p, leaseRun(t, p, runs[2]))
	}
}

func throttleCancelled(t *testing.T, p Ports) {
	settings := throttled(t, p, 1, 0, "")
	begin := p.Now()
	runs := make([]run.State, 3)
	for i := range runs {
		runs[i] = queued(t, p, settings, `{}`)
	}
	leaseRun(t, p, runs[0])
	end(t, p, runs[1].ID)
	p.Pass(begin.Add(throttlePeriod).Sub(p.Now()))
	leaseRun(t, p, runs[2])
}
