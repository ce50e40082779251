package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

const (
	// maxBatchOps and maxBatchBytes bound a transaction, and with it how long its first caller waits for the last and how
	// far the log grows between checkpoints.
	maxBatchOps   = 512
	maxBatchBytes = 8 << 20
	// backlog bounds the callers that wait without holding a goroutine of the writer; more than one batch, so that the
	// next is complete when the last is done.
	backlog = 2 * maxBatchOps
)

// operation is one caller's change, all or nothing.
type operation struct {
	// apply writes. It returns a port error to refuse, which it must decide before its first write. It may be run again
	// after a rollback, so it starts from nothing each time.
	apply func(t *tx) error
	// committed makes the same true in memory. It runs on the writer's goroutine, after the commit and before the caller
	// goes on.
	committed func()
	// read is for operations that only look: they run outside the transaction.
	read func(q *db.Queries) error
	// size estimates the bytes written.
	size int
	done chan error
}

// writer is the one goroutine that writes. It takes what is waiting, puts it into one transaction and releases the callers
// after the commit. There is no timer: while a commit is being synced, the next batch gathers by itself.
type writer struct {
	db         *database
	clock      ports.Clock
	logger     *slog.Logger
	statements *statements
	queries    *db.Queries
	shim       *sql.DB
	keep       *retention
	history    *projector

	queue   chan *operation
	mu      sync.RWMutex // held for reading while sending on queue, so that closing it is safe
	closed  bool
	running sync.WaitGroup

	// record is room for what a transaction has for the history of runs, packed for the same as the log has it.
	record, packed []byte
	// current is the open transaction, nil between two.
	current *tx
	fault   func() error // see Config
}

// newWriter prepares the statements on the database's connection. start begins the work.
func newWriter(d *database, cfg Config, keep *retention) (*writer, error) {
	prepared, err := prepare(d.conn)
	if err != nil {
		return nil, fmt.Errorf("prepare statements: %w", translate(err))
	}
	w := &writer{db: d, clock: cfg.Clock, logger: cfg.Logger, statements: prepared, keep: keep, fault: cfg.fault, queue: make(chan *operation, backlog)}
	w.history = newProjector(cfg, w)
	w.shim = sql.OpenDB(connector{open: func(context.Context) (*session, error) {
		return &session{conn: d.conn, shared: true, exec: func(stmt *sqlite.Stmt) error { return w.current.write(stmt) }}, nil
	}})
	w.shim.SetMaxOpenConns(1)
	w.queries = db.New(w.shim)
	if d.pool == nil {
		d.viaWriter = w.look
	}
	return w, nil
}

func (w *writer) start() {
	w.running.Go(w.run)
}

// do runs an operation and returns when its outcome is known. A context that ends before the writer has accepted the
// operation keeps it from happening; afterwards the caller waits for the outcome, which is a matter of milliseconds,
// rather than leave with a change that may or may not happen.
func (w *writer) do(ctx context.Context, op *operation) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	op.done = make(chan error, 1)
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return ports.ErrClosed
	}
	select {
	case w.queue <- op:
		w.mu.RUnlock()
	case <-ctx.Done():
		w.mu.RUnlock()
		return context.Cause(ctx)
	}
	return <-op.done
}

// change runs generated queries in a transaction, all or nothing. The transaction does not end with the caller's context.
// ErrNotFound is a refusal: only the first query may report it, and none that has changed a row.
func (w *writer) change(ctx context.Context, queries func(ctx context.Context, q *db.Queries) error) error {
	own := context.WithoutCancel(ctx)
	return w.do(ctx, &operation{
		size: 4 << 10,
		apply: func(t *tx) error {
			err := queries(own, t.queries)
			if errors.Is(err, ports.ErrNotFound) {
				return t.refuse(err)
			}
			return err
		},
	})
}

// look runs a read between two batches.
func (w *writer) look(ctx context.Context, read func(q *db.Queries) error) error {
	if err := w.do(ctx, &operation{read: read}); err != nil {
		return translateRead(ctx, err)
	}
	return nil
}

// stop refuses new operations and returns when the accepted ones are done, and what history shows of them is written.
func (w *writer) stop(ctx context.Context) error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	w.running.Wait()
	w.history.drain(ctx)
	return w.shim.Close()
}

func (w *writer) run() {
	var batch []*operation
	for first := range w.queue {
		batch = append(batch[:0], first)
		size := first.size
	gather:
		for len(batch) < maxBatchOps && size < maxBatchBytes {
			select {
			case op, open := <-w.queue:
				if !open {
					break gather
				}
				batch = append(batch, op)
				size += op.size
			default:
				break gather
			}
		}
		w.commit(batch)
		clear(batch)
	}
}

// commit makes a batch true and answers its callers.
func (w *writer) commit(batch []*operation) {
	writes := batch[:0:len(batch)]
	for _, op := range batch {
		if op.read != nil {
			op.done <- op.read(w.queries)
			continue
		}
		writes = append(writes, op)
	}
	if len(writes) == 0 {
		return
	}
	outcomes := make([]error, len(writes))
	if err := w.transact(writes, outcomes); err != nil {
		if len(writes) == 1 {
			outcomes[0] = err
		} else {
			// One of them cannot be written. Alone, each succeeds or fails for itself.
			for i := range writes {
				outcomes[i] = nil
				if err := w.transact(writes[i:i+1], outcomes[i:i+1]); err != nil {
					outcomes[i] = err
				}
			}
		}
	}
	for i, op := range writes {
		op.done <- outcomes[i]
	}
	w.keep.prune(w)
}

// transact applies operations in one transaction. An operation that refuses is answered in outcomes and does not disturb
// the others; an error means that nothing was written.
func (w *writer) transact(ops []*operation, outcomes []error) error {
	t := &tx{statements: w.statements, queries: w.queries, conn: w.db.conn, fault: w.fault, record: w.record[:0]}
	w.current = t
	defer func() { w.current, w.record = nil, t.record }()
	if err := t.step(w.statements.begin); err != nil {
		return translate(err)
	}
	for i, op := range ops {
		t.writes = 0
		outcomes[i] = op.apply(t)
		if t.failed != nil || outcomes[i] != nil && t.writes > 0 {
			w.rollback()
			return translate(cmp.Or(t.failed, outcomes[i]))
		}
		outcomes[i] = translate(outcomes[i])
	}
	if len(t.record) > 0 {
		w.packed = packRecord(w.packed, t.record)
		if _, err := t.exec(w.statements.insertHistoryLog, w.history.next(), w.packed); err != nil {
			w.rollback()
			return translate(err)
		}
	}
	if err := t.step(w.statements.commit); err != nil {
		w.rollback()
		return translate(err)
	}
	w.history.committed(t.spans)
	for i, op := range ops {
		if outcomes[i] == nil && op.committed != nil {
			op.committed()
		}
	}
	return nil
}

// rollback ends a transaction that SQLite may have ended already, as it does when the disk is full.
func (w *writer) rollback() {
	if w.db.conn.AutocommitEnabled() {
		return
	}
	_, err := w.statements.rollback.Step()
	_ = errors.Join(err, w.statements.rollback.Reset()) // the error that led here is the one to report
}

// now is the writer's time.
func (w *writer) now() time.Time { return w.clock.Now().UTC() }

// tx is the open transaction as operations see it.
type tx struct {
	statements *statements
	queries    *db.Queries
	conn       *sqlite.Conn
	// writes counts the statements that the operation in hand has run.
	writes int
	// failed is the first error of a statement; the transaction is lost with it.
	failed error
	fault  func() error
	// spans are what the transaction has for the history of runs, record is the same as it is stored; nil in memory.
	spans  [][]trace.Span
	record []byte
}

// tell adds to what the transaction has for the history of runs. It is the last thing an operation does, since a refusal takes
// nothing of it back.
func (t *tx) tell(spans []trace.Span, record []byte) {
	if len(spans) > 0 {
		t.spans = append(t.spans, spans)
	}
	t.record = append(t.record, record...)
}

// exec runs a writing statement with its parameters in order and returns how many rows it changed. Parameters are
// strings, blobs, int64 and nil.
func (t *tx) exec(stmt *sqlite.Stmt, args ...any) (int, error) {
	for i, arg := range args {
		bind(stmt, i+1, arg)
	}
	if err := t.write(stmt); err != nil {
		return 0, err
	}
	return t.conn.Changes(), nil
}

// write steps a bound statement to its end.
func (t *tx) write(stmt *sqlite.Stmt) error {
	t.writes++
	if t.fault != nil {
		if err := t.fault(); err != nil {
			return t.fail(err)
		}
	}
	return t.step(stmt)
}

// row runs a reading statement and tells whether it found a row; the caller reads it and then calls done.
func (t *tx) row(stmt *sqlite.Stmt, args ...any) (found bool, done func(), err error) {
	for i, arg := range args {
		bind(stmt, i+1, arg)
	}
	found, err = stmt.Step()
	if err != nil {
		return false, func() {}, t.fail(err)
	}
	return found, func() {
		if err := stmt.Reset(); err != nil {
			_ = t.fail(err) // recorded: the transaction is lost
		}
	}, nil
}

// refuse refuses the operation after a statement that changed no row: nothing was written so far.
func (t *tx) refuse(err error) error {
	t.writes = 0
	return err
}

func (t *tx) step(stmt *sqlite.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return t.fail(err)
	}
	if err := stmt.Reset(); err != nil {
		return t.fail(err)
	}
	return nil
}

func (t *tx) fail(err error) error {
	if t.failed == nil {
		t.failed = err
	}
	return err
}

func bind(stmt *sqlite.Stmt, param int, arg any) {
	switch value := arg.(type) {
	case []byte:
		bindBytes(stmt, param, value)
	case string:
		stmt.BindText(param, value)
	case int64:
		stmt.BindInt64(param, value)
	case int:
		stmt.BindInt64(param, int64(value))
	default:
		stmt.BindNull(param)
	}
}
