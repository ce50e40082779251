package cron

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

// stub is a store and a catalog that cost nothing.
type stub struct {
	ports.Store
	ports.Catalog
	testkit.Clock
	ticks []ports.Tick
	now   time.Time
}

func (s *stub) Schedule(_ context.Context, decision ports.Schedule) ([]ports.Scheduled, error) {
	return make([]ports.Scheduled, len(decision.Runs)), nil
}

func (s *stub) Ticks(context.Context, uuid.UUID) ([]ports.Tick, error) { return s.ticks, nil }

func (s *stub) Now() time.Time { return s.now }

func (s *stub) Standing(uuid.UUID) run.Standing { return run.Standing{} }

func (s *stub) Flow(uuid.UUID) *flow.Settings { return nil }

func (s *stub) Template(string) *expr.Template { return nil }

// hourly is a scheduler with n schedules, of which one in sixty ticks in each minute, or all of them when busy.
func hourly(tb testing.TB, n int, busy bool) (*Scheduler, *stub) {
	tb.Helper()
	backend := &stub{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s := New(Deps{
		Store: backend, Catalog: backend, Functions: backend, Tracker: ingest.New(nil, backend, testkit.IDs{}), Clock: backend, IDs: testkit.IDs{},
		Log: slog.New(slog.DiscardHandler), AtOnce: 1,
	})
	functions := make([]function.Function, n)
	for i := range functions {
		expression := fmt.Sprintf("%d * * * *", i%60)
		if busy {
			expression = "* * * * *"
		}
		functions[i] = timedBy(fmt.Sprint("fn-", i), expression)
		backend.ticks = append(backend.ticks, ports.Tick{FunctionID: functions[i].ID, Expression: expression, At: backend.now})
	}
	s.Changed(functions, nil)
	if err := s.Load(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s, backend
}

// minute fires the ticks of the next minute and returns how many there were.
func minute(tb testing.TB, s *Scheduler, backend *stub) int {
	tb.Helper()
	backend.now = backend.now.Add(time.Minute)
	for n := 0; ; n++ {
		if s.Next().After(backend.now) {
			return n
		}
		if err := s.Fire(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkMinute fires the ticks of a minute, on a store that costs nothing. The cost of a tick hardly grows with the
// schedules that there are; those that do not tick cost nothing.
func BenchmarkMinute(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
		busy bool
	}{
		{"of=10000/due=all", 10_000, true},
		{"of=1000/due=1in60", 1_000, false},
		{"of=10000/due=1in60", 10_000, false},
		{"of=100000/due=1in60", 100_000, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, backend := hourly(b, c.n, c.busy)
			b.ReportAllocs()
			fired := 0
			for b.Loop() {
				fired += minute(b, s, backend)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(fired), "ns/tick")
			b.ReportMetric(float64(fired)/float64(b.N), "ticks/op")
		})
	}
}

// TestMinute_CostsWhatIsDue: a tick is the same work among sixty schedules and among six thousand.
func TestMinute_CostsWhatIsDue(t *testing.T) { //nolint:paralleltest // allocations can only be counted alone
	work := map[int]float64{}
	for _, n := range []int{60, 6_000} {
		s, backend := hourly(t, n, false)
		minute(t, s, backend)
		work[n] = testing.AllocsPerRun(30, func() {
			if fired := minute(t, s, backend); fired != n/60 {
				t.Errorf("%d ticks", fired)
			}
		}) / float64(n/60)
	}
	if work[6_000] > 1.2*work[60] {
		t.Errorf("%v allocations a tick among 60 schedules, %v among 6,000", work[60], work[6_000])
	}
}
