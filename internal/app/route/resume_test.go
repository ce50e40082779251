package route

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

// waits stores a run that waits on each of the pauses, under steps named after their place, and returns its ID.
func (w *world) waits(pauses ...run.Pause) ulid.ULID {
	w.t.Helper()
	now := time.Now().UTC()
	started := event.Tracked{Event: anEvent(), InternalID: testkit.IDs{}.ULID(now), ReceivedAt: now}
	state, jobs := run.New(run.Spec{
		ID: testkit.IDs{}.ULID(now), FunctionID: aFunction("waits").ID, Slug: "app-waits", MaxAttempts: 4, Events: []event.Tracked{started}, Key: started.ID, Now: now,
	})
	if _, err := w.backend.Schedule(w.t.Context(), ports.Schedule{Runs: []ports.NewRun{{State: state, Start: jobs[0]}}}); err != nil {
		w.t.Fatal(err)
	}
	for i := range pauses {
		pauses[i].ID, pauses[i].Op, pauses[i].Job = uuid.New(), fmt.Sprint("step-", i), fmt.Sprint("timeout-", i)
		pauses[i].CreatedAt, pauses[i].Expires = now, now.Add(time.Hour)
	}
	if _, err := w.backend.Commit(w.t.Context(), ports.Commit{State: state, Transition: run.Transition{Pauses: pauses}}); err != nil {
		w.t.Fatal(err)
	}
	return state.ID
}

// memo is what a run has saved for a step, empty for nothing.
func (w *world) memo(id ulid.ULID, op string) string {
	w.t.Helper()
	state, err := w.backend.Load(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(state.Steps[op])
}

// unavailable is a store that commits nothing.
type unavailable struct{ ports.Store }

func (unavailable) Commit(context.Context, ports.Commit) (run.State, error) {
	return run.State{}, ports.ErrUnavailable
}

func TestDo_ResumesTheRunsThatWait(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{0, 1} {
		t.Run(fmt.Sprint("at once ", atOnce), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.deps.ResumesAtOnce = atOnce
				var runs []ulid.ULID
				for _, condition := range []string{"", "async.data.n == 1", "async.data.n == 2", "no (expression", "async.data.missing.deep > 1", "async.data.n == 1"} {
					runs = append(runs, w.waits(run.Pause{Kind: run.PauseEvent, Event: "user/created", Expression: condition}))
				}
				runs = append(runs, w.waits(run.Pause{Kind: run.PauseEvent, Event: "other"}))
				w.router().Do(t.Context(), w.accept(anEvent()))
				var resumed []int
				for i, id := range runs {
					if strings.Contains(w.memo(id, "step-0"), `"n":1`) {
						resumed = append(resumed, i)
					}
				}
				if diff := cmp.Diff([]int{0, 1, 5}, resumed); diff != "" {
					t.Errorf("resumed -want +got:\n%s", diff)
				}
				if !strings.Contains(w.logged.String(), "condition of a wait failed") {
					t.Errorf("the log is silent about the conditions that fail: %s", w.logged)
				}
			})
		})
	}
}

func TestDo_ReleasesAnEventWhoseRunsCannotBeResumed(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{0, 1} {
		t.Run(fmt.Sprint("at once ", atOnce), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.deps.ResumesAtOnce = atOnce
				id := w.waits(run.Pause{Kind: run.PauseEvent, Event: "user/created"})
				e := w.accept(anEvent())
				w.deps.Store = unavailable{w.backend}
				w.router().Do(t.Context(), e)
				if got := w.memo(id, "step-0"); got != "" {
					t.Errorf("memo is %s", got)
				}
				time.Sleep(advance.ReleaseDelay)
				again := w.backend.TryTake(1)
				if len(again) != 1 || again[0].InternalID != e.InternalID {
					t.Fatalf("took %v", again)
				}
				w.deps.Store = w.backend
				w.router().Do(t.Context(), again[0])
				if w.memo(id, "step-0") == "" {
					t.Error("the run is not resumed when the store is back")
				}
			})
		})
	}
}

func TestDo_SettlesTheEndOfAFunctionThatNobodyInvoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		for _, correlation := range []string{"", "no run.step", testkit.IDs{}.ULID(time.Now()).String() + ".step", w.waits().String() + ".unknown"} {
			data := json.RawMessage(fmt.Sprintf(`{"correlation_id":%q}`, correlation))
			e := w.accept(event.Event{Name: event.FunctionFinished, Data: data, TS: 1})
			w.router().Do(t.Context(), e)
			if err := w.backend.Release(t.Context(), e.InternalID, time.Now()); !errors.Is(err, ports.ErrNotFound) || len(w.backend.Parked()) > 0 {
				t.Errorf("the end of a function that %q names is not settled: %v", correlation, err)
			}
		}
	})
}

func TestSignal_ResumesTheRunThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id := w.waits(run.Pause{Kind: run.PauseSignal, Signal: "s"})
		router := w.router()
		if _, err := router.Signal(t.Context(), "other", nil); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("a signal that nobody waits for: %v", err)
		}
		got, err := router.Signal(t.Context(), "s", json.RawMessage(`{"a":1}`))
		if err != nil || got != id || !strings.Contains(w.memo(id, "step-0"), `{"a":1}`) {
			t.Errorf("signalled %s, %v; memo is %s", got, err, w.memo(id, "step-0"))
		}
		late := w.waits(run.Pause{Kind: run.PauseSignal, Signal: "late"})
		time.Sleep(2 * time.Hour)
		if _, err := router.Signal(t.Context(), "late", nil); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("a signal for run %s whose wait is over: %v", late, err)
		}
	})
}

func TestPrograms_AreSharedByThoseAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	router := w.router()
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			var err error
			for i := range 50 {
				_, one := router.programs.compile(fmt.Sprintf("async.data.n == %d", i))
				err = errors.Join(err, one)
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if kept := router.programs.cache.Len(); kept != 50 {
		t.Errorf("%d programs are kept", kept)
	}
}
