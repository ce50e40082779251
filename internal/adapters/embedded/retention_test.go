package embedded

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
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
			if err != nil || answer[0].Duplicate {
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
	counts(t, e)    // goes through the writer, so its deletions of before are over
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
}

// TestRetention_SkippedRuns deletes the oldest of them, as of others that have ended.
func TestRetention_SkippedRuns(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{KeepRuns: 10})
	var all []ulid.ULID
	for range 3 {
		var schedule ports.Schedule
		for range 200 {
			skipped := ports.SkippedRun{RunID: ulid.Make(), FunctionID: benchFunction, End: run.Skip(run.FunctionPaused, time.Now())}
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
