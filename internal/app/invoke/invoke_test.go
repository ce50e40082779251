package invoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/invoke"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/app/route"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is the use case and a router on ports in memory, with a function.
type world struct {
	*invoke.Invoker

	t        *testing.T
	backend  *mem.Backend
	registry *registry.Registry
	router   *route.Router
	function function.Function
}

// setup registers a function with the members of its configuration besides its triggers and its step.
func setup(t *testing.T, config string) *world {
	t.Helper()
	clock, log := testkit.Clock{}, slog.New(slog.DiscardHandler)
	backend := mem.New(clock)
	t.Cleanup(backend.Close)
	fn, err := function.ParseConfig([]byte(`{"name":"fn","slug":"app-fn","triggers":[{"event":"app/event"}],"steps":[{"id":"step","name":"step","uri":"http://app.test/x"}]` + config + `}`))
	if err != nil {
		t.Fatal(err)
	}
	app := function.App{ID: uuid.New(), Name: "app", URL: "http://app.test"}
	fn.ID, fn.AppID, fn.Slug, fn.Name = uuid.New(), app.ID, "app-fn", "fn"
	if err := backend.Sync(t.Context(), function.SyncPlan{App: app, Put: []function.Function{fn}}); err != nil {
		t.Fatal(err)
	}
	reg := registry.New(backend, log)
	if err := reg.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := ingest.New(backend, clock, testkit.IDs{})
	return &world{
		Invoker: invoke.New(start.Starter{Store: backend, Advance: advance.New(backend, in, nil, log, advance.Pause(clock)), Tracker: in, Clock: clock}, reg, in, testkit.IDs{}, log),
		t:       t, backend: backend, registry: reg, function: fn,
		router: route.New(route.Deps{EventLog: backend, Store: backend, Functions: reg, Tracker: in, Clock: clock, IDs: testkit.IDs{}, Log: log}),
	}
}

func (w *world) invoke(key string) (invoke.Started, error) {
	w.t.Helper()
	return w.Invoke(w.t.Context(), w.function, json.RawMessage(`{"n":12345678901234567890}`), key)
}

// route routes all events that wait.
func (w *world) route() {
	for taken := w.backend.TryTake(1); len(taken) > 0; taken = w.backend.TryTake(1) {
		w.router.Do(w.t.Context(), taken[0])
	}
}

func TestInvoke_StartsOneRun(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"with a key": "k", "without a key": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, "")
			started, err := w.invoke(key)
			if err != nil || started.Replayed || started.RunID == (ulid.ULID{}) {
				t.Fatalf("%+v, %v", started, err)
			}
			w.route()
			if runs := w.backend.Runs(); len(runs) != 1 || runs[0].RunID != started.RunID {
				t.Errorf("runs %+v", runs)
			}
			state, err := w.backend.Load(t.Context(), started.RunID)
			if err != nil || len(state.Events) != 1 {
				t.Fatalf("%+v, %v", state, err)
			}
			stored, err := w.backend.Event(t.Context(), state.Events[0].InternalID)
			if err != nil || !event.IsDirect(stored.Event) {
				t.Errorf("event %+v, %v", stored, err)
			}
			var data struct {
				N json.Number `json:"n"`
			}
			if err := json.Unmarshal(stored.Data, &data); err != nil || data.N != "12345678901234567890" {
				t.Errorf("data %s", stored.Data)
			}
		})
	}
}

// A function that listens to invocations must not be started by its own.
func TestInvoke_OfAFunctionThatListensToInvocations(t *testing.T) {
	t.Parallel()
	w := setup(t, "")
	listener := w.function
	listener.Triggers = []function.Trigger{{Event: event.FunctionInvoked}}
	app := function.App{ID: w.function.AppID, Name: "app", URL: "http://app.test"}
	if err := w.backend.Sync(t.Context(), function.SyncPlan{App: app, Put: []function.Function{listener}}); err != nil {
		t.Fatal(err)
	}
	if err := w.registry.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.invoke(""); err != nil {
		t.Fatal(err)
	}
	w.route()
	if runs := w.backend.Runs(); len(runs) != 1 {
		t.Errorf("runs %+v", runs)
	}
}

func TestInvoke_OncePerKey(t *testing.T) {
	t.Parallel()
	w := setup(t, "")
	var wait sync.WaitGroup
	answers := make([]invoke.Started, 20)
	for i := range answers {
		wait.Go(func() { answers[i], _ = w.invoke("same") })
	}
	wait.Wait()
	w.route()
	first := 0
	for _, answer := range answers {
		if answer.RunID != answers[0].RunID {
			t.Errorf("run %s beside %s", answer.RunID, answers[0].RunID)
		}
		if !answer.Replayed {
			first++
		}
	}
	if runs := w.backend.Runs(); first != 1 || len(runs) != 1 {
		t.Errorf("%d were first, %d runs", first, len(runs))
	}
	other, err := w.invoke("other")
	if err != nil || other.Replayed || other.RunID == answers[0].RunID {
		t.Errorf("%+v, %v", other, err)
	}
}

// TestInvoke_IsToldItsRun: whoever asks again is told the run that was started, though another would be kept back by now.
func TestInvoke_IsToldItsRun(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"without limits": "", "of a rate limit": `,"rateLimit":{"limit":1,"period":"48h"}`, "of a singleton": `,"singleton":{"mode":"skip"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, config)
			first, err := w.invoke("k")
			if err != nil {
				t.Fatal(err)
			}
			for _, paused := range []bool{false, true} {
				w.registry.SetPaused(w.function.ID, paused)
				if again, err := w.invoke("k"); err != nil || !again.Replayed || again.RunID != first.RunID {
					t.Errorf("paused %t: %+v, %v, want run %s", paused, again, err, first.RunID)
				}
			}
			if runs := w.backend.Runs(); len(runs) != 1 {
				t.Errorf("runs %+v", runs)
			}
		})
	}
}

// resuming is a store that comes to its answer when the function is resumed already.
type resuming struct {
	ports.Store
	resume func()
}

func (r resuming) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	defer r.resume()
	return r.Store.Schedule(ctx, s)
}

// TestInvoke_PausedUntilNow: the reason is what was decided on, not what is true when the client is told.
func TestInvoke_PausedUntilNow(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "k"} {
		w := setup(t, "")
		clock, log := testkit.Clock{}, slog.New(slog.DiscardHandler)
		in := ingest.New(w.backend, clock, testkit.IDs{})
		store := resuming{w.backend, func() { w.registry.SetPaused(w.function.ID, false) }}
		w.Invoker = invoke.New(start.Starter{Store: store, Advance: advance.New(w.backend, in, nil, log, advance.Pause(clock)), Tracker: in, Clock: clock}, w.registry, in, testkit.IDs{}, log)
		w.registry.SetPaused(w.function.ID, true)
		if _, err := w.invoke(key); !errors.Is(err, start.ErrPaused) {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func TestInvoke_IsKeptBack(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config string
		paused bool
		// before is how many invocations go before without an error.
		before int
		want   error
	}{
		"by a rate limit":           {`,"rateLimit":{"limit":1,"period":"1h"}`, false, 1, start.ErrRateLimited},
		"by a debounce":             {`,"debounce":{"period":"1h"}`, false, 0, start.ErrDebounced},
		"by a singleton":            {`,"singleton":{"mode":"skip"}`, false, 1, start.ErrSingleton},
		"while paused":              {"", true, 0, start.ErrPaused},
		"while paused, with limits": {`,"rateLimit":{"limit":1,"period":"1h"}`, true, 0, start.ErrPaused},
		"by a key that fails":       {`,"rateLimit":{"limit":1,"period":"1h","key":"event.data[\"k\"]"}`, false, 0, invoke.ErrFlow},
		"never by a batch":          {`,"batchEvents":{"maxSize":5,"timeout":"10s"}`, false, 3, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, test.config)
			w.registry.SetPaused(w.function.ID, test.paused)
			for range test.before {
				if _, err := w.invoke(""); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.invoke("key"); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

// forgetful is a store that does what it is asked, and sometimes does not say so; or it does nothing.
type forgetful struct {
	ports.Store

	calls int
}

func (f *forgetful) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	f.calls++
	if f.calls == 1 {
		return nil, ports.ErrUnavailable
	}
	answers, err := f.Store.Schedule(ctx, s)
	if f.calls == 2 && err == nil {
		return nil, ports.ErrUnavailable
	}
	return answers, err
}

// A client that was told of a failure calls again, whether the run was made or not.
func TestInvoke_RepeatedAfterAFailure(t *testing.T) {
	t.Parallel()
	w := setup(t, "")
	clock, log := testkit.Clock{}, slog.New(slog.DiscardHandler)
	in := ingest.New(w.backend, clock, testkit.IDs{})
	w.Invoker = invoke.New(start.Starter{Store: &forgetful{Store: w.backend}, Advance: advance.New(w.backend, in, nil, log, advance.Pause(clock)), Tracker: in, Clock: clock}, w.registry, in, testkit.IDs{}, log)
	for range 2 {
		if _, err := w.invoke("k"); !errors.Is(err, ports.ErrUnavailable) {
			t.Fatal(err)
		}
		w.route()
	}
	started, err := w.invoke("k")
	w.route()
	if runs := w.backend.Runs(); err != nil || !started.Replayed || len(runs) != 1 || runs[0].RunID != started.RunID {
		t.Errorf("%+v, %v, runs %+v", started, err, runs)
	}
}

// failing is a store that schedules nothing.
type failing struct{ ports.Store }

func (failing) Schedule(context.Context, ports.Schedule) ([]ports.Scheduled, error) {
	return nil, ports.ErrUnavailable
}

func TestInvoke_StoreFails(t *testing.T) {
	t.Parallel()
	w := setup(t, "")
	clock, log := testkit.Clock{}, slog.New(slog.DiscardHandler)
	in := ingest.New(w.backend, clock, testkit.IDs{})
	broken := invoke.New(start.Starter{Store: failing{w.backend}, Advance: advance.New(w.backend, in, nil, log, advance.Pause(clock)), Tracker: in, Clock: clock}, w.registry, in, testkit.IDs{}, log)
	if _, err := broken.Invoke(t.Context(), w.function, json.RawMessage(`{}`), ""); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}
