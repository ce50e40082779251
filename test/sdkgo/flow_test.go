package sdkgo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/group"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

var flowScenarios = map[string]func(*testing.T, *app){
	"batch starts when it is full, the rest goes on":  testBatchFull,
	"batch that fills up slowly starts when full":     testBatchSlow,
	"batch starts when its time is up":                testBatchTimeout,
	"each key has its batch":                          testBatchKey,
	"what a batch is not for runs alone":              testBatchIf,
	"debounce runs once, with the last event":         testDebounce,
	"each key is debounced by itself":                 testDebounceKey,
	"debounce waits for its timeout at the longest":   testDebounceTimeout,
	"over the rate limit events are dropped":          testRateLimit,
	"idempotency runs once for a value":               testIdempotency,
	"singleton skips what comes while it runs":        testSingletonSkip,
	"singleton cancels what runs when the next comes": testSingletonCancel,
	"all who invoke a batch get its result":           testInvokeBatch,
	"who invokes over the rate limit is told":         testInvokeLimited,
	"who invokes a singleton in progress is told":     testInvokeSingleton,
}

// never is longer than a test lasts.
const never = 10 * time.Minute

// The modes of singletons by their numbers, since the SDK does not export their names.
const (
	singletonSkip   = 0
	singletonCancel = 1
)

func (a *app) createFlow(t *testing.T) {
	t.Helper()
	byGroup, timeout := inngestgo.StrPtr("event.data.group"), 2*time.Second
	limit := &inngestgo.ConfigRateLimit{Limit: 1, Period: 24 * time.Hour, Key: byGroup}
	a.createBatch(t, "batch-full", inngestgo.ConfigBatchEvents{MaxSize: 3, Timeout: never})
	a.createBatch(t, "batch-slow", inngestgo.ConfigBatchEvents{MaxSize: 3, Timeout: never})
	a.createBatch(t, "batch-timeout", inngestgo.ConfigBatchEvents{MaxSize: 10, Timeout: time.Second})
	a.createBatch(t, "batch-key", inngestgo.ConfigBatchEvents{MaxSize: 2, Timeout: never, Key: byGroup})
	a.createBatch(t, "batch-if", inngestgo.ConfigBatchEvents{MaxSize: 2, Timeout: never, If: inngestgo.StrPtr("event.data.batch == true")})
	a.createBatch(t, "invoked-batch", inngestgo.ConfigBatchEvents{MaxSize: 2, Timeout: never})
	a.createSingle(t, inngestgo.FunctionOpts{ID: "debounce", Debounce: &inngestgo.ConfigDebounce{Period: time.Second}})
	a.createSingle(t, inngestgo.FunctionOpts{ID: "debounce-key", Debounce: &inngestgo.ConfigDebounce{Period: time.Second, Key: *byGroup}})
	a.createSingle(t, inngestgo.FunctionOpts{ID: "debounce-timeout", Debounce: &inngestgo.ConfigDebounce{Period: time.Minute, Timeout: &timeout}})
	a.createSingle(t, inngestgo.FunctionOpts{ID: "rate-limit", RateLimit: limit})
	a.createSingle(t, inngestgo.FunctionOpts{ID: "invoked-limited", RateLimit: limit})
	a.createSingle(t, inngestgo.FunctionOpts{ID: "idempotency", Idempotency: inngestgo.StrPtr("event.data.id")})
	a.createSingleton(t, "singleton-skip", &inngestgo.ConfigSingleton{Key: byGroup, Mode: singletonSkip})
	a.createSingleton(t, "singleton-cancel", &inngestgo.ConfigSingleton{Key: byGroup, Mode: singletonCancel})
	a.createInvoker(t, "invoke-batch", "invoked-batch")
	a.createInvoker(t, "invoke-limited", "invoked-limited")
	a.createInvoker(t, "invoke-singleton", "singleton-skip")
}

// createBatch makes a function that is noted under the key of its first event, and returns what is in the batch.
func (a *app) createBatch(t *testing.T, id string, batch inngestgo.ConfigBatchEvents) {
	t.Helper()
	opts := inngestgo.FunctionOpts{ID: id, Name: id, Retries: inngestgo.IntPtr(0), BatchEvents: &batch}
	a.create(t, opts, "go/"+id, nil, func(_ context.Context, in input) (any, error) {
		a.note(in, "call")
		if first := in.Events[0].ID; *first != *in.Event.ID {
			return nil, fmt.Errorf("event %s is not the first of events, %s", *in.Event.ID, *first)
		}
		numbers := []float64{}
		for _, event := range in.Events {
			n, _ := event.Data["n"].(float64)
			numbers = append(numbers, n)
		}
		slices.Sort(numbers)
		return numbers, nil
	})
}

// createSingle makes a function of single events: it notes their numbers under its id and their group, and returns them.
func (a *app) createSingle(t *testing.T, opts inngestgo.FunctionOpts) {
	t.Helper()
	opts.Name, opts.Retries = opts.ID, inngestgo.IntPtr(0)
	a.create(t, opts, "go/"+opts.ID, nil, func(_ context.Context, in input) (any, error) {
		a.note(in, "call")
		a.noteKey(fmt.Sprintf("%s %v", opts.ID, in.Event.Data["group"]), in.InputCtx.RunID, fmt.Sprintf("call %v", in.Event.Data["n"]))
		return in.Event.Data["n"], nil
	})
}

// createSingleton makes a function whose runs wait for an event with their key.
func (a *app) createSingleton(t *testing.T, id string, singleton *inngestgo.ConfigSingleton) {
	t.Helper()
	mine := inngestgo.StrPtr("async.data.key == event.data.key")
	opts := inngestgo.FunctionOpts{ID: id, Name: id, Retries: inngestgo.IntPtr(0), Singleton: singleton}
	a.create(t, opts, "go/"+id, nil, func(ctx context.Context, in input) (any, error) {
		results := group.Parallel(ctx,
			func(ctx context.Context) (any, error) {
				return step.WaitForEvent[object](ctx, "wait", step.WaitForEventOpts{Event: "go/singleton.go", Timeout: long, If: mine})
			},
			func(ctx context.Context) (any, error) { return stepOf(ctx, a, in, "armed", true), nil },
		)
		if err := results.AnyError(); err != nil {
			return nil, err
		}
		return stepOf(ctx, a, in, "after", in.Event.Data["n"]), nil
	})
}

// createInvoker makes a function that invokes another with its own group and number.
func (a *app) createInvoker(t *testing.T, id, child string) {
	t.Helper()
	opts := inngestgo.FunctionOpts{ID: id, Name: id, Retries: inngestgo.IntPtr(0)}
	a.create(t, opts, "go/"+id, nil, func(ctx context.Context, in input) (any, error) {
		a.note(in, "call")
		data := object{"key": id + "/child", "group": in.Event.Data["group"], "n": in.Event.Data["n"]}
		got, err := step.Invoke[any](ctx, "call", step.InvokeOpts{FunctionId: "go-suite-" + child, Data: data})
		if err != nil {
			return object{"caught": err.Error()}, nil
		}
		return object{"result": got}, nil
	})
}

// one is the data of an event of the group, whose key is the function's name and the number.
func one(name, group string, n int) object {
	return object{"key": fmt.Sprintf("%s %d", name, n), "group": group, "n": n}
}

// sendAll sends events in one request, with their own times, a second ago, in the order of their numbers.
func (a *app) sendAll(t *testing.T, name string, all ...object) {
	t.Helper()
	var events []any
	past := time.Now().Add(-time.Second).UnixMilli()
	for _, data := range all {
		n, _ := data["n"].(int)
		events = append(events, inngestgo.GenericEvent[object]{Name: "go/" + name, Data: data, Timestamp: past + int64(n)})
	}
	if ids, err := a.client.SendMany(t.Context(), events); err != nil || len(ids) != len(all) {
		t.Fatalf("send %s: ids %v, %v", name, ids, err)
	}
}

// numbered are events of one batch key and the numbers.
func numbered(key string, numbers ...int) []object {
	var all []object
	for _, n := range numbers {
		all = append(all, object{"key": key, "n": n})
	}
	return all
}

// batches waits for the runs whose first event has the key, no more and no less, and returns their contents.
func (a *app) batches(t *testing.T, key string, count int) [][]int {
	t.Helper()
	harness.Eventually(t, waitLimit, "batches of "+key, func() (bool, string) {
		runs := a.runs(key)
		return len(runs) >= count, fmt.Sprintf("%d of %d", len(runs), count)
	})
	var contents [][]int
	for _, id := range a.runs(key) {
		run := a.server.AwaitRunID(t, id, waitLimit)
		var numbers []int
		if err := json.Unmarshal(run.Output, &numbers); err != nil || run.Status != harness.Completed {
			t.Fatalf("batch %s of %s is %s: %s, %v", id, key, run.Status, run.Output, err)
		}
		contents = append(contents, numbers)
	}
	a.sawTimes(t, key, "call", count)
	return contents
}

// isBatch fails the test unless there is one batch of the key, with these numbers.
func (a *app) isBatch(t *testing.T, key string, want ...int) {
	t.Helper()
	if got := a.batches(t, key, 1); !slices.Equal(got[0], want) {
		t.Errorf("batch of %s is %v, want %v", key, got[0], want)
	}
}

// ran fails the test unless the function ran for these numbers of the group and no others, each once and in this order.
func (a *app) ran(t *testing.T, name, group string, want ...int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	var got, wanted []string
	for _, s := range a.seen[name+" "+group] {
		got = append(got, s.what)
	}
	for _, n := range want {
		wanted = append(wanted, fmt.Sprintf("call %d", n))
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("%s of group %s: got %v, want %v", name, group, got, wanted)
	}
}

// through runs one event through a function to its end.
func (a *app) through(t *testing.T, name string, data object) {
	t.Helper()
	key, _ := data["key"].(string)
	run := a.settle(t, a.send(t, "go/"+name, data), key, harness.Completed)
	sameJSON(t, "output of "+key, run.Output, fmt.Sprint(data["n"]))
}

func testBatchFull(t *testing.T, a *app) {
	const key = "batch-full"
	a.sendAll(t, key, numbered(key, 1, 2, 3, 4)...)
	a.batches(t, key, 1)
	a.sendAll(t, key, numbered(key, 5, 6)...)
	both := a.batches(t, key, 2)
	all := slices.Sorted(slices.Values(slices.Concat(both...)))
	if len(both[0]) != 3 || !slices.Equal(all, []int{1, 2, 3, 4, 5, 6}) {
		t.Errorf("batches are %v, want two with three events each", both)
	}
}

func testBatchSlow(t *testing.T, a *app) {
	const key = "batch-slow"
	for n := 1; n <= 3; n++ {
		a.send(t, "go/"+key, object{"key": key, "n": n})
	}
	a.isBatch(t, key, 1, 2, 3)
}

func testBatchTimeout(t *testing.T, a *app) {
	const key = "batch-timeout"
	sent := time.Now()
	a.sendAll(t, key, numbered(key, 1, 2)...)
	a.isBatch(t, key, 1, 2)
	if took := a.times(key, "call")[0].Sub(sent); took < time.Second {
		t.Errorf("started after %s, before its time", took)
	}
}

func testBatchKey(t *testing.T, a *app) {
	var all []object
	for n, group := range []string{"a", "b", "a", "b"} {
		all = append(all, object{"key": "batch-key " + group, "group": group, "n": n})
	}
	a.sendAll(t, "batch-key", all...)
	a.isBatch(t, "batch-key a", 0, 2)
	a.isBatch(t, "batch-key b", 1, 3)
}

func testBatchIf(t *testing.T, a *app) {
	const key = "batch-if"
	a.send(t, "go/"+key, object{"key": key, "batch": true, "n": 1})
	run := a.settle(t, a.send(t, "go/"+key, object{"key": "batch-if alone", "n": 2}), "batch-if alone", harness.Completed)
	sameJSON(t, "output", run.Output, `[2]`)
	a.sawTimes(t, key, "call", 0) // it is not full
	a.send(t, "go/"+key, object{"key": key, "batch": true, "n": 3})
	a.isBatch(t, key, 1, 3)
}

func testDebounce(t *testing.T, a *app) {
	const name = "debounce"
	sent := time.Now()
	a.sendAll(t, name, one(name, "g", 3), one(name, "g", 1), one(name, "g", 2))
	a.await(t, "debounce 3", "call")
	if took := a.times("debounce 3", "call")[0].Sub(sent); took < time.Second {
		t.Errorf("started after %s, before its time", took)
	}
	a.through(t, name, one(name, "g", 4)) // a debounce later, what should not have run would have
	a.ran(t, name, "g", 3, 4)
}

func testDebounceKey(t *testing.T, a *app) {
	const name = "debounce-key"
	a.sendAll(t, name, one(name, "a", 1), one(name, "b", 2), one(name, "a", 3), one(name, "b", 4))
	a.await(t, "debounce-key 3", "call")
	a.await(t, "debounce-key 4", "call")
	a.through(t, name, one(name, "a", 5))
	a.ran(t, name, "a", 3, 5)
	a.ran(t, name, "b", 4)
}

func testDebounceTimeout(t *testing.T, a *app) {
	const name = "debounce-timeout"
	sent := time.Now()
	a.sendAll(t, name, one(name, "g", 1))
	a.sendAll(t, name, one(name, "g", 2))
	a.await(t, "debounce-timeout 2", "call")
	if took := a.times("debounce-timeout 2", "call")[0].Sub(sent); took < 2*time.Second || took >= time.Minute {
		t.Errorf("started after %s, want 2s", took)
	}
	a.ran(t, name, "g", 2)
}

func testRateLimit(t *testing.T, a *app) {
	const name = "rate-limit"
	a.through(t, name, one(name, "a", 1))
	a.startsNothing(t, name, one(name, "a", 2), func() { a.through(t, name, one(name, "b", 3)) })
	a.ran(t, name, "a", 1)
	a.ran(t, name, "b", 3)
}

func testIdempotency(t *testing.T, a *app) {
	const name = "idempotency"
	of := func(id string, n int) object {
		data := one(name, "g", n)
		if id != "" {
			data["id"] = id
		}
		return data
	}
	a.through(t, name, of("a", 1))
	a.startsNothing(t, name, of("a", 2), func() { a.through(t, name, of("b", 3)) })
	// Without a value there is nothing to tell them apart by: all run.
	a.through(t, name, of("", 4))
	a.through(t, name, of("", 5))
	a.ran(t, name, "g", 1, 3, 4, 5)
}

// startsNothing sends an event that comes to no run, which is known when another, sent after it, has come to its end.
func (a *app) startsNothing(t *testing.T, name string, data object, other func()) {
	t.Helper()
	id := a.send(t, "go/"+name, data)
	other()
	if runs, err := a.server.EventRuns(t.Context(), id); err != nil || len(runs) > 0 {
		t.Errorf("event %v has the runs %v, %v; want none", data, runs, err)
	}
}

// arm starts a run that waits, and returns its event.
func (a *app) arm(t *testing.T, name string, data object) string {
	t.Helper()
	id := a.send(t, "go/"+name, data)
	key, _ := data["key"].(string)
	a.await(t, key, "armed")
	return id
}

// release lets an armed run come to its end.
func (a *app) release(t *testing.T, eventID, key string) {
	t.Helper()
	a.send(t, "go/singleton.go", object{"key": key})
	a.settle(t, eventID, key, harness.Completed)
	a.sawOnce(t, key, "armed", "after")
}

func testSingletonSkip(t *testing.T, a *app) {
	const name = "singleton-skip"
	first := a.arm(t, name, one(name, "a", 1))
	skipped := a.server.AwaitRun(t, a.send(t, "go/"+name, one(name, "a", 2)), waitLimit)
	if skipped.Status != harness.Skipped {
		t.Errorf("second run is %s, want it skipped", skipped.Status)
	}
	sameJSON(t, "output of the skipped run", skipped.Output, `{"skipReason":"Singleton"}`)
	other := a.arm(t, name, one(name, "b", 3))
	a.release(t, first, "singleton-skip 1")
	a.release(t, other, "singleton-skip 3")
	a.release(t, a.arm(t, name, one(name, "a", 4)), "singleton-skip 4")
	if runs := a.runs("singleton-skip 2"); len(runs) > 0 {
		t.Errorf("the app was called for %v", runs)
	}
}

func testSingletonCancel(t *testing.T, a *app) {
	const name = "singleton-cancel"
	first := a.arm(t, name, one(name, "a", 1))
	other := a.arm(t, name, one(name, "b", 2))
	second := a.arm(t, name, one(name, "a", 3))
	a.settle(t, first, "singleton-cancel 1", harness.Cancelled)
	a.send(t, "go/singleton.go", object{"key": "singleton-cancel 1"}) // too late
	a.release(t, second, "singleton-cancel 3")
	a.release(t, other, "singleton-cancel 2")
	a.sawTimes(t, "singleton-cancel 1", "after", 0)
}

func testInvokeBatch(t *testing.T, a *app) {
	const name = "invoke-batch"
	var ids []string
	for n := 1; n <= 2; n++ {
		ids = append(ids, a.send(t, "go/"+name, one(name, "g", n)))
	}
	for i, id := range ids {
		run := a.settle(t, id, fmt.Sprintf("%s %d", name, i+1), harness.Completed)
		sameJSON(t, "output", run.Output, `{"result":[1,2]}`)
	}
	a.isBatch(t, "invoke-batch/child", 1, 2)
}

func testInvokeLimited(t *testing.T, a *app) {
	const name = "invoke-limited"
	run := a.settle(t, a.send(t, "go/"+name, one(name, "g", 1)), "invoke-limited 1", harness.Completed)
	sameJSON(t, "output", run.Output, `{"result":1}`)
	run = a.settle(t, a.send(t, "go/"+name, one(name, "g", 2)), "invoke-limited 2", harness.Completed)
	sameJSON(t, "output", run.Output, `{"caught":"invoked function is rate limited"}`)
	a.ran(t, "invoked-limited", "g", 1)
}

func testInvokeSingleton(t *testing.T, a *app) {
	first := a.arm(t, "singleton-skip", one("singleton-skip", "invoked", 5))
	id := a.send(t, "go/invoke-singleton", object{"key": "invoke-singleton", "group": "invoked", "n": 6})
	run := a.settle(t, id, "invoke-singleton", harness.Completed)
	sameJSON(t, "output", run.Output, `{"caught":"invoked function was not started: another run of it is in progress"}`)
	a.release(t, first, "singleton-skip 5")
	a.sawTimes(t, "invoke-singleton/child", "armed", 0)
}
