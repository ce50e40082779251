package sdkgo

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	ierrors "github.com/inngest/inngestgo/errors"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

var invokeScenarios = map[string]func(*testing.T, *app){
	"invoke a function":                      testInvoke,
	"invoke a function that returns nothing": testInvokeNothing,
	"invoke a function that fails":           testInvokeFails,
	"invoke an unknown function":             testInvokeUnknown,
	"invoke a function that takes too long":  testInvokeSlow,
	"invoke a function that is cancelled":    testInvokeCancelled,
}

// createInvokes declares functions and, for each, one that invokes it; the key of the child is the parent's with
// "/child". The Go SDK knows functions by their id only.
func (a *app) createInvokes(t *testing.T) {
	t.Helper()
	parent := func(id, child string, timeout time.Duration) {
		a.create(t, inngestgo.FunctionOpts{ID: id, Name: id, Retries: inngestgo.IntPtr(0)}, "go/"+id, nil, func(ctx context.Context, in input) (any, error) {
			a.note(in, "call")
			key, _ := in.Event.Data["key"].(string)
			got, err := step.Invoke[any](ctx, "call", step.InvokeOpts{
				FunctionId: "go-suite-" + child, Data: object{"key": key + "/child", "n": 42}, Timeout: timeout,
			})
			if err != nil {
				return object{"caught": err.Error()}, nil
			}
			return object{"result": got}, nil
		})
	}
	child := func(id string, fn handler) {
		a.create(t, inngestgo.FunctionOpts{ID: id, Name: id, Retries: inngestgo.IntPtr(3)}, "go/"+id, nil, fn)
	}
	child("child", func(ctx context.Context, in input) (any, error) {
		n, _ := in.Event.Data["n"].(float64)
		return object{"doubled": stepOf(ctx, a, in, "double", 2*n)}, nil
	})
	child("child-nothing", func(_ context.Context, in input) (any, error) {
		a.note(in, "call")
		return nil, nil
	})
	child("child-fails", func(_ context.Context, in input) (any, error) {
		a.note(in, "call")
		return nil, ierrors.NoRetryError(errors.New("the child says no"))
	})
	child("child-slow", func(ctx context.Context, in input) (any, error) {
		step.Sleep(ctx, "nap", 4*time.Second)
		return stepOf(ctx, a, in, "after", "too late"), nil
	})
	child("child-waits", func(ctx context.Context, in input) (any, error) {
		stepOf(ctx, a, in, "up", 1)
		step.Sleep(ctx, "nap", long)
		return nil, nil
	})
	parent("invoke", "child", 0)
	parent("invoke-nothing", "child-nothing", 0)
	parent("invoke-fails", "child-fails", 0)
	parent("invoke-unknown", "no-such-function", 0)
	parent("invoke-slow", "child-slow", time.Second)
	parent("invoke-cancelled", "child-waits", 0)
}

// childEnded checks the one child of the key.
func (a *app) childEnded(t *testing.T, key, status string) {
	t.Helper()
	ids := a.runs(key + "/child")
	if len(ids) != 1 {
		t.Fatalf("%s has the children %v, want one", key, ids)
	}
	if run := a.server.AwaitRunID(t, ids[0], waitLimit); run.Status != status {
		t.Errorf("child of %s is %s, want %s", key, run.Status, status)
	}
}

func testInvoke(t *testing.T, a *app) {
	run := a.finish(t, "go/invoke", "invoke", harness.Completed)
	sameJSON(t, "output", run.Output, `{"result":{"doubled":84}}`)
	a.childEnded(t, "invoke", harness.Completed)
	a.sawOnce(t, "invoke/child", "double")
}

func testInvokeNothing(t *testing.T, a *app) {
	run := a.finish(t, "go/invoke-nothing", "invoke-nothing", harness.Completed)
	sameJSON(t, "output", run.Output, `{"result":null}`)
	a.sawOnce(t, "invoke-nothing/child", "call")
}

func testInvokeFails(t *testing.T, a *app) {
	run := a.finish(t, "go/invoke-fails", "invoke-fails", harness.Completed)
	sameJSON(t, "output", run.Output, `{"caught":"the child says no"}`)
	a.childEnded(t, "invoke-fails", harness.Failed)
	a.sawOnce(t, "invoke-fails/child", "call")
}

func testInvokeUnknown(t *testing.T, a *app) {
	run := a.finish(t, "go/invoke-unknown", "invoke-unknown", harness.Completed)
	sameJSON(t, "output", run.Output, `{"caught":"could not find function with ID: go-suite-no-such-function"}`)
}

func testInvokeSlow(t *testing.T, a *app) {
	run := a.finish(t, "go/invoke-slow", "invoke-slow", harness.Completed)
	sameJSON(t, "output", run.Output, `{"caught":"Timed out waiting for invoked function to complete"}`)
	a.await(t, "invoke-slow/child", "after") // the child goes on for itself
	a.childEnded(t, "invoke-slow", harness.Completed)
}

func testInvokeCancelled(t *testing.T, a *app) {
	id := a.send(t, "go/invoke-cancelled", object{"key": "invoke-cancelled"})
	a.server.Cancel(t, a.await(t, "invoke-cancelled/child", "up"))
	run := a.settle(t, id, "invoke-cancelled", harness.Completed)
	if !strings.Contains(string(run.Output), "caught") || !strings.Contains(string(run.Output), "cancelled") {
		t.Errorf("output is %s, want an error that tells of the cancelled child", run.Output)
	}
	a.childEnded(t, "invoke-cancelled", harness.Cancelled)
}
