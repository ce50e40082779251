package route

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

func TestDo_APausedFunctionIsSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.matching("one", "two")
		w.functions.paused = map[uuid.UUID]bool{aFunction("one").ID: true}
		e := w.accept(anEvent(withID("mine")))
		w.router().Do(t.Context(), e)
		records, err := w.backend.EventRuns(t.Context(), e.InternalID)
		if err != nil || len(records) != 2 {
			t.Fatalf("%d runs, %v", len(records), err)
		}
		for _, got := range records {
			want := ports.RunRecord{
				RunID: got.RunID, StartedAt: time.Now().UTC().Truncate(time.Millisecond), FunctionID: aFunction("two").ID,
				EventID: e.InternalID, Status: run.Running,
			}
			if got.FunctionID == aFunction("one").ID {
				want.FunctionID, want.Status, want.EndedAt, want.Output = got.FunctionID, run.Skipped, time.Now().UTC(), []byte(`{"skipReason":"FunctionPaused"}`)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		if published := len(w.backend.AllEvents()) - 1; published > 0 {
			t.Errorf("%d events are published", published)
		}
		// The key of the run that did not start is free: the same event starts it later.
		w.functions.paused = nil
		w.router().Do(t.Context(), w.accept(anEvent(withID("mine"))))
		if started := strings.Join(w.started(), " "); started != "app-two app-one app-one" {
			t.Errorf("runs of %s", started)
		}
	})
}

func TestDo_TheInvokerOfAPausedFunctionIsTold(t *testing.T) {
	t.Parallel()
	invoked := anEvent(func(e *event.Event) {
		e.Name, e.Data = event.FunctionInvoked, json.RawMessage(`{"_inngest":{"fn_id":"app-target","correlation_id":"run.op"}}`)
	})
	for name, c := range map[string]struct {
		paused string
		told   []string
	}{
		"of its function": {"target", []string{`{"function_id":"","run_id":"","correlation_id":"run.op","error":{"name":"Error","message":"invoked function was not started: the function is paused"}}`}},
		"not of another":  {"other", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.functions.known = map[string]function.Function{"app-target": aFunction("target")}
			w.matching("other")
			w.functions.paused = map[uuid.UUID]bool{aFunction(c.paused).ID: true}
			w.router().Do(t.Context(), w.accept(invoked))
			var told []string
			for _, e := range w.backend.AllEvents()[1:] {
				if e.Name != event.FunctionFinished {
					t.Errorf("published %s", e.Name)
				}
				told = append(told, string(e.Data))
			}
			if diff := cmp.Diff(c.told, told); diff != "" {
				t.Errorf("told -want +got:\n%s", diff)
			}
		})
	}
}

// TestDo_APauseThatComesInBetween pauses the function after the router has asked for it, and before it commits.
func TestDo_APauseThatComesInBetween(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.matching("fn")
		fn := aFunction("fn").ID
		w.deps.Store = &store{Store: w.backend, schedule: func(next func() ([]ports.Scheduled, error), s ports.Schedule) ([]ports.Scheduled, error) {
			if len(s.Runs) > 0 {
				w.functions.paused = map[uuid.UUID]bool{fn: true}
				if err := w.backend.Fence(t.Context(), fn, time.Now().Add(time.Millisecond)); err != nil {
					t.Error(err)
				}
			}
			return next()
		}}
		w.router().Do(t.Context(), w.accept(anEvent()))
		runs := w.backend.Runs()
		if len(runs) != 1 || runs[0].Status != run.Skipped {
			t.Errorf("runs %+v", runs)
		}
		if text := w.logged.String(); strings.Contains(text, "level=ERROR") {
			t.Errorf("logged %s", text)
		}
	})
}

// TestDo_AFenceThatIsNotOverReleasesTheEvent has a fence that is ahead of the router's clock.
func TestDo_AFenceThatIsNotOverReleasesTheEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.matching("fn")
		if err := w.backend.Fence(t.Context(), aFunction("fn").ID, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		r := w.router()
		r.Do(t.Context(), w.accept(anEvent()))
		if n := len(w.backend.Runs()); n > 0 {
			t.Errorf("%d runs", n)
		}
		time.Sleep(advance.ReleaseDelay)
		r.Do(t.Context(), w.backend.TryTake(1)[0])
		if n := len(w.backend.Runs()); n != 1 {
			t.Errorf("%d runs after the fence", n)
		}
	})
}

// TestDo_TheRunsIDIsOlderThanWhatIsKnownOfTheFunction makes sure that a fence keeps out whoever does not know of a pause.
func TestDo_TheRunsIDIsOlderThanWhatIsKnownOfTheFunction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.matching("fn")
		asked := time.Now()
		w.functions.asking = func() {
			time.Sleep(time.Second)
			asked = time.Now()
		}
		w.router().Do(t.Context(), w.accept(anEvent()))
		if at := w.backend.Runs()[0].StartedAt; !at.Before(asked) {
			t.Errorf("the run is of %s, the function was asked for at %s", at, asked)
		}
	})
}
