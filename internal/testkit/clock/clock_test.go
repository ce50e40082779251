package clock_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/ports/portstest"
	"github.com/ingothq/ingot/internal/testkit/clock"
)

func TestContract(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"not moved": 0, "moved": 1000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			portstest.TestClock(t, func() ports.Clock {
				c := &clock.Clock{}
				c.Advance(ahead)
				return c
			})
		})
	}
}

func TestAdvance_MovesTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock.Clock
		begin := c.Now()
		c.Advance(24 * time.Hour)
		time.Sleep(time.Second)
		told := c.Advance(365 * 24 * time.Hour)
		if want := begin.Add(366*24*time.Hour + time.Second); !told.Equal(want) || c.Now() != told {
			t.Errorf("told %v, then %v, want %v", told, c.Now(), want)
		}
	})
}

// calls notes who was called, and when by the time of the bubble.
type calls struct {
	mu    sync.Mutex
	begin time.Time
	made  []string
}

func (c *calls) of(name string) func() {
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.made = append(c.made, fmt.Sprint(name, " ", time.Since(c.begin)))
	}
}

func (c *calls) are(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.made)
	if !slices.Equal(c.made, want) {
		t.Errorf("called %q, want %q", c.made, want)
	}
}

func TestAdvance_FiresWhatIsDueAndBringsTheRestNearer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock.Clock
		made := calls{begin: time.Now()}
		c.AfterFunc(time.Hour, made.of("hour"))
		c.AfterFunc(24*time.Hour, made.of("day"))
		c.AfterFunc(24*time.Hour+time.Second, made.of("second"))
		stop := c.AfterFunc(2*time.Hour, made.of("stopped"))
		c.Advance(time.Hour - time.Nanosecond)
		made.are(t)
		if !stop() {
			t.Error("a timer that waits is not stopped")
		}
		c.Advance(23*time.Hour + time.Nanosecond)
		made.are(t, "day 0s", "hour 0s")
		time.Sleep(time.Second)
		made.are(t, "day 0s", "hour 0s", "second 1s")
		c.Advance(1000 * time.Hour)
		if made.are(t, "day 0s", "hour 0s", "second 1s"); stop() {
			t.Error("stopped a timer twice")
		}
	})
}

func TestAdvance_TimersSetByTimersComeInTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock.Clock
		made := calls{begin: time.Now()}
		c.AfterFunc(time.Hour, func() { c.AfterFunc(time.Hour, made.of("next")) })
		c.Advance(3 * time.Hour) // its hour begins now
		synctest.Wait()
		c.Advance(59 * time.Minute)
		made.are(t)
		c.Advance(time.Minute)
		made.are(t, "next 0s")
	})
}

// Timers fire, are stopped and are moved at the same moment: each is either stopped or called once.
func TestAdvance_ATimerFiresOnceOrIsStopped(t *testing.T) {
	t.Parallel()
	for range 200 {
		var c clock.Clock
		var fired, stopped atomic.Int64
		var group sync.WaitGroup
		for range 8 {
			done := make(chan struct{})
			var once sync.Once
			stop := c.AfterFunc(time.Microsecond, func() {
				fired.Add(1)
				once.Do(func() { close(done) })
			})
			group.Go(func() { c.Advance(time.Hour) })
			group.Go(func() {
				if stop() {
					stopped.Add(1)
					return
				}
				<-done
			})
		}
		group.Wait()
		if fired.Load()+stopped.Load() != 8 {
			t.Fatalf("%d fired and %d were stopped, of 8", fired.Load(), stopped.Load())
		}
	}
}
