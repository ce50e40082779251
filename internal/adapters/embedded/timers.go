package embedded

import (
	"math"
	"sync"
	"time"

	"github.com/ingothq/ingot/internal/ports"
)

// longestWait bounds how long the alarm sleeps, so that a step of the wall clock delays no job by more than that. It costs
// two wake-ups a minute while something waits, none otherwise.
const longestWait = 30 * time.Second

// alarm calls a function when the clock reaches the earliest of the times it was set to. There is one for all timers of a
// kind: who owns them keeps them in a heap and sets the alarm to the first.
type alarm struct {
	clock ports.Clock
	ring  func()

	mu      sync.Mutex
	at      int64 // what it is set to, math.MaxInt64 when it is not
	stop    func() bool
	stopped bool
}

func newAlarm(cfg Config, ring func()) *alarm {
	return &alarm{clock: cfg.Clock, ring: ring, at: math.MaxInt64}
}

// set moves the alarm to a time, in nanoseconds since the epoch, unless it is set to an earlier one.
func (a *alarm) set(at int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped || at >= a.at {
		return
	}
	if a.stop != nil {
		a.stop()
	}
	a.at = at
	wait := time.Duration(max(at-a.clock.Now().UnixNano(), 0))
	a.stop = a.clock.AfterFunc(min(wait, longestWait), a.fire)
}

// fire rings; the owner sets the alarm again if something is left, also when it rang too early.
func (a *alarm) fire() {
	a.mu.Lock()
	if a.stopped {
		a.mu.Unlock()
		return
	}
	a.at, a.stop = math.MaxInt64, nil
	a.mu.Unlock()
	a.ring()
}

// shut stops the alarm for good.
func (a *alarm) shut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	if a.stop != nil {
		a.stop()
	}
}
