package embedded

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/testkit"
)

// skewed is a clock that can be set.
type skewed struct {
	testkit.Clock
	offset atomic.Int64
}

func (c *skewed) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func TestAlarm_FollowsTheEarliest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rings []time.Duration
		begin := time.Now()
		a := newAlarm(Config{}.withDefaults(), func() { rings = append(rings, time.Since(begin)) })
		a.set(begin.Add(20 * time.Second).UnixNano())
		a.set(begin.Add(10 * time.Second).UnixNano())
		a.set(begin.Add(15 * time.Second).UnixNano())
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if len(rings) != 1 || rings[0] != 10*time.Second {
			t.Errorf("rang at %v", rings)
		}
		a.set(begin.UnixNano()) // in the past: at once
		synctest.Wait()
		if len(rings) != 2 || rings[1] != 30*time.Second {
			t.Errorf("rang at %v", rings)
		}
		a.set(time.Now().Add(time.Second).UnixNano())
		a.shut()
		a.set(time.Now().UnixNano())
		a.fire() // as a timer that could not be stopped any more
		time.Sleep(time.Minute)
		if len(rings) != 2 {
			t.Errorf("rang after it was shut: %v", rings)
		}
	})
}

func TestQueue_SurvivesStepsOfTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &skewed{}
		e := mustOpen(t, Config{Clock: clock})
		sleep(t, e, 1, clock.Now().Add(time.Hour))
		leased := make(chan time.Time, 1)
		go func() {
			if _, err := e.Queue().Lease(t.Context()); err != nil {
				t.Error(err)
			}
			leased <- time.Now()
		}()
		synctest.Wait()
		begin := time.Now()
		clock.offset.Store(int64(time.Hour)) // forward: the job is due by the clock
		if late := (<-leased).Sub(begin); late > longestWait {
			t.Errorf("the job came %s after the clock was set", late)
		}

		sleep(t, e, 1, clock.Now().Add(time.Minute))
		clock.offset.Store(0) // and back: the job must not come early by the clock
		lease, err := e.Queue().Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if clock.Now().Before(lease.Job.At) {
			t.Errorf("the job came at %v, it was due at %v", clock.Now(), lease.Job.At)
		}
	})
}
