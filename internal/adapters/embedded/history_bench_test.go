package embedded

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"zombiezen.com/go/sqlite"

	past "github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// historyRuns is how many runs the history of the benchmark has, unless INGOT_HISTORY_RUNS says otherwise.
const historyRuns = 1_000_000

// BenchmarkHistory measures what clients ask of a long history: lists with common and rare selections, the trace of a run, and a search.
// It takes minutes to make the history, so nothing runs it by itself: go test -bench History -benchtime=1x -run xxx. With INGOT_HISTORY_DIR,
// an empty directory, the database is made there and stays, for a server to be measured on.
func BenchmarkHistory(b *testing.B) {
	count := historyRuns
	if text := os.Getenv("INGOT_HISTORY_RUNS"); text != "" {
		if _, err := fmt.Sscan(text, &count); err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	if kept := os.Getenv("INGOT_HISTORY_DIR"); kept != "" {
		dir = kept
	}
	reopened(b, dir)
	h := makeHistory(b, dir, count)
	e := mustOpen(b, Config{Dir: dir})
	r := past.New(past.Deps{
		History: e.History(), Store: e.Store(), Queue: e.Queue(), Metadata: e.Metadata(), Catalog: e.Catalog(), Clock: e.cfg.Clock,
	}, past.Config{})
	page := func(q past.Query) func() error {
		return func() error {
			q.Limit = 40
			found, err := r.Runs(b.Context(), q)
			if err == nil && len(found.Runs) == 0 {
				return fmt.Errorf("no runs")
			}
			return err
		}
	}
	list := func(l ports.RunList) past.Query { return past.Query{RunList: l} }
	yes := true
	last := h.last
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"page=first", page(list(ports.RunList{}))},
		{"page=deep", page(list(ports.RunList{After: &ports.RunCursor{At: h.middle.QueuedAt, Run: h.middle.RunID}}))},
		{"page=ascending", page(list(ports.RunList{Ascending: true}))},
		{"page=rare_status", page(list(ports.RunList{Statuses: []ports.RunStatus{ports.RunCancelled}}))},
		{"page=rare_function", page(list(ports.RunList{Functions: []uuid.UUID{h.rare}}))},
		{"page=function", page(list(ports.RunList{Functions: []uuid.UUID{h.functions[9]}, Statuses: []ports.RunStatus{ports.RunFailed}}))},
		{"page=app", page(list(ports.RunList{Apps: []uuid.UUID{h.app}}))},
		{"page=ended", page(list(ports.RunList{Time: ports.ByEnded}))},
		{"page=ended_rare_function", page(list(ports.RunList{Time: ports.ByEnded, Functions: []uuid.UUID{h.rare}}))},
		{"page=deferred", page(list(ports.RunList{Deferred: &yes}))},
		{"count=all", func() error { _, err := r.CountRuns(b.Context(), list(ports.RunList{})); return err }},
		{"count=ended_rare_function", func() error {
			_, err := r.CountRuns(b.Context(), list(ports.RunList{Time: ports.ByEnded, Functions: []uuid.UUID{h.rare}}))
			return err
		}},
		{"run=trace", func() error { _, err := r.Trace(b.Context(), last, true); return err }},
		{"run=legacy", func() error { _, err := r.Trace(b.Context(), last, false); return err }},
		{"run=summary", func() error { _, err := r.Run(b.Context(), last); return err }},
		{"search=10000", func() error {
			q := past.Query{Search: "event.data.n == 1 && output.total > 5", RunList: ports.RunList{From: h.searchFrom}}
			_, err := r.CountRuns(b.Context(), q)
			return err
		}},
		{"events=first", func() error { _, err := r.Events(b.Context(), ports.EventList{Limit: 40}); return err }},
		{"events=rare_name", func() error {
			_, err := r.Events(b.Context(), ports.EventList{Limit: 40, Names: []string{"rare"}})
			return err
		}},
		{"events=count", func() error { _, err := r.CountEvents(b.Context(), ports.EventList{}); return err }},
		{"events=runs", func() error { _, err := r.RunsOfEvents(b.Context(), h.events); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if err := c.call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// madeHistory is what the benchmark asks for.
type madeHistory struct {
	last       ulid.ULID
	middle     ports.RunSummary
	rare, app  uuid.UUID
	functions  []uuid.UUID
	events     []ulid.ULID
	searchFrom time.Time
}

// makeHistory writes runs straight into the tables, one every 100 milliseconds: most of them completed, few of anything else.
func makeHistory(b *testing.B, dir string, count int) madeHistory {
	b.Helper()
	conn, err := sqlite.OpenConn(dir+"/"+fileName, sqlite.OpenReadWrite)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	h := madeHistory{rare: uuid.New(), app: uuid.New()}
	for range 50 {
		h.functions = append(h.functions, uuid.New())
	}
	random := rand.New(rand.NewPCG(1, 2))
	id := func(at time.Time) (id ulid.ULID) {
		binary.BigEndian.PutUint64(id[8:], random.Uint64())
		_ = id.SetTime(ulid.Timestamp(at))
		return id
	}
	prepare := func(text string) *sqlite.Stmt { return conn.Prep(text) }
	event := prepare("INSERT INTO events (internal_id, received_at, event_id, event_name, event_data, event_user, event_ts) VALUES (?, ?, ?, ?, ?, 'null', ?)")
	started := prepare("INSERT INTO function_runs (run_id, run_started_at, function_id, function_version, event_id) VALUES (?, ?, ?, 0, ?)")
	run := prepare("INSERT INTO trace_runs (run_id, account_id, workspace_id, app_id, function_id, trace_id, queued_at, started_at, ended_at, status, source_id, trigger_ids, output, is_debounce) VALUES (?, '', '', ?, ?, ?, ?, ?, ?, ?, '', ?, ?, 0)")
	span := prepare("INSERT INTO spans (span_id, trace_id, parent_span_id, name, start_time, end_time, attributes, dynamic_span_id, account_id, app_id, function_id, run_id, env_id, status, output, is_deferred) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, '', ?, ?, ?)")
	exec := func(stmt *sqlite.Stmt, args ...any) {
		for i, arg := range args {
			bind(stmt, i+1, arg)
		}
		if _, err := stmt.Step(); err != nil {
			b.Fatal(err)
		}
		if err := stmt.Reset(); err != nil {
			b.Fatal(err)
		}
	}
	if err := script(conn, "PRAGMA synchronous = off; BEGIN"); err != nil {
		b.Fatal(err)
	}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range count {
		at := begin.Add(time.Duration(i) * 100 * time.Millisecond)
		runID, eventID := id(at), id(at)
		function, status, name := h.functions[i%len(h.functions)], int64(300), "user/created"
		switch {
		case i%10_000 == 7:
			status, name = 500, "rare"
		case i%100 == 9:
			status = 400
		}
		if i%(count/20+1) == 3 {
			function = h.rare
		}
		app := h.app
		if i%2 == 0 {
			app = uuid.Nil
		}
		text, ended := formatInstant(at), at.Add(30*time.Millisecond)
		traceID, root := trace.RunIDs(runID)
		exec(event, eventID[:], text, eventID.String(), name, fmt.Sprintf(`{"n":%d,"text":"some text"}`, i%7), text)
		exec(started, runID[:], text, function.String(), eventID[:])
		exec(run, runID[:], app.String(), function.String(), []byte(traceID), at.UnixMilli(), at.UnixMilli()+5, ended.UnixMilli(), status,
			[]byte(eventID.String()), []byte(fmt.Sprintf(`{"total":%d}`, i%11)))
		var deferred any
		if i%50_000 == 8 {
			deferred = int64(1)
		}
		attributes := fmt.Sprintf(`{"_inngest.queued_at":"%d","_inngest.started_at":"%d","_inngest.ended_at":"%d","_inngest.ingot.call.started_at":"%d","_inngest.is.function.output":true}`,
			at.UnixMilli(), at.UnixMilli()+5, ended.UnixMilli(), at.UnixMilli()+5)
		exec(span, root, traceID, trace.NoParent, trace.NameRun, text, formatInstant(ended), attributes, root, app.String(), function.String(), runID.String(), "Completed", `{"data":1}`, deferred)
		if i > count-1000 && i%25 == 0 {
			h.events = append(h.events, eventID)
		}
		if i == count/2 {
			h.middle = ports.RunSummary{RunID: runID, QueuedAt: at}
		}
		h.last = runID
	}
	h.searchFrom = begin.Add(time.Duration(count-10_000) * 100 * time.Millisecond)
	for i := range 100 { // the last run has steps
		traceID, root := trace.RunIDs(h.last)
		step := trace.StepID(fmt.Sprint(i))
		at := formatInstant(begin.Add(time.Duration(i) * time.Second))
		exec(span, step, traceID, root, trace.NameStep, at, at, fmt.Sprintf(`{"_inngest.step.id":"%d","_inngest.step.name":"step %d","_inngest.step.op":"StepRun"}`, i, i), step, "", "", h.last.String(), "Completed", `{"data":1}`, nil)
	}
	if err := script(conn, "COMMIT"); err != nil {
		b.Fatal(err)
	}
	return h
}
