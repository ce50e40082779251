package ports

import (
	"context"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/metadata"
)

// Metadata keeps what is attached to runs and their steps. Store.Commit writes to the same place (Transition.Metadata). It
// lives as long as the run's record in the history.
type Metadata interface {
	// Put appends updates to those of a run, in progress or ended, all or none; they are durable when it returns.
	// ErrNotFound: there is no such run. The errors of metadata.Admit say that the run has no room for them, with all that
	// was put and committed before. Appends of a run take turns, so no two pass the bound together.
	Put(ctx context.Context, run ulid.ULID, updates []metadata.Update) error
	// All returns the updates of a run, in the order in which they were stored; none for a run that has none. ErrNotFound:
	// there is no such run.
	All(ctx context.Context, run ulid.ULID) ([]metadata.Stored, error)
	// AllOf returns what All returns of each of the runs, in as few reads as possible. Runs that have none, or are not known, are not
	// in the answer.
	AllOf(ctx context.Context, runs []ulid.ULID) (map[ulid.ULID][]metadata.Stored, error)
}
