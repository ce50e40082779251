package cancel

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

func TestDo_CancelsTheRunsThatAreMeant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		c := New(w.deps)
		early := w.start(1)
		time.Sleep(time.Second)
		after := time.Now().UTC().Format(time.RFC3339Nano)
		time.Sleep(time.Second)
		meant, unlike, foreign := w.start(1), w.start(2), w.start(1, ofFunction(uuid.New()))
		time.Sleep(time.Second)
		created := w.order(c, `,"started_after":"`+after+`","if":"event.data.n == 1"`)
		time.Sleep(time.Second)
		late := w.start(1)
		if n := work(t, c); n != 1 {
			t.Errorf("%d batches", n)
		}
		want := []run.Status{run.Running, run.Cancelled, run.Running, run.Running, run.Running}
		if diff := cmp.Diff(want, w.statuses(early, meant, unlike, foreign, late)); diff != "" {
			t.Errorf("statuses -want +got:\n%s", diff)
		}
		ended := w.find(created.ID)
		if ended.State != cancellation.Completed || ended.Cancelled != 1 || !ended.EndedAt.Equal(time.Now()) {
			t.Errorf("ended as %+v", ended)
		}
		told := map[string]int{}
		for _, e := range w.backend.AllEvents() {
			told[e.Name]++
		}
		if diff := cmp.Diff(map[string]int{event.FunctionFinished: 1, event.FunctionCancelled: 1}, told); diff != "" {
			t.Errorf("published -want +got:\n%s", diff)
		}
		if !c.Next().IsZero() {
			t.Error("there is something to do")
		}
	})
}

func TestDo_GoesOnBatchByBatch(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			w := setup(t)
			w.deps.AtOnce = atOnce
			c := New(w.deps)
			var runs []ulid.ULID
			for range cancellation.BatchSize + 10 {
				runs = append(runs, w.start(1))
			}
			time.Sleep(time.Millisecond)
			created := w.order(c, "")
			id, _ := c.Take()
			c.Do(t.Context(), id)
			if got := w.find(created.ID); got.Cancelled != cancellation.BatchSize || got.Cursor.Compare(ulid.ULID{}) == 0 || got.State != cancellation.Active {
				t.Errorf("after a batch: %+v", got)
			}
			// The process dies; the next one goes on.
			c = New(w.deps)
			if err := c.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := work(t, c); n != 1 {
				t.Errorf("%d more batches", n)
			}
			if got := w.find(created.ID); got.Cancelled != len(runs) || got.State != cancellation.Completed {
				t.Errorf("in the end: %+v", got)
			}
			for _, status := range w.statuses(runs...) {
				if status != run.Cancelled {
					t.Errorf("a run is %s", status)
				}
			}
		})
	}
}

func TestDo_WaitsForABoundInTheFuture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		c := New(w.deps)
		first := w.start(1)
		time.Sleep(time.Second)
		created, err := c.Create(t.Context(), []byte(`{"app_id":"acme","function_id":"fn","started_before":"`+time.Now().Add(4*time.Second).UTC().Format(time.RFC3339Nano)+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		work(t, c)
		second := w.start(1)
		time.Sleep(3 * time.Second)
		third := w.start(1)
		if diff := cmp.Diff([]run.Status{run.Cancelled, run.Running, run.Running}, w.statuses(first, second, third)); diff != "" {
			t.Errorf("before the bound -want +got:\n%s", diff)
		}
		if n := work(t, c); n > 0 || !c.Next().Equal(created.Before) {
			t.Errorf("%d batches, the next at %s", n, c.Next())
		}
		time.Sleep(time.Second)
		fourth := w.start(1)
		work(t, c)
		if diff := cmp.Diff([]run.Status{run.Cancelled, run.Cancelled, run.Running}, w.statuses(second, third, fourth)); diff != "" {
			t.Errorf("after the bound -want +got:\n%s", diff)
		}
		if got := w.find(created.ID); got.State != cancellation.Completed || got.Cancelled != 3 {
			t.Errorf("ended as %+v", got)
		}
	})
}

// TestDo_KeepsLateRunsOut has a run whose ID is below the bound and that is not created yet when it is asked for.
func TestDo_KeepsLateRunsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		c := New(w.deps)
		w.start(1)
		time.Sleep(time.Second)
		w.order(c, "")
		work(t, c)
		id := ulid.ULID{15: 1}
		_ = id.SetTime(ulid.Timestamp(time.Now().Add(-time.Second)))
		state, jobs := run.New(run.Spec{ID: id, FunctionID: aFunction().ID, Events: []event.Tracked{{}}, Now: time.Now()})
		_, err := w.backend.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{{State: state, Start: jobs[0]}}})
		if !errors.Is(err, ports.ErrOutdated) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCreate_Refuses(t *testing.T) {
	t.Parallel()
	w := setup(t)
	c := New(w.deps)
	_, err := c.Create(t.Context(), []byte(`{}`))
	if invalid := (*cancellation.InvalidError)(nil); !errors.As(err, &invalid) {
		t.Errorf("of nothing: %v", err)
	}
	_, err = c.Create(t.Context(), []byte(strings.Replace(string(request("")), "acme-fn", "other", 1)))
	if unknown := (*UnknownFunctionError)(nil); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "other") {
		t.Errorf("of an unknown function: %v", err)
	}
	for range cancellation.MaxActive {
		w.order(c, "")
	}
	if _, err := c.Create(t.Context(), request("")); !errors.Is(err, ErrTooMany) {
		t.Errorf("of one too many: %v", err)
	}
	all, err := c.List(t.Context())
	if err != nil || len(all) != cancellation.MaxActive {
		t.Errorf("%d are listed, %v", len(all), err)
	}
	if err := c.Delete(t.Context(), all[7].ID); err != nil {
		t.Error(err)
	}
	w.order(c, "")
}

func TestCreate_WhenItIsNotKnownToBeStored(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]bool{"it is": true, "it is not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				id := w.start(1)
				time.Sleep(time.Second)
				w.fail = func(call string) error {
					if call == "create" {
						return ports.ErrUnavailable
					}
					return nil
				}
				w.deps.Cancellations = &afterwards{world: w, stored: stored}
				c := New(w.deps)
				if _, err := c.Create(t.Context(), request("")); !errors.Is(err, ports.ErrUnavailable) {
					t.Errorf("error %v", err)
				}
				work(t, c)
				want := map[bool]run.Status{true: run.Cancelled, false: run.Running}[stored]
				if got := w.statuses(id)[0]; got != want || !c.Next().IsZero() {
					t.Errorf("the run is %s, want %s; next at %s", got, want, c.Next())
				}
			})
		})
	}
}

// afterwards is storage whose Create fails, after its effect or before it.
type afterwards struct {
	*world
	stored bool
}

func (a *afterwards) Create(ctx context.Context, c cancellation.Cancellation) error {
	if a.stored {
		if err := a.Cancellations.Create(ctx, c); err != nil {
			return err
		}
	}
	return a.world.Create(ctx, c)
}

func TestDelete_StopsWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.deps.Cancellations = w.orders // it is called while another call is
		c := New(w.deps)
		var runs []ulid.ULID
		for range 3 {
			runs = append(runs, w.start(1))
			time.Sleep(time.Millisecond)
		}
		created := w.order(c, "")
		commits := 0
		w.fail = func(call string) error {
			if call == "commit" {
				if commits++; commits == 2 {
					return c.Delete(t.Context(), created.ID)
				}
			}
			return nil
		}
		work(t, c)
		if diff := cmp.Diff([]run.Status{run.Cancelled, run.Cancelled, run.Running}, w.statuses(runs...)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if all, err := c.List(t.Context()); len(all) > 0 || err != nil || !c.Next().IsZero() {
			t.Errorf("%d are left, %v", len(all), err)
		}
		if err := c.Delete(t.Context(), created.ID); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("deleted again: %v", err)
		}
	})
}

func TestDelete_FailureLeavesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		c := New(w.deps)
		id := w.start(1)
		time.Sleep(time.Millisecond)
		created := w.order(c, "")
		w.failing("delete", 1, ports.ErrUnavailable)
		if err := c.Delete(t.Context(), created.ID); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		work(t, c)
		if w.statuses(id)[0] != run.Cancelled {
			t.Error("the run goes on")
		}
	})
}

func TestList_Failure(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.failing("list", 1, ports.ErrUnavailable)
	if _, err := New(w.deps).List(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

func TestTake_TakesTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		c := New(w.deps)
		first, second := w.order(c, "").ID, w.order(c, "").ID
		var turns []ulid.ULID
		for range 4 {
			id, ok := c.Take()
			if !ok {
				t.Fatal("nothing to do")
			}
			turns = append(turns, id)
			if len(turns) == 1 { // meanwhile the other one is to be had, once
				if id, ok := c.Take(); !ok || id != second {
					t.Errorf("took %s", id)
				}
				if _, ok := c.Take(); ok {
					t.Error("one was taken twice")
				}
				c.putBack(second, func(*open) {})
				continue
			}
			c.putBack(id, func(*open) {})
			if len(turns) == 2 {
				c.putBack(first, func(*open) {})
			}
		}
		if diff := cmp.Diff([]ulid.ULID{first, second, second, first}, turns); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.deps.Pause, w.deps.AtOnce = nil, 0
		left := w.start(1)
		time.Sleep(time.Second)
		if _, err := New(w.deps).Create(t.Context(), request("")); err != nil {
			t.Fatal(err)
		}
		w.failing("list", 2, ports.ErrUnavailable)
		c := New(w.deps)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(time.Second)
		if w.statuses(left)[0] != run.Cancelled {
			t.Error("what the last process left is not done")
		}
		another := w.start(1)
		time.Sleep(time.Second)
		calls := len(w.calls)
		time.Sleep(time.Hour)
		if len(w.calls) != calls {
			t.Errorf("it polls: %v", w.calls[calls:])
		}
		w.order(c, "")
		synctest.Wait()
		if w.statuses(another)[0] != run.Cancelled {
			t.Error("it was not woken")
		}
		waiting := w.start(1)
		if _, err := c.Create(t.Context(), []byte(strings.Replace(string(request("")), `Z"`, `Z","x":"`, 1))); err == nil {
			t.Error("accepted a bad request")
		}
		w.order(c, "")
		time.Sleep(5 * time.Second)
		if w.statuses(waiting)[0] != run.Running {
			t.Error("cancelled a run of the bound's own millisecond")
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRun_EndsWhileItCannotLoad(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"stopped": ports.ErrUnavailable, "closed": ports.ErrClosed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			w.deps.Pause = func(context.Context, int) { stop() }
			w.failing("list", 9, err)
			if err := New(w.deps).Run(ctx); err != nil {
				t.Error(err)
			}
			if len(w.calls) > 2 {
				t.Errorf("called %v", w.calls)
			}
		})
	}
}

// TestRun_WaitsForABoundByItself has the worker sleep until the bound has passed.
func TestRun_WaitsForABoundByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		c := New(w.deps)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		body := strings.Replace(string(request("")), time.Now().UTC().Format(time.RFC3339Nano), time.Now().Add(5*time.Second).UTC().Format(time.RFC3339Nano), 1)
		created, err := c.Create(t.Context(), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		id := w.start(1)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.find(created.ID); w.statuses(id)[0] != run.Cancelled || !got.EndedAt.Equal(created.Before) {
			t.Errorf("the run is %v, ended %s", w.statuses(id), got.EndedAt)
		}
		stop()
		<-done
	})
}
