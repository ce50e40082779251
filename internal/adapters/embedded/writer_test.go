package embedded

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// together hands operations to the writer as one batch, in order, and returns their outcomes. It runs in a bubble.
func together(t *testing.T, e *Engine, ops ...*operation) []error {
	t.Helper()
	hold := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		_ = e.writer.do(context.Background(), &operation{read: func(*db.Queries) error { <-hold; return nil }})
	})
	synctest.Wait() // the writer is busy now
	outcomes := make([]error, len(ops))
	for i, op := range ops {
		group.Go(func() { outcomes[i] = e.writer.do(context.Background(), op) })
		synctest.Wait() // it is in the queue now
	}
	close(hold)
	group.Wait()
	return outcomes
}

// appending is an operation that stores an event and counts how often each half ran.
func appending(e *Engine, tracked event.Tracked, applied, committed *int) *operation {
	return &operation{
		size: 100,
		apply: func(t *tx) error {
			*applied++
			_, err := e.log.insert(t, []event.Tracked{tracked}, nil)
			return err
		},
		committed: func() { *committed++ },
	}
}

func TestWriter_OneBadOperationFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		errBroken := errors.New("broken")
		first, second := benchEvent(), benchEvent()
		var applied, committed int
		broken := &operation{
			apply: func(t *tx) error {
				if _, err := t.exec(t.statements.insertParked, "event", "x", nil, "reason", int64(1), nil); err != nil {
					return err
				}
				return errBroken
			},
			committed: func() { t.Error("a broken operation was committed") },
		}
		refused := &operation{
			apply:     func(*tx) error { return ports.ErrConflict },
			committed: func() { t.Error("a refused operation was committed") },
		}
		outcomes := together(t, e, appending(e, first, &applied, &committed), broken, refused, appending(e, second, &applied, &committed))
		if outcomes[0] != nil || outcomes[3] != nil {
			t.Errorf("good operations failed: %v", outcomes)
		}
		if !errors.Is(outcomes[1], errBroken) || !errors.Is(outcomes[1], ports.ErrUnavailable) {
			t.Errorf("the broken one got %v", outcomes[1])
		}
		if !errors.Is(outcomes[2], ports.ErrConflict) {
			t.Errorf("the refused one got %v", outcomes[2])
		}
		if applied != 3 || committed != 2 { // the first one was rolled back and run again
			t.Errorf("applied %d times, committed %d times", applied, committed)
		}
		for _, tracked := range []event.Tracked{first, second} {
			if _, err := e.History().Event(t.Context(), tracked.InternalID); err != nil {
				t.Error(err)
			}
		}
		if list := parked(t, e); list != nil {
			t.Errorf("the broken operation left %v", list)
		}
	})
}

func TestWriter_RefusalsDisturbNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		var applied, committed int
		refused := &operation{apply: func(*tx) error { return ports.ErrConflict }}
		outcomes := together(t, e, appending(e, benchEvent(), &applied, &committed), refused, appending(e, benchEvent(), &applied, &committed))
		if outcomes[0] != nil || outcomes[2] != nil || applied != 2 || committed != 2 {
			t.Errorf("outcomes %v, applied %d times, committed %d times", outcomes, applied, committed)
		}
	})
}

func TestWriter_BoundsABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		large := func(seen *bool) *operation {
			return &operation{size: maxBatchBytes / 2, apply: func(*tx) error { return nil }, committed: func() { *seen = true }}
		}
		var first, second, third bool
		check := large(&third)
		check.apply = func(*tx) error {
			if !first || !second {
				t.Error("the third was in the batch of the first two")
			}
			return nil
		}
		if outcomes := together(t, e, large(&first), large(&second), check); errors.Join(outcomes...) != nil || !third {
			t.Errorf("outcomes %v", outcomes)
		}
	})
}

func TestWriter_FullQueueWaitsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		hold := make(chan struct{})
		var group sync.WaitGroup
		nothing := func() *operation { return &operation{apply: func(*tx) error { return nil }} }
		group.Go(func() {
			_ = e.writer.do(context.Background(), &operation{read: func(*db.Queries) error { <-hold; return nil }})
		})
		synctest.Wait()
		for range backlog {
			group.Go(func() {
				if err := e.writer.do(context.Background(), nothing()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		late := make(chan error, 1)
		go func() { late <- e.writer.do(ctx, nothing()) }()
		synctest.Wait()
		cancel()
		if err := <-late; !errors.Is(err, context.Canceled) {
			t.Errorf("who did not get into the queue got %v", err)
		}
		close(hold)
		group.Wait()
	})
}

func TestClose_LeavesAWriterThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, err := Open(t.Context(), Config{})
		if err != nil {
			t.Fatal(err)
		}
		hold := make(chan struct{})
		go func() {
			_ = e.writer.do(context.Background(), &operation{read: func(*db.Queries) error { <-hold; return nil }})
		}()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("close: %v", err)
		}
		close(hold)
	})
}
