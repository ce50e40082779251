package pausing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is a pauser on ports in memory, with the function "acme-fn" of the app "acme". It notes what is done, in order.
type world struct {
	ports.Store
	ports.Catalog
	pauser *Pauser
	fn     function.Function
	done   []string
	fail   map[string]error
	fence  time.Time
	// known is what the registry knows.
	known map[uuid.UUID]bool
}

func setup(t *testing.T) *world {
	t.Helper()
	backend := mem.New(testkit.Clock{})
	fn := function.Function{ID: ids.FunctionID("fn", "uri"), AppID: ids.AppID("acme"), Name: "fn", Slug: "acme-fn"}
	other := fn
	other.ID, other.Slug = uuid.New(), "acme-other"
	plan := function.SyncPlan{App: function.App{ID: fn.AppID, Name: "acme", URL: "http://x"}, Put: []function.Function{other, fn}}
	if err := backend.Sync(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	w := &world{Store: backend, Catalog: backend, fn: fn, known: map[uuid.UUID]bool{}, fail: map[string]error{}}
	w.pauser = New(w, w, w.registry(), testkit.Clock{}, slog.New(slog.DiscardHandler))
	return w
}

type registry struct{ w *world }

func (w *world) registry() registry { return registry{w} }

func (r registry) SetPaused(id uuid.UUID, paused bool) {
	r.w.done = append(r.w.done, fmt.Sprintf("registry %t", paused))
	r.w.known[id] = paused
}

func (w *world) SetPaused(ctx context.Context, id uuid.UUID, paused bool) error {
	w.done = append(w.done, fmt.Sprintf("catalog %t", paused))
	if err := w.fail["catalog"]; err != nil {
		return err
	}
	return w.Catalog.SetPaused(ctx, id, paused)
}

func (w *world) Fence(_ context.Context, id uuid.UUID, before time.Time) error {
	w.done = append(w.done, "fence "+id.String())
	w.fence = before
	return w.fail["fence"]
}

func TestSet(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"acme-fn", "fn"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				time.Sleep(123_456_789 * time.Nanosecond)
				for range 2 {
					got, err := w.pauser.Set(t.Context(), "acme", name, true)
					if err != nil || got.ID != w.fn.ID {
						t.Fatalf("%s, %v", got.ID, err)
					}
				}
				paused, err := w.PausedFunctions(t.Context())
				if err != nil || !cmp.Equal(paused, []uuid.UUID{w.fn.ID}) {
					t.Errorf("paused are %v, %v", paused, err)
				}
				// A run that is decided on in this millisecond is kept out, one of the next is not.
				if at := time.Until(w.fence); at <= 0 || at > time.Millisecond || !w.fence.Truncate(time.Millisecond).Equal(w.fence) {
					t.Errorf("the fence is %s ahead", at)
				}
				if _, err := w.pauser.Set(t.Context(), "acme", name, false); err != nil {
					t.Error(err)
				}
				once := []string{"catalog true", "registry true", "fence " + w.fn.ID.String()}
				if diff := cmp.Diff(append(append(once, once...), "catalog false", "registry false"), w.done); diff != "" {
					t.Errorf("done -want +got:\n%s", diff)
				}
				if diff := cmp.Diff(map[uuid.UUID]bool{w.fn.ID: false}, maps.Clone(w.known)); diff != "" {
					t.Errorf("known -want +got:\n%s", diff)
				}
			})
		})
	}
}

func TestSetByID(t *testing.T) {
	t.Parallel()
	w := setup(t)
	got, err := w.pauser.SetByID(t.Context(), w.fn.ID, true)
	if err != nil || got.ID != w.fn.ID || !w.known[w.fn.ID] {
		t.Errorf("%s, %v, known %t", got.ID, err, w.known[w.fn.ID])
	}
	if _, err := w.pauser.SetByID(t.Context(), uuid.New(), true); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestSet_Unknown(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, name := range [][2]string{{"acme", "none"}, {"none", "acme-fn"}, {"", ""}, {"acme", ""}} {
		if _, err := w.pauser.Set(t.Context(), name[0], name[1], true); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("%v: %v", name, err)
		}
	}
	if len(w.done) > 0 {
		t.Errorf("did %v", w.done)
	}
}

func TestSet_FailureCanBeRepeated(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"catalog", "fence"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.fail[where] = ports.ErrUnavailable
			if _, err := w.pauser.Set(t.Context(), "acme", "fn", true); !errors.Is(err, ports.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
			if where == "catalog" && w.known[w.fn.ID] {
				t.Error("the registry is ahead of the catalog")
			}
			w.fail[where] = nil
			if _, err := w.pauser.Set(t.Context(), "acme", "fn", true); err != nil || !w.known[w.fn.ID] {
				t.Errorf("paused %t, %v", w.known[w.fn.ID], err)
			}
		})
	}
}
