package embedded

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
	sqlfiles "github.com/ingothq/ingot/sql/sqlite"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// withRows is a database of the engine with rows that it did not write itself.
func withRows(rows string) string {
	var text strings.Builder
	for _, line := range []versionTable{gooseTable, engineTable} {
		text.WriteString(line.create)
		all, err := migrations(filesOf(line))
		if err != nil {
			panic(err)
		}
		for _, m := range all {
			text.WriteString(m.up)
			text.WriteString("; INSERT INTO " + line.name + " (version_id, is_applied) VALUES (" + strconv.FormatInt(m.version, 10) + ", 1);")
		}
	}
	return text.String() + rows
}

// filesOf returns the migrations of a version table.
func filesOf(line versionTable) fs.FS {
	if line == gooseTable {
		return sqlfiles.Reference
	}
	return sqlfiles.Engine
}

// parked lists what was parked.
func parked(t *testing.T, e *Engine) []string {
	t.Helper()
	var list []string
	err := e.db.read(t.Context(), func(q *db.Queries) error {
		rows, err := q.ListParked(t.Context())
		for _, row := range rows {
			list = append(list, row.Kind+" "+row.ID+" "+row.Reason)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestDamage_IsParkedAndTheRestGoesOn opens a database with rows that cannot be read.
func TestDamage_IsParkedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	const run = "x'00000000000000000000000000000001'"
	const missing, bad, good = "x'00000000000000000000000000000002'", "x'00000000000000000000000000000003'", "x'00000000000000000000000000000004'"
	dir := made(t, withRows(`
		INSERT INTO ingot_runs VALUES (`+run+`, 0, x'ff', x'ff');
		INSERT INTO ingot_pauses VALUES (`+run+`, x'00', 'bad', x''), (x'00', x'00000000000000000000000000000001', 'bad', x''), (`+run+`, x'00000000000000000000000000000001', 'bad', x'ff'),
			(`+run+`, x'00000000000000000000000000000002', 'good', x'0a056576656e74');
		INSERT INTO ingot_metadata VALUES (`+run+`, 0, '', -1, '', 'userland.a', 'set', x'ff', 1, 1);
		INSERT INTO ingot_signals VALUES ('bad', x'00');
		INSERT INTO ingot_ticks VALUES ('bad', '* * * * *', 1), ('00000000-0000-4000-8000-000000000001', '* * * * *', 1);
		INSERT INTO ingot_jobs (run_id, job_id, due_at, attempt, generation, payload) VALUES (`+run+`, 'bad', 0, 0, 0, x'ff'), (x'00', 'short', 0, 0, 0, x'ff');
		INSERT INTO function_finishes (run_id, status) VALUES (x'0011', 'Completed');
		INSERT INTO ingot_inbox VALUES (x'0011', NULL), (`+missing+`, NULL), (`+bad+`, NULL), (`+good+`, x'ff');
		INSERT INTO events (internal_id, event_id, event_name, event_ts) VALUES (`+bad+`, '', 'bad', 'noon'), (`+good+`, '', 'good', '2026-01-01');`))
	var logged bytes.Buffer
	e := mustOpen(t, Config{Dir: dir, KeepEvents: 10, KeepRuns: 10, Logger: slog.New(slog.NewTextHandler(&logged, nil))})

	next := benchRun(benchEvent())
	next.Start.At = time.Now().Add(-time.Hour)
	if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
		t.Fatal(err)
	}
	lease, err := e.Queue().Lease(t.Context())
	if err != nil || lease.Job.RunID != next.State.ID {
		t.Fatalf("leased %+v, %v", lease, err)
	}
	accepted := benchEvent()
	if err := e.EventLog().Append(t.Context(), []event.Tracked{accepted}); err != nil {
		t.Fatal(err)
	}
	events, err := e.EventLog().Take(t.Context(), 10)
	if err != nil || len(events) != 1 || events[0].InternalID != accepted.InternalID {
		t.Fatalf("took %v, %v", events, err)
	}

	got := strings.Join(parked(t, e), "\n")
	for _, want := range []string{
		"job bad job record: damaged record", "event 00000000000000000000000002 event: damaged record: its row is missing",
		"event 00000000000000000000000003 event 00000000000000000000000003: event_ts: damaged record",
		"event 00000000000000000000000004 sessions record: damaged record",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among what was parked:\n%s", want, got)
		}
	}
	if ticks, err := e.Catalog().Ticks(t.Context(), uuid.Nil); err != nil || len(ticks) != 1 {
		t.Errorf("ticks %v, %v", ticks, err)
	}
	for _, want := range []string{"unreadable row of the inbox", "unreadable row of a schedule", "unreadable row of a job", "unreadable row of a pause", "unreadable job parked", "unreadable event parked"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, logged.String())
		}
	}

	for name, want := range map[string]int{"bad": 0, "good": 1} {
		waiting, err := e.Store().Paused(t.Context(), event.Tracked{Event: event.Event{Name: name}})
		if err != nil || len(waiting) != want {
			t.Errorf("%d pauses for %s, %v", len(waiting), name, err)
		}
	}
	if _, err := e.Store().SignalWaiter(t.Context(), "bad"); !errors.Is(err, errDamaged) {
		t.Errorf("signal of a damaged row: %v", err)
	}
	_, err = e.Store().Load(t.Context(), ulid.ULID{15: 1})
	if !errors.Is(err, errDamaged) || isPortError(err) {
		t.Errorf("load of a damaged run: %v", err)
	}
	if _, err := e.Metadata().All(t.Context(), ulid.ULID{15: 1}); !errors.Is(err, errDamaged) {
		t.Errorf("damaged metadata: %v", err)
	}
	if _, err := e.History().Events(t.Context(), ports.EventQuery{}); !errors.Is(err, errDamaged) {
		t.Errorf("list with a damaged event: %v", err)
	}
}
