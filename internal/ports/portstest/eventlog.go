package portstest

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
)

// TestEventLog is the contract of ports.EventLog.
func TestEventLog(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Append/makes events available in order":       appendInOrder,
		"Append/stores every value":                    appendValues,
		"Append/repeated changes nothing":              appendRepeated,
		"Append/is all or nothing":                     appendCut,
		"Append/with an ended context writes nothing":  appendEnded,
		"Append/of nothing is fine":                    func(t *testing.T, p Ports) { must(t, p.EventLog.Append(t.Context(), nil)) },
		"Take/waits for an event":                      takeWaits,
		"Take/returns at most max":                     takeBounded,
		"Take/gives an event to one taker":             takeOnce,
		"Take/with an ended context takes nothing":     takeEnded,
		"Release/hands out again, not before its time": releaseDelays,
		"Release/of an event not in hand is refused":   releaseRefused,
		"Park/takes the event out for good":            parkEvent,
		"Park/is all or nothing":                       parkEventCut,
		"Restart/hands out what is not settled":        restartLog,
	})
}

func appendInOrder(t *testing.T, p Ports) {
	first, second, third := anEvent(p), anEvent(p), anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{first, second}))
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{third}))
	same(t, takeSoon(t, p, 10), []event.Tracked{first, second, third})
	for _, tracked := range []event.Tracked{first, second, third} {
		stored, err := p.History.Event(t.Context(), tracked.InternalID)
		must(t, err)
		same(t, stored, tracked)
	}
}

func appendValues(t *testing.T, p Ports) {
	huge := json.RawMessage(`{"text":"` + string(bytes.Repeat([]byte("ü"), 1<<19)) + `"}`)
	events := []event.Tracked{
		anEvent(p, func(e *event.Tracked) { e.ID, e.Name, e.V = "", "", "" }),
		anEvent(p, func(e *event.Tracked) { e.Data = json.RawMessage(`null`) }),
		anEvent(p, func(e *event.Tracked) { e.User, e.V = json.RawMessage(`{"id":7}`), "2026-01-01" }),
		anEvent(p, func(e *event.Tracked) { e.ID, e.Name = "日本語", "naïve/événement'\"--;\n" }),
		anEvent(p, func(e *event.Tracked) { e.Data = json.RawMessage("{\"zero\":\"a\x00b\",\"bad\":\"\xff\xfe\"}") }),
		anEvent(p, func(e *event.Tracked) { e.TS = -62135596800000 }),
		anEvent(p, func(e *event.Tracked) { e.TS = 253402300799999 }),
		anEvent(p, func(e *event.Tracked) { e.Data = huge }),
		anEvent(p, func(e *event.Tracked) { e.Sessions = map[string]string{"user": "u-1", "": "é"} }),
	}
	must(t, p.EventLog.Append(t.Context(), events))
	same(t, takeSoon(t, p, len(events)), events)
	if p.Restart == nil {
		return
	}
	p = p.Restart()
	got := takeSoon(t, p, len(events))
	for i := range got { // the same events, read back from what is stored
		same(t, got[i], events[indexOf(events, got[i])])
	}
	same(t, len(got), len(events))
}

func indexOf(events []event.Tracked, one event.Tracked) int {
	for i := range events {
		if events[i].InternalID == one.InternalID {
			return i
		}
	}
	return -1
}

func appendRepeated(t *testing.T, p Ports) {
	first, second := anEvent(p), anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{first, first}))
	other := first
	other.Name = "other"
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{other, second}))
	same(t, takeSoon(t, p, 10), []event.Tracked{first, second})

	must(t, p.EventLog.Append(t.Context(), []event.Tracked{first}))
	same(t, takeSoon(t, p, 10), []event.Tracked(nil))

	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: first.InternalID})
	must(t, err)
	must(t, p.EventLog.Park(t.Context(), second.InternalID, "no reason"))
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{first, second}))
	same(t, takeSoon(t, p, 10), []event.Tracked(nil))
}

func appendCut(t *testing.T, p Ports) {
	events := []event.Tracked{anEvent(p), anEvent(p)}
	cut(t, p, func() error { return p.EventLog.Append(t.Context(), events) }, func(t *testing.T) {
		for _, tracked := range events {
			_, err := p.History.Event(t.Context(), tracked.InternalID)
			is(t, err, ports.ErrNotFound)
		}
		same(t, takeSoon(t, p, 10), []event.Tracked(nil))
	})
	if p.FailWrite != nil {
		same(t, takeSoon(t, p, 10), events)
	}
}

func appendEnded(t *testing.T, p Ports) {
	tracked := anEvent(p)
	if err := p.EventLog.Append(ended(t), []event.Tracked{tracked}); err == nil {
		t.Fatal("appended")
	}
	_, err := p.History.Event(t.Context(), tracked.InternalID)
	is(t, err, ports.ErrNotFound)
}

func takeWaits(t *testing.T, p Ports) {
	got := make(chan []event.Tracked, 1)
	go func() {
		events, err := p.EventLog.Take(t.Context(), 5)
		if err != nil {
			t.Error(err)
		}
		got <- events
	}()
	p.Settle()
	select {
	case events := <-got:
		t.Fatalf("took %v of an empty log", events)
	default:
	}
	tracked := anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	same(t, <-got, []event.Tracked{tracked})
}

func takeBounded(t *testing.T, p Ports) {
	events := []event.Tracked{anEvent(p), anEvent(p), anEvent(p)}
	must(t, p.EventLog.Append(t.Context(), events))
	same(t, takeSoon(t, p, 2), events[:2])
	same(t, takeSoon(t, p, 2), events[2:])
}

func takeOnce(t *testing.T, p Ports) {
	const count = 40
	events := make([]event.Tracked, count)
	for i := range events {
		events[i] = anEvent(p)
	}
	must(t, p.EventLog.Append(t.Context(), events))
	taken := make(chan event.Tracked, 2*count)
	atOnce(t, 8, func(int) error {
		for range count / 8 {
			got, err := p.EventLog.Take(t.Context(), 1)
			if err != nil {
				return err
			}
			taken <- got[0]
		}
		return nil
	})
	close(taken)
	seen := map[string]bool{}
	for tracked := range taken {
		seen[tracked.ID] = true
	}
	same(t, len(seen), count)
	same(t, takeSoon(t, p, 1), []event.Tracked(nil))
}

func takeEnded(t *testing.T, p Ports) {
	tracked := anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	if _, err := p.EventLog.Take(ended(t), 1); err == nil {
		t.Fatal("took an event")
	}
	same(t, takeSoon(t, p, 1), []event.Tracked{tracked})
}

func releaseDelays(t *testing.T, p Ports) {
	tracked := anEvent(p, func(e *event.Tracked) { e.Sessions = map[string]string{"a": "b"} })
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	must(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now().Add(time.Hour)))
	p.Pass(time.Hour - time.Second)
	same(t, takeSoon(t, p, 1), []event.Tracked(nil))
	p.Pass(time.Second)
	same(t, takeSoon(t, p, 1), []event.Tracked{tracked})

	must(t, p.EventLog.Release(t.Context(), tracked.InternalID, time.Time{}))
	same(t, takeSoon(t, p, 1), []event.Tracked{tracked})

	waiting := make(chan []event.Tracked, 1)
	go func() {
		got, err := p.EventLog.Take(t.Context(), 1)
		if err != nil {
			t.Error(err)
		}
		waiting <- got
	}()
	p.Settle()
	must(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now().Add(time.Minute)))
	p.Pass(time.Minute)
	same(t, <-waiting, []event.Tracked{tracked})
}

func releaseRefused(t *testing.T, p Ports) {
	tracked := anEvent(p)
	is(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now()), ports.ErrNotFound)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	must(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now().Add(time.Hour)))
	is(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now()), ports.ErrNotFound)
}

func parkEvent(t *testing.T, p Ports) {
	tracked := anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	must(t, p.EventLog.Park(t.Context(), tracked.InternalID, "its trigger cannot be evaluated"))
	is(t, p.EventLog.Park(t.Context(), tracked.InternalID, "again"), ports.ErrNotFound)
	is(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now()), ports.ErrNotFound)
	stored, err := p.History.Event(t.Context(), tracked.InternalID)
	must(t, err)
	same(t, stored, tracked)
	if p.Restart != nil {
		p = p.Restart()
	}
	same(t, takeSoon(t, p, 1), []event.Tracked(nil))
}

func parkEventCut(t *testing.T, p Ports) {
	tracked := anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	cut(t, p, func() error { return p.EventLog.Park(t.Context(), tracked.InternalID, "reason") }, func(t *testing.T) {
		must(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now()))
		same(t, takeSoon(t, p, 1), []event.Tracked{tracked})
	})
}

func restartLog(t *testing.T, p Ports) {
	if p.Restart == nil {
		return
	}
	settled, released, taken, waiting := anEvent(p), anEvent(p), anEvent(p), anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{settled, released, taken, waiting}))
	takeSoon(t, p, 3)
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: settled.InternalID})
	must(t, err)
	must(t, p.EventLog.Release(t.Context(), released.InternalID, p.Now()))
	p = p.Restart()
	p.Pass(time.Minute)
	same(t, takeSoon(t, p, 10), []event.Tracked{released, taken, waiting})
}
