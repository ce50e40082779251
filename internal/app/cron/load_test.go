package cron

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/ports"
)

// places are the schedules that have a place, by function and text.
func (w *world) places() []string {
	w.t.Helper()
	ticks, err := w.backend.Ticks(w.t.Context(), uuid.Nil)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, tick := range ticks {
		all = append(all, tick.FunctionID.String()+" "+tick.Expression+" "+tick.At.Format(time.TimeOnly))
	}
	return sorted(all)
}

// TestLoad_BeginsAndEndsSchedules: another server has changed the functions.
func TestLoad_BeginsAndEndsSchedules(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		one, two := timedBy("one", "1 * * * *", "2 * * * *"), timedBy("two", "3 * * * *")
		w.sync(one, two)
		orphan, strange := uuid.New(), ports.Tick{FunctionID: one.ID, Expression: "9 * * * *", At: w.clock.Now()}
		changes := []ports.Tick{
			{FunctionID: orphan, Expression: "* * * * *", At: w.clock.Now()}, strange,
			{FunctionID: one.ID, Expression: "2 * * * *", Previous: w.clock.Now()},
		}
		if _, err := w.backend.Schedule(t.Context(), ports.Schedule{Ticks: changes}); err != nil {
			t.Fatal(err)
		}
		pass(30 * time.Second)
		s := w.scheduler()
		want := sorted([]string{one.ID.String() + " 1 * * * * 00:00:00", one.ID.String() + " 2 * * * * 00:00:30", two.ID.String() + " 3 * * * * 00:00:00"})
		if diff := cmp.Diff(want, w.places()); diff != "" {
			t.Errorf("places -want +got:\n%s", diff)
		}
		if next := s.Next(); next.Format(time.TimeOnly) != "00:01:00" {
			t.Errorf("next at %v", next)
		}
		before := w.store.calls
		w.scheduler()
		if w.store.calls != before {
			t.Error("a second start writes again")
		}
	})
}

func TestLoad_BeginsAgainOnAConflict(t *testing.T) {
	t.Parallel()
	for name, conflicts := range map[string]int{"once": 1, "for ever": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				fn := timedBy("fn", "* * * * *")
				w.sync(fn)
				if _, err := w.backend.Schedule(t.Context(), ports.Schedule{Ticks: []ports.Tick{{FunctionID: fn.ID, Expression: "* * * * *", Previous: w.clock.Now()}}}); err != nil {
					t.Fatal(err)
				}
				w.store.spoil = func(call int, _ ports.Schedule, next func() ([]ports.Scheduled, error)) ([]ports.Scheduled, error) {
					if call <= conflicts {
						return nil, ports.ErrConflict
					}
					return next()
				}
				s := New(w.deps)
				s.Changed(w.registry.Functions(), nil)
				err := s.Load(t.Context())
				if conflicts == 1 && err != nil || conflicts > 1 && !errors.Is(err, ports.ErrConflict) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

func TestLoad_SaysThatTheCatalogFails(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.catalog.spoil = func(int, func() ([]ports.Tick, error)) ([]ports.Tick, error) { return nil, ports.ErrUnavailable }
		if err := New(w.deps).Load(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	})
}
