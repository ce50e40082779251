// Package cancel cancels runs of a function in bulk. A request is stored before it is answered, and worked off in the
// background, batch by batch: list runs, cancel each like one that is cancelled alone, save how far it has come. It may be
// cut off anywhere and repeated, because a run that is cancelled is no longer listed.
//
// Source: spec 04 §7.4; spec 02 §11.
package cancel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// ErrTooMany says that as many cancellations are under way as may be.
var ErrTooMany = fmt.Errorf("%d cancellations are under way", cancellation.MaxActive)

// UnknownFunctionError says that the function of a request is not registered.
type UnknownFunctionError struct{ Name string }

func (e *UnknownFunctionError) Error() string { return "no function is called " + e.Name }

// Functions finds functions that are registered.
type Functions interface {
	Find(slugOrID string) (function.Function, bool)
}

// Deps are what the use case needs.
type Deps struct {
	Cancellations ports.Cancellations
	Store         ports.Store
	Functions     Functions
	Tracker       advance.Tracker
	// Watcher is told of the runs that are cancelled; nil for nobody.
	Watcher advance.Watcher
	Clock   ports.Clock
	IDs     ports.IDs
	Log     *slog.Logger
	// Pause waits after the n-th failure in a row, n from 1, or until ctx ends. Nil waits 20 ms, doubled each time, to 5 s.
	Pause func(ctx context.Context, n int)
	// AtOnce bounds the runs that are cancelled side by side; 1 cancels them in order and starts no goroutine. Zero means 64.
	AtOnce int
}

const cancelsAtOnce = 64

// Canceller is the use case. It is safe for concurrent use.
type Canceller struct {
	Deps
	advance *advance.Advancer

	wake chan struct{} // of capacity 1: something new is to be done
	mu   sync.Mutex
	// open are the cancellations that have not ended, as far as is known.
	open map[ulid.ULID]*open
	turn uint64
}

// open is a cancellation that has not ended.
type open struct {
	// at is when to go on with it; those of the same time take turns.
	at    time.Time
	turn  uint64
	taken bool
	// failures counts those in a row.
	failures int
	// cancelled counts the runs that were. What is stored may lag behind, when the rest of a batch failed.
	cancelled int
}

// New returns the use case.
func New(d Deps) *Canceller {
	if d.AtOnce <= 0 {
		d.AtOnce = cancelsAtOnce
	}
	if d.Pause == nil {
		d.Pause = advance.Pause(d.Clock)
	}
	return &Canceller{
		Deps: d, advance: advance.New(d.Store, d.Tracker, d.Watcher, d.Log, d.Pause), wake: make(chan struct{}, 1), open: map[ulid.ULID]*open{},
	}
}

// Create accepts a request, see cancellation.ParseRequest. It is durable when this returns, and worked off later. Errors:
// *cancellation.InvalidError, *UnknownFunctionError, ErrTooMany, and those of the ports.
func (c *Canceller) Create(ctx context.Context, body []byte) (cancellation.Cancellation, error) {
	now := c.Clock.Now()
	request, err := cancellation.ParseRequest(body, now)
	if err != nil {
		return cancellation.Cancellation{}, err
	}
	fn, ok := c.find(request)
	if !ok {
		return cancellation.Cancellation{}, &UnknownFunctionError{request.Function}
	}
	created := cancellation.Cancellation{
		ID: c.IDs.ULID(now), CreatedAt: now, AppID: fn.AppID, FunctionID: fn.ID, Slug: fn.Slug,
		After: request.After, Before: request.Before, If: request.Expression, State: cancellation.Active,
	}
	// It has its place from now on, so that those who come at once do not become too many.
	if !c.add(created.ID, true) {
		return cancellation.Cancellation{}, ErrTooMany
	}
	// If it is not known to be stored, it is worked off if it is there.
	defer c.putBack(created.ID, func(o *open) { o.at = now })
	if err := c.Cancellations.Create(ctx, created); err != nil {
		return cancellation.Cancellation{}, fmt.Errorf("store cancellation: %w", err)
	}
	c.Log.InfoContext(ctx, "cancellation accepted", "cancellation_id", created.ID.String(), "fn_id", fn.ID.String())
	return created, nil
}

func (c *Canceller) find(r cancellation.Request) (function.Function, bool) {
	for _, slug := range function.Slugs(r.AppID, r.Function) {
		if fn, ok := c.Functions.Find(slug); ok {
			return fn, true
		}
	}
	return function.Function{}, false
}

// List returns all cancellations that are kept, newest first.
func (c *Canceller) List(ctx context.Context) ([]cancellation.Cancellation, error) {
	all, err := c.Cancellations.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list cancellations: %w", err)
	}
	return all, nil
}

// Delete forgets a cancellation and stops what of it has not been done; at most the runs are still cancelled whose turn it
// is at this moment. ports.ErrNotFound says that there is none with the ID.
func (c *Canceller) Delete(ctx context.Context, id ulid.ULID) error {
	if err := c.Cancellations.Delete(ctx, id); err != nil {
		return fmt.Errorf("delete cancellation: %w", err)
	}
	c.forget(id)
	return nil
}

// Run works off cancellations until ctx ends, those first that the last process has left.
func (c *Canceller) Run(ctx context.Context) error {
	for n := 1; ; n++ {
		err := c.Load(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil || errors.Is(err, ports.ErrClosed) {
			return nil
		}
		c.Log.ErrorContext(ctx, "load cancellations", "error", err)
		c.Pause(ctx, n)
	}
	for ctx.Err() == nil {
		if id, ok := c.Take(); ok {
			c.Do(ctx, id)
			continue
		}
		c.rest(ctx)
	}
	return nil
}

// rest waits until there is something to do, or ctx ends.
func (c *Canceller) rest(ctx context.Context) {
	var due chan struct{}
	if at := c.Next(); !at.IsZero() {
		due = make(chan struct{})
		defer c.Clock.AfterFunc(at.Sub(c.Clock.Now()), func() { close(due) })()
	}
	select {
	case <-ctx.Done():
	case <-c.wake:
	case <-due:
	}
}

// Load makes known what is stored and has not ended.
func (c *Canceller) Load(ctx context.Context) error {
	all, err := c.Cancellations.List(ctx)
	if err != nil {
		return fmt.Errorf("list cancellations: %w", err)
	}
	for n := len(all) - 1; n >= 0; n-- { // the oldest first
		if all[n].State == cancellation.Active {
			c.add(all[n].ID, false)
		}
	}
	return nil
}

// add makes a cancellation known, taken or not; false when there is no room for a taken one.
func (c *Canceller) add(id ulid.ULID, taken bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if taken && len(c.open) >= cancellation.MaxActive {
		return false
	}
	if c.open[id] == nil {
		c.turn++
		c.open[id] = &open{turn: c.turn, taken: taken}
	}
	return true
}

func (c *Canceller) forget(id ulid.ULID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, id)
}

// wanted reports whether nobody has deleted the cancellation.
func (c *Canceller) wanted(id ulid.ULID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[id] != nil
}

// Take gives the caller a cancellation to work on, alone until Do is done with it; false when there is nothing to do now.
func (c *Canceller) Take() (ulid.ULID, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, first := c.first()
	if first == nil || first.at.After(c.Clock.Now()) {
		return ulid.ULID{}, false
	}
	first.taken = true
	return id, true
}

// Next is when there is something to do; zero when nothing is known of.
func (c *Canceller) Next() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, first := c.first(); first != nil {
		if first.at.IsZero() {
			return c.Clock.Now()
		}
		return first.at
	}
	return time.Time{}
}

// first is the one that is due first. The caller holds mu.
func (c *Canceller) first() (id ulid.ULID, first *open) {
	for other, o := range c.open {
		if !o.taken && (first == nil || o.at.Before(first.at) || o.at.Equal(first.at) && o.turn < first.turn) {
			id, first = other, o
		}
	}
	return id, first
}

// putBack changes a cancellation that was taken and hands it back, last in turn.
func (c *Canceller) putBack(id ulid.ULID, change func(o *open)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.open[id]; o != nil {
		change(o)
		c.turn++
		o.turn, o.taken = c.turn, false
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
