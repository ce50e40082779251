package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// counts returns how many finished runs, events and keys are stored.
func counts(t *testing.T, e *Engine) (runs, events, keys int) {
	t.Helper()
	err := e.db.read(t.Context(), func(q *db.Queries) error {
		finished, err := q.ListFinishedRunIDs(t.Context())
		if err != nil {
			return err
		}
		stored, err := q.ListEventIDs(t.Context())
		if err != nil {
			return err
		}
		used, err := q.CountIdempotency(t.Context())
		runs, events, keys = len(finished), len(stored), int(used)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return runs, events, keys
}

// through takes an event all the way: accepted, routed to one run, which ends and publishes its end, which is settled.
func through(t testing.TB, e *Engine, started event.Tracked) run.State {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(e.EventLog().Append(t.Context(), []event.Tracked{started}))
	next := benchRun(started)
	_, err := e.Store().Schedule(t.Context(), ports.Schedule{Event: started.InternalID, Runs: []ports.NewRun{next}})
	must(err)
	end := benchFinish(next.State)
	_, err = e.Store().Commit(t.Context(), ports.Commit{
		State: next.State, Publish: []event.Tracked{end},
		Transition: run.Transition{Finish: &run.Finish{Status: run.Completed, Output: json.RawMessage(`1`), At: time.Now()}},
	})
	must(err)
	_, err = e.Store().Schedule(t.Context(), ports.Schedule{Event: end.InternalID})
	must(err)
	return next.State
}

// attach gives a run metadata.
func attach(t *testing.T, e *Engine, id ulid.ULID) {
	t.Helper()
	update := metadata.Update{Target: metadata.OfRun(), Kind: "userland.a", Op: metadata.Set, Values: metadata.Values{"n": json.RawMessage("1")}}
	if err := e.Metadata().Put(t.Context(), id, []metadata.Update{update}); err != nil {
		t.Fatal(err)
	}
}

// attached counts the rows of metadata of a run, whether or not there is such a run.
func attached(t *testing.T, e *Engine, id ulid.ULID) (rows int) {
	t.Helper()
	err := e.db.read(t.Context(), func(q *db.Queries) error {
		all, err := q.ListMetadata(t.Context(), id[:])
		rows = len(all)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestRetention_KeepsTheNewest(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Dir: dir, KeepRuns: 100, KeepEvents: 300, KeepKeys: 200}
			e := mustOpen(t, cfg)
			unrouted := benchEvent()
			if err := e.EventLog().Append(t.Context(), []event.Tracked{unrouted}); err != nil {
				t.Fatal(err)
			}
			large := benchEvent()
			large.Data = json.RawMessage(`"` + string(make([]byte, 2*embedLimit)) + `"`)
			if err := e.EventLog().Append(t.Context(), []event.Tracked{large}); err != nil {
				t.Fatal(err)
			}
			living := benchRun(large)
			if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Event: large.InternalID, Runs: []ports.NewRun{living}}); err != nil {
				t.Fatal(err)
			}
			var first, last run.State
			for i := range 1000 {
				last = through(t, e, benchEvent())
				if i == 0 {
					first = last
				}
				attach(t, e, last.ID)
			}
			runs, events, keys := counts(t, e)
			for what, span := range map[string][3]int{"runs": {runs, 100, 100}, "events": {events, 300, 300}, "keys": {keys, 200, 200}} {
				if span[0] < span[1] || span[0] > span[2]+2*pruneBatch {
					t.Errorf("%d %s are left, want about %d", span[0], what, span[1])
				}
			}
			if _, err := e.History().Run(t.Context(), first.ID); err == nil {
				t.Error("the oldest run is still there")
			}
			if _, err := e.History().Run(t.Context(), last.ID); err != nil {
				t.Error(err)
			}
			for id, want := range map[ulid.ULID]int{first.ID: 0, last.ID: 1} {
				if got := attached(t, e, id); got != want {
					t.Errorf("run %s has %d rows of metadata, want %d", id, got, want)
				}
			}
			for _, needed := range []ulid.ULID{unrouted.InternalID, large.InternalID} {
				if _, err := e.History().Event(t.Context(), needed); err != nil {
					t.Errorf("an event that is needed: %v", err)
				}
			}
			if _, err := e.store.loadCold(t.Context(), living.State.ID); err != nil {
				t.Error(err)
			}

			// What was needed goes when it no longer is.
			_, err := e.Store().Commit(t.Context(), ports.Commit{State: living.State, Transition: run.Transition{Finish: &run.Finish{Status: run.Cancelled, At: time.Now()}}})
			if err != nil {
				t.Fatal(err)
			}
			for range 600 {
				through(t, e, benchEvent())
			}
			if _, err := e.History().Event(t.Context(), large.InternalID); err == nil {
				t.Error("an event that was needed is still there")
			}
			if dir != "" {
				again := mustOpen(t, Config{Dir: crashed(t, dir), KeepRuns: 100, KeepEvents: 300, KeepKeys: 200})
				for range 2 * pruneBatch {
					through(t, again, benchEvent())
				}
				if runs, events, _ := counts(t, again); runs > 100+2*pruneBatch || events > 300+2*pruneBatch {
					t.Errorf("after a restart %d runs and %d events are left", runs, events)
				}
			}
		})
	}
}

// TestRetention_KeepsWhatIsHeld keeps the rows of events that wait in batches and debounces, until they do not any more.
func TestRetention_KeepsWhatIsHeld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := Config{Dir: dir, KeepRuns: 100, KeepEvents: 100}
	e := mustOpen(t, cfg)
	batched, debounced := batching(t, 3), controlled(t, function.Settings{Debounce: &function.Debounce{Period: "1h"}})
	hold := func(settings *flow.Settings) event.Tracked {
		t.Helper()
		held := benchEvent()
		if err := e.EventLog().Append(t.Context(), []event.Tracked{held}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Event: held.InternalID, Runs: []ports.NewRun{asking(settings, flow.FromEvent, held)}}); err != nil {
			t.Fatal(err)
		}
		return held
	}
	stored := func(when string, want bool, events ...event.Tracked) {
		t.Helper()
		for range 4 { // more than is kept, and time to delete in between
			newer := make([]event.Tracked, pruneBatch)
			for i := range newer {
				newer[i] = benchEvent()
			}
			if err := e.EventLog().Append(t.Context(), newer); err != nil {
				t.Fatal(err)
			}
		}
		for _, one := range events {
			if _, err := e.History().Event(t.Context(), one.InternalID); (err == nil) != want {
				t.Errorf("%s: event %s: %v", when, one.InternalID, err)
			}
		}
	}
	first, second, dropped := hold(batched), hold(batched), hold(debounced)
	stored("while they wait", true, first, second, dropped)
	waiting := hold(debounced)
	stored("superseded", false, dropped)
	e = mustOpen(t, Config{Dir: crashed(t, dir), KeepRuns: 100, KeepEvents: 100})
	stored("after a restart", true, first, second, waiting)

	third := hold(batched)
	full, err := e.Holds().Take(t.Context())
	if err != nil || len(full.Events) != 3 {
		t.Fatalf("took %+v, %v", full, err)
	}
	schedule := ofHold(batched, full)
	if _, err := e.Store().Schedule(t.Context(), schedule); err != nil {
		t.Fatal(err)
	}
	stored("their run is in progress", true, first, second, third)
	_, err = e.Store().Commit(t.Context(), ports.Commit{
		State: schedule.Runs[0].State, Transition: run.Transition{Finish: &run.Finish{Status: run.Cancelled, At: time.Now()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	stored("their run has ended", false, first, second, third)
	stored("it waits still", true, waiting)
	if held := len(e.keep.needed); held != 1 {
		t.Errorf("%d events are needed", held)
	}
}

func TestRetention_ForgetsKeysAfterADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		const runs = 3 * pruneBatch / 2
		for range runs {
			through(t, e, benchEvent())
		}
		if _, _, keys := counts(t, e); keys != runs {
			t.Fatalf("%d keys, want %d", keys, runs)
		}
		time.Sleep(keyLife + expiryInterval)
		for range 3 { // a batch at a time, with the writes that happen anyway
			if err := e.EventLog().Append(t.Context(), []event.Tracked{benchEvent()}); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, keys := counts(t, e); keys != 0 {
			t.Errorf("%d keys are left", keys)
		}
	})
}

func TestRetention_CountsAKeyThatReplacesAnExpiredOneOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		for range 3 {
			next := benchRun(benchEvent())
			next.IdempotencyKey = "the same each day"
			answer, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}})
			if err != nil || answer[0].Result == flow.Duplicate {
				t.Fatalf("%+v, %v", answer, err)
			}
			time.Sleep(keyLife)
		}
		_, _, stored := counts(t, e)
		e.keep.mu.Lock()
		defer e.keep.mu.Unlock()
		if stored != 1 || e.keep.keys != stored {
			t.Errorf("%d keys are stored, %d are counted", stored, e.keep.keys)
		}
	})
}

func TestRetention_TriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		injected := &faults{}
		e := mustOpen(t, Config{KeepRuns: 10, KeepEvents: 10, KeepKeys: 10, fault: injected.check})
		for range 10 + pruneBatch - 1 {
			through(t, e, benchEvent())
		}
		before, _, _ := counts(t, e)
		started := benchEvent()
		if err := e.EventLog().Append(t.Context(), []event.Tracked{started}); err != nil {
			t.Fatal(err)
		}
		next := benchRun(started)
		if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Event: started.InternalID, Runs: []ports.NewRun{next}}); err != nil {
			t.Fatal(err)
		}
		injected.set(4) // three writes end the run, the fourth is the retention's
		if _, err := e.Store().Commit(t.Context(), ports.Commit{State: next.State, Transition: run.Transition{Finish: &run.Finish{Status: run.Completed, At: time.Now()}}}); err != nil {
			t.Fatal(err)
		}
		if after, _, _ := counts(t, e); after != before+1 {
			t.Errorf("%d runs are left of %d although deleting failed", after, before+1)
		}
		for range 2 {
			through(t, e, benchEvent())
		}
		if after, _, _ := counts(t, e); after > before {
			t.Errorf("%d runs are left", after)
		}
	})
}

// sleeping is a retention that keeps 100 events while runs that some of the older ones started go on.
func sleeping(runs int) *retention {
	r := newRetention(Config{KeepRuns: -1, KeepEvents: 100, KeepKeys: -1})
	for range runs {
		started := []event.Tracked{benchEvent()}
		r.accepted(started)
		r.started(run.State{Events: started}, false)
	}
	return r
}

// BenchmarkRetention_ManySleepers chooses what to delete after one event more that nobody needs, while many runs sleep.
func BenchmarkRetention_ManySleepers(b *testing.B) {
	for _, runs := range []int{0, 1e3, 1e5} {
		b.Run(fmt.Sprintf("runs=%d", runs), func(b *testing.B) {
			r := sleeping(runs)
			deleted, done := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				var id ulid.ULID
				done++
				binary.BigEndian.PutUint64(id[:], uint64(done))
				r.accepted([]event.Tracked{{InternalID: id}})
				deleted += len(r.plan(time.Time{}).events)
			}
			b.ReportMetric(float64(done-deleted), "left")
		})
	}
}

// passEvents has the retention see n events that nobody needs, and returns all that it deletes meanwhile.
func passEvents(r *retention, n int) (deleted []ulid.ULID) {
	for range n {
		r.accepted([]event.Tracked{benchEvent()})
		deleted = append(deleted, r.plan(time.Time{}).events...)
	}
	return deleted
}

func TestRetention_SetsNeededEventsAsideUntilTheyAreNot(t *testing.T) {
	t.Parallel()
	const keep, runs = 100, 600
	r := newRetention(Config{KeepRuns: -1, KeepEvents: keep, KeepKeys: -1})
	looked, routing := map[ulid.ULID]int{}, map[ulid.ULID]bool{}
	r.needs = func(id ulid.ULID) bool { looked[id]++; return routing[id] }
	var living []run.State
	for range runs {
		s := run.State{Events: []event.Tracked{benchEvent(), benchEvent()}}
		r.accepted(s.Events)
		r.started(s, false)
		living = append(living, s)
	}
	unrouted := benchEvent()
	routing[unrouted.InternalID] = true
	r.accepted([]event.Tracked{unrouted})

	for _, id := range passEvents(r, 10*pruneBatch) {
		if r.needed[id] > 0 || routing[id] {
			t.Fatalf("event %s is deleted although it is needed", id)
		}
	}
	if len(r.aside) != 2*runs+1 || looked[unrouted.InternalID] != 1 || r.events.len() > keep+2*pruneBatch {
		t.Errorf("%d events are aside, %d wait, the one to be routed was looked at %d times", len(r.aside), r.events.len(), looked[unrouted.InternalID])
	}

	// One run of two that share an event, and a run that starts from an old event again.
	again := run.State{Events: living[1].Events}
	r.started(again, false)
	for _, s := range living {
		r.ended(s)
	}
	routing[unrouted.InternalID] = false
	r.settled(unrouted.InternalID)
	r.settled(unrouted.InternalID)
	if len(r.aside) != 2 || r.freed.len() != 2*runs-1 {
		t.Errorf("%d events are aside, %d are free", len(r.aside), r.freed.len())
	}
	freed := map[ulid.ULID]bool{unrouted.InternalID: true}
	for _, s := range living {
		freed[s.Events[0].InternalID], freed[s.Events[1].InternalID] = true, true
	}
	count := 0
	for _, id := range passEvents(r, 2*pruneBatch) {
		if freed[id] {
			count++
		}
	}
	if count != 2*runs-1 {
		t.Errorf("%d events that are needed no longer are deleted, want %d", count, 2*runs-1)
	}

	// What is free may be needed once more before it is deleted.
	r.ended(again)
	r.started(again, false)
	passEvents(r, 2*pruneBatch)
	if len(r.aside) != 2 || r.freed.len() != 0 {
		t.Errorf("%d events are aside, %d are free", len(r.aside), r.freed.len())
	}
}

// TestRetention_SkippedRuns deletes the oldest of them, as of others that have ended.
func TestRetention_SkippedRuns(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{KeepRuns: 10})
	var all []ulid.ULID
	for range 3 {
		var schedule ports.Schedule
		for range 200 {
			skipped := ports.SkippedRun{RunID: ulid.Make(), FunctionID: benchFunction, End: run.Skip(flow.SkippedByPause, time.Now())}
			schedule.Skipped = append(schedule.Skipped, skipped)
			all = append(all, skipped.RunID)
		}
		if _, err := e.Store().Schedule(t.Context(), schedule); err != nil {
			t.Fatal(err)
		}
	}
	if runs, _, _ := counts(t, e); runs < 10 || runs >= 10+pruneBatch {
		t.Errorf("%d runs are kept", runs)
	}
	if _, err := e.History().Run(t.Context(), all[0]); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("the first is there: %v", err)
	}
	if _, err := e.History().Run(t.Context(), all[len(all)-1]); err != nil {
		t.Error(err)
	}
}
