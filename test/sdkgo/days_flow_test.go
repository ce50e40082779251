package sdkgo

import (
	"testing"
	"time"

	"github.com/inngest/inngestgo"

	"github.com/ingothq/ingot/test/harness"
)

var byGroupOfDays = inngestgo.StrPtr("event.data.group")

func testDebounceDays(t *testing.T, d *days) {
	const name = "debounce"
	d.createSingle(t, inngestgo.FunctionOpts{ID: name, Debounce: &inngestgo.ConfigDebounce{Period: 7 * day}})
	d.register(t)
	d.mark(t)
	d.send(t, "go/"+name, one(name, "g", 1))
	d.before(t, 7*day)
	d.ran(t, name, "g")
	d.mark(t)
	d.send(t, "go/"+name, one(name, "g", 2)) // begins the week anew
	d.before(t, 7*day)
	d.ran(t, name, "g")
	d.past(t, 7*day)
	d.await(t, "debounce 2", "call")
	d.past(t, 30*day)
	d.ran(t, name, "g", 2)
}

func testDebounceDaysTimeout(t *testing.T, d *days) {
	const name = "debounce"
	timeout := 5 * day
	d.createSingle(t, inngestgo.FunctionOpts{ID: name, Debounce: &inngestgo.ConfigDebounce{Period: 2 * day, Key: *byGroupOfDays, Timeout: &timeout}})
	d.register(t)
	d.mark(t)
	d.send(t, "go/"+name, one(name, "a", 1))
	d.send(t, "go/"+name, one(name, "b", 2))
	d.before(t, 2*day)
	d.ran(t, name, "b")
	d.send(t, "go/"+name, one(name, "a", 3))
	d.past(t, 2*day)
	d.await(t, "debounce 2", "call")
	d.before(t, 4*day-margin)
	d.send(t, "go/"+name, one(name, "a", 4)) // by its period it would be due on the sixth day
	d.before(t, 5*day)
	d.ran(t, name, "a")
	d.past(t, 5*day)
	d.await(t, "debounce 4", "call")
	d.past(t, 30*day)
	d.ran(t, name, "a", 4)
	d.ran(t, name, "b", 2)
}

func testBatchHours(t *testing.T, d *days) {
	const name = "batch"
	d.createBatch(t, name, inngestgo.ConfigBatchEvents{
		MaxSize: 10, Timeout: 2 * time.Hour, Key: byGroupOfDays, If: inngestgo.StrPtr("event.data.batch == true"),
	})
	d.register(t)
	send := func(group string, n int, batch bool) string {
		return d.send(t, "go/"+name, object{"key": name + " " + group, "group": group, "n": n, "batch": batch})
	}
	d.mark(t)
	send("a", 1, true)
	send("b", 2, true)
	run := d.settle(t, send("alone", 3, false), "batch alone", harness.Completed)
	sameJSON(t, "output", run.Output, `[3]`)
	d.before(t, 2*time.Hour)
	d.sawTimes(t, "batch a", "call", 0)
	d.sawTimes(t, "batch b", "call", 0)
	send("a", 4, true) // the time is that of the first
	d.past(t, 2*time.Hour)
	d.isBatch(t, "batch a", 1, 4)
	d.isBatch(t, "batch b", 2)
}

// admitsAfterADay shows that of a function's events one of a kind is admitted a day. send sends the n-th one and returns its ID.
func (d *days) admitsAfterADay(t *testing.T, name string, send func(n int) string) {
	t.Helper()
	d.register(t)
	admitted := func(n int) {
		t.Helper()
		d.settle(t, send(n), one(name, "", n)["key"].(string), harness.Completed)
	}
	d.mark(t)
	admitted(1)
	d.before(t, day)
	refused := send(2)
	d.quiet(t)
	if runs, err := d.server.EventRuns(t.Context(), refused); err != nil || len(runs) > 0 {
		t.Errorf("just before the day is over: runs %+v, %v; want none", runs, err)
	}
	d.past(t, day)
	admitted(3)
	d.ran(t, name, "g", 1, 3)
}

func testRateLimitDay(t *testing.T, d *days) {
	const name = "rate-limit"
	d.createSingle(t, inngestgo.FunctionOpts{ID: name, RateLimit: &inngestgo.ConfigRateLimit{Limit: 1, Period: day, Key: byGroupOfDays}})
	d.admitsAfterADay(t, name, func(n int) string { return d.send(t, "go/"+name, one(name, "g", n)) })
}

func testIdempotencyDay(t *testing.T, d *days) {
	const name = "idempotency"
	d.createSingle(t, inngestgo.FunctionOpts{ID: name, Idempotency: byGroupOfDays})
	d.admitsAfterADay(t, name, func(n int) string { return d.send(t, "go/"+name, one(name, "g", n)) })
}

func testEventIDDay(t *testing.T, d *days) {
	const name = "event-id"
	d.createSingle(t, inngestgo.FunctionOpts{ID: name})
	d.admitsAfterADay(t, name, func(n int) string {
		event := inngestgo.GenericEvent[object]{ID: inngestgo.StrPtr("the same"), Name: "go/" + name, Data: one(name, "g", n)}
		id, err := d.client.Send(t.Context(), event)
		if err != nil {
			t.Fatalf("send: %v", err)
		}
		return id
	})
}

func testThrottleDay(t *testing.T, d *days) {
	const name = "throttle"
	d.createSingle(t, inngestgo.FunctionOpts{ID: name, Throttle: &inngestgo.ConfigThrottle{Limit: 1, Burst: 1, Period: day, Key: byGroupOfDays}})
	d.register(t)
	d.mark(t)
	d.through(t, name, one(name, "a", 1))
	d.through(t, name, one(name, "a", 2)) // the burst
	third := d.send(t, "go/"+name, one(name, "a", 3))
	d.through(t, name, one(name, "b", 4))
	d.before(t, day)
	d.ran(t, name, "a", 1, 2)
	d.past(t, day)
	d.settle(t, third, "throttle 3", harness.Completed)
	fourth := d.send(t, "go/"+name, one(name, "a", 5))
	d.before(t, 2*day)
	d.ran(t, name, "a", 1, 2, 3)
	d.past(t, 2*day)
	d.settle(t, fourth, "throttle 5", harness.Completed)
	d.ran(t, name, "b", 4)
}

func testConcurrencyDays(t *testing.T, d *days) {
	const name = "concurrency"
	limit := &inngestgo.ConfigConcurrency{Step: []inngestgo.ConfigStepConcurrency{{Limit: 1}}}
	d.createNap(t, inngestgo.FunctionOpts{ID: name, Concurrency: limit}, 3*day)
	d.register(t)
	d.mark(t)
	first, second := d.nap(t, name, 1), d.nap(t, name, 2)
	d.before(t, 3*day)
	d.slept(t, map[string]bool{"concurrency 1": false, "concurrency 2": false})
	d.past(t, 3*day)
	d.settle(t, first, "concurrency 1", harness.Completed)
	d.settle(t, second, "concurrency 2", harness.Completed)
}

func testRunLimitDays(t *testing.T, d *days) {
	const name = "run-limit"
	limit := &inngestgo.ConfigConcurrency{Fn: []inngestgo.ConfigFnConcurrency{{Limit: 1}}}
	d.createNap(t, inngestgo.FunctionOpts{ID: name, Concurrency: limit}, 3*day)
	d.register(t)
	d.mark(t)
	first := d.nap(t, name, 1)
	second := d.send(t, "go/"+name, one(name, "g", 2))
	d.before(t, 3*day)
	d.sawTimes(t, "run-limit 2", "before", 0)
	d.past(t, 3*day)
	d.settle(t, first, "run-limit 1", harness.Completed)
	d.await(t, "run-limit 2", "before")
	d.before(t, 6*day)
	d.goesOn(t, second)
	d.past(t, 6*day+margin) // it began a little after the first ended
	d.settle(t, second, "run-limit 2", harness.Completed)
}

func testSingletonSkipDays(t *testing.T, d *days) {
	const name = "singleton"
	d.createNap(t, inngestgo.FunctionOpts{ID: name, Singleton: &inngestgo.ConfigSingleton{Key: byGroupOfDays, Mode: singletonSkip}}, 3*day)
	d.register(t)
	d.mark(t)
	first := d.nap(t, name, 1)
	d.before(t, 3*day)
	if skipped := d.server.AwaitRun(t, d.send(t, "go/"+name, one(name, "g", 2)), waitLimit); skipped.Status != harness.Skipped {
		t.Errorf("second run is %s, want it skipped", skipped.Status)
	}
	d.goesOn(t, first)
	d.past(t, 3*day)
	d.settle(t, first, "singleton 1", harness.Completed)
	d.mark(t)
	third := d.nap(t, name, 3)
	d.before(t, 3*day)
	d.goesOn(t, third)
	d.past(t, 3*day)
	d.settle(t, third, "singleton 3", harness.Completed)
	d.sawTimes(t, "singleton 2", "before", 0)
}

func testSingletonCancelDays(t *testing.T, d *days) {
	const name = "singleton"
	d.createNap(t, inngestgo.FunctionOpts{ID: name, Singleton: &inngestgo.ConfigSingleton{Key: byGroupOfDays, Mode: singletonCancel}}, 3*day)
	d.register(t)
	d.mark(t)
	first := d.nap(t, name, 1)
	d.before(t, 2*day)
	d.goesOn(t, first)
	d.mark(t)
	second := d.nap(t, name, 2)
	d.settle(t, first, "singleton 1", harness.Cancelled)
	d.before(t, 3*day) // the nap of the first would be over
	d.slept(t, map[string]bool{"singleton 1": false, "singleton 2": false})
	d.past(t, 3*day)
	d.settle(t, second, "singleton 2", harness.Completed)
	d.slept(t, map[string]bool{"singleton 1": false})
}

func testPriorityHours(t *testing.T, d *days) {
	const name = "priority"
	d.createSingle(t, inngestgo.FunctionOpts{ID: name, Priority: &inngestgo.ConfigPriority{Run: inngestgo.StrPtr("event.data.priority")}})
	d.register(t)
	with := func(n, seconds int) object {
		data := one(name, "g", n)
		data["priority"] = seconds
		return data
	}
	d.mark(t)
	late := d.send(t, "go/"+name, with(1, -12*60*60))
	d.through(t, name, with(2, 0))
	d.before(t, 12*time.Hour)
	d.ran(t, name, "g", 2)
	d.past(t, 12*time.Hour)
	d.settle(t, late, "priority 1", harness.Completed)
	d.ran(t, name, "g", 2, 1)
}
