package portstest

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// testRuns is the contract of what the store says of a function's runs in progress, of fences before them, and of runs that
// do not start.
func testRuns(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"RunsOf/are those of the function, in order, page by page": runsOfPages,
		"RunsOf/are selected by time, exclusively":                 runsOfTimes,
		"RunsOf/are those in progress":                             runsOfInProgress,
		"RunsOf/equals a plain list":                               runsOfModel,
		"Fence/refuses runs that are older":                        fenceRefuses,
		"Fence/stays where it is latest":                           fenceStays,
		"Fence/comes after every run that was created":             fenceAtOnce,
		"Skipped/are in history and nowhere else":                  skippedRecorded,
		"Skipped/are all or nothing":                               skippedCut,
	})
}

// runsOf asks for runs, all of them unless the query says otherwise.
func runsOf(t tb, p Ports, q ports.RunsQuery) []ulid.ULID {
	t.Helper()
	if q.Function == uuid.Nil {
		q.Function = aFunction
	}
	if q.Limit == 0 {
		q.Limit = 1000
	}
	found, err := p.Store.RunsOf(t.Context(), q)
	must(t, err)
	return found
}

// withID gives a run the ID of a time, whose last byte is n.
func withID(at time.Time, n byte) func(*ports.NewRun) {
	return func(next *ports.NewRun) {
		id := ulid.ULID{15: n}
		_ = id.SetTime(ulid.Timestamp(at))
		next.State.ID, next.Start.RunID = id, id
	}
}

func runsOfPages(t *testing.T, p Ports) {
	other := uuid.MustParse("11111111-1111-4111-8111-111111111111")
	now := p.Now()
	var want []ulid.ULID
	for n := range byte(5) {
		next := aRun(p, withID(now.Add(time.Duration(n/2)*time.Millisecond), n+1))
		schedule(t, p, aRun(p, ofFunction(other)), next)
		want = append(want, next.State.ID)
	}
	same(t, runsOf(t, p, ports.RunsQuery{}), want)
	p = restarted(p)
	same(t, runsOf(t, p, ports.RunsQuery{Limit: 2}), want[:2])
	same(t, runsOf(t, p, ports.RunsQuery{Limit: 2, Cursor: want[1]}), want[2:4])
	same(t, runsOf(t, p, ports.RunsQuery{Limit: 2, Cursor: want[3]}), want[4:])
	same(t, runsOf(t, p, ports.RunsQuery{Cursor: want[4]}), []ulid.ULID(nil))
	same(t, len(runsOf(t, p, ports.RunsQuery{Function: other})), 5)
	same(t, runsOf(t, p, ports.RunsQuery{Function: uuid.New()}), []ulid.ULID(nil))
	if _, err := p.Store.RunsOf(ended(t), ports.RunsQuery{Function: aFunction, Limit: 1}); err == nil {
		t.Fatal("listed with an ended context")
	}
}

func runsOfTimes(t *testing.T, p Ports) {
	begin := p.Now().UTC().Truncate(time.Millisecond)
	ms := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Millisecond) }
	var all []ulid.ULID
	for n := range 4 {
		next := aRun(p, withID(ms(n), byte(n)))
		schedule(t, p, next)
		all = append(all, next.State.ID)
	}
	same(t, runsOf(t, p, ports.RunsQuery{After: ms(0), Before: ms(3)}), all[1:3])
	same(t, runsOf(t, p, ports.RunsQuery{After: ms(0).Add(time.Nanosecond), Before: ms(3).Add(time.Nanosecond)}), all[1:4])
	same(t, runsOf(t, p, ports.RunsQuery{After: ms(0).Add(-time.Nanosecond)}), all)
	same(t, runsOf(t, p, ports.RunsQuery{Before: ms(1)}), all[:1])
	same(t, runsOf(t, p, ports.RunsQuery{After: ms(0), Cursor: all[2]}), all[3:])
	same(t, runsOf(t, p, ports.RunsQuery{After: ms(2), Cursor: all[0]}), all[3:])
	same(t, runsOf(t, p, ports.RunsQuery{After: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), Before: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}), all)
}

func runsOfInProgress(t *testing.T, p Ports) {
	first, second := aRun(p, withKey("a")), aRun(p)
	duplicate := aRun(p, withKey("a"))
	schedule(t, p, first, duplicate)
	must(t, p.Queue.Park(t.Context(), lease(t, p), "broken"))
	schedule(t, p, second)
	finish(t, p, lease(t, p))
	p = restarted(p)
	same(t, runsOf(t, p, ports.RunsQuery{}), []ulid.ULID{first.State.ID})
}

// runsOfModel adds and ends runs in any order and compares every answer with a plain list.
func runsOfModel(t *testing.T, p Ports) {
	begin := p.Now().UTC().Truncate(time.Millisecond)
	// In a bubble of synctest a test may not be asked for its deadline, which rapid does if it can.
	rapid.Check(struct{ rapid.TB }{t}, func(r *rapid.T) {
		function := uuid.New()
		var list []ulid.ULID
		for n := range byte(rapid.IntRange(0, 60).Draw(r, "runs")) {
			next := aRun(p, ofFunction(function), withID(begin.Add(time.Duration(rapid.IntRange(0, 20).Draw(r, "ms"))*time.Millisecond), n))
			next.State.ID[14], next.State.ID[13] = function[0], function[1]
			next.Start.RunID = next.State.ID
			schedule(r, p, next)
			list = append(list, next.State.ID)
			if rapid.IntRange(0, 2).Draw(r, "ends") > 0 {
				at := rapid.IntRange(0, len(list)-1).Draw(r, "which")
				state := load(r, p, list[at])
				t := run.Transition{Finish: &run.Finish{Status: run.Cancelled, At: p.Now().UTC()}}
				_, err := p.Store.Commit(r.Context(), ports.Commit{State: state, Transition: t})
				must(r, err)
				list = slices.Delete(list, at, at+1)
			}
		}
		slices.SortFunc(list, ulid.ULID.Compare)
		same(r, runsOf(r, p, ports.RunsQuery{Function: function}), list)
		q := ports.RunsQuery{
			Function: function, After: begin.Add(time.Duration(rapid.IntRange(-1, 10).Draw(r, "after")) * time.Millisecond),
			Before: begin.Add(time.Duration(rapid.IntRange(5, 21).Draw(r, "before")) * time.Millisecond), Limit: rapid.IntRange(1, 5).Draw(r, "limit"),
		}
		if len(list) > 0 {
			q.Cursor = rapid.SampledFrom(list).Draw(r, "cursor")
		}
		var want []ulid.ULID
		for _, id := range list {
			if at := ulid.Time(id.Time()); id.Compare(q.Cursor) > 0 && at.After(q.After) && at.Before(q.Before) && len(want) < q.Limit {
				want = append(want, id)
			}
		}
		same(r, runsOf(r, p, q), want)
	})
}

func fenceRefuses(t *testing.T, p Ports) {
	now := p.Now().UTC().Truncate(time.Millisecond)
	tracked, published := anEvent(p), anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	old, other := aRun(p, withID(now.Add(-time.Millisecond), 1)), aRun(p, withID(now.Add(-time.Millisecond), 2), ofFunction(uuid.New()))
	must(t, p.Store.Fence(t.Context(), aFunction, now))
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{
		Event: tracked.InternalID, Runs: []ports.NewRun{other, old}, Publish: []event.Tracked{published},
		Skipped: []ports.SkippedRun{{RunID: tracked.InternalID, FunctionID: aFunction, Event: tracked.InternalID}},
	})
	is(t, err, ports.ErrOutdated)
	is(t, err, ports.ErrUnavailable)
	_, err = p.Store.Load(t.Context(), other.State.ID)
	is(t, err, ports.ErrNotFound)
	_, err = p.History.Event(t.Context(), published.InternalID)
	is(t, err, ports.ErrNotFound)

	young := aRun(p, withID(now, 3))
	_, err = p.Store.Schedule(t.Context(), ports.Schedule{Event: tracked.InternalID, Runs: []ports.NewRun{other, young}})
	must(t, err)
	same(t, runsOf(t, p, ports.RunsQuery{}), []ulid.ULID{young.State.ID})

	if p.Restart != nil { // whoever made the run is gone, too
		p = restarted(p)
		schedule(t, p, old)
	}
	if err := p.Store.Fence(ended(t), aFunction, now); err == nil {
		t.Fatal("fenced with an ended context")
	}
}

func fenceStays(t *testing.T, p Ports) {
	now := p.Now()
	must(t, p.Store.Fence(t.Context(), aFunction, now))
	must(t, p.Store.Fence(t.Context(), aFunction, now.Add(-time.Hour)))
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{aRun(p, withID(now.Add(-time.Minute), 1))}})
	is(t, err, ports.ErrOutdated)
}

// fenceAtOnce has some create runs while another puts up a fence: those that are not refused are listed behind it.
func fenceAtOnce(t *testing.T, p Ports) {
	const callers = 8
	now := p.Now()
	old := now.Add(-time.Second)
	created := make(chan ulid.ULID, callers)
	var listed []ulid.ULID
	atOnce(t, callers, func(caller int) error {
		if caller == 0 {
			if err := p.Store.Fence(t.Context(), aFunction, now); err != nil {
				return err
			}
			var err error
			listed, err = p.Store.RunsOf(t.Context(), ports.RunsQuery{Function: aFunction, Limit: callers})
			return err
		}
		next := aRun(p, withID(old, byte(caller)))
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}})
		if err == nil {
			created <- next.State.ID
		}
		return err
	}, ports.ErrOutdated)
	close(created)
	var want []ulid.ULID
	for id := range created {
		want = append(want, id)
	}
	slices.SortFunc(want, ulid.ULID.Compare)
	same(t, listed, want)
}

// aSkip is a run of the function that the event does not start.
func aSkip(p Ports, tracked event.Tracked) ports.SkippedRun {
	return ports.SkippedRun{
		RunID: anEvent(p).InternalID, FunctionID: aFunction, Event: tracked.InternalID, Cron: "* * * * *",
		End: run.Finish{Status: run.Skipped, Output: json.RawMessage(`{"why":"ü"}`), At: p.Now().UTC()},
	}
}

func skippedRecorded(t *testing.T, p Ports) {
	tracked := anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	skipped, started := aSkip(p, tracked), aRun(p, startedBy(tracked))
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{
		Event: tracked.InternalID, Runs: []ports.NewRun{started}, Skipped: []ports.SkippedRun{skipped},
	})
	must(t, err)
	p = restarted(p)
	record, err := p.History.Run(t.Context(), skipped.RunID)
	must(t, err)
	same(t, record, ports.RunRecord{
		RunID: skipped.RunID, StartedAt: ulid.Time(skipped.RunID.Time()).UTC(), FunctionID: aFunction, EventID: tracked.InternalID,
		Cron: "* * * * *", Status: run.Skipped, EndedAt: skipped.End.At, Output: []byte(`{"why":"ü"}`),
	})
	records, err := p.History.EventRuns(t.Context(), tracked.InternalID)
	must(t, err)
	same(t, len(records), 2)
	_, err = p.Store.Load(t.Context(), skipped.RunID)
	is(t, err, ports.ErrNotFound)
	same(t, runsOf(t, p, ports.RunsQuery{}), []ulid.ULID{started.State.ID})
	finish(t, p, lease(t, p))
	if leaseSoon(t, p) != nil {
		t.Fatal("a skipped run has a job")
	}
	same(t, len(takeSoon(t, p, 10)), 0)
}

func skippedCut(t *testing.T, p Ports) {
	tracked := anEvent(p)
	must(t, p.EventLog.Append(t.Context(), []event.Tracked{tracked}))
	takeSoon(t, p, 1)
	skipped := aSkip(p, tracked)
	cut(t, p, func() error {
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: tracked.InternalID, Skipped: []ports.SkippedRun{skipped}})
		return err
	}, func(t *testing.T) {
		_, err := p.History.Run(t.Context(), skipped.RunID)
		is(t, err, ports.ErrNotFound)
		must(t, p.EventLog.Release(t.Context(), tracked.InternalID, p.Now()))
		same(t, takeSoon(t, p, 10), []event.Tracked{tracked})
	})
}
