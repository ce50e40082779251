package apiv2_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/app/execute"
	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/invoke"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/app/route"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/app/waiting"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	signingKey = "abc123def4567890abc123def456"
	now        = "2026-03-01T12:00:00.123456789Z"
	unknownRun = "01JQE1K13Q1A4D1B5XF0M1S2E0"
)

// fixture is the API over the application and storage in memory. Time stands still and IDs count up. Nothing happens in the
// background.
type fixture struct {
	tb       testing.TB
	clock    *clock
	backend  *mem.Backend
	deps     apiv2.Deps
	sync     *appsync.Syncer
	registry *registry.Registry
	handler  http.Handler
	log      *bytes.Buffer
	router   *route.Router
	executor *execute.Executor
	reader   *history.Reader
	// answer is what the app answers to a call.
	answer func(ports.Call) sdk.Response
}

func newFixture(tb testing.TB, config apiv2.Config, edit ...func(*apiv2.Deps)) *fixture {
	tb.Helper()
	f := &fixture{tb: tb, clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)}, log: &bytes.Buffer{}}
	f.backend = mem.New(f.clock)
	tb.Cleanup(f.backend.Close)
	log, ids := slog.New(slog.NewTextHandler(f.log, nil)), &counter{}
	f.registry = registry.New(f.backend, log)
	in := ingest.New(f.backend, f.clock, ids)
	starter := start.Starter{Store: f.backend, Advance: advance.New(f.backend, in, nil, log, advance.Pause(f.clock)), Tracker: in, Clock: f.clock}
	f.router = route.New(route.Deps{EventLog: f.backend, Store: f.backend, Functions: f.registry, Tracker: in, Clock: f.clock, IDs: ids, Log: log})
	f.executor = execute.New(execute.Deps{
		Store: f.backend, Queue: f.backend.Queue(), Worker: worker{f}, Functions: f.registry, Tracker: in, Limits: (&execute.Overrides{}).Limits,
		Clock: f.clock, Random: noJitter{}, Log: log,
	}, execute.Config{})
	compiles := func(string) error { return nil }
	f.sync = appsync.NewSyncer(f.backend, f.registry, function.Checks{Expression: compiles, Condition: compiles}, log)
	f.reader = history.New(history.Deps{
		History: f.backend.History(), Store: f.backend, Queue: f.backend.Queue(), Metadata: f.backend.Metadata(), Catalog: f.backend, Clock: f.clock,
	}, history.Config{})
	f.deps = apiv2.Deps{
		Ingest: in, Functions: f.registry, Invoker: invoke.New(starter, f.registry, in, ids, log), Reruns: rerun.New(starter, f.backend.History(), f.registry, ids, log),
		Runs: f.executor, Catalog: f.backend, History: f.backend.History(), Reader: f.reader, Waiting: waiting.New(f.backend, f.backend.Queue(), f.registry), Metadata: f.backend.Metadata(), Clock: f.clock, Log: log,
	}
	for _, change := range edit {
		change(&f.deps)
	}
	var err error
	if f.handler, err = apiv2.New(f.deps, config); err != nil {
		tb.Fatal(err)
	}
	return f
}

// register registers an app with the functions of the JSON list.
func (f *fixture) register(app, functions string) {
	f.tb.Helper()
	body := `{"v":"0.1","url":"http://127.0.0.1:9/` + app + `","deployType":"ping","sdk":"js:v4.24.0","framework":"nodejs","appName":"` + app +
		`","functions":` + functions + `,"headers":{"env":"","platform":""}}`
	if _, err := f.sync.Register(f.tb.Context(), []byte(body)); err != nil {
		f.tb.Fatal(err)
	}
}

// fn is a function of the app for register, with more members.
func fn(app, id, more string) string {
	return `{"id":"` + app + `-` + id + `","name":"The ` + id + `","triggers":[{"event":"app/event"}],` + more +
		`"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://127.0.0.1:9/` + app + `?fnId=` + app + `-` + id + `&stepId=step"}}}}`
}

// rest makes a request; headers are "Name: value".
func (f *fixture) rest(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	f.tb.Helper()
	r := httptest.NewRequestWithContext(f.tb.Context(), method, path, strings.NewReader(body))
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// expect makes a request and compares the whole answer.
func (f *fixture) expect(method, path, body string, status int, want string, headers ...string) {
	f.tb.Helper()
	w := f.rest(method, path, body, headers...)
	if diff := cmp.Diff(want, w.Body.String()); diff != "" || w.Code != status {
		f.tb.Errorf("%s %s %.200s\nstatus %d, want %d\n%s", method, path, body, w.Code, status, diff)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/json" {
		f.tb.Errorf("%s %s: content type %q", method, path, kind)
	}
}

// refused is the body of an error.
func refused(code, message string) string {
	text, _ := json.Marshal(message)
	return `{"errors":[{"code":"` + code + `","message":` + strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text)) + `}]}`
}

// stamped is the body of an answer made now.
func stamped(data, more string) string {
	return `{"data":` + data + `,"metadata":{"fetchedAt":"` + now + `"}` + more + `}`
}

// dataOf is the member "data" of an answer.
func dataOf[T any](tb testing.TB, w *httptest.ResponseRecorder) T {
	tb.Helper()
	var answer struct{ Data T }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code >= http.StatusBadRequest {
		tb.Fatalf("status %d, %v: %s", w.Code, err, w.Body)
	}
	return answer.Data
}

// serve starts a server that speaks HTTP/1 and HTTP/2 without TLS, and returns its URL.
func (f *fixture) serve() string {
	f.tb.Helper()
	server := httptest.NewUnstartedServer(f.handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	f.tb.Cleanup(server.Close)
	return server.URL
}

// route routes all events that wait.
func (f *fixture) route() {
	for taken := f.backend.TryTake(1); len(taken) > 0; taken = f.backend.TryTake(1) {
		f.router.Do(f.tb.Context(), taken[0])
	}
}

// work works off all jobs that are due.
func (f *fixture) work() {
	for lease, ok := f.backend.TryLease(); ok; lease, ok = f.backend.TryLease() {
		f.executor.Do(f.tb.Context(), lease)
	}
}

// clock stands still until it is moved.
type clock struct {
	testkit.Clock
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// counter makes IDs whose random part counts up.
type counter struct {
	mu sync.Mutex
	n  uint64
}

func (c *counter) ULID(at time.Time) ulid.ULID {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(at))
	binary.BigEndian.PutUint64(id[8:], c.n)
	return id
}

type noJitter struct{}

func (noJitter) Duration(time.Duration) time.Duration { return 0 }

// worker calls the app of a fixture.
type worker struct{ f *fixture }

func (w worker) Call(_ context.Context, c ports.Call) (sdk.Response, error) {
	return w.f.answer(c), nil
}

func (worker) Ping(context.Context, string) (sdk.Response, error) { return sdk.Response{}, io.EOF }

func (worker) Probe(context.Context, string) bool { return false }

func appAnswer(status int, body string) sdk.Response {
	return sdk.Response{Status: status, Body: []byte(body), Header: map[string]string{
		"X-Inngest-Sdk": "inngest-js:v4.0.0", "X-Inngest-Req-Version": "2", "Content-Type": "application/json",
	}}
}
