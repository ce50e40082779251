package sdkgo

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/group"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

// orderScenarios are about what an operator does to a function as a whole.
var orderScenarios = map[string]func(*testing.T, *app){
	"many runs are cancelled at once":                  testBulkCancel,
	"a paused function starts no run until it resumes": testPause,
}

func (a *app) createOrdered(t *testing.T) {
	t.Helper()
	mine := inngestgo.StrPtr("async.data.key == event.data.key")
	a.create(t, inngestgo.FunctionOpts{ID: "bulk", Name: "bulk"}, "go/bulk", nil, func(ctx context.Context, in input) (any, error) {
		results := group.Parallel(ctx,
			func(ctx context.Context) (any, error) {
				return step.WaitForEvent[object](ctx, "wait", step.WaitForEventOpts{Event: "go/bulk.go", Timeout: long, If: mine})
			},
			func(ctx context.Context) (any, error) { return stepOf(ctx, a, in, "armed", true), nil },
		)
		if err := results.AnyError(); err != nil {
			return nil, err
		}
		return stepOf(ctx, a, in, "after", "went on"), nil
	})
	a.create(t, inngestgo.FunctionOpts{ID: "paused", Name: "paused"}, "go/paused", nil, func(_ context.Context, in input) (any, error) {
		a.note(in, "call")
		return "ran", nil
	})
	a.create(t, inngestgo.FunctionOpts{ID: "invoke-paused", Name: "invoke-paused", Retries: inngestgo.IntPtr(0)}, "go/invoke-paused", nil,
		func(ctx context.Context, in input) (any, error) {
			a.note(in, "call")
			_, err := step.Invoke[any](ctx, "call", step.InvokeOpts{FunctionId: "go-suite-paused", Data: object{"key": "paused/child"}})
			if err != nil {
				return object{"caught": err.Error()}, nil
			}
			return object{}, nil
		})
}

// post asks the API for something and returns the data of its answer.
func (a *app) post(t *testing.T, path string, body any, data any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := a.server.Call(t.Context(), http.MethodPost, path, string(text))
	if err != nil || status != http.StatusOK {
		t.Fatalf("POST %s: status %d, %v: %s", path, status, err, answer)
	}
	if err := json.Unmarshal([]byte(answer), &struct{ Data any }{data}); err != nil {
		t.Fatalf("POST %s: %v: %s", path, err, answer)
	}
}

func testBulkCancel(t *testing.T, a *app) {
	begin := func(key string, n int) string {
		id := a.send(t, "go/bulk", object{"key": key, "n": n})
		a.await(t, key, "armed")
		return id
	}
	early := begin("bulk early", 1)
	after := time.Now()
	time.Sleep(2 * time.Millisecond) // IDs of runs tell time in milliseconds
	meant, unlike := begin("bulk meant", 1), begin("bulk unlike", 2)
	before := time.Now()
	time.Sleep(2 * time.Millisecond)
	late := begin("bulk late", 1)

	var created struct{ ID string }
	a.post(t, "/v1/cancellations", object{
		"app_id": "go-suite", "function_id": "go-suite-bulk", "if": "event.data.n == 1",
		"started_after": after.UTC().Format(time.RFC3339Nano), "started_before": before.UTC().Format(time.RFC3339Nano),
	}, &created)
	a.settle(t, meant, "bulk meant", harness.Cancelled)
	for key, id := range map[string]string{"bulk early": early, "bulk unlike": unlike, "bulk late": late} {
		a.send(t, "go/bulk.go", object{"key": key})
		a.settle(t, id, key, harness.Completed)
	}
	a.sawTimes(t, "bulk meant", "after", 0)
	harness.Eventually(t, waitLimit, "end of the cancellation", func() (bool, string) {
		status, text, err := a.server.Call(t.Context(), http.MethodGet, "/v1/cancellations", "")
		var answer struct {
			Data []struct {
				ID, State string
				Cancelled int
			}
		}
		if err != nil || status != http.StatusOK || json.Unmarshal([]byte(text), &answer) != nil || len(answer.Data) == 0 {
			return false, text
		}
		last := answer.Data[0]
		return last.ID == created.ID && last.State == "completed" && last.Cancelled == 1, text
	})
}

func testPause(t *testing.T, a *app) {
	const path = "/v1/apps/go-suite/functions/go-suite-paused/"
	var answer struct {
		IsPaused bool `json:"is_paused"`
	}
	a.post(t, path+"pause", nil, &answer)
	if !answer.IsPaused {
		t.Error("the function is not paused")
	}
	skipped := a.server.AwaitRun(t, a.send(t, "go/paused", object{"key": "paused"}), waitLimit)
	if skipped.Status != harness.Skipped {
		t.Errorf("run is %s", skipped.Status)
	}
	sameJSON(t, "output", skipped.Output, `{"skipReason":"FunctionPaused"}`)
	caught := a.finish(t, "go/invoke-paused", "invoke-paused", harness.Completed)
	if !strings.Contains(string(caught.Output), "the function is paused") {
		t.Errorf("the invoker caught %s", caught.Output)
	}
	a.post(t, path+"resume", nil, &answer)
	if answer.IsPaused {
		t.Error("the function is paused still")
	}
	a.finish(t, "go/paused", "resumed", harness.Completed)
	a.sawTimes(t, "paused", "call", 0)
	a.sawTimes(t, "paused/child", "call", 0)
	status, text, err := a.server.Call(t.Context(), http.MethodPost, "/v1/apps/go-suite/functions/none/pause", "")
	if err != nil || status != http.StatusNotFound {
		t.Errorf("pausing an unknown function: status %d, %v: %s", status, err, text)
	}
}
