package portstest

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// runListCases is the contract of the lists of ports.History.
var runListCases = map[string]func(t *testing.T, p Ports){
	"Runs/are listed by any selection, page by page":            runLists,
	"Summaries/are of the runs that are known":                  runSummaries,
	"RunsOfEvents/are those of batches and of skipped runs too": runsOfEvents,
	"EventPage/is selected by name, window and cursor":          eventLists,
	"EventsByID/returns those that are stored":                  eventsByID,
	"Lists/are refused to a context that has ended":             endedLists,
}

// told gives a run the spans of its beginning.
func told(options ...func(*trace.Beginning)) func(*ports.NewRun) {
	return func(next *ports.NewRun) {
		s := next.State
		b := trace.Beginning{
			Spec: run.Spec{
				ID: s.ID, AppID: s.AppID, FunctionID: s.FunctionID, FunctionVersion: s.FunctionVersion, Slug: s.Slug, MaxAttempts: 4,
				Events: s.Events, Now: ulid.Time(s.ID.Time()).UTC(),
			},
			Due: ulid.Time(s.ID.Time()).UTC(), Batch: next.Batch, Cron: next.Cron, Original: next.Original,
		}
		for _, option := range options {
			option(&b)
		}
		next.Spans = trace.Scheduled(b)
	}
}

// advanced commits a transition of a run with its spans.
func advanced(t tb, p Ports, id ulid.ULID, transition run.Transition) {
	t.Helper()
	state, err := p.Store.Load(t.Context(), id)
	must(t, err)
	spans := trace.Advanced(state, run.CancelRequested{Now: p.Now().UTC()}, transition, nil)
	_, err = p.Store.Commit(t.Context(), ports.Commit{State: state, Transition: transition, Spans: spans})
	must(t, err)
}

func runEnds(t tb, p Ports, id ulid.ULID, status run.Status, output string) {
	t.Helper()
	advanced(t, p, id, run.Transition{
		StartedAt: p.Now().UTC(), Finish: &run.Finish{Status: status, Output: json.RawMessage(output), At: p.Now().UTC()},
	})
}

// manyRuns makes runs of all kinds and returns what is to be listed.
func manyRuns(t tb, p Ports) []ports.RunSummary {
	apps := []uuid.UUID{uuid.MustParse("690c7235-59b3-5a4e-9c04-e1aa98cc6e38"), uuid.New()}
	functions := []uuid.UUID{aFunction, uuid.New(), uuid.New()}
	statuses := []ports.RunStatus{
		ports.RunQueued, ports.RunRunning, ports.RunCompleted, ports.RunFailed, ports.RunCancelled, ports.RunCompleted, ports.RunSkipped,
	}
	var want []ports.RunSummary
	const count = 21
	for i := range count {
		name := "user/created"
		deferring := anEvent(p, named(name))
		if i%5 == 4 {
			deferring.Name = event.DeferredSchedule
			deferring.Data = json.RawMessage(`{"_inngest":{"parent_run_id":"` + anEvent(p).InternalID.String() + `","parent_fn_slug":"acme-parent","fn_slug":"acme-hello"}}`)
		}
		next := aRun(p, startedBy(deferring), ofFunction(functions[i%len(functions)]))
		next.State.AppID = apps[i%len(functions)/2]
		told()(&next)
		id, now := next.State.ID, p.Now().UTC().Truncate(time.Millisecond)
		s := ports.RunSummary{
			RunID: id, AppID: next.State.AppID, FunctionID: next.State.FunctionID, QueuedAt: ulid.Time(id.Time()).UTC(),
			Status: statuses[i%len(statuses)], Events: []ulid.ULID{next.State.Events[0].InternalID}, Deferred: next.Spans[0].Deferred,
		}
		s.TraceID, _ = trace.RunIDs(id)
		if s.Status == ports.RunSkipped {
			end := run.Finish{Status: run.Skipped, At: now}
			skipped := ports.SkippedRun{
				RunID: id, FunctionID: s.FunctionID, Event: s.Events[0], End: end, Spans: trace.Ended(next.Spans, end, run.FunctionPaused, ulid.ULID{}),
			}
			_, err := p.Store.Schedule(t.Context(), ports.Schedule{Skipped: []ports.SkippedRun{skipped}})
			must(t, err)
			s.EndedAt = now
			want = append(want, s)
			p.Pass(time.Millisecond)
			continue
		}
		schedule(t, p, next)
		if i%2 == 0 {
			p.Pass(time.Millisecond)
		}
		want = append(want, carriedOn(t, p, s))
	}
	return want
}

// carriedOn brings a run where its summary says it is.
func carriedOn(t tb, p Ports, s ports.RunSummary) ports.RunSummary {
	t.Helper()
	now := p.Now().UTC().Truncate(time.Millisecond)
	switch s.Status {
	case ports.RunRunning:
		advanced(t, p, s.RunID, run.Transition{StartedAt: p.Now().UTC()})
		s.StartedAt = now
	case ports.RunCompleted, ports.RunFailed:
		runEnds(t, p, s.RunID, run.Status(s.Status), `{"n":1}`)
		s.StartedAt, s.EndedAt, s.HasOutput, s.Output = now, now, true, []byte(`{"n":1}`)
	case ports.RunCancelled:
		runEnds(t, p, s.RunID, run.Cancelled, `{}`)
		s.StartedAt, s.EndedAt = now, now
	case ports.RunQueued, ports.RunSkipped:
	}
	return s
}

// expected are the runs of all pages of a list.
func expected(all []ports.RunSummary, q ports.RunList) []ports.RunSummary {
	var list []ports.RunSummary
	for _, s := range all {
		at := s.At(q.Time)
		if (len(q.Functions) == 0 || slices.Contains(q.Functions, s.FunctionID)) && (len(q.Apps) == 0 || slices.Contains(q.Apps, s.AppID)) &&
			(slices.Contains(q.Statuses, s.Status) || len(q.Statuses) == 0 && (q.Skipped || s.Status != ports.RunSkipped)) &&
			(q.Time != ports.ByEnded || s.Status.Ended()) && (q.Deferred == nil || *q.Deferred == s.Deferred) &&
			(q.From.IsZero() || !at.Before(q.From)) && (q.Until.IsZero() || !at.After(q.Until)) {
			s.Output = nil
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b ports.RunSummary) int {
		order := cmp.Or(a.At(q.Time).Compare(b.At(q.Time)), a.RunID.Compare(b.RunID))
		if !q.Ascending {
			return -order
		}
		return order
	})
	return list
}

// paged reads all pages of a list.
func paged(t tb, p Ports, q ports.RunList) []ports.RunSummary {
	t.Helper()
	const most = 100
	var all []ports.RunSummary
	for {
		page, err := p.History.Runs(t.Context(), q)
		must(t, err)
		if len(page) > q.Limit || len(all) > most {
			t.Fatalf("a page of %d runs instead of %d, after %d", len(page), q.Limit, len(all))
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			return all
		}
		last := page[len(page)-1]
		q.After = &ports.RunCursor{At: last.At(q.Time), Run: last.RunID}
	}
}

func runLists(t *testing.T, p Ports) {
	all := manyRuns(t, p)
	middle := all[len(all)/2]
	yes, no := true, false
	selections := []ports.RunList{
		{}, {Skipped: true}, {Functions: []uuid.UUID{all[0].FunctionID}}, {Functions: []uuid.UUID{all[1].FunctionID, all[2].FunctionID}},
		{Apps: []uuid.UUID{all[0].AppID}}, {Apps: []uuid.UUID{all[0].AppID, all[2].AppID}, Functions: []uuid.UUID{all[1].FunctionID}},
		{Apps: []uuid.UUID{uuid.New()}}, {Functions: []uuid.UUID{uuid.New()}, Skipped: true},
		{Statuses: []ports.RunStatus{ports.RunFailed}}, {Statuses: []ports.RunStatus{ports.RunSkipped, ports.RunQueued}},
		{Statuses: []ports.RunStatus{ports.RunRunning, ports.RunCancelled}, Functions: []uuid.UUID{all[0].FunctionID, all[1].FunctionID}},
		{Deferred: &yes}, {Deferred: &no}, {Deferred: &yes, Apps: []uuid.UUID{all[0].AppID}, Statuses: []ports.RunStatus{ports.RunCompleted}},
	}
	for _, by := range []ports.RunTime{ports.ByQueued, ports.ByStarted, ports.ByEnded} {
		for _, selection := range selections {
			for window := range 6 {
				q := selection
				q.Time, q.Ascending, q.Limit = by, window%2 == 0, []int{1, 4, 100}[window%3]
				if window > 1 {
					q.From = middle.QueuedAt
				}
				if window > 3 {
					q.Until = middle.QueuedAt.Add(5 * time.Millisecond)
				}
				want := expected(all, q)
				same(t, paged(t, p, q), want)
				count, err := p.History.CountRuns(t.Context(), q)
				must(t, err)
				same(t, count, len(want))
			}
		}
	}
	same(t, paged(t, p, ports.RunList{From: middle.QueuedAt.Add(time.Nanosecond), Until: middle.QueuedAt.Add(time.Microsecond), Limit: 2}), []ports.RunSummary(nil))
	same(t, paged(t, p, ports.RunList{From: p.Now().Add(time.Hour), Until: p.Now(), Limit: 2}), []ports.RunSummary(nil))
}

func runSummaries(t *testing.T, p Ports) {
	all := manyRuns(t, p)
	ids := []ulid.ULID{anEvent(p).InternalID}
	for _, s := range all {
		ids = append(ids, s.RunID)
	}
	found, err := p.History.Summaries(t.Context(), ids)
	must(t, err)
	slices.SortFunc(found, func(a, b ports.RunSummary) int { return a.RunID.Compare(b.RunID) })
	slices.SortFunc(all, func(a, b ports.RunSummary) int { return a.RunID.Compare(b.RunID) })
	same(t, found, all)
	found, err = p.History.Summaries(t.Context(), nil)
	must(t, err)
	same(t, len(found), 0)
}

func runsOfEvents(t *testing.T, p Ports) {
	first, second, third := anEvent(p), anEvent(p), anEvent(p)
	batch := aRun(p, startedBy(first, second))
	batch.Batch = anEvent(p).InternalID
	told()(&batch)
	p.Pass(time.Millisecond)
	again := aRun(p, startedBy(first, second))
	again.Batch, again.Original = batch.Batch, batch.State.ID
	told()(&again)
	schedule(t, p, batch)
	schedule(t, p, again)
	p.Pass(time.Millisecond)
	skipped := aRun(p, startedBy(third), told())
	end := run.Finish{Status: run.Skipped, At: p.Now().UTC()}
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Skipped: []ports.SkippedRun{{
		RunID: skipped.State.ID, FunctionID: aFunction, Event: third.InternalID, End: end, Spans: trace.Ended(skipped.Spans, end, run.FunctionPaused, ulid.ULID{}),
	}}})
	must(t, err)
	found, err := p.History.RunsOfEvents(t.Context(), []ulid.ULID{first.InternalID, second.InternalID, third.InternalID, anEvent(p).InternalID})
	must(t, err)
	got := map[ulid.ULID][]ulid.ULID{}
	for id, runs := range found {
		for _, s := range runs {
			got[id] = append(got[id], s.RunID)
			if s.RunID == again.State.ID {
				same(t, s.OriginalRunID, batch.State.ID)
				same(t, s.Batch, batch.Batch)
				same(t, s.Events, []ulid.ULID{first.InternalID, second.InternalID})
			}
		}
	}
	both := []ulid.ULID{batch.State.ID, again.State.ID}
	same(t, got, map[ulid.ULID][]ulid.ULID{first.InternalID: both, second.InternalID: both, third.InternalID: {skipped.State.ID}})
}

func eventLists(t *testing.T, p Ports) {
	var all []event.Tracked
	for i, name := range []string{"a", "b", event.FunctionFinished, "a", "c", "b", "a"} {
		all = append(all, anEvent(p, named(name)))
		if i != 2 {
			p.Pass(time.Millisecond)
		}
	}
	must(t, p.EventLog.Append(t.Context(), all))
	for _, q := range []ports.EventList{
		{}, {Internal: true}, {Names: []string{"a", "c"}}, {Names: []string{event.FunctionFinished}}, {Names: []string{event.FunctionFinished}, Internal: true},
		{Names: []string{"%", "'"}}, {From: all[1].ReceivedAt}, {From: all[1].ReceivedAt, Until: all[4].ReceivedAt, Internal: true},
		{Until: all[3].ReceivedAt, Names: []string{"a"}}, {From: all[6].ReceivedAt.Add(time.Hour)},
	} {
		var want []event.Tracked
		for _, e := range all {
			internal := e.Name == event.FunctionFinished
			if (q.Internal || !internal) && (len(q.Names) == 0 || slices.Contains(q.Names, e.Name)) &&
				!e.ReceivedAt.Before(q.From) && (q.Until.IsZero() || !e.ReceivedAt.After(q.Until)) {
				want = append(want, e)
			}
		}
		slices.SortFunc(want, func(a, b event.Tracked) int { return b.InternalID.Compare(a.InternalID) })
		var got []event.Tracked
		for q.Limit = 2; ; {
			page, err := p.History.EventPage(t.Context(), q)
			must(t, err)
			got = append(got, page...)
			if len(page) < q.Limit {
				break
			}
			q.Cursor = page[len(page)-1].InternalID
		}
		same(t, got, want)
		count, err := p.History.CountEvents(t.Context(), q)
		must(t, err)
		same(t, count, len(want))
	}
}

func eventsByID(t *testing.T, p Ports) {
	one, other, missing := anEvent(p), anEvent(p), anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{one, other}))
	found, err := p.History.EventsByID(t.Context(), []ulid.ULID{other.InternalID, missing.InternalID, one.InternalID})
	must(t, err)
	want := []event.Tracked{one, other}
	byID := func(a, b event.Tracked) int { return a.InternalID.Compare(b.InternalID) }
	slices.SortFunc(found, byID)
	slices.SortFunc(want, byID)
	same(t, found, want)
}

func endedLists(t *testing.T, p Ports) {
	ctx := ended(t)
	some := []ulid.ULID{anEvent(p).InternalID}
	for name, call := range map[string]func() error{
		"runs":      func() error { _, err := p.History.Runs(ctx, ports.RunList{Limit: 1}); return err },
		"count":     func() error { _, err := p.History.CountRuns(ctx, ports.RunList{}); return err },
		"summaries": func() error { _, err := p.History.Summaries(ctx, some); return err },
		"of events": func() error { _, err := p.History.RunsOfEvents(ctx, some); return err },
		"events":    func() error { _, err := p.History.EventsByID(ctx, some); return err },
		"page":      func() error { _, err := p.History.EventPage(ctx, ports.EventList{Limit: 1}); return err },
		"number":    func() error { _, err := p.History.CountEvents(ctx, ports.EventList{}); return err },
	} {
		if call() == nil {
			t.Errorf("%s: read with an ended context", name)
		}
	}
}
