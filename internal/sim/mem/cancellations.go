package mem

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/ports"
)

// cancellations is the backend as that port.
type cancellations struct{ *Backend }

// Cancellations returns the backend as that port.
func (b *Backend) Cancellations() ports.Cancellations { return cancellations{b} }

// Create implements ports.Cancellations.
func (c cancellations) Create(ctx context.Context, created cancellation.Cancellation) error {
	return c.locked(ctx, func() error {
		c.orders[created.ID] = created
		return nil
	})
}

// Update implements ports.Cancellations.
func (c cancellations) Update(ctx context.Context, updated cancellation.Cancellation) error {
	return c.locked(ctx, func() error {
		if _, known := c.orders[updated.ID]; !known {
			return ports.ErrNotFound
		}
		c.orders[updated.ID] = updated
		ended := 0
		for _, order := range c.newestFirst() {
			if order.State == cancellation.Active {
				continue
			}
			if ended++; ended > cancellation.KeepEnded {
				delete(c.orders, order.ID)
			}
		}
		return nil
	})
}

// Delete implements ports.Cancellations.
func (c cancellations) Delete(ctx context.Context, id ulid.ULID) error {
	return c.locked(ctx, func() error {
		if _, known := c.orders[id]; !known {
			return ports.ErrNotFound
		}
		delete(c.orders, id)
		return nil
	})
}

// Find implements ports.Cancellations.
func (c cancellations) Find(ctx context.Context, id ulid.ULID) (found cancellation.Cancellation, err error) {
	err = c.locked(ctx, func() error {
		var known bool
		if found, known = c.orders[id]; !known {
			return ports.ErrNotFound
		}
		return nil
	})
	return found, err
}

// List implements ports.Cancellations.
func (c cancellations) List(ctx context.Context) (all []cancellation.Cancellation, err error) {
	err = c.locked(ctx, func() error {
		all = c.newestFirst()
		return nil
	})
	return all, err
}

func (c cancellations) newestFirst() []cancellation.Cancellation {
	var all []cancellation.Cancellation
	for _, order := range c.orders {
		all = append(all, order)
	}
	slices.SortFunc(all, func(x, y cancellation.Cancellation) int { return y.ID.Compare(x.ID) })
	return all
}

// locked makes a call while nobody else does.
func (b *Backend) locked(ctx context.Context, call func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ports.ErrClosed
	}
	return call()
}

// RunsOf implements ports.Store.
func (b *Backend) RunsOf(ctx context.Context, q ports.RunsQuery) (found []ulid.ULID, err error) {
	err = b.locked(ctx, func() error {
		for id, state := range b.runs {
			at := ulid.Time(id.Time())
			if state.FunctionID == q.Function && id.Compare(q.Cursor) > 0 &&
				(q.After.IsZero() || at.After(q.After)) && (q.Before.IsZero() || at.Before(q.Before)) {
				found = append(found, id)
			}
		}
		slices.SortFunc(found, ulid.ULID.Compare)
		found = found[:min(len(found), q.Limit)]
		return nil
	})
	return found, err
}

// Fence implements ports.Store.
func (b *Backend) Fence(ctx context.Context, function uuid.UUID, before time.Time) error {
	return b.locked(ctx, func() error {
		if b.fences[function].Before(before) {
			b.fences[function] = before
		}
		return nil
	})
}

// outdated reports a run on the far side of a fence.
func (b *Backend) outdated(s ports.Schedule) bool {
	return slices.ContainsFunc(s.Runs, func(r ports.NewRun) bool {
		return ulid.Time(r.State.ID.Time()).Before(b.fences[r.State.FunctionID])
	})
}

// SetPaused implements ports.Catalog.
func (b *Backend) SetPaused(ctx context.Context, function uuid.UUID, paused bool) error {
	return b.locked(ctx, func() error {
		b.paused = slices.DeleteFunc(b.paused, func(id uuid.UUID) bool { return id == function })
		if paused {
			b.paused = append(b.paused, function)
		}
		return nil
	})
}

// PausedFunctions implements ports.Catalog.
func (b *Backend) PausedFunctions(ctx context.Context) (paused []uuid.UUID, err error) {
	err = b.locked(ctx, func() error {
		paused = slices.Clone(b.paused)
		return nil
	})
	return paused, err
}
