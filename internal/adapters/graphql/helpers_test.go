package graphql_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/app/execute"
	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/app/hold"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/app/route"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const appURL = "http://localhost:3000/api/inngest"

// fixture is the API over the application and storage in memory. Time moves only when a test moves it; nothing happens in the
// background.
type fixture struct {
	tb       testing.TB
	clock    *clock
	backend  *mem.Backend
	syncer   *appsync.Syncer
	router   *route.Router
	holds    *hold.Starter
	executor *execute.Executor
	log      *bytes.Buffer
	handler  http.Handler
	deps     graphql.Deps
	// answer is what the app answers to a call, ping to a ping.
	answer func(ports.Call) sdk.Response
	ping   func(url string) sdk.Response
}

func newFixture(tb testing.TB, config graphql.Config, edit ...func(*graphql.Deps)) *fixture {
	tb.Helper()
	f := &fixture{tb: tb, clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)}, log: &bytes.Buffer{}}
	f.answer = func(ports.Call) sdk.Response { return respond(200, `{"ok":true}`) }
	f.backend = mem.New(f.clock)
	tb.Cleanup(f.backend.Close)
	log := slog.New(slog.NewTextHandler(f.log, nil))
	ids := &counter{}
	reg := registry.New(f.backend, log)
	in := ingest.New(f.backend, f.clock, ids)
	compiles := func(text string) error {
		_, err := expr.Compile(text)
		return err
	}
	f.syncer = appsync.NewSyncer(f.backend, reg, function.Checks{Expression: compiles, Condition: compiles}, log)
	f.router = route.New(route.Deps{EventLog: f.backend, Store: f.backend, Functions: reg, Tracker: in, Clock: f.clock, IDs: ids, Log: log})
	f.holds = hold.New(hold.Deps{Holds: f.backend.Holds(), Store: f.backend, Functions: reg, Tracker: in, Clock: f.clock, IDs: ids, Log: log})
	f.executor = execute.New(execute.Deps{
		Store: f.backend, Queue: f.backend.Queue(), Worker: worker{f}, Functions: reg, Tracker: in, Limits: (&execute.Overrides{}).Limits,
		Clock: f.clock, Random: noJitter{}, Log: log,
	}, execute.Config{})
	f.deps = graphql.Deps{
		Apps: appsync.NewPoller(f.syncer, f.backend, worker{f}, log, appsync.PollerConfig{}), Sync: f.syncer, Ingest: in, Runs: f.executor,
		Reruns: rerun.New(start.Starter{Store: f.backend, Advance: advance.New(f.backend, in, nil, log, advance.Pause(f.clock)), Tracker: in, Clock: f.clock}, f.backend.History(), reg, ids, log),
		Past: history.New(history.Deps{
			History: f.backend.History(), Store: f.backend, Queue: f.backend.Queue(), Metadata: f.backend.Metadata(), Catalog: f.backend, Clock: f.clock,
		}, history.Config{}),
		Catalog: f.backend, Records: f.backend.History(), Store: f.backend, Clock: f.clock, IDs: ids, Log: log,
	}
	for _, change := range edit {
		change(&f.deps)
	}
	f.handler = graphql.New(f.deps, config)
	return f
}

// post sends a request's body and returns the answer.
func (f *fixture) post(body string, headers ...string) *httptest.ResponseRecorder {
	f.tb.Helper()
	r := httptest.NewRequestWithContext(f.tb.Context(), http.MethodPost, "/v0/gql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// ask sends a query with variables and returns the answer's body.
func (f *fixture) ask(query string, variables map[string]any) string {
	f.tb.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		f.tb.Fatal(err)
	}
	w := f.post(string(body))
	if w.Code != http.StatusOK {
		f.tb.Fatalf("%s: status %d, %s", query, w.Code, w.Body)
	}
	return w.Body.String()
}

// data asks and reads the data of an answer without errors.
func data[T any](f *fixture, query string, variables map[string]any) T {
	f.tb.Helper()
	var answer struct {
		Data   T
		Errors []struct{ Message string }
	}
	body := f.ask(query, variables)
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Errors) > 0 {
		f.tb.Fatalf("%s: %s %v", query, body, err)
	}
	return answer.Data
}

// expect compares the answers to queries.
func (f *fixture) expect(queries map[string]string) {
	f.tb.Helper()
	for query, want := range queries {
		if got := f.ask(query, nil); got != want {
			f.tb.Errorf("%s\ngot  %s\nwant %s", query, got, want)
		}
	}
}

// register registers functions of the app, each triggered by an event of its name, with more members.
func (f *fixture) register(more string, names ...string) {
	f.tb.Helper()
	var list []string
	for _, name := range names {
		list = append(list, `{"name":"`+name+`","id":"app-`+name+`","triggers":[{"event":"`+name+`"}],"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"`+
			appURL+`?fnId=app-`+name+`&stepId=step"}}}`+more+`}`)
	}
	f.apply(`{"v":"0.1","url":"` + appURL + `","deployType":"ping","sdk":"js:v4.1.0","framework":"express","appName":"app","functions":[` + strings.Join(list, ",") + `]}`)
}

func (f *fixture) apply(registration string) {
	f.tb.Helper()
	if _, err := f.syncer.Register(f.tb.Context(), []byte(registration)); err != nil {
		f.tb.Fatal(err)
	}
}

// send accepts an event, routes it, works off all jobs that are due and returns the internal ID.
func (f *fixture) send(name, data string) ulid.ULID {
	f.tb.Helper()
	ids, err := f.deps.Ingest.Accept(f.tb.Context(), []event.Event{{Name: name, Data: json.RawMessage(data), TS: f.clock.Now().UnixMilli()}}, nil, 0)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.work()
	return ids[0]
}

// work routes all events and works off all jobs that are due.
func (f *fixture) work() {
	for again := true; again; {
		again = false
		for taken := f.backend.TryTake(1); len(taken) > 0; taken = f.backend.TryTake(1) {
			f.router.Do(f.tb.Context(), taken[0])
			again = true
		}
		for lease, ok := f.backend.TryLease(); ok; lease, ok = f.backend.TryLease() {
			f.executor.Do(f.tb.Context(), lease)
			again = true
		}
	}
}

// startHolds starts the runs of all holds that are due.
func (f *fixture) startHolds() {
	for held, ok := f.backend.TryTakeHold(); ok; held, ok = f.backend.TryTakeHold() {
		f.holds.Do(f.tb.Context(), held)
	}
}

// run is the run that an event started.
func (f *fixture) run(event ulid.ULID) ulid.ULID {
	f.tb.Helper()
	runs, err := f.backend.History().RunsOfEvents(f.tb.Context(), []ulid.ULID{event})
	if err != nil || len(runs[event]) != 1 {
		f.tb.Fatalf("event %s has %d runs, %v", event, len(runs[event]), err)
	}
	return runs[event][0].RunID
}

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

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// counter makes IDs that count up.
type counter struct{ n atomic.Uint64 }

func (c *counter) ULID(at time.Time) ulid.ULID {
	id := ulid.ULID{15: byte(c.n.Add(1))}
	id[14] = byte(c.n.Load() >> 8)
	_ = id.SetTime(ulid.Timestamp(at))
	return id
}

type noJitter struct{}

func (noJitter) Duration(time.Duration) time.Duration { return 0 }

// respond is an answer of an SDK.
func respond(status int, body string) sdk.Response {
	return sdk.Response{Status: status, Body: []byte(body), Header: map[string]string{
		"X-Inngest-Sdk": "inngest-js:v4.1.0", "X-Inngest-Req-Version": "2", "Content-Type": "application/json",
	}}
}

// worker is the app.
type worker struct{ f *fixture }

func (w worker) Call(_ context.Context, c ports.Call) (sdk.Response, error) {
	return w.f.answer(c), nil
}

func (w worker) Ping(_ context.Context, url string) (sdk.Response, error) {
	if w.f.ping == nil {
		return sdk.Response{TransportError: "Unable to reach SDK URL"}, nil
	}
	return w.f.ping(url), nil
}

func (w worker) Probe(context.Context, string) bool { return false }

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

func hashOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

type (
	call     = ports.Call
	response = sdk.Response
)
