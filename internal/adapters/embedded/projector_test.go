package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// begun schedules a run and returns its ID.
func begun(t *testing.T, e *Engine) ulid.ULID {
	t.Helper()
	next := newRunOf(specOf(time.Now()))
	if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
		t.Fatal(err)
	}
	return next.State.ID
}

// ended takes the next run that is due to its end.
func ended(t *testing.T, e *Engine) {
	t.Helper()
	answered(t, e, sdk.Reply{Status: 200, Output: json.RawMessage(`1`)})
}

// statuses are those of the rows that are written of runs, in the order of the runs, and what is left in the log and beside it.
func statuses(t *testing.T, e *Engine) (rows []string, log string) {
	t.Helper()
	synctest.Wait()
	log = rowsOf(t, e, "SELECT (SELECT COUNT(*) FROM ingot_history_log)||' '||(SELECT COUNT(*) FROM ingot_history_written)")[0]
	return rowsOf(t, e, "SELECT name||' '||status FROM spans ORDER BY run_id, start_time, name"), log
}

// TestProject_WaitsForTheEndOfARun: what has ended is written soon and leaves the log though an older run goes on; that one is written
// after a while, and the log is empty then.
func TestProject_WaitsForTheEndOfARun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{Dir: dir})
		begun(t, e)
		answered(t, e, sdk.Reply{Status: 206, RequestVersion: 2, Ops: []sdk.Op{{Op: sdk.OpSleep, ID: "z", Name: "1h"}}})
		time.Sleep(time.Millisecond)
		begun(t, e)
		ended(t, e)
		time.Sleep(projectAfter)
		rows, log := statuses(t, e)
		if want := []string{"executor.run Completed"}; !slices.Equal(rows, want) || log != "4 1" {
			t.Errorf("%v, log %s", rows, log)
		}
		time.Sleep(waitAtMost - projectAfter)
		rows, log = statuses(t, e)
		want := []string{"executor.run Running", "executor.step Sleeping", "executor.run Completed"}
		if !slices.Equal(rows, want) || log != "0 0" {
			t.Errorf("%v, log %s", rows, log)
		}
	})
}

// TestProject_WritesTheRunThatIsAskedFor: who asks for a run does not have the others written.
func TestProject_WritesTheRunThatIsAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{Dir: t.TempDir()})
		first, second := begun(t, e), begun(t, e)
		for _, id := range []ulid.ULID{second, second, ulid.Make()} {
			spans, err := e.History().Spans(t.Context(), id)
			if known := id == second; err != nil || len(spans) == 1 != known {
				t.Errorf("%d spans, %v", len(spans), err)
			}
		}
		if rows, log := statuses(t, e); len(rows) != 1 || log != "2 1" {
			t.Errorf("%v, log %s", rows, log)
		}
		if _, err := e.History().Runs(t.Context(), ports.RunList{Limit: 5}); err != nil {
			t.Fatal(err)
		}
		if rows, log := statuses(t, e); len(rows) != 2 || log != "0 0" {
			t.Errorf("%v, log %s", rows, log)
		}
		if spans, err := e.History().Spans(t.Context(), first); err != nil || len(spans) != 1 {
			t.Errorf("%d spans, %v", len(spans), err)
		}
	})
}

// TestRestore_KnowsWhatIsWritten: of a log from which nothing may be deleted yet, what is written is not written again by the next
// process, what came later of the same runs is, and numbers of transactions are not used again.
func TestRestore_KnowsWhatIsWritten(t *testing.T) {
	t.Parallel()
	outer, dir := t, t.TempDir()
	var left string
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{Dir: dir})
		begun(t, e)
		answered(t, e, sdk.Reply{Status: 206, RequestVersion: 2, Ops: []sdk.Op{{Op: sdk.OpSleep, ID: "z", Name: "1h"}}})
		time.Sleep(time.Millisecond)
		asked := begun(t, e)
		if _, err := e.History().Spans(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
		ended(t, e)
		time.Sleep(time.Millisecond)
		begun(t, e)
		ended(t, e)
		time.Sleep(projectAfter)
		rows, log := statuses(t, e)
		if len(rows) != 3 || log != "6 2" {
			t.Errorf("%v, log %s", rows, log)
		}
		left = crashed(outer, dir)
	})
	for range 2 {
		e := mustOpen(t, Config{Dir: left})
		got := rowsOf(t, e, "SELECT group_concat(name||' '||status, ', ' ORDER BY run_id, start_time, name)||'; '||(SELECT COUNT(*) FROM ingot_history_log)||' '||(SELECT COUNT(*) FROM ingot_history_written) FROM spans")
		want := "executor.run Running, executor.step Sleeping, EXTEND Completed, executor.run Queued, executor.run Completed; 0 0"
		if got[0] != want {
			t.Errorf("got  %s\nwant %s", got[0], want)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRestore_RefusesADamagedList: what cannot be read of what is written would have runs written twice.
func TestRestore_RefusesADamagedList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := mustOpen(t, Config{Dir: dir})
	rowsOf(t, e, "INSERT INTO ingot_history_written (seq, runs) VALUES (1, x'ff')")
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, errDamaged) {
		t.Error(err)
	}
}

// TestForget_LastsOverACrash: a run that is deleted while it waits, or while it is being written, is not written later, nor by the next
// process; the others are.
func TestForget_LastsOverACrash(t *testing.T) {
	t.Parallel()
	outer, dir := t, t.TempDir()
	var left string
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{Dir: dir})
		p := e.writer.history
		var runs []ulid.ULID
		for range 3 {
			runs = append(runs, begun(t, e))
			ended(t, e)
			time.Sleep(time.Millisecond) // the next ID comes after
		}
		_, err := p.write(t.Context(), func() []*unwritten { return p.takeOf(runs[1:]) }, func(context.Context, *operation) error { return errInjected })
		if err == nil {
			t.Fatal("written")
		}
		waits := begun(t, e)
		gone := &operation{apply: func(tx *tx) error { return p.forget(tx, append(runs[1:2:2], waits, ulid.Make())) }}
		if err := p.submit(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		left = crashed(outer, dir)
		onlyRuns(t, e, runs[0], runs[2])
	})
	onlyRuns(t, mustOpen(t, Config{Dir: left}), ulid.ULID{}, ulid.ULID{})
}

// onlyRuns fails the test unless history shows two runs: these, if they are known.
func onlyRuns(t *testing.T, e *Engine, runs ...ulid.ULID) {
	t.Helper()
	if err := e.writer.history.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := rowsOf(t, e, "SELECT DISTINCT run_id FROM spans ORDER BY run_id")
	if len(got) != 2 || !runs[0].IsZero() && strings.Join(got, " ") != fmt.Sprint(runs[0], " ", runs[1]) {
		t.Errorf("history shows %v", got)
	}
}

// TestWriteSpans_GivesAFreeID: rows whose IDs are used already, as when the attempts of a job were counted anew, are written under
// others, wherever they are among those of one statement.
func TestWriteSpans_GivesAFreeID(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{})
	rows := make([]trace.Span, 2*spansAtOnce+1)
	for i := range rows {
		rows[i] = benchSpans()[0]
		rows[i].Summary, rows[i].Name = nil, trace.NameStep
	}
	some := []trace.Span{rows[1], rows[spansAtOnce-1], rows[2*spansAtOnce]}
	for _, list := range [][]trace.Span{some, rows, rows[:spansAtOnce]} {
		if err := e.writer.do(t.Context(), &operation{apply: func(t *tx) error { return writeSpans(t, list) }}); err != nil {
			t.Fatal(err)
		}
	}
	twice := []trace.Span{benchSpans()[0], rows[spansAtOnce], rows[spansAtOnce+1]}
	for i := range twice {
		twice[i].Summary, twice[i].Name = nil, trace.NameStep
	}
	for len(twice) < spansAtOnce { // the first is refused twice, since it is there and comes again
		twice = append(twice, twice[0])
	}
	if err := e.writer.do(t.Context(), &operation{apply: func(t *tx) error { return writeSpans(t, twice) }}); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, e, "SELECT span_id FROM spans WHERE run_id = '"+twice[0].Run.String()+"'"); len(got) != spansAtOnce-2 {
		t.Errorf("%d rows of a run with %d that have one ID", len(got), spansAtOnce-2)
	}
	for i, s := range rows {
		if i == spansAtOnce || i == spansAtOnce+1 {
			continue
		}
		want := []string{s.ID}
		if i < spansAtOnce {
			want = append(want, trace.ExtendID(want[len(want)-1], "again"))
		}
		if i == 1 || i == spansAtOnce-1 || i == 2*spansAtOnce {
			want = append(want, trace.ExtendID(want[len(want)-1], "again"))
		}
		if got := rowsOf(t, e, "SELECT span_id FROM spans WHERE run_id = '"+s.Run.String()+"' ORDER BY rowid"); !slices.Equal(got, want) {
			t.Errorf("row %d: got %v, want %v", i, got, want)
		}
	}
}

// TestProject_WithReaders: runs go on, are read and deleted all at once, and what is left is whole.
func TestProject_WithReaders(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{Dir: t.TempDir(), KeepRuns: 1, KeepEvents: 1})
	ids := make(chan ulid.ULID, 4*pruneBatch)
	var workers, readers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for range pruneBatch {
				id := begun(t, e)
				ids <- id
				ended(t, e)
				ids <- id
			}
		})
		readers.Go(func() {
			for id := range ids {
				if _, err := e.History().Spans(t.Context(), id); err != nil {
					t.Error(err)
				}
				if _, err := e.History().Summaries(t.Context(), []ulid.ULID{id, id}); err != nil {
					t.Error(err)
				}
				if _, err := e.History().CountRuns(t.Context(), ports.RunList{Limit: 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	close(ids)
	readers.Wait()
	if err := e.writer.history.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := rowsOf(t, e, "SELECT (SELECT COUNT(*) FROM trace_runs WHERE status <> 300 OR run_id NOT IN (SELECT run_id FROM function_runs))||' '||"+
		"(SELECT COUNT(*) FROM function_runs WHERE run_id NOT IN (SELECT run_id FROM trace_runs))||' '||"+
		"(SELECT COUNT(*) FROM ingot_history_log)||' '||(SELECT COUNT(*) FROM ingot_history_written)")
	if got[0] != "0 0 0 0" {
		t.Errorf("runs in one table only, log, written: %s", got[0])
	}
	roots := rowsOf(t, e, "SELECT (SELECT COUNT(*) FROM spans WHERE name = 'executor.run')||' '||(SELECT COUNT(*) FROM trace_runs)")
	if first, second, _ := strings.Cut(roots[0], " "); first != second || first == "0" {
		t.Errorf("roots and runs: %s", roots[0])
	}
}
