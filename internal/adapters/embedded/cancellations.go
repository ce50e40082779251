package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// cancellations keeps bulk cancellations, a row each.
type cancellations struct {
	db     *database
	writer *writer
}

var _ ports.Cancellations = cancellations{}

// Create implements ports.Cancellations.
func (c cancellations) Create(ctx context.Context, created cancellation.Cancellation) error {
	err := c.writer.change(ctx, func(ctx context.Context, q *db.Queries) error {
		return q.PutCancellation(ctx, db.PutCancellationParams{
			ID: created.ID[:], CreatedAt: nanos(created.CreatedAt), AppID: created.AppID[:], FunctionID: created.FunctionID[:],
			Slug: created.Slug, StartedAfter: givenInstant(created.After), StartedBefore: givenInstant(created.Before),
			Condition: created.If, State: string(created.State), Position: created.Cursor[:],
			Cancelled: int64(created.Cancelled), Refused: int64(created.Refused), Error: created.Error, EndedAt: nanos(created.EndedAt),
		})
	})
	if err != nil {
		return fmt.Errorf("create cancellation %s: %w", created.ID, err)
	}
	return nil
}

// Update implements ports.Cancellations.
func (c cancellations) Update(ctx context.Context, updated cancellation.Cancellation) error {
	err := c.writer.change(ctx, func(ctx context.Context, q *db.Queries) error {
		err := found(q.UpdateCancellation(ctx, db.UpdateCancellationParams{
			State: string(updated.State), Position: updated.Cursor[:], Cancelled: int64(updated.Cancelled),
			Refused: int64(updated.Refused), Error: updated.Error, EndedAt: nanos(updated.EndedAt), ID: updated.ID[:],
		}))
		if err != nil || updated.EndedAt.IsZero() {
			return err
		}
		return q.PruneCancellations(ctx, cancellation.KeepEnded)
	})
	if err != nil {
		return fmt.Errorf("update cancellation %s: %w", updated.ID, err)
	}
	return nil
}

// Delete implements ports.Cancellations.
func (c cancellations) Delete(ctx context.Context, id ulid.ULID) error {
	err := c.writer.change(ctx, func(ctx context.Context, q *db.Queries) error {
		return found(q.DeleteCancellation(ctx, id[:]))
	})
	if err != nil {
		return fmt.Errorf("delete cancellation %s: %w", id, err)
	}
	return nil
}

// Find implements ports.Cancellations.
func (c cancellations) Find(ctx context.Context, id ulid.ULID) (cancellation.Cancellation, error) {
	var found cancellation.Cancellation
	err := c.db.read(ctx, func(q *db.Queries) error {
		row, err := q.GetCancellation(ctx, id[:])
		if err != nil {
			return err
		}
		found, err = cancellationFrom(row)
		return err
	})
	if err != nil {
		return cancellation.Cancellation{}, fmt.Errorf("cancellation %s: %w", id, err)
	}
	return found, nil
}

// List implements ports.Cancellations.
func (c cancellations) List(ctx context.Context) ([]cancellation.Cancellation, error) {
	var all []cancellation.Cancellation
	err := c.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListCancellations(ctx)
		if err != nil {
			return err
		}
		all, err = each(rows, cancellationFrom)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list cancellations: %w", err)
	}
	return all, nil
}

// cancellationFrom reads a row.
func cancellationFrom(row db.IngotCancellation) (cancellation.Cancellation, error) {
	c := cancellation.Cancellation{
		CreatedAt: fromNanos(row.CreatedAt), Slug: row.Slug, If: row.Condition, State: cancellation.State(row.State),
		Cancelled: int(row.Cancelled), Refused: int(row.Refused), Error: row.Error, EndedAt: fromNanos(row.EndedAt),
	}
	var errs [6]error
	c.ID, errs[0] = parseULID(row.ID)
	c.AppID, errs[1] = uuid.FromBytes(row.AppID)
	c.FunctionID, errs[2] = uuid.FromBytes(row.FunctionID)
	c.Cursor, errs[3] = parseULID(row.Position)
	c.After, errs[4] = parseGiven(row.StartedAfter)
	c.Before, errs[5] = parseGiven(row.StartedBefore)
	if err := errors.Join(errs[:]...); err != nil {
		return cancellation.Cancellation{}, damaged("cancellation "+c.ID.String(), err)
	}
	return c, nil
}

// givenInstant is an instant that a client gave, as text; empty for none.
func givenInstant(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339Nano)
}

func parseGiven(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, text)
}
