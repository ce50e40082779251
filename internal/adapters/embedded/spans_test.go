package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
)

func someSpan(t *rapid.T) trace.Span {
	instant := func(label string) time.Time {
		return time.Unix(0, rapid.Int64Range(1, 2e18).Draw(t, label)).UTC()
	}
	id := func(label string) (id [16]byte) {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
		return id
	}
	s := trace.Span{
		Run: id("run"), App: id("app"), Function: id("function"), Trace: rapid.String().Draw(t, "trace"), ID: rapid.String().Draw(t, "id"),
		Parent: rapid.String().Draw(t, "parent"), Dynamic: rapid.String().Draw(t, "dynamic"), Name: rapid.String().Draw(t, "name"),
		Start: instant("start"), End: instant("end"), Status: trace.Status(rapid.String().Draw(t, "status")),
		Deferred: rapid.Bool().Draw(t, "deferred"), AI: rapid.Bool().Draw(t, "ai"),
	}
	for _, field := range []*json.RawMessage{&s.Attributes, &s.Input, &s.Output} {
		if rapid.Bool().Draw(t, "there") {
			*field = append(json.RawMessage("{"), rapid.SliceOf(rapid.Byte()).Draw(t, "json")...)
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		s.EventIDs = append(s.EventIDs, id("event"))
	}
	if rapid.Bool().Draw(t, "summary") {
		s.Summary = &trace.Summary{Status: trace.Running, Batch: id("batch"), Cron: rapid.String().Draw(t, "cron"), Debounced: rapid.Bool().Draw(t, "debounced")}
		if rapid.Bool().Draw(t, "started") {
			s.Summary.StartedAt, s.Summary.EndedAt = instant("started"), instant("ended")
		}
	}
	return s
}

// TestSpansRecord_IsReadBack: what is written by hand is what the schema reads, also several records as one.
func TestSpansRecord_IsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var record []byte
		var all []trace.Span
		for range rapid.IntRange(0, 3).Draw(t, "records") {
			spans := rapid.SliceOfN(rapid.Custom(someSpan), 0, 3).Draw(t, "spans")
			all, record = append(all, spans...), append(record, spansRecord(spans)...)
		}
		got, err := spansFromLog(packRecord(nil, record))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(all) {
			t.Fatalf("%d spans of %d", len(got), len(all))
		}
		for i := range all {
			if diff := cmp.Diff(all[i], got[i]); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestSpansFromRecord_RefusesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	good := func(change func(*enginev1.Span)) []byte {
		id := make([]byte, 16)
		row := &enginev1.Span{RunId: id, AppId: id, FunctionId: id}
		change(row)
		data, err := proto.Marshal(&enginev1.SpanList{Spans: []*enginev1.Span{row}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, record := range map[string][]byte{
		"no record": {0xff},
		"run":       good(func(s *enginev1.Span) { s.RunId = []byte("x") }),
		"app":       good(func(s *enginev1.Span) { s.AppId = nil }),
		"function":  good(func(s *enginev1.Span) { s.FunctionId = []byte("x") }),
		"events":    good(func(s *enginev1.Span) { s.EventIds = []byte("x") }),
		"batch":     good(func(s *enginev1.Span) { s.Summary = &enginev1.Summary{Batch: []byte("x")} }),
	} {
		if _, err := spansFromLog(packRecord(nil, record)); !errors.Is(err, errDamaged) {
			t.Errorf("%s is read: %v", name, err)
		}
	}
	for name, body := range map[string][]byte{
		"nothing": {}, "no length": {0xff}, "too long": {0xff, 0xff, 0xff, 0xff, 0x0f}, "another length": {5, 0, 'x'},
	} {
		if _, err := spansFromLog(body); !errors.Is(err, errDamaged) {
			t.Errorf("%s is unpacked: %v", name, err)
		}
	}
}

// specOf is a run that one event starts, with what it may have.
func specOf(at time.Time, change ...func(*trace.Beginning)) trace.Beginning {
	e := benchEvent()
	b := trace.Beginning{Due: at, Spec: run.Spec{
		ID: ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()), AppID: benchFunction, FunctionID: benchFunction, FunctionVersion: 1, Slug: "bench-go", MaxAttempts: 5, Key: e.ID, Now: at,
	}}
	b.Spec.Events = append(b.Spec.Events, e)
	for _, c := range change {
		c(&b)
	}
	return b
}

func newRunOf(b trace.Beginning) ports.NewRun {
	state, jobs := run.New(b.Spec)
	return ports.NewRun{State: state, Start: jobs[0], Spans: trace.Scheduled(b), Batch: b.Batch, Cron: b.Cron}
}

// answered commits what the app answered.
func answered(t *testing.T, e *Engine, reply sdk.Reply) run.State {
	t.Helper()
	lease, err := e.Queue().Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	state, err := e.Store().Load(t.Context(), lease.Job.RunID)
	if err != nil {
		t.Fatal(err)
	}
	in := run.Replied{
		Job: lease.Job, Reply: reply, CalledAt: time.Now(), Now: time.Now(), Limits: run.DefaultLimits,
		Exchange: run.Exchange{Request: "01M85B8B3W4028P67RPDJ65BJY", Status: reply.Status, Size: 7, Header: map[string]string{"Date": "now", "Set-Cookie": "secret"}},
	}
	transition, err := run.Advance(state, in)
	if err != nil {
		t.Fatal(err)
	}
	after, err := e.Store().Commit(t.Context(), ports.Commit{Lease: lease, State: state, Transition: transition, Spans: trace.Advanced(state, in, transition, nil)})
	if err != nil {
		t.Fatal(err)
	}
	return after
}

const traceRunRow = "SELECT hex(run_id)||'|'||typeof(run_id)||'|'||account_id||'|'||workspace_id||'|'||app_id||'|'||function_id||'|'||CAST(trace_id AS TEXT)||'|'||typeof(trace_id)||'|'||" +
	"queued_at||'|'||started_at||'|'||ended_at||'|'||status||'|'||source_id||'|'||CAST(trigger_ids AS TEXT)||'|'||typeof(trigger_ids)||'|'||COALESCE(CAST(output AS TEXT),'NULL')||'|'||typeof(output)||'|'||is_debounce||'|'||hex(batch_id)||'|'||COALESCE(cron_schedule,'NULL')||'|'||has_ai FROM trace_runs ORDER BY run_id"

// TestTraceRuns_AreAsTheReferenceWritesThem compares whole rows, while runs go on and when they have ended. Spec 15 §3.9, §5.
func TestTraceRuns_AreAsTheReferenceWritesThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		batch := ulid.MustNew(ulid.Timestamp(time.Now()), ulid.DefaultEntropy())
		first := specOf(time.Now(), func(b *trace.Beginning) {
			b.Spec.Events = append(b.Spec.Events, benchEvent())
			b.Batch, b.Cron, b.From = batch, "* * * * *", flow.FromDebounce
		})
		if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{newRunOf(first)}}); err != nil {
			t.Fatal(err)
		}
		row := func(started, ended int64, status int, output, kind string, ai int) string {
			id := first.Spec.ID
			traceID, _ := trace.RunIDs(id)
			return fmt.Sprintf("%X|blob|00000000-0000-4000-a000-000000000000|00000000-0000-4000-b000-000000000000|%s|%s|%s|blob|%d|%d|%d|%d||%s,%s|blob|%s|%s|1|%X|* * * * *|%d",
				id[:], benchFunction, benchFunction, traceID, id.Time(), started, ended, status, first.Spec.Events[0].InternalID, first.Spec.Events[1].InternalID, output, kind, batch[:], ai)
		}
		check := func(want string) {
			t.Helper()
			if _, err := e.History().Spans(t.Context(), first.Spec.ID); err != nil {
				t.Fatal(err)
			}
			if got := rowsOf(t, e, traceRunRow); len(got) != 1 || got[0] != want {
				t.Errorf("got  %v\nwant %s", got, want)
			}
		}
		check(row(neverMS, neverMS, 100, "NULL", "null", 0))
		time.Sleep(time.Second)
		started := time.Now().UnixMilli()
		answered(t, e, sdk.Reply{Status: 206, RequestVersion: 2, Ops: []sdk.Op{{
			Op: sdk.OpStepRun, ID: "aa", Opts: json.RawMessage(`{"type":"step.ai.wrap","input":["x"]}`), Data: json.RawMessage(`1.50`),
		}}})
		check(row(started, neverMS, 200, "NULL", "null", 1))
		time.Sleep(time.Second)
		answered(t, e, sdk.Reply{Status: 200, Output: json.RawMessage(`{"a":1.50}`)})
		check(row(started, time.Now().UnixMilli(), 300, `{"a":1.50}`, "blob", 1))
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	spans := table(t, dir, "SELECT name||'|'||status||'|'||typeof(attributes)||'|'||links||'|'||COALESCE(output,'NULL')||'|'||COALESCE(input,'NULL')||'|'||account_id||'|'||env_id||'|'||start_time||'|'||typeof(is_deferred)||'|'||typeof(debug_run_id) FROM spans WHERE name <> 'executor.run' ORDER BY start_time, name")
	want := []string{
		`EXTEND|Running|text|null|NULL|NULL|00000000-0000-4000-a000-000000000000|00000000-0000-4000-b000-000000000000|2000-01-01 00:00:02.5 +0000 UTC|null|null`,
		`executor.step|Completed|text|null|{"data":1.50}|["x"]|00000000-0000-4000-a000-000000000000|00000000-0000-4000-b000-000000000000|2000-01-01 00:00:02.5 +0000 UTC|null|null`,
		`EXTEND|Completed|text|null|{"data":{"a":1.50}}|NULL|00000000-0000-4000-a000-000000000000|00000000-0000-4000-b000-000000000000|2000-01-01 00:00:03.5 +0000 UTC|null|null`,
	}
	if diff := cmp.Diff(want, spans); diff != "" {
		t.Error(diff)
	}
	if log := table(t, dir, "SELECT COUNT(*) FROM ingot_history_log"); log[0] != "0" {
		t.Errorf("%s rows are left in the log", log[0])
	}
}

// rowsOf runs a query on the connection that writes.
func rowsOf(t *testing.T, e *Engine, query string) []string {
	t.Helper()
	var got []string
	err := e.writer.do(t.Context(), &operation{apply: func(tx *tx) error {
		stmt, err := tx.conn.Prepare(query)
		if err != nil {
			return err
		}
		for {
			more, err := stmt.Step()
			if err != nil || !more {
				return err
			}
			got = append(got, stmt.ColumnText(0))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestProject_PutsTogetherWhatComesSoon: a run that ends soon is one row, and nothing is written before its time.
func TestProject_PutsTogetherWhatComesSoon(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		synctest.Test(t, func(t *testing.T) {
			e := mustOpen(t, Config{Dir: dir})
			b := specOf(time.Now())
			if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{newRunOf(b)}}); err != nil {
				t.Fatal(err)
			}
			answered(t, e, sdk.Reply{Status: 206, RequestVersion: 2, Ops: []sdk.Op{{Op: sdk.OpSleep, ID: "z", Name: "100ms"}}})
			time.Sleep(100 * time.Millisecond)
			lease, err := e.Queue().Lease(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			state, err := e.Store().Load(t.Context(), b.Spec.ID)
			if err != nil {
				t.Fatal(err)
			}
			in := run.Due{Job: lease.Job, Now: time.Now(), Limits: run.DefaultLimits}
			due, err := run.Advance(state, in)
			if err != nil {
				t.Fatal(err)
			}
			if state, err = e.Store().Commit(t.Context(), ports.Commit{Lease: lease, State: state, Transition: due, Spans: trace.Advanced(state, in, due, nil)}); err != nil {
				t.Fatal(err)
			}
			replied := benchReplied(lease, sdk.Reply{Status: 200, Output: json.RawMessage(`1`)})
			end, err := run.Advance(state, replied)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = e.Store().Commit(t.Context(), ports.Commit{Lease: lease, State: state, Transition: end, Spans: trace.Advanced(state, replied, end, nil)}); err != nil {
				t.Fatal(err)
			}
			if rows := rowsOf(t, e, "SELECT name FROM spans"); rows != nil {
				t.Errorf("written already: %v", rows)
			}
			time.Sleep(projectAfter)
			synctest.Wait()
			got := rowsOf(t, e, "SELECT name||' '||status FROM spans ORDER BY name")
			if diff := cmp.Diff([]string{"executor.run Completed", "executor.step Completed"}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestProject_TriesAgainWhatFails: a write that fails delays the rows, and neither loses nor doubles them; commits go on.
func TestProject_TriesAgainWhatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var log bytes.Buffer
		e := mustOpen(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil)), fault: func() error {
			if broken.Load() {
				return errInjected
			}
			return nil
		}})
		b := specOf(time.Now())
		if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{newRunOf(b)}}); err != nil {
			t.Fatal(err)
		}
		broken.Store(true)
		if _, err := e.History().Spans(t.Context(), b.Spec.ID); err == nil {
			t.Error("read what is not written")
		}
		time.Sleep(2 * projectAfter)
		synctest.Wait()
		broken.Store(false)
		if !strings.Contains(log.String(), "history could not be written") {
			t.Errorf("not logged: %s", log.String())
		}
		time.Sleep(projectAfter)
		synctest.Wait()
		if rows := rowsOf(t, e, "SELECT name FROM spans"); len(rows) != 1 {
			t.Errorf("got %v", rows)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.History().Spans(ctx, b.Spec.ID); err == nil {
			t.Error("read with an ended context")
		}
	})
}

// TestProject_HasCommitsWaitWhenItIsBehind: what waits is bounded.
func TestProject_HasCommitsWaitWhenItIsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		e := mustOpen(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		p := e.writer.history
		p.turn <- struct{}{} // somebody writes, slowly
		b := specOf(time.Now())
		next := newRunOf(b)
		next.Spans[0].Input = bytes.Repeat([]byte("1"), maxUnwrittenBytes)
		if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "commits wait for it") {
			t.Errorf("not logged: %s", log.String())
		}
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := e.Store().Schedule(brief, ports.Schedule{Runs: []ports.NewRun{newRunOf(specOf(time.Now()))}}); err == nil {
			t.Error("scheduled while there is no room")
		}
		lease, err := e.Queue().Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		end := ports.Commit{Lease: lease, State: next.State, Transition: run.Transition{
			Current: run.Disposition{Fate: run.FateDone}, Finish: &run.Finish{Status: run.Completed, At: time.Now()},
		}}
		if _, err := e.Store().Commit(brief, end); err == nil {
			t.Error("committed while there is no room")
		}
		if err := e.History().(history).projector.flush(brief); err == nil {
			t.Error("flushed without the turn")
		}
		done := make(chan error, 1)
		go func() {
			_, err := e.Store().Commit(t.Context(), end)
			done <- err
		}()
		synctest.Wait()
		<-p.turn
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestProject_KeepsRunsAwayThatAreDeleted: what waits of a run that the retention deletes is not written after it.
func TestProject_KeepsRunsAwayThatAreDeleted(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{KeepRuns: 1, KeepEvents: 1})
	for n := range 2 * pruneBatch {
		b := specOf(time.Now())
		if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{newRunOf(b)}}); err != nil {
			t.Fatal(err)
		}
		answered(t, e, sdk.Reply{Status: 200, Output: json.RawMessage(`1`)})
		if n == pruneBatch/2 {
			if err := e.writer.history.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.writer.history.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"SELECT COUNT(*) FROM spans WHERE trace_id NOT IN (SELECT CAST(t.trace_id AS TEXT) FROM trace_runs t JOIN function_runs r ON r.run_id = t.run_id)",
		"SELECT COUNT(*) FROM trace_runs WHERE run_id NOT IN (SELECT run_id FROM function_runs)",
		"SELECT COUNT(*) FROM function_runs WHERE run_id NOT IN (SELECT run_id FROM trace_runs)",
	} {
		if got := rowsOf(t, e, query); got[0] != "0" {
			t.Errorf("%s of %s", got[0], query)
		}
	}
	if got := rowsOf(t, e, "SELECT COUNT(*) FROM function_runs"); got[0] == "0" || got[0] == "512" {
		t.Errorf("%s runs are left", got[0])
	}
}

// TestProject_MakesAFirstRowForARunFromBefore: a run that was in progress when its history began has a whole trace.
func TestProject_MakesAFirstRowForARunFromBefore(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{})
	next := newRunOf(specOf(time.Now(), func(b *trace.Beginning) { b.Cron = "@daily" }))
	next.Spans = nil
	if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		answered(t, e, sdk.Reply{Status: 206, RequestVersion: 2, Ops: []sdk.Op{{Op: sdk.OpStepRun, ID: ulid.Make().String(), Data: json.RawMessage(`1`)}}})
		if err := e.writer.history.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	answered(t, e, sdk.Reply{Status: 200, Output: json.RawMessage(`1`)})
	rows, err := e.History().Spans(t.Context(), next.State.ID)
	if err != nil {
		t.Fatal(err)
	}
	roots := 0
	for _, row := range rows {
		if row.Name == trace.NameRun {
			roots++
			if _, root := trace.RunIDs(next.State.ID); row.ID != root || row.Parent != trace.NoParent {
				t.Errorf("root %+v", row)
			}
		}
	}
	if roots != 1 {
		t.Errorf("%d roots in %d rows", roots, len(rows))
	}
	want := fmt.Sprintf("300|%s|@daily", next.State.Events[0].InternalID)
	if got := rowsOf(t, e, "SELECT status||'|'||CAST(trigger_ids AS TEXT)||'|'||cron_schedule FROM trace_runs"); len(got) != 1 || got[0] != want {
		t.Errorf("got %v, want %s", got, want)
	}
	orphan := benchSpans()[1]
	if err := e.writer.do(t.Context(), &operation{apply: func(t *tx) error { return writeSpans(t, []trace.Span{orphan}) }}); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, e, "SELECT CAST(trigger_ids AS TEXT) FROM trace_runs WHERE hex(run_id) = '"+strings.ToUpper(hexOf(orphan.Run))+"'"); len(got) != 1 || got[0] != "" {
		t.Errorf("a run that nobody knows is started by %q", got)
	}
}

// TestRestore_WritesWhatIsLeft: what was not written when a process ended is written by the next one, once; a row of the log that
// cannot be read does not keep the others, and the server, from starting.
func TestRestore_WritesWhatIsLeft(t *testing.T) {
	t.Parallel()
	outer, dir := t, t.TempDir()
	var left string
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{Dir: dir})
		for range 300 {
			begun(t, e)
		}
		if rows := rowsOf(t, e, "INSERT INTO ingot_history_log (seq, body) VALUES (100000, x'ff') RETURNING seq"); len(rows) != 1 {
			t.Fatal(rows)
		}
		left = crashed(outer, dir)
	})
	var log bytes.Buffer
	for range 2 {
		e, err := Open(t.Context(), Config{Dir: left, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		got := rowsOf(t, e, "SELECT (SELECT COUNT(*) FROM spans)||' '||(SELECT COUNT(*) FROM trace_runs)||' '||(SELECT COUNT(*) FROM ingot_history_log)")
		if got[0] != "300 300 0" {
			t.Errorf("spans, runs, log: %s", got[0])
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(log.String(), "cannot be read") {
		t.Errorf("not logged: %s", log.String())
	}
}

// TestRestore_GoesOnInTheMiddle: of what was put together, part is written when the process ends. The next one writes the rest, once, though
// what the rows say of the end of a run would make another row if it came a second time.
func TestRestore_GoesOnInTheMiddle(t *testing.T) {
	t.Parallel()
	outer, dir := t, t.TempDir()
	var left string
	const runs = projectAtOnce + 50
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{Dir: dir})
		for range runs {
			begun(t, e)
			answered(t, e, sdk.Reply{Status: 200, Output: json.RawMessage(`1`)})
		}
		p := e.writer.history
		parts := 0
		p.mu.Lock()
		p.hurryAll()
		p.mu.Unlock()
		for range 2 {
			_, err := p.write(t.Context(), p.takePortion, func(ctx context.Context, op *operation) error {
				if parts++; parts == 2 {
					return errors.New("the process ends")
				}
				return p.submit(ctx, op)
			})
			if failed := parts == 2; (err != nil) != failed || (p.begun != nil) != failed {
				t.Fatalf("%v, begun %+v", err, p.begun)
			}
		}
		left = crashed(outer, dir)
		if err := p.flush(t.Context()); err != nil || p.begun != nil { // a process that lives on goes on there too
			t.Errorf("%v, begun %+v", err, p.begun)
		}
		wholeHistory(t, e, runs)
	})
	for range 2 {
		e := mustOpen(t, Config{Dir: left})
		wholeHistory(t, e, runs)
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// wholeHistory fails the test unless there are so many runs in history, each with one row and its end, and nothing is left to be written.
func wholeHistory(t *testing.T, e *Engine, runs int) {
	t.Helper()
	got := rowsOf(t, e, "SELECT (SELECT COUNT(*) FROM spans WHERE name = 'executor.run' AND status = 'Completed')||' '||(SELECT COUNT(*) FROM spans)||' '||"+
		"(SELECT COUNT(*) FROM trace_runs WHERE status = 300)||' '||(SELECT COUNT(*) FROM ingot_history_log)")
	if want := fmt.Sprintf("%d %d %d 0", runs, runs, runs); got[0] != want {
		t.Errorf("roots, spans, runs, log: %s, want %s", got[0], want)
	}
}

// TestSpans_AreReadAsTheyAre reads what v1.43.0 has left, and what nobody should have.
func TestSpans_AreReadAsTheyAre(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{})
	id := ulid.Make()
	insert := "INSERT INTO spans (span_id, trace_id, parent_span_id, name, start_time, end_time, attributes, account_id, app_id, function_id, run_id, env_id, event_ids, output) VALUES "
	rowsOf(t, e, insert+"('a', 't', NULL, 'executor.run', '2026-11-23 21:51:51.872 +0000 UTC m=+5.686', '2026-11-23 21:51:51', NULL, '', 'no', '"+uuid.Max.String()+"', '"+id.String()+"', '', '[\"x\",\""+id.String()+"\"]', 1.0)")
	rows, err := e.History().Spans(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	want := []trace.Span{{
		Run: id, Function: uuid.Max, Trace: "t", ID: "a", Name: "executor.run", Start: time.Date(2026, 11, 23, 21, 51, 51, 872e6, time.UTC),
		End: time.Date(2026, 11, 23, 21, 51, 51, 0, time.UTC), EventIDs: []ulid.ULID{id}, HasOutput: true,
	}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	for _, times := range []string{"'never', '2026-11-23 21:51:51'", "'2026-11-23 21:51:51', 'never'"} {
		rowsOf(t, e, "DELETE FROM spans")
		rowsOf(t, e, "INSERT INTO spans (span_id, trace_id, name, start_time, end_time, account_id, app_id, function_id, run_id, env_id) VALUES ('a', 't', 'n', "+times+", '', '', '', '"+id.String()+"', '')")
		if _, err := e.History().Spans(t.Context(), id); err == nil {
			t.Errorf("%s is read", times)
		}
	}
}

func TestStatusCode(t *testing.T) {
	t.Parallel()
	for status, want := range map[trace.Status]int64{
		trace.Queued: 100, trace.Running: 200, trace.Completed: 300, trace.Failed: 400, trace.Cancelled: 500, trace.Skipped: 600, "": 200,
	} {
		if got := statusCode(status); got != want {
			t.Errorf("%s: %d", status, got)
		}
	}
}
