package httpapi_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/adapters/tokens"
	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/app/cancel"
	"github.com/ingothq/ingot/internal/app/checkpoint"
	"github.com/ingothq/ingot/internal/app/execute"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/pausing"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/app/route"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	signingKey = "abc123def456"
	// signingHash is the SHA-256 of the key's bytes. Spec 04 §3.1.
	signingHash = "3e0c020d16ae2fa8467cb0af8488907cbaec86257d6b26c54e60696bc475fc8c"
	eventKey    = "right-key"
)

// devConfig and startConfig are the servers of the two modes.
var (
	devConfig   = httpapi.Config{Kind: httpapi.KindDev, Version: "1.43.0-abc1234"}
	startConfig = httpapi.Config{
		Kind: httpapi.KindCloud, Version: "1.43.0-abc1234", SigningKey: signingKey, EventKeys: []string{"other-key", eventKey},
	}
)

// fixtureTime is when the time of a fixture stands still.
var fixtureTime = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// fixture is the API over the application and storage in memory. Time stands still and IDs count up, so that every answer is
// the same each time. Nothing happens in the background.
type fixture struct {
	tb        testing.TB
	clock     *clock
	backend   *mem.Backend
	deps      httpapi.Deps
	handler   http.Handler
	log       *bytes.Buffer
	router    *route.Router
	executor  *execute.Executor
	cancel    *cancel.Canceller
	broadcast *broadcast.Broadcast
	// answer is what the app answers to a call.
	answer func(ports.Call) sdk.Response
}

// newFixture changes the dependencies with edit, if there is one, before the handler is made.
func newFixture(tb testing.TB, config httpapi.Config, edit ...func(*httpapi.Deps)) *fixture {
	tb.Helper()
	f := &fixture{tb: tb, clock: &clock{now: fixtureTime}, log: &bytes.Buffer{}}
	f.backend = mem.New(f.clock)
	tb.Cleanup(f.backend.Close)
	log := slog.New(slog.NewTextHandler(f.log, nil))
	ids := &counter{}
	reg := registry.New(f.backend, log)
	reg.Observe(registry.NewLimits(reg, f.backend.Queue()))
	f.broadcast = broadcast.New(broadcast.Config{})
	tb.Cleanup(f.broadcast.Close)
	signer, err := tokens.New(config.SigningKey)
	if err != nil {
		tb.Fatal(err)
	}
	in := ingest.New(f.backend, f.clock, ids)
	limits := &execute.Overrides{}
	compiles := func(text string) error {
		_, err := expr.Compile(text)
		return err
	}
	f.router = route.New(route.Deps{
		EventLog: f.backend, Store: f.backend, Functions: reg, Tracker: in, Clock: f.clock, IDs: ids, Log: log,
	})
	f.executor = execute.New(execute.Deps{
		Store: f.backend, Queue: f.backend.Queue(), Worker: worker{f}, Functions: reg, Tracker: in, Limits: limits.Limits,
		Clock: f.clock, Random: noJitter{}, Log: log,
	}, execute.Config{})
	f.cancel = cancel.New(cancel.Deps{
		Cancellations: f.backend.Cancellations(), Store: f.backend, Functions: reg, Tracker: in, Clock: f.clock, IDs: ids, Log: log, AtOnce: 1,
	})
	f.deps = httpapi.Deps{
		Cancellations: f.cancel, Pauses: pausing.New(f.backend, f.backend, reg, f.clock, log),
		Ingest: in, Sync: appsync.NewSyncer(f.backend, reg, function.Checks{Expression: compiles, Condition: compiles}, log),
		Runs: f.executor, Signals: f.router,
		Checkpoints: checkpoint.New(checkpoint.Deps{
			Advance: advance.New(f.backend, in, nil, log, advance.Pause(f.clock)), Store: f.backend, History: f.backend.History(), Catalog: f.backend, Functions: reg,
			Tracker: in, Limits: limits.Limits, Jobs: f.backend.Queue(), Broadcast: f.broadcast, Tokens: signer, Clock: f.clock, IDs: ids,
		}), Store: f.backend, Queue: f.backend.Queue(), Catalog: f.backend, History: f.backend.History(), Metadata: f.backend.Metadata(), Functions: reg, Limits: limits, Tokens: signer, Clock: f.clock, IDs: ids, Log: log,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "depth 1\n") }),
	}
	for _, change := range edit {
		change(&f.deps)
	}
	f.handler = httpapi.New(f.deps, config)
	return f
}

// send makes a request; headers are "Name: value".
func (f *fixture) send(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	f.tb.Helper()
	return f.sendContext(f.tb.Context(), method, path, body, headers...)
}

// sendFrom makes a request whose connection has another end.
func (f *fixture) sendFrom(address, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	f.tb.Helper()
	ctx := f.tb.Context()
	if strings.HasPrefix(path, "/debug/pprof/") { // profiles take until who asked has gone
		gone, cancel := context.WithCancel(ctx)
		cancel()
		ctx = gone
	}
	r := request(ctx, method, path, body, headers...)
	r.RemoteAddr = address
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

func (f *fixture) sendContext(ctx context.Context, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	f.tb.Helper()
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, request(ctx, method, path, body, headers...))
	return w
}

func request(ctx context.Context, method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	return r
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

// cancelAll works off all cancellations that can be.
func (f *fixture) cancelAll() {
	for id, ok := f.cancel.Take(); ok; id, ok = f.cancel.Take() {
		f.cancel.Do(f.tb.Context(), id)
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

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
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

func (worker) Ping(context.Context, string) (sdk.Response, error) {
	return sdk.Response{}, ports.ErrClosed
}

func (worker) Probe(context.Context, string) bool { return false }

// answers is an app that gives the answers in order and the last one for ever.
func answers(all ...sdk.Response) func(ports.Call) sdk.Response {
	return func(ports.Call) sdk.Response {
		next := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		return next
	}
}

func appAnswer(status int, body string) sdk.Response {
	return sdk.Response{Status: status, Body: []byte(body), Header: map[string]string{
		"X-Inngest-Sdk": "inngest-js:v4.0.0", "X-Inngest-Req-Version": "2", "Content-Type": "application/json",
	}}
}

// registration is the request of an app with one function on "app/event", and more members of the function.
func registration(more string) string {
	return `{"v":"0.1","url":"http://127.0.0.1:9/api/inngest","deployType":"ping","sdk":"js:v4.24.0","framework":"nodejs","appName":"app",` +
		`"functions":[{"id":"app-fn","name":"Fn","triggers":[{"event":"app/event"}],` + more +
		`"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://127.0.0.1:9/api/inngest?fnId=app-fn&stepId=step"},` +
		`"retries":{"attempts":2}}}}],"headers":{"env":"","platform":""}}`
}
