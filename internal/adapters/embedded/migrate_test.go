package embedded

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	sqlfiles "github.com/ingothq/ingot/sql/sqlite"
)

// made runs a script on a new file and returns its directory.
func made(tb testing.TB, statements string) string {
	tb.Helper()
	dir := tb.TempDir()
	conn, err := sqlite.OpenConn(filepath.Join(dir, fileName), sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		tb.Fatal(err)
	}
	if err := script(conn, statements); err != nil {
		tb.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// reopened opens and closes an engine.
func reopened(tb testing.TB, dir string) {
	tb.Helper()
	e, err := Open(tb.Context(), Config{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	if err := e.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// shape lists the columns and indexes of the reference's tables, whatever the spelling of their definitions.
const shape = `
	SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_master t, pragma_table_info(t.name) c
	WHERE t.type = 'table' AND t.name NOT LIKE 'ingot_%'
	UNION ALL
	SELECT t.name, i.name, i."unique", i.partial, group_concat(c.name), '' FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
	WHERE t.type = 'table' AND t.name NOT LIKE 'ingot_%' AND i.name NOT LIKE 'ingot_%' GROUP BY t.name, i.name
	ORDER BY 1, 2`

func TestMigrate_MakesWhatTheReferenceMakes(t *testing.T) {
	t.Parallel()
	reference, _ := recorded(t)
	own := t.TempDir()
	reopened(t, own)
	if diff := cmp.Diff(table(t, reference, shape), table(t, own, shape)); diff != "" {
		t.Errorf("-reference +own:\n%s", diff)
	}
	const versions = "SELECT id, version_id, is_applied, length(tstamp) FROM goose_db_version ORDER BY id"
	if diff := cmp.Diff(table(t, reference, versions), table(t, own, versions)); diff != "" {
		t.Errorf("-reference +own:\n%s", diff)
	}
	before := table(t, own, "SELECT * FROM goose_db_version UNION ALL SELECT * FROM ingot_schema")
	reopened(t, own)
	if diff := cmp.Diff(before, table(t, own, "SELECT * FROM goose_db_version UNION ALL SELECT * FROM ingot_schema")); diff != "" {
		t.Errorf("a second start changed the versions:\n%s", diff)
	}
}

func TestMigrate_AdoptsOlderDatabases(t *testing.T) {
	t.Parallel()
	baseline, err := migrations(sqlfiles.Reference)
	if err != nil {
		t.Fatal(err)
	}
	const rows = `
		INSERT INTO functions (id, app_id, name, slug, config) VALUES ('f1', 'a1', 'old', 's', '{}'), ('f1', 'a1', 'new', 's', '{}'),
			('f2', 'a1', 'younger', 's', '{}'), ('f3', 'a2', 'other app', 's', '{}'), ('f4', NULL, 'none', 's', '{}'), ('f5', NULL, 'none', 's', '{}');
		INSERT INTO apps (id, name, sdk_language, sdk_version, status, checksum, url, created_at, archived_at) VALUES
			('a1', 'app', '', '', '', '', '', '2026-01-01 00:00:00', NULL), ('a2', 'app', '', '', '', '', '', '2026-01-02 00:00:00', NULL),
			('a3', 'app', '', '', '', '', '', '2026-01-03 00:00:00', '2026-01-04 00:00:00'), ('a4', '', '', '', '', '', '', '2026-01-01 00:00:00', NULL),
			('a5', '', '', '', '', '', '', '2026-01-01 00:00:00', NULL), ('a6', 'app', '', '', '', '', '', '2026-01-02 00:00:00', NULL);`
	versioned := gooseTable.create + baseline[0].up + "INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, 1);"
	for name, before := range map[string]string{
		"of another migration tool": baseline[0].up + rows,
		"at version 1":              versioned + rows,
		"of the future":             versioned + rows + futureVersions(baseline),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "of the future" {
				before = strings.Replace(before, rows, "", 1) // its rows are in order already
			}
			dir := made(t, before)
			reopened(t, dir)
			if name == "of the future" {
				got := table(t, dir, "SELECT version_id FROM goose_db_version ORDER BY id")
				if diff := cmp.Diff([]string{"0", "1", "2", "3", "4", "5", "6"}, got); diff != "" {
					t.Error(diff)
				}
				return
			}
			functions := table(t, dir, "SELECT id, name, archived_at IS NULL FROM functions ORDER BY id")
			if diff := cmp.Diff([]string{"f1|new|0", "f2|younger|1", "f3|other app|1", "f4|none|0", "f5|none|1"}, functions); diff != "" {
				t.Errorf("functions -want +got:\n%s", diff)
			}
			apps := table(t, dir, "SELECT id, name, archived_at IS NULL FROM apps ORDER BY id")
			if diff := cmp.Diff([]string{"a1|app (id:a1)|0", "a2|app|1", "a3|app (id:a3)|0", "a4||1", "a5||1", "a6|app (id:a6)|0"}, apps); diff != "" {
				t.Errorf("apps -want +got:\n%s", diff)
			}
		})
	}
}

// futureVersions brings a database to a version that is not known here.
func futureVersions(all []migration) string {
	var text strings.Builder
	for _, m := range all[1:] {
		fmt.Fprintf(&text, "%s; INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, 1);", m.up, m.version)
	}
	return text.String() + "CREATE TABLE tomorrow (id INTEGER); INSERT INTO goose_db_version (version_id, is_applied) VALUES (6, 1);"
}

func TestMigrate_RefusesGaps(t *testing.T) {
	t.Parallel()
	dir := made(t, gooseTable.create+"INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, 1);")
	_, err := Open(t.Context(), Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "version 1 is missing although 2 is there") {
		t.Errorf("opened a database with a gap: %v", err)
	}
	if !isPortError(err) {
		t.Errorf("%v is not a port error, want %v", err, ports.ErrUnavailable)
	}
	if got := table(t, dir, "SELECT name FROM sqlite_master WHERE name = 'apps'"); got != nil {
		t.Error("a failed migration left tables")
	}
}

func TestMigrations_SayWhatIsWrongWithAFile(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fstest.MapFS{
		"without number":  {"d/x_y.sql": {Data: []byte("-- +goose Up\n")}},
		"without section": {"d/00001_y.sql": {Data: []byte("SELECT 1;")}},
	} {
		if _, err := migrations(files); err == nil || !strings.Contains(err.Error(), ".sql") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMigrate_RollsBackWhatFails(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"own table is there already":  "CREATE TABLE ingot_inbox (x)",
		"version table is no table":   "CREATE VIEW goose_db_version AS SELECT 1",
		"version table of other rows": "CREATE TABLE ingot_schema (x)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := made(t, before)
			if _, err := Open(t.Context(), Config{Dir: dir}); err == nil {
				t.Fatal("opened")
			}
			if got := table(t, dir, "SELECT COUNT(*) FROM sqlite_master"); got[0] != "1" {
				t.Errorf("%s objects are left", got[0])
			}
		})
	}
}

// TestMigrate_GoesOnWithRunsOfAnEarlierVersion opens a file that an engine without waits has left.
func TestMigrate_GoesOnWithRunsOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	next := benchRun(benchEvent())
	if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn(filepath.Join(dir, fileName), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	err = script(conn, "DROP TABLE ingot_pauses; DROP TABLE ingot_signals; DROP TABLE ingot_run_parts; DROP TABLE ingot_ended_runs; DROP TABLE ingot_metadata; DROP TABLE ingot_cancellations; DROP TABLE ingot_paused_functions; DROP TABLE ingot_ticks; DROP TABLE ingot_holds; DROP TABLE ingot_hold_events; DROP TABLE ingot_buckets; DROP TABLE ingot_locks; DROP INDEX ingot_event_batches_run_id; DROP TABLE ingot_history_log; DROP TABLE ingot_history_written; "+
		"DROP INDEX ingot_trace_runs_status; DROP INDEX ingot_trace_runs_function; DROP INDEX ingot_trace_runs_ended; DROP INDEX ingot_spans_deferred; DROP INDEX ingot_events_received; CREATE INDEX ingot_events_received_at ON events (received_at); DROP TRIGGER ingot_event_runs_delete; DROP INDEX ingot_trace_runs_events; DROP TABLE ingot_event_runs; "+
		"ALTER TABLE ingot_steps DROP COLUMN name; ALTER TABLE ingot_steps DROP COLUMN kind; ALTER TABLE ingot_jobs DROP COLUMN admitted; DELETE FROM ingot_schema WHERE version_id > 1")
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}

	e = mustOpen(t, Config{Dir: dir})
	state, err := e.Store().Load(t.Context(), next.State.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(next.State, state, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	lease, err := e.Queue().Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Store().Commit(t.Context(), ports.Commit{Lease: lease, State: state, Transition: run.Transition{
		Pauses: []run.Pause{{ID: uuid.New(), Kind: run.PauseEvent, Event: "e"}}, Current: run.Disposition{Fate: run.FateKeep},
	}})
	if err != nil {
		t.Error(err)
	}
}
