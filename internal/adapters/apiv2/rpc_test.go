package apiv2_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/ingothq/ingot/client"
	"github.com/ingothq/ingot/internal/adapters/apiv2"
	api "github.com/ingothq/ingot/proto/api/v2"
)

// clients call a server in every protocol.
func clients(t *testing.T, url string) map[string]*client.Client {
	t.Helper()
	overHTTP2 := &http.Transport{Protocols: new(http.Protocols)}
	overHTTP2.Protocols.SetUnencryptedHTTP2(true)
	overHTTP1 := &http.Transport{}
	t.Cleanup(overHTTP2.CloseIdleConnections)
	t.Cleanup(overHTTP1.CloseIdleConnections)
	all := map[string]*client.Client{}
	for name, one := range map[string]struct {
		transport *http.Transport
		options   []connect.ClientOption
	}{
		"connect":            {overHTTP1, nil},
		"connect with JSON":  {overHTTP1, []connect.ClientOption{connect.WithProtoJSON()}},
		"connect with GET":   {overHTTP1, []connect.ClientOption{connect.WithHTTPGet()}},
		"connect over HTTP2": {overHTTP2, nil},
		"gRPC":               {overHTTP2, []connect.ClientOption{connect.WithGRPC()}},
		"gRPC-Web":           {overHTTP1, []connect.ClientOption{connect.WithGRPCWeb()}},
	} {
		c, err := client.New(url+"/api/v2", "", client.WithHTTPClient(&http.Client{Transport: one.transport}), client.WithConnectOptions(one.options...))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = c
	}
	return all
}

func TestRPC(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.register("shop", `[`+fn("shop", "one", "")+`]`)
	for name, c := range clients(t, f.serve()) {
		t.Run(name, func(t *testing.T) {
			health, err := c.Health(t.Context(), connect.NewRequest(&api.HealthRequest{}))
			if err != nil || health.Msg.GetData().GetStatus() != "ok" || health.Msg.GetMetadata().GetFetchedAt().AsTime() != f.clock.Now() {
				t.Fatalf("health %v, %v", health, err)
			}
			data, err := structpb.NewStruct(map[string]any{"n": 1.5})
			if err != nil {
				t.Fatal(err)
			}
			event, err := c.SendEvent(t.Context(), connect.NewRequest(&api.SendEventRequest{Name: "a/b", Data: data}))
			if err != nil {
				t.Fatal(err)
			}
			stored, err := f.backend.Event(t.Context(), ulid.MustParse(event.Msg.GetData().GetEventId()))
			if err != nil || string(stored.Data) != `{"n":1.5}` {
				t.Errorf("event %s, %v", stored.Data, err)
			}
			testInvoke(t, c, name)
			testErrors(t, c)
		})
	}
}

// testInvoke starts a function twice with one key.
func testInvoke(t *testing.T, c *client.Client, key string) {
	t.Helper()
	request := &api.InvokeFunctionRequest{AppId: "shop", FunctionId: "one", Data: &structpb.Struct{}, IdempotencyKey: &key}
	first, err := c.InvokeFunction(t.Context(), connect.NewRequest(request))
	if err != nil || client.IsReplayed(first) {
		t.Fatalf("%v, %v", first, err)
	}
	again, err := c.InvokeFunction(t.Context(), connect.NewRequest(request))
	if err != nil || !client.IsReplayed(again) || again.Msg.GetData().GetRunId() != first.Msg.GetData().GetRunId() {
		t.Errorf("%v, %v", again, err)
	}
	run, err := c.GetFunctionRun(t.Context(), connect.NewRequest(&api.GetFunctionRunRequest{RunId: first.Msg.GetData().GetRunId()}))
	if err != nil || run.Msg.GetData().GetStatus() != api.FunctionRunStatus_FUNCTION_RUN_STATUS_QUEUED {
		t.Errorf("run %v, %v", run, err)
	}
	step := "x"
	input, err := structpb.NewList([]any{1.0})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Rerun(t.Context(), connect.NewRequest(&api.RerunRequest{RunId: run.Msg.GetData().GetId(), FromStep: &api.RerunFromStep{StepId: step, Input: input}}))
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("rerun from a step that is not there: %v", err)
	}
	value := structpb.NewNumberValue(0.5)
	scores, err := c.CreateScores(t.Context(), connect.NewRequest(&api.CreateScoresRequest{RunId: run.Msg.GetData().GetId(), Scores: []*api.Score{{Name: "s", Value: value}}}))
	if err != nil || len(scores.Msg.GetData()) != 1 {
		t.Errorf("scores %v, %v", scores, err)
	}
	if _, err := c.CancelRun(t.Context(), connect.NewRequest(&api.CancelRunRequest{RunId: run.Msg.GetData().GetId()})); err != nil {
		t.Errorf("cancel: %v", err)
	}
}

// testErrors wants codes of RPC with the errors of REST.
func testErrors(t *testing.T, c *client.Client) {
	t.Helper()
	_, err := c.GetApp(t.Context(), connect.NewRequest(&api.GetAppRequest{AppId: "nope"}))
	got := client.Errors(err)
	if connect.CodeOf(err) != connect.CodeNotFound || len(got) != 1 || got[0].GetCode() != "not_found" || got[0].GetMessage() != "App not found" {
		t.Errorf("error %v with %v", err, got)
	}
	size := int32(101)
	if _, err := c.ListRuns(t.Context(), connect.NewRequest(&api.ListRunsRequest{Limit: &size})); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("error %v", err)
	}
	large, err := structpb.NewStruct(map[string]any{"x": strings.Repeat("x", 5<<20)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SendEvent(t.Context(), connect.NewRequest(&api.SendEventRequest{Name: "a/b", Data: large})); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("error %v", err)
	}
	nan := &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewNumberValue(nan())}}
	if _, err := c.SendEvent(t.Context(), connect.NewRequest(&api.SendEventRequest{Name: "a/b", Data: nan})); err == nil {
		t.Error("a number that JSON does not have is accepted")
	}
	if client.Errors(errors.New("another")) != nil || client.Errors(context.Canceled) != nil {
		t.Error("another error has errors of the API")
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

func TestRPC_OfBrowsers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	w := f.rest(post, "/api.v2.APIService/Health", "{}", "Content-Type: application/json", "Origin: http://example.com")
	if exposed := w.Header().Get("Access-Control-Expose-Headers"); w.Code != 200 || !strings.Contains(exposed, "Grpc-Status") {
		t.Errorf("%d %s, exposed %q", w.Code, w.Body, exposed)
	}
	if w := f.rest(post, "/api.v2.APIService/Nope", "{}", "Content-Type: application/json"); w.Code != 404 {
		t.Errorf("unknown method: %d", w.Code)
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	for _, prefix := range apiv2.Prefixes {
		var document struct {
			OpenAPI string
			Paths   map[string]map[string]any
		}
		if err := json.Unmarshal(f.rest(get, prefix+"/openapi.json", "").Body.Bytes(), &document); err != nil || document.OpenAPI != "3.1.0" {
			t.Errorf("openapi %q, %v", document.OpenAPI, err)
		}
		w := f.rest(get, prefix+"/operations", "")
		all := dataOf[struct {
			Operations []struct {
				ID, Summary, Description string
				HTTP                     struct{ Method, Path string }
				CLI                      struct{ Command string }
			}
		}](t, w).Operations
		if w.Header().Get("Cache-Control") != "public, max-age=300, stale-while-revalidate=3600" || len(all) != len(client.Operations()) || len(all) != len(paths(document.Paths)) {
			t.Errorf("%d operations, %v", len(all), w.Header())
		}
		for _, op := range all {
			if document.Paths[op.HTTP.Path][strings.ToLower(op.HTTP.Method)] == nil || op.Description == "" || op.CLI.Command == "" {
				t.Errorf("operation %+v", op)
			}
		}
	}
	for _, path := range []string{"/api/v2/openapi.json", "/v2/operations"} {
		if w := f.rest(post, path, ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != get {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func paths(document map[string]map[string]any) (all []string) {
	for path, methods := range document {
		for method := range methods {
			all = append(all, method+" "+path)
		}
	}
	return all
}
