package embedded

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

func locking(tb testing.TB, mode function.SingletonMode) *flow.Settings {
	tb.Helper()
	return controlled(tb, function.Settings{Singleton: &function.Singleton{Mode: mode}})
}

// TestBatch_IsStoredAsTheReferenceDoes looks at the rows of runs of batches, spec 15 §3.7.
func TestBatch_IsStoredAsTheReferenceDoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	settings := controlled(t, function.Settings{})
	first, second := benchEvent(), benchEvent()
	started := asking(settings, flow.FromBatch, first, second)
	started.Batch = ulid.MustNew(1_700_000_000_123, ulid.DefaultEntropy())
	single := asking(settings, flow.FromBatch, benchEvent())
	single.Batch = ulid.Make()
	skipped := asking(settings, flow.FromBatch, benchEvent(), benchEvent())
	skipped.Batch, skipped.Paused = ulid.Make(), true
	again := asking(settings, flow.FromRerun, first, second)
	again.Batch, again.IdempotencyKey = started.Batch, ""
	for _, next := range []ports.NewRun{started, single, skipped, again} {
		scheduleOne(t, e, next)
		if record, err := e.History().Run(t.Context(), next.State.ID); err != nil || record.BatchID != next.Batch {
			t.Errorf("batch of run %s is %s, %v", next.State.ID, record.BatchID, err)
		}
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := table(t, dir, "SELECT hex(id), typeof(id), account_id, workspace_id, app_id, workflow_id, hex(run_id), typeof(run_id), started_at, executed_at, CAST(event_ids AS TEXT), typeof(event_ids) FROM event_batches ORDER BY id")
	want := strings.Join([]string{
		strings.ToUpper(hexOf(started.Batch)), "blob", ids.AccountIDText, ids.EnvIDText, started.State.AppID.String(), settings.Function.String(),
		strings.ToUpper(hexOf(started.State.ID)), "blob", "2023-11-14 22:13:20.123 +0000 UTC", formatInstant(ulid.Time(started.State.ID.Time())),
		first.InternalID.String() + "," + second.InternalID.String(), "blob",
	}, "|")
	if len(rows) != 2 || rows[0] != want || !strings.HasPrefix(rows[1], strings.ToUpper(hexOf(skipped.Batch))) {
		t.Errorf("batches are stored as\n%s\nwant\n%s", strings.Join(rows, "\n"), want)
	}
}

func TestRetention_DeletesBatchesWithTheirRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := Open(t.Context(), Config{Dir: dir, KeepRuns: 10})
	if err != nil {
		t.Fatal(err)
	}
	shared := []event.Tracked{benchEvent(), benchEvent()}
	const runs = 10 + 2*pruneBatch
	for range runs {
		next := benchRun(shared...)
		next.IdempotencyKey, next.Batch = "", ulid.Make()
		scheduleOne(t, e, next)
		endNow(t, e, next.State)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := table(t, dir, "SELECT run_id FROM event_batches EXCEPT SELECT run_id FROM function_runs")
	kept := table(t, dir, "SELECT COUNT(*) FROM event_batches")
	if left != nil || kept[0] != fmt.Sprint(runs-2*pruneBatch) {
		t.Errorf("%d batches without a run, %s in all", len(left), kept[0])
	}
}

// buckets counts the buckets that are stored.
func buckets(t *testing.T, e *Engine) (stored int) {
	t.Helper()
	err := e.db.read(t.Context(), func(q *db.Queries) error {
		n, err := q.CountBuckets(t.Context())
		stored = int(n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestRetention_ForgetsFullBuckets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		injected := &faults{}
		e := mustOpen(t, Config{Dir: dir})
		settings := controlled(t, function.Settings{RateLimit: &function.RateLimit{Limit: 2, Period: "1h", Key: "event.id"}})
		const full = 3 * pruneBatch / 2
		for range full {
			scheduleOne(t, e, asking(settings, flow.FromEvent, benchEvent()))
		}
		time.Sleep(45 * time.Minute)
		scheduleOne(t, e, asking(settings, flow.FromEvent, benchEvent())) // deletes a batch of them
		limited := benchEvent()
		count := func() {
			next := asking(settings, flow.FromEvent, limited)
			next.IdempotencyKey = ""
			scheduleOne(t, e, next)
		}
		count()
		synctest.Wait()
		if got := buckets(t, e); got != 2 {
			t.Errorf("%d buckets are left, want 2", got)
		}
		time.Sleep(30 * time.Minute)
		count() // takes the row of one that is full
		synctest.Wait()
		e.keep.mu.Lock()
		known := e.keep.buckets
		e.keep.mu.Unlock()
		if got := buckets(t, e); got != known {
			t.Errorf("%d buckets are stored, %d are counted", got, known)
		}

		again := mustOpen(t, Config{Dir: crashed(t, dir), fault: injected.check})
		time.Sleep(time.Hour)
		injected.set(3) // accepting an event is two writes, the third is the retention's
		for range 2 {
			if err := again.EventLog().Append(t.Context(), []event.Tracked{benchEvent()}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(2 * expiryInterval)
		}
		if got := buckets(t, again); got != 0 {
			t.Errorf("after a restart %d buckets are left", got)
		}
	})
}

// TestLocks_CountAsLongAsTheirRun takes a lock whose holder is not in progress, by whatever accident.
func TestLocks_CountAsLongAsTheirRun(t *testing.T) {
	t.Parallel()
	for name, statements := range map[string]string{
		"unreadable": "UPDATE ingot_locks SET run_id = x'00'",
		"gone":       "UPDATE ingot_locks SET run_id = zeroblob(16)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := mustOpen(t, Config{})
			settings := locking(t, function.SingletonSkip)
			holder := asking(settings, flow.FromEvent, benchEvent())
			scheduleOne(t, e, holder)
			damage(t, e, statements)
			next := asking(settings, flow.FromEvent, benchEvent())
			if answer := scheduleOne(t, e, next); answer.Result != flow.Started {
				t.Fatalf("answer is %+v", answer)
			}
			endNow(t, e, holder.State) // which does not free what is another's
			if answer := scheduleOne(t, e, asking(settings, flow.FromEvent, benchEvent())); answer.Result != flow.Skipped {
				t.Errorf("answer is %+v", answer)
			}
		})
	}
}

// TestSchedule_SettledComesBeforeLocked routes an event again whose run holds the lock: it must not be cancelled for itself.
func TestSchedule_SettledComesBeforeLocked(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{})
	settings, accepted := locking(t, function.SingletonCancel), benchEvent()
	if err := e.EventLog().Append(t.Context(), []event.Tracked{accepted}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{nil, ports.ErrConflict} {
		next := asking(settings, flow.FromEvent, accepted)
		next.IdempotencyKey = ""
		_, err := e.Store().Schedule(t.Context(), ports.Schedule{Event: accepted.InternalID, Runs: []ports.NewRun{next}})
		locked := (*ports.LockedError)(nil)
		if !errors.Is(err, want) || errors.As(err, &locked) {
			t.Errorf("error is %v, want %v", err, want)
		}
	}
}

// TestSchedule_NothingGoesIntoTheHoldThatItSettles routes an event of a batch to its function again in the call that takes the
// batch away.
func TestSchedule_NothingGoesIntoTheHoldThatItSettles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		settings := debouncing(t)
		scheduleOne(t, e, asking(settings, flow.FromEvent, benchEvent()))
		h, err := e.Holds().Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		next := asking(settings, flow.FromEvent, benchEvent())
		answer, err := e.Store().Schedule(t.Context(), ports.Schedule{Hold: h.HoldRef, Runs: []ports.NewRun{next}})
		if err != nil || answer[0].Result != flow.IntoDebounce {
			t.Fatalf("%+v, %v", answer, err)
		}
		got, err := e.Holds().Take(t.Context())
		if err != nil || got.HoldRef != (ports.HoldRef{ID: next.State.ID, Revision: 1}) {
			t.Errorf("took %+v, %v", got, err)
		}
	})
}

// TestSchedule_LockOutlivesTheCache reads the lock of a run from its head, and frees it.
func TestSchedule_LockOutlivesTheCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := mustOpen(t, Config{Dir: dir, CacheBytes: -1})
	settings := locking(t, function.SingletonSkip)
	holder := asking(settings, flow.FromEvent, benchEvent())
	scheduleOne(t, e, holder)
	state, err := e.Store().Load(t.Context(), holder.State.ID)
	if err != nil || state.Lock != settings.Function.String() {
		t.Fatalf("lock is %q, %v", state.Lock, err)
	}
	endNow(t, e, state)
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows := table(t, dir, "SELECT * FROM ingot_locks"); rows != nil {
		t.Errorf("locks %v are left", rows)
	}
}
