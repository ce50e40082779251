package portstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// TestQueueLimits is the contract of ports.Queue for functions with limits of steps and of runs, throttles and priorities.
func TestQueueLimits(t *testing.T, run Runner) {
	all := map[string]func(t *testing.T, p Ports){
		"Steps/of a function":                                  limitFunction,
		"Steps/of a key leave other keys alone":                limitKeys,
		"Steps/of a function and a key count both":             limitBoth,
		"Steps/of a scope are shared by the same expression":   limitScopes,
		"Steps/tried again need room again":                    limitRetry,
		"Steps/of several in hand by callers at once":          limitAtOnce,
		"Limit/that is raised lets in who waits":               limitRaised,
		"Limit/that is lowered leaves places to those in hand": limitLowered,
		"Limit/that is new counts those in hand":               limitNew,
		"Limit/of nothing":                                     limitNothing,
		"Limit/is of the process":                              limitForgotten,
		"Lease/wakes as many as there is room for":             limitWakes,
		"Lease/lets functions take turns past a backlog":       limitTurns,
		"Kinds/that call nobody need no room and take none":    limitTimers,
		"Run/is counted until it has ended":                    limitRuns,
		"Run/is counted by its key":                            limitRunKeys,
		"Run/that is cancelled makes room":                     limitRunCancelled,
	}
	maps.Copy(all, makingRoom())
	maps.Copy(all, needingRoom())
	maps.Copy(all, orderings)
	maps.Copy(all, throttlings())
	cases(t, run, all)
}

// controls is the flow control of that function with those settings.
func controls(t tb, id uuid.UUID, settings function.Settings) *flow.Settings {
	t.Helper()
	compiled, faults := flow.Compile(function.Function{ID: id, Settings: settings})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return compiled
}

// stepLimits are settings with limits of steps.
func stepLimits(limits ...function.StepLimit) function.Settings {
	return function.Settings{Concurrency: &function.Concurrency{Step: limits}}
}

// runLimit are settings with a limit of runs.
func runLimit(limit int, key string) function.Settings {
	return function.Settings{Concurrency: &function.Concurrency{Run: []function.RunLimit{{Limit: limit, Key: key}}}}
}

// limiting is a new function whose jobs are limited by the settings.
func limiting(t tb, p Ports, settings function.Settings) *flow.Settings {
	t.Helper()
	compiled := controls(t, uuid.New(), settings)
	p.Queue.Limit(compiled.Function, compiled)
	return compiled
}

// atMost is a new function of which so many steps may run at once.
func atMost(t tb, p Ports, limit int) *flow.Settings {
	t.Helper()
	return limiting(t, p, stepLimits(function.StepLimit{Limit: limit}))
}

// change limits the function by other settings from now on.
func change(t tb, p Ports, id uuid.UUID, settings function.Settings) {
	t.Helper()
	p.Queue.Limit(id, controls(t, id, settings))
}

// reopened is the backend after a crash, told what functions are limited by.
func reopened(p Ports, all ...*flow.Settings) Ports {
	p = restarted(p)
	for _, settings := range all {
		p.Queue.Limit(settings.Function, settings)
	}
	return p
}

// queued schedules a run of the function for an event with the data.
func queued(t tb, p Ports, settings *flow.Settings, data string, options ...func(*ports.NewRun)) run.State {
	t.Helper()
	e := anEvent(p, withData(data))
	values := settings.Evaluate(e.Event, flow.FromEvent, p.Now())
	next := aRun(p, append([]func(*ports.NewRun){startedBy(e), ofFunction(settings.Function)}, options...)...)
	next.State.Keys = values.Keys()
	schedule(t, p, next)
	return next.State
}

// several schedules as many runs of the function, a millisecond apart.
func several(t tb, p Ports, settings *flow.Settings, count int) []run.State {
	t.Helper()
	all := make([]run.State, count)
	for i := range all {
		all[i] = queued(t, p, settings, `{}`)
		p.Pass(time.Millisecond)
	}
	return all
}

// withJob gives a run a job of the kind, due now, besides its start, which is due in a day.
func withJob(p Ports, kind run.Kind) func(*ports.NewRun) {
	return func(next *ports.NewRun) {
		job := next.Start
		job.ID, job.Kind = string(kind)+"-job", kind
		next.Start.At = p.Now().UTC().Add(24 * time.Hour)
		next.More = append(next.More, job)
		next.State.Jobs = maps.Clone(next.State.Jobs)
		next.State.Jobs[job.ID] = kind
	}
}

// full fails the test if a job is handed out.
func full(t tb, p Ports) {
	t.Helper()
	if l := leaseSoon(t, p); l != nil {
		t.Fatalf("leased a job of run %s", l.Job.RunID)
	}
}

// leaseRun takes a job that must be due and of the run.
func leaseRun(t tb, p Ports, want run.State) ports.Lease {
	t.Helper()
	l := lease(t, p)
	same(t, l.Job.RunID, want.ID)
	return l
}

// awaits has a caller wait for a job.
func awaits(t *testing.T, p Ports) <-chan ports.Lease {
	t.Helper()
	got := make(chan ports.Lease, 1)
	go func() {
		defer close(got)
		if l, err := p.Queue.Lease(t.Context()); err == nil {
			got <- l
		}
	}()
	p.Settle()
	return got
}

// arrived is what a caller got who waited no longer than for everything to come to rest.
func arrived(t tb, p Ports, got <-chan ports.Lease) ports.Lease {
	t.Helper()
	p.Settle()
	select {
	case l, ok := <-got:
		if !ok {
			t.Fatal("the caller got an error")
		}
		return l
	default:
		t.Fatal("the caller still waits")
		return ports.Lease{}
	}
}

// stillWaits fails the test if the caller has got a job.
func stillWaits(t tb, p Ports, got <-chan ports.Lease) {
	t.Helper()
	p.Settle()
	select {
	case l := <-got:
		t.Fatalf("the caller got a job of run %s", l.Job.RunID)
	default:
	}
}

// goOn commits a step of the run with the job in hand and goes on with a job of the kind at that time.
func goOn(t *testing.T, p Ports, l ports.Lease, kind run.Kind, at time.Time) {
	t.Helper()
	state := load(t, p, l.Job.RunID)
	transition := step(l, fmt.Sprintf("op-%d", state.Revision), json.RawMessage(`{"data":1}`))
	transition.Jobs[0].Kind, transition.Jobs[0].At = kind, at.UTC()
	commit(t, p, l, state, transition)
}

// tryAgain commits that the job in hand is to be tried again.
func tryAgain(t *testing.T, p Ports, l ports.Lease, at time.Time) {
	t.Helper()
	commit(t, p, l, load(t, p, l.Job.RunID), run.Transition{
		RequestVersion: 2, Current: run.Disposition{Fate: run.FateRetry, At: at.UTC(), Attempt: l.Job.Attempt + 1},
	})
}

func limitFunction(t *testing.T, p Ports) {
	settings := atMost(t, p, 2)
	runs := several(t, p, settings, 4)
	first := leaseRun(t, p, runs[0])
	leaseRun(t, p, runs[1])
	full(t, p)
	finish(t, p, first)
	leaseRun(t, p, runs[2])
	full(t, p)
	p.Pass(time.Hour)
	full(t, p)
}

func limitKeys(t *testing.T, p Ports) {
	settings := limiting(t, p, stepLimits(function.StepLimit{Limit: 1, Key: "event.data.k"}))
	first, second := queued(t, p, settings, `{"k":"a"}`), queued(t, p, settings, `{"k":"a"}`)
	other, missing := queued(t, p, settings, `{"k":"b"}`), queued(t, p, settings, `{}`)
	l := leaseRun(t, p, first)
	leaseRun(t, p, other)
	leaseRun(t, p, missing)
	full(t, p)
	finish(t, p, l)
	leaseRun(t, p, second)
}

func limitBoth(t *testing.T, p Ports) {
	settings := limiting(t, p, stepLimits(function.StepLimit{Limit: 1, Key: "event.data.k"}, function.StepLimit{Limit: 2}))
	var runs []run.State
	for _, key := range []string{"a", "a", "b", "c"} {
		runs = append(runs, queued(t, p, settings, `{"k":"`+key+`"}`))
	}
	first := leaseRun(t, p, runs[0])
	second := leaseRun(t, p, runs[2])
	full(t, p)
	finish(t, p, second) // which makes room in the function, not for the key of the first
	leaseRun(t, p, runs[3])
	full(t, p)
	finish(t, p, first)
	leaseRun(t, p, runs[1])
	full(t, p)
}

func limitScopes(t *testing.T, p Ports) {
	for _, scope := range []function.Scope{function.ScopeEnv, function.ScopeAccount, function.ScopeFunction} {
		limit := func(limit int, key string) *flow.Settings {
			return limiting(t, p, stepLimits(function.StepLimit{Limit: limit, Key: key, Scope: scope}))
		}
		one, two, other := limit(1, "event.data.k"), limit(2, "event.data.k"), limit(1, "event.data.k + ''")
		const data = `{"k":"x"}`
		queued(t, p, one, data)
		l := lease(t, p)
		refused := queued(t, p, one, data)
		full(t, p)
		leaseRun(t, p, queued(t, p, other, data))
		leaseRun(t, p, queued(t, p, two, data))
		second := queued(t, p, two, data)
		if scope == function.ScopeFunction {
			leaseRun(t, p, second)
			full(t, p)
			continue
		}
		full(t, p) // two are in hand: those of its own limit, and one more than the other allows
		finish(t, p, l)
		leaseRun(t, p, second)
		full(t, p)
		endRun(t, p, refused)
	}
}

func limitRetry(t *testing.T, p Ports) {
	settings := atMost(t, p, 1)
	runs := several(t, p, settings, 2)
	tryAgain(t, p, leaseRun(t, p, runs[0]), p.Now().Add(time.Minute))
	second := leaseRun(t, p, runs[1])
	p.Pass(time.Minute)
	full(t, p)
	got := awaits(t, p)
	finish(t, p, second)
	again := arrived(t, p, got)
	same(t, again.Job.RunID, runs[0].ID)
	same(t, again.Job.Attempt, 1)
}

func limitAtOnce(t *testing.T, p Ports) {
	const count, callers, limit = 40, 8, 3
	settings := atMost(t, p, limit)
	several(t, p, settings, count)
	var inHand, most atomic.Int64
	atOnce(t, callers, func(int) error {
		for range count / callers {
			l, err := p.Queue.Lease(t.Context())
			if err != nil {
				return err
			}
			now := inHand.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			state, err := p.Store.Load(t.Context(), l.Job.RunID)
			if err != nil {
				return err
			}
			inHand.Add(-1)
			if _, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: ending(p)}); err != nil {
				return err
			}
		}
		return nil
	})
	if most.Load() > limit {
		t.Fatalf("%d jobs were in hand at once", most.Load())
	}
	full(t, p)
}

func limitRaised(t *testing.T, p Ports) {
	settings := atMost(t, p, 1)
	runs := several(t, p, settings, 4)
	leaseRun(t, p, runs[0])
	first, second := awaits(t, p), awaits(t, p)
	change(t, p, settings.Function, stepLimits(function.StepLimit{Limit: 3}))
	seen := map[ulid.ULID]bool{arrived(t, p, first).Job.RunID: true, arrived(t, p, second).Job.RunID: true}
	same(t, seen, map[ulid.ULID]bool{runs[1].ID: true, runs[2].ID: true})
	full(t, p)
}

func limitLowered(t *testing.T, p Ports) {
	settings := atMost(t, p, 3)
	runs := several(t, p, settings, 4)
	var leases []ports.Lease
	for range 3 {
		leases = append(leases, lease(t, p))
	}
	change(t, p, settings.Function, stepLimits(function.StepLimit{Limit: 1}))
	for _, l := range leases {
		full(t, p)
		finish(t, p, l)
	}
	leaseRun(t, p, runs[3])
}

func limitNew(t *testing.T, p Ports) {
	settings := controls(t, uuid.New(), function.Settings{})
	runs := several(t, p, settings, 3)
	first, second := lease(t, p), lease(t, p)
	change(t, p, settings.Function, stepLimits(function.StepLimit{Limit: 1}))
	full(t, p)
	finish(t, p, first)
	full(t, p)
	finish(t, p, second)
	leaseRun(t, p, runs[2])
}

func limitNothing(t *testing.T, p Ports) {
	settings := atMost(t, p, 1)
	runs := several(t, p, settings, 3)
	l := leaseRun(t, p, runs[0])
	got := awaits(t, p)
	p.Queue.Limit(settings.Function, nil)
	same(t, arrived(t, p, got).Job.RunID, runs[1].ID)
	leaseRun(t, p, runs[2])
	finish(t, p, l)
	p.Queue.Limit(uuid.New(), nil)
	p.Queue.Limit(settings.Function, controls(t, settings.Function, function.Settings{}))
	leaseRun(t, p, queued(t, p, settings, `{}`))
}

func limitForgotten(t *testing.T, p Ports) {
	if p.Restart == nil {
		return
	}
	settings := atMost(t, p, 1)
	runs := several(t, p, settings, 3)
	leaseRun(t, p, runs[0])
	p = p.Restart()
	p.Queue.Limit(settings.Function, settings)
	leaseRun(t, p, runs[0]) // whose place the crash has freed
	full(t, p)
	p = p.Restart()
	for _, next := range runs {
		leaseRun(t, p, next)
	}
}

func limitWakes(t *testing.T, p Ports) {
	settings := atMost(t, p, 2)
	const count = 6
	leases := make(chan ports.Lease, count)
	for range count {
		go func() {
			if l, err := p.Queue.Lease(t.Context()); err == nil {
				leases <- l
			}
		}()
	}
	p.Settle()
	several(t, p, settings, count)
	p.Settle()
	for left := count; left > 0; left-- {
		same(t, len(leases), min(2, left))
		l := <-leases
		finish(t, p, l)
		p.Settle()
	}
}

func limitTurns(t *testing.T, p Ports) {
	blocked := atMost(t, p, 1)
	several(t, p, blocked, 5)
	lease(t, p)
	one, two := controls(t, uuid.New(), function.Settings{}), atMost(t, p, 10)
	first, second := several(t, p, one, 2), several(t, p, two, 2)
	same(t, order(t, p), []ulid.ULID{first[0].ID, second[0].ID, first[1].ID, second[1].ID})
}

func limitTimers(t *testing.T, p Ports) {
	settings := atMost(t, p, 1)
	for _, kind := range []run.Kind{run.KindPause, run.KindCancel} {
		queued(t, p, settings, `{}`)
		caller := lease(t, p)
		timed := queued(t, p, settings, `{}`, withJob(p, kind))
		timer := leaseRun(t, p, timed)
		same(t, timer.Job.Kind, kind)
		finish(t, p, caller)
		next := queued(t, p, settings, `{}`)
		caller = leaseRun(t, p, next) // while the timer is in hand
		finish(t, p, caller)
		finish(t, p, timer)
	}
}

// needingRoom has a case for each kind of job that may call the app or make a request in its stead.
func needingRoom() map[string]func(t *testing.T, p Ports) {
	all := map[string]func(t *testing.T, p Ports){}
	for _, kind := range []run.Kind{run.KindEdge, run.KindEdgeError, run.KindGateway, run.KindSleep} {
		all[fmt.Sprintf("Kinds/%s needs room and takes it", kind)] = func(t *testing.T, p Ports) {
			settings := atMost(t, p, 1)
			queued(t, p, settings, `{}`)
			first := lease(t, p)
			next := queued(t, p, settings, `{}`, withJob(p, kind))
			full(t, p)
			got := awaits(t, p)
			finish(t, p, first)
			l := arrived(t, p, got)
			same(t, l.Job.Kind, kind)
			same(t, l.Job.RunID, next.ID)
			queued(t, p, settings, `{}`)
			full(t, p)
		}
	}
	return all
}

// makingRoom has a case for each way in which a job's place gets free. Each wakes who waits at once.
func makingRoom() map[string]func(t *testing.T, p Ports) {
	all := map[string]func(t *testing.T, p Ports){}
	later := func(p Ports) time.Time { return p.Now().Add(time.Hour) }
	for name, free := range map[string]func(t *testing.T, p Ports, l ports.Lease){
		"a job that is done":           func(t *testing.T, p Ports, l ports.Lease) { goOn(t, p, l, run.KindSleep, later(p)) },
		"a job that is tried again":    func(t *testing.T, p Ports, l ports.Lease) { tryAgain(t, p, l, later(p)) },
		"a job that is returned":       func(t *testing.T, p Ports, l ports.Lease) { must(t, p.Queue.Return(t.Context(), l, later(p))) },
		"a job that is parked":         func(t *testing.T, p Ports, l ports.Lease) { must(t, p.Queue.Park(t.Context(), l, "why not")) },
		"a run that ends":              func(t *testing.T, p Ports, l ports.Lease) { finish(t, p, l) },
		"a run that ends under a call": func(t *testing.T, p Ports, l ports.Lease) { endRun(t, p, load(t, p, l.Job.RunID)) },
		"a job that is dropped": func(t *testing.T, p Ports, l ports.Lease) {
			next := l.Job
			next.ID, next.Kind, next.At = "instead", run.KindEdge, later(p).UTC()
			commit(t, p, ports.Lease{}, load(t, p, l.Job.RunID), run.Transition{
				RequestVersion: 2, Jobs: []run.Job{next}, DropJobs: []string{l.Job.ID},
			})
		},
	} {
		all["Room/is made by "+name] = func(t *testing.T, p Ports) {
			settings := limiting(t, p, stepLimits(function.StepLimit{Limit: 1}, function.StepLimit{Limit: 1, Key: "event.name"}))
			runs := several(t, p, settings, 3)
			l := leaseRun(t, p, runs[0])
			first, second := awaits(t, p), awaits(t, p)
			stillWaits(t, p, first)
			stillWaits(t, p, second)
			free(t, p, l)
			p.Settle()
			var got ports.Lease
			select {
			case got = <-first:
				first = second
			case got = <-second:
			default:
				t.Fatal("nobody was woken")
			}
			same(t, got.Job.RunID, runs[1].ID)
			stillWaits(t, p, first)
			finish(t, p, got)
			same(t, arrived(t, p, first).Job.RunID, runs[2].ID)
		}
	}
	return all
}

func limitRuns(t *testing.T, p Ports) {
	settings := limiting(t, p, runLimit(1, ""))
	runs := several(t, p, settings, 3)
	never := queued(t, p, settings, `{}`, dueAt(p.Now().Add(-time.Hour)))
	endRun(t, p, never) // it had no place
	goOn(t, p, leaseRun(t, p, runs[0]), run.KindEdge, p.Now())
	l := leaseRun(t, p, runs[0])
	full(t, p)
	goOn(t, p, l, run.KindSleep, p.Now().Add(time.Hour))
	full(t, p)
	p = reopened(p, settings)
	full(t, p)
	p.Pass(time.Hour)
	l = leaseRun(t, p, runs[0])
	tryAgain(t, p, l, p.Now().Add(time.Second))
	full(t, p)
	p.Pass(time.Second)
	l = leaseRun(t, p, runs[0])
	full(t, p)
	got := awaits(t, p)
	finish(t, p, l)
	l = arrived(t, p, got)
	same(t, l.Job.RunID, runs[1].ID)

	must(t, p.Queue.Return(t.Context(), l, p.Now().Add(time.Second)))
	full(t, p) // the one that was handed back keeps the place
	p = reopened(p, settings)
	full(t, p)
	p.Pass(time.Second)
	finish(t, p, leaseRun(t, p, runs[1]))
	p = reopened(p, settings)
	leaseRun(t, p, runs[2])
}

func limitRunKeys(t *testing.T, p Ports) {
	settings := limiting(t, p, runLimit(1, "event.data.k"))
	first, second := queued(t, p, settings, `{"k":"a"}`), queued(t, p, settings, `{"k":"a"}`)
	other := queued(t, p, settings, `{"k":"b"}`)
	foreign := limiting(t, p, runLimit(1, "event.data.k"))
	l := leaseRun(t, p, first)
	goOn(t, p, l, run.KindSleep, p.Now().Add(time.Hour))
	leaseRun(t, p, other)
	leaseRun(t, p, queued(t, p, foreign, `{"k":"a"}`))
	full(t, p)
	got := awaits(t, p)
	change(t, p, settings.Function, runLimit(2, "event.data.k"))
	same(t, arrived(t, p, got).Job.RunID, second.ID)
	change(t, p, settings.Function, runLimit(1, "event.data.k"))
	third := queued(t, p, settings, `{"k":"a"}`)
	end(t, p, second.ID)
	full(t, p) // the first still sleeps
	change(t, p, settings.Function, runLimit(1, "event.data.other"))
	leaseRun(t, p, third) // its key is not one of the limit any more
}

func limitRunCancelled(t *testing.T, p Ports) {
	settings := limiting(t, p, runLimit(1, ""))
	runs := several(t, p, settings, 3)
	goOn(t, p, leaseRun(t, p, runs[0]), run.KindSleep, p.Now().Add(time.Hour))
	got := awaits(t, p)
	endRun(t, p, load(t, p, runs[0].ID))
	same(t, arrived(t, p, got).Job.RunID, runs[1].ID)
	got = awaits(t, p)
	endRun(t, p, load(t, p, runs[1].ID)) // under its call
	same(t, arrived(t, p, got).Job.RunID, runs[2].ID)
}
