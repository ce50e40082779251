package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// crashDir names the variable that makes this test binary the process to be killed.
const crashDir = "EMBEDDED_CRASH_DIR"

// crashChild works on an engine without end and says on its output what was acknowledged to it.
func crashChild(dir string) {
	ctx := context.Background()
	e, err := Open(ctx, Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	say := func(what string, id ulid.ULID) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, id)
	}
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	fills := &flow.Settings{Function: uuid.New(), Batch: &flow.Batch{MaxSize: 3, Timeout: time.Hour}}
	for range 2 {
		go func() { // batches fill up, and are settled by runs that hold locks
			for {
				one := benchEvent()
				_, err := e.Store().Schedule(ctx, ports.Schedule{Runs: []ports.NewRun{asking(fills, flow.FromEvent, one)}})
				check(err)
				say("held", one.InternalID)
			}
		}()
		go func() {
			for {
				h, err := e.Holds().Take(ctx)
				check(err)
				settled := ofHold(fills, h)
				next := &settled.Runs[0]
				next.State.Lock = h.ID.String()
				next.Request.Values.SingletonKey, next.Request.Settings = h.ID.String(), &flow.Settings{Singleton: &flow.Singleton{}}
				_, err = e.Store().Schedule(ctx, settled)
				check(err)
			}
		}()
	}
	asked := make(chan ulid.ULID)
	go func() { // some runs are written before their end, and before older ones
		for id := range asked {
			_, err := e.History().Spans(ctx, id)
			check(err)
		}
	}()
	for range 8 {
		go func() {
			for {
				accepted := benchEvent()
				check(e.EventLog().Append(ctx, []event.Tracked{accepted}))
				say("accepted", accepted.InternalID)
			}
		}()
		go func() {
			for {
				events, err := e.EventLog().Take(ctx, 1)
				check(err)
				_, err = e.Store().Schedule(ctx, ports.Schedule{Event: events[0].InternalID, Runs: []ports.NewRun{benchRun(events[0])}})
				check(err)
				say("scheduled", events[0].InternalID)
			}
		}()
		go func() {
			for n := 0; ; n++ {
				lease, err := e.Queue().Lease(ctx)
				check(err)
				state, err := e.Store().Load(ctx, lease.Job.RunID)
				check(err)
				commit := ports.Commit{Lease: lease, State: state, Transition: run.Transition{Current: run.Disposition{Fate: run.FateDone}}}
				what := "ended"
				if len(state.Stack) == 0 {
					what = "stepped"
					next := lease.Job
					next.ID = "second"
					commit.Transition.Steps = []run.Step{{ID: "one", Memo: json.RawMessage(`1`)}}
					commit.Transition.Jobs = []run.Job{next}
					commit.Transition.Consumed = state.Events[0].InternalID
					commit.Transition.Pauses = []run.Pause{
						{ID: uuid.New(), Kind: run.PauseEvent, Event: "never"}, {ID: uuid.New(), Kind: run.PauseSignal, Signal: state.ID.String()},
					}
				} else {
					commit.Transition.Finish = &run.Finish{Status: run.Completed, At: time.Now()}
				}
				commit.Spans = []trace.Span{crashSpan(state, len(state.Stack), commit.Transition.Finish != nil)}
				_, err = e.Store().Commit(ctx, commit)
				check(err)
				say(what, state.ID)
				select {
				case asked <- state.ID:
				default:
				}
			}
		}()
	}
	select {}
}

// crashSpan is the row of the n-th commit on a run.
func crashSpan(s run.State, n int, ends bool) trace.Span {
	traceID, root := trace.RunIDs(s.ID)
	row := trace.Span{
		Run: s.ID, App: s.AppID, Function: s.FunctionID, Trace: traceID, ID: fmt.Sprintf("%016d", n), Parent: root, Dynamic: fmt.Sprintf("%016d", n),
		Name: trace.NameStep, Start: time.Now(), End: time.Now(), Status: trace.Completed,
	}
	if ends {
		row.Dynamic, row.Parent, row.Name = root, trace.NoParent, trace.NameExtend
		row.Summary = &trace.Summary{Status: trace.Completed, EndedAt: time.Now()}
	}
	return row
}

// TestKill_LosesNothingAcknowledged kills a process at work, several times on one directory, and looks at what it left.
func TestKill_LosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	said := map[string]map[string]bool{"accepted": {}, "held": {}, "scheduled": {}, "stepped": {}, "ended": {}}
	noted := 0
	for round := range 3 {
		workUntilKilled(t, dir, said, 400+300*round)
		noted += len(table(t, dir, "SELECT 1 FROM ingot_history_written"))
		e, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		checkLeft(t, e, said)
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if noted == 0 {
		t.Error("no run was written before an older one")
	}
	places := strings.Join(table(t, dir, "SELECT CAST(event_ids AS TEXT) FROM event_batches UNION ALL SELECT hex(record) FROM ingot_hold_events"), "\n")
	for id := range said["held"] {
		if strings.Count(places, id)+strings.Count(places, strings.ToUpper(hexOf(ulid.MustParse(id)))) != 1 {
			t.Errorf("event %s is not in one batch", id)
		}
	}
	for _, orphans := range []string{
		// Of a run that has a row in history there is one root, one row of the step once it is made, and one end.
		"SELECT 1 FROM function_runs r JOIN trace_runs t USING (run_id) WHERE (SELECT COUNT(*) FROM spans s WHERE s.trace_id = CAST(t.trace_id AS TEXT) AND name = 'executor.run') <> 1",
		"SELECT 1 FROM function_runs WHERE batch_id = zeroblob(16) AND run_id NOT IN (SELECT run_id FROM trace_runs)",
		"SELECT 1 FROM function_finishes f JOIN trace_runs t USING (run_id) WHERE t.status <> 300",
		"SELECT 1 FROM trace_runs WHERE status = 300 AND run_id NOT IN (SELECT run_id FROM function_finishes)",
		"SELECT 1 FROM ingot_steps p JOIN trace_runs t USING (run_id) WHERE (SELECT COUNT(*) FROM spans s WHERE s.trace_id = CAST(t.trace_id AS TEXT) AND name = 'executor.step') <> 1",
		"SELECT 1 FROM spans WHERE status = 'Completed' AND dynamic_span_id = span_id AND name = 'executor.step' GROUP BY trace_id HAVING COUNT(*) > 1",
		"SELECT 1 FROM spans WHERE name = 'EXTEND' AND trace_id NOT IN (SELECT trace_id FROM spans WHERE name = 'executor.run')",
		"SELECT 1 FROM ingot_history_log",
		"SELECT 1 FROM ingot_history_written",
		"SELECT 1 FROM ingot_hold_events WHERE hold_id NOT IN (SELECT hold_id FROM ingot_holds)",
		"SELECT 1 FROM ingot_holds h WHERE events <> (SELECT COUNT(*) FROM ingot_hold_events e WHERE e.hold_id = h.hold_id) OR revision <> events",
		"SELECT 1 FROM ingot_locks WHERE run_id NOT IN (SELECT run_id FROM ingot_runs)",
		"SELECT 1 FROM event_batches WHERE id IN (SELECT hold_id FROM ingot_holds) OR run_id NOT IN (SELECT run_id FROM function_runs)",
		"SELECT 1 FROM ingot_steps WHERE run_id NOT IN (SELECT run_id FROM function_runs)",
		"SELECT 1 FROM ingot_jobs WHERE run_id NOT IN (SELECT run_id FROM ingot_runs)",
		"SELECT 1 FROM ingot_runs WHERE run_id NOT IN (SELECT run_id FROM ingot_jobs)",
		"SELECT 1 FROM ingot_runs WHERE run_id IN (SELECT run_id FROM function_finishes)",
		"SELECT 1 FROM ingot_pauses WHERE run_id NOT IN (SELECT run_id FROM ingot_runs)",
		"SELECT 1 FROM ingot_signals WHERE run_id NOT IN (SELECT run_id FROM ingot_runs)",
		"SELECT 1 FROM ingot_run_parts WHERE run_id NOT IN (SELECT run_id FROM ingot_runs)",
		"SELECT 1 FROM ingot_runs WHERE revision = 1 AND run_id NOT IN (SELECT run_id FROM ingot_pauses)",
		"SELECT 1 FROM ingot_runs WHERE revision = 1 AND run_id NOT IN (SELECT run_id FROM ingot_run_parts)",
		"SELECT 1 FROM ingot_runs WHERE revision = 1 AND run_id NOT IN (SELECT run_id FROM ingot_signals)",
		"SELECT 1 FROM ingot_inbox WHERE internal_id NOT IN (SELECT internal_id FROM events)",
		"SELECT 1 FROM function_runs GROUP BY event_id HAVING COUNT(*) > 1",
		"SELECT 1 FROM function_runs WHERE event_id IN (SELECT internal_id FROM ingot_inbox)",
		"SELECT 1 FROM events WHERE internal_id NOT IN (SELECT internal_id FROM ingot_inbox) AND internal_id NOT IN (SELECT event_id FROM function_runs)",
	} {
		if rows := table(t, dir, orphans); rows != nil {
			t.Errorf("%d rows of %s", len(rows), orphans)
		}
	}
}

// workUntilKilled runs a child until it has said that many lines.
func workUntilKilled(t *testing.T, dir string, said map[string]map[string]bool, lines int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var problems strings.Builder
	child.Stderr = &problems
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(output)
	for n := 0; scanner.Scan(); n++ {
		if what, id, found := strings.Cut(scanner.Text(), " "); found && len(id) == ulid.EncodedSize {
			said[what][id] = true
		}
		if n == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || problems.Len() > 0 {
		t.Fatalf("the child ended by itself: %v\n%s", err, problems.String())
	}
}

// checkLeft compares what was acknowledged with what is there.
func checkLeft(t *testing.T, e *Engine, said map[string]map[string]bool) {
	t.Helper()
	for id := range said["accepted"] {
		if _, err := e.History().Event(t.Context(), ulid.MustParse(id)); err != nil {
			t.Errorf("accepted: %v", err)
		}
	}
	for id := range said["scheduled"] {
		if records, err := e.History().EventRuns(t.Context(), ulid.MustParse(id)); err != nil || len(records) != 1 {
			t.Errorf("%d runs of event %s, %v", len(records), id, err)
		}
	}
	waits := map[ulid.ULID]bool{}
	for id := range said["stepped"] {
		record, err := e.History().Run(t.Context(), ulid.MustParse(id))
		if err != nil {
			t.Errorf("stepped: %v", err)
		}
		if record.Status != run.Running {
			continue
		}
		state, err := e.Store().Load(t.Context(), record.RunID)
		if err != nil || len(state.Stack) != 1 || state.Revision != 1 || len(state.Pauses) != 2 || len(state.Consumed) != 1 {
			t.Errorf("run %s lost its step: %+v, %v", id, state, err)
		}
		if owner, err := e.Store().SignalWaiter(t.Context(), id); err != nil || owner != state.ID {
			t.Errorf("signal of run %s is %s's, %v", id, owner, err)
		}
		waits[state.ID] = true
	}
	found, err := e.Store().Paused(t.Context(), event.Tracked{Event: event.Event{Name: "never"}})
	if err != nil {
		t.Error(err)
	}
	for _, paused := range found {
		delete(waits, paused.Run)
	}
	if len(waits) > 0 {
		t.Errorf("%d runs that wait are not found, %d are", len(waits), len(found))
	}
	for id := range said["ended"] {
		if record, err := e.History().Run(t.Context(), ulid.MustParse(id)); err != nil || record.Status != run.Completed {
			t.Errorf("run %s has ended but is %s, %v", id, record.Status, err)
		}
	}
}
