package sdkgo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

var limitScenarios = map[string]func(*testing.T, *app){
	"concurrency: never more at once than the limit":      testConcurrency,
	"concurrency: a key at its limit holds up no other":   testConcurrencyKey,
	"concurrency: of two limits both hold":                testConcurrencyTwo,
	"concurrency: a run has its place until it has ended": testRunLimit,
	"priority: the number of an event orders the runs":    testPriority,
	"throttle: starts are a period apart":                 testThrottle,
	"throttle: a burst goes at once, and so do steps":     testThrottleBurst,
}

// between is how long a call stays in the app, so that others would meet it there.
const between = 100 * time.Millisecond

func (a *app) createLimits(t *testing.T) {
	t.Helper()
	byGroup, byNumber := inngestgo.StrPtr("event.data.group"), inngestgo.StrPtr("event.data.priority")
	steps := func(limits ...inngestgo.ConfigStepConcurrency) *inngestgo.ConfigConcurrency {
		return &inngestgo.ConfigConcurrency{Step: limits}
	}
	one, day := inngestgo.ConfigStepConcurrency{Limit: 1}, 24*time.Hour
	oneOfGroup := inngestgo.ConfigStepConcurrency{Limit: 1, Key: byGroup}

	a.createLimited(t, inngestgo.FunctionOpts{ID: "concurrency", Concurrency: steps(one)}, a.passes)
	a.createLimited(t, inngestgo.FunctionOpts{ID: "concurrency-key", Concurrency: steps(oneOfGroup)}, a.waits)
	two := steps(oneOfGroup, inngestgo.ConfigStepConcurrency{Limit: 2})
	a.createLimited(t, inngestgo.FunctionOpts{ID: "concurrency-two", Concurrency: two}, a.waits)
	a.createLimited(t, inngestgo.FunctionOpts{ID: "priority", Concurrency: steps(one), Priority: &inngestgo.ConfigPriority{Run: byNumber}}, a.waits)
	runs := &inngestgo.ConfigConcurrency{Fn: []inngestgo.ConfigFnConcurrency{{Limit: 1}}}
	a.createLimited(t, inngestgo.FunctionOpts{ID: "run-limit", Concurrency: runs}, a.naps)
	a.createLimited(t, inngestgo.FunctionOpts{ID: "throttle", Throttle: &inngestgo.ConfigThrottle{Limit: 1, Period: time.Second}}, a.passes)
	burst := &inngestgo.ConfigThrottle{Limit: 1, Burst: 1, Period: day, Key: byGroup}
	a.createLimited(t, inngestgo.FunctionOpts{ID: "throttle-burst", Throttle: burst}, a.passes)
}

// createLimited makes a function of single events that returns their numbers.
func (a *app) createLimited(t *testing.T, opts inngestgo.FunctionOpts, body func(ctx context.Context, in input, id string)) {
	t.Helper()
	opts.Name, opts.Retries = opts.ID, inngestgo.IntPtr(0)
	a.create(t, opts, "go/"+opts.ID, nil, func(ctx context.Context, in input) (any, error) {
		body(ctx, in, opts.ID)
		return in.Event.Data["n"], nil
	})
}

// passes takes its time in each of two steps.
func (a *app) passes(ctx context.Context, in input, id string) {
	for _, name := range []string{"first", "second"} {
		_, _ = step.Run(ctx, name, func(context.Context) (bool, error) {
			a.within(in, id, func() { time.Sleep(between) })
			a.noteStep(in, name, name)
			return true, nil
		})
	}
}

// waits stays in the app until the gate of its key, if it has one, is open.
func (a *app) waits(_ context.Context, in input, id string) {
	a.within(in, id, func() {
		a.note(in, "call")
		a.noteKey(id, in.InputCtx.RunID, fmt.Sprint(in.Event.Data["n"]))
		if gate, ok := in.Event.Data["gate"].(string); ok {
			<-a.gate(gate)
		}
	})
}

// naps gives nothing to do while the run is in progress.
func (a *app) naps(ctx context.Context, in input, _ string) {
	stepOf(ctx, a, in, "before", true)
	step.Sleep(ctx, "nap", time.Second)
	stepOf(ctx, a, in, "after", true)
}

// within counts the calls that are in the app at once: all of the function, and those of the event's group.
func (a *app) within(in input, id string, body func()) {
	names := []string{id, fmt.Sprintf("%s %v", id, in.Event.Data["group"])}
	a.mu.Lock()
	for _, name := range names {
		a.inside[name]++
		a.most[name] = max(a.most[name], a.inside[name])
	}
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, name := range names {
			a.inside[name]--
		}
	}()
	body()
}

// hadAtOnce fails the test unless there were, at the most, so many calls in the app.
func (a *app) hadAtOnce(t *testing.T, name string, want int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if got := a.most[name]; got != want {
		t.Errorf("%d calls of %s were in the app at once, want %d", got, name, want)
	}
}

// open opens the gate, at the end of the test if not before, so that nothing waits at it for ever.
func (a *app) open(t *testing.T, gate string) func() {
	t.Helper()
	open := sync.OnceFunc(func() { close(a.gate(gate)) })
	t.Cleanup(open)
	return open
}

// gated is one for a run that waits at the gate of the function's name.
func gated(name, group string, n int) object {
	data := one(name, group, n)
	data["gate"] = name
	return data
}

// start sends the events one by one and returns their ids when each of them has its run.
func (a *app) start(t *testing.T, name string, all ...object) []string {
	t.Helper()
	var ids []string
	for _, data := range all {
		id := a.send(t, "go/"+name, data)
		harness.Eventually(t, waitLimit, fmt.Sprintf("run of %v", data), func() (bool, string) {
			runs, err := a.server.EventRuns(t.Context(), id)
			return len(runs) == 1, fmt.Sprint(runs, err)
		})
		ids = append(ids, id)
	}
	return ids
}

// end waits until the events' runs, which are numbered from 1 on, have come to their ends.
func (a *app) end(t *testing.T, name string, ids ...string) {
	t.Helper()
	for i, id := range ids {
		run := a.settle(t, id, fmt.Sprintf("%s %d", name, i+1), harness.Completed)
		sameJSON(t, "output", run.Output, fmt.Sprint(i+1))
	}
}

func testConcurrency(t *testing.T, a *app) {
	const name = "concurrency"
	a.end(t, name, a.start(t, name, one(name, "g", 1), one(name, "g", 2), one(name, "g", 3), one(name, "g", 4))...)
	a.hadAtOnce(t, name, 1)
}

func testConcurrencyKey(t *testing.T, a *app) {
	const name = "concurrency-key"
	open := a.open(t, name)
	ids := a.start(t, name, gated(name, "a", 1), gated(name, "a", 2))
	a.await(t, "concurrency-key 1", "call")
	a.through(t, name, one(name, "b", 3)) // while the first of the other key is in the app
	a.sawTimes(t, "concurrency-key 2", "call", 0)
	open()
	a.end(t, name, ids...)
	a.hadAtOnce(t, name+" a", 1)
}

func testConcurrencyTwo(t *testing.T, a *app) {
	const name = "concurrency-two"
	open := a.open(t, name)
	ids := a.start(t, name, gated(name, "a", 1), gated(name, "a", 2), gated(name, "b", 3), gated(name, "c", 4))
	a.await(t, "concurrency-two 1", "call")
	a.await(t, "concurrency-two 3", "call")
	open()
	a.end(t, name, ids...)
	a.hadAtOnce(t, name, 2)
	a.hadAtOnce(t, name+" a", 1)
}

func testRunLimit(t *testing.T, a *app) {
	const name = "run-limit"
	a.end(t, name, a.start(t, name, one(name, "g", 1), one(name, "g", 2))...)
	first, second := a.times("run-limit 1", "after")[0], a.times("run-limit 2", "before")[0]
	if second.Before(first) {
		t.Errorf("the second run began %s before the end of the first", first.Sub(second))
	}
}

func testPriority(t *testing.T, a *app) {
	const name = "priority"
	open := a.open(t, name)
	ids := a.start(t, name, gated(name, "g", 1))
	a.await(t, "priority 1", "call")
	for n, factor := range []float64{0, 50.5, 100, 0} {
		data := one(name, "g", n+2)
		data["priority"] = factor
		ids = append(ids, a.start(t, name, data)...)
	}
	open()
	a.end(t, name, ids...)
	a.mu.Lock()
	defer a.mu.Unlock()
	var order []string
	for _, s := range a.seen[name] {
		order = append(order, s.what)
	}
	if !slices.Equal(order, []string{"1", "4", "3", "2", "5"}) {
		t.Errorf("runs started in the order %v", order)
	}
}

func testThrottle(t *testing.T, a *app) {
	const name = "throttle"
	sent := time.Now()
	a.end(t, name, a.start(t, name, one(name, "g", 1), one(name, "g", 2), one(name, "g", 3))...)
	var starts []time.Time
	for n := 1; n <= 3; n++ {
		starts = append(starts, a.times(fmt.Sprintf("throttle %d", n), "first")[0])
	}
	slices.SortFunc(starts, time.Time.Compare)
	// A start may come to the app late, never early: each is measured from when the first could have been.
	for n, at := range starts {
		if after, want := at.Sub(sent), time.Duration(n)*time.Second; after < want-clocks {
			t.Errorf("start %d came after %s, before its time", n+1, after)
		}
	}
}

// clocks is what the clocks of the server and of the test may differ by.
const clocks = 5 * time.Millisecond

func testThrottleBurst(t *testing.T, a *app) {
	const name = "throttle-burst"
	a.end(t, name, a.start(t, name, one(name, "a", 1), one(name, "a", 2))...)
	a.start(t, name, one(name, "a", 3)) // for tomorrow
	a.through(t, name, one(name, "b", 4))
	a.sawTimes(t, "throttle-burst 3", "first", 0)
}
