package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"zombiezen.com/go/sqlite"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

const (
	// fileName is the reference's name of its database. Spec 15 §2.
	fileName = "main.db"
	// lockName is the file that says which server has the directory.
	lockName = "main.db.lock"
	// readers bounds the connections that read beside the writer. Reads are short, and each connection has a page cache.
	readers = 4
	// lockPatience is how long a server waits for another one to let go of the directory, lockInterval how often it looks.
	lockPatience = 5 * time.Second
	lockInterval = 20 * time.Millisecond
)

// Settings of a connection to a file. WAL lets reads go on beside the writer; FULL syncs the log at each commit, so a
// commit that was answered survives a loss of power. The checkpoint is less frequent than by default, because each one
// syncs the file twice more; the log is then at most a few ten megabytes.
const (
	fileSettings = `
		PRAGMA journal_mode = wal;
		PRAGMA synchronous = full;
		PRAGMA wal_autocheckpoint = 4000;
		PRAGMA journal_size_limit = 67108864;
		PRAGMA cache_size = -16000;
		PRAGMA temp_store = memory;`
	readerSettings = `
		PRAGMA query_only = on;
		PRAGMA cache_size = -2000;
		PRAGMA temp_store = memory;`
)

// database is the file, or the memory in its place, and the connections to it.
type database struct {
	path string // empty in memory
	busy time.Duration
	// unsynced: see Config.
	unsynced bool
	lock     *flock.Flock
	// conn is the connection that writes. In memory it is the only one, and reads take turns with the writer.
	conn *sqlite.Conn
	// pool reads beside the writer; nil in memory.
	pool *sql.DB
	// viaWriter runs a read between two of the writer's batches. Set by the writer, in memory mode only.
	viaWriter func(ctx context.Context, read func(q *db.Queries) error) error
}

// openDatabase opens or makes the database in the directory, or one in memory when there is none.
func openDatabase(ctx context.Context, cfg Config) (*database, error) {
	d := &database{busy: cfg.busy, unsynced: cfg.unsynced}
	if dir := cfg.Dir; dir != "" {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, fmt.Errorf("make database directory: %w: %w", ports.ErrUnavailable, err)
		}
		d.path = filepath.Join(dir, fileName)
		d.lock = flock.New(filepath.Join(dir, lockName))
		if err := d.acquire(ctx, cfg); err != nil {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
	}
	if err := d.connect(); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", d.path, translate(err)), d.abandon())
	}
	return d, nil
}

// acquire takes the directory's lock. A server that was killed a moment ago may still hold it: the system lets go of it
// when the last of the process is gone.
func (d *database) acquire(ctx context.Context, cfg Config) error {
	deadline := cfg.Clock.Now().Add(lockPatience)
	for {
		held, err := d.lock.TryLock()
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ports.ErrUnavailable, err)
		case held:
			return nil
		case !cfg.Clock.Now().Before(deadline):
			return errors.Join(fmt.Errorf("%w: another server uses the directory", ports.ErrUnavailable), d.lock.Close())
		}
		passed := make(chan struct{})
		stop := cfg.Clock.AfterFunc(lockInterval, func() { close(passed) })
		select {
		case <-passed:
		case <-ctx.Done():
			stop()
			return errors.Join(context.Cause(ctx), d.lock.Close())
		}
	}
}

func (d *database) connect() (err error) {
	path, flags := d.path, sqlite.OpenReadWrite|sqlite.OpenCreate
	if path == "" {
		path, flags = ":memory:", flags|sqlite.OpenMemory
	}
	if d.conn, err = sqlite.OpenConn(path, flags); err != nil {
		return err
	}
	d.conn.SetBusyTimeout(d.busy)
	if d.path != "" {
		settings := fileSettings
		if d.unsynced {
			settings += "PRAGMA synchronous = off;"
		}
		if err := script(d.conn, settings); err != nil {
			return err
		}
		d.pool = sql.OpenDB(connector{open: d.openReader})
		d.pool.SetMaxOpenConns(readers)
		d.pool.SetMaxIdleConns(1)
	}
	return migrate(d.conn)
}

func (d *database) openReader(context.Context) (*session, error) {
	conn, err := sqlite.OpenConn(d.path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(d.busy)
	if err := script(conn, readerSettings); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &session{conn: conn}, nil
}

// read runs queries that see everything committed before the call. The function may not keep q.
func (d *database) read(ctx context.Context, read func(q *db.Queries) error) error {
	if d.pool == nil {
		return d.viaWriter(ctx, read)
	}
	if err := read(db.New(d.pool)); err != nil {
		return translateRead(ctx, err)
	}
	return nil
}

// close leaves a file in the journal mode that the reference expects, with no log beside it.
func (d *database) close() error {
	var errs []error
	if d.pool != nil {
		errs = append(errs, d.pool.Close())
	}
	if d.path != "" {
		// Another process that has the file open keeps it in WAL mode; it is complete all the same.
		if err := script(d.conn, "PRAGMA wal_checkpoint(truncate); PRAGMA journal_mode = delete;"); sqlite.ErrCode(err).ToPrimary() != sqlite.ResultBusy {
			errs = append(errs, err)
		}
	}
	errs = append(errs, d.abandon())
	return errors.Join(errs...)
}

// abandon lets go of the file as it is, as a crash would.
func (d *database) abandon() error {
	var errs []error
	if d.pool != nil {
		errs = append(errs, d.pool.Close())
	}
	if d.conn != nil {
		errs = append(errs, d.conn.Close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Unlock())
	}
	return errors.Join(errs...)
}

// errDamaged: a row or record is there but cannot be read. Another try would find the same, so it is none of the errors of
// the ports, and callers park what led them there.
var errDamaged = errors.New("damaged record")

// damaged marks an error as errDamaged and says what was being read. The cause is text only: a part that was not found must
// not be taken for the whole.
func damaged(what string, err error) error {
	return fmt.Errorf("%s: %w: %s", what, errDamaged, err.Error())
}

// translate turns an error of SQLite into one of the ports: what the data forbids is a conflict, everything else (disk
// full, file locked, damaged, gone) makes the backend unavailable.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case isPortError(err), errors.Is(err, errDamaged):
		return err
	case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultConstraint:
		return fmt.Errorf("%w: %w", ports.ErrConflict, err)
	}
	return fmt.Errorf("%w: %w", ports.ErrUnavailable, err)
}

// translateRead does the same for a read, whose caller may have gone and which may have found nothing.
func translateRead(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ports.ErrNotFound
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return translate(err)
}

// isPortError tells whether an error says already what it means to the caller.
func isPortError(err error) bool {
	for _, known := range []error{
		ports.ErrNotFound, ports.ErrConflict, ports.ErrLeaseLost, ports.ErrClosed, ports.ErrUnavailable,
		metadata.ErrUpdateTooLarge, metadata.ErrRunFull,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	taken, locked, superseded := (*ports.SignalTakenError)(nil), (*ports.LockedError)(nil), (*ports.SupersededError)(nil)
	decided := rejected{}
	return errors.As(err, &taken) || errors.As(err, &locked) || errors.As(err, &superseded) || errors.As(err, &decided)
}
