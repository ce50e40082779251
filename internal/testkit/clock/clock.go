// Package clock is a clock that runs with the machine's and is moved ahead by hand, so that a test sees in a second what takes a
// week.
package clock

import (
	"sync"
	"time"
)

// Clock implements ports.Clock. The zero value tells the machine's time, or that of a bubble of synctest, until it is moved. Safe
// for concurrent use; not to be copied.
type Clock struct {
	mu     sync.Mutex
	ahead  time.Duration
	timers map[*timer]struct{}
}

// timer is a call that is due in the future of a clock.
type timer struct {
	due     time.Time
	machine *time.Timer
}

// Now returns the time in UTC, without a monotonic reading.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().UTC().Round(0)
}

// now keeps the monotonic reading: a step of the machine's clock moves no timer. The caller holds mu.
func (c *Clock) now() time.Time { return time.Now().Add(c.ahead) }

// AfterFunc calls f, in a goroutine of its own, once d has passed by this clock, be it by itself or by Advance.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{due: c.now().Add(d)}
	t.machine = time.AfterFunc(d, func() {
		if c.take(t) {
			f()
		}
	})
	if c.timers == nil {
		c.timers = map[*timer]struct{}{}
	}
	c.timers[t] = struct{}{}
	return func() bool {
		stopped := c.take(t)
		t.machine.Stop()
		return stopped
	}
}

// take reports whether the timer is the caller's, to fire or to stop: it is so for one caller only. A timer that is moved while it
// fires would fire twice otherwise.
func (c *Clock) take(t *timer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, waiting := c.timers[t]
	delete(c.timers, t)
	return waiting
}

// Advance moves the clock ahead by d, which is not negative, and returns what it tells then. Timers that are due then fire at once,
// side by side; Advance does not wait for what they do.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
	now := c.now()
	for t := range c.timers {
		t.machine.Reset(t.due.Sub(now))
	}
	return now.UTC().Round(0)
}
