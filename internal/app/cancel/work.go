package cancel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Do works on a cancellation that was taken: one batch, after which it has ended or is handed back for the next. A batch
// that fails is tried again after a while, and after cancellation.Attempts of them the cancellation is given up. When ctx
// ends, the runs whose turn it is are still cancelled.
func (c *Canceller) Do(ctx context.Context, id ulid.ULID) {
	next, ended, err := c.batch(ctx, id)
	log := c.Log.With("cancellation_id", id.String())
	switch {
	case err == nil && !ended:
		c.putBack(id, func(o *open) { o.at, o.failures = next, 0 })
	case err == nil, errors.Is(err, ports.ErrNotFound):
		c.forget(id)
	case ctx.Err() != nil, errors.Is(err, ports.ErrClosed):
		log.DebugContext(ctx, "cancellation left to the next start")
		c.forget(id)
	default:
		c.failed(ctx, id, err)
	}
}

// failed puts a cancellation off, or gives it up. One whose end cannot be stored is tried again all the same.
func (c *Canceller) failed(ctx context.Context, id ulid.ULID, reason error) {
	log := c.Log.With("cancellation_id", id.String())
	var failures int
	now := c.Clock.Now()
	c.with(id, func(o *open) {
		o.failures++
		failures = o.failures
	})
	if failures >= cancellation.Attempts {
		log.ErrorContext(ctx, "cancellation given up", "error", reason)
		if err := c.giveUp(ctx, id, reason); err == nil || errors.Is(err, ports.ErrNotFound) {
			c.forget(id)
			return
		}
	} else {
		log.WarnContext(ctx, "cancellation put off", "error", reason, "attempt", failures)
	}
	c.putBack(id, func(o *open) { o.at = now.Add(cancellation.Backoff(failures)) })
}

func (c *Canceller) giveUp(ctx context.Context, id ulid.ULID, reason error) error {
	found, err := c.Cancellations.Find(ctx, id)
	if err != nil {
		return err
	}
	found.Cancelled += c.count(found, 0)
	return c.Cancellations.Update(ctx, found.GiveUp(reason.Error(), c.Clock.Now()))
}

// with looks at a cancellation that is known.
func (c *Canceller) with(id ulid.ULID, look func(o *open)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.open[id]; o != nil {
		look(o)
	}
}

// count adds to the runs that were cancelled so far and returns how many of them are not in what is stored.
func (c *Canceller) count(stored cancellation.Cancellation, more int) (unsaved int) {
	c.with(stored.ID, func(o *open) {
		o.cancelled = max(o.cancelled, stored.Cancelled) + more
		unsaved = o.cancelled - stored.Cancelled
	})
	return unsaved
}

// batch does the next batch and says when to go on.
func (c *Canceller) batch(ctx context.Context, id ulid.ULID) (next time.Time, ended bool, err error) {
	defer func() { err = advance.Fault(recover(), err) }()
	work := context.WithoutCancel(ctx)
	order, err := c.Cancellations.Find(work, id)
	if err != nil {
		return time.Time{}, false, err
	}
	if order.State != cancellation.Active {
		return time.Time{}, true, nil
	}
	runs, until, err := c.list(work, order)
	if err != nil {
		return time.Time{}, false, err
	}
	batch := cancellation.Batch{Until: until, More: len(runs) == cancellation.BatchSize}
	if len(runs) > 0 {
		batch.Last = runs[len(runs)-1]
	}
	tally, err := c.cancelAll(ctx, order, runs)
	batch.Cancelled = c.count(order, tally.cancelled)
	if err != nil {
		return time.Time{}, false, err
	}
	batch.Refused, batch.Error = tally.refused, tally.reason
	now := c.Clock.Now()
	order = order.Advance(batch, now)
	if err := c.Cancellations.Update(work, order); err != nil {
		return time.Time{}, false, err
	}
	if order.State == cancellation.Active {
		return order.Resume(batch, now), false, nil
	}
	c.Log.InfoContext(ctx, "cancellation ended", "cancellation_id", id.String(), "status", string(order.State),
		"count", order.Cancelled, "reason", order.Error)
	return time.Time{}, true, nil
}

// list returns the next runs, and up to where they are all there are. No run is created below that bound any more.
func (c *Canceller) list(ctx context.Context, order cancellation.Cancellation) (runs []ulid.ULID, until time.Time, err error) {
	until = order.Until(c.Clock.Now())
	if err := c.Store.Fence(ctx, order.FunctionID, until); err != nil {
		return nil, until, err
	}
	runs, err = c.Store.RunsOf(ctx, ports.RunsQuery{
		Function: order.FunctionID, After: order.After, Before: until, Cursor: order.Cursor, Limit: cancellation.BatchSize,
	})
	return runs, until, err
}

// tally is what became of runs.
type tally struct {
	cancelled, refused int
	reason             string
}

// cancelAll cancels those of the runs that meet the condition, some at once. An error says that some were not tried, or may
// be cancelled when they are tried again; what became of the others is counted all the same.
func (c *Canceller) cancelAll(ctx context.Context, order cancellation.Cancellation, runs []ulid.ULID) (tally, error) {
	var condition *expr.Program
	if order.If != "" {
		var err error
		if condition, err = expr.Compile(order.If); err != nil {
			return tally{}, fmt.Errorf("condition: %w", err)
		}
	}
	ends := make([]end, len(runs))
	err := c.each(ctx, len(runs), func(ctx context.Context, n int) (err error) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !c.wanted(order.ID) {
			return ports.ErrNotFound
		}
		ends[n], err = c.cancel(context.WithoutCancel(ctx), order, condition, runs[n])
		return err
	})
	var sum tally
	for _, e := range ends {
		switch {
		case e.refused != nil:
			sum.refused++
			sum.reason = e.refused.Error()
		case e.cancelled:
			sum.cancelled++
		}
	}
	return sum, err
}

// each calls f with the numbers below n, some at once, until one fails or ctx ends.
func (c *Canceller) each(ctx context.Context, n int, f func(ctx context.Context, n int) error) error {
	if c.AtOnce == 1 {
		for i := range n {
			if err := f(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.AtOnce)
	for i := range n {
		group.Go(func() error { return f(ctx, i) })
	}
	return group.Wait()
}

// end is what became of a run: cancelled, refused for a reason that another try would find again, or neither, because it is
// not meant or has ended by itself.
type end struct {
	cancelled bool
	refused   error
}

// cancel cancels a run if it meets the condition. An error is one that may pass.
func (c *Canceller) cancel(ctx context.Context, order cancellation.Cancellation, condition *expr.Program, id ulid.ULID) (e end, err error) {
	defer func() {
		err = advance.Fault(recover(), err)
		switch {
		case errors.Is(err, ports.ErrNotFound):
			err = nil
		case errors.Is(err, ports.ErrUnavailable), errors.Is(err, ports.ErrConflict), errors.Is(err, ports.ErrClosed):
		case err != nil:
			c.Log.ErrorContext(ctx, "run cannot be cancelled", "cancellation_id", order.ID.String(), "run_id", id.String(), "error", err)
			e, err = end{refused: fmt.Errorf("run %s: %w", id, err)}, nil
		}
	}()
	step := advance.Step{Run: id, Input: run.CancelRequested{Now: c.Clock.Now()}}
	if condition != nil {
		state, err := c.Store.Load(ctx, id)
		if err != nil {
			return end{}, err
		}
		met, err := cancellation.Meets(condition, state, c.Clock.Now())
		if err != nil {
			c.Log.DebugContext(ctx, "condition of a cancellation failed", "cancellation_id", order.ID.String(), "run_id", id.String(), "error", err)
		}
		if !met {
			return end{}, nil
		}
		step.Known = &state
	}
	_, _, err = c.advance.Apply(ctx, step)
	return end{cancelled: err == nil}, err
}
