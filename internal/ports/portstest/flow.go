package portstest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// controlled is the flow control of a new function with those settings.
func controlled(t tb, settings function.Settings) *flow.Settings {
	t.Helper()
	compiled, faults := flow.Compile(function.Function{ID: uuid.New(), Settings: settings})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return compiled
}

func batching(t tb, maxSize int, timeout, key string) *flow.Settings {
	t.Helper()
	return controlled(t, function.Settings{Batch: &function.Batch{MaxSize: maxSize, Timeout: timeout, Key: key}})
}

func debouncing(t tb, period, timeout, key string) *flow.Settings {
	t.Helper()
	return controlled(t, function.Settings{Debounce: &function.Debounce{Period: period, Timeout: timeout, Key: key}})
}

func limited(t tb, limit int, period, key string) *flow.Settings {
	t.Helper()
	return controlled(t, function.Settings{RateLimit: &function.RateLimit{Limit: limit, Period: period, Key: key}})
}

func single(t tb, mode function.SingletonMode, key string) *flow.Settings {
	t.Helper()
	return controlled(t, function.Settings{Singleton: &function.Singleton{Mode: mode, Key: key}})
}

// asking is a run of the function, for the events, that asks flow control.
func asking(p Ports, settings *flow.Settings, from flow.Origin, events []event.Tracked, options ...func(*ports.NewRun)) ports.NewRun {
	values := settings.Evaluate(events[0].Event, from, p.Now())
	next := aRun(p, startedBy(events...), ofFunction(settings.Function), withKey(fmt.Sprintf("%s-%s", settings.Function, events[0].ID)))
	next.State.Lock = values.SingletonKey
	next.Request = &flow.Request{Settings: settings, Values: values, ID: next.State.ID, Event: events[0], Size: 100}
	for _, option := range options {
		option(&next)
	}
	return next
}

// asks is asking for one event that triggers the function.
func asks(p Ports, settings *flow.Settings, e event.Tracked, options ...func(*ports.NewRun)) ports.NewRun {
	return asking(p, settings, flow.FromEvent, []event.Tracked{e}, options...)
}

func whilePaused(next *ports.NewRun) { next.Paused = true }

func ofSize(bytes int) func(*ports.NewRun) {
	return func(next *ports.NewRun) { next.Request.Size = bytes }
}

// accepted puts an event into the log, to be settled.
func accepted(t tb, p Ports, options ...func(*event.Tracked)) event.Tracked {
	t.Helper()
	e := anEvent(p, options...)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{e}))
	return e
}

// route settles an event with one run and returns what became of it.
func route(t tb, p Ports, e event.Tracked, next ports.NewRun) ports.Scheduled {
	t.Helper()
	answer, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: e.InternalID, Runs: []ports.NewRun{next}})
	must(t, err)
	same(t, len(answer), 1)
	return answer[0]
}

// ask accepts an event and routes it to the function.
func ask(t tb, p Ports, settings *flow.Settings, options ...func(*event.Tracked)) (event.Tracked, ports.Scheduled) {
	t.Helper()
	e := accepted(t, p, options...)
	return e, route(t, p, e, asks(p, settings, e))
}

// becomes accepts an event, routes it to the function and fails the test unless that becomes of it.
func becomes(t tb, p Ports, settings *flow.Settings, want flow.Result, options ...func(*event.Tracked)) event.Tracked {
	t.Helper()
	e, answer := ask(t, p, settings, options...)
	if answer.Result != want {
		t.Fatalf("the event became %s, want %s", answer.Result, want)
	}
	return e
}

// takeHold takes a hold that must be due.
func takeHold(t tb, p Ports) ports.Hold {
	t.Helper()
	got := takeHoldSoon(t, p)
	if got == nil {
		t.Fatal("no hold is due")
	}
	return *got
}

// takeHoldSoon takes a hold if one is due.
func takeHoldSoon(t tb, p Ports) *ports.Hold {
	t.Helper()
	return soon(t, p, p.Holds.Take)
}

// noHold fails the test if a hold is due.
func noHold(t tb, p Ports) {
	t.Helper()
	if got := takeHoldSoon(t, p); got != nil {
		t.Fatalf("took %+v", *got)
	}
}

// noRun fails the test if the run is known.
func noRun(t *testing.T, p Ports, refused ports.NewRun) {
	t.Helper()
	_, err := p.Store.Load(t.Context(), refused.State.ID)
	is(t, err, ports.ErrNotFound)
	_, err = p.History.Run(t.Context(), refused.State.ID)
	is(t, err, ports.ErrNotFound)
}

// unsettled fails the test unless the event is still to be routed.
func unsettled(t *testing.T, p Ports, e event.Tracked) {
	t.Helper()
	taken := takeSoon(t, p, 100)
	if !slices.ContainsFunc(taken, func(one event.Tracked) bool { return one.InternalID == e.InternalID }) {
		t.Fatal("the event is settled")
	}
	for _, one := range taken {
		must(t, p.EventLog.Release(t.Context(), one.InternalID, p.Now()))
	}
}

// starting is what settles a hold with a run of the function.
func starting(p Ports, settings *flow.Settings, h ports.Hold, options ...func(*ports.NewRun)) ports.Schedule {
	from := flow.FromDebounce
	if h.Kind == ports.HoldBatch {
		from = flow.FromBatch
	}
	next := asking(p, settings, from, h.Events, options...)
	next.IdempotencyKey = h.ID.String()
	if h.Kind == ports.HoldBatch {
		next.Batch = h.ID
	}
	return ports.Schedule{Hold: h.HoldRef, Runs: []ports.NewRun{next}}
}

// endRun ends a run without a job in hand, as a cancel does.
func endRun(t tb, p Ports, state run.State) {
	t.Helper()
	_, err := p.Store.Commit(t.Context(), ports.Commit{State: state, Transition: ending(p)})
	must(t, err)
}
