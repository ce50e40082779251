package route

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

func TestDo_StartsARunOfEachFunction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.matching("one", "two")
		e := w.accept(anEvent())
		w.router().Do(t.Context(), e)
		if diff := cmp.Diff([]string{"app-one", "app-two"}, w.started()); diff != "" {
			t.Errorf("started -want +got:\n%s", diff)
		}
		if diff := cmp.Diff([]time.Time{time.Now().UTC()}, w.functions.asked); diff != "" {
			t.Errorf("conditions were evaluated at -want +got:\n%s", diff)
		}
		lease, ok := w.backend.TryLease()
		if !ok || lease.Job.MaxAttempts != function.DefaultRetries+1 || lease.Job.Kind != run.KindStart {
			t.Errorf("leased %+v", lease)
		}
		state, err := w.backend.Load(t.Context(), lease.Job.RunID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]event.Tracked{e}, state.Events); diff != "" {
			t.Errorf("events of the run -want +got:\n%s", diff)
		}
	})
}

func TestDo_PutsTheEventIntoTheConditionsOfCancellations(t *testing.T) {
	t.Parallel()
	w := setup(t)
	fn := aFunction("one")
	fn.Settings.Cancel = []function.Cancel{{Event: "stop", If: "event.data.n == async.data.n"}, {Event: "halt"}}
	w.functions.matches = []Match{{Function: fn}}
	w.router().Do(t.Context(), w.accept(anEvent()))
	state, err := w.backend.Load(t.Context(), w.backend.Runs()[0].RunID)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, pause := range state.Pauses {
		got[pause.Event] = pause.Expression
	}
	if diff := cmp.Diff(map[string]string{"stop": "1.0 == async.data.n", "halt": ""}, got); diff != "" {
		t.Error(diff)
	}
	if want := []string{"event.data.n == async.data.n", ""}; !slices.Equal(w.functions.texts, want) {
		t.Errorf("compiled conditions asked for: %q", w.functions.texts)
	}
}

func TestDo_SettlesAnEventThatStartsNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.router().Do(t.Context(), w.accept(anEvent()))
	if !w.backend.Idle() {
		t.Error("the event is not settled")
	}
}

func TestDo_StartsTheOthersWhenAConditionFails(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.matching("one", "two", "three")
	w.functions.matches[1].Err = errors.New("no such overload")
	w.router().Do(t.Context(), w.accept(anEvent()))
	if diff := cmp.Diff([]string{"app-one", "app-three"}, w.started()); diff != "" {
		t.Errorf("started -want +got:\n%s", diff)
	}
	if text := w.logged.String(); !strings.Contains(text, "trigger condition failed") || !strings.Contains(text, aFunction("two").ID.String()) {
		t.Errorf("logged %s", text)
	}
	if len(w.backend.TryTake(1)) > 0 || len(w.backend.Parked()) > 0 {
		t.Error("the event is routed again, or parked")
	}
}

func TestDo_UsesTheSendersIDAsIdempotencyKeyAndNoOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id         string
		key        bool
		runs, dups int
	}{
		"an ID of the sender's": {"order-123", true, 1, 1},
		"no ID":                 {"", false, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.matching("fn")
			w.deps.Store = &store{Store: w.backend, schedule: func(next func() ([]ports.Scheduled, error), s ports.Schedule) ([]ports.Scheduled, error) {
				if got := s.Runs[0].IdempotencyKey; (got != "") != c.key || c.key && got != s.Runs[0].State.Idempotency {
					t.Errorf("key is %q", got)
				}
				return next()
			}}
			r := w.router()
			for range 2 {
				r.Do(t.Context(), w.accept(anEvent(withID(c.id))))
			}
			if n := len(w.backend.Runs()); n != c.runs {
				t.Errorf("%d runs, want %d", n, c.runs)
			}
			if n := strings.Count(w.logged.String(), "reason=idempotency"); n != c.dups {
				t.Errorf("%d duplicates logged, want %d", n, c.dups)
			}
		})
	}
}

func TestDo_Invocation(t *testing.T) {
	t.Parallel()
	invoke := func(data string) event.Event {
		return anEvent(func(e *event.Event) { e.Name, e.Data = event.FunctionInvoked, json.RawMessage(data) })
	}
	for name, c := range map[string]struct {
		data    string
		matches []string
		started []string
		told    string
	}{
		"of a known function starts it": {
			`{"_inngest":{"fn_id":"app-target","correlation_id":"run.op"}}`, nil, []string{"app-target"}, "",
		},
		"starts the functions triggered by it too": {
			`{"_inngest":{"fn_id":"app-target"}}`, []string{"other"}, []string{"app-target", "app-other"}, "",
		},
		"starts a function once that is triggered by it too": {
			`{"_inngest":{"fn_id":"app-target"}}`, []string{"target"}, []string{"app-target"}, "",
		},
		"of an unknown function tells the invoker": {
			`{"_inngest":{"fn_id":"app-none","correlation_id":"run.op"}}`, nil, nil,
			`{"function_id":"","run_id":"","correlation_id":"run.op","error":{"name":"Error","message":"could not find function with ID: app-none"}}`,
		},
		"of an unknown function without an invoker": {
			`{"_inngest":{"fn_id":"app-none"}}`, []string{"other"}, []string{"app-other"},
			`{"function_id":"","run_id":"","error":{"name":"Error","message":"could not find function with ID: app-none"}}`,
		},
		"without a function": {
			`{"_inngest":{"correlation_id":"run.op"}}`, nil, nil,
			`{"function_id":"","run_id":"","correlation_id":"run.op","error":{"name":"Error","message":"could not extract function ID from event"}}`,
		},
		"without metadata": {
			`{"_inngest":7}`, nil, nil,
			`{"function_id":"","run_id":"","error":{"name":"Error","message":"could not extract function ID from event"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.functions.known = map[string]function.Function{"app-target": aFunction("target"), "": aFunction("nameless")}
				w.matching(c.matches...)
				w.router().Do(t.Context(), w.accept(invoke(c.data)))
				if diff := cmp.Diff(c.started, w.started()); diff != "" {
					t.Errorf("started -want +got:\n%s", diff)
				}
				published := w.backend.AllEvents()[1:]
				if c.told == "" {
					if len(published) > 0 {
						t.Errorf("published %v", published)
					}
					return
				}
				if len(published) != 1 {
					t.Fatalf("published %d events", len(published))
				}
				told := published[0]
				want := event.Event{ID: told.InternalID.String(), Name: event.FunctionFinished, Data: json.RawMessage(c.told), TS: time.Now().UnixMilli()}
				if diff := cmp.Diff(want, told.Event); diff != "" {
					t.Errorf("told -want +got:\n%s", diff)
				}
				if waiting := w.backend.TryTake(2); len(waiting) != 1 || waiting[0].InternalID != told.InternalID {
					t.Errorf("waiting for routing: %v", waiting)
				}
			})
		})
	}
}

func TestDo_AnEventThatWasRoutedAlreadyIsDropped(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.matching("fn")
	e := w.accept(anEvent())
	r := w.router()
	r.Do(t.Context(), e)
	r.Do(t.Context(), e)
	if n := len(w.backend.Runs()); n != 1 {
		t.Errorf("%d runs", n)
	}
	if text := w.logged.String(); !strings.Contains(text, "routed already") || strings.Contains(text, "level=ERROR") {
		t.Errorf("logged %s", text)
	}
}

func TestDo_ReleasesTheEventWhenTheStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, failures := range map[string]int{"": 0, "and the log with it for a while": 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.matching("fn")
				w.refuses(ports.ErrUnavailable)
				w.deps.EventLog = &eventLog{EventLog: w.backend, fail: failing("release", failures, ports.ErrUnavailable)}
				w.router().Do(t.Context(), w.accept(anEvent()))
				if len(w.backend.TryTake(1)) > 0 {
					t.Error("the event does not rest")
				}
				if len(w.pauses.Made()) != failures {
					t.Errorf("paused %d times", len(w.pauses.Made()))
				}
				time.Sleep(advance.ReleaseDelay)
				if len(w.backend.TryTake(1)) != 1 {
					t.Error("the event is not to be routed again")
				}
			})
		})
	}
}

func TestDo_ParksTheEventOnABug(t *testing.T) {
	t.Parallel()
	corrupt := errors.New("corrupt record")
	for name, c := range map[string]struct {
		change func(w *world)
		reason string
	}{
		"the store refuses it": {func(w *world) { w.refuses(corrupt) }, "corrupt record"},
		"and the log is unavailable for a while": {func(w *world) {
			w.refuses(corrupt)
			w.deps.EventLog = &eventLog{EventLog: w.backend, fail: failing("park", 20, ports.ErrUnavailable)}
		}, "corrupt record"},
		"an index is out of range": {func(w *world) {
			w.functions.bug = func() { w.functions.matches = w.functions.matches[:w.functions.matches[1].Function.Version] }
		}, "bug: runtime error: index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.matching("fn")
			e := w.accept(anEvent())
			c.change(w)
			w.router().Do(t.Context(), e)
			if reason := w.backend.Parked()[e.InternalID.String()]; !strings.Contains(reason, c.reason) {
				t.Errorf("parked for %q, want %q", reason, c.reason)
			}
			if stored, err := w.backend.Event(t.Context(), e.InternalID); err != nil || stored.Name != e.Name {
				t.Errorf("the event itself is gone: %v", err)
			}
		})
	}
}

func TestDo_LetsPanicsPassThatAreNoBugs(t *testing.T) {
	t.Parallel()
	w := setup(t)
	e := w.accept(anEvent())
	w.functions.bug = func() { panic("stop") }
	defer func() {
		if reason := recover(); reason != "stop" {
			t.Errorf("recovered %v", reason)
		}
	}()
	w.router().Do(t.Context(), e)
}

func TestDo_StopsLettingGo(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"when the event is settled":            ports.ErrNotFound,
		"when the log is closed":               ports.ErrClosed,
		"when trying again would be of no use": errors.New("disk on fire"),
		"when the router is stopped meanwhile": fmt.Errorf("cut: %w", ports.ErrUnavailable),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			e := w.accept(anEvent())
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			refusing := &eventLog{EventLog: w.backend, fail: func(string, int) error {
				if errors.Is(err, ports.ErrUnavailable) {
					stop()
				}
				return err
			}}
			w.deps.EventLog = refusing
			w.refuses(ports.ErrUnavailable)
			w.router().Do(ctx, e)
			if refusing.calls["release"] != 1 {
				t.Errorf("tried %d times", refusing.calls["release"])
			}
		})
	}
}

func TestDo_LeavesTheEventToTheNextStartWhenTheStoreIsClosed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	e := w.accept(anEvent())
	w.refuses(ports.ErrClosed)
	w.router().Do(t.Context(), e)
	if len(w.backend.Parked()) > 0 || strings.Contains(w.logged.String(), "level=ERROR") {
		t.Errorf("parked %v, logged %s", w.backend.Parked(), w.logged)
	}
	w.backend.Crash()
	if len(w.backend.TryTake(1)) != 1 {
		t.Error("the event is lost")
	}
}
