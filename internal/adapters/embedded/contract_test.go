package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/ports/portstest"
)

// errInjected is a write that a test made fail.
var errInjected = errors.New("injected")

// faults makes the n-th write from now fail.
type faults struct{ left atomic.Int64 }

// set must be called in a bubble. The writer deletes old data after it has answered its callers: those writes come first, so that the
// count does not depend on how far it is.
func (f *faults) set(n int) {
	synctest.Wait()
	f.left.Store(int64(n))
}

func (f *faults) check() error {
	if f.left.Load() > 0 && f.left.Add(-1) == 0 {
		return errInjected
	}
	return nil
}

// underTest opens an engine for the contract suites, in a bubble of synctest.
func underTest(t *testing.T, cfg Config) portstest.Ports {
	t.Helper()
	injected := &faults{}
	cfg.fault = injected.check
	metered := &portstest.Metered{}
	cfg.Meter = metered
	e := mustOpen(t, cfg)
	p := portstest.Ports{
		EventLog: e.EventLog(), Store: e.Store(), Queue: e.Queue(), Catalog: e.Catalog(), History: e.History(), Metadata: e.Metadata(),
		Cancellations: e.Cancellations(), Holds: e.Holds(), Metered: metered,
		Now: time.Now, Pass: pass, Settle: synctest.Wait, FailWrite: injected.set,
	}
	if cfg.Dir != "" {
		p.Restart = func() portstest.Ports {
			cfg.Dir = crashed(t, cfg.Dir)
			return underTest(t, cfg)
		}
	}
	return p
}

// pass lets time pass and everything that it sets off come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// crashed returns a directory with the files as they are now, which is what a process that is killed leaves.
func crashed(tb testing.TB, dir string) string {
	tb.Helper()
	left := tb.TempDir()
	for _, name := range []string{fileName, fileName + "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(left, name), content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return left
}

// newDatabase is the file that an engine leaves which had nothing to do. Making its tables took most of the time of a case.
var newDatabase = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "ingot")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	if err := e.Close(context.Background()); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, fileName))
})

// migrated returns a directory with a new database.
func migrated(t *testing.T) string {
	t.Helper()
	content, err := newDatabase()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestContract(t *testing.T) {
	t.Parallel()
	configs := map[string]func(t *testing.T) Config{
		"memory":            func(*testing.T) Config { return Config{} },
		"disk":              func(t *testing.T) Config { return Config{Dir: migrated(t)} },
		"nothing kept warm": func(t *testing.T) Config { return Config{Dir: migrated(t), CacheBytes: -1, EventBufferBytes: -1} },
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			portstest.Test(t, func(t *testing.T, test func(t *testing.T, p portstest.Ports)) {
				cfg := config(t)
				synctest.Test(t, func(t *testing.T) { test(t, underTest(t, cfg)) })
			})
		})
	}
}
