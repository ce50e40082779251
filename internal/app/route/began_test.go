package route

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// pausesOf are the pauses of a run.
func (w *world) pausesOf(id ulid.ULID) []run.Pause {
	w.t.Helper()
	state, err := w.backend.Load(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	var pauses []run.Pause
	for _, pause := range state.Pauses {
		pauses = append(pauses, pause)
	}
	return pauses
}

// TestBegan_EndsWaitsByEventsThatCameMeanwhile routes an event after the app has asked for a wait and before the wait is stored.
func TestBegan_EndsWaitsByEventsThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.deps.Events = w.backend
		router := w.router()
		route := func(name, data string) {
			router.Do(t.Context(), w.accept(anEvent(func(e *event.Event) { e.Name, e.Data = name, []byte(data) })))
			time.Sleep(time.Millisecond)
		}
		route("go", `{"n":1,"nth":0}`) // before the wait: it is not for it
		time.Sleep(time.Second)
		asked := time.Now().UTC()
		for nth, n := range []int{2, 1, 1} {
			route("go", fmt.Sprintf(`{"n":%d,"nth":%d}`, n, nth+1))
		}
		route("other", `{"n":1}`)
		id := w.waits(
			run.Pause{Kind: run.PauseEvent, Event: "go", Expression: "async.data.n == 1"}, run.Pause{Kind: run.PauseEvent, Event: "go", Expression: "async.data.n == 3"},
			run.Pause{Kind: run.PauseEvent, Event: "go", Expression: "async.data.n > 1"}, run.Pause{Kind: run.PauseEvent, Event: "other"},
			run.Pause{Kind: run.PauseEvent, Event: "none"}, run.Pause{Kind: run.PauseSignal, Signal: "go"}, run.Pause{Kind: run.PauseInvoke},
		)
		pauses := w.pausesOf(id)
		for i := range pauses {
			pauses[i].CreatedAt = asked
		}
		router.Began(t.Context(), id, pauses)
		ended := map[string]string{}
		for step := range 7 {
			op := fmt.Sprint("step-", step)
			if memo := w.memo(id, op); memo != "" {
				_, ended[op], _ = strings.Cut(memo, `"data":`)
				ended[op], _, _ = strings.Cut(ended[op], "}")
			}
		}
		want := map[string]string{"step-0": `{"n":1,"nth":2`, "step-2": `{"n":2,"nth":1`, "step-3": `{"n":1`}
		if diff := cmp.Diff(want, ended); diff != "" {
			t.Errorf("ended -want +got:\n%s", diff)
		}
	})
}

// noEvents is a history that cannot be read.
type noEvents struct{}

func (noEvents) Events(context.Context, ports.EventQuery) ([]event.Tracked, error) {
	return nil, ports.ErrUnavailable
}

func TestBegan_SaysWhatItCannotLookUp(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*world){
		"no events":       func(w *world) { w.deps.Events = noEvents{} },
		"no store to end": func(w *world) { w.deps.Events, w.deps.Store = w.backend, unavailable{w.backend} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				id := w.waits(run.Pause{Kind: run.PauseEvent, Event: "user/created"})
				w.send(anEvent())
				spoil(w)
				w.router().Began(t.Context(), id, w.pausesOf(id))
				if w.memo(id, "step-0") != "" || !strings.Contains(w.logged.String(), "events that came while a wait was stored") {
					t.Errorf("memo %s, logged %s", w.memo(id, "step-0"), w.logged)
				}
			})
		})
	}
}

// TestDo_AnEventEndsEveryWaitOfARun: as many as it meets. Spec 02 §9.2.
func TestDo_AnEventEndsEveryWaitOfARun(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{0, 1} {
		t.Run(fmt.Sprint("at once ", atOnce), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.deps.ResumesAtOnce = atOnce
				two := func() ulid.ULID {
					return w.waits(run.Pause{Kind: run.PauseEvent, Event: "user/created"}, run.Pause{Kind: run.PauseEvent, Event: "user/created", Expression: "async.data.n == 1"},
						run.Pause{Kind: run.PauseEvent, Event: "user/created", Expression: "async.data.n == 2"})
				}
				first, second := two(), two()
				w.router().Do(t.Context(), w.accept(anEvent()))
				for _, id := range []ulid.ULID{first, second} {
					if w.memo(id, "step-0") == "" || w.memo(id, "step-0") != w.memo(id, "step-1") || w.memo(id, "step-2") != "" {
						t.Errorf("memos %s, %s, %s", w.memo(id, "step-0"), w.memo(id, "step-1"), w.memo(id, "step-2"))
					}
				}
			})
		})
	}
}

// TestDo_ACostlyConditionHoldsUpNobody: what would take too long to evaluate is not met, and the others are resumed.
func TestDo_ACostlyConditionHoldsUpNobody(t *testing.T) {
	t.Parallel()
	w := setup(t)
	costly := w.waits(run.Pause{Kind: run.PauseEvent, Event: "user/created", Expression: `async.data.l.all(a, async.data.l.all(b, async.data.l.all(c, a + b + c > 0.0)))`})
	chain := w.waits(run.Pause{Kind: run.PauseEvent, Event: "user/created", Expression: `async.data.s` + strings.Repeat(` + async.data.s`, 200) + ` != ""`})
	data := `{"s":"x","l":[` + strings.Repeat("1,", 999) + `1]}`
	w.router().Do(t.Context(), w.accept(anEvent(func(e *event.Event) { e.Data = []byte(data) })))
	if w.memo(costly, "step-0") != "" || w.memo(chain, "step-0") == "" {
		t.Errorf("the costly one has %q, the chain %.20q", w.memo(costly, "step-0"), w.memo(chain, "step-0"))
	}
	if len(w.backend.TryTake(1)) > 0 || len(w.backend.Parked()) > 0 {
		t.Error("the event is routed again, or parked")
	}
}

// counting is a store that notes how many commits are under way.
type counting struct {
	ports.Store
	peak peak
}

func (c *counting) Commit(ctx context.Context, commit ports.Commit) (run.State, error) {
	c.peak.add(1)
	defer c.peak.add(-1)
	time.Sleep(time.Second)
	return c.Store.Commit(ctx, commit)
}

// TestDo_ResumesABoundedNumberAtOnce: spec 08, weakness 21.
func TestDo_ResumesABoundedNumberAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.deps.ResumesAtOnce = 4
		var runs []ulid.ULID
		for range 20 {
			runs = append(runs, w.waits(run.Pause{Kind: run.PauseEvent, Event: "user/created"}))
		}
		slow := &counting{Store: w.backend}
		w.deps.Store = slow
		w.router().Do(t.Context(), w.accept(anEvent()))
		if slow.peak.max() != 4 {
			t.Errorf("%d at once", slow.peak.max())
		}
		for _, id := range runs {
			if w.memo(id, "step-0") == "" {
				t.Errorf("run %s still waits", id)
			}
		}
	})
}

// TestDo_MatchesByWhenAnEventWasReceived: the sender's clock decides nothing. Spec 08, weakness 11.
func TestDo_MatchesByWhenAnEventWasReceived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		for _, ts := range []int64{1, time.Now().Add(-time.Hour).UnixMilli(), time.Now().Add(time.Hour).UnixMilli()} {
			id := w.waits(run.Pause{Kind: run.PauseEvent, Event: "user/created"})
			w.router().Do(t.Context(), w.accept(anEvent(func(e *event.Event) { e.TS = ts })))
			if w.memo(id, "step-0") == "" {
				t.Errorf("an event with the time %d ends no wait", ts)
			}
		}
	})
}

// TestNewRun_TimeoutsThatAreNoneCountAsAbsent: spec 02 §22 #15.
func TestNewRun_TimeoutsThatAreNoneCountAsAbsent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": 0, "soon": 0, "5": 0, "1d": 24 * time.Hour} {
		w := setup(t)
		w.matching("fn")
		w.functions.matches[0].Function.Settings.Timeouts = &function.Timeouts{Start: text, Finish: text}
		w.router().Do(t.Context(), w.accept(anEvent()))
		state, err := w.backend.Load(t.Context(), w.backend.Runs()[0].RunID)
		if err != nil || state.Timeouts != (run.Timeouts{Start: want, Finish: want}) {
			t.Errorf("%q: %+v, %v", text, state.Timeouts, err)
		}
	}
}
