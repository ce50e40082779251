package ports

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
)

// Holds keeps events back until a run of a function starts with them: batches that fill up, and events of debounces, which wait
// for their keys to become quiet. Store.Schedule puts events into holds, and settles them. A function has at most one hold of
// a kind and key that takes more events.
type Holds interface {
	// Take waits until a hold is due and gives it to the caller alone, earliest first, with all its events. It is handed out
	// again after Release, after a restart, and when it changes meanwhile, until Schedule settles it or Park removes it.
	Take(ctx context.Context) (Hold, error)
	// Release hands back a hold that could not be settled, to be taken again not before at. ErrNotFound: it is not with a caller
	// at that revision.
	Release(ctx context.Context, ref HoldRef, at time.Time) error
	// Park takes a hold that cannot be settled out for good and records why, with its events' IDs. The events themselves stay.
	// ErrNotFound: it is not with a caller at that revision.
	Park(ctx context.Context, ref HoldRef, reason string) error
}

// HoldRef names a state of a hold.
type HoldRef struct {
	ID ulid.ULID
	// Revision counts the changes of the hold.
	Revision int
}

// HoldKind is what a hold is for.
type HoldKind string

// The kinds.
const (
	// HoldBatch collects events for one run. It is due when it is full, and at the latest at its deadline.
	HoldBatch HoldKind = "batch"
	// HoldDebounce keeps the latest event of a key. It is due when the key has been quiet.
	HoldDebounce HoldKind = "debounce"
)

// Hold is what waits for a run.
type Hold struct {
	HoldRef
	FunctionID uuid.UUID
	Kind       HoldKind
	// Key tells holds of a function and kind apart, as flow.Evaluated has it.
	Key string
	// Due is since when a run may start.
	Due time.Time
	// Events are in the order in which they were put in; there is at least one, of a debounce exactly one.
	Events []event.Tracked
}
