package portstest

import (
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// TestHistory is the contract of ports.History. What is written into it is the matter of the other suites.
func TestHistory(t *testing.T, run Runner) {
	cases(t, run, endedRunCases)
	cases(t, run, spanCases)
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Event/of an unknown ID is ErrNotFound":    unknownEvent,
		"Events/come newest first, page by page":   eventPages,
		"Events/are selected by name":              eventNames,
		"Events/are selected by time, inclusively": eventTimes,
		"EventRuns/come oldest first":              eventRuns,
		"Run/shows progress and end":               runRecord,
	})
}

// ids returns the internal IDs of a query's answer.
func ids(t *testing.T, p Ports, q ports.EventQuery) []ulid.ULID {
	t.Helper()
	events, err := p.History.Events(t.Context(), q)
	must(t, err)
	var list []ulid.ULID
	for _, tracked := range events {
		list = append(list, tracked.InternalID)
	}
	return list
}

func unknownEvent(t *testing.T, p Ports) {
	_, err := p.History.Event(t.Context(), anEvent(p).InternalID)
	is(t, err, ports.ErrNotFound)
	_, err = p.History.Run(t.Context(), anEvent(p).InternalID)
	is(t, err, ports.ErrNotFound)
	records, err := p.History.EventRuns(t.Context(), anEvent(p).InternalID)
	must(t, err)
	same(t, len(records), 0)
	if _, err := p.History.Events(ended(t), ports.EventQuery{}); err == nil {
		t.Fatal("read with an ended context")
	}
}

func eventPages(t *testing.T, p Ports) {
	var events []event.Tracked
	for range 5 {
		events = append(events, anEvent(p))
		p.Pass(time.Millisecond)
	}
	internal := anEvent(p, named(event.FunctionFinished))
	near := anEvent(p, named("inngest"))
	must(t, p.EventLog.Append(t.Context(), append([]event.Tracked{internal, near}, events...)))
	page, err := p.History.Events(t.Context(), ports.EventQuery{Limit: 2})
	must(t, err)
	same(t, page, []event.Tracked{near, events[4]})
	same(t, ids(t, p, ports.EventQuery{Limit: 2, Cursor: events[4].InternalID}), []ulid.ULID{events[3].InternalID, events[2].InternalID})
	same(t, ids(t, p, ports.EventQuery{Cursor: events[2].InternalID}), []ulid.ULID{events[1].InternalID, events[0].InternalID})
	same(t, ids(t, p, ports.EventQuery{Cursor: events[0].InternalID}), []ulid.ULID(nil))
}

func eventNames(t *testing.T, p Ports) {
	one, other, wide := anEvent(p, named("a/b")), anEvent(p, named("a/b.c")), anEvent(p, named("é'%_"))
	internal := anEvent(p, named(event.FunctionFailed))
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{one, other, wide, internal}))
	same(t, ids(t, p, ports.EventQuery{Name: "a/b"}), []ulid.ULID{one.InternalID})
	same(t, ids(t, p, ports.EventQuery{Name: "é'%_", After: p.Now().Add(-time.Hour)}), []ulid.ULID{wide.InternalID})
	same(t, ids(t, p, ports.EventQuery{Name: event.FunctionFailed}), []ulid.ULID(nil))
	same(t, ids(t, p, ports.EventQuery{Name: "%"}), []ulid.ULID(nil))
}

func eventTimes(t *testing.T, p Ports) {
	begin := p.Now().UTC().Truncate(time.Second).Add(time.Hour)
	offsets := []time.Duration{0, time.Nanosecond, 500 * time.Millisecond, 510 * time.Millisecond, time.Second}
	var events []event.Tracked
	var all []ulid.ULID
	for i, offset := range offsets {
		tracked := anEvent(p, func(e *event.Tracked) {
			e.ReceivedAt = begin.Add(offset)
			e.InternalID[15], e.InternalID[14], e.InternalID[6] = 0, 0, byte(i)
		})
		events = append(events, tracked)
		all = append([]ulid.ULID{tracked.InternalID}, all...)
	}
	must(t, p.EventLog.Append(t.Context(), events))
	for first := range offsets {
		for last := first; last < len(offsets); last++ {
			got := ids(t, p, ports.EventQuery{After: begin.Add(offsets[first]), Before: begin.Add(offsets[last])})
			same(t, got, all[len(all)-1-last:len(all)-first])
		}
		same(t, ids(t, p, ports.EventQuery{After: begin.Add(offsets[first])}), all[:len(all)-first])
		same(t, ids(t, p, ports.EventQuery{Before: begin.Add(offsets[first])}), all[len(all)-1-first:])
	}
	same(t, ids(t, p, ports.EventQuery{After: begin, Before: begin.Add(time.Hour), Limit: 2}), all[:2])
	same(t, ids(t, p, ports.EventQuery{After: begin, Cursor: all[2], Limit: 9}), all[3:])
	same(t, ids(t, p, ports.EventQuery{After: begin.Add(time.Minute)}), []ulid.ULID(nil))
}

func eventRuns(t *testing.T, p Ports) {
	first, second := anEvent(p), anEvent(p)
	var runs []ports.NewRun
	for range 3 {
		runs = append(runs, aRun(p, startedBy(first, second)))
		p.Pass(time.Millisecond)
	}
	schedule(t, p, runs[2], runs[0], runs[1])
	records, err := p.History.EventRuns(t.Context(), first.InternalID)
	must(t, err)
	var got []ulid.ULID
	for _, record := range records {
		got = append(got, record.RunID)
		same(t, record.EventID, first.InternalID)
	}
	same(t, got, []ulid.ULID{runs[0].State.ID, runs[1].State.ID, runs[2].State.ID})
	records, err = p.History.EventRuns(t.Context(), second.InternalID)
	must(t, err)
	same(t, len(records), 0)
}

func runRecord(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	record, err := p.History.Run(t.Context(), next.State.ID)
	must(t, err)
	same(t, record.Status, run.Running)
	if !record.EndedAt.IsZero() || record.Output != nil {
		t.Fatalf("a run in progress has ended: %+v", record)
	}
	finish(t, p, lease(t, p))
	records, err := p.History.EventRuns(t.Context(), next.State.Events[0].InternalID)
	must(t, err)
	record.Status, record.EndedAt, record.Output = run.Completed, p.Now().UTC(), []byte(`{"ok":true}`)
	same(t, records, []ports.RunRecord{record})
}
