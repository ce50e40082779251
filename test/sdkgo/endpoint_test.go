package sdkgo

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inngest/inngestgo"

	"github.com/ingothq/ingot/test/harness"
)

// attempts is how often the server tries what fails, as the Go SDK says nothing of it.
const attempts = 5

// The Go SDK takes from its environment whether it checks the calls of its endpoints, so the kinds of server take turns.

// TestGoSDK_Endpoints runs the scenarios of durable endpoints against a development server.
func TestGoSDK_Endpoints(t *testing.T) {
	opts := harness.Options{Args: []string{"--retry-interval", "1"}}
	server := harness.Start(t, opts)
	t.Setenv("INNGEST_DEV", "1")
	runEndpoints(t, newApp(t, server, opts), nil)
}

// TestGoSDK_EndpointsWithKeys does the same against a production server on disk: the SDK takes calls that are not signed for new
// requests.
func TestGoSDK_EndpointsWithKeys(t *testing.T) {
	opts := harness.Options{
		Mode: "start", SigningKey: signingKey, EventKey: eventKey,
		Args: []string{"--retry-interval", "1", "--sqlite-dir", t.TempDir()},
	}
	server := harness.Start(t, opts)
	t.Setenv("INNGEST_DEV", "")
	runEndpoints(t, newApp(t, server, opts), map[string]func(*testing.T, *app){"a call that is not signed is a new request": testEndpointUnsigned})
}

func runEndpoints(t *testing.T, a *app, ofKind map[string]func(*testing.T, *app)) {
	t.Helper()
	for _, scenarios := range []map[string]func(*testing.T, *app){endpointScenarios, ofKind} {
		for name, scenario := range scenarios {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				scenario(t, a)
			})
		}
	}
}

var endpointScenarios = map[string]func(*testing.T, *app){
	"answers at once":                                testEndpointSync,
	"redirects a client that has to wait":            testEndpointSleep,
	"gives a token":                                  testEndpointToken,
	"waits for an event":                             testEndpointWait,
	"invokes a function":                             testEndpointInvoke,
	"a step that fails is tried again by the server": testEndpointFlaky,
	"a step that fails for good":                     testEndpointFinal,
	"an answer that is an error fails its run":       testEndpointError,
	"an error after a wait":                          testEndpointLateError,
}

// endpoint is the address of an endpoint.
func (a *app) endpoint(name string) string {
	return strings.Replace(a.url, "/api/inngest", "/endpoint/"+name, 1)
}

// ask makes a request to an endpoint, follows where it leads, and returns the last answer.
func (a *app) ask(t *testing.T, method, name, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, a.endpoint(name), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-test")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func wantStatus(t *testing.T, resp *http.Response, text string, want int) {
	t.Helper()
	if resp.StatusCode != want {
		t.Fatalf("%s: status %d, want %d: %s", resp.Request.URL, resp.StatusCode, want, text)
	}
}

// endpointRun waits for the end of the run that the app was called again for.
func (a *app) endpointRun(t *testing.T, name, status string) harness.Run {
	t.Helper()
	var id string
	for _, run := range a.runs("endpoint " + name) {
		if run != "" && id != "" && run != id {
			t.Errorf("%s was called for the runs %s and %s", name, id, run)
		}
		if run != "" {
			id = run
		}
	}
	run := a.server.AwaitRunID(t, id, waitLimit)
	if run.Status != status {
		t.Errorf("run of %s is %s, want %s; output %s", name, run.Status, status, run.Output)
	}
	return run
}

func testEndpointSync(t *testing.T, a *app) {
	resp, text := a.ask(t, http.MethodPost, "sync?x=1", "hëllo")
	wantStatus(t, resp, text, http.StatusCreated)
	if resp.Header.Get("X-Mine") != "1" {
		t.Errorf("header X-Mine is missing: %v", resp.Header)
	}
	sameJSON(t, "answer", []byte(text), `{"steps":["one!","two!"],"query":"x=1","body":"hëllo","type":"application/x-test"}`)
	a.sawOnce(t, "endpoint sync", "call", "one", "two")
	run := a.server.AwaitRunID(t, resp.Header.Get("X-Run-Id"), waitLimit)
	if run.Status != harness.Completed {
		t.Errorf("run is %s", run.Status)
	}
	sameJSON(t, "output", run.Output, text)
}

func testEndpointSleep(t *testing.T, a *app) {
	resp, text := a.ask(t, http.MethodPost, "sleep?x=1&y=%C3%A9", "hëllo")
	if !strings.HasPrefix(resp.Request.URL.String(), a.server.URL+"/v1/http/runs/") {
		t.Errorf("the client was not sent to the server, but to %s", resp.Request.URL)
	}
	wantStatus(t, resp, text, http.StatusAccepted)
	if resp.Header.Get("X-Mine") != "1" || resp.Header.Get("Content-Type") != "application/vnd.test+json" {
		t.Errorf("headers of the endpoint are missing: %v", resp.Header)
	}
	const want = `{"steps":["before!","after!"],"query":"x=1&y=%C3%A9","body":"hëllo","type":"application/x-test"}`
	sameJSON(t, "answer", []byte(text), want)
	a.sawOnce(t, "endpoint sleep", "before", "after")
	// The server looks for the end every 5 s, and hears of it before.
	if late := time.Since(a.times("endpoint sleep", "after")[0]); late > 4*time.Second {
		t.Errorf("the client heard of the end %s late", late)
	}
	if slept := a.times("endpoint sleep", "after")[0].Sub(a.times("endpoint sleep", "before")[0]); slept < time.Second {
		t.Errorf("slept only %s of 1s", slept)
	}
	sameJSON(t, "output", a.endpointRun(t, "sleep", harness.Completed).Output, want)
}

func testEndpointToken(t *testing.T, a *app) {
	resp, text := a.ask(t, http.MethodGet, "token", "")
	wantStatus(t, resp, text, http.StatusOK)
	var got struct {
		RunID string `json:"run_id"`
		Token string `json:"token"`
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.RunID != resp.Header.Get("X-Run-Id") {
		t.Fatalf("%v: %s", err, text)
	}
	for _, prefix := range []string{"/v1/http/runs/", "/v1/checkpoint/"} {
		status, output, err := a.server.Call(t.Context(), http.MethodGet, prefix+got.RunID+"/output?token="+got.Token, "")
		if err != nil || status != http.StatusAccepted || !strings.Contains(output, `"after!"`) {
			t.Errorf("%s: status %d, %v: %s", prefix, status, err, output)
		}
	}
	status, output, err := a.server.Call(t.Context(), http.MethodGet, "/v1/http/runs/"+got.RunID+"/output?token="+got.Token+"x", "")
	if err != nil || status != http.StatusUnauthorized {
		t.Errorf("a wrong token: status %d, %v: %s", status, err, output)
	}
}

func testEndpointWait(t *testing.T, a *app) {
	answered, done := context.WithCancel(t.Context())
	defer done()
	go func() { // again and again, as nobody knows when the run waits
		_ = harness.Poll(waitLimit, func() (bool, string) {
			for _, data := range []object{{"key": "k=2"}, {"key": "k=1", "n": 5}} {
				_, _ = a.client.Send(answered, inngestgo.GenericEvent[object]{Name: "go/endpoint.go", Data: data})
			}
			return answered.Err() != nil, ""
		})
	}()
	resp, text := a.ask(t, http.MethodGet, "wait?k=1", "")
	wantStatus(t, resp, text, http.StatusOK)
	sameJSON(t, "answer", []byte(text), `{"got":{"key":"k=1","n":5},"failed":false}`)
}

func testEndpointInvoke(t *testing.T, a *app) {
	resp, text := a.ask(t, http.MethodGet, "invoke", "")
	wantStatus(t, resp, text, http.StatusOK)
	sameJSON(t, "answer", []byte(text), `{"got":{"doubled":42},"failed":false}`)
	a.sawOnce(t, "endpoint child", "double")
}

func testEndpointFlaky(t *testing.T, a *app) {
	resp, text := a.ask(t, http.MethodGet, "flaky", "")
	wantStatus(t, resp, text, http.StatusOK)
	sameJSON(t, "answer", []byte(text), `{"got":"came"}`)
	a.sawOnce(t, "endpoint flaky", "kept")
	a.sawTimes(t, "endpoint flaky", "try", 3)
	a.endpointRun(t, "flaky", harness.Completed)
}

func testEndpointFinal(t *testing.T, a *app) {
	resp, text := a.ask(t, http.MethodGet, "final", "")
	wantStatus(t, resp, text, http.StatusOK)
	sameJSON(t, "answer", []byte(text), `{"got":"so far","failed":"never"}`)
	a.sawTimes(t, "endpoint final", "try", attempts)
	a.endpointRun(t, "final", harness.Completed)
}

func testEndpointError(t *testing.T, a *app) {
	resp, text := a.ask(t, http.MethodGet, "error", "")
	wantStatus(t, resp, text, http.StatusTeapot)
	run := a.server.AwaitRunID(t, resp.Header.Get("X-Run-Id"), waitLimit)
	if run.Status != harness.Failed {
		t.Errorf("run is %s", run.Status)
	}
	sameJSON(t, "output", run.Output, `"the endpoint failed\n"`)
}

func testEndpointLateError(t *testing.T, a *app) {
	resp, text := a.ask(t, http.MethodGet, "late-error", "")
	wantStatus(t, resp, text, http.StatusTeapot)
	if text != "the endpoint failed\n" || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("answer is %q, headers %v", text, resp.Header)
	}
	a.sawTimes(t, "endpoint late-error", "call", 1+attempts) // the client's request, and the server's
	sameJSON(t, "output", a.endpointRun(t, "late-error", harness.Failed).Output, `"the endpoint failed\n"`)
}

// testEndpointUnsigned shows that the SDK of the suite with keys does check: so its runs prove the signatures.
func testEndpointUnsigned(t *testing.T, a *app) {
	const other = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.endpoint("unsigned"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Run-Id", other)
	req.Header.Set("X-Inngest-Signature", "t=1&s=2")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if run := resp.Header.Get("X-Run-Id"); resp.StatusCode != http.StatusCreated || run == other || run == "" {
		t.Errorf("status %d, run %s", resp.StatusCode, run)
	}
}
