package sdkgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/step"
	"github.com/inngest/inngestgo/stephttp"

	"github.com/ingothq/ingot/test/harness"
)

// short is a nap that lets the server take over.
const short = 100 * time.Millisecond

// mountEndpoints serves the durable endpoints. What they do is noted under the name of each; they read their request after they
// have waited, because the SDK reports what is left of it by then.
func (a *app) mountEndpoints(mux *http.ServeMux, opts harness.Options) {
	provider := stephttp.Setup(stephttp.SetupOpts{Optional: stephttp.OptionalSetupOpts{BaseURL: a.server.URL, SigningKey: opts.SigningKey}})
	mount := func(name string, opts stephttp.FnOpts, serve http.HandlerFunc) {
		mux.HandleFunc("/endpoint/"+name, provider.ServeHTTP(func(w http.ResponseWriter, r *http.Request) {
			stephttp.Configure(r.Context(), opts)
			a.noteKey("endpoint "+name, r.Header.Get("X-Run-Id"), "call")
			serve(w, r)
		}))
	}
	for _, name := range []string{"sync", "unsigned"} {
		mount(name, stephttp.FnOpts{}, func(w http.ResponseWriter, r *http.Request) {
			answerWith(w, r, http.StatusCreated, a.stepAt(r.Context(), name, "one"), a.stepAt(r.Context(), name, "two"))
		})
	}
	mount("sleep", stephttp.FnOpts{ID: "sleeping endpoint"}, a.sleepingEndpoint("sleep"))
	mount("token", stephttp.FnOpts{AsyncResponse: stephttp.AsyncResponseToken{}}, a.sleepingEndpoint("token"))
	mount("wait", stephttp.FnOpts{}, waitingEndpoint)
	mount("invoke", stephttp.FnOpts{}, invokingEndpoint)
	mount("flaky", stephttp.FnOpts{}, a.flakyEndpoint)
	mount("final", stephttp.FnOpts{}, a.finalEndpoint)
	mount("error", stephttp.FnOpts{}, func(w http.ResponseWriter, r *http.Request) {
		a.stepAt(r.Context(), "error", "kept")
		http.Error(w, "the endpoint failed", http.StatusTeapot)
	})
	mount("late-error", stephttp.FnOpts{}, func(w http.ResponseWriter, r *http.Request) {
		step.Sleep(r.Context(), "nap", short)
		http.Error(w, "the endpoint failed", http.StatusTeapot)
	})
}

// stepAt is a step of an endpoint that returns its id with a mark.
func (a *app) stepAt(ctx context.Context, name, id string) string {
	got, err := step.Run(ctx, id, func(context.Context) (string, error) {
		a.noteKey("endpoint "+name, "", id)
		return id + "!", nil
	})
	if err != nil {
		panic(err) // the body returns no error
	}
	return got
}

func (a *app) sleepingEndpoint(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		before := a.stepAt(r.Context(), name, "before")
		step.Sleep(r.Context(), "nap", time.Second)
		answerWith(w, r, http.StatusAccepted, before, a.stepAt(r.Context(), name, "after"))
	}
}

func waitingEndpoint(w http.ResponseWriter, r *http.Request) {
	event, err := step.WaitForEvent[inngestgo.GenericEvent[object]](r.Context(), "wait", step.WaitForEventOpts{
		Event: "go/endpoint.go", Timeout: time.Minute, If: inngestgo.StrPtr("async.data.key == event.data.query_params"),
	})
	answerJSON(w, http.StatusOK, object{"got": event.Data, "failed": err != nil})
}

func invokingEndpoint(w http.ResponseWriter, r *http.Request) {
	got, err := step.Invoke[any](r.Context(), "call", step.InvokeOpts{FunctionId: "go-suite-child", Data: object{"key": "endpoint child", "n": 21}})
	answerJSON(w, http.StatusOK, object{"got": got, "failed": err != nil})
}

// flakyEndpoint has a step that fails in the client's request, and once more. It gives no answer then, so that the SDK may send
// the client to the server.
func (a *app) flakyEndpoint(w http.ResponseWriter, r *http.Request) {
	a.stepAt(r.Context(), "flaky", "kept")
	got, err := step.Run(r.Context(), "flaky", func(context.Context) (string, error) {
		a.noteKey("endpoint flaky", "", "try")
		if len(a.times("endpoint flaky", "try")) < 3 {
			return "", errors.New("not yet")
		}
		return "came", nil
	})
	if err == nil {
		answerJSON(w, http.StatusOK, object{"got": got})
	}
}

// finalEndpoint has a step that never succeeds, and answers nevertheless.
func (a *app) finalEndpoint(w http.ResponseWriter, r *http.Request) {
	step.Sleep(r.Context(), "nap", short)
	got, err := step.Run(r.Context(), "final", func(context.Context) (string, error) {
		a.noteKey("endpoint final", "", "try")
		return "so far", errors.New("never")
	})
	answerJSON(w, http.StatusOK, object{"got": got, "failed": fmt.Sprint(err)})
}

// answerWith answers with the results of steps and what the request says.
func answerWith(w http.ResponseWriter, r *http.Request, status int, steps ...string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("X-Mine", "1")
	answerJSON(w, status, object{"steps": steps, "query": r.URL.RawQuery, "body": string(body), "type": r.Header.Get("Content-Type")})
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/vnd.test+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a client that is gone hears nothing
}
