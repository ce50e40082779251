package portstest

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Metered is a meter that notes what it is told of the queue.
type Metered struct {
	ports.NoMeter
	mu   sync.Mutex
	told []string
}

// HandedOut implements ports.Meter.
func (m *Metered) HandedOut(_ uuid.UUID, kind run.Kind, waited time.Duration, limited bool) {
	m.note(fmt.Sprintf("%s after %s, limited %t", kind, waited, limited))
}

// Limited implements ports.Meter.
func (m *Metered) Limited(_ uuid.UUID, kind flow.LimitKind) { m.note("limit " + kind.String()) }

func (m *Metered) note(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, what)
}

// take returns what the meter was told since the last time.
func (m *Metered) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	told := m.told
	m.told = nil
	return told
}

// TestQueueWaiting is the contract of ports.Queue for who asks what jobs wait for, and for what its meter is told.
func TestQueueWaiting(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Waiting/for nobody, in hand and later":              waitingPlain,
		"Waiting/of jobs that are not there":                 waitingUnknown,
		"Waiting/says of when and of which attempt a job is": waitingJobs,
		"Waiting/with an ended context":                      waitingEnded,
		"Waiting/for a worker, by order and priority":        waitingWorker,
		"Waiting/for room in a function":                     waitingFunction,
		"Waiting/for room under a key, behind those of it":   waitingKey,
		"Waiting/for room in a scope with other functions":   waitingScope,
		"Waiting/for room among runs":                        waitingRuns,
		"Waiting/for a token, exactly until it comes":        waitingToken,
		"Waiting/for a limit that is gone":                   waitingChanged,
		"Waiting/is expected by how fast there was room":     waitingPace,
		"Waiting/is expected anew when nobody waited":        waitingPaceForgotten,
		"Depth/counts each job once, by function":            depths,
		"Depth/is that of what a restart brings back":        depthRestart,
		"Depth/with an ended context":                        depthEnded,
		"Meter/is told of each job in hand, and how late":    meterHandedOut,
		"Meter/is told of limits, and who they have delayed": meterLimited,
	})
}

// why is what the run's first job waits for.
func why(t tb, p Ports, r run.State) flow.Waiting {
	t.Helper()
	for id, kind := range r.Jobs {
		if kind == run.KindStart {
			return whyJob(t, p, r, id)
		}
	}
	t.Fatal("the run has no first job")
	return flow.Waiting{}
}

func whyJob(t tb, p Ports, r run.State, id string) flow.Waiting {
	t.Helper()
	all, err := p.Queue.Waiting(t.Context(), r.ID, []string{id})
	must(t, err)
	if len(all) != 1 || all[0].ID != id {
		t.Fatalf("the queue says %+v of job %s", all, id)
	}
	return all[0].Waiting
}

// waits is what those wait for who wait for room in a limit.
func waits(limit flow.Limit, ahead, functions int) flow.Waiting {
	return flow.Waiting{Reason: flow.ForRoom, Limit: &limit, Ahead: ahead, Functions: functions}
}

func waitingPlain(t *testing.T, p Ports) {
	settings := controls(t, uuid.New(), function.Settings{})
	at := p.Now().UTC().Add(time.Hour)
	later := queued(t, p, settings, `{}`, dueAt(at))
	same(t, why(t, p, later), flow.Waiting{Reason: flow.DueLater, Expected: at})
	now := queued(t, p, settings, `{}`)
	same(t, why(t, p, now), flow.Waiting{Reason: flow.ForWorker, Functions: 1})
	l := leaseRun(t, p, now)
	same(t, why(t, p, now), flow.Waiting{Reason: flow.InHand})
	must(t, p.Queue.Return(t.Context(), l, p.Now().Add(time.Minute)))
	same(t, why(t, p, now), flow.Waiting{Reason: flow.DueLater, Expected: p.Now().UTC().Add(time.Minute)})
	p.Pass(time.Minute)
	same(t, why(t, p, now).Reason, flow.ForWorker)
}

func waitingUnknown(t *testing.T, p Ports) {
	settings := controls(t, uuid.New(), function.Settings{})
	r := queued(t, p, settings, `{}`, withJob(p, run.KindEdge))
	ids := slices.Sorted(maps.Keys(r.Jobs))
	slices.Reverse(ids)
	all, err := p.Queue.Waiting(t.Context(), r.ID, []string{ids[0], "other", ids[1]})
	must(t, err)
	same(t, []string{all[0].ID, all[1].ID}, ids)

	must(t, p.Queue.Park(t.Context(), leaseRun(t, p, r), "why not"))
	all, err = p.Queue.Waiting(t.Context(), r.ID, ids)
	must(t, err)
	same(t, len(all), 1)
	endRun(t, p, r)
	all, err = p.Queue.Waiting(t.Context(), r.ID, ids)
	must(t, err)
	same(t, len(all), 0)
}

func waitingJobs(t *testing.T, p Ports) {
	at := p.Now().UTC().Add(time.Hour)
	r := queued(t, p, controls(t, uuid.New(), function.Settings{}), `{}`, dueAt(at))
	check := func(attempt int, at time.Time) {
		t.Helper()
		all, err := p.Queue.Waiting(t.Context(), r.ID, slices.Sorted(maps.Keys(r.Jobs)))
		must(t, err)
		same(t, len(all), 1)
		same(t, all[0].At, at)
		same(t, all[0].Attempt, attempt)
		jobs, err := p.Queue.Jobs(t.Context(), r.ID, slices.Sorted(maps.Keys(r.Jobs)))
		must(t, err)
		same(t, all[0].QueuedJob, jobs[0])
	}
	check(0, at)
	p.Pass(time.Hour)
	l := leaseRun(t, p, r)
	check(0, at)
	again := p.Now().UTC().Add(time.Minute)
	r = commit(t, p, l, r, run.Transition{Current: run.Disposition{Fate: run.FateRetry, At: again, Attempt: 1}})
	check(1, again)
}

func waitingEnded(t *testing.T, p Ports) {
	r := queued(t, p, controls(t, uuid.New(), function.Settings{}), `{}`)
	if all, err := p.Queue.Waiting(ended(t), r.ID, []string{"any"}); err == nil {
		t.Fatalf("the queue says %+v", all)
	}
}

func waitingWorker(t *testing.T, p Ports) {
	settings := prioritised(t, p)
	p.Queue.Limit(settings.Function, nil)
	first := queued(t, p, settings, withFactor(0))
	p.Pass(time.Second)
	second := queued(t, p, settings, withFactor(0))
	urgent := queued(t, p, settings, withFactor(100))
	delayed := queued(t, p, settings, withFactor(-100))
	want := func(r run.State, ahead, functions int) {
		t.Helper()
		same(t, why(t, p, r), flow.Waiting{Reason: flow.ForWorker, Ahead: ahead, Functions: functions})
	}
	want(urgent, 0, 1)
	want(first, 1, 1)
	want(second, 2, 1)
	other := queued(t, p, controls(t, uuid.New(), function.Settings{}), `{}`)
	want(second, 2, 2)
	want(other, 0, 2)
	at := ulid.Time(delayed.ID.Time()).UTC().Add(100 * time.Second)
	same(t, why(t, p, delayed), flow.Waiting{Reason: flow.DueLater, Expected: at})
}

func waitingFunction(t *testing.T, p Ports) {
	settings := atMost(t, p, 2)
	runs := several(t, p, settings, 5)
	first := lease(t, p)
	lease(t, p)
	full(t, p)
	limit := flow.Limit{Kind: flow.LimitFunction, Number: 2, Held: 2}
	for ahead, r := range runs[2:] {
		same(t, why(t, p, r), waits(limit, ahead, 1))
	}
	finish(t, p, first)
	same(t, why(t, p, runs[2]).Reason, flow.ForWorker)
	leaseRun(t, p, runs[2])
	full(t, p)
	change(t, p, settings.Function, stepLimits(function.StepLimit{Limit: 1}))
	limit.Number = 1
	got := why(t, p, runs[4])
	got.Expected = time.Time{}
	same(t, got, waits(limit, 1, 1))
	timer := queued(t, p, settings, `{}`, withJob(p, run.KindPause))
	same(t, whyJob(t, p, timer, "pause-job").Reason, flow.ForWorker)
}

func waitingKey(t *testing.T, p Ports) {
	settings := limiting(t, p, stepLimits(function.StepLimit{Limit: 1, Key: "event.data.k"}, function.StepLimit{Limit: 3}))
	var runs []run.State
	for _, key := range []string{"a", "b", "a", "b", "a", "c", "c"} {
		runs = append(runs, queued(t, p, settings, `{"k":"`+key+`"}`))
		p.Pass(time.Millisecond)
	}
	lease(t, p)
	second := leaseRun(t, p, runs[1])
	leaseAll(t, p, 1)
	keyed := flow.Limit{Kind: flow.LimitKey, Scope: function.ScopeFunction, Expression: "event.data.k", Number: 1, Held: 1}
	same(t, why(t, p, runs[2]), waits(keyed, 0, 1))
	same(t, why(t, p, runs[3]), waits(keyed, 0, 1))
	same(t, why(t, p, runs[4]), waits(keyed, 1, 1))
	same(t, why(t, p, runs[6]), waits(keyed, 0, 1)) // of several limits without room it is the key
	finish(t, p, second)
	same(t, why(t, p, runs[3]).Reason, flow.ForWorker)
}

// leaseAll leases so many jobs, after which there must be none.
func leaseAll(t tb, p Ports, count int) {
	t.Helper()
	for range count {
		lease(t, p)
	}
	full(t, p)
}

func waitingScope(t *testing.T, p Ports) {
	limit := function.StepLimit{Limit: 1, Key: "event.data.k", Scope: function.ScopeEnv}
	one, two, alone := limiting(t, p, stepLimits(limit)), limiting(t, p, stepLimits(limit)), limiting(t, p, stepLimits(limit))
	queued(t, p, one, `{"k":"x"}`)
	first := lease(t, p)
	ones, twos := []run.State{}, []run.State{}
	for range 2 {
		ones = append(ones, queued(t, p, one, `{"k":"x"}`))
		twos = append(twos, queued(t, p, two, `{"k":"x"}`))
		p.Pass(time.Millisecond)
	}
	leaseRun(t, p, queued(t, p, alone, `{"k":"y"}`))
	full(t, p)
	held := flow.Limit{Kind: flow.LimitKey, Scope: function.ScopeEnv, Expression: "event.data.k", Number: 1, Held: 1}
	for ahead := range 2 {
		same(t, why(t, p, ones[ahead]), waits(held, ahead, 2))
		same(t, why(t, p, twos[ahead]), waits(held, ahead, 2))
	}
	queued(t, p, alone, `{"k":"x"}`)
	full(t, p)
	same(t, why(t, p, twos[1]), waits(held, 1, 3))
	endRun(t, p, ones[0])
	endRun(t, p, ones[1])
	same(t, why(t, p, twos[1]), waits(held, 1, 2))
	finish(t, p, first)
}

func waitingRuns(t *testing.T, p Ports) {
	settings := limiting(t, p, runLimit(1, "event.data.k"))
	first := queued(t, p, settings, `{"k":"a"}`)
	p.Pass(time.Millisecond)
	second := queued(t, p, settings, `{"k":"a"}`)
	p.Pass(time.Millisecond)
	third := queued(t, p, settings, `{"k":"a"}`)
	goOn(t, p, leaseRun(t, p, first), run.KindSleep, p.Now().Add(time.Hour))
	full(t, p)
	limit := flow.Limit{Kind: flow.LimitRuns, Expression: "event.data.k", Number: 1, Held: 1}
	same(t, why(t, p, second), waits(limit, 0, 1))
	same(t, why(t, p, third), waits(limit, 1, 1))
	end(t, p, first.ID)
	same(t, why(t, p, second).Reason, flow.ForWorker)
}

func waitingToken(t *testing.T, p Ports) {
	settings := limiting(t, p, function.Settings{Throttle: &function.Throttle{
		Limit: 2, Period: function.Duration(10 * time.Second), Key: "event.data.k",
	}})
	var runs []run.State
	for range 5 {
		runs = append(runs, queued(t, p, settings, `{"k":"a"}`))
		p.Pass(time.Millisecond)
	}
	free := queued(t, p, settings, `{"k":"b"}`)
	lease(t, p)
	leaseRun(t, p, runs[1])
	leaseRun(t, p, free)
	full(t, p)
	taken := p.Now().UTC()
	p.Pass(time.Second)
	limit := flow.Limit{Kind: flow.LimitThrottle, Expression: "event.data.k", Number: 2, Held: 2, Every: 5 * time.Second}
	expected := taken.Add(5 * time.Second)
	for ahead, r := range runs[2:] {
		same(t, why(t, p, r), flow.Waiting{
			Reason: flow.ForToken, Limit: &limit, Ahead: ahead, Functions: 1, Expected: expected.Add(time.Duration(ahead) * 5 * time.Second),
		})
	}
	for _, r := range runs[2:] {
		got := awaits(t, p)
		at := why(t, p, r).Expected
		p.Pass(at.Sub(p.Now()) - time.Nanosecond)
		stillWaits(t, p, got)
		p.Pass(time.Nanosecond)
		same(t, arrived(t, p, got).Job.RunID, r.ID)
	}
}

func waitingChanged(t *testing.T, p Ports) {
	settings := atMost(t, p, 1)
	runs := several(t, p, settings, 3)
	lease(t, p)
	full(t, p)
	same(t, why(t, p, runs[1]).Reason, flow.ForRoom)
	p.Queue.Limit(settings.Function, nil)
	same(t, why(t, p, runs[2]), flow.Waiting{Reason: flow.ForWorker, Ahead: 1, Functions: 1})
}

func waitingPace(t *testing.T, p Ports) {
	settings := atMost(t, p, 1)
	runs := several(t, p, settings, 6)
	l := lease(t, p)
	full(t, p) // from here on somebody waits
	began := p.Now().UTC()
	same(t, why(t, p, runs[5]).Expected, time.Time{})
	for passed := 1; passed <= 3; passed++ {
		p.Pass(10 * time.Second)
		finish(t, p, l)
		l = leaseRun(t, p, runs[passed])
		full(t, p)
		p.Pass(time.Second)
		each := p.Now().UTC().Sub(began) / time.Duration(passed)
		for ahead, r := range runs[passed+1:] {
			got := why(t, p, r)
			same(t, got.Ahead, ahead)
			if off := got.Expected.Sub(p.Now().Add(each * time.Duration(ahead+1))); off.Abs() > time.Microsecond {
				t.Fatalf("after %d have passed the one behind %d is expected %s off", passed, ahead, off)
			}
		}
	}
}

func waitingPaceForgotten(t *testing.T, p Ports) {
	settings := atMost(t, p, 1)
	several(t, p, settings, 2)
	l := lease(t, p)
	full(t, p)
	p.Pass(time.Second)
	finish(t, p, l)
	lease(t, p) // the last
	r := queued(t, p, settings, `{}`)
	full(t, p)
	same(t, why(t, p, r), waits(flow.Limit{Kind: flow.LimitFunction, Number: 1, Held: 1}, 0, 1))
}

// depthOf is what there is of a function.
func depthOf(t tb, p Ports, id uuid.UUID) ports.Depth {
	t.Helper()
	all, err := p.Queue.Depth(t.Context())
	must(t, err)
	at := slices.IndexFunc(all, func(d ports.Depth) bool { return d.Function == id })
	if at < 0 {
		return ports.Depth{}
	}
	if slices.ContainsFunc(all[at+1:], func(d ports.Depth) bool { return d.Function == id }) {
		t.Fatal("the function is there twice")
	}
	return all[at]
}

func depths(t *testing.T, p Ports) {
	limited, free := atMost(t, p, 1), controls(t, uuid.New(), function.Settings{})
	several(t, p, limited, 3)
	queued(t, p, limited, `{}`, dueAt(p.Now().Add(time.Hour)))
	timed := queued(t, p, free, `{}`, dueAt(p.Now().Add(time.Minute)))
	l := lease(t, p)
	full(t, p)
	same(t, depthOf(t, p, limited.Function), ports.Depth{Function: limited.Function, NoRoom: 2, Later: 1, InHand: 1})
	same(t, depthOf(t, p, free.Function), ports.Depth{Function: free.Function, Later: 1})
	p.Pass(time.Minute)
	same(t, depthOf(t, p, free.Function), ports.Depth{Function: free.Function, Ready: 1})
	must(t, p.Queue.Return(t.Context(), l, p.Now().Add(time.Hour)))
	leaseAll(t, p, 2) // one of each
	same(t, depthOf(t, p, limited.Function), ports.Depth{Function: limited.Function, NoRoom: 1, Later: 2, InHand: 1})
	endRun(t, p, timed)
	same(t, depthOf(t, p, free.Function), ports.Depth{})
}

func depthRestart(t *testing.T, p Ports) {
	if p.Restart == nil {
		return
	}
	settings := atMost(t, p, 1)
	several(t, p, settings, 2)
	queued(t, p, settings, `{}`, dueAt(p.Now().Add(time.Hour)))
	lease(t, p)
	full(t, p)
	p = reopened(p, settings)
	same(t, depthOf(t, p, settings.Function), ports.Depth{Function: settings.Function, Ready: 2, Later: 1})
	l := lease(t, p)
	full(t, p)
	same(t, depthOf(t, p, settings.Function), ports.Depth{Function: settings.Function, NoRoom: 1, Later: 1, InHand: 1})
	must(t, p.Queue.Park(t.Context(), l, "why not"))
	same(t, depthOf(t, p, settings.Function), ports.Depth{Function: settings.Function, Ready: 1, Later: 1})
}

func depthEnded(t *testing.T, p Ports) {
	if all, err := p.Queue.Depth(ended(t)); err == nil {
		t.Fatalf("the depth is %+v", all)
	}
}

func meterHandedOut(t *testing.T, p Ports) {
	settings := controls(t, uuid.New(), function.Settings{})
	queued(t, p, settings, `{}`)
	p.Pass(3 * time.Second)
	l := lease(t, p)
	same(t, p.Metered.take(), []string{"start after 3s, limited false"})
	goOn(t, p, l, run.KindEdge, p.Now().Add(time.Minute))
	got := awaits(t, p)
	p.Pass(time.Minute)
	l = arrived(t, p, got)
	same(t, p.Metered.take(), []string{"edge after 0s, limited false"})
	tryAgain(t, p, l, p.Now().Add(time.Second))
	p.Pass(5 * time.Second)
	lease(t, p)
	same(t, p.Metered.take(), []string{"edge after 4s, limited false"})
}

func meterLimited(t *testing.T, p Ports) {
	for kind, settings := range map[flow.LimitKind]*flow.Settings{
		flow.LimitFunction: atMost(t, p, 1),
		flow.LimitKey:      limiting(t, p, stepLimits(function.StepLimit{Limit: 1, Key: "event.data.k"})),
		flow.LimitRuns:     limiting(t, p, runLimit(1, "")),
		flow.LimitThrottle: limiting(t, p, function.Settings{Throttle: &function.Throttle{Limit: 1, Period: function.Duration(time.Second)}}),
	} {
		queued(t, p, settings, `{}`)
		next := queued(t, p, settings, `{}`)
		l := lease(t, p)
		full(t, p)
		same(t, p.Metered.take(), []string{"start after 0s, limited false", "limit " + kind.String()})
		full(t, p) // which is not met again
		p.Pass(time.Second)
		finish(t, p, l)
		kept := leaseRun(t, p, next)
		same(t, []bool{l.Limited, kept.Limited}, []bool{false, true})
		finish(t, p, kept)
		same(t, p.Metered.take(), []string{"start after 1s, limited true"})
	}
}
