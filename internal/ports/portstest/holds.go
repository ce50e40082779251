package portstest

import (
	"errors"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// TestHolds is the contract of ports.Holds, and of how Store.Schedule puts events into holds and settles them.
func TestHolds(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Batch/is due when it is full":                         batchFills,
		"Batch/is due at its deadline":                         batchDeadline,
		"Batch/is full by its bytes":                           batchBytes,
		"Batch/is full for a function that allows less":        batchShrinks,
		"Batch/takes nothing more when its time has come":      batchOverdue,
		"Batch/of each function and key is one":                batchKeys,
		"Batch/gets each event once, by callers at once":       batchAtOnce,
		"Debounce/is due when its key has been quiet":          debounceQuiet,
		"Debounce/is due at its timeout":                       debounceTimeout,
		"Debounce/keeps the latest event by its own time":      debounceOlder,
		"Debounce/of each function and key is one":             debounceKeys,
		"Debounce/that is due takes another event":             debounceJoins,
		"Debounce/of an event that is published with it":       debouncePublished,
		"Debounce/wants an answer for who waits":               debounceAwaited,
		"Debounce/answers who waits or changes nothing":        debounceAnswerCut,
		"Take/waits until a hold is due":                       takeHoldWaits,
		"Take/wakes up for a hold that fills up":               takeHoldWakes,
		"Take/returns what is due earliest":                    takeHoldOrder,
		"Take/gives a hold to one caller":                      takeHoldOnce,
		"Take/with an ended context takes nothing":             takeHoldEnded,
		"Take/hands out again after a restart":                 takeHoldRestart,
		"Release/hands out again, not before its time":         releaseHold,
		"Release/of what is not in hand is ErrNotFound":        releaseHoldRefused,
		"Park/takes the hold out for good":                     parkHold,
		"Park/of what is not in hand is ErrNotFound":           parkHoldRefused,
		"Park/is all or nothing":                               parkHoldCut,
		"Schedule/settles a batch with a run of all events":    settleBatch,
		"Schedule/settles a debounce with a run":               settleDebounce,
		"Schedule/settles a hold without a run":                settleWithout,
		"Schedule/settles a hold once":                         settleAtOnce,
		"Schedule/of another revision is ErrConflict":          settleStale,
		"Schedule/that a lock refuses leaves the hold in hand": settleLocked,
		"Schedule/puts events in or not at all":                holdCut,
		"Schedule/settles a hold or not at all":                settleCut,
	})
}

// intoHold puts events of the function into holds.
func intoHold(t tb, p Ports, settings *flow.Settings, count int) []event.Tracked {
	t.Helper()
	want := flow.IntoBatch
	if settings.Batch == nil {
		want = flow.IntoDebounce
	}
	events := make([]event.Tracked, count)
	for i := range events {
		events[i] = becomes(t, p, settings, want)
	}
	return events
}

// aDueHold puts one event into a hold that is due now, and takes it.
func aDueHold(t tb, p Ports, settings *flow.Settings) ports.Hold {
	t.Helper()
	intoHold(t, p, settings, 1)
	p.Pass(time.Minute)
	return takeHold(t, p)
}

func batchFills(t *testing.T, p Ports) {
	settings := batching(t, 3, "1h", "")
	e := accepted(t, p, withData(`{"text":"ü"}`))
	first := asks(p, settings, e)
	same(t, route(t, p, e, first), ports.Scheduled{Result: flow.IntoBatch})
	noRun(t, p, first)
	events := append([]event.Tracked{e}, intoHold(t, p, settings, 1)...)
	p.Pass(time.Minute)
	noHold(t, p)
	p = restarted(p)
	events = append(events, intoHold(t, p, settings, 1)...)
	full := p.Now().UTC()
	next := intoHold(t, p, settings, 1)
	same(t, takeHold(t, p), ports.Hold{
		HoldRef:    ports.HoldRef{ID: first.State.ID, Revision: 3},
		FunctionID: settings.Function, Kind: ports.HoldBatch, Due: full, Events: events,
	})
	noHold(t, p)
	p.Pass(time.Hour)
	same(t, takeHold(t, p).Events, next)
	same(t, len(takeSoon(t, p, 10)), 0)
	if leaseSoon(t, p) != nil {
		t.Fatal("a job was created")
	}
}

func batchDeadline(t *testing.T, p Ports) {
	settings := batching(t, 3, "10s", "")
	deadline := p.Now().UTC().Add(10 * time.Second)
	events := intoHold(t, p, settings, 1)
	p.Pass(9 * time.Second)
	events = append(events, intoHold(t, p, settings, 1)...)
	p = restarted(p)
	noHold(t, p)
	p.Pass(time.Second)
	got := takeHold(t, p)
	same(t, got.Events, events)
	same(t, got.Due, deadline)
	same(t, got.Revision, 2)
}

func batchBytes(t *testing.T, p Ports) {
	settings := batching(t, 10, "1h", "")
	half := ofSize(flow.BatchBytes / 2)
	first := accepted(t, p)
	route(t, p, first, asks(p, settings, first, half))
	p = restarted(p)
	noHold(t, p)
	second, third := accepted(t, p), accepted(t, p)
	route(t, p, second, asks(p, settings, second, half))
	same(t, takeHold(t, p).Events, []event.Tracked{first, second})
	route(t, p, third, asks(p, settings, third, ofSize(flow.BatchBytes)))
	got := takeHold(t, p)
	same(t, got.Events, []event.Tracked{third})
	same(t, got.Revision, 1)
}

func batchShrinks(t *testing.T, p Ports) {
	settings := batching(t, 3, "1h", "")
	before := intoHold(t, p, settings, 2)
	smaller := batching(t, 2, "1h", "")
	smaller.Function = settings.Function
	after := intoHold(t, p, smaller, 1)
	got := takeHold(t, p)
	same(t, got.Events, before)
	same(t, got.Due, p.Now().UTC())
	noHold(t, p)
	after = append(after, intoHold(t, p, smaller, 1)...)
	same(t, takeHold(t, p).Events, after)
}

func batchOverdue(t *testing.T, p Ports) {
	settings := batching(t, 3, "10s", "")
	before := intoHold(t, p, settings, 1)
	p.Pass(10 * time.Second)
	after := intoHold(t, p, settings, 1)
	same(t, takeHold(t, p).Events, before)
	noHold(t, p)
	p.Pass(10 * time.Second)
	same(t, takeHold(t, p).Events, after)
}

func batchKeys(t *testing.T, p Ports) {
	one, two := batching(t, 2, "1h", "event.data.k"), batching(t, 2, "1h", "event.data.k")
	var pairs [][]event.Tracked
	for _, settings := range []*flow.Settings{one, two} {
		for _, data := range []string{`{"k":"a"}`, `{"k":"b"}`} {
			pairs = append(pairs, []event.Tracked{becomes(t, p, settings, flow.IntoBatch, withData(data))})
		}
	}
	noHold(t, p)
	keys := map[string]bool{}
	for i, data := range []string{`{"k":"a"}`, `{"k":"b"}`, `{"k":"a"}`, `{"k":"b"}`} {
		settings := []*flow.Settings{one, two}[i/2]
		e := becomes(t, p, settings, flow.IntoBatch, withData(data))
		got := takeHold(t, p)
		same(t, got.Events, append(pairs[i], e))
		same(t, got.FunctionID, settings.Function)
		same(t, got.Key, settings.Evaluate(e.Event, flow.FromEvent, p.Now()).BatchKey)
		keys[got.Key] = true
	}
	same(t, len(keys), 2)
}

func batchAtOnce(t *testing.T, p Ports) {
	const callers = 8
	settings := batching(t, callers/2, "1h", "")
	events := make([]event.Tracked, callers)
	for i := range events {
		events[i] = accepted(t, p)
	}
	atOnce(t, callers, func(caller int) error {
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{
			Event: events[caller].InternalID, Runs: []ports.NewRun{asks(p, settings, events[caller])},
		})
		return err
	})
	seen := map[ulid.ULID]bool{}
	for range 2 {
		got := takeHold(t, p)
		same(t, len(got.Events), callers/2)
		for _, e := range got.Events {
			seen[e.InternalID] = true
		}
	}
	same(t, len(seen), callers)
	noHold(t, p)
}

func debounceQuiet(t *testing.T, p Ports) {
	settings := debouncing(t, "10s", "", "")
	e := accepted(t, p)
	opened := asks(p, settings, e)
	same(t, route(t, p, e, opened), ports.Scheduled{Result: flow.IntoDebounce})
	noRun(t, p, opened)
	p.Pass(9 * time.Second)
	p = restarted(p)
	later, answer := ask(t, p, settings)
	same(t, answer, ports.Scheduled{Result: flow.IntoDebounce})
	due := p.Now().UTC().Add(10 * time.Second)
	p.Pass(9 * time.Second)
	noHold(t, p)
	p = restarted(p)
	p.Pass(time.Second)
	same(t, takeHold(t, p), ports.Hold{
		HoldRef:    ports.HoldRef{ID: opened.State.ID, Revision: 2},
		FunctionID: settings.Function, Kind: ports.HoldDebounce, Key: settings.Function.String(), Due: due, Events: []event.Tracked{later},
	})
	if leaseSoon(t, p) != nil {
		t.Fatal("a job was created")
	}
}

func debounceTimeout(t *testing.T, p Ports) {
	settings := debouncing(t, "10s", "15s", "")
	latest := p.Now().UTC().Add(15 * time.Second)
	intoHold(t, p, settings, 1)
	p.Pass(8 * time.Second)
	p = restarted(p)
	last := intoHold(t, p, settings, 1)
	p.Pass(7*time.Second - time.Millisecond)
	noHold(t, p)
	p.Pass(time.Millisecond)
	got := takeHold(t, p)
	same(t, got.Events, last)
	same(t, got.Due, latest)
}

func debounceOlder(t *testing.T, p Ports) {
	settings := debouncing(t, "10s", "", "")
	kept := intoHold(t, p, settings, 1)
	p.Pass(5 * time.Second)
	p = restarted(p)
	_, answer := ask(t, p, settings, func(e *event.Tracked) { e.TS = kept[0].TS - 1 })
	same(t, answer, ports.Scheduled{Result: flow.IntoDebounce})
	p.Pass(5 * time.Second)
	got := takeHold(t, p)
	same(t, got.Events, kept)
	same(t, got.Revision, 1)
	same(t, len(takeSoon(t, p, 10)), 0)
}

func debounceKeys(t *testing.T, p Ports) {
	one, two := debouncing(t, "10s", "", "event.data.k"), debouncing(t, "10s", "", "event.data.k")
	want := map[ulid.ULID]bool{}
	for _, settings := range []*flow.Settings{one, two} {
		for _, data := range []string{`{"k":"a"}`, `{"k":""}`} {
			e, answer := ask(t, p, settings, withData(data))
			same(t, answer, ports.Scheduled{Result: flow.IntoDebounce})
			want[e.InternalID] = true
		}
	}
	p.Pass(10 * time.Second)
	for range 4 {
		got := takeHold(t, p)
		same(t, got.Key, one.Evaluate(got.Events[0].Event, flow.FromEvent, p.Now()).DebounceKey)
		delete(want, got.Events[0].InternalID)
	}
	same(t, len(want), 0)
}

func debounceJoins(t *testing.T, p Ports) {
	settings := debouncing(t, "1m", "", "")
	taken := aDueHold(t, p, settings)
	later := becomes(t, p, settings, flow.IntoDebounce)
	is(t, p.Holds.Release(t.Context(), taken.HoldRef, p.Now()), ports.ErrNotFound)
	is(t, p.Holds.Park(t.Context(), taken.HoldRef, "reason"), ports.ErrNotFound)
	refused := starting(p, settings, taken)
	_, err := p.Store.Schedule(t.Context(), refused)
	is(t, err, ports.ErrConflict)
	noRun(t, p, refused.Runs[0])
	p.Pass(time.Minute - time.Second)
	noHold(t, p)
	p.Pass(time.Second)
	got := takeHold(t, p)
	same(t, got.HoldRef, ports.HoldRef{ID: taken.ID, Revision: taken.Revision + 1})
	same(t, got.Events, []event.Tracked{later})

	// One that was handed back for later is due again when it has changed and is due.
	must(t, p.Holds.Release(t.Context(), got.HoldRef, p.Now().Add(time.Hour)))
	last := intoHold(t, p, settings, 1)
	p.Pass(time.Minute)
	same(t, takeHold(t, p).Events, last)
}

func debouncePublished(t *testing.T, p Ports) {
	settings := debouncing(t, "10s", "", "")
	e := anEvent(p)
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{asks(p, settings, e)}, Publish: []event.Tracked{e}})
	must(t, err)
	p = restarted(p)
	p.Pass(10 * time.Second)
	same(t, takeHold(t, p).Events, []event.Tracked{e})
}

// invoking makes an event the invocation of a function by a step that waits.
func invoking(e *event.Tracked) {
	e.Name, e.Data = event.FunctionInvoked, []byte(`{"_inngest":{"fn_id":"app-fn","correlation_id":"run.step"}}`)
}

// answering is the schedule of an event that has an answer for who waits for another.
func answering(p Ports, settings *flow.Settings, e, superseded event.Tracked, answer ...event.Tracked) ports.Schedule {
	next := asks(p, settings, e)
	next.Answers = map[ulid.ULID][]event.Tracked{superseded.InternalID: answer}
	return ports.Schedule{Event: e.InternalID, Runs: []ports.NewRun{next}}
}

func debounceAwaited(t *testing.T, p Ports) {
	settings := debouncing(t, "10s", "", "")
	waiting := becomes(t, p, settings, flow.IntoDebounce, invoking)
	refuses := func(e, want event.Tracked) {
		t.Helper()
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: e.InternalID, Runs: []ports.NewRun{asks(p, settings, e)}})
		var superseded *ports.SupersededError
		if !errors.As(err, &superseded) {
			t.Fatalf("error is %v", err)
		}
		same(t, *superseded, ports.SupersededError{Function: settings.Function, Event: want})
		_, err = p.Store.Schedule(t.Context(), answering(p, settings, e, anEvent(p), anEvent(p)))
		if !errors.As(err, &superseded) {
			t.Fatalf("with an answer for another event, error is %v", err)
		}
		unsettled(t, p, e)
	}
	older := accepted(t, p, invoking, func(e *event.Tracked) { e.TS = waiting.TS - 1 })
	refuses(older, older)
	answer := anEvent(p)
	_, err := p.Store.Schedule(t.Context(), answering(p, settings, older, older, answer))
	must(t, err)
	same(t, takeSoon(t, p, 10), []event.Tracked{answer})

	later := accepted(t, p)
	refuses(later, waiting)
	_, err = p.Store.Schedule(t.Context(), answering(p, settings, later, waiting)) // an empty one is one
	must(t, err)
	_, err = p.Store.Schedule(t.Context(), answering(p, settings, accepted(t, p), later, anEvent(p))) // nobody waits for the later one
	must(t, err)
	if left := takeSoon(t, p, 10); len(left) > 0 {
		t.Errorf("accepted %v", left)
	}
}

func debounceAnswerCut(t *testing.T, p Ports) {
	settings := debouncing(t, "10s", "", "")
	waiting := becomes(t, p, settings, flow.IntoDebounce, invoking)
	later, answer := accepted(t, p), anEvent(p)
	cut(t, p, func() error {
		_, err := p.Store.Schedule(t.Context(), answering(p, settings, later, waiting, answer))
		return err
	}, func(t *testing.T) { unsettled(t, p, later) })
	if p.FailWrite == nil {
		return
	}
	same(t, takeSoon(t, p, 10), []event.Tracked{answer})
	p.Pass(10 * time.Second)
	same(t, takeHold(t, p).Events, []event.Tracked{later})
}

// waitingForHold takes a hold in the background.
func waitingForHold(t *testing.T, p Ports) <-chan ports.Hold {
	t.Helper()
	got := make(chan ports.Hold, 1)
	go func() {
		hold, err := p.Holds.Take(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- hold
	}()
	p.Settle()
	return got
}

func takeHoldWaits(t *testing.T, p Ports) {
	settings := debouncing(t, "1h", "", "")
	got := waitingForHold(t, p)
	intoHold(t, p, settings, 1)
	p.Pass(time.Minute)
	last := intoHold(t, p, settings, 1) // what the caller waits for moves away
	p.Pass(time.Hour - time.Second)
	select {
	case hold := <-got:
		t.Fatalf("took %+v, which is not due", hold)
	default:
	}
	p.Pass(time.Second)
	same(t, (<-got).Events, last)
}

func takeHoldWakes(t *testing.T, p Ports) {
	settings := batching(t, 2, "1h", "")
	intoHold(t, p, settings, 1)
	got := waitingForHold(t, p)
	intoHold(t, p, settings, 1)
	same(t, len((<-got).Events), 2)
}

func takeHoldOrder(t *testing.T, p Ports) {
	var want []ulid.ULID
	late, early, middle := debouncing(t, "30s", "", ""), batching(t, 5, "10s", ""), debouncing(t, "20s", "", "")
	for _, settings := range []*flow.Settings{late, early, middle} {
		want = append(want, intoHold(t, p, settings, 1)[0].InternalID)
	}
	p = restarted(p)
	p.Pass(time.Minute)
	for _, at := range []int{1, 2, 0} {
		same(t, takeHold(t, p).Events[0].InternalID, want[at])
	}
	noHold(t, p)
}

func takeHoldOnce(t *testing.T, p Ports) {
	const callers = 8
	for range callers {
		intoHold(t, p, batching(t, 5, "10s", ""), 1)
	}
	p.Pass(10 * time.Second)
	taken := make(chan ports.Hold, callers)
	atOnce(t, callers, func(int) error {
		hold, err := p.Holds.Take(t.Context())
		taken <- hold
		return err
	})
	close(taken)
	seen := map[ulid.ULID]bool{}
	for hold := range taken {
		seen[hold.ID] = true
	}
	same(t, len(seen), callers)
	noHold(t, p)
}

func takeHoldEnded(t *testing.T, p Ports) {
	intoHold(t, p, batching(t, 5, "10s", ""), 1)
	p.Pass(10 * time.Second)
	if _, err := p.Holds.Take(ended(t)); err == nil {
		t.Fatal("took a hold")
	}
	taken := takeHold(t, p)
	for name, err := range map[string]error{
		"released": p.Holds.Release(ended(t), taken.HoldRef, p.Now()), "parked": p.Holds.Park(ended(t), taken.HoldRef, "reason"),
	} {
		if err == nil {
			t.Fatal(name, "with an ended context")
		}
	}
	must(t, p.Holds.Release(t.Context(), taken.HoldRef, p.Now()))
}

func takeHoldRestart(t *testing.T, p Ports) {
	if p.Restart == nil {
		return
	}
	taken := aDueHold(t, p, batching(t, 5, "1m", ""))
	p = p.Restart()
	same(t, takeHold(t, p), taken)
	noHold(t, p)
}

func releaseHold(t *testing.T, p Ports) {
	taken := aDueHold(t, p, batching(t, 5, "1m", ""))
	must(t, p.Holds.Release(t.Context(), taken.HoldRef, p.Now().Add(time.Hour)))
	p.Pass(time.Hour - time.Second)
	noHold(t, p)
	got := waitingForHold(t, p)
	p.Pass(time.Second)
	same(t, <-got, taken)
	must(t, p.Holds.Release(t.Context(), taken.HoldRef, time.Time{}))
	same(t, takeHold(t, p), taken)
}

// notInHand are states of a hold that no caller has.
func notInHand(t *testing.T, p Ports, try func(ref ports.HoldRef) error) {
	t.Helper()
	is(t, try(ports.HoldRef{ID: anEvent(p).InternalID, Revision: 1}), ports.ErrNotFound)
	settings := batching(t, 5, "1m", "")
	e := accepted(t, p)
	opened := asks(p, settings, e)
	route(t, p, e, opened)
	is(t, try(ports.HoldRef{ID: opened.State.ID, Revision: 1}), ports.ErrNotFound)
	p.Pass(time.Minute)
	taken := takeHold(t, p)
	is(t, try(ports.HoldRef{ID: taken.ID, Revision: taken.Revision + 1}), ports.ErrNotFound)
	is(t, try(ports.HoldRef{ID: taken.ID, Revision: taken.Revision - 1}), ports.ErrNotFound)
	must(t, p.Holds.Release(t.Context(), taken.HoldRef, p.Now()))
	is(t, try(taken.HoldRef), ports.ErrNotFound)
	same(t, takeHold(t, p), taken)
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Hold: taken.HoldRef})
	must(t, err)
	is(t, try(taken.HoldRef), ports.ErrNotFound)
}

func releaseHoldRefused(t *testing.T, p Ports) {
	notInHand(t, p, func(ref ports.HoldRef) error { return p.Holds.Release(t.Context(), ref, p.Now()) })
}

func parkHoldRefused(t *testing.T, p Ports) {
	notInHand(t, p, func(ref ports.HoldRef) error { return p.Holds.Park(t.Context(), ref, "reason") })
}

func parkHold(t *testing.T, p Ports) {
	settings := debouncing(t, "1m", "", "")
	taken := aDueHold(t, p, settings)
	must(t, p.Holds.Park(t.Context(), taken.HoldRef, "its function cannot be read"))
	is(t, p.Holds.Park(t.Context(), taken.HoldRef, "again"), ports.ErrNotFound)
	_, err := p.Store.Schedule(t.Context(), starting(p, settings, taken))
	is(t, err, ports.ErrConflict)
	survives(t, p, func(p Ports) {
		noHold(t, p)
		stored, err := p.History.Event(t.Context(), taken.Events[0].InternalID)
		must(t, err)
		same(t, stored, taken.Events[0])
	})
	e, answer := ask(t, p, settings)
	same(t, answer, ports.Scheduled{Result: flow.IntoDebounce})
	p.Pass(time.Minute)
	got := takeHold(t, p)
	same(t, got.Events, []event.Tracked{e})
	same(t, got.Revision, 1)
}

func parkHoldCut(t *testing.T, p Ports) {
	taken := aDueHold(t, p, batching(t, 5, "1m", ""))
	cut(t, p, func() error { return p.Holds.Park(t.Context(), taken.HoldRef, "reason") }, func(t *testing.T) {
		must(t, p.Holds.Release(t.Context(), taken.HoldRef, p.Now()))
		same(t, takeHold(t, p), taken)
	})
}

func settleBatch(t *testing.T, p Ports) {
	settings := batching(t, 3, "1h", "")
	events := intoHold(t, p, settings, 3)
	taken := takeHold(t, p)
	started := starting(p, settings, taken)
	next := started.Runs[0]
	answer, err := p.Store.Schedule(t.Context(), started)
	must(t, err)
	same(t, answer, []ports.Scheduled{{RunID: next.State.ID}})
	survives(t, p, func(p Ports) {
		same(t, load(t, p, next.State.ID), next.State)
		record, err := p.History.Run(t.Context(), next.State.ID)
		must(t, err)
		same(t, []ulid.ULID{record.BatchID, record.EventID}, []ulid.ULID{taken.ID, events[0].InternalID})
		for i, e := range events {
			records, err := p.History.EventRuns(t.Context(), e.InternalID)
			must(t, err)
			same(t, len(records), flag(i == 0))
		}
		origin, err := p.History.Origin(t.Context(), next.State.ID)
		must(t, err)
		same(t, origin.Events, events)
		noHold(t, p)
	})
	_, err = p.Store.Schedule(t.Context(), started)
	is(t, err, ports.ErrConflict)
}

func settleDebounce(t *testing.T, p Ports) {
	settings := debouncing(t, "1m", "", "")
	taken := aDueHold(t, p, settings)
	started := starting(p, settings, taken)
	answer, err := p.Store.Schedule(t.Context(), started)
	must(t, err)
	same(t, answer, []ports.Scheduled{{RunID: started.Runs[0].State.ID}})
	same(t, lease(t, p).Job.RunID, started.Runs[0].State.ID)
	survives(t, p, func(p Ports) { noHold(t, p) })
	e, next := ask(t, p, settings)
	same(t, next, ports.Scheduled{Result: flow.IntoDebounce})
	p.Pass(time.Minute)
	got := takeHold(t, p)
	same(t, got.Events, []event.Tracked{e})
	same(t, got.Revision, 1)
}

func settleWithout(t *testing.T, p Ports) {
	taken := aDueHold(t, p, batching(t, 5, "1m", ""))
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Hold: taken.HoldRef})
	must(t, err)
	survives(t, p, func(p Ports) { noHold(t, p) })
}

func settleAtOnce(t *testing.T, p Ports) {
	settings := batching(t, 5, "1m", "")
	taken := aDueHold(t, p, settings)
	won := atOnce(t, 8, func(int) error {
		_, err := p.Store.Schedule(t.Context(), starting(p, settings, taken))
		return err
	}, ports.ErrConflict)
	same(t, won, 1)
	records, err := p.History.EventRuns(t.Context(), taken.Events[0].InternalID)
	must(t, err)
	same(t, len(records), 1)
}

func settleStale(t *testing.T, p Ports) {
	settings := batching(t, 5, "1m", "")
	taken := aDueHold(t, p, settings)
	e, published := accepted(t, p), anEvent(p)
	for _, stale := range []ports.HoldRef{
		{ID: taken.ID, Revision: taken.Revision - 1}, {ID: taken.ID, Revision: taken.Revision + 1}, {ID: e.InternalID, Revision: taken.Revision},
	} {
		refused := starting(p, settings, taken)
		refused.Hold, refused.Event, refused.Publish = stale, e.InternalID, []event.Tracked{published}
		_, err := p.Store.Schedule(t.Context(), refused)
		is(t, err, ports.ErrConflict)
		noRun(t, p, refused.Runs[0])
		unsettled(t, p, e)
		_, err = p.History.Event(t.Context(), published.InternalID)
		is(t, err, ports.ErrNotFound)
	}
	// The other way round, an event that is settled leaves the hold.
	refused := starting(p, settings, taken)
	refused.Event = published.InternalID
	_, err := p.Store.Schedule(t.Context(), refused)
	is(t, err, ports.ErrConflict)
	must(t, p.Holds.Release(t.Context(), taken.HoldRef, p.Now()))
	same(t, takeHold(t, p), taken)
}

func settleLocked(t *testing.T, p Ports) {
	settings := controlled(t, function.Settings{
		Batch:     &function.Batch{MaxSize: 5, Timeout: "1m"},
		Singleton: &function.Singleton{Mode: function.SingletonCancel},
	})
	first := aDueHold(t, p, settings)
	begun := starting(p, settings, first)
	_, err := p.Store.Schedule(t.Context(), begun)
	must(t, err)
	second := aDueHold(t, p, settings)
	refused := starting(p, settings, second)
	_, err = p.Store.Schedule(t.Context(), refused)
	isLocked(t, err, settings.Function.String(), begun.Runs[0].State.ID)
	noRun(t, p, refused.Runs[0])
	endRun(t, p, load(t, p, begun.Runs[0].State.ID))
	answer, err := p.Store.Schedule(t.Context(), refused)
	must(t, err)
	same(t, answer, []ports.Scheduled{{RunID: refused.Runs[0].State.ID}})
}

func holdCut(t *testing.T, p Ports) {
	batched, debounced := batching(t, 2, "10s", ""), debouncing(t, "20s", "", "")
	before := []event.Tracked{intoHold(t, p, batched, 1)[0], intoHold(t, p, debounced, 1)[0]}
	e := accepted(t, p)
	cut(t, p, func() error {
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{
			Event: e.InternalID, Runs: []ports.NewRun{asks(p, batched, e), asks(p, debounced, e)},
		})
		return err
	}, func(t *testing.T) {
		unsettled(t, p, e)
		noHold(t, p)
	})
	if p.FailWrite == nil {
		return
	}
	same(t, takeHold(t, p).Events, []event.Tracked{before[0], e})
	p.Pass(time.Minute)
	same(t, takeHold(t, p).Events, []event.Tracked{e})
}

func settleCut(t *testing.T, p Ports) {
	settings := batching(t, 2, "1m", "")
	intoHold(t, p, settings, 2)
	taken := takeHold(t, p)
	started := starting(p, settings, taken)
	cut(t, p, func() error {
		_, err := p.Store.Schedule(t.Context(), started)
		return err
	}, func(t *testing.T) {
		noRun(t, p, started.Runs[0])
		must(t, p.Holds.Release(t.Context(), taken.HoldRef, p.Now()))
		same(t, takeHold(t, p), taken)
	})
}
