package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/cron"
	"github.com/ingothq/ingot/internal/app/ingest"
	domaincron "github.com/ingothq/ingot/internal/domain/cron"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	domainids "github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
)

// day is a day of the scheduler with a thousand schedules, on a store that fails and a process that dies.
type day struct {
	ports.Store
	t         *testing.T
	rng       *rand.Rand
	clock     *clock
	backend   *mem.Backend
	functions []function.Function
	scheduler *cron.Scheduler
	// crashIn counts the commits down to the one that the process dies at, negative for none; crashAfter says that it dies
	// after it.
	crashIn    int
	crashAfter bool
	// fired are the ticks in their order, by schedule.
	fired map[string][]time.Time
}

// died unwinds a process that has died.
type died struct{}

func newDay(t *testing.T, seed uint64) *day {
	t.Helper()
	d := &day{t: t, rng: rand.New(rand.NewPCG(seed, 0xda7)), clock: &clock{now: began}, crashIn: -1, fired: map[string][]time.Time{}}
	d.backend = mem.New(d.clock)
	d.Store = d.backend
	for n := range 250 {
		fn := function.Function{ID: domainids.FunctionID(fmt.Sprint(n), "uri"), Version: 1, Name: fmt.Sprint(n), Slug: fmt.Sprint("sim-", n)}
		for _, expression := range []string{
			fmt.Sprintf("%d * * * *", n%60), fmt.Sprintf("TZ=Europe/Paris %d %d * * *", n%60, n%24), fmt.Sprintf("%d-59/15 * * * *", n%15),
			fmt.Sprintf("%d,%d */2 * * *", n%60, (n+7)%60),
		} {
			fn.Triggers = append(fn.Triggers, function.Trigger{Cron: expression, Jitter: "30s"})
		}
		d.functions = append(d.functions, fn)
	}
	if err := d.backend.Sync(t.Context(), function.SyncPlan{App: function.App{ID: domainids.AppID("sim"), Name: "sim"}, Put: d.functions}); err != nil {
		t.Fatal(err)
	}
	return d
}

// boot starts the process.
func (d *day) boot() {
	d.t.Helper()
	d.scheduler = cron.New(cron.Deps{
		Store: d, Catalog: d.backend, Functions: d, Tracker: ingest.New(nil, d.clock, d), Clock: d.clock, IDs: d, Log: slog.New(slog.DiscardHandler), AtOnce: 1,
	})
	d.scheduler.Changed(d.functions, nil)
	if err := d.scheduler.Load(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// Schedule commits a tick, and notes it. It fails once in a while, before or after the commit.
func (d *day) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	if d.rng.IntN(200) == 0 {
		return nil, errFault
	}
	d.crashIn--
	if d.crashIn == 0 && !d.crashAfter {
		panic(died{})
	}
	if _, err := d.Store.Schedule(ctx, ports.Schedule{Ticks: s.Ticks}); err != nil {
		return nil, err
	}
	if len(s.Runs) != 1 || len(s.Publish) != 1 || s.Runs[0].State.Events[0].InternalID != s.Publish[0].InternalID {
		d.t.Errorf("a tick comes to %+v", s)
	}
	tick := s.Ticks[0]
	d.fired[key(tick.FunctionID, tick.Expression)] = append(d.fired[key(tick.FunctionID, tick.Expression)], tick.At)
	if d.crashIn == 0 {
		panic(died{})
	}
	if d.rng.IntN(200) == 0 {
		return nil, errFault
	}
	return make([]ports.Scheduled, 1), nil
}

func key(function uuid.UUID, expression string) string { return function.String() + " " + expression }

// Standing implements cron.Functions.
func (*day) Flow(uuid.UUID) *flow.Settings { return nil }

func (d *day) Standing(uuid.UUID) run.Standing { return run.Standing{} }

// Template implements cron.Functions.
func (d *day) Template(string) *expr.Template { return nil }

// ULID implements ports.IDs.
func (d *day) ULID(at time.Time) ulid.ULID {
	id := ulid.ULID{14: byte(d.rng.Uint32()), 15: byte(d.rng.Uint32())}
	_ = id.SetTime(ulid.Timestamp(at))
	return id
}

// minute lets the scheduler work for a minute; false when the process has died meanwhile.
func (d *day) minute(until time.Time) (alive bool) {
	defer func() {
		if reason := recover(); reason != nil {
			if _, ok := reason.(died); !ok {
				panic(reason)
			}
		}
	}()
	for next := d.scheduler.Next(); !next.IsZero() && next.Before(until); next = d.scheduler.Next() {
		if next.After(d.clock.now) {
			d.clock.now = next
		}
		if err := d.scheduler.Fire(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
	}
	return true
}

// TestDay_NoTickIsLostOrDoubled: 24 hours of virtual time, 1,000 schedules, 50 crashes at and between commits, after some of which
// the server stays down for a while. Each tick is fired once; of those that a schedule has missed the latest.
func TestDay_NoTickIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	const minutes, crashes = 24 * 60, 50
	d := newDay(t, 24)
	schedules := map[string]domaincron.Schedule{}
	for _, fn := range d.functions {
		for _, expression := range fn.Schedules() {
			schedule, err := domaincron.Parse(expression, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			schedules[key(fn.ID, expression)] = schedule
		}
	}
	if len(schedules) != 1000 {
		t.Fatalf("%d schedules", len(schedules))
	}
	d.boot()
	due, missed, died := 0, 0, 0
	want := map[string][]time.Time{}
	pending := map[string]time.Time{} // the latest tick of a schedule that nobody has fired yet
	for minute := range minutes {
		at := began.Add(time.Duration(minute) * time.Minute)
		for name, schedule := range schedules {
			if minute > 0 && schedule.Next(at.Add(-time.Minute)).Equal(at) {
				if due++; !pending[name].IsZero() {
					missed++
				}
				pending[name] = at
			}
		}
		if d.scheduler == nil && d.rng.IntN(10) > 0 {
			continue // still down
		}
		d.clock.now = at
		if d.scheduler == nil {
			d.boot()
		}
		d.crashIn, d.crashAfter = -1, d.rng.IntN(2) == 0
		if died < crashes && d.rng.IntN(minutes/crashes/2) == 0 {
			d.crashIn = 1 + d.rng.IntN(20)
		}
		for !d.minute(at.Add(time.Minute)) || d.crashIn > 0 {
			died++
			d.scheduler, d.crashIn = nil, -1
			if d.rng.IntN(2) == 0 {
				break // down for longer
			}
			d.boot()
		}
		for name, tick := range pending {
			fired := d.fired[name]
			if n := len(fired); n > 0 && fired[n-1].Equal(tick) {
				want[name] = append(want[name], tick)
				delete(pending, name)
			} else if d.scheduler != nil {
				t.Fatalf("%s: %s has not fired its tick of %s; fired %v", at.Format(time.TimeOnly), name, tick.Format(time.TimeOnly), fired)
			}
		}
	}
	total := 0
	for name := range schedules {
		total += len(d.fired[name])
		if len(d.fired[name]) != len(want[name]) {
			t.Errorf("%s fired %v, want %v", name, d.fired[name], want[name])
		}
	}
	if died != crashes || total != due-missed-len(pending) {
		t.Errorf("%d crashes, %d ticks, %d missed, %d pending, %d fired", died, due, missed, len(pending), total)
	}
	t.Logf("%d ticks, of which %d were missed while the server was down; %d crashes", due, missed, died)
}
