package portstest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// TestTicks is the contract of where schedules are: ports.Catalog's Ticks and what Sync makes of them, and the Ticks of
// ports.Schedule.
func TestTicks(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"begin when they are registered":                      ticksBegin,
		"of a function and of all":                            ticksOf,
		"that stay are left where they are":                   ticksStay,
		"that are gone are forgotten":                         ticksGone,
		"are forgotten with their app":                        ticksOfRemovedApps,
		"are forgotten with a placeholder":                    ticksOfPlaceholders,
		"follow triggers all or nothing":                      ticksSyncCut,
		"of Schedule/fire a run and an event":                 ticksFire,
		"of Schedule/move from where the schedule is":         ticksConflict,
		"of Schedule/fire once":                               ticksAtOnce,
		"of Schedule/of a removed schedule do not fire":       ticksRemoved,
		"of Schedule/begin and end schedules":                 ticksBeginAndEnd,
		"of Schedule/move back":                               ticksBack,
		"of Schedule/settle nothing when they are refused":    ticksSettle,
		"of Schedule/are moved with the rest or not at all":   ticksCut,
		"with an ended context are neither read nor moved":    ticksEnded,
		"of Schedule/keep every character and every instant":  ticksValues,
		"of Schedule/move beside each other in one operation": ticksSeveral,
	})
}

// onSchedule is a function with those schedules.
func onSchedule(app function.App, name string, schedules ...string) function.Function {
	f := aFunctionOf(app, name)
	f.Triggers = nil
	for _, expression := range schedules {
		f.Triggers = append(f.Triggers, function.Trigger{Cron: expression})
	}
	f.Config = function.Encode(f)
	return f
}

// ticks are where the schedules of a function are, or those of all, in the order of their text.
func ticks(t tb, p Ports, function uuid.UUID) []ports.Tick {
	t.Helper()
	found, err := p.Catalog.Ticks(t.Context(), function)
	must(t, err)
	slices.SortFunc(found, func(a, b ports.Tick) int {
		return strings.Compare(a.Expression+a.FunctionID.String(), b.Expression+b.FunctionID.String())
	})
	return found
}

// moved is a tick that moves a schedule on by a duration.
func moved(tick ports.Tick, by time.Duration) ports.Tick {
	tick.Previous, tick.At = tick.At, tick.At.Add(by)
	return tick
}

// stands is the tick as Ticks returns it once it has moved its schedule.
func stands(tick ports.Tick) ports.Tick {
	tick.Previous = time.Time{}
	return tick
}

func move(t tb, p Ports, ticks ...ports.Tick) error {
	t.Helper()
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Ticks: ticks})
	return err
}

// registered is an app with a function on the schedules.
func registered(t *testing.T, p Ports, schedules ...string) (function.App, function.Function) {
	t.Helper()
	app := anApp("acme")
	f := onSchedule(app, "timed", schedules...)
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{f}})
	return app, f
}

func ticksBegin(t *testing.T, p Ports) {
	same(t, ticks(t, p, uuid.Nil), []ports.Tick(nil))
	_, f := registered(t, p, "* * * * *", "0 9 * * *", "* * * * *")
	want := []ports.Tick{
		{FunctionID: f.ID, Expression: "* * * * *", At: p.Now().UTC()}, {FunctionID: f.ID, Expression: "0 9 * * *", At: p.Now().UTC()},
	}
	same(t, ticks(t, p, f.ID), want)
	p.Pass(time.Minute)
	same(t, ticks(t, p, f.ID), want)
	same(t, ticks(t, restarted(p), f.ID), want)
}

func ticksOf(t *testing.T, p Ports) {
	app := anApp("acme")
	one, two, none := onSchedule(app, "one", "1 * * * *"), onSchedule(app, "two", "2 * * * *"), onSchedule(app, "none")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one, two, none}})
	first, second := ports.Tick{FunctionID: one.ID, Expression: "1 * * * *", At: p.Now().UTC()}, ports.Tick{FunctionID: two.ID, Expression: "2 * * * *", At: p.Now().UTC()}
	same(t, ticks(t, p, uuid.Nil), []ports.Tick{first, second})
	same(t, ticks(t, p, two.ID), []ports.Tick{second})
	same(t, ticks(t, p, none.ID), []ports.Tick(nil))
	same(t, ticks(t, p, uuid.New()), []ports.Tick(nil))
}

func ticksStay(t *testing.T, p Ports) {
	app, f := registered(t, p, "0 * * * *", "1 * * * *")
	stays := moved(ticks(t, p, f.ID)[0], time.Hour)
	must(t, move(t, p, stays))
	p.Pass(time.Second)
	f = onSchedule(app, "timed", "2 * * * *", "0 * * * *")
	f.Version++
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{f}})
	want := []ports.Tick{stands(stays), {FunctionID: f.ID, Expression: "2 * * * *", At: p.Now().UTC()}}
	same(t, ticks(t, p, uuid.Nil), want)
	same(t, ticks(t, restarted(p), uuid.Nil), want)
}

func ticksGone(t *testing.T, p Ports) {
	app, f := registered(t, p, "0 * * * *")
	other := onSchedule(app, "other", "0 * * * *")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{other}})
	p.Pass(time.Minute)
	// Its trigger goes and comes back.
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{onSchedule(app, "timed")}})
	same(t, ticks(t, p, f.ID), []ports.Tick(nil))
	same(t, len(ticks(t, p, other.ID)), 1)
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{f}})
	same(t, ticks(t, p, f.ID), []ports.Tick{{FunctionID: f.ID, Expression: "0 * * * *", At: p.Now().UTC()}})
	// The function goes and comes back.
	p.Pass(time.Minute)
	syncPlan(t, p, function.SyncPlan{App: app, Archive: []uuid.UUID{f.ID}})
	same(t, ticks(t, p, f.ID), []ports.Tick(nil))
	same(t, len(ticks(t, p, other.ID)), 1)
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{f}})
	same(t, ticks(t, p, f.ID), []ports.Tick{{FunctionID: f.ID, Expression: "0 * * * *", At: p.Now().UTC()}})
}

func ticksOfRemovedApps(t *testing.T, p Ports) {
	app, f := registered(t, p, "0 * * * *")
	other := anApp("other")
	its := onSchedule(other, "timed", "0 * * * *")
	syncPlan(t, p, function.SyncPlan{App: other, Put: []function.Function{its}})
	must(t, p.Catalog.RemoveApp(t.Context(), app.ID))
	same(t, ticks(t, p, f.ID), []ports.Tick(nil))
	same(t, len(ticks(t, p, uuid.Nil)), 1)
}

func ticksOfPlaceholders(t *testing.T, p Ports) {
	app, f := registered(t, p, "0 * * * *")
	syncPlan(t, p, function.SyncPlan{App: anApp("other"), DropPlaceholders: []uuid.UUID{app.ID}})
	same(t, ticks(t, p, f.ID), []ports.Tick(nil))
}

func ticksSyncCut(t *testing.T, p Ports) {
	app, f := registered(t, p, "0 * * * *", "1 * * * *")
	gone := onSchedule(app, "gone", "0 * * * *")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{gone}})
	before := ticks(t, p, uuid.Nil)
	p.Pass(time.Second)
	cut(t, p, func() error {
		return p.Catalog.Sync(t.Context(), function.SyncPlan{App: app, Archive: []uuid.UUID{gone.ID}, Put: []function.Function{onSchedule(app, "timed", "1 * * * *", "2 * * * *")}})
	}, func(t *testing.T) { same(t, ticks(t, p, uuid.Nil), before) })
	if p.FailWrite != nil {
		same(t, len(ticks(t, p, f.ID)), 2)
	}
}

// firing is what the scheduler commits for a tick.
func firing(p Ports, tick ports.Tick) ports.Schedule {
	timer := anEvent(p, named(event.ScheduledTimer), func(e *event.Tracked) { e.ID = "2026-08-21T00:05:00Z" })
	next := aRun(p, startedBy(timer), ofFunction(tick.FunctionID), withKey("key "+tick.At.String()))
	next.Cron = tick.Expression
	return ports.Schedule{Runs: []ports.NewRun{next}, Publish: []event.Tracked{timer}, Ticks: []ports.Tick{tick}}
}

func ticksFire(t *testing.T, p Ports) {
	_, f := registered(t, p, "0 * * * *")
	tick := moved(ticks(t, p, f.ID)[0], time.Hour)
	fired := firing(p, tick)
	answer, err := p.Store.Schedule(t.Context(), fired)
	must(t, err)
	same(t, answer, []ports.Scheduled{{RunID: fired.Runs[0].State.ID}})
	record, err := p.History.Run(t.Context(), fired.Runs[0].State.ID)
	must(t, err)
	same(t, []any{record.Cron, record.EventID}, []any{"0 * * * *", fired.Publish[0].InternalID})
	same(t, takeSoon(t, p, 10), fired.Publish)
	same(t, lease(t, p).Job.FunctionID, f.ID)
	p = restarted(p)
	same(t, ticks(t, p, f.ID), []ports.Tick{stands(tick)})
	origin, err := p.History.Origin(t.Context(), fired.Runs[0].State.ID)
	must(t, err)
	same(t, origin.Events, fired.Publish)
}

// nothingFired fails the test if something was made of a schedule that was refused.
func nothingFired(t *testing.T, p Ports, refused ports.Schedule) {
	t.Helper()
	_, err := p.Store.Load(t.Context(), refused.Runs[0].State.ID)
	is(t, err, ports.ErrNotFound)
	_, err = p.History.Event(t.Context(), refused.Publish[0].InternalID)
	is(t, err, ports.ErrNotFound)
}

func ticksConflict(t *testing.T, p Ports) {
	_, f := registered(t, p, "0 * * * *")
	first := moved(ticks(t, p, f.ID)[0], time.Hour)
	must(t, move(t, p, first))
	for name, stale := range map[string]ports.Tick{
		"again":           first,
		"from nowhere":    {FunctionID: f.ID, Expression: "0 * * * *", At: first.At.Add(time.Hour)},
		"from elsewhere":  {FunctionID: f.ID, Expression: "0 * * * *", At: first.At.Add(time.Hour), Previous: first.At.Add(time.Nanosecond)},
		"of a stranger":   {FunctionID: uuid.New(), Expression: "0 * * * *", At: first.At.Add(time.Hour), Previous: first.At},
		"of another text": {FunctionID: f.ID, Expression: "1 * * * *", At: first.At.Add(time.Hour), Previous: first.At},
		"to forget it":    {FunctionID: f.ID, Expression: "0 * * * *", Previous: first.Previous},
	} {
		refused := firing(p, stale)
		if _, err := p.Store.Schedule(t.Context(), refused); err == nil {
			t.Fatalf("%s: fired", name)
		} else {
			is(t, err, ports.ErrConflict)
		}
		nothingFired(t, p, refused)
	}
	same(t, ticks(t, p, f.ID), []ports.Tick{stands(first)})
}

func ticksAtOnce(t *testing.T, p Ports) {
	_, f := registered(t, p, "0 * * * *")
	tick := moved(ticks(t, p, f.ID)[0], time.Hour)
	won := atOnce(t, 8, func(int) error {
		_, err := p.Store.Schedule(t.Context(), firing(p, tick))
		return err
	}, ports.ErrConflict)
	same(t, won, 1)
	same(t, len(takeSoon(t, p, 10)), 1)
}

func ticksRemoved(t *testing.T, p Ports) {
	app, f := registered(t, p, "0 * * * *", "1 * * * *")
	tick := moved(ticks(t, p, f.ID)[0], time.Hour)
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{onSchedule(app, "timed", "1 * * * *")}})
	refused := firing(p, tick)
	_, err := p.Store.Schedule(t.Context(), refused)
	is(t, err, ports.ErrConflict)
	nothingFired(t, p, refused)
	same(t, len(ticks(t, p, f.ID)), 1)
}

func ticksBeginAndEnd(t *testing.T, p Ports) {
	tick := ports.Tick{FunctionID: uuid.New(), Expression: "0 * * * *", At: p.Now().UTC()}
	must(t, move(t, p, tick))
	is(t, move(t, p, tick), ports.ErrConflict)
	same(t, ticks(t, p, uuid.Nil), []ports.Tick{tick})
	must(t, move(t, p, ports.Tick{FunctionID: tick.FunctionID, Expression: tick.Expression, Previous: tick.At}))
	same(t, ticks(t, p, uuid.Nil), []ports.Tick(nil))
	must(t, move(t, p, ports.Tick{FunctionID: tick.FunctionID, Expression: tick.Expression})) // what is not there is forgotten already
	same(t, ticks(t, restarted(p), uuid.Nil), []ports.Tick(nil))
}

func ticksBack(t *testing.T, p Ports) {
	_, f := registered(t, p, "0 * * * *")
	back := moved(ticks(t, p, f.ID)[0], -time.Hour)
	must(t, move(t, p, back))
	same(t, ticks(t, p, f.ID), []ports.Tick{stands(back)})
}

func ticksSettle(t *testing.T, p Ports) {
	tracked := anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	tick := ports.Tick{FunctionID: uuid.New(), Expression: "0 * * * *", At: p.Now().UTC()}
	stale := tick
	stale.Previous = tick.At
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: tracked.InternalID, Ticks: []ports.Tick{stale}})
	is(t, err, ports.ErrConflict)
	_, err = p.Store.Schedule(t.Context(), ports.Schedule{Event: tracked.InternalID, Ticks: []ports.Tick{tick}})
	must(t, err)
	other := ports.Tick{FunctionID: uuid.New(), Expression: "0 * * * *", At: p.Now().UTC()}
	_, err = p.Store.Schedule(t.Context(), ports.Schedule{Event: tracked.InternalID, Ticks: []ports.Tick{other}})
	is(t, err, ports.ErrConflict)
	same(t, ticks(t, p, uuid.Nil), []ports.Tick{tick})
}

func ticksCut(t *testing.T, p Ports) {
	_, f := registered(t, p, "0 * * * *")
	before := ticks(t, p, f.ID)
	fired := firing(p, moved(before[0], time.Hour))
	cut(t, p, func() error {
		_, err := p.Store.Schedule(t.Context(), fired)
		return err
	}, func(t *testing.T) {
		same(t, ticks(t, p, f.ID), before)
		nothingFired(t, p, fired)
	})
}

func ticksEnded(t *testing.T, p Ports) {
	_, f := registered(t, p, "0 * * * *")
	before := ticks(t, p, f.ID)
	if _, err := p.Catalog.Ticks(ended(t), uuid.Nil); err == nil {
		t.Fatal("read")
	}
	if _, err := p.Store.Schedule(ended(t), ports.Schedule{Ticks: []ports.Tick{moved(before[0], time.Hour)}}); err == nil {
		t.Fatal("moved")
	}
	same(t, ticks(t, p, f.ID), before)
}

func ticksValues(t *testing.T, p Ports) {
	id := uuid.New()
	want := []ports.Tick{
		{FunctionID: id, Expression: "\t* * * * *", At: time.Unix(1_787_270_700, 1).UTC()},
		{FunctionID: id, Expression: "TZ=Europe/Paris 0 9 * * *", At: time.Unix(1_787_270_700, 999_999_999).UTC()},
		{FunctionID: id, Expression: "täglich \x00'\"", At: time.Unix(1, 0).UTC()},
	}
	must(t, move(t, p, want...))
	p = restarted(p)
	same(t, ticks(t, p, id), want)
	for _, tick := range want {
		must(t, move(t, p, moved(tick, time.Minute)))
	}
}

func ticksSeveral(t *testing.T, p Ports) {
	_, f := registered(t, p, "0 * * * *", "1 * * * *")
	both := ticks(t, p, f.ID)
	one, two := moved(both[0], time.Hour), moved(both[1], 2*time.Hour)
	stale := two
	stale.Previous = one.At
	is(t, move(t, p, one, stale), ports.ErrConflict)
	same(t, ticks(t, p, f.ID), both)
	must(t, move(t, p, one, two))
	same(t, ticks(t, p, f.ID), []ports.Tick{stands(one), stands(two)})
}
