package cron

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is a scheduler on ports in memory, told of functions by a registry. Its time is that of a bubble, which begins at
// 2000-01-01 00:00 UTC, plus what its clock is off.
type world struct {
	t        *testing.T
	clock    *clock
	backend  *mem.Backend
	store    *store
	catalog  *catalog
	registry *registry.Registry
	logged   *testkit.Output
	deps     Deps
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}, logged: &testkit.Output{}}
	w.backend = mem.New(w.clock)
	w.store, w.catalog = &store{Store: w.backend}, &catalog{Catalog: w.backend}
	log := slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.registry = registry.New(w.backend, log)
	w.deps = Deps{
		Store: w.store, Catalog: w.catalog, Functions: w.registry, Tracker: ingest.New(w.backend, w.clock, testkit.IDs{}),
		Clock: w.clock, IDs: testkit.IDs{}, Log: log,
	}
	return w
}

// scheduler is a new one, as after a start of the server.
func (w *world) scheduler() *Scheduler {
	w.t.Helper()
	w.registry = registry.New(w.backend, w.deps.Log)
	w.deps.Functions = w.registry
	s := New(w.deps)
	w.registry.Observe(s)
	if err := w.registry.Reload(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := s.Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// run runs a scheduler until stop is called, which waits for its end.
func (w *world) run() (stop func()) {
	w.t.Helper()
	s := w.scheduler()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		w.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	}
}

// sync registers functions, as a sync of their app does.
func (w *world) sync(functions ...function.Function) {
	w.t.Helper()
	w.apply(function.SyncPlan{App: anApp(), Put: functions})
}

func (w *world) apply(plan function.SyncPlan) {
	w.t.Helper()
	if err := w.backend.Sync(w.t.Context(), plan); err != nil {
		w.t.Fatal(err)
	}
	w.registry.Apply(plan)
}

func (w *world) remove() {
	w.t.Helper()
	if err := w.backend.RemoveApp(w.t.Context(), anApp().ID); err != nil {
		w.t.Fatal(err)
	}
	w.registry.Remove(anApp().ID)
}

// pass lets time pass, and everything come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// fired are the ticks for which there is a run: function, schedule, time of the tick, and when the run was created if that was
// later, each in the order of the runs.
func (w *world) fired() []string {
	w.t.Helper()
	var all []string
	for _, r := range w.backend.Runs() {
		e, err := w.backend.Event(context.Background(), r.EventID)
		if err != nil {
			w.t.Fatal(err)
		}
		text := fmt.Sprintf("%s %q %s", w.slug(r.FunctionID), r.Cron, strings.TrimPrefix(e.ID, "2000-"))
		if at := r.StartedAt.Format(time.RFC3339); at != e.ID {
			text += " at " + strings.TrimPrefix(at, "2000-")
		}
		all = append(all, text)
	}
	return all
}

func (w *world) slug(id uuid.UUID) string {
	fn, err := ports.One(w.backend.FunctionsByID(context.Background(), []uuid.UUID{id}))
	if err != nil {
		w.t.Fatal(err)
	}
	return fn.Name
}

// sorted are texts in order: ticks of one moment fire in any.
func sorted(texts []string) []string { return slices.Sorted(slices.Values(texts)) }

func anApp() function.App {
	return function.App{ID: ids.AppID("app"), Name: "app", SDK: "js", URL: "http://app", Method: function.MethodServe}
}

// timedBy is a function with those schedules, each with a jitter after a "~" if it has one.
func timedBy(name string, schedules ...string) function.Function {
	fn := function.Function{ID: ids.FunctionID(name, "app"), AppID: ids.AppID("app"), Version: 1, Name: name, Slug: "app-" + name}
	for _, text := range schedules {
		expression, jitter, _ := strings.Cut(text, "~")
		fn.Triggers = append(fn.Triggers, function.Trigger{Cron: expression, Jitter: jitter})
	}
	return fn
}

// clock is that of the bubble, set by a test.
type clock struct {
	testkit.Clock
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().UTC().Add(c.off)
}

func (c *clock) set(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += by
}

// store is a store whose Schedule a test spoils.
type store struct {
	ports.Store
	mu    sync.Mutex
	calls int
	spoil func(call int, s ports.Schedule, next func() ([]ports.Scheduled, error)) ([]ports.Scheduled, error)
}

func (s *store) Schedule(ctx context.Context, decision ports.Schedule) ([]ports.Scheduled, error) {
	s.mu.Lock()
	s.calls++
	call, spoil := s.calls, s.spoil
	s.mu.Unlock()
	next := func() ([]ports.Scheduled, error) { return s.Store.Schedule(ctx, decision) }
	if spoil == nil {
		return next()
	}
	return spoil(call, decision, next)
}

// catalog is a catalog whose Ticks a test spoils.
type catalog struct {
	ports.Catalog
	mu    sync.Mutex
	asked []uuid.UUID
	spoil func(call int, next func() ([]ports.Tick, error)) ([]ports.Tick, error)
}

func (c *catalog) Ticks(ctx context.Context, function uuid.UUID) ([]ports.Tick, error) {
	c.mu.Lock()
	c.asked = append(c.asked, function)
	call, spoil := len(c.asked), c.spoil
	c.mu.Unlock()
	next := func() ([]ports.Tick, error) { return c.Catalog.Ticks(ctx, function) }
	if spoil == nil {
		return next()
	}
	return spoil(call, next)
}
