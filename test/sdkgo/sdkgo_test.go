package sdkgo

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inngest/inngestgo"

	"github.com/ingothq/ingot/test/harness"
)

const (
	signingKey = "7468697320697320612074657374206b6579"
	eventKey   = "go-suite-event-key"
)

// TestGoSDK runs every scenario against a development server.
func TestGoSDK(t *testing.T) {
	t.Parallel()
	opts := harness.Options{Args: []string{"--retry-interval", "1"}}
	runScenarios(t, newApp(t, harness.Start(t, opts), opts), gatewayScenarios)
}

// TestGoSDK_WithKeys does the same against a production server on disk: events need their key, and the SDK refuses
// calls that are not signed.
func TestGoSDK_WithKeys(t *testing.T) {
	t.Parallel()
	opts := harness.Options{
		Mode: "start", SigningKey: signingKey, EventKey: eventKey,
		Args: []string{"--retry-interval", "1", "--sqlite-dir", t.TempDir()},
	}
	a := newApp(t, harness.Start(t, opts), opts)
	runScenarios(t, a, map[string]func(*testing.T, *app){"gateways do not reach private addresses": testPrivateIsRefused})
	testUnsignedCallIsRefused(t, a)
}

// runScenarios runs them and those of the kind of server side by side: they share nothing but the app.
func runScenarios(t *testing.T, a *app, ofKind map[string]func(*testing.T, *app)) {
	t.Helper()
	scenarios := map[string]func(*testing.T, *app){
		"simple run":                              testSimple,
		"three steps with data":                   testThreeSteps,
		"sleep":                                   testSleep,
		"step fails twice, then succeeds":         testStepRetry,
		"step asks for a retry at a time":         testRetryAt,
		"function fails once, keeps its steps":    testFunctionRetry,
		"retries exhausted, failure handler runs": testExhausted,
		"non-retriable step":                      testFinalStep,
		"non-retriable function":                  testFinalFunction,
		"parallel steps":                          testParallel,
		"loop over one step id":                   testLoop,
		"large state is never trimmed":            testLarge,
		"100 concurrent runs":                     testConcurrent,
		"unicode and big numbers":                 testNumbers,
	}
	for _, more := range []map[string]func(*testing.T, *app){
		waitScenarios, invokeScenarios, cancelScenarios, rerunScenarios, cronScenarios, orderScenarios, checkpointScenarios,
		outsideScenarios, realtimeScenarios, flowScenarios, limitScenarios, traceScenarios, ofKind,
	} {
		maps.Copy(scenarios, more)
	}
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, a)
		})
	}
}

// testUnsignedCallIsRefused shows that the SDK of the suite with keys does check: so its runs prove the signatures.
func testUnsignedCallIsRefused(t *testing.T, a *app) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url+"?fnId=go-suite-simple&stepId=step", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("SDK answers an unsigned call with %d, want 401", resp.StatusCode)
	}
}

func testSimple(t *testing.T, a *app) {
	run := a.finish(t, "go/simple", "simple", harness.Completed)
	a.sawOnce(t, "simple", "call")
	sameJSON(t, "output", run.Output, `{"echo":{"key":"simple"},"attempt":0}`)
}

func testThreeSteps(t *testing.T, a *app) {
	run := a.finish(t, "go/steps", "steps", harness.Completed)
	a.sawOnce(t, "steps", "first", "second", "third")
	a.sawTimes(t, "steps", "call", 4) // one a step, and the last
	text, err := json.Marshal(awkward)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "output", run.Output, `{"first":{"n":1,"text":`+string(text)+`},"second":[1,2,{"deep":{"x":null}}],"third":"length 3"}`)
}

func testSleep(t *testing.T, a *app) {
	run := a.finish(t, "go/sleep", "sleep", harness.Completed)
	sameJSON(t, "output", run.Output, `"rested"`)
	a.sawOnce(t, "sleep", "before", "after")
	if slept := a.times("sleep", "after")[0].Sub(a.times("sleep", "before")[0]); slept < time.Second {
		t.Errorf("slept only %s of 1s", slept)
	}
}

func testStepRetry(t *testing.T, a *app) {
	run := a.finish(t, "go/step-retry", "step-retry", harness.Completed)
	a.sawOnce(t, "step-retry", "kept", "flaky 0", "flaky 1", "flaky 2")
	sameJSON(t, "output", run.Output, `2`)
}

func testRetryAt(t *testing.T, a *app) {
	run := a.finish(t, "go/retry-at", "retry-at", harness.Completed)
	sameJSON(t, "output", run.Output, `"came"`)
	a.sawTimes(t, "retry-at", "later", 2)
	// Retry-After is cut to the whole second before, so 3 s mean 2 to 3 s (Spec 01 §10.3).
	if tries := a.times("retry-at", "later"); len(tries) == 2 && tries[1].Sub(tries[0]) < 1900*time.Millisecond {
		t.Errorf("came again after %s, want at least 2s", tries[1].Sub(tries[0]))
	}
}

func testFunctionRetry(t *testing.T, a *app) {
	run := a.finish(t, "go/fn-retry", "fn-retry", harness.Completed)
	a.sawOnce(t, "fn-retry", "kept", "past the step 0", "past the step 1")
	sameJSON(t, "output", run.Output, `"kept"`)
}

func testExhausted(t *testing.T, a *app) {
	run := a.finish(t, "go/exhausted", "exhausted", harness.Failed)
	a.sawOnce(t, "exhausted", "hopeless 0", "hopeless 1")
	if !strings.Contains(string(run.Output), "hopeless at attempt 1") {
		t.Errorf("output does not tell the last error: %s", run.Output)
	}
	var handler string
	harness.Eventually(t, waitLimit, "failure handler", func() (bool, string) {
		ids := a.runs("exhausted/failure")
		if len(ids) > 0 {
			handler = ids[0]
		}
		return len(ids) > 0, "not called"
	})
	handled := a.server.AwaitRunID(t, handler, waitLimit)
	if handled.Status != harness.Completed {
		t.Errorf("run of the failure handler is %s", handled.Status)
	}
	sameJSON(t, "output of the failure handler", handled.Output, `"handled"`)
	if runs := a.runs("exhausted/failure"); len(runs) != 1 {
		t.Errorf("failure handler ran %d times: %v", len(runs), runs)
	}
	a.sawOnce(t, "exhausted/failure", "unhandled step error: hopeless at attempt 1")
}

func testFinalStep(t *testing.T, a *app) {
	run := a.finish(t, "go/final-step", "final-step", harness.Failed)
	a.sawOnce(t, "final-step", "step")
	sameJSON(t, "output", run.Output, `{"message":"unhandled step error: not again in the step"}`)
}

func testFinalFunction(t *testing.T, a *app) {
	run := a.finish(t, "go/final-fn", "final-fn", harness.Failed)
	a.sawOnce(t, "final-fn", "call")
	sameJSON(t, "output", run.Output, `{"message":"not again in the function"}`)
}

func testParallel(t *testing.T, a *app) {
	run := a.finish(t, "go/parallel", "parallel", harness.Completed)
	a.sawOnce(t, "parallel", "a", "b", "c", "join")
	sameJSON(t, "output", run.Output, `"a!b!c!"`)
}

func testLoop(t *testing.T, a *app) {
	run := a.finish(t, "go/loop", "loop", harness.Completed)
	a.sawOnce(t, "loop", "round 0", "round 1", "round 2", "round 3", "round 4")
	sameJSON(t, "output", run.Output, `[0,10,20,30,40]`)
}

func testLarge(t *testing.T, a *app) {
	run := a.finish(t, "go/large", "large", harness.Completed)
	sameJSON(t, "output", run.Output, fmt.Sprint(bigSteps*bigSize))
	a.sawOnce(t, "large", "sum")
	for i := range bigSteps {
		a.sawOnce(t, "large", fmt.Sprintf("big %d", i))
	}
	if n := a.trimmedCalls(); n > 0 {
		t.Errorf("%d calls were trimmed, which this SDK cannot handle", n)
	}
}

func testConcurrent(t *testing.T, a *app) {
	const count = 100
	var events []any
	for i := range count {
		events = append(events, inngestgo.GenericEvent[object]{Name: "go/many", Data: object{"key": fmt.Sprintf("many %d", i), "i": i}})
	}
	ids, err := a.client.SendMany(t.Context(), events)
	if err != nil {
		t.Fatalf("send %d events: %v", count, err)
	}
	if len(ids) != count {
		t.Fatalf("got %d ids for %d events", len(ids), count)
	}
	for i, id := range ids {
		key := fmt.Sprintf("many %d", i)
		run := a.server.AwaitRun(t, id, waitLimit)
		if run.Status != harness.Completed {
			t.Errorf("run %d is %s", i, run.Status)
		}
		sameJSON(t, "output", run.Output, fmt.Sprint(i))
		a.sawOnce(t, key, "one", "two")
		if runs := a.runs(key); len(runs) != 1 || runs[0] != run.ID {
			t.Errorf("app saw the runs %v of %s, want only %s", runs, key, run.ID)
		}
	}
}

func testNumbers(t *testing.T, a *app) {
	id, err := a.client.Send(t.Context(), inngestgo.GenericEvent[numbers]{Name: "go/numbers", Data: theNumbers})
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	run := a.server.AwaitRun(t, id, waitLimit)
	if run.Status != harness.Completed {
		t.Fatalf("run is %s: %s", run.Status, run.Output)
	}
	a.sawTimes(t, "numbers", "text as sent", 2) // before and after the step
	want, err := json.Marshal(theNumbers)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "output", run.Output, string(want))
	stored, err := a.server.EventData(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "data of the stored event", stored, string(want))
}
