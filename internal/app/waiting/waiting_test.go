package waiting_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/waiting"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is the use case on ports in memory, in a bubble, with a function of which one step runs at once.
type world struct {
	*testing.T
	*mem.Backend
	fn  function.Function
	why *waiting.Waiting
	// fail is what the look-up of a function returns; nil for the function.
	fail error
}

func in(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, Backend: mem.New(testkit.Clock{})}
		w.fn = function.Function{ID: uuid.New(), Name: "Send mail", Slug: "app-send-mail", Settings: function.Settings{
			Concurrency: &function.Concurrency{Step: []function.StepLimit{{Limit: 1, Key: "event.data.user", Scope: function.ScopeEnv}}},
		}}
		settings, faults := flow.Compile(w.fn)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		w.Limit(w.fn.ID, settings)
		w.why = waiting.New(w.Backend, w.Backend.Queue(), w)
		test(w)
	})
}

// Function is the one of the world.
func (w *world) Function(context.Context, uuid.UUID) (function.Function, error) { return w.fn, w.fail }

// start schedules a run of the function.
func (w *world) start(change func(*ports.NewRun)) run.State {
	w.Helper()
	now := time.Now().UTC()
	e := event.Tracked{InternalID: ulid.Make(), ReceivedAt: now, Event: event.Event{Name: "x", Data: []byte(`{"user":"u1"}`), TS: now.UnixMilli()}}
	settings, _ := flow.Compile(w.fn)
	values := settings.Evaluate(e.Event, flow.FromEvent, now)
	state, jobs := run.New(run.Spec{
		ID: testkit.IDs{}.ULID(now), FunctionID: w.fn.ID, Slug: w.fn.Slug, MaxAttempts: 3, Events: []event.Tracked{e}, Key: e.InternalID.String(), Now: now,
	})
	state.Keys = values.Keys()
	next := ports.NewRun{State: state, Start: jobs[0], More: jobs[1:]}
	if change != nil {
		change(&next)
	}
	if _, err := w.Schedule(w.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
		w.Fatal(err)
	}
	return next.State
}

func (w *world) lease() ports.Lease {
	w.Helper()
	l, ok := w.TryLease()
	if !ok {
		w.Fatal("no job is due")
	}
	return l
}

func (w *world) ask(r run.State) waiting.Why {
	w.Helper()
	why, err := w.why.Why(w.Context(), r.ID)
	if err != nil {
		w.Fatal(err)
	}
	return why
}

func (w *world) is(got, want waiting.Why) {
	w.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.Fatalf("-want +got:\n%s", diff)
	}
}

// of is the answer for a run but for what it waits for.
func (w *world) of(r run.State) waiting.Why {
	return waiting.Why{Run: r.ID, FunctionID: w.fn.ID, Function: "Send mail", Slug: "app-send-mail"}
}

// startJob is the first job of a run.
func startJob(r run.State) string {
	for id, kind := range r.Jobs {
		if kind == run.KindStart {
			return id
		}
	}
	return ""
}

func TestWhy_Limit(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		runs := []run.State{w.start(nil), w.start(nil), w.start(nil)}
		w.lease()
		if _, ok := w.TryLease(); ok {
			w.Fatal("there is room for a second job")
		}
		want := w.of(runs[0])
		want.Jobs = []waiting.Job{{ID: startJob(runs[0]), Kind: run.KindStart, Waiting: flow.Waiting{Reason: flow.InHand}}}
		w.is(w.ask(runs[0]), want)
		limit := flow.Limit{Kind: flow.LimitKey, Scope: function.ScopeEnv, Expression: "event.data.user", Number: 1, Held: 1}
		want = w.of(runs[2])
		want.Jobs = []waiting.Job{{
			ID: startJob(runs[2]), Kind: run.KindStart, Waiting: flow.Waiting{Reason: flow.ForRoom, Limit: &limit, Ahead: 1, Functions: 1},
		}}
		w.is(w.ask(runs[2]), want)
	})
}

// withJobs gives a run jobs of the kinds, due later and later, instead of its first.
func withJobs(kinds ...run.Kind) func(*ports.NewRun) {
	return func(next *ports.NewRun) {
		first, now := next.Start, next.Start.At
		next.More, next.State.Jobs = nil, map[string]run.Kind{}
		for at, kind := range kinds {
			job := first
			job.ID, job.Kind, job.At = fmt.Sprintf("job-%d", at), kind, now.Add(time.Duration(at)*time.Minute)
			next.State.Jobs[job.ID] = kind
			if at == 0 {
				next.Start = job
			} else {
				next.More = append(next.More, job)
			}
		}
	}
}

func TestWhy_JobsByHowNearTheyAre(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.start(withJobs(run.KindEdge, run.KindSleep, run.KindSleep, run.KindCancel))
		begin := time.Now().UTC()
		later := func(id string, at time.Duration) waiting.Job {
			return waiting.Job{ID: id, Kind: run.KindSleep, Waiting: flow.Waiting{Reason: flow.DueLater, Expected: begin.Add(at)}}
		}
		want := w.of(r)
		want.Jobs = []waiting.Job{
			{ID: "job-0", Kind: run.KindEdge, Waiting: flow.Waiting{Reason: flow.ForWorker, Functions: 1}},
			later("job-1", time.Minute), later("job-2", 2*time.Minute),
		}
		w.is(w.ask(r), want)

		l := w.lease()
		if err := w.Backend.Queue().Park(w.Context(), l, "cannot be read"); err != nil {
			w.Fatal(err)
		}
		want.Jobs = append(want.Jobs[1:], waiting.Job{ID: "job-0", Kind: run.KindEdge, Parked: true})
		want.Until = begin.Add(time.Minute)
		w.is(w.ask(r), want)
	})
}

// withPauses gives a run the pauses besides, each with its timeout job.
func withPauses(pauses ...run.Pause) func(*ports.NewRun) {
	return func(next *ports.NewRun) {
		next.State.Pauses = map[uuid.UUID]run.Pause{}
		first := next.Start
		next.State.Jobs, next.More = map[string]run.Kind{}, nil
		for at, pause := range pauses {
			pause.ID = uuid.New()
			next.State.Pauses[pause.ID] = pause
			if pause.Job == "" {
				continue
			}
			job := first
			job.ID, job.Kind, job.At = pause.Job, run.KindPause, pause.Expires
			next.State.Jobs[job.ID] = run.KindPause
			if at == 0 {
				next.Start = job
			} else {
				next.More = append(next.More, job)
			}
		}
	}
}

func TestWhy_Pauses(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		now := time.Now().UTC()
		hour, day := now.Add(time.Hour), now.Add(24*time.Hour)
		r := w.start(withPauses(
			run.Pause{Kind: run.PauseInvoke, Op: "op-c", Name: "call it", Expires: day, Job: "job-c"},
			run.Pause{Kind: run.PauseEvent, Op: "op-b", Name: "wait", Event: "app/paid", Expression: "async.data.id == 'o1'", Expires: hour, Job: "job-b"},
			run.Pause{Kind: run.PauseSignal, Op: "op-a", Signal: "go", Expires: hour, Job: "job-a"},
			run.Pause{Kind: run.PauseCancel, Event: "app/stop", Expires: day},
		))
		want := w.of(r)
		want.Pauses = []waiting.Pause{
			{Kind: run.PauseSignal, Step: "op-a", Signal: "go", Until: hour},
			{Kind: run.PauseEvent, Step: "op-b", Name: "wait", Event: "app/paid", Expression: "async.data.id == 'o1'", Until: hour},
			{Kind: run.PauseInvoke, Step: "op-c", Name: "call it", Until: day},
		}
		want.Until = hour
		w.is(w.ask(r), want)

		time.Sleep(time.Hour) // and the timeouts are due
		got := w.ask(r)
		if len(got.Jobs) != 2 || got.Jobs[0].ID != "job-a" || got.Jobs[0].Reason != flow.ForWorker || !got.Until.IsZero() {
			t.Errorf("it waits for %+v", got)
		}
	})
}

func TestWhy_NotInProgress(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		if _, err := w.why.Why(t.Context(), ulid.Make()); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestWhy_FunctionThatCannotBeRead(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.start(nil)
		w.fn.Name, w.fail = "", fmt.Errorf("look up: %w", ports.ErrNotFound)
		if got := w.ask(r); got.Function != "" || got.Slug != "app-send-mail" {
			t.Errorf("the function is %q, %q", got.Function, got.Slug)
		}
		w.fail = ports.ErrUnavailable
		if _, err := w.why.Why(t.Context(), r.ID); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("error is %v", err)
		}
	})
}

// moving is a queue whose runs go on while it is asked.
type moving struct {
	ports.Queue
	between func() error
}

func (q moving) Waiting(ctx context.Context, id ulid.ULID, jobs []string) ([]ports.JobWaiting, error) {
	if err := q.between(); err != nil {
		return nil, err
	}
	return q.Queue.Waiting(ctx, id, jobs)
}

// TestWhy_RunThatGoesOnMeanwhile: what is done while it is asked for is not taken for parked.
func TestWhy_RunThatGoesOnMeanwhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		times int
		want  error
	}{"once": {1, nil}, "all the time": {1000, ports.ErrConflict}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				r, left := w.start(nil), c.times
				goOn := func() error {
					if left--; left < 0 {
						return nil
					}
					l := w.lease()
					state, err := w.Load(t.Context(), r.ID)
					if err != nil {
						return err
					}
					next := l.Job
					next.ID, next.Kind = fmt.Sprintf("next-%d", left), run.KindEdge
					_, err = w.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: run.Transition{
						Jobs: []run.Job{next}, Current: run.Disposition{Fate: run.FateDone},
					}})
					return err
				}
				why, err := waiting.New(w.Backend, moving{w.Backend.Queue(), goOn}, w).Why(t.Context(), r.ID)
				if !errors.Is(err, c.want) {
					t.Fatalf("error is %v", err)
				}
				if err == nil && (len(why.Jobs) != 1 || why.Jobs[0].ID != "next-0" || why.Jobs[0].Parked) {
					t.Errorf("it waits for %+v", why.Jobs)
				}
			})
		})
	}
}

func TestWhy_QueueThatFails(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		r := w.start(nil)
		broken := moving{w.Backend.Queue(), func() error { return ports.ErrUnavailable }}
		if _, err := waiting.New(w.Backend, broken, w).Why(t.Context(), r.ID); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("error is %v", err)
		}
	})
}
