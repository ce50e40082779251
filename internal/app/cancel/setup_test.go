package cancel

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
	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is a canceller on ports in memory, with a function "acme-fn" of the app "acme". Some of its calls fail.
type world struct {
	ports.Store
	orders
	t       *testing.T
	backend *mem.Backend
	logged  *testkit.Output
	pauses  *testkit.Pauses
	deps    Deps
	// fail says whether a call fails, by its name.
	mu    sync.Mutex
	fail  func(call string) error
	calls []string
}

type orders struct{ ports.Cancellations }

func setup(t *testing.T) *world {
	t.Helper()
	backend := mem.New(testkit.Clock{})
	w := &world{
		Store: backend, orders: orders{backend.Cancellations()}, t: t, backend: backend, logged: &testkit.Output{}, pauses: &testkit.Pauses{},
	}
	w.deps = Deps{
		Cancellations: w, Store: w, Functions: registered{}, Tracker: ingest.New(backend, testkit.Clock{}, testkit.IDs{}),
		Clock: testkit.Clock{}, IDs: testkit.IDs{}, Pause: w.pauses.Add, AtOnce: 1,
		Log: slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return w
}

// failure notes a call and says how it fails.
func (w *world) failure(call string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
	if w.fail == nil {
		return nil
	}
	return w.fail(call)
}

// failing makes calls of a name fail, the first so many times.
func (w *world) failing(name string, times int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = func(call string) error {
		if call != name || times == 0 {
			return nil
		}
		times--
		return fmt.Errorf("%s: %w", name, err)
	}
}

func (w *world) Fence(ctx context.Context, fn uuid.UUID, before time.Time) error {
	if err := w.failure("fence"); err != nil {
		return err
	}
	return w.Store.Fence(ctx, fn, before)
}

func (w *world) RunsOf(ctx context.Context, q ports.RunsQuery) ([]ulid.ULID, error) {
	if err := w.failure("runs of"); err != nil {
		return nil, err
	}
	return w.Store.RunsOf(ctx, q)
}

func (w *world) Load(ctx context.Context, id ulid.ULID) (run.State, error) {
	if err := w.failure("load"); err != nil {
		return run.State{}, err
	}
	return w.Store.Load(ctx, id)
}

func (w *world) Commit(ctx context.Context, c ports.Commit) (run.State, error) {
	if err := w.failure("commit"); err != nil {
		return run.State{}, err
	}
	return w.Store.Commit(ctx, c)
}

func (w *world) Create(ctx context.Context, c cancellation.Cancellation) error {
	if err := w.failure("create"); err != nil {
		return err
	}
	return w.Cancellations.Create(ctx, c)
}

func (w *world) List(ctx context.Context) ([]cancellation.Cancellation, error) {
	if err := w.failure("list"); err != nil {
		return nil, err
	}
	return w.Cancellations.List(ctx)
}

func (w *world) Update(ctx context.Context, c cancellation.Cancellation) error {
	if err := w.failure("update"); err != nil {
		return err
	}
	return w.Cancellations.Update(ctx, c)
}

func (w *world) Delete(ctx context.Context, id ulid.ULID) error {
	if err := w.failure("delete"); err != nil {
		return err
	}
	return w.Cancellations.Delete(ctx, id)
}

// registered is the registry with one function.
type registered struct{}

func (registered) Find(slug string) (function.Function, bool) {
	return aFunction(), slug == aFunction().Slug
}

func aFunction() function.Function {
	return function.Function{ID: ids.FunctionID("fn", "uri"), AppID: ids.AppID("acme"), Name: "fn", Slug: "acme-fn"}
}

// start creates a run of the function, with a number in its event's data.
func (w *world) start(n int, options ...func(*run.Spec)) ulid.ULID {
	w.t.Helper()
	now := time.Now().UTC()
	id := testkit.IDs{}.ULID(now)
	spec := run.Spec{
		ID: id, AppID: aFunction().AppID, FunctionID: aFunction().ID, Slug: aFunction().Slug, MaxAttempts: 1, Key: id.String(), Now: now,
		Events: []event.Tracked{{InternalID: id, Event: event.Event{ID: id.String(), Name: "e", Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}}},
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

func ofFunction(id uuid.UUID) func(*run.Spec) {
	return func(s *run.Spec) { s.FunctionID = id }
}

// request is the body of a request for runs up to now, with more members.
func request(more string) []byte {
	return []byte(fmt.Sprintf(`{"app_id":"acme","function_id":"acme-fn","started_before":%q%s}`, time.Now().UTC().Format(time.RFC3339Nano), more))
}

func (w *world) order(c *Canceller, more string) cancellation.Cancellation {
	w.t.Helper()
	created, err := c.Create(w.t.Context(), request(more))
	if err != nil {
		w.t.Fatal(err)
	}
	return created
}

// find is what is stored.
func (w *world) find(id ulid.ULID) cancellation.Cancellation {
	w.t.Helper()
	found, err := w.Cancellations.Find(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// statuses are those of runs.
func (w *world) statuses(runs ...ulid.ULID) []run.Status {
	w.t.Helper()
	var all []run.Status
	for _, id := range runs {
		record, err := w.backend.Run(w.t.Context(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, record.Status)
	}
	return all
}

// work does what there is to do now, and says how often.
func work(t *testing.T, c *Canceller) (batches int) {
	t.Helper()
	for id, ok := c.Take(); ok; id, ok = c.Take() {
		c.Do(t.Context(), id)
		if batches++; batches > 100 {
			t.Fatal("there is always something to do")
		}
	}
	return batches
}
