package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ingothq/ingot/internal/ports"
)

// Engine is the embedded backend: one SQLite database and what is kept in memory of it. It is safe for concurrent use.
type Engine struct {
	cfg    Config
	db     *database
	writer *writer
	store  *store
	queue  *queue
	log    *eventLog
	holds  *holds
	keep   *retention

	close    sync.Once
	closeErr error
}

// Open opens the database, brings its schema up to date and rebuilds what is kept in memory. Work that was in hand when
// the last process ended is handed out again.
//
// The directory belongs to one server at a time; a second one is refused once it has waited 5 seconds for the first to let
// go of it. Errors wrap ports.ErrUnavailable when the database cannot be used.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	db, err := openDatabase(ctx, cfg)
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, db: db}
	e.keep = newRetention(cfg)
	if e.writer, err = newWriter(db, cfg, e.keep); err != nil {
		return nil, errors.Join(err, db.close())
	}
	e.queue = newQueue(cfg, e.writer)
	e.log = newEventLog(cfg, e.writer, db)
	e.holds = newHolds(cfg, e.writer, db)
	e.store = newStore(cfg, e.writer, db, e.queue, e.log, e.holds, e.keep)
	if err := e.restore(ctx); err != nil {
		return nil, errors.Join(err, e.Close(context.WithoutCancel(ctx)))
	}
	e.writer.start()
	return e, nil
}

// restore rebuilds from the database what is kept in memory. Nothing else runs yet, so it reads through the writer's own
// connection.
func (e *Engine) restore(ctx context.Context) error {
	queries := e.writer.queries
	keys, err := e.restoreRuns(ctx)
	if err != nil {
		return fmt.Errorf("restore runs: %w", err)
	}
	if err := e.queue.restore(ctx, queries, keys); err != nil {
		return fmt.Errorf("restore queue: %w", err)
	}
	if err := e.store.pauses.restore(ctx, queries); err != nil {
		return fmt.Errorf("restore pauses: %w", err)
	}
	if err := e.log.restore(ctx, queries); err != nil {
		return fmt.Errorf("restore event log: %w", err)
	}
	if err := e.holds.restore(ctx, queries); err != nil {
		return fmt.Errorf("restore holds: %w", err)
	}
	if err := e.keep.restore(ctx, queries); err != nil {
		return fmt.Errorf("restore retention: %w", err)
	}
	if err := e.writer.history.restore(ctx, queries); err != nil {
		return fmt.Errorf("restore history: %w", err)
	}
	return nil
}

// Store returns the port of runs in progress.
func (e *Engine) Store() ports.Store { return e.store }

// Queue returns the port of jobs that are due.
func (e *Engine) Queue() ports.Queue { return e.queue }

// EventLog returns the port of accepted events.
func (e *Engine) EventLog() ports.EventLog { return e.log }

// Holds returns the port of events that wait for their run.
func (e *Engine) Holds() ports.Holds { return e.holds }

// Catalog returns the port of apps and functions.
func (e *Engine) Catalog() ports.Catalog {
	return catalog{db: e.db, writer: e.writer, clock: e.cfg.Clock}
}

// Cancellations returns the port of bulk cancellations.
func (e *Engine) Cancellations() ports.Cancellations {
	return cancellations{db: e.db, writer: e.writer}
}

// History returns the port of what happened.
func (e *Engine) History() ports.History { return history{db: e.db, projector: e.writer.history} }

// Metadata returns the port of what is attached to runs and steps.
func (e *Engine) Metadata() ports.Metadata { return attachments{writer: e.writer, db: e.db} }

// Close finishes the writes that were accepted, refuses new ones with ports.ErrClosed, wakes everybody who waits, and
// leaves a database file that the reference can open. A second call returns the first's result. When ctx ends first,
// Close returns its cause and goes on in the background; a process that ends then leaves the file as a crash would,
// complete, with its log beside it.
func (e *Engine) Close(ctx context.Context) error {
	e.close.Do(func() {
		e.queue.shut()
		e.log.shut()
		e.holds.shut()
		e.writer.history.close()
		closed := make(chan error, 1)
		go func() { closed <- errors.Join(e.writer.stop(context.WithoutCancel(ctx)), e.db.close()) }()
		select {
		case err := <-closed:
			if err != nil {
				e.closeErr = fmt.Errorf("close engine: %w", translate(err))
			}
		case <-ctx.Done():
			e.closeErr = fmt.Errorf("close engine: %w", context.Cause(ctx))
		}
	})
	return e.closeErr
}
