package embedded

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"zombiezen.com/go/sqlite"

	"github.com/ingothq/ingot/internal/ports"
)

// fill puts rows into tables of a new database and opens it. Add is called with a function that executes one of the statements.
func fill(t *testing.T, statement string, add func(exec func(args ...any))) *Engine {
	t.Helper()
	dir := t.TempDir()
	reopened(t, dir)
	conn, err := sqlite.OpenConn(dir+"/"+fileName, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := script(conn, "PRAGMA synchronous = off; BEGIN"); err != nil {
		t.Fatal(err)
	}
	stmt := conn.Prep(statement)
	add(func(args ...any) {
		for i, arg := range args {
			bind(stmt, i+1, arg)
		}
		if _, err := stmt.Step(); err != nil {
			t.Fatal(err)
		}
		if err := stmt.Reset(); err != nil {
			t.Fatal(err)
		}
	})
	if err := script(conn, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, Config{Dir: dir})
}

// idAt is the ID of a time with a number.
func idAt(at time.Time, n int) (id ulid.ULID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	_ = id.SetTime(ulid.Timestamp(at))
	return id
}

// TestEventPage_OfManyEvents: whichever way a page is found, it has what a look at all events finds.
func TestEventPage_OfManyEvents(t *testing.T) {
	t.Parallel()
	type row struct {
		id   ulid.ULID
		at   time.Time
		name string
	}
	var all []row
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const count = 2*longestWalk + smallWindow
	e := fill(t, "INSERT INTO events (internal_id, received_at, event_id, event_name, event_data, event_user, event_ts) VALUES (?, ?, ?, ?, '{}', 'null', ?)", func(exec func(args ...any)) {
		for i := range count {
			at := begin.Add(time.Duration(i) * 100 * time.Millisecond)
			one := row{idAt(at, i), at, "often"}
			switch {
			case i%3000 == 7:
				one.name = "rare"
			case i%5 == 1:
				one.name = "inngest/function.finished"
			}
			if i%500 == 3 { // received long after its ID was made
				one.at = at.Add(10 * time.Minute)
			}
			all = append(all, one)
			exec(one.id[:], formatInstant(one.at), one.id.String(), one.name, formatInstant(one.at))
		}
	})
	last, middle := all[count-1].at.Add(time.Hour), all[count/2]
	for name, list := range map[string]ports.EventList{
		"all":                    {Limit: 700},
		"all, until now":         {Limit: 700, Until: last, Internal: true},
		"rare":                   {Limit: 4, Names: []string{"rare"}},
		"rare, until now":        {Limit: 4, Names: []string{"rare", "none"}, Until: last},
		"none":                   {Limit: 4, Names: []string{"none"}},
		"a window at the end":    {Limit: 700, From: middle.at},
		"a window at the start":  {Limit: 700, Until: middle.at},
		"a window in the middle": {Limit: 700, From: begin.Add(2 * time.Minute), Until: middle.at, Internal: true},
		"rare in the middle":     {Limit: 4, From: begin.Add(2 * time.Minute), Until: middle.at, Names: []string{"rare"}},
		"more than a walk":       {Limit: longestWalk + 10, Internal: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want, got []ulid.ULID
			for _, one := range slices.Backward(all) {
				if (list.Internal || one.name != "inngest/function.finished") && (len(list.Names) == 0 || slices.Contains(list.Names, one.name)) &&
					!one.at.Before(list.From) && (list.Until.IsZero() || !one.at.After(list.Until)) {
					want = append(want, one.id)
				}
			}
			for more := true; more; {
				page, err := e.History().EventPage(t.Context(), list)
				if err != nil {
					t.Fatal(err)
				}
				for _, one := range page {
					got = append(got, one.InternalID)
				}
				if more = len(page) == list.Limit; more {
					list.Cursor = got[len(got)-1]
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%.2000s", diff)
			}
		})
	}
}

// TestRuns_ByEndOfFunctions: of few runs or of many, a list of functions has what a look at all runs finds.
func TestRuns_ByEndOfFunctions(t *testing.T) {
	t.Parallel()
	type row struct {
		id       ulid.ULID
		ended    int64
		function uuid.UUID
		status   int64
	}
	var all []row
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	often, rare := uuid.New(), uuid.New()
	e := fill(t, "INSERT INTO trace_runs (run_id, account_id, workspace_id, app_id, function_id, trace_id, queued_at, started_at, ended_at, status, source_id, trigger_ids, output, is_debounce) VALUES (?, '', '', '', ?, '', ?, ?, ?, ?, '', '', NULL, 0)", func(exec func(args ...any)) {
		for i := range fewRuns + 300 {
			at := begin.Add(time.Duration(i) * time.Second)
			one := row{idAt(at, i), at.UnixMilli() + int64(i%7)*2000, often, 300} // several end at once
			if i%100 == 7 {
				one.function = rare
			}
			if i%300 == 8 {
				one.status = 400
			}
			all = append(all, one)
			exec(one.id[:], one.function.String(), at.UnixMilli(), at.UnixMilli(), one.ended, one.status)
		}
	})
	for name, list := range map[string]ports.RunList{
		"often":          {Functions: []uuid.UUID{often}, Limit: 500},
		"rare":           {Functions: []uuid.UUID{rare}, Limit: 5},
		"both":           {Functions: []uuid.UUID{often, rare}, Limit: 500},
		"failed":         {Functions: []uuid.UUID{often}, Statuses: []ports.RunStatus{ports.RunFailed}, Limit: 3},
		"rare, a window": {Functions: []uuid.UUID{rare}, From: begin.Add(10 * time.Minute), Until: begin.Add(20 * time.Minute), Limit: 2},
		"unknown":        {Functions: []uuid.UUID{uuid.New()}, Limit: 2},
	} {
		for _, ascending := range []bool{true, false} {
			list.Ascending, list.Time, list.After = ascending, ports.ByEnded, nil
			var want []row
			for _, one := range all {
				if slices.Contains(list.Functions, one.function) && (len(list.Statuses) == 0 || one.status == 400) &&
					(list.From.IsZero() || one.ended >= list.From.UnixMilli() && one.ended <= list.Until.UnixMilli()) {
					want = append(want, one)
				}
			}
			slices.SortFunc(want, func(a, b row) int {
				if a.ended != b.ended {
					return int(a.ended - b.ended)
				}
				return a.id.Compare(b.id)
			})
			if !ascending {
				slices.Reverse(want)
			}
			var got []row
			for more := true; more; {
				page, err := e.History().Runs(t.Context(), list)
				if err != nil {
					t.Fatal(err)
				}
				for _, one := range page {
					got = append(got, row{one.RunID, one.EndedAt.UnixMilli(), one.FunctionID, map[ports.RunStatus]int64{ports.RunCompleted: 300, ports.RunFailed: 400}[one.Status]})
				}
				if more = len(page) == list.Limit; more {
					list.After = &ports.RunCursor{At: page[len(page)-1].EndedAt, Run: page[len(page)-1].RunID}
				}
			}
			if !slices.Equal(want, got) {
				t.Errorf("%s, ascending %t: %d runs, want %d", name, ascending, len(got), len(want))
			}
			if n, err := e.History().CountRuns(t.Context(), list); err != nil || n != len(want) {
				t.Errorf("%s: %d runs are counted, want %d, %v", name, n, len(want), err)
			}
		}
	}
}
