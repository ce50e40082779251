package embedded

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/oklog/ulid/v2"
	"zombiezen.com/go/sqlite"
)

// TestOpen_AddsEventsOfTheReferencesRuns writes runs as the reference does, while the engine is closed: of a batch, of one that was skipped, and
// of a single event, of which nothing needs to be kept besides. Each opening adds what has come since, once.
func TestOpen_AddsEventsOfTheReferencesRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reopened(t, dir)
	event := func(n byte) string { return ulid.ULID{15: n}.String() }
	run := func(n byte) ulid.ULID { return ulid.ULID{5: n} }
	write := func(id ulid.ULID, status int64, triggers string) {
		conn, err := sqlite.OpenConn(filepath.Join(dir, fileName), sqlite.OpenReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		stmt := conn.Prep("INSERT INTO trace_runs (run_id, account_id, workspace_id, app_id, function_id, trace_id, queued_at, started_at, ended_at, status, source_id, trigger_ids, is_debounce) VALUES (?, '', '', '', '', '', 0, 0, 0, ?, '', ?, 0)")
		for i, arg := range []any{id[:], status, []byte(triggers)} {
			bind(stmt, i+1, arg)
		}
		if _, err := stmt.Step(); err != nil {
			t.Fatal(err)
		}
	}
	kept := func() []string {
		reopened(t, dir)
		return table(t, dir, "SELECT event_id, hex(run_id) FROM ingot_event_runs ORDER BY run_id, event_id")
	}
	want := func(lines ...string) {
		t.Helper()
		if got := kept(); !slices.Equal(got, lines) {
			t.Errorf("kept %q, want %q", got, lines)
		}
	}
	want()
	write(run(1), 300, event(1)+","+event(2))
	write(run(2), 300, event(3))
	batch := []string{event(1) + "|" + "00000000000100000000000000000000", event(2) + "|" + "00000000000100000000000000000000"}
	want(batch...)
	write(run(3), 600, event(4))
	skipped := slices.Concat(batch, []string{event(4) + "|" + "00000000000300000000000000000000"})
	want(skipped...)
	want(skipped...)
}
