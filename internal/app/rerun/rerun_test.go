package rerun_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is the use case on ports in memory, with a function that has had a run of two events.
type world struct {
	*rerun.Rerun

	t        *testing.T
	backend  *mem.Backend
	function function.Function
	first    ulid.ULID
	events   []event.Tracked
}

func setup(t *testing.T, change ...func(*world)) *world {
	t.Helper()
	clock := testkit.Clock{}
	backend := mem.New(clock)
	retries := 7
	w := &world{t: t, backend: backend, first: testkit.IDs{}.ULID(time.Now())}
	app := function.App{ID: uuid.New(), Name: "app", URL: "http://app.test"}
	w.function = function.Function{ID: uuid.New(), AppID: app.ID, Version: 3, Name: "fn", Slug: "app-fn", Step: function.Step{ID: "step", URI: "http://app.test/x", Retries: &retries}}
	for _, id := range []string{"one", "two"} {
		w.events = append(w.events, event.Tracked{InternalID: testkit.IDs{}.ULID(time.Now()), Event: event.Event{ID: id, Name: "x", Data: json.RawMessage(`{}`), Sessions: map[string]string{"user": "u"}}})
	}
	for _, c := range change {
		c(w)
	}
	if err := backend.Sync(t.Context(), function.SyncPlan{App: app, Put: []function.Function{w.function}}); err != nil {
		t.Fatal(err)
	}
	state, jobs := run.New(run.Spec{
		ID: w.first, AppID: app.ID, FunctionID: w.function.ID, MaxAttempts: 1, Events: w.events, Key: "k", Now: time.Now(), Endpoint: &run.Endpoint{Method: "GET"},
		Steps: []run.Step{{ID: "h1", Name: "a", Op: sdk.OpStepRun, Memo: json.RawMessage(`{"data":1}`)}},
	})
	schedule := ports.Schedule{Runs: []ports.NewRun{{State: state, Start: jobs[0], Cron: "* * * * *", Steps: []run.Step{{ID: "h1", Name: "a", Op: sdk.OpStepRun}}}}}
	if _, err := backend.Schedule(t.Context(), schedule); err != nil {
		t.Fatal(err)
	}
	w.Rerun = newRerun(backend, backend.History(), registry.New(backend, slog.New(slog.DiscardHandler)))
	return w
}

func newRerun(store ports.Store, history ports.History, functions rerun.Functions) *rerun.Rerun {
	log, clock := slog.New(slog.DiscardHandler), testkit.Clock{}
	in := ingest.New(nil, clock, testkit.IDs{})
	return rerun.New(start.Starter{Store: store, Advance: advance.New(store, in, nil, log, advance.Pause(clock)), Tracker: in, Clock: clock}, history, functions, testkit.IDs{}, log)
}

func TestRun_StartsAgainWithAllEvents(t *testing.T) {
	t.Parallel()
	w := setup(t)
	second, err := w.Run(t.Context(), w.first, nil)
	if err != nil {
		t.Fatal(err)
	}
	third, err := w.Run(t.Context(), second, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []ulid.ULID{second, third} {
		state, err := w.backend.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.events, state.Events); diff != "" {
			t.Error(diff)
		}
		if len(state.Stack) != 0 || state.Endpoint == nil || state.FunctionVersion != 3 || len(state.Jobs) != 1 {
			t.Errorf("state %+v", state)
		}
		record, err := w.backend.Run(t.Context(), id)
		if err != nil || record.OriginalRunID != w.first || record.Cron != "* * * * *" {
			t.Errorf("record %+v, %v", record, err)
		}
	}
	for range 2 {
		lease, _ := w.backend.TryLease()
		if lease.Job.RunID != w.first && (lease.Job.MaxAttempts != 8 || lease.Job.Edge.Outgoing != run.EdgeTrigger) {
			t.Errorf("job %+v", lease.Job)
		}
	}
}

func TestRun_FromAStep(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, err := w.Run(t.Context(), w.first, &run.From{Step: "a", Input: json.RawMessage(`[7]`)})
	if err != nil {
		t.Fatal(err)
	}
	state, err := w.backend.Load(t.Context(), id)
	if err != nil || len(state.Stack) != 0 || string(state.Inputs["h1"]) != `[7]` {
		t.Errorf("state %+v, %v", state, err)
	}
}

func TestRun_Refuses(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if _, err := w.Run(t.Context(), w.first, &run.From{Step: "z"}); !errors.Is(err, run.ErrNoSuchStep) {
		t.Errorf("an unknown step: %v", err)
	}
	if _, err := w.Run(t.Context(), testkit.IDs{}.ULID(time.Now()), nil); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("an unknown run: %v", err)
	}
	broken := errors.New("disk on fire")
	for name, c := range map[string]struct {
		history history
		fn      functions
		want    error
	}{
		"no events":     {history{origin: ports.ErrNotFound}, functions{}, rerun.ErrNoEvents},
		"bad events":    {history{origin: broken}, functions{}, broken},
		"bad steps":     {history{steps: broken}, functions{}, broken},
		"no function":   {history{}, functions{ports.ErrNotFound}, rerun.ErrNoFunction},
		"a bad catalog": {history{}, functions{broken}, broken},
	} {
		c.history.History = w.backend.History()
		use := newRerun(w.backend, c.history, c.fn)
		if _, err := use.Run(t.Context(), w.first, &run.From{Step: "h1"}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.backend.Close()
	if _, err := w.Run(t.Context(), w.first, nil); !errors.Is(err, ports.ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
}

// history is a history some of whose reads fail.
type history struct {
	ports.History
	origin, steps error
}

func (h history) Origin(ctx context.Context, id ulid.ULID) (ports.Origin, error) {
	if h.origin != nil {
		return ports.Origin{}, h.origin
	}
	return h.History.Origin(ctx, id)
}

func (h history) Steps(ctx context.Context, id ulid.ULID) ([]run.Step, error) {
	if h.steps != nil {
		return nil, h.steps
	}
	return h.History.Steps(ctx, id)
}

// functions are none, or an error.
type functions struct{ err error }

func (functions) Flow(uuid.UUID) *flow.Settings { return nil }

func (functions) Standing(uuid.UUID) run.Standing { return run.Standing{} }

func (functions) Template(string) *expr.Template { return nil }

func (f functions) Function(context.Context, uuid.UUID) (function.Function, error) {
	return function.Function{}, f.err
}

// functionsOf are those of a registry, all paused or none.
type functionsOf struct {
	*registry.Registry
	paused bool
}

func (f functionsOf) Standing(uuid.UUID) run.Standing { return run.Standing{Paused: f.paused} }

// fenced is a store that refuses what was decided on before something was done.
type fenced struct {
	ports.Store
	times int
}

func (f *fenced) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	if f.times--; f.times >= 0 {
		return nil, ports.ErrOutdated
	}
	return f.Store.Schedule(ctx, s)
}

func TestRun_OfAPausedFunction(t *testing.T) {
	t.Parallel()
	w := setup(t)
	reg := registry.New(w.backend, slog.New(slog.DiscardHandler))
	use := func(paused bool, refusals int) error {
		_, err := newRerun(&fenced{w.backend, refusals}, w.backend.History(), functionsOf{reg, paused}).Run(t.Context(), w.first, nil)
		return err
	}
	if err := use(true, 0); !errors.Is(err, start.ErrPaused) {
		t.Errorf("paused: %v", err)
	}
	if err := use(false, 1); err != nil {
		t.Errorf("something was done meanwhile: %v", err)
	}
	if err := use(false, 1000); !errors.Is(err, ports.ErrOutdated) {
		t.Errorf("again and again: %v", err)
	}
}
