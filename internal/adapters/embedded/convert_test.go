package embedded

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

func TestParseULID_ReadsBothForms(t *testing.T) {
	t.Parallel()
	want := ulid.MustParse("01J8V5Z3K4ABCDEFGHJKMNPQRS")
	if hexOf(want) != "0192365f8e6452d8d73e1194e95b5f19" { // spec 15 §5.2
		t.Errorf("bytes are %s", hexOf(want))
	}
	for name, stored := range map[string][]byte{"bytes": want[:], "text": []byte(want.String())} {
		if got, err := parseULID(stored); err != nil || got != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	for name, stored := range map[string][]byte{"null": nil, "zero": noULID, "zero text": []byte(strings.Repeat("0", 26))} {
		if got, err := parseULID(stored); err != nil || got != (ulid.ULID{}) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if _, err := parseULID([]byte("short")); err == nil {
		t.Error("read a ULID of five bytes")
	}
}

func TestParseUUID_ReadsBothForms(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]string{"text": benchFunction.String(), "upper case": strings.ToUpper(benchFunction.String()), "bytes": string(benchFunction[:])} {
		if got, err := parseUUID(stored); err != nil || got != benchFunction {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if got, err := parseUUID(""); err != nil || got.String() != "00000000-0000-0000-0000-000000000000" {
		t.Errorf("empty: %s, %v", got, err)
	}
	if _, err := parseUUID("no"); err == nil {
		t.Error("read a UUID of two bytes")
	}
}

func TestConvert_DamagedRowsAreNamed(t *testing.T) {
	t.Parallel()
	id, text := noULID, func(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
	event := func(row db.GetEventRow) error { _, err := eventFrom(row); return err }
	record := func(row db.GetRunRecordRow) error { _, err := runRecordFrom(row); return err }
	app := func(row db.App) error { _, err := appFrom(row); return err }
	function := func(row db.Function) error { _, err := functionFrom(row); return err }
	for name, err := range map[string]error{
		"event id":        event(db.GetEventRow{InternalID: []byte("x")}),
		"event received":  event(db.GetEventRow{InternalID: id, ReceivedAt: "noon"}),
		"event ts":        event(db.GetEventRow{InternalID: id, ReceivedAt: "2026-01-01", EventTs: "noon"}),
		"run id":          record(db.GetRunRecordRow{RunID: []byte("x")}),
		"run started":     record(db.GetRunRecordRow{RunID: id}),
		"run ended":       record(db.GetRunRecordRow{RunID: id, RunStartedAt: "2026-01-01", Status: text("Failed"), EndedAt: text("noon")}),
		"app id":          app(db.App{ID: "x"}),
		"function config": function(db.Function{ID: benchFunction.String(), Config: "{"}),
		"function id":     function(db.Function{ID: "x", Config: "{}"}),
		"function app":    function(db.Function{ID: benchFunction.String(), AppID: text("x"), Config: "{}"}),
	} {
		if !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLoad_OfADamagedRun damages one row after the other of a run in progress.
func TestLoad_OfADamagedRun(t *testing.T) {
	t.Parallel()
	large := func() event.Tracked {
		tracked := benchEvent()
		tracked.Data = []byte(`"` + strings.Repeat("x", 2*embedLimit) + `"`)
		return tracked
	}
	for name, damage := range map[string]string{
		"head":           "UPDATE ingot_runs SET head = x'ff'",
		"head's app":     "UPDATE ingot_runs SET head = x'0a0101'",
		"head's event":   "UPDATE ingot_runs SET head = x'0a1000000000000000000000000000000000121000000000000000000000000000000000320512030a0100'",
		"meta":           "UPDATE ingot_runs SET meta = x'ff'",
		"job":            "UPDATE ingot_jobs SET payload = x'ff'",
		"event":          "UPDATE ingot_run_events SET event = x'ff'",
		"event's row":    "DELETE FROM ingot_run_events",
		"logged event":   "DELETE FROM events",
		"pause":          "UPDATE ingot_pauses SET body = x'ff'",
		"pause's ID":     "UPDATE ingot_pauses SET pause_id = x'ff'",
		"pause's event":  "UPDATE ingot_pauses SET body = x'3201ff'",
		"deferred run":   "INSERT INTO ingot_run_parts SELECT run_id, 'defer', 'op', x'ff' FROM ingot_runs",
		"consumed event": "INSERT INTO ingot_run_parts SELECT run_id, 'consumed', '', x'ff' FROM ingot_runs",
		"unknown part":   "INSERT INTO ingot_run_parts SELECT run_id, 'new', '', x'' FROM ingot_runs",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := mustOpen(t, Config{CacheBytes: -1})
			logged := large()
			if err := e.EventLog().Append(t.Context(), []event.Tracked{logged}); err != nil {
				t.Fatal(err)
			}
			next := waitingRun("e", "", logged, large())
			if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Store().Load(t.Context(), next.State.ID); err != nil {
				t.Fatal(err)
			}
			err := e.writer.do(context.Background(), &operation{apply: func(t *tx) error { return script(t.conn, damage) }})
			if err != nil {
				t.Fatal(err)
			}
			if s, err := e.Store().Load(t.Context(), next.State.ID); !errors.Is(err, errDamaged) {
				t.Errorf("loaded %+v, %v", s, err)
			}
			// It can still be ended.
			_, err = e.Store().Commit(t.Context(), ports.Commit{State: next.State, Transition: run.Transition{Finish: &run.Finish{Status: run.Cancelled}}})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSession_RefusesWhatIsNotItsJob(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{Dir: t.TempDir()})
	ctx := t.Context()
	if _, err := e.db.pool.ExecContext(ctx, db.DeleteEvent, []byte("x")); err == nil {
		t.Error("a reader wrote")
	}
	if _, err := e.db.pool.BeginTx(ctx, nil); err == nil {
		t.Error("a reader began a transaction")
	}
	if stmt, err := e.db.pool.PrepareContext(ctx, db.ListApps); err == nil {
		defer stmt.Close()
		t.Error("a reader prepared a statement")
	}
	if err := e.db.pool.QueryRowContext(ctx, "SELECT nonsense").Err(); err == nil {
		t.Error("a query of nonsense succeeded")
	}
	if err := e.db.pool.QueryRowContext(ctx, "SELECT ?", 1.5).Err(); err == nil {
		t.Error("a parameter of a type that is not stored was bound")
	}
	if _, err := e.db.pool.Driver().Open("x"); err == nil {
		t.Error("the driver opened a connection by name")
	}
	var integer, fraction, text, blob, null any
	err := e.db.pool.QueryRowContext(ctx, "SELECT 1, 1.5, 'é', x'00ff', NULL WHERE ? AND ? IS NULL AND ? = 2", true, nil, 2).Scan(&integer, &fraction, &text, &blob, &null)
	if err != nil || integer != int64(1) || fraction != 1.5 || text != "é" || string(blob.([]byte)) != "\x00\xff" || null != nil {
		t.Errorf("%v %v %v %v %v, %v", integer, fraction, text, blob, null, err)
	}
	canceled, cancel := context.WithCancel(ctx)
	rows, err := e.db.pool.QueryContext(canceled, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n == 10 {
			cancel()
		}
	}
	if rows.Err() == nil {
		t.Error("a query without end came to its end")
	}
	cancel()
}
