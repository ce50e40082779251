package sim

import (
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// parity is the key of limits by key: whether the number of the event is even.
const parity = "int(event.data.n) % 2"

// limitedPrograms are functions with limits. What must hold, through crashes as well:
//
//   - the app has no more calls of a function, and of a key, in hand than the limit says, those of ended runs aside;
//   - no more runs of a function are between their first call and their end than its limit of runs says;
//   - a throttled function never has more runs started than its bucket had tokens for.
//
// That nobody waits for room forever is seen at the end, when all runs have to have ended.
func limitedPrograms() []program {
	steps := func(limits ...function.StepLimit) function.Settings {
		return function.Settings{Concurrency: &function.Concurrency{Step: limits}}
	}
	urgency := "int(event.data.n) % 3 == 0 ? 120 : int(event.data.n) % 3 == 1 ? -30 : 0"
	urgent := steps(function.StepLimit{Limit: 1})
	urgent.Priority = &function.Priority{Run: &urgency}
	return []program{
		{name: "narrow", stages: [][]item{{{id: "p1"}, {id: "p2"}, {id: "p3"}}, {{id: "nap", sleep: "5s"}}, {{id: "z"}}}, settings: steps(function.StepLimit{Limit: 2})},
		{
			name: "keyed", stages: [][]item{{{id: "a"}}, {{id: "p1"}, {id: "p2"}}, {wait("w", "wake", "1h")}},
			settings: steps(function.StepLimit{Limit: 1, Key: parity}, function.StepLimit{Limit: 2}),
		},
		{name: "urgent", stages: [][]item{{{id: "a"}}, {{id: "b"}}}, settings: urgent},
		{
			name: "throttled", stages: [][]item{{{id: "a"}}, {{id: "b"}}},
			settings: function.Settings{Throttle: &function.Throttle{Limit: 2, Burst: 1, Period: function.Duration(time.Minute)}},
		},
		{
			name: "lone", stages: [][]item{{{id: "a"}}, {{id: "nap", sleep: "1h"}}, {{id: "b"}}},
			settings: function.Settings{Concurrency: &function.Concurrency{Run: []function.RunLimit{{Limit: 1}}}},
		},
	}
}

// limiter tells the queue what functions are limited by, as the server does.
type limiter struct {
	w         *World
	functions *registry.Registry
}

// Changed implements registry.Observer.
func (l limiter) Changed(put []function.Function, gone []uuid.UUID) {
	if l.w.untold != nil && l.w.untold() {
		return
	}
	for _, fn := range put {
		l.w.backend.Queue().Limit(fn.ID, l.functions.Flow(fn.ID))
	}
	for _, id := range gone {
		l.w.backend.Queue().Limit(id, nil)
	}
}

// calling is a call that the app has in hand.
type calling struct {
	program string
	run     ulid.ULID
	key     int
}

// inHand notes a call until the function that it returns is called, and checks that the function's limits allow it.
func (a *app) inHand(p program, id ulid.ULID, body callBody) (done func()) {
	call := &calling{program: p.name, run: id, key: body.Event.Data.N % 2}
	a.calls = append(a.calls, call)
	if p.settings.Concurrency != nil {
		a.countCalls(call, p.settings.Concurrency.Step)
		a.countRuns(call, p.settings.Concurrency.Run)
	}
	return func() { a.calls = slices.DeleteFunc(a.calls, func(other *calling) bool { return other == call }) }
}

func (a *app) countCalls(call *calling, limits []function.StepLimit) {
	for _, limit := range limits {
		count := 0
		for _, other := range a.calls {
			if other.program == call.program && (limit.Key == "" || other.key == call.key) && a.w.inProgress(other.run) {
				count++
			}
		}
		if count > limit.Limit {
			a.w.check.violated("%d calls of %s at once, above the limit of %d by key %q", count, call.program, limit.Limit, limit.Key)
		}
	}
}

func (a *app) countRuns(call *calling, limits []function.RunLimit) {
	if !a.w.inProgress(call.run) {
		return // it was cancelled while the call was on its way
	}
	begun := slices.DeleteFunc(a.begun[call.program], func(id ulid.ULID) bool { return id == call.run || !a.w.inProgress(id) })
	begun = append(begun, call.run)
	a.begun[call.program] = begun
	for _, limit := range limits {
		if len(begun) > limit.Limit {
			a.w.check.violated("%d runs of %s at once, above the limit of %d", len(begun), call.program, limit.Limit)
		}
	}
}

func (w *World) inProgress(id ulid.ULID) bool { return w.record(id).EndedAt.IsZero() }

// handedOut checks that a start which is handed out the first time has its throttle's token: from any earlier one on, no more
// started than the bucket holds and was filled with meanwhile.
func (w *World) handedOut(l ports.Lease) {
	if l.Job.Kind != run.KindStart || l.Generation > 1 {
		return
	}
	all := w.app.functions()
	at := slices.IndexFunc(all, func(fn function.Function) bool { return fn.ID == l.Job.FunctionID })
	if at < 0 || all[at].Settings.Throttle == nil {
		return
	}
	name, throttle := all[at].Name, all[at].Settings.Throttle
	w.app.starts[name] = append(w.app.starts[name], w.clock.now)
	starts := w.app.starts[name]
	emission := time.Duration(throttle.Period) / time.Duration(throttle.Limit)
	for i, from := range starts {
		span := w.clock.now.Sub(from)
		if count, most := len(starts)-i, throttle.Limit+throttle.Burst+int(span/emission); count > most {
			w.check.violated("%d starts of %s within %s, above the limit of %d", count, name, span, most)
			return
		}
	}
}

// burst is how many events for a program are sent at once: some more when it has limits, so that they are in each other's way.
func (p program) burst() int {
	if p.settings.Concurrency == nil && p.settings.Throttle == nil {
		return 1
	}
	return 4
}
