package embedded

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// readsAll are the queries that read a whole table on purpose: at start, or because the table is the answer.
var readsAll = []string{
	"ListInbox", "ListQueue", "ListRunHeads", "ListEventIDs", "ListFinishedRunIDs", "CountIdempotency", "ListParked",
	"ListPauses", "ListTicks", "ListApps", "ListFunctions", "DeleteOldestIdempotency", "DeleteExpiredIdempotency",
	"ListCancellations", "PruneCancellations", "ListPausedFunctions", "ListHolds", "CountBuckets", "AddEventRuns", "ListHistoryWritten",
}

// TestQueries_UseAnIndex asks for the plan of every query. Without statistics, which are never gathered, the plan does not
// depend on what the tables hold.
func TestQueries_UseAnIndex(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../sql/sqlite/queries/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of queries, %v", len(files), err)
	}
	e := mustOpen(t, Config{Dir: t.TempDir()})
	conn, err := sqlite.OpenConn(e.db.path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	argument := regexp.MustCompile(`sqlc\.(?:arg|slice)\('?(\w+)'?\)`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, query := range strings.Split(string(content), "-- name: ")[1:] {
			head, text, _ := strings.Cut(query, "\n")
			name, _, _ := strings.Cut(head, " ")
			plan := planOf(t, conn, argument.ReplaceAllString(text, "@$1"))
			plan = strings.ReplaceAll(plan, "SCAN json_each", "LIST") // of the caller
			if scans := regexp.MustCompile(`SCAN [a-z]`).MatchString(plan); scans != slices.Contains(readsAll, name) {
				t.Errorf("%s: scans is %t\n%s", name, scans, plan)
			}
		}
	}
}

// planOf returns the steps of a query's plan.
func planOf(t *testing.T, conn *sqlite.Conn, query string) string {
	t.Helper()
	stmt, _, err := conn.PrepareTransient("EXPLAIN QUERY PLAN " + query)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer stmt.Finalize()
	var plan strings.Builder
	for {
		more, err := stmt.Step()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return plan.String()
		}
		plan.WriteString(stmt.ColumnText(3) + "\n")
	}
}

func TestEventsByTime_ReadsTheWindowOnly(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{Dir: t.TempDir()})
	conn, err := sqlite.OpenConn(e.db.path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteTransient(conn, "SELECT 1", nil); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile("../../../sql/sqlite/queries/events.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(content), "-- name: ListEventsByTime :many\n")
	text, _, _ = strings.Cut(text, ";")
	plan := planOf(t, conn, regexp.MustCompile(`sqlc\.arg\((\w+)\)`).ReplaceAllString(text, "@$1"))
	if !strings.Contains(plan, "USING INDEX ingot_events_received (received_at>? AND received_at<?)") {
		t.Errorf("plan is\n%s", plan)
	}
}

// TestPages_OfFewRuns makes sure that the runs of few functions are found by these, not by their status.
func TestPages_OfFewRuns(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{Dir: t.TempDir()})
	conn, err := sqlite.OpenConn(e.db.path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	content, err := os.ReadFile("../../../sql/sqlite/queries/trace_runs.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ListFewEnded", "CountFewEnded", "CountSomeFunctionRuns"} {
		_, text, _ := strings.Cut(string(content), "-- name: "+name+" :")
		text, _, _ = strings.Cut(text, ";")
		_, text, _ = strings.Cut(text, "\n")
		plan := planOf(t, conn, regexp.MustCompile(`sqlc\.arg\((\w+)\)`).ReplaceAllString(text, "@$1"))
		if !strings.Contains(plan, "ingot_trace_runs_function (function_id=? AND status=?)") {
			t.Errorf("%s: %s", name, plan)
		}
	}
}
