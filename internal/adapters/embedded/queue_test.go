package embedded

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/ports"
)

// TestQueue_JobGivenToACallerWhoLeavesGoesOn ends a caller's context right before, and right after, it is given a job. The
// job is handed out once and counted once.
func TestQueue_JobGivenToACallerWhoLeavesGoesOn(t *testing.T) {
	t.Parallel()
	for name, leavesFirst := range map[string]bool{"left before": true, "left after": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := mustOpen(t, Config{})
				ctx, cancel := context.WithCancel(t.Context())
				first := make(chan ports.Lease, 1)
				go func() {
					defer close(first)
					if lease, err := e.Queue().Lease(ctx); err == nil {
						first <- lease
					}
				}()
				synctest.Wait()
				sleep(t, e, 1, time.Now().Add(time.Second))

				e.queue.mu.Lock() // the caller cannot leave the line yet
				if leavesFirst {
					cancel()
				}
				e.queue.waiting[0].order = time.Now().UnixNano()
				e.queue.settleDue()
				cancel()
				e.queue.mu.Unlock()

				lease, got := <-first
				if got == leavesFirst {
					t.Errorf("the caller got the job: %t", got)
				}
				if !got {
					var err error
					if lease, err = e.Queue().Lease(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if lease.Generation != 1 {
					t.Errorf("generation is %d", lease.Generation)
				}
			})
		})
	}
}

// TestQueue_ReturnSurvivesAFailedWrite: nobody would hand the job out again before a restart.
func TestQueue_ReturnSurvivesAFailedWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		injected := &faults{}
		e := mustOpen(t, Config{fault: injected.check})
		sleep(t, e, 1, time.Now())
		lease, err := e.Queue().Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		injected.set(1)
		at := time.Now().Add(time.Minute)
		ended, cancel := context.WithCancel(t.Context())
		cancel() // as at shutdown
		if err := e.Queue().Return(ended, lease, at); err != nil {
			t.Fatal(err)
		}
		again, err := e.Queue().Lease(t.Context())
		if err != nil || time.Now().Before(at) || again.Generation != 2 {
			t.Errorf("leased %+v at %v, %v", again, time.Now(), err)
		}
	})
}
