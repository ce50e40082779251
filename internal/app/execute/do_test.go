package execute

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

func TestDo_EndsARunWithItsAppsAnswer(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.app.answers = []answer{says(200, `"done"`)}
	id := w.start()
	w.executor().Do(t.Context(), w.lease())

	record := w.record(id)
	if record.Status != run.Completed || string(record.Output) != `"done"` {
		t.Errorf("run ended as %s with %s", record.Status, record.Output)
	}
	finished := w.backend.AllEvents()
	if len(finished) != 1 || finished[0].Name != event.FunctionFinished || finished[0].ID != finished[0].InternalID.String() || finished[0].ReceivedAt.IsZero() {
		t.Errorf("published %+v, want one finished event with its identity", finished)
	}
	if len(w.backend.TryTake(2)) != 1 {
		t.Error("the event does not wait for routing")
	}
}

func TestDo_CommitsSteps(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.app.answers = []answer{says(206, `[{"op":"StepRun","id":"a","data":1}]`), says(200, `null`)}
	id := w.start()
	x := w.executor()
	x.Do(t.Context(), w.lease())
	state, err := w.backend.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(state.Stack, []string{"a"}) {
		t.Fatalf("stack is %v", state.Stack)
	}
	x.Do(t.Context(), w.lease())
	if status := w.record(id).Status; status != run.Completed {
		t.Errorf("run is %s", status)
	}
	if body := string(w.app.calls[1].Body); !strings.Contains(body, `"steps":{"a":`) {
		t.Errorf("second call does not carry the memo: %s", body)
	}
}

func TestDo_DecidesAgainWhenTheRunChangedDuringTheCall(t *testing.T) {
	t.Parallel()
	w := setup(t)
	x := w.executor()
	id := w.start()
	w.app.answers = []answer{says(206, `[{"op":"StepPlanned","id":"a"},{"op":"StepPlanned","id":"b"}]`)}
	x.Do(t.Context(), w.lease())

	first, second := w.lease(), w.lease()
	step := func(call ports.Call) string {
		_, target, _ := strings.Cut(call.URL, "stepId=")
		target, _, _ = strings.Cut(target, "&")
		return fmt.Sprintf(`[{"op":"StepRun","id":%q,"data":%q}]`, target, target)
	}
	w.app.answers = []answer{
		func(ctx context.Context, call ports.Call) (sdk.Response, error) {
			x.Do(ctx, second) // the other step is answered and committed first
			return reply(206, step(call)), nil
		},
		func(_ context.Context, call ports.Call) (sdk.Response, error) { return reply(206, step(call)), nil },
	}
	x.Do(t.Context(), first)

	state, err := w.backend.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(slices.Values(state.Stack)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("stack is %v", state.Stack)
	}
	if len(state.Jobs) != 1 || w.app.count() != 3 {
		t.Errorf("jobs are %v after %d calls, want the one discovery after the group and 3 calls", state.Jobs, w.app.count())
	}
}

func TestDo_GivesTheJobBackWhenConflictsDoNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		broken := &store{Store: w.backend, commit: func(int, ports.Commit) error { return ports.ErrConflict }}
		w.deps.Store = broken
		w.app.answers = []answer{says(200, `1`)}
		w.start()
		w.executor().Do(t.Context(), w.lease())
		if broken.commits != advance.Tries {
			t.Errorf("tried %d times, want %d", broken.commits, advance.Tries)
		}
		w.returned(0)
	})
}

// returned checks that the job was handed back with its attempt uncounted, to rest for a while.
func (w *world) returned(attempt int) {
	w.t.Helper()
	if _, ok := w.backend.TryLease(); ok {
		w.t.Error("the job does not rest")
	}
	if next := w.backend.NextDue(); !next.Equal(time.Now().Add(unavailableDelay)) {
		w.t.Errorf("the job is due at %s, want %s from now", next, unavailableDelay)
	}
	time.Sleep(unavailableDelay)
	if lease := w.lease(); lease.Job.Attempt != attempt {
		w.t.Errorf("the job is at attempt %d, want %d", lease.Job.Attempt, attempt)
	}
}

func TestDo_CommitsAgainWhileTheStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.deps.Store = &store{Store: w.backend, commit: func(n int, _ ports.Commit) error {
		if n < advance.WriteTries {
			return ports.ErrUnavailable
		}
		return nil
	}}
	w.app.answers = []answer{says(200, `1`)}
	id := w.start()
	w.executor().Do(t.Context(), w.lease())
	if status := w.record(id).Status; status != run.Completed || w.app.count() != 1 {
		t.Errorf("run is %s after %d calls", status, w.app.count())
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5, 6, 7}, w.pauses.Made()); diff != "" {
		t.Errorf("pauses -want +got:\n%s", diff)
	}
}

func TestDo_GivesTheJobBackWhenTheStoreStaysUnavailable(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world){
		"to commits": func(w *world) {
			w.deps.Store = &store{Store: w.backend, commit: func(int, ports.Commit) error { return ports.ErrUnavailable }}
		},
		"to loads": func(w *world) {
			w.deps.Store = &store{Store: w.backend, load: func() error { return ports.ErrUnavailable }}
		},
		"to functions": func(w *world) { w.functions.err = ports.ErrUnavailable },
		"and the queue with it for a while": func(w *world) {
			w.deps.Store = &store{Store: w.backend, load: func() error { return ports.ErrUnavailable }}
			w.deps.Queue = &queue{Queue: w.backend.Queue(), fail: failing("return", 20, ports.ErrUnavailable)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t, spoil)
				w.app.answers = []answer{says(200, `1`)}
				w.start()
				w.executor().Do(t.Context(), w.lease())
				w.returned(0)
				if parked := w.backend.Parked(); len(parked) > 0 {
					t.Errorf("parked %v", parked)
				}
			})
		})
	}
}

// failing fails a call the first few times.
func failing(call string, times int, err error) func(string, int) error {
	return func(name string, n int) error {
		if name == call && n <= times {
			return err
		}
		return nil
	}
}

func TestDo_DropsAnAnswerThatComesTooLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile func(w *world, x *Executor, id ulid.ULID) error
		status    run.Status
		cancelled int
	}{
		"the run was cancelled": {func(w *world, x *Executor, id ulid.ULID) error { return x.Cancel(w.t.Context(), id) }, run.Cancelled, 1},
		"the job was taken over": {func(w *world, _ *Executor, _ ulid.ULID) error {
			w.backend.Crash()
			w.lease()
			return nil
		}, run.Running, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			x := w.executor()
			id := w.start()
			w.app.answers = []answer{func(context.Context, ports.Call) (sdk.Response, error) {
				if err := c.meanwhile(w, x, id); err != nil {
					t.Error(err)
				}
				return reply(200, `"late"`), nil
			}}
			x.Do(t.Context(), w.lease())
			record := w.record(id)
			if record.Status != c.status || string(record.Output) == `"late"` {
				t.Errorf("run is %s with %s, want %s", record.Status, record.Output, c.status)
			}
			if w.published(event.FunctionCancelled) != c.cancelled || w.published(event.FunctionFinished) != c.cancelled {
				t.Errorf("published %v", w.backend.AllEvents())
			}
			if text := w.logged.String(); !strings.Contains(text, "job dropped") || strings.Contains(text, "level=ERROR") {
				t.Errorf("logged %s", text)
			}
			if len(w.backend.Parked()) > 0 {
				t.Error("the job is parked")
			}
		})
	}
}

func TestDo_FailsTheRunVisiblyWhenItCannotBeCalled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(w *world)
		output string
	}{
		"its function is gone": {func(w *world) { clear(w.functions.known) }, "the run's function no longer exists"},
		"its step is not http": {func(w *world) {
			fn := aFunction()
			fn.Step.URI = "connect://app"
			w.functions.known[fn.ID] = fn
		}, "Unable to use HTTP executor for non-HTTP runtime"},
		"its step is no url": {func(w *world) {
			fn := aFunction()
			fn.Step.URI = "http://a b/%zz"
			w.functions.known[fn.ID] = fn
		}, "parse step URI"},
		"a memo is missing": {func(w *world) {
			w.deps.Store = &forgetful{Store: w.backend}
		}, "state and stack mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, c.change)
			id := w.start(attempts(1))
			w.executor().Do(t.Context(), w.lease())
			record := w.record(id)
			if record.Status != run.Failed || !strings.Contains(string(record.Output), c.output) {
				t.Errorf("run is %s with %s", record.Status, record.Output)
			}
			if w.app.count() != 0 || w.published(event.FunctionFailed) != 1 {
				t.Errorf("%d calls and %d failed events", w.app.count(), w.published(event.FunctionFailed))
			}
		})
	}
}

// meter notes what it is told.
type meter struct {
	ports.NoMeter
	told []string
}

func (m *meter) RunStarted(uuid.UUID) { m.told = append(m.told, "run started") }

func (m *meter) CallStarted(uuid.UUID) { m.told = append(m.told, "call started") }

func (m *meter) CallEnded(_ uuid.UUID, result ports.CallResult) {
	m.told = append(m.told, "call ended: "+result.String())
}

// TestDo_TellsTheMeterOfCalls: a run starts once, and each call that starts ends.
func TestDo_TellsTheMeterOfCalls(t *testing.T) {
	t.Parallel()
	refuses := func(context.Context, ports.Call) (sdk.Response, error) {
		response := reply(400, `{}`)
		response.Header["X-Inngest-No-Retry"] = "true"
		return response, nil
	}
	for name, c := range map[string]struct {
		answers []answer
		change  func(w *world)
		want    []string
	}{
		"that succeed": {[]answer{says(200, `"done"`)}, nil, []string{"run started", "call started", "call ended: success"}},
		"that may succeed later": {
			[]answer{says(500, `{}`), says(200, `"done"`)}, nil,
			[]string{"run started", "call started", "call ended: errored", "call started", "call ended: success"},
		},
		"that are not to be made again": {[]answer{refuses}, nil, []string{"run started", "call started", "call ended: failed"}},
		"that cannot be made": {
			nil, func(w *world) { w.functions.err = ports.ErrUnavailable }, []string{"run started", "call started", "call ended: errored"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				told := &meter{}
				w := setup(t, func(w *world) { w.deps.Meter = told })
				if c.change != nil {
					c.change(w)
				}
				w.app.answers = c.answers
				w.start()
				for range max(len(c.answers), 1) {
					w.executor().Do(t.Context(), w.lease())
					time.Sleep(time.Minute)
				}
				if diff := cmp.Diff(c.want, told.told); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		})
	}
}

// forgetful is a store that lost a memo.
type forgetful struct{ ports.Store }

func (f *forgetful) Load(ctx context.Context, id ulid.ULID) (run.State, error) {
	state, err := f.Store.Load(ctx, id)
	state.Stack = []string{"lost"}
	return state, err
}

func TestDo_TriesAgainAfterTheBackoff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config Config
		want   time.Duration
	}{
		"of the table, with jitter": {Config{}, 22 * time.Second},
		"of the configuration":      {Config{RetryInterval: 3 * time.Second}, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.config = c.config
				w.app.answers = []answer{says(500, `{}`)}
				w.start()
				w.executor().Do(t.Context(), w.lease())
				if next := w.backend.NextDue(); !next.Equal(time.Now().Add(c.want)) {
					t.Errorf("next attempt in %s, want %s", time.Until(next), c.want)
				}
				time.Sleep(c.want)
				if lease := w.lease(); lease.Job.Attempt != 1 || lease.Generation != 2 {
					t.Errorf("lease is %+v", lease)
				}
			})
		})
	}
}

func TestDo_ParksTheJobOnABug(t *testing.T) {
	t.Parallel()
	corrupt := errors.New("corrupt record")
	for name, c := range map[string]struct {
		change func(w *world)
		reason string
	}{
		"the store cannot read the run": {func(w *world) {
			w.deps.Store = &store{Store: w.backend, load: func() error { return corrupt }}
		}, "corrupt record"},
		"the store cannot write it": {func(w *world) {
			w.deps.Store = &store{Store: w.backend, commit: func(int, ports.Commit) error { return corrupt }}
		}, "corrupt record"},
		"the transport fails for a reason of its own": {func(w *world) {
			w.app.answers = []answer{func(context.Context, ports.Call) (sdk.Response, error) { return sdk.Response{}, corrupt }}
		}, "call app for run"},
		"a decision goes out of bounds": {func(w *world) {
			w.app.answers = []answer{func(context.Context, ports.Call) (sdk.Response, error) {
				return reply(200, string(w.app.calls[0].Body[1<<30:])), nil
			}}
		}, "bug: runtime error: slice bounds out of range"},
		"the queue is unavailable for a while": {func(w *world) {
			w.functions.err = corrupt
			w.deps.Queue = &queue{Queue: w.backend.Queue(), fail: failing("park", 20, ports.ErrUnavailable)}
		}, "corrupt record"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.app.answers = []answer{says(200, `1`)}
			c.change(w)
			id := w.start()
			lease := w.lease()
			w.executor().Do(t.Context(), lease)
			if reason := w.backend.Parked()[lease.Job.ID]; !strings.Contains(reason, c.reason) {
				t.Errorf("parked for %q, want %q", reason, c.reason)
			}
			if status := w.record(id).Status; status != run.Running {
				t.Errorf("run is %s, want it as it was", status)
			}
			if _, ok := w.backend.TryLease(); ok {
				t.Error("the job is handed out again")
			}
		})
	}
}

func TestDo_LetsPanicsPassThatAreNoBugs(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.app.answers = []answer{func(context.Context, ports.Call) (sdk.Response, error) { panic("stop") }}
	w.start()
	defer func() {
		if reason := recover(); reason != "stop" {
			t.Errorf("recovered %v", reason)
		}
	}()
	w.executor().Do(t.Context(), w.lease())
}

func TestDo_StopsLettingGo(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"when the job is no longer ours":         ports.ErrLeaseLost,
		"when the queue is closed":               ports.ErrClosed,
		"when trying again would be of no use":   errors.New("disk on fire"),
		"when the executor is stopped meanwhile": fmt.Errorf("cut: %w", ports.ErrUnavailable),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			ctx, stop := context.WithCancel(t.Context())
			refusing := &queue{Queue: w.backend.Queue(), fail: func(string, int) error {
				if errors.Is(err, ports.ErrUnavailable) {
					stop()
				}
				return err
			}}
			defer stop()
			w.deps.Queue = refusing
			w.functions.err = ports.ErrUnavailable
			w.start()
			w.executor().Do(ctx, w.lease())
			if refusing.calls["return"] != 1 {
				t.Errorf("tried %d times", refusing.calls["return"])
			}
		})
	}
}

func TestDo_ASleepOfAGroupThatGoesOnNeedsNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		x := w.executor()
		id := w.start()
		w.app.answers = []answer{says(206, `[{"op":"Sleep","id":"nap","name":"1s"},{"op":"Sleep","id":"long","name":"1h"}]`)}
		x.Do(t.Context(), w.lease())
		time.Sleep(time.Second)
		x.Do(t.Context(), w.lease())
		state, err := w.backend.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if w.app.count() != 1 || !slices.Equal(state.Stack, []string{"nap"}) || len(state.Jobs) != 1 {
			t.Errorf("%d calls, stack %v, jobs %v", w.app.count(), state.Stack, state.Jobs)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := setup(t)
	x := w.executor()
	id := w.start()
	if err := x.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if record := w.record(id); record.Status != run.Cancelled || w.published(event.FunctionCancelled) != 1 {
		t.Errorf("run is %s", record.Status)
	}
	if _, ok := w.backend.TryLease(); ok {
		t.Error("the run's job is left")
	}
	if err := x.Cancel(t.Context(), id); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("second cancel: %v", err)
	}
	if err := x.Cancel(t.Context(), testkit.IDs{}.ULID(time.Now())); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("cancel of an unknown run: %v", err)
	}
}
