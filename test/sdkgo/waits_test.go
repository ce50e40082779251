package sdkgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/group"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

// long is longer than a test lasts.
const long = 2 * time.Minute

var waitScenarios = map[string]func(*testing.T, *app){
	"wait for an event":                       testWait,
	"wait beside a step, others are ignored":  testWaitIf,
	"wait for an event that does not come":    testWaitTimeout,
	"signal":                                  testSignal,
	"signal that does not come":               testSignalTimeout,
	"signal conflict fails the second run":    testSignalConflict,
	"signal conflict replaces the first wait": testSignalReplace,
	"signal for nobody":                       testSignalNobody,
}

func (a *app) createWaits(t *testing.T) {
	t.Helper()
	var none int
	opts := func(id string) inngestgo.FunctionOpts {
		return inngestgo.FunctionOpts{ID: id, Name: id, Retries: &none}
	}
	a.create(t, opts("wait"), "go/wait", nil, func(ctx context.Context, in input) (any, error) {
		a.note(in, "call")
		got, err := step.WaitForEvent[object](ctx, "wait", step.WaitForEventOpts{
			Event: "go/wait.go", Timeout: long, If: inngestgo.StrPtr("async.data.key == event.data.key"),
		})
		if err != nil {
			return nil, err
		}
		return stepOf(ctx, a, in, "after", got["name"]), nil
	})
	a.create(t, opts("wait-if"), "go/wait-if", nil, a.waitsBeside)
	a.create(t, opts("wait-timeout"), "go/wait-timeout", nil, func(ctx context.Context, in input) (any, error) {
		stepOf(ctx, a, in, "before", 1)
		_, err := step.WaitForEvent[object](ctx, "wait", step.WaitForEventOpts{Event: "go/wait.never", Timeout: time.Second})
		return stepOf(ctx, a, in, "after", errors.Is(err, step.ErrEventNotReceived)), nil
	})
	a.create(t, opts("signal"), "go/signal", nil, a.waitsForSignal)
}

// waitsBeside waits beside a step, which runs only once the server keeps the wait (Spec 02 §8.1): from then on events
// count.
func (a *app) waitsBeside(ctx context.Context, in input) (any, error) {
	results := group.Parallel(ctx,
		func(ctx context.Context) (any, error) {
			return step.WaitForEvent[object](ctx, "wait", step.WaitForEventOpts{
				Event: "go/wait.go", Timeout: long,
				If: inngestgo.StrPtr("async.data.key == event.data.key && async.data.n > event.data.least"),
			})
		},
		func(ctx context.Context) (any, error) { return stepOf(ctx, a, in, "armed", "beside"), nil },
	)
	if err := results.AnyError(); err != nil {
		return nil, err
	}
	got, _ := results[0].Value.(object)
	data, _ := got["data"].(object)
	return object{"n": data["n"], "beside": results[1].Value}, nil
}

func (a *app) waitsForSignal(ctx context.Context, in input) (any, error) {
	name, _ := in.Event.Data["signal"].(string)
	conflict, _ := in.Event.Data["conflict"].(string)
	seconds, _ := in.Event.Data["seconds"].(float64)
	results := group.Parallel(ctx,
		func(ctx context.Context) (any, error) {
			return step.WaitForSignal[any](ctx, "wait", step.WaitForSignalOpts{
				Signal: name, Timeout: time.Duration(seconds) * time.Second, OnConflict: step.SignalConfict(conflict),
			})
		},
		func(ctx context.Context) (any, error) { return stepOf(ctx, a, in, "armed", true), nil },
	)
	if errors.Is(results[0].Error, step.ErrSignalNotReceived) {
		return "nothing came", nil
	}
	return results[0].Value, results.AnyError()
}

func testWait(t *testing.T, a *app) {
	id := a.send(t, "go/wait", object{"key": "wait"})
	// Nothing tells the app when the wait is kept: until then, events are not for it.
	harness.Eventually(t, waitLimit, "end of the wait", func() (bool, string) {
		a.send(t, "go/wait.go", object{"key": "wait"})
		return len(a.times("wait", "after")) > 0, "still waiting"
	})
	run := a.settle(t, id, "wait", harness.Completed)
	sameJSON(t, "output", run.Output, `"go/wait.go"`)
	a.sawOnce(t, "wait", "after")
}

func testWaitIf(t *testing.T, a *app) {
	id := a.send(t, "go/wait-if", object{"key": "wait-if", "least": 5})
	a.await(t, "wait-if", "armed")
	a.send(t, "go/wait.go", object{"key": "of another run", "n": 7})
	a.send(t, "go/wait.go", object{"key": "wait-if", "n": 5})
	a.send(t, "go/wait.other", object{"key": "wait-if", "n": 8})
	a.send(t, "go/wait.go", object{"key": "wait-if", "n": 9})
	run := a.settle(t, id, "wait-if", harness.Completed)
	sameJSON(t, "output", run.Output, `{"n":9,"beside":"beside"}`)
	a.sawOnce(t, "wait-if", "armed")
}

func testWaitTimeout(t *testing.T, a *app) {
	run := a.finish(t, "go/wait-timeout", "wait-timeout", harness.Completed)
	sameJSON(t, "output", run.Output, `true`)
	a.sawOnce(t, "wait-timeout", "before", "after")
	if waited := a.times("wait-timeout", "after")[0].Sub(a.times("wait-timeout", "before")[0]); waited < time.Second {
		t.Errorf("waited only %s of 1s", waited)
	}
}

// waitForSignal starts a run that waits for the signal and returns the id of its event and its own.
func (a *app) waitForSignal(t *testing.T, key, signal, conflict string, seconds int) (eventID, runID string) {
	t.Helper()
	eventID = a.send(t, "go/signal", object{"key": key, "signal": signal, "conflict": conflict, "seconds": seconds})
	return eventID, a.await(t, key, "armed")
}

// signal delivers a signal as soon as somebody waits for it, and returns the run that got it.
func (a *app) signal(t *testing.T, signal string, data any) string {
	t.Helper()
	body, err := json.Marshal(object{"signal": signal, "data": data})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Data struct {
			RunID string `json:"run_id"`
		} `json:"data"`
	}
	harness.Eventually(t, waitLimit, "somebody waits for "+signal, func() (bool, string) {
		status, text, err := a.server.Call(t.Context(), http.MethodPost, "/v1/signals", string(body))
		if err == nil && status == http.StatusOK {
			err = json.Unmarshal([]byte(text), &answer)
		}
		return err == nil && status == http.StatusOK, fmt.Sprintf("status %d, %v: %s", status, err, text)
	})
	return answer.Data.RunID
}

func testSignal(t *testing.T, a *app) {
	id, run := a.waitForSignal(t, "signal", "go signal", "", 120)
	if got := a.signal(t, "go signal", []any{1, nil}); got != run {
		t.Errorf("signal went to run %q, want %q", got, run)
	}
	sameJSON(t, "output", a.settle(t, id, "signal", harness.Completed).Output, `{"signal":"go signal","data":[1,null]}`)
}

func testSignalTimeout(t *testing.T, a *app) {
	id, _ := a.waitForSignal(t, "signal-timeout", "go signal timeout", "", 1)
	sameJSON(t, "output", a.settle(t, id, "signal-timeout", harness.Completed).Output, `"nothing came"`)
}

func testSignalConflict(t *testing.T, a *app) {
	first, run := a.waitForSignal(t, "conflict", "go conflict", "fail", 120)
	second := a.server.AwaitRun(t, a.send(t, "go/signal", object{"key": "conflict 2", "signal": "go conflict", "conflict": "fail", "seconds": 120}), waitLimit)
	if second.Status != harness.Failed || !strings.Contains(string(second.Output), "signal wait already exists for another run") {
		t.Errorf("second run is %s with %s, want it failed for the conflict", second.Status, second.Output)
	}
	if got := a.signal(t, "go conflict", 1); got != run {
		t.Errorf("signal went to run %q, want %q", got, run)
	}
	sameJSON(t, "output", a.settle(t, first, "conflict", harness.Completed).Output, `{"signal":"go conflict","data":1}`)
}

func testSignalReplace(t *testing.T, a *app) {
	first, _ := a.waitForSignal(t, "replace", "go replace", "", 15)
	second, run := a.waitForSignal(t, "replace 2", "go replace", "replace", 120)
	if got := a.signal(t, "go replace", 2); got != run {
		t.Errorf("signal went to run %q, want %q", got, run)
	}
	sameJSON(t, "output", a.settle(t, second, "replace 2", harness.Completed).Output, `{"signal":"go replace","data":2}`)
	// The replaced run is not told: its wait ends by its own timeout (Spec 02 §9.1).
	sameJSON(t, "output", a.settle(t, first, "replace", harness.Completed).Output, `"nothing came"`)
}

func testSignalNobody(t *testing.T, a *app) {
	for body, want := range map[string]int{`{"signal":"nobody waits for this"}`: http.StatusNotFound, `{`: http.StatusBadRequest} {
		status, text, err := a.server.Call(t.Context(), http.MethodPost, "/v1/signals", body)
		if err != nil || status != want {
			t.Errorf("signal %s: status %d, %v: %s; want %d", body, status, err, text, want)
		}
	}
}
