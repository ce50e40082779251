package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// broken is every dependency of a server whose storage is gone. Its error is not for clients.
type broken struct {
	ports.Store
	ports.History
	ports.Metadata
	ports.Catalog
}

var errBroken = fmt.Errorf("open /secret/path: %w", ports.ErrUnavailable)

func (broken) Accept(context.Context, []event.Event, *ids.Seed, int) ([]ulid.ULID, error) {
	return nil, errBroken
}
func (broken) Register(context.Context, []byte) (appsync.Result, error) {
	return appsync.Result{}, errBroken
}
func (broken) Remove(context.Context, string) error               { return errBroken }
func (broken) Cancel(context.Context, ulid.ULID) error            { return errBroken }
func (broken) Load(context.Context, ulid.ULID) (run.State, error) { return run.State{}, errBroken }
func (broken) Event(context.Context, ulid.ULID) (event.Tracked, error) {
	return event.Tracked{}, errBroken
}
func (broken) Events(context.Context, ports.EventQuery) ([]event.Tracked, error) {
	return nil, errBroken
}
func (broken) EventRuns(context.Context, ulid.ULID) ([]ports.RunRecord, error) { return nil, errBroken }
func (broken) Run(context.Context, ulid.ULID) (ports.RunRecord, error) {
	return ports.RunRecord{}, errBroken
}

func (broken) AppByName(context.Context, string) (ports.AppRecord, error) {
	return ports.AppRecord{}, errBroken
}
func (broken) Put(context.Context, ulid.ULID, []metadata.Update) error { return errBroken }
func (broken) All(context.Context, ulid.ULID) ([]metadata.Stored, error) {
	return nil, errBroken
}

func TestStorageFailure(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{http.MethodPost, "/e/k", `{"name":"a"}`, 503, `{"ids":[""],"status":503,"error":"error publishing event: the event store is unavailable"}`},
		{http.MethodPost, "/invoke/a", `{}`, 500, `{"error":"Unable to create invocation event: the event store is unavailable","data":null,"status":500}`},
		{http.MethodPost, "/fn/register", `{}`, 500, `{"error":"Error saving function","data":null,"status":500}`},
		{http.MethodDelete, "/fn/remove?url=x", "", 500, `{"error":"Error removing app","data":null,"status":500}`},
		{http.MethodGet, "/v0/runs/" + unknownID + "/actions", "", 503, `{"error":"Unable to load the state of run: ` + unknownID + `","data":null,"status":503}`},
		{http.MethodDelete, "/v0/runs/" + unknownID, "", 500, `{"error":"There was an error cancelling your function","data":null,"status":500}`},
		{http.MethodGet, "/v1/events", "", 500, `{"error":"Unable to query events","data":null,"status":500}`},
		{http.MethodGet, "/v1/events/" + unknownID, "", 500, `{"error":"Unable to query events","data":null,"status":500}`},
		{http.MethodGet, "/v1/events/" + unknownID + "/runs", "", 500, `{"error":"Unable to query event runs","data":null,"status":500}`},
		{http.MethodGet, "/v1/runs/" + unknownID, "", 500, `{"error":"Unable to load function run: ` + unknownID + `","data":null,"status":500}`},
		{http.MethodGet, "/v1/runs/" + unknownID + "/metadata", "", 503, `{"error":"the run store is unavailable","data":null,"status":503}`},
		{http.MethodPost, "/v1/runs/" + unknownID + "/metadata", "{}", 503, `{"error":"the run store is unavailable","data":null,"status":503}`},
		{http.MethodGet, "/v1/runs/" + unknownID + "/jobs", "", 500, `{"error":"Unable to load function run: ` + unknownID + `","data":null,"status":500}`},
		{http.MethodGet, "/v1/apps/a/functions", "", 500, `{"error":"Unable to list functions: the catalog is unavailable","data":null,"status":500}`},
		{http.MethodDelete, "/v1/runs/" + unknownID, "", 500, `{"error":"Unable to load function run: ` + unknownID + `","data":null,"status":500}`},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, devConfig, func(d *httpapi.Deps) {
				d.Ingest, d.Sync, d.Runs, d.Store, d.History, d.Metadata, d.Catalog = broken{}, broken{}, broken{}, broken{}, broken{}, broken{}, broken{}
			})
			w := f.send(test.method, test.path, test.body)
			if w.Code != test.status || w.Body.String() != test.want+"\n" {
				t.Errorf("status %d, body %s, want %d, %s", w.Code, w.Body, test.status, test.want)
			}
			if got := strings.Count(f.log.String(), "/secret/path"); got != 1 {
				t.Errorf("the cause was logged %d times:\n%s", got, f.log)
			}
		})
	}
}

// TestCancel_StorageFailure is a run that is known but cannot be cancelled.
func TestCancel_StorageFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig, func(d *httpapi.Deps) { d.Runs = broken{} })
	f.send(http.MethodPost, "/fn/register", registration(""))
	f.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
	f.route()
	w := f.send(http.MethodDelete, "/v1/runs/"+f.backend.Runs()[0].RunID.String(), "")
	const want = `{"error":"Unable to cancel function run: the run store is unavailable","data":null,"status":500}` + "\n"
	if w.Code != http.StatusInternalServerError || w.Body.String() != want {
		t.Errorf("status %d, body %s", w.Code, w.Body)
	}
}

// TestJobs_StorageFailure is a run that is known but cannot be loaded.
func TestJobs_StorageFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig, func(d *httpapi.Deps) { d.Store = broken{} })
	f.send(http.MethodPost, "/fn/register", registration(""))
	f.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
	f.route()
	w := f.send(http.MethodGet, "/v1/runs/"+f.backend.Runs()[0].RunID.String()+"/jobs", "")
	const want = `{"error":"Unable to read run jobs: the run store is unavailable","data":null,"status":500}` + "\n"
	if w.Code != http.StatusInternalServerError || w.Body.String() != want {
		t.Errorf("status %d, body %s", w.Code, w.Body)
	}
}

// TestTestMode_StorageFailure: tests see that something is wrong, and nothing of where.
func TestTestMode_StorageFailure(t *testing.T) {
	t.Parallel()
	const fn = "79813634-2759-5dbb-838f-b956de7e12f5"
	for path, edit := range map[string]func(*httpapi.Deps){
		"POST /test/reset": func(d *httpapi.Deps) { d.Runs = broken{} },
		"POST /test/function/runs/cancel?accountId=" + fn + "&fnId=" + fn + "&runId=" + unknownID: func(d *httpapi.Deps) { d.Runs = broken{} },
		"GET /test/queue/function-queue-size?accountId=" + fn + "&fnId=" + fn:                     func(d *httpapi.Deps) { d.Queue = brokenQueue{} },
	} {
		f := newFixture(t, httpapi.Config{Kind: httpapi.KindDev, TestMode: true}, edit)
		f.send(http.MethodPost, "/fn/register", registration(""))
		f.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
		f.route()
		method, path, _ := strings.Cut(path, " ")
		if w := f.send(method, path, ""); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: status %d, %s", path, w.Code, w.Body)
		}
	}
	if w := newFixture(t, devConfig).send(http.MethodGet, "/test/", ""); w.Code != http.StatusNotFound {
		t.Errorf("without test mode: status %d", w.Code)
	}
}

type brokenQueue struct{ ports.Queue }

func (brokenQueue) Depth(context.Context) ([]ports.Depth, error) { return nil, errBroken }

// TestActions_OfARerun has inputs for two steps, of which one has run since.
func TestActions_OfARerun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	state, jobs := run.New(run.Spec{
		ID: ulid.MustParse(unknownID), Events: []event.Tracked{{}}, MaxAttempts: 1, Now: f.clock.Now(),
		Steps:  []run.Step{{ID: "ran", Memo: []byte(`{"data":1}`)}},
		Inputs: map[string]json.RawMessage{"ran": []byte(`[1]`), "next": []byte(`[7,"x"]`)},
	})
	if _, err := f.backend.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{{State: state, Start: jobs[0]}}}); err != nil {
		t.Fatal(err)
	}
	w := f.send(http.MethodGet, "/v0/runs/"+unknownID+"/actions", "")
	if want := `{"next":{"input":[7,"x"]},"ran":{"data":1}}` + "\n"; w.Body.String() != want {
		t.Errorf("got %s, want %s", w.Body, want)
	}
}

// TestRunOutput_NoJSON is a run whose output is text.
func TestRunOutput_NoJSON(t *testing.T) {
	t.Parallel()
	record := ports.RunRecord{EndedAt: (&clock{}).Now().AddDate(1, 0, 0), Status: run.Completed, Output: []byte(`not "JSON`), BatchID: ulid.ULID{1}}
	f := newFixture(t, devConfig, func(d *httpapi.Deps) { d.History = oneRun{record: record} })
	w := f.send(http.MethodGet, "/v1/runs/"+unknownID, "")
	if !strings.Contains(w.Body.String(), `"batch_id":"01000000000000000000000000"`) || !strings.Contains(w.Body.String(), `"output":"not \"JSON"`) {
		t.Errorf("body %s", w.Body)
	}
}

type oneRun struct {
	ports.History
	record ports.RunRecord
}

func (h oneRun) Run(context.Context, ulid.ULID) (ports.RunRecord, error) { return h.record, nil }

// crashing panics with its value.
type crashing struct{ value any }

func (c crashing) Functions() []function.Function { panic(c.value) }

func TestPanic_IsAnAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig, func(d *httpapi.Deps) { d.Functions = crashing{"boom"} })
	w := f.send(http.MethodGet, "/dev", "")
	const want = `{"error":"Internal server error","data":null,"status":500}` + "\n"
	if w.Code != http.StatusInternalServerError || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("status %d, body %s", w.Code, w.Body)
	}
	log := f.log.String()
	if strings.Count(log, "\n") != 1 || !strings.Contains(log, `error="panic: boom"`) || !strings.Contains(log, "failure_test.go") {
		t.Errorf("log, want one line with the reason and the stack:\n%s", log)
	}
	if w := f.send(http.MethodGet, "/health", ""); w.Code != http.StatusOK {
		t.Errorf("health after the panic: status %d", w.Code)
	}
}

// TestPanic_InHalfAnAnswer is a handler that dies while it writes: the connection must break.
func TestPanic_InHalfAnAnswer(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"panic": "boom", "abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, devConfig)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", http.NoBody)
			defer func() {
				reason, _ := recover().(error)
				if !errors.Is(reason, http.ErrAbortHandler) {
					t.Errorf("panicked with %v, want http.ErrAbortHandler", reason)
				}
				if logged := f.log.Len() > 0; logged != (name == "panic") {
					t.Errorf("log %q", f.log)
				}
			}()
			f.handler.ServeHTTP(dyingWriter{httptest.NewRecorder(), value}, r)
		})
	}
}

type dyingWriter struct {
	http.ResponseWriter
	value any
}

func (w dyingWriter) Write([]byte) (int, error) { panic(w.value) }

// TestBodyThatBreaks is a client that goes away in the middle of its body.
func TestBodyThatBreaks(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/e/k":          `{"ids":[""],"status":400,"error":"Unable to read request body"}`,
		"/invoke/a":     `{"error":"Unable to read post data request","data":null,"status":400}`,
		"/fn/register":  `{"error":"Invalid request: unexpected EOF"}`,
		"/v0/telemetry": ``,
	} {
		f := newFixture(t, devConfig)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, io.MultiReader(strings.NewReader(`{"name":`), breaking{}))
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		if got := strings.TrimSuffix(w.Body.String(), "\n"); got != want {
			t.Errorf("%s: status %d, body %s", path, w.Code, got)
		}
	}
}

type breaking struct{}

func (breaking) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestOversize_Chunked is a body of unknown length that is too long, on a real connection.
func TestOversize_Chunked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	srv := httptest.NewServer(f.handler)
	t.Cleanup(srv.Close)
	for path, size := range map[string]int{"/invoke/a": 3<<20 + 1, "/fn/register": 32<<20 + 1, "/e/k": 64<<20 + 1} {
		body := struct{ io.Reader }{strings.NewReader(strings.Repeat(" ", size))} // hides the length
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		response, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: status %d", path, response.StatusCode)
		}
	}
}

// TestInvalidEscape is a path that no handler sees.
func TestInvalidEscape(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	srv := httptest.NewServer(f.handler)
	t.Cleanup(srv.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /invoke/a%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusBadRequest || string(body) != "400 Bad Request" || !response.Close {
		t.Errorf("status %d, body %q, error %v", response.StatusCode, body, err)
	}
}
