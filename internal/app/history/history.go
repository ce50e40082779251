// Package history answers what clients ask of the past: a run, a list of runs, the trace of a run, what went in and came out of a span,
// what started a run, and events. It is the one place that puts these answers together, for all APIs; none of them is HTTP here.
//
// Lists are pages of a walk along an index. A search by an expression is evaluated page by page, newest first, and bounded in rows and
// time: what cannot be answered within the bounds is an error that says how far it got.
//
// Source: spec 05 §5–§9.
package history

import (
	"context"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
)

// Limits of a search.
const (
	// DefaultSearchRuns is how many runs or events a search looks at, DefaultSearchTime how long it takes.
	DefaultSearchRuns = 50_000
	DefaultSearchTime = 5 * time.Second
)

// Deps are what the answers are made of.
type Deps struct {
	History  ports.History
	Store    ports.Store
	Queue    ports.Queue
	Metadata ports.Metadata
	Catalog  ports.Catalog
	Clock    ports.Clock
}

// Config bounds searches; zero is the default.
type Config struct {
	SearchRuns int
	SearchTime time.Duration
}

// Reader answers. It is safe for concurrent use.
type Reader struct {
	Deps
	cfg Config
}

// New returns a reader.
func New(deps Deps, cfg Config) *Reader {
	if cfg.SearchRuns <= 0 {
		cfg.SearchRuns = DefaultSearchRuns
	}
	if cfg.SearchTime <= 0 {
		cfg.SearchTime = DefaultSearchTime
	}
	return &Reader{Deps: deps, cfg: cfg}
}

// NotFoundError says what is not there; it is ports.ErrNotFound.
type NotFoundError struct {
	// What is "run" or "event".
	What string
	ID   ulid.ULID
}

func (e *NotFoundError) Error() string { return e.What + " not found: " + e.ID.String() }

// Unwrap is ports.ErrNotFound.
func (e *NotFoundError) Unwrap() error { return ports.ErrNotFound }

// Run returns a run; *NotFoundError when it is not known.
func (r *Reader) Run(ctx context.Context, id ulid.ULID) (ports.RunSummary, error) {
	found, err := r.History.Summaries(ctx, []ulid.ULID{id})
	if err != nil {
		return ports.RunSummary{}, err
	}
	if len(found) == 0 {
		return ports.RunSummary{}, &NotFoundError{"run", id}
	}
	if found[0].Status == ports.RunQueued {
		begun, err := r.Queue.Begun(ctx)
		if err != nil {
			return ports.RunSummary{}, err
		}
		begin(begun, found)
	}
	return found[0], nil
}

// Event returns an event; *NotFoundError when it is not stored.
func (r *Reader) Event(ctx context.Context, id ulid.ULID) (event.Tracked, error) {
	found, err := r.History.Event(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return event.Tracked{}, &NotFoundError{"event", id}
	}
	return found, err
}

// RunsOfEvents returns the runs that each of the events started or would have started, also those of a batch that the event was in,
// oldest first.
func (r *Reader) RunsOfEvents(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]ports.RunSummary, error) {
	found, err := r.History.RunsOfEvents(ctx, ids)
	if err != nil {
		return nil, err
	}
	begun, err := r.Queue.Begun(ctx)
	for _, runs := range found {
		begin(begun, runs)
	}
	return found, err
}
