package embedded

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// recording is what the reference says of the recorded database.
type recording struct {
	Tables map[string]int64 `json:"tables"`
	Apps   []struct {
		ID, Name, URL string
		ArchivedAt    *string `json:"archived_at"`
	} `json:"apps"`
	Functions []struct {
		ID, Name, Slug string
		ArchivedAt     *string `json:"archived_at"`
	} `json:"functions"`
	Rest []struct {
		Path string
		Data json.RawMessage
	} `json:"rest"`
}

// recorded unpacks the database that v1.43.0 wrote and returns its directory.
func recorded(tb testing.TB) (string, recording) {
	tb.Helper()
	packed, err := os.Open("testdata/v1.43.0.db.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		tb.Fatal(err)
	}
	content, err := io.ReadAll(unpacked)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), content, 0o600); err != nil {
		tb.Fatal(err)
	}
	answers, err := os.ReadFile("testdata/v1.43.0.json")
	if err != nil {
		tb.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(answers, &r); err != nil {
		tb.Fatal(err)
	}
	return dir, r
}

// table returns a query's rows as lines of text, from a file that nobody has open.
func table(tb testing.TB, dir, query string) []string {
	tb.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(dir, fileName), sqlite.OpenReadOnly)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	var lines []string
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		var fields []string
		for i := range row.ColumnCount() {
			fields = append(fields, row.ColumnText(i))
		}
		lines = append(lines, strings.Join(fields, "|"))
		return nil
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return lines
}

func TestReferenceDatabase_IsServed(t *testing.T) {
	t.Parallel()
	dir, want := recorded(t)
	e := mustOpen(t, Config{Dir: dir})
	apps, err := e.Catalog().Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	active := 0
	for _, app := range want.Apps {
		found, err := e.Catalog().AppByName(t.Context(), app.Name)
		if err != nil || found.ID.String() != app.ID || found.URL != app.URL || found.Archived != (app.ArchivedAt != nil) {
			t.Errorf("app %s is %+v, %v", app.Name, found, err)
		}
		if app.ArchivedAt == nil {
			active++
		}
	}
	if len(apps) != active {
		t.Errorf("%d active apps, want %d", len(apps), active)
	}
	all, err := e.Catalog().Functions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got, expected []string
	for _, f := range all {
		got = append(got, f.ID.String()+" "+f.Name+" "+f.Slug)
		if f.Step.URI == "" || f.Version == 0 || f.AppID == uuid.Nil {
			t.Errorf("function %s was not read: %+v", f.Slug, f)
		}
	}
	for _, f := range want.Functions {
		if f.ArchivedAt == nil {
			expected = append(expected, f.ID+" "+f.Name+" "+f.Slug)
		}
	}
	slices.Sort(got)
	slices.Sort(expected)
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("functions -want +got:\n%s", diff)
	}
}

func TestReferenceDatabase_AnswersAsTheReferenceDid(t *testing.T) {
	t.Parallel()
	dir, want := recorded(t)
	e := mustOpen(t, Config{Dir: dir})
	for _, answer := range want.Rest {
		parts := strings.Split(answer.Path, "/")
		id := ulid.MustParse(parts[3])
		var got any
		var err error
		switch {
		case parts[2] == "runs":
			got, err = shownRun(e.History().Run(t.Context(), id))
		case len(parts) == 5:
			var records []ports.RunRecord
			records, err = e.History().EventRuns(t.Context(), id)
			list := make([]any, len(records))
			for i := range records {
				list[i], _ = shownRun(records[i], nil)
			}
			got = list
		default:
			got, err = shownEvent(e.History().Event(t.Context(), id))
		}
		if string(answer.Data) == "null" {
			if err == nil {
				t.Errorf("%s: found", answer.Path)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", answer.Path, err)
			continue
		}
		var expected any
		if err := json.Unmarshal(answer.Data, &expected); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(expected, normal(t, got), ofTheEdge); diff != "" {
			t.Errorf("%s: -want +got:\n%s", answer.Path, diff)
		}
	}
}

// ofTheEdge are the members of an answer that no port carries.
var ofTheEdge = cmpopts.IgnoreMapEntries(func(key string, _ any) bool {
	return slices.Contains([]string{"account_id", "environment_id", "source", "source_id"}, key)
})

// normal is a value as JSON decodes it.
func normal(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// shownRun is a run as the REST API shows it, but for the environment, which differs between the two lookups.
func shownRun(record ports.RunRecord, err error) (any, error) {
	shown := map[string]any{
		"run_id": record.RunID, "run_started_at": record.StartedAt, "function_id": record.FunctionID,
		"function_version": record.FunctionVersion, "event_id": record.EventID, "status": record.Status, "ended_at": nil,
	}
	if !record.EndedAt.IsZero() {
		shown["ended_at"], shown["output"] = record.EndedAt, json.RawMessage(record.Output)
		if len(record.Output) == 0 {
			shown["output"] = ""
		}
	}
	if record.Cron != "" {
		shown["cron"] = record.Cron
	}
	if record.OriginalRunID != (ulid.ULID{}) {
		shown["original_run_id"] = record.OriginalRunID
	}
	return shown, err
}

func shownEvent(tracked event.Tracked, err error) (any, error) {
	return map[string]any{
		"internal_id": tracked.InternalID, "received_at": tracked.ReceivedAt, "id": tracked.ID, "name": tracked.Name,
		"data": tracked.Data, "user": tracked.User, "ts": tracked.TS, "v": tracked.V,
	}, err
}

func TestReferenceDatabase_StaysTheReferences(t *testing.T) {
	t.Parallel()
	dir, want := recorded(t)
	const versions = "SELECT * FROM goose_db_version"
	const schema = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'ingot_%' AND name NOT LIKE 'sqlite_autoindex_ingot_%' ORDER BY name"
	before, schemaBefore := table(t, dir, versions), table(t, dir, schema)

	e, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	started := benchEvent()
	if err := e.EventLog().Append(t.Context(), []event.Tracked{started}); err != nil {
		t.Fatal(err)
	}
	next := benchRun(started)
	if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Event: started.InternalID, Runs: []ports.NewRun{next}}); err != nil {
		t.Fatal(err)
	}
	ended := time.Date(2026, 11, 24, 1, 2, 3, 400_000_000, time.UTC)
	_, err = e.Store().Commit(t.Context(), ports.Commit{State: next.State, Transition: run.Transition{Finish: &run.Finish{Status: run.Cancelled, At: ended}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(before, table(t, dir, versions)); diff != "" {
		t.Errorf("versions -before +after:\n%s", diff)
	}
	if diff := cmp.Diff(schemaBefore, table(t, dir, schema)); diff != "" {
		t.Errorf("schema -before +after:\n%s", diff)
	}
	if rows := table(t, dir, "SELECT COUNT(*) FROM events"); rows[0] != "53" || want.Tables["events"] != 52 {
		t.Errorf("%s events", rows[0])
	}
	run := table(t, dir, "SELECT hex(run_id), run_started_at, function_id, function_version, trigger_type, hex(event_id), hex(batch_id), hex(original_run_id), cron IS NULL, workspace_id FROM function_runs ORDER BY rowid DESC LIMIT 1")
	zero := strings.Repeat("0", 32)
	wantRun := strings.Join([]string{
		strings.ToUpper(hexOf(next.State.ID)), formatInstant(ulid.Time(next.State.ID.Time())), next.State.FunctionID.String(), "0", "event",
		strings.ToUpper(hexOf(started.InternalID)), zero, zero, "1", environmentID,
	}, "|")
	if run[0] != wantRun {
		t.Errorf("run is stored as\n%s, want\n%s", run[0], wantRun)
	}
	finish := table(t, dir, "SELECT status, output, completed_step_count, created_at, typeof(run_id) FROM function_finishes ORDER BY rowid DESC LIMIT 1")
	if finish[0] != "Cancelled|{}|0|2026-11-24 01:02:03.4 +0000 UTC|blob" {
		t.Errorf("finish is stored as %s", finish[0])
	}

	// The reference neither writes the log's journal mode nor reads a log beside the file.
	content, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content[18:20], []byte{1, 1}) {
		t.Errorf("the file's format is %v", content[18:20])
	}
	if _, err := os.Stat(filepath.Join(dir, fileName+"-wal")); !os.IsNotExist(err) {
		t.Errorf("a log is left: %v", err)
	}
}

func hexOf(id ulid.ULID) string {
	const digits = "0123456789abcdef"
	var text strings.Builder
	for _, b := range id {
		text.WriteByte(digits[b>>4])
		text.WriteByte(digits[b&15])
	}
	return text.String()
}
