package ports

import (
	"context"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/cancellation"
)

// Cancellations keeps bulk cancellations, so that one that was accepted is worked off whatever happens to the process.
type Cancellations interface {
	// Create stores a new one; it is durable when it returns. One with the ID of another replaces it.
	Create(ctx context.Context, c cancellation.Cancellation) error
	// Update stores how far one has come: its state, cursor, counts, error and end; ErrNotFound when it was deleted
	// meanwhile. When it has ended, the oldest of those that have ended are deleted with it, beyond cancellation.KeepEnded.
	Update(ctx context.Context, c cancellation.Cancellation) error
	// Delete deletes one; ErrNotFound when there is none with the ID.
	Delete(ctx context.Context, id ulid.ULID) error
	// Find returns one; ErrNotFound when there is none with the ID.
	Find(ctx context.Context, id ulid.ULID) (cancellation.Cancellation, error)
	// List returns all of them, newest first.
	List(ctx context.Context) ([]cancellation.Cancellation, error)
}
