package sdkgo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

const secret = "the provider's key"

var gatewayScenarios = map[string]func(*testing.T, *app){
	"fetch: the server makes the request":         testFetch,
	"infer: the server asks the model":            testInfer,
	"infer: a provider that fails is asked again": testInferFlaky,
	"infer: a provider that always fails":         testInferBroken,
}

var outsideScenarios = map[string]func(*testing.T, *app){
	"event sent by a step starts its run once": testEmit,
}

// provider is a server of the outside world: it echoes under /echo, is a model of OpenAI's shape under /v1, and remembers
// its requests.
type provider struct {
	url string

	mu       sync.Mutex
	requests []asked
}

type asked struct {
	method, path, body string
	header             http.Header
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	web := httptest.NewServer(p)
	t.Cleanup(web.Close)
	p.url = web.URL
	return p
}

// ServeHTTP implements http.Handler.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.requests = append(p.requests, asked{r.Method, r.URL.Path, string(body), r.Header})
	p.mu.Unlock()
	if r.URL.Path == "/echo" {
		w.Header().Set("X-Reply", "yes")
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, "you said %s", body)
		return
	}
	var question struct {
		Model string `json:"model"`
	}
	if err := json.Unmarshal(body, &question); err != nil || r.URL.Path != "/v1/chat/completions" {
		http.Error(w, `{"error":{"message":"what?"}}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if question.Model == "broken" || question.Model == "flaky" && len(p.asked("flaky")) == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"message":"overloaded"}}`)
		return
	}
	_, _ = io.WriteString(w, `{"id":"chatcmpl-1","object":"chat.completion","model":"small","usage":{"total_tokens":7},`+
		`"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"an answer"}}]}`)
}

// asked returns the requests whose body contains the text.
func (p *provider) asked(part string) []asked {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []asked
	for _, request := range p.requests {
		if strings.Contains(request.body, part) {
			found = append(found, request)
		}
	}
	return found
}

func (a *app) createOutside(t *testing.T) {
	t.Helper()
	create := func(id string, retries int, fn handler) {
		a.create(t, inngestgo.FunctionOpts{ID: id, Name: id, Retries: &retries}, "go/"+id, nil, fn)
	}
	create("fetch", 0, func(ctx context.Context, in input) (any, error) {
		a.note(in, "call")
		got, err := step.Fetch[string](ctx, "fetch", step.FetchOpts{
			URL: a.provider.url + "/echo", Method: http.MethodPut, Headers: map[string]string{"X-Test": "yes", "Content-Type": "text/plain"}, Body: "ping",
		})
		if err != nil {
			return nil, err
		}
		return object{"status": got.StatusCode, "header": got.Headers["X-Reply"], "body": got.Body}, nil
	})
	asking := func(id, model string, retries int) {
		create(id, retries, func(ctx context.Context, in input) (any, error) {
			a.note(in, "call")
			got, err := step.Infer[object, object](ctx, "ask", step.InferOpts[object]{
				Opts: step.InferOpenAIOpts(inngestgo.StrPtr(secret), &a.provider.url),
				Body: object{"model": model, "messages": []object{{"role": "user", "content": "a question"}}},
			})
			if err != nil {
				return object{"caught": err.Error()}, nil
			}
			return got["choices"], nil
		})
	}
	asking("infer", "small", 0)
	asking("infer-flaky", "flaky", 2)
	asking("infer-broken", "broken", 1)
	create("emit", 0, func(ctx context.Context, in input) (any, error) {
		id, err := step.Send(ctx, "emit", inngestgo.GenericEvent[object]{Name: "go/emitted", Data: object{"key": "emit/emitted"}})
		if err != nil {
			return nil, err
		}
		return stepOf(ctx, a, in, "after", id), nil
	})
	create("emitted", 0, func(_ context.Context, in input) (any, error) {
		a.note(in, "got")
		return "emitted", nil
	})
}

func testFetch(t *testing.T, a *app) {
	run := a.finish(t, "go/fetch", "fetch", harness.Completed)
	sameJSON(t, "output", run.Output, `{"status":404,"header":"yes","body":"you said ping"}`)
	made := a.provider.asked("ping")
	if len(made) != 1 || made[0].method != http.MethodPut || made[0].header.Get("X-Test") != "yes" || made[0].header.Get("Content-Type") != "text/plain" {
		t.Errorf("provider was asked %+v, want one PUT with the headers given", made)
	}
}

func testInfer(t *testing.T, a *app) {
	run := a.finish(t, "go/infer", "infer", harness.Completed)
	sameJSON(t, "output", run.Output, `[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"an answer"}}]`)
	made := a.provider.asked("small")
	if len(made) != 1 || made[0].method != http.MethodPost || made[0].header.Get("Authorization") != "Bearer "+secret {
		t.Errorf("provider was asked %+v, want one POST with the key", made)
	}
}

// testPrivateIsRefused shows that a server that others use keeps the requests of their steps off its own network.
func testPrivateIsRefused(t *testing.T, a *app) {
	for name, status := range map[string]string{"fetch": harness.Failed, "infer": harness.Completed} {
		run := a.finish(t, "go/"+name, name, status)
		if !strings.Contains(string(run.Output), "private IP range") {
			t.Errorf("output of %s is %s, want it refused for the private IP range", name, run.Output)
		}
	}
	if made := a.provider.asked(""); len(made) > 0 {
		t.Errorf("provider was asked all the same: %+v", made)
	}
}

func testInferFlaky(t *testing.T, a *app) {
	run := a.finish(t, "go/infer-flaky", "infer-flaky", harness.Completed)
	sameJSON(t, "output", run.Output, `[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"an answer"}}]`)
	if made := a.provider.asked("flaky"); len(made) != 2 {
		t.Errorf("provider was asked %d times, want 2", len(made))
	}
}

func testInferBroken(t *testing.T, a *app) {
	run := a.finish(t, "go/infer-broken", "infer-broken", harness.Completed)
	sameJSON(t, "output", run.Output, `{"caught":"Error making AI request: unsuccessful status code: 503"}`)
	if made := a.provider.asked("broken"); len(made) != 2 {
		t.Errorf("provider was asked %d times, want 2", len(made))
	}
}

func testEmit(t *testing.T, a *app) {
	run := a.finish(t, "go/emit", "emit", harness.Completed)
	var id string
	if err := json.Unmarshal(run.Output, &id); err != nil {
		t.Fatalf("output is no event id: %v: %s", err, run.Output)
	}
	a.settle(t, id, "emit/emitted", harness.Completed)
	a.sawOnce(t, "emit/emitted", "got")
}
