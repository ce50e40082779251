package execute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is an executor on ports in memory, with an app that answers what the test says.
type world struct {
	t         *testing.T
	backend   *mem.Backend
	app       *app
	waits     *waits
	functions functions
	logged    *testkit.Output
	pauses    *testkit.Pauses
	deps      Deps
	config    Config
}

// setup returns a world with one function. Its time is the machine's, or that of a bubble of synctest.
func setup(t *testing.T, options ...func(*world)) *world {
	t.Helper()
	clock := testkit.Clock{}
	backend := mem.New(clock)
	log := &testkit.Output{}
	w := &world{t: t, backend: backend, app: &app{}, waits: &waits{}, logged: log, pauses: &testkit.Pauses{}}
	w.functions = functions{known: map[uuid.UUID]function.Function{aFunction().ID: aFunction()}}
	w.deps = Deps{
		Store: backend, Queue: backend.Queue(), Worker: w.app, Waits: w.waits, Functions: &w.functions,
		Tracker: ingest.New(backend, clock, testkit.IDs{}), Limits: (&Overrides{}).Limits, Clock: clock, Random: jitter(7 * time.Second),
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), Pause: w.pauses.Add,
	}
	for _, option := range options {
		option(w)
	}
	return w
}

func (w *world) executor() *Executor { return New(w.deps, w.config) }

// start creates a run and returns its ID.
func (w *world) start(options ...func(*run.Spec)) ulid.ULID {
	w.t.Helper()
	now := time.Now().UTC()
	id := testkit.IDs{}.ULID(now)
	spec := run.Spec{
		ID: id, AppID: aFunction().AppID, FunctionID: aFunction().ID, FunctionVersion: 1, Slug: aFunction().Slug, MaxAttempts: 2,
		Events: []event.Tracked{{InternalID: id, ReceivedAt: now, Event: event.Event{
			ID: id.String(), Name: "user/created", Data: json.RawMessage(`{"n":1}`), TS: now.UnixMilli(),
		}}},
		Key: id.String(), Now: now,
	}
	for _, option := range options {
		option(&spec)
	}
	state, jobs := run.New(spec)
	if _, err := w.backend.Schedule(w.t.Context(), ports.Schedule{Runs: []ports.NewRun{{State: state, Start: jobs[0]}}}); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// lease takes a job that must be due.
func (w *world) lease() ports.Lease {
	w.t.Helper()
	lease, ok := w.backend.TryLease()
	if !ok {
		w.t.Fatal("no job is due")
	}
	return lease
}

// record is what history has of a run.
func (w *world) record(id ulid.ULID) ports.RunRecord {
	w.t.Helper()
	record, err := w.backend.Run(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return record
}

// published counts the events of a name.
func (w *world) published(name string) int {
	count := 0
	for _, e := range w.backend.AllEvents() {
		if e.Name == name {
			count++
		}
	}
	return count
}

func attempts(n int) func(*run.Spec) { return func(s *run.Spec) { s.MaxAttempts = n } }

func aFunction() function.Function {
	const uri = "http://app.test/api/inngest?fnId=fn&step=step"
	return function.Function{
		ID: ids.FunctionID("fn", uri), AppID: ids.AppID("app"), Version: 1, Name: "fn", Slug: "app-fn",
		Step: function.Step{ID: "step", Name: "step", URI: uri},
	}
}

// waits notes of which waits it is told.
type waits struct {
	began map[ulid.ULID][]run.Pause
	then  func()
}

func (w *waits) Began(_ context.Context, id ulid.ULID, pauses []run.Pause) {
	if w.began == nil {
		w.began = map[ulid.ULID][]run.Pause{}
	}
	w.began[id] = append(w.began[id], pauses...)
	if w.then != nil {
		w.then()
	}
}

// jitter is always the same.
type jitter time.Duration

func (j jitter) Duration(time.Duration) time.Duration { return time.Duration(j) }

// functions are those that the registry would know.
type functions struct {
	known map[uuid.UUID]function.Function
	err   error
}

func (f *functions) Function(_ context.Context, id uuid.UUID) (function.Function, error) {
	fn, ok := f.known[id]
	switch {
	case f.err != nil:
		return fn, f.err
	case !ok:
		return fn, fmt.Errorf("read function %s: %w", id, ports.ErrNotFound)
	}
	return fn, nil
}

func (f *functions) SDK(uuid.UUID) string { return "js" }

// app answers calls with one function after the other; the last one answers all further calls.
type app struct {
	mu      sync.Mutex
	calls   []ports.Call
	answers []answer
}

type answer func(ctx context.Context, call ports.Call) (sdk.Response, error)

func (a *app) Call(ctx context.Context, call ports.Call) (sdk.Response, error) {
	a.mu.Lock()
	a.calls = append(a.calls, call)
	if len(a.answers) == 0 {
		a.mu.Unlock()
		return sdk.Response{}, errors.New("the test has no answer to this call")
	}
	next := a.answers[0]
	if len(a.answers) > 1 {
		a.answers = a.answers[1:]
	}
	a.mu.Unlock()
	return next(ctx, call)
}

func (a *app) Ping(context.Context, string) (sdk.Response, error) {
	return sdk.Response{}, ports.ErrClosed
}

func (a *app) Probe(context.Context, string) bool { return false }

func (a *app) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.calls)
}

// says is an answer that is always the same.
func says(status int, body string) answer {
	return func(context.Context, ports.Call) (sdk.Response, error) { return reply(status, body), nil }
}

func reply(status int, body string) sdk.Response {
	return sdk.Response{Status: status, Body: []byte(body), Header: map[string]string{
		"X-Inngest-Sdk": "inngest-js:v4.0.0", "X-Inngest-Req-Version": "2", "Content-Type": "application/json",
	}}
}

// store is a store some of whose calls fail.
type store struct {
	ports.Store
	load     func() error
	commit   func(n int, c ports.Commit) error
	commits  int
	commitMu sync.Mutex
}

func (s *store) Load(ctx context.Context, id ulid.ULID) (run.State, error) {
	if s.load != nil {
		if err := s.load(); err != nil {
			return run.State{}, err
		}
	}
	return s.Store.Load(ctx, id)
}

func (s *store) Commit(ctx context.Context, c ports.Commit) (run.State, error) {
	s.commitMu.Lock()
	s.commits++
	n := s.commits
	s.commitMu.Unlock()
	if s.commit != nil {
		if err := s.commit(n, c); err != nil {
			return run.State{}, fmt.Errorf("commit %d: %w", n, err)
		}
	}
	return s.Store.Commit(ctx, c)
}

// queue is a queue some of whose calls fail.
type queue struct {
	ports.Queue
	lease func(ctx context.Context) (ports.Lease, error)
	fail  func(call string, n int) error
	calls map[string]int
}

func (q *queue) Lease(ctx context.Context) (ports.Lease, error) {
	if q.lease != nil {
		return q.lease(ctx)
	}
	return q.Queue.Lease(ctx)
}

func (q *queue) Return(ctx context.Context, l ports.Lease, at time.Time) error {
	if err := q.failure("return"); err != nil {
		return err
	}
	return q.Queue.Return(ctx, l, at)
}

func (q *queue) Park(ctx context.Context, l ports.Lease, reason string) error {
	if err := q.failure("park"); err != nil {
		return err
	}
	return q.Queue.Park(ctx, l, reason)
}

func (q *queue) failure(call string) error {
	if q.calls == nil {
		q.calls = map[string]int{}
	}
	q.calls[call]++
	if q.fail == nil {
		return nil
	}
	return q.fail(call, q.calls[call])
}

// peak counts what is in hand, and the most there ever was.
type peak struct {
	mu        sync.Mutex
	now, most int
}

func (p *peak) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now += n
	p.most = max(p.most, p.now)
}

func (p *peak) max() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}
