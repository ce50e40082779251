package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// mustOpen opens an engine that is closed with the test. No test cuts the power, so none waits for the disk; benchmarks do.
func mustOpen(tb testing.TB, cfg Config) *Engine {
	tb.Helper()
	_, cfg.unsynced = tb.(*testing.T)
	e, err := Open(context.WithoutCancel(tb.Context()), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return e
}

// TestOpen_SyncsEachCommit looks at the setting that a commit's surviving a loss of power rests on: FULL, and only tests may do without.
func TestOpen_SyncsEachCommit(t *testing.T) {
	t.Parallel()
	const off, full = 0, 2
	for unsynced, want := range map[bool]int{false: full, true: off} {
		e, err := Open(t.Context(), Config{Dir: t.TempDir(), unsynced: unsynced})
		if err != nil {
			t.Fatal(err)
		}
		err = e.writer.look(t.Context(), func(*db.Queries) error {
			return sqlitex.ExecuteTransient(e.db.conn, "PRAGMA synchronous", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
				if got := stmt.ColumnInt(0); got != want {
					t.Errorf("synchronous is %d with unsynced %t, want %d", got, unsynced, want)
				}
				return nil
			}})
		})
		if err := errors.Join(err, e.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpen_RefusesASecondServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = Open(t.Context(), Config{Dir: dir})
		if !errors.Is(err, ports.ErrUnavailable) || !strings.Contains(err.Error(), "another server uses the directory") {
			t.Errorf("a second server got %v", err)
		}
		if waited := time.Since(begin); waited != lockPatience {
			t.Errorf("a second server was refused after %s", waited)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, Config{Dir: dir})
	})
}

func TestOpen_WaitsForAServerThatIsGoing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan error)
		go func() {
			time.Sleep(lockPatience - time.Second)
			closed <- e.Close(t.Context())
		}()
		begin := time.Now()
		opened := make(chan struct{})
		go func() {
			defer close(opened)
			mustOpen(t, Config{Dir: dir})
		}()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		<-opened
		if waited := time.Since(begin) - (lockPatience - time.Second); waited < 0 || waited > lockInterval {
			t.Errorf("the second server opened %s after the first had closed", waited)
		}
	})
}

func TestOpen_GivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := Open(ctx, Config{Dir: dir}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a server that was told to stop got %v", err)
		}
		if waited := time.Since(begin); waited != time.Second {
			t.Errorf("it gave up after %s", waited)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOpen_LeavesNothingWhenItCannotRestore cannot read what there is. The directory is free afterwards; that no goroutine
// is left is checked after all tests, and by the bubble.
func TestOpen_LeavesNothingWhenItCannotRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reopened(t, dir)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Open(ctx, Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "restore queue") {
			t.Errorf("error is %v", err)
		}
		mustOpen(t, Config{Dir: dir})
	})
}

func TestOpen_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	notADatabase := t.TempDir()
	if err := os.WriteFile(filepath.Join(notADatabase, fileName), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"damaged file": notADatabase, "directory is a file": file, "directory below a file": filepath.Join(file, "dir"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(t.Context(), Config{Dir: dir})
			if err == nil {
				t.Fatal("opened")
			}
			if !errors.Is(err, ports.ErrUnavailable) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestClose_WakesAndRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, err := Open(t.Context(), Config{})
		if err != nil {
			t.Fatal(err)
		}
		woken := make(chan error, 3)
		go func() { _, err := e.Queue().Lease(t.Context()); woken <- err }()
		go func() { _, err := e.EventLog().Take(t.Context(), 1); woken <- err }()
		go func() { _, err := e.Holds().Take(t.Context()); woken <- err }()
		sleep(t, e, 1, time.Now().Add(time.Hour)) // an alarm is set
		scheduleOne(t, e, asking(batching(t, 2), flow.FromEvent, benchEvent()))
		synctest.Wait()
		for range 2 {
			if err := e.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			if err := <-woken; !errors.Is(err, ports.ErrClosed) {
				t.Errorf("who waited got %v", err)
			}
		}
		_, scheduleErr := e.Store().Schedule(t.Context(), ports.Schedule{})
		_, leaseErr := e.Queue().Lease(t.Context())
		_, takeErr := e.EventLog().Take(t.Context(), 1)
		_, holdErr := e.Holds().Take(t.Context())
		_, eventsErr := e.History().Events(t.Context(), ports.EventQuery{})
		for _, err := range []error{
			e.EventLog().Append(t.Context(), []event.Tracked{benchEvent()}), scheduleErr, leaseErr, takeErr, holdErr, eventsErr,
			e.Catalog().Sync(t.Context(), function.SyncPlan{App: function.App{ID: benchFunction}}),
		} {
			if !errors.Is(err, ports.ErrClosed) {
				t.Errorf("after closing: %v", err)
			}
		}
		time.Sleep(2 * time.Hour) // no alarm rings any more
	})
}

func TestClose_FinishesWhatWasAccepted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	const callers = 50
	answers := make(chan error, callers)
	accepted := make([]event.Tracked, callers)
	for i := range accepted {
		accepted[i] = benchEvent()
		go func() { answers <- e.EventLog().Append(t.Context(), accepted[i:i+1]) }()
	}
	if err := <-answers; err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored := 1
	for range callers - 1 {
		if err := <-answers; err == nil {
			stored++
		} else if !errors.Is(err, ports.ErrClosed) {
			t.Errorf("a caller got %v", err)
		}
	}
	if got := len(table(t, dir, "SELECT 1 FROM events")); got != stored {
		t.Errorf("%d events are stored, %d were acknowledged", got, stored)
	}
}

func TestWrite_FailsWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{Dir: t.TempDir()})
	limit := func(pages string) {
		err := e.writer.do(t.Context(), &operation{apply: func(t *tx) error { return script(t.conn, "PRAGMA max_page_count = "+pages) }})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // no page more than there are
	large := benchEvent()
	large.Data = []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	if err := e.EventLog().Append(t.Context(), []event.Tracked{large}); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("append to a full disk: %v", err)
	}
	limit("1000000")
	if err := e.EventLog().Append(t.Context(), []event.Tracked{large}); err != nil {
		t.Errorf("append after there is room again: %v", err)
	}
}

func TestWrite_FailsWhileTheFileIsLocked(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{Dir: t.TempDir(), busy: time.Millisecond})
	other, err := sqlite.OpenConn(e.db.path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := script(other, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := e.EventLog().Append(t.Context(), []event.Tracked{benchEvent()}); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("append to a locked file: %v", err)
	}
	if err := script(other, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := e.EventLog().Append(t.Context(), []event.Tracked{benchEvent()}); err != nil {
		t.Errorf("append after the lock is gone: %v", err)
	}
}
