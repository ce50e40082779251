package sdkgo

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/group"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

var cancelScenarios = map[string]func(*testing.T, *app){
	"event cancels the run it is meant for": testCancelOn,
	"cancelled while a step runs":           testCancelInFlight,
	"cancelled when time is up":             testFinishTimeout,
	"cancelled when it starts too late":     testStartTimeout,
	"unknown run cannot be cancelled":       testCancelUnknown,
}

func (a *app) createCancelled(t *testing.T) {
	t.Helper()
	mine := inngestgo.StrPtr("async.data.key == event.data.key")
	a.create(t, inngestgo.FunctionOpts{
		ID: "cancellable", Name: "cancellable", Cancel: []inngestgo.ConfigCancel{{Event: "go/cancel.now", If: mine}},
	}, "go/cancellable", nil, func(ctx context.Context, in input) (any, error) {
		results := group.Parallel(ctx,
			func(ctx context.Context) (any, error) {
				return step.WaitForEvent[object](ctx, "wait", step.WaitForEventOpts{Event: "go/cancel.go", Timeout: long, If: mine})
			},
			func(ctx context.Context) (any, error) { return stepOf(ctx, a, in, "armed", true), nil },
		)
		if err := results.AnyError(); err != nil {
			return nil, err
		}
		return stepOf(ctx, a, in, "after", "went on"), nil
	})
	a.create(t, inngestgo.FunctionOpts{ID: "in-flight", Name: "in-flight"}, "go/in-flight", nil, func(ctx context.Context, in input) (any, error) {
		_, err := step.Run(ctx, "held", func(context.Context) (string, error) {
			a.noteStep(in, "held", "held")
			<-a.gate("in-flight")
			return "late", nil
		})
		if err != nil {
			return nil, err
		}
		return stepOf(ctx, a, in, "after", 1), nil
	})
	start, finish := time.Second, 5*time.Second
	a.create(t, inngestgo.FunctionOpts{
		ID: "start-timeout", Name: "start-timeout", Timeouts: &inngestgo.ConfigTimeouts{Start: &start},
	}, "go/start-timeout", nil, func(ctx context.Context, in input) (any, error) { return stepOf(ctx, a, in, "one", 1), nil })
	a.create(t, inngestgo.FunctionOpts{
		ID: "finish-timeout", Name: "finish-timeout", Timeouts: &inngestgo.ConfigTimeouts{Finish: &finish},
	}, "go/finish-timeout", nil, func(ctx context.Context, in input) (any, error) {
		stepOf(ctx, a, in, "before", 1)
		step.Sleep(ctx, "nap", time.Minute)
		return stepOf(ctx, a, in, "after", 1), nil
	})
}

// gate returns the channel that steps of the key wait at until the test closes it.
func (a *app) gate(key string) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gates[key] == nil {
		a.gates[key] = make(chan struct{})
	}
	return a.gates[key]
}

func testCancelOn(t *testing.T, a *app) {
	keys := []string{"cancel this", "not this"}
	var ids []string
	for _, key := range keys {
		ids = append(ids, a.send(t, "go/cancellable", object{"key": key}))
	}
	for _, key := range keys {
		a.await(t, key, "armed")
	}
	a.send(t, "go/cancel.now", object{"key": keys[0]})
	a.settle(t, ids[0], keys[0], harness.Cancelled)
	// The other one is alive, and for the cancelled one the event comes too late.
	for _, key := range keys {
		a.send(t, "go/cancel.go", object{"key": key})
	}
	sameJSON(t, "output", a.settle(t, ids[1], keys[1], harness.Completed).Output, `"went on"`)
	a.sawTimes(t, keys[0], "after", 0)
}

func testCancelInFlight(t *testing.T, a *app) {
	id := a.send(t, "go/in-flight", object{"key": "in-flight"})
	runID := a.await(t, "in-flight", "held")
	a.server.Cancel(t, runID)
	a.settle(t, id, "in-flight", harness.Cancelled)
	close(a.gate("in-flight"))
	harness.Eventually(t, waitLimit, "the late answer", func() (bool, string) {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.answered[runID] > 0, "not sent"
	})
	// A whole other run goes through meanwhile: time enough for a server that would take the answer.
	a.finish(t, "go/sleep", "in-flight other", harness.Completed)
	if run := a.server.AwaitRunID(t, runID, waitLimit); run.Status != harness.Cancelled {
		t.Errorf("run is %s after its late answer", run.Status)
	}
	a.sawOnce(t, "in-flight", "held")
	a.sawTimes(t, "in-flight", "after", 0)
	a.server.Cancel(t, runID) // an ended run: nothing to do (Spec 04 §7.2)
}

func testFinishTimeout(t *testing.T, a *app) {
	started := time.Now()
	a.finish(t, "go/finish-timeout", "finish-timeout", harness.Cancelled)
	if took := time.Since(started); took < 5*time.Second || took > 55*time.Second {
		t.Errorf("cancelled after %s, want 5s", took)
	}
	a.sawOnce(t, "finish-timeout", "before")
	a.sawTimes(t, "finish-timeout", "after", 0)
}

func testStartTimeout(t *testing.T, a *app) {
	// It is to start when its event says, which is too late.
	id := a.sendAt(t, "go/start-timeout", object{"key": "start-timeout"}, time.Now().Add(30*time.Second))
	if run := a.server.AwaitRun(t, id, waitLimit); run.Status != harness.Cancelled {
		t.Errorf("run is %s, want it cancelled", run.Status)
	}
	if runs := a.runs("start-timeout"); len(runs) > 0 {
		t.Errorf("the app was called for %v", runs)
	}
	a.finish(t, "go/start-timeout", "start-timeout in time", harness.Completed)
}

func testCancelUnknown(t *testing.T, a *app) {
	status, text, err := a.server.Call(t.Context(), http.MethodDelete, "/v1/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV", "")
	if err != nil || status != http.StatusNotFound {
		t.Error(fmt.Sprintf("status %d, want 404", status), err, text)
	}
}
