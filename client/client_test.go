package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/ingothq/ingot/client"
	apiv2 "github.com/ingothq/ingot/proto/api/v2"
	"github.com/ingothq/ingot/proto/api/v2/apiv2connect"
)

// server stands for a server: it has one app.
type server struct {
	apiv2connect.UnimplementedAPIServiceHandler
}

func (server) GetApps(context.Context, *connect.Request[apiv2.GetAppsRequest]) (*connect.Response[apiv2.GetAppsResponse], error) {
	return connect.NewResponse(&apiv2.GetAppsResponse{Data: []*apiv2.App{{Id: "shop", Name: "shop", FunctionCount: 3}}}), nil
}

func (server) GetApp(_ context.Context, _ *connect.Request[apiv2.GetAppRequest]) (*connect.Response[apiv2.GetAppResponse], error) {
	err := connect.NewError(connect.CodeNotFound, errors.New("App not found"))
	detail, _ := connect.NewErrorDetail(&apiv2.ErrorResponse{Errors: []*apiv2.Error{{Code: "not_found", Message: "App not found"}}})
	err.AddDetail(detail)
	return nil, err
}

func newServer() *httptest.Server {
	mux := http.NewServeMux()
	mux.Handle(apiv2connect.NewAPIServiceHandler(server{}))
	return httptest.NewServer(mux)
}

func Example() {
	server := newServer() // in real life: server dev
	defer server.Close()

	c, err := client.New(server.URL, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	apps, err := c.GetApps(context.Background(), connect.NewRequest(&apiv2.GetAppsRequest{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, app := range apps.Msg.GetData() {
		fmt.Println(app.GetName(), app.GetFunctionCount())
	}
	// Output: shop 3
}

func ExampleErrors() {
	server := newServer()
	defer server.Close()

	c, err := client.New(server.URL, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = c.GetApp(context.Background(), connect.NewRequest(&apiv2.GetAppRequest{AppId: "nope"}))
	for _, each := range client.Errors(err) {
		fmt.Println(each.GetCode(), "-", each.GetMessage())
	}
	// Output: not_found - App not found
}

func TestNew_Refuses(t *testing.T) {
	t.Parallel()
	for url, key := range map[string]string{
		"localhost:8288": "", "ftp://localhost": "", "http://": "", "http://\x00": "", "http://example.com": "abc1",
	} {
		if _, err := client.New(url, key); err == nil {
			t.Errorf("%q with the key %q is accepted", url, key)
		}
	}
	if _, err := client.New("http://example.com", "abc1"); !errors.Is(err, client.ErrInsecure) {
		t.Errorf("error %v", err)
	}
	for url, key := range map[string]string{
		"http://example.com": "", "https://example.com": "abc1", "http://localhost:1": "abc1", "http://127.0.0.1:1": "abc1", "http://[::1]:1": "abc1",
		"http://dev.localhost": "abc1",
	} {
		if _, err := client.New(url, key); err != nil {
			t.Errorf("%q with the key %q: %v", url, key, err)
		}
	}
}

// echo answers with what it was asked.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s auth=%s env=%s", r.Method, r.URL, body, r.Header.Get("Authorization"), r.Header.Get("X-Inngest-Env"))
	}))
	t.Cleanup(s.Close)
	return s
}

func operation(t *testing.T, command string) client.Operation {
	t.Helper()
	for _, op := range client.Operations() {
		if op.Command == command {
			return op
		}
	}
	t.Fatalf("there is no %s", command)
	return client.Operation{}
}

func TestREST(t *testing.T) {
	t.Parallel()
	// The hash of a signing key goes over the wire, and not the key.
	const sum = "3e0c020d16ae2fa8467cb0af8488907cbaec86257d6b26c54e60696bc475fc8c"
	tests := map[string]struct {
		key, command string
		fields       map[string]any
		whole        string
		want         string
	}{
		"path and query": {"signkey-test-abc123def456", "get-function-runs", map[string]any{
			"appId": "a/b", "functionId": "f", "limit": 3, "status": []string{"FAILED", "RUNNING"}, "includeOutput": true,
		}, "", "GET /v2/apps/a%2Fb/functions/f/runs?includeOutput=true&limit=3&status=FAILED&status=RUNNING  auth=Bearer signkey-test-" + sum + " env=test"},
		"body": {"abc123def456", "invoke-function", map[string]any{
			"appId": "a", "functionId": "f", "data": json.RawMessage(`{"n":1}`),
		}, `{"data":{},"idempotencyKey":"k"}`, `POST /v2/apps/a/functions/f/invoke {"data":{"n":1},"idempotencyKey":"k"} auth=Bearer ` + sum + ` env=test`},
		"whole body": {"not hex", "create-scores", map[string]any{"runId": "r"}, `[{"name":"x"}]`,
			`POST /v2/runs/r/scores [{"name":"x"}] auth=Bearer not hex env=test`},
		"whole body as a field": {"", "create-scores", map[string]any{"runId": "r", "scores": json.RawMessage(`[1]`)}, ``,
			`POST /v2/runs/r/scores [1] auth= env=test`},
		"empty body": {"", "cancel-run", map[string]any{"runId": "r"}, ``, `POST /v2/runs/r/cancel {} auth= env=test`},
	}
	s := echo(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := client.New(s.URL+"/v2/", test.key, client.WithEnv("test"), client.WithHTTPClient(s.Client()))
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.REST(t.Context(), operation(t, test.command), test.fields, json.RawMessage(test.whole))
			if err != nil || string(got.Body) != test.want || got.Status != 200 {
				t.Errorf("%d %v\n%s, want\n%s", got.Status, err, got.Body, test.want)
			}
		})
	}
}

// TestREST_KeepsTheKeyToItself is led to another server.
func TestREST_KeepsTheKeyToItself(t *testing.T) {
	t.Parallel()
	other := echo(t)
	s := httptest.NewServer(http.RedirectHandler(other.URL+"/elsewhere", http.StatusTemporaryRedirect))
	defer s.Close()
	c, err := client.New(s.URL, "abc123def456", client.WithEnv("test"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.REST(t.Context(), operation(t, "health"), nil, nil)
	if err != nil || string(got.Body) != "GET /elsewhere  auth= env=" {
		t.Errorf("%s, %v", got.Body, err)
	}
}

func TestREST_Fails(t *testing.T) {
	t.Parallel()
	c, err := client.New("http://127.0.0.1:1", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]struct {
		command, whole, want string
		fields               map[string]any
	}{
		"no path":     {"get-app", "", "call GetApp: appId is required", nil},
		"empty path":  {"get-app", "", "call GetApp: appId is required", map[string]any{"appId": ""}},
		"bad body":    {"send-event", "[", "call SendEvent: the body must be a JSON object", nil},
		"no server":   {"health", "", "call Health", nil},
		"bad context": {"health", "", "call Health", nil},
	} {
		ctx := t.Context()
		if name == "bad context" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(ctx)
			cancel()
		}
		if _, err := c.REST(ctx, operation(t, call.command), call.fields, json.RawMessage(call.whole)); err == nil || !strings.HasPrefix(err.Error(), call.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 25<<20+1))
	}))
	defer large.Close()
	if c, err = client.New(large.URL, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := c.REST(t.Context(), operation(t, "health"), nil, nil); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("large answer: %v", err)
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	run := operation(t, "get-function-run")
	if run.ID != "GetFunctionRun" || run.Method != http.MethodGet || run.Path != "/runs/{run_id}" || len(run.Fields) != 2 ||
		run.Fields[0].Name != "runId" || run.Fields[0].Flag != "run-id" || run.Fields[0].In != client.InPath || run.Fields[1].Kind != client.Bool {
		t.Errorf("operation %+v", run)
	}
	commands := map[string]bool{}
	for _, op := range client.Operations() {
		if commands[op.Command] {
			t.Errorf("two operations are called %s", op.Command)
		}
		commands[op.Command] = true
	}
	if !commands["get-account"] || !commands["get-functions"] || !commands["get-runs"] {
		t.Errorf("commands %v", commands)
	}
}
