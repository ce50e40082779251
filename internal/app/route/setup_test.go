package route

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is a router on ports in memory, with functions that the test names.
type world struct {
	t         *testing.T
	backend   *mem.Backend
	ingest    *ingest.Ingest
	functions *functions
	logged    *testkit.Output
	pauses    *testkit.Pauses
	deps      Deps
}

// setup returns a world. Its time is the machine's, or that of a bubble of synctest.
func setup(t *testing.T) *world {
	t.Helper()
	backend := mem.New(testkit.Clock{})
	w := &world{
		t: t, backend: backend, ingest: ingest.New(backend, testkit.Clock{}, testkit.IDs{}), functions: &functions{}, logged: &testkit.Output{}, pauses: &testkit.Pauses{},
	}
	w.deps = Deps{
		EventLog: backend, Store: backend, Functions: w.functions, Tracker: w.ingest, Clock: testkit.Clock{}, IDs: testkit.IDs{},
		Log: slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug})), Pause: w.pauses.Add,
	}
	return w
}

func (w *world) router() *Router { return New(w.deps) }

// accept stores an event and takes it for routing.
func (w *world) accept(e event.Event) event.Tracked {
	w.t.Helper()
	w.send(e)
	taken := w.backend.TryTake(1)
	if len(taken) != 1 {
		w.t.Fatalf("took %d events", len(taken))
	}
	return taken[0]
}

// send stores an event.
func (w *world) send(e event.Event) {
	w.t.Helper()
	if _, err := w.ingest.Accept(w.t.Context(), []event.Event{e}, nil, 1); err != nil {
		w.t.Fatal(err)
	}
}

// started are the slugs of the functions that runs were started of, in order.
func (w *world) started() []string {
	slugs := map[string]string{}
	for _, m := range w.functions.matches {
		slugs[m.Function.ID.String()] = m.Function.Slug
	}
	for _, fn := range w.functions.known {
		slugs[fn.ID.String()] = fn.Slug
	}
	var started []string
	for _, record := range w.backend.Runs() {
		started = append(started, slugs[record.FunctionID.String()])
	}
	return started
}

func aFunction(name string) function.Function {
	return function.Function{ID: ids.FunctionID(name, "uri"), AppID: ids.AppID("app"), Version: 1, Name: name, Slug: "app-" + name}
}

func anEvent(options ...func(*event.Event)) event.Event {
	e := event.Event{Name: "user/created", Data: json.RawMessage(`{"n":1}`), TS: 1}
	for _, option := range options {
		option(&e)
	}
	return e
}

func withID(id string) func(*event.Event) { return func(e *event.Event) { e.ID = id } }

// functions are those that the registry would know.
type functions struct {
	matches []Match
	known   map[string]function.Function
	// asked are the instants of Match, texts those of Template.
	texts  []string
	asked  []time.Time
	bug    func()
	paused map[uuid.UUID]bool
	flow   map[uuid.UUID]*flow.Settings
	// asking is called before it is said how a function stands.
	asking func()
}

func (f *functions) Flow(id uuid.UUID) *flow.Settings { return f.flow[id] }

func (f *functions) Standing(id uuid.UUID) run.Standing {
	if f.asking != nil {
		f.asking()
	}
	return run.Standing{Paused: f.paused[id]}
}

func (f *functions) Match(_ event.Event, now time.Time) []Match {
	if f.bug != nil {
		f.bug()
	}
	f.asked = append(f.asked, now)
	return f.matches
}

func (f *functions) Find(slugOrID string) (function.Function, bool) {
	fn, ok := f.known[slugOrID]
	return fn, ok
}

func (f *functions) Template(text string) *expr.Template {
	f.texts = append(f.texts, text)
	template, _ := expr.CompileTemplate(text) // nil for a text that does not compile
	return template
}

// matching makes every event start the functions.
func (w *world) matching(names ...string) {
	for _, name := range names {
		w.functions.matches = append(w.functions.matches, Match{Function: aFunction(name)})
	}
}

// store is a store whose Schedule a test spoils.
type store struct {
	ports.Store
	schedule func(next func() ([]ports.Scheduled, error), s ports.Schedule) ([]ports.Scheduled, error)
}

func (s *store) Schedule(ctx context.Context, decision ports.Schedule) ([]ports.Scheduled, error) {
	return s.schedule(func() ([]ports.Scheduled, error) { return s.Store.Schedule(ctx, decision) }, decision)
}

// refuses is a store that schedules nothing.
func (w *world) refuses(err error) {
	w.deps.Store = &store{Store: w.backend, schedule: func(func() ([]ports.Scheduled, error), ports.Schedule) ([]ports.Scheduled, error) {
		return nil, fmt.Errorf("schedule: %w", err)
	}}
}

// eventLog is a log some of whose calls fail.
type eventLog struct {
	ports.EventLog
	take  func(ctx context.Context, most int) ([]event.Tracked, error)
	fail  func(call string, n int) error
	calls map[string]int
}

func (l *eventLog) Take(ctx context.Context, most int) ([]event.Tracked, error) {
	if l.take != nil {
		return l.take(ctx, most)
	}
	return l.EventLog.Take(ctx, most)
}

func (l *eventLog) Release(ctx context.Context, id ulid.ULID, at time.Time) error {
	if err := l.failure("release"); err != nil {
		return err
	}
	return l.EventLog.Release(ctx, id, at)
}

func (l *eventLog) Park(ctx context.Context, id ulid.ULID, reason string) error {
	if err := l.failure("park"); err != nil {
		return err
	}
	return l.EventLog.Park(ctx, id, reason)
}

func (l *eventLog) failure(call string) error {
	if l.calls == nil {
		l.calls = map[string]int{}
	}
	l.calls[call]++
	if l.fail == nil {
		return nil
	}
	return l.fail(call, l.calls[call])
}

// failing fails a call the first few times.
func failing(call string, times int, err error) func(string, int) error {
	return func(name string, n int) error {
		if name == call && n <= times {
			return err
		}
		return nil
	}
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
