package cancel

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// TestDo_TriesAgain fails each call of a batch in turn; in the end all is done and counted once.
func TestDo_TriesAgain(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{0, 1} {
		for _, call := range []string{"fence", "runs of", "load", "commit", "update"} {
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.deps.AtOnce = atOnce
				c := New(w.deps)
				var runs []ulid.ULID
				for range 3 {
					runs = append(runs, w.start(1))
					time.Sleep(time.Millisecond)
				}
				created := w.order(c, `,"if":"event.data.n == 1"`)
				seen := 0
				w.fail = func(name string) error {
					if name == call {
						if seen++; seen == 2 || seen <= 2 && call != "load" && call != "commit" {
							return ports.ErrUnavailable
						}
					}
					return nil
				}
				if call == "commit" { // which is repeated by itself for a while
					w.fail = func(name string) error {
						if name == call {
							if seen++; seen >= 2 && seen < 30 {
								return ports.ErrUnavailable
							}
						}
						return nil
					}
				}
				for range 10 {
					work(t, c)
					time.Sleep(time.Minute)
				}
				for _, status := range w.statuses(runs...) {
					if status != run.Cancelled {
						t.Errorf("%s: a run is %s", call, status)
					}
				}
				if got := w.find(created.ID); got.State != cancellation.Completed || got.Cancelled != 3 || got.Error != "" {
					t.Errorf("%s: ended as %+v", call, got)
				}
				if !strings.Contains(w.logged.String(), "cancellation put off") {
					t.Errorf("%s: logged %s", call, w.logged)
				}
			})
		}
	}
}

func TestDo_GivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		c := New(w.deps)
		id := w.start(1)
		time.Sleep(time.Millisecond)
		created := w.order(c, "")
		w.failing("runs of", 1000, ports.ErrUnavailable)
		began := time.Now()
		var tried []time.Duration
		for {
			next := c.Next()
			if next.IsZero() {
				break
			}
			time.Sleep(time.Until(next))
			tried = append(tried, time.Since(began))
			if len(tried) == cancellation.Attempts {
				w.fail = func(call string) error { // neither can the end be stored, once
					if call == "runs of" || call == "update" && len(tried) == cancellation.Attempts {
						return ports.ErrUnavailable
					}
					return nil
				}
			}
			work(t, c)
		}
		if len(tried) != cancellation.Attempts+1 || tried[1] != time.Second || tried[2] != 3*time.Second || tried[19]-tried[18] != time.Minute {
			t.Errorf("tried %v", tried)
		}
		got := w.find(created.ID)
		if got.State != cancellation.Failed || !strings.Contains(got.Error, "unavailable") || !got.EndedAt.Equal(time.Now()) {
			t.Errorf("ended as %+v", got)
		}
		if text := w.logged.String(); !strings.Contains(text, "cancellation given up") || !strings.Contains(text, created.ID.String()) {
			t.Errorf("logged %s", text)
		}
		if w.statuses(id)[0] != run.Running {
			t.Error("the run was cancelled")
		}
		c = New(w.deps)
		if err := c.Load(t.Context()); err != nil || !c.Next().IsZero() {
			t.Errorf("it is tried again after a restart, %v", err)
		}
	})
}

// TestDo_LeavesOutWhatCannotBeCancelled has a run that no try would cancel, and one whose handling has a bug.
func TestDo_LeavesOutWhatCannotBeCancelled(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func() error{
		"damaged": func() error { return errors.New("damaged record") },
		"bug": func() error {
			return []error{}[len(t.Name())]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				c := New(w.deps)
				var runs []ulid.ULID
				for range 3 {
					runs = append(runs, w.start(1))
					time.Sleep(time.Millisecond)
				}
				created := w.order(c, "")
				loads := 0
				w.fail = func(call string) error {
					if call == "load" {
						if loads++; loads == 2 {
							return fault()
						}
					}
					return nil
				}
				work(t, c)
				if diff := cmp.Diff([]run.Status{run.Cancelled, run.Running, run.Cancelled}, w.statuses(runs...)); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				got := w.find(created.ID)
				if got.State != cancellation.Failed || got.Cancelled != 2 || got.Refused != 1 || !strings.Contains(got.Error, runs[1].String()) {
					t.Errorf("ended as %+v", got)
				}
				if !strings.Contains(w.logged.String(), "run cannot be cancelled") {
					t.Errorf("logged %s", w.logged)
				}
			})
		})
	}
}

func TestDo_ARunThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"", `,"if":"true"`} {
		synctest.Test(t, func(t *testing.T) {
			w := setup(t)
			c := New(w.deps)
			w.start(1)
			time.Sleep(time.Millisecond)
			created := w.order(c, more)
			w.failing("load", 1, ports.ErrNotFound)
			work(t, c)
			if got := w.find(created.ID); got.State != cancellation.Completed || got.Cancelled != 0 {
				t.Errorf("ended as %+v", got)
			}
		})
	}
}

func TestDo_AConditionThatCannotBeEvaluatedIsNotMet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		c := New(w.deps)
		id := w.start(1)
		time.Sleep(time.Millisecond)
		created := w.order(c, `,"if":"event.data.n"`)
		work(t, c)
		if got := w.find(created.ID); w.statuses(id)[0] != run.Running || got.State != cancellation.Completed {
			t.Errorf("the run is %v, ended as %+v", w.statuses(id), got)
		}
		if !strings.Contains(w.logged.String(), "condition of a cancellation failed") {
			t.Errorf("logged %s", w.logged)
		}
	})
}

// TestDo_AConditionThatDoesNotCompileAnyMore is one that an earlier version has accepted.
func TestDo_AConditionThatDoesNotCompileAnyMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.start(1)
		time.Sleep(time.Millisecond)
		order := cancellation.Cancellation{ID: ulid.ULID{1}, FunctionID: aFunction().ID, Before: time.Now(), If: "old(", State: cancellation.Active}
		if err := w.Cancellations.Create(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		c := New(w.deps)
		if err := c.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for !c.Next().IsZero() {
			time.Sleep(time.Until(c.Next()))
			work(t, c)
		}
		if got := w.find(order.ID); got.State != cancellation.Failed || !strings.Contains(got.Error, "condition: error compiling") {
			t.Errorf("ended as %+v", got)
		}
	})
}

func TestDo_StopsBetweenRuns(t *testing.T) {
	t.Parallel()
	for name, atOnce := range map[string]int{"one by one": 1, "many at once": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.deps.AtOnce = atOnce
				c := New(w.deps)
				var runs []ulid.ULID
				for range 10 {
					runs = append(runs, w.start(1))
					time.Sleep(time.Millisecond)
				}
				created := w.order(c, "")
				ctx, stop := context.WithCancel(t.Context())
				w.fail = func(call string) error {
					if call == "commit" {
						stop()
					}
					return nil
				}
				id, _ := c.Take()
				c.Do(ctx, id)
				cancelled := 0
				for _, status := range w.statuses(runs...) {
					if status == run.Cancelled {
						cancelled++
					}
				}
				if cancelled == 0 || cancelled > atOnce {
					t.Errorf("%d runs were cancelled", cancelled)
				}
				if got := w.find(created.ID); got.State != cancellation.Active || !c.Next().IsZero() {
					t.Errorf("left as %+v", got)
				}
				if strings.Contains(w.logged.String(), "level=WARN") {
					t.Errorf("logged %s", w.logged)
				}
			})
		})
	}
}

func TestDo_OfOneThatHasEnded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	c := New(w.deps)
	created := w.order(c, "")
	if err := w.Cancellations.Update(t.Context(), created.GiveUp("by hand", time.Now())); err != nil {
		t.Fatal(err)
	}
	work(t, c)
	if got := w.find(created.ID); got.Error != "by hand" || !c.Next().IsZero() {
		t.Errorf("%+v", got)
	}
}
