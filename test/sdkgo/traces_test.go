package sdkgo

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

var traceScenarios = map[string]func(*testing.T, *app){
	"trace of a run while it goes on": testTraceWhileItGoesOn,
}

func (a *app) createTraced(t *testing.T) {
	t.Helper()
	none := 0
	a.create(t, inngestgo.FunctionOpts{ID: "traced", Name: "traced", Retries: &none}, "go/traced", nil, func(ctx context.Context, in input) (any, error) {
		stepOf(ctx, a, in, "before", 1)
		_, _ = step.WaitForEvent[object](ctx, "wait", step.WaitForEventOpts{Event: "go/traced.go", Timeout: long, If: inngestgo.StrPtr("async.data.key == event.data.key")})
		a.note(in, "held")
		<-a.gate("traced")
		return stepOf(ctx, a, in, "after", "went on"), nil
	})
}

func testTraceWhileItGoesOn(t *testing.T, a *app) {
	id := a.send(t, "go/traced", object{"key": "traced"})
	run := a.await(t, "traced", "before")
	seen := func(name, inNew, inLegacy string) {
		t.Helper()
		harness.Eventually(t, waitLimit, "the trace of "+name, func() (bool, string) { return a.shown(t, run, name, inNew, inLegacy) })
	}
	seen("wait", "WAITING", "WAITING")
	a.send(t, "go/traced.go", object{"key": "traced"})
	a.await(t, "traced", "held")
	seen("wait", "COMPLETED", "COMPLETED")
	seen("", "RUNNING", "RUNNING") // the call that is in the app
	close(a.gate("traced"))
	sameJSON(t, "output", a.settle(t, id, "traced", harness.Completed).Output, `"went on"`)
}

// shown tells whether both shapes of the trace of a run in progress show a step, or the call that is being made when name is empty.
func (a *app) shown(t *testing.T, run, name, inNew, inLegacy string) (ok bool, seen string) {
	t.Helper()
	status, shapes, err := a.server.Trace(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if status != "RUNNING" { // it is read a moment before the trace
		return false, "GraphQL says it is " + status
	}
	ok = true
	for shape, want := range map[string]string{"new": inNew, "legacy": inLegacy} {
		root := shapes[shape]
		if len(root.Named("before")) == 0 { // history is written a moment later
			return false, root.Outline()
		}
		if root.Status != "RUNNING" || root.EndedAt != nil || root.StartedAt == nil || root.StartedAt.After(time.Now().Add(time.Minute)) {
			t.Fatalf("%s: the root is %s from %v to %v", shape, root.Status, root.StartedAt, root.EndedAt)
		}
		called := name
		if called == "" {
			called = map[string]string{"new": "Execution", "legacy": "execute"}[shape]
		}
		found := root.Named(called)
		if len(found) != 1 || found[0].Status != want || (found[0].EndedAt != nil) != (want == "COMPLETED") {
			ok = false
			seen += fmt.Sprintf("%s:\n%s", shape, root.Outline())
		}
	}
	return ok, seen
}
