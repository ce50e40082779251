package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/ports"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
)

// numbered is the ID of a millisecond, and of others in it.
func numbered(ms, n int) ulid.ULID {
	id := ulid.ULID{14: byte(n >> 8), 15: byte(n)}
	_ = id.SetTime(uint64(ms))
	return id
}

func TestRunList_GivesMemoryBack(t *testing.T) {
	t.Parallel()
	list := &runList{}
	var want []ulid.ULID
	for n := range 5000 {
		list.add(numbered(n, 1))
		if n%100 == 0 {
			want = append(want, numbered(n, 1))
		}
	}
	for n := range 5000 {
		if n%100 != 0 {
			list.remove(numbered(n, 1))
			list.remove(numbered(n, 1)) // is gone already
		}
	}
	list.remove(numbered(1, 2)) // was never there
	if diff := cmp.Diff(want, list.find(ports.RunsQuery{Limit: 5000})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if list.live() != len(want) || cap(list.ids) > 1024 || len(list.gone) != len(list.ids) {
		t.Errorf("%d of %d, room for %d", list.live(), len(list.ids), cap(list.ids))
	}
	list.add(want[3])
	if list.live() != len(want) {
		t.Error("one is there twice")
	}
}

func TestRunList_TakesBackWhatWasRemoved(t *testing.T) {
	t.Parallel()
	list := &runList{}
	for n := range 5 {
		list.add(numbered(n, 1))
	}
	list.remove(numbered(2, 1))
	list.add(numbered(2, 1))
	if got := list.find(ports.RunsQuery{Limit: 9}); len(got) != 5 || !slices.IsSortedFunc(got, ulid.ULID.Compare) || list.live() != 5 {
		t.Errorf("found %v", got)
	}
}

func TestInProgress_ForgetsFunctionsWithoutRuns(t *testing.T) {
	t.Parallel()
	p := newInProgress()
	p.add(benchFunction, numbered(1, 1))
	p.remove(uuid.New(), numbered(1, 1))
	p.remove(benchFunction, numbered(1, 1))
	if len(p.functions) != 0 {
		t.Errorf("%d functions are left", len(p.functions))
	}
}

func TestHeadKeys(t *testing.T) {
	t.Parallel()
	whole := marshal(&enginev1.RunHead{AppId: make([]byte, 16), FunctionId: benchFunction[:], Slug: "s", FunctionVersion: 7})
	if got, _, err := headKeys(whole); err != nil || got != benchFunction {
		t.Errorf("%s, %v", got, err)
	}
	for name, head := range map[string][]byte{
		"nothing":         {},
		"no function":     marshal(&enginev1.RunHead{AppId: make([]byte, 16), Slug: "s"}),
		"a short one":     marshal(&enginev1.RunHead{FunctionId: []byte{1}}),
		"cut in it":       whole[:25],
		"cut before it":   whole[:10],
		"no tag":          {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"no known record": []byte("text"),
	} {
		if got, _, err := headKeys(head); err == nil {
			t.Errorf("%s: read %s", name, got)
		}
	}
}

// TestOpen_WithAnUnreadableHead keeps the run out of what is listed, says so, and has the others.
func TestOpen_WithAnUnreadableHead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	runs := []ports.NewRun{benchRun(benchEvent()), benchRun(benchEvent())}
	if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: runs}); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	bad := runs[0].State.ID
	conn, err := sqlite.OpenConn(filepath.Join(dir, fileName), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.Execute(conn, "UPDATE ingot_runs SET head = x'ff' WHERE run_id = ?", &sqlitex.ExecOptions{Args: []any{bad[:]}})
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	e = mustOpen(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	found, err := e.Store().RunsOf(t.Context(), ports.RunsQuery{Function: benchFunction, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ulid.ULID{runs[1].State.ID}, found); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if text := logged.String(); !strings.Contains(text, "unreadable row of a run") || !strings.Contains(text, bad.String()) {
		t.Errorf("logged %s", text)
	}
}

// BenchmarkRunsOf pages through the runs of a function, beside those of others.
func BenchmarkRunsOf(b *testing.B) {
	for _, runs := range []int{1e3, 1e5} {
		b.Run(fmt.Sprintf("runs=%d", runs), func(b *testing.B) {
			e := mustOpen(b, Config{})
			sleep(b, e, runs, time.Now().Add(time.Hour))
			b.ReportAllocs()
			for b.Loop() {
				q := ports.RunsQuery{Function: benchFunction, Limit: 256}
				for {
					page, err := e.Store().RunsOf(b.Context(), q)
					if err != nil {
						b.Fatal(err)
					}
					if len(page) < q.Limit {
						break
					}
					q.Cursor = page[len(page)-1]
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*runs), "ns/run")
		})
	}
}

// TestKeysRecord_RoundTrip has keys be what they were, in the record and in the part of a head that is read at start.
func TestKeysRecord_RoundTrip(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]*flow.Keys{
		"none":     nil,
		"a factor": {Factor: -7},
		"all": {
			Factor: 3, Concurrency: []flow.ConcurrencyKey{{Key: "f:1:x", Hash: "h", Limit: 4}, {Key: "a:2:y", Hash: "i", Limit: 5}},
			Run: &flow.RunKey{ID: "fn:1", Value: "v"}, Throttle: &flow.BucketKey{Hash: "j", Key: "k"},
		},
	} {
		head := &enginev1.RunHead{AppId: make([]byte, 16), FunctionId: benchFunction[:], Flow: keysRecord(keys)}
		_, record, err := headKeys(marshal(head))
		if err != nil {
			t.Fatal(err)
		}
		decoded := &enginev1.FlowKeys{}
		if err := proto.Unmarshal(record, decoded); err != nil {
			t.Fatal(err)
		}
		if keys == nil {
			if record != nil {
				t.Errorf("%s: there is a record %x", name, record)
			}
			continue
		}
		if diff := cmp.Diff(keys, keysFromRecord(decoded)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
