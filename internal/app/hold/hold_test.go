package hold_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/hold"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/app/route"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is a router and a starter of holds over ports in memory, in a bubble.
type world struct {
	t        *testing.T
	backend  *mem.Backend
	ingest   *ingest.Ingest
	registry *registry.Registry
	fn       function.Function
	logged   *testkit.Output
	pauses   *testkit.Pauses
	deps     hold.Deps
}

// in runs a test in a bubble, with a function with the settings that every "x" triggers.
func in(t *testing.T, config string, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn, err := function.ParseConfig([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		app := function.App{ID: uuid.New(), Name: "app", URL: "http://app.test"}
		fn.ID, fn.AppID, fn.Version, fn.Slug, fn.Triggers = uuid.New(), app.ID, 1, "app-fn", []function.Trigger{{Event: "x"}}
		w := &world{t: t, backend: mem.New(testkit.Clock{}), fn: fn, logged: &testkit.Output{}, pauses: &testkit.Pauses{}}
		log := slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w.ingest = ingest.New(w.backend, testkit.Clock{}, testkit.IDs{})
		w.registry = registry.New(w.backend, log)
		if err := w.backend.Sync(t.Context(), function.SyncPlan{App: app, Put: []function.Function{fn}}); err != nil {
			t.Fatal(err)
		}
		w.reload()
		w.deps = hold.Deps{
			Holds: w.backend.Holds(), Store: w.backend, Functions: w.registry, Tracker: w.ingest, Clock: testkit.Clock{}, IDs: testkit.IDs{}, Log: log,
			Pause: w.pauses.Add,
		}
		router := route.New(route.Deps{
			EventLog: w.backend, Store: w.backend, Functions: w.registry, Events: w.backend, Tracker: w.ingest, Clock: testkit.Clock{}, IDs: testkit.IDs{}, Log: log,
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = router.Run(ctx) }()
		test(w)
	})
}

func (w *world) reload() {
	if err := w.registry.Reload(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// serve runs the starter until the test ends.
func (w *world) serve() {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- hold.New(w.deps).Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) send(data ...string) {
	w.t.Helper()
	for _, one := range data {
		if _, err := w.ingest.Accept(w.t.Context(), []event.Event{{Name: "x", Data: json.RawMessage(one)}}, nil, 1); err != nil {
			w.t.Fatal(err)
		}
		synctest.Wait()
	}
}

// take waits for the next hold.
func (w *world) take() ports.Hold {
	w.t.Helper()
	held, err := w.backend.Holds().Take(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return held
}

// runs are the runs, each with the data of its events and what became of it.
func (w *world) runs() []string {
	w.t.Helper()
	var all []string
	for _, record := range w.backend.Runs() {
		origin, err := w.backend.Origin(w.t.Context(), record.RunID)
		if errors.Is(err, ports.ErrNotFound) {
			all = append(all, string(record.Status))
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		var data []string
		for _, e := range origin.Events {
			data = append(data, string(e.Data))
		}
		all = append(all, string(record.Status)+" "+strings.Join(data, " "))
	}
	return all
}

func (w *world) wants(want ...string) {
	w.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, w.runs()); diff != "" {
		w.t.Errorf("runs -want +got:\n%s\n%s", diff, w.logged)
	}
}

const batchOfThree = `{"batchEvents":{"maxSize":3,"timeout":"10s","key":"event.data.k"}}`

func TestRun_StartsABatch(t *testing.T) {
	t.Parallel()
	in(t, batchOfThree, func(w *world) {
		w.serve()
		w.send(`{"k":1,"n":1}`, `{"k":2,"n":2}`, `{"k":1,"n":3}`)
		w.wants()
		w.send(`{"k":1,"n":4}`)
		w.wants(`Running {"k":1,"n":1} {"k":1,"n":3} {"k":1,"n":4}`)
		time.Sleep(10*time.Second - time.Nanosecond)
		w.wants(`Running {"k":1,"n":1} {"k":1,"n":3} {"k":1,"n":4}`)
		time.Sleep(time.Nanosecond)
		w.wants(`Running {"k":1,"n":1} {"k":1,"n":3} {"k":1,"n":4}`, `Running {"k":2,"n":2}`)
		if record := w.backend.Runs()[1]; record.BatchID == (ulid.ULID{}) {
			t.Error("the run is of no batch")
		}
	})
}

func TestRun_StartsADebounce(t *testing.T) {
	t.Parallel()
	in(t, `{"debounce":{"period":"5s"}}`, func(w *world) {
		w.serve()
		w.send(`1`)
		time.Sleep(4 * time.Second)
		w.send(`2`)
		time.Sleep(5*time.Second - time.Nanosecond)
		w.wants()
		time.Sleep(time.Nanosecond)
		w.wants("Running 2")
	})
}

func TestDo_OfAHoldThatHasChanged(t *testing.T) {
	t.Parallel()
	in(t, `{"debounce":{"period":"5s"}}`, func(w *world) {
		w.send(`1`)
		held := w.take()
		w.send(`2`)
		hold.New(w.deps).Do(t.Context(), held)
		w.wants()
		hold.New(w.deps).Do(t.Context(), w.take())
		w.wants("Running 2")
	})
}

func TestDo_OfAPausedFunction(t *testing.T) {
	t.Parallel()
	in(t, batchOfThree, func(w *world) {
		w.send(`{"k":1}`)
		w.registry.SetPaused(w.fn.ID, true)
		hold.New(w.deps).Do(t.Context(), w.take())
		if got := w.backend.Runs(); len(got) != 1 || got[0].Status != run.Skipped {
			t.Errorf("runs %v", got)
		}
	})
}

func TestDo_WhenASingletonIsInProgress(t *testing.T) {
	t.Parallel()
	in(t, `{"debounce":{"period":"5s"},"singleton":{"mode":"skip"}}`, func(w *world) {
		use := hold.New(w.deps)
		w.send(`1`)
		use.Do(t.Context(), w.take())
		w.send(`2`)
		use.Do(t.Context(), w.take())
		if got := w.backend.Runs(); len(got) != 2 || got[0].Status != run.Running || got[1].Status != run.Skipped {
			t.Errorf("runs %v", got)
		}
		if !strings.Contains(w.logged.String(), "reason=skipped") {
			t.Errorf("logged %s", w.logged)
		}
	})
}

func TestDo_TellsWhoeverWaits(t *testing.T) {
	t.Parallel()
	in(t, batchOfThree, func(w *world) {
		call := event.Event{Name: event.FunctionInvoked, Data: json.RawMessage(`{"k":1,"_inngest":{"fn_id":"app-fn","correlation_id":"01.op"}}`)}
		if _, err := w.ingest.Accept(t.Context(), []event.Event{call}, nil, 1); err != nil {
			t.Fatal(err)
		}
		held := w.take()
		w.registry.SetPaused(w.fn.ID, true)
		hold.New(w.deps).Do(t.Context(), held)
		var told bool
		for _, e := range w.backend.AllEvents() {
			told = told || e.Name == event.FunctionFinished && strings.Contains(string(e.Data), `"01.op"`)
		}
		if !told {
			t.Error("the invoker is not told")
		}
	})
}

// broken is a store that fails.
type broken struct {
	ports.Store
	err error
}

func (b broken) Schedule(context.Context, ports.Schedule) ([]ports.Scheduled, error) {
	if b.err == nil {
		var none []ports.Scheduled
		return none[1:], nil // a bug
	}
	return nil, b.err
}

func TestDo_WhenItCannotBeCommitted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		parked bool
	}{
		"the store is unavailable": {ports.ErrUnavailable, false},
		"the decision is wrong":    {errors.New("impossible"), true},
		"a bug":                    {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, batchOfThree, func(w *world) {
				w.send(`{"k":1}`)
				held := w.take()
				failing := w.deps
				failing.Store = broken{w.backend, c.err}
				hold.New(failing).Do(t.Context(), held)
				w.serve()
				time.Sleep(2*time.Second - time.Nanosecond)
				w.wants()
				time.Sleep(time.Nanosecond)
				if c.parked {
					w.wants()
					return
				}
				w.wants(`Running {"k":1}`)
			})
		})
	}
}

func TestDo_OfAFunctionThatIsNotKnown(t *testing.T) {
	t.Parallel()
	in(t, batchOfThree, func(w *world) {
		w.send(`{"k":1}`)
		held := w.take()
		held.FunctionID = uuid.New()
		hold.New(w.deps).Do(t.Context(), held)
		w.wants()
		if !strings.Contains(w.logged.String(), "hold parked") {
			t.Errorf("logged %s", w.logged)
		}
	})
}

// failing fails to give a hold at first.
type failing struct {
	ports.Holds
	times int
}

func (f *failing) Take(ctx context.Context) (ports.Hold, error) {
	if f.times--; f.times >= 0 {
		return ports.Hold{}, ports.ErrUnavailable
	}
	return f.Holds.Take(ctx)
}

func TestRun_PausesWhenNothingCanBeTaken(t *testing.T) {
	t.Parallel()
	in(t, batchOfThree, func(w *world) {
		w.deps.Holds = &failing{w.backend.Holds(), 3}
		w.serve()
		w.send(`{"k":1}`)
		time.Sleep(10 * time.Second)
		w.wants(`Running {"k":1}`)
		if diff := cmp.Diff([]int{1, 2, 3}, w.pauses.Made()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRun_EndsWithTheBackend(t *testing.T) {
	t.Parallel()
	in(t, batchOfThree, func(w *world) {
		w.backend.Close()
		if err := hold.New(w.deps).Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
