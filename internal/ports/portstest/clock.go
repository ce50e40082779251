package portstest

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/ports"
)

// TestClock is the contract of ports.Clock. Each case runs in a bubble of synctest, on a new clock that follows its time.
func TestClock(t *testing.T, open func() ports.Clock) {
	for name, test := range map[string]func(t *testing.T, c ports.Clock){
		"Now/moves on":                                            timeMovesOn,
		"AfterFunc/calls when its time has come":                  callsInTime,
		"AfterFunc/calls at once when that has passed":            callsAtOnce,
		"AfterFunc/calls in a goroutine of its own":               callsAside,
		"AfterFunc/stop keeps from being called, and reports so":  stopsCall,
		"AfterFunc/stop reports when it is called already":        stopsTooLate,
		"AfterFunc/calls each once, by whomever it is waited for": callsEachOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, open()) })
		})
	}
}

func timeMovesOn(t *testing.T, c ports.Clock) {
	begin := c.Now()
	time.Sleep(time.Hour)
	if passed := c.Now().Sub(begin); passed != time.Hour {
		t.Errorf("%s have passed, not an hour", passed)
	}
}

func callsInTime(t *testing.T, c ports.Clock) {
	begin, called := c.Now(), make(chan time.Time, 1)
	c.AfterFunc(time.Hour, func() { called <- c.Now() })
	if at := <-called; at.Sub(begin) != time.Hour {
		t.Errorf("called after %s, not an hour", at.Sub(begin))
	}
}

func callsAtOnce(t *testing.T, c ports.Clock) {
	begin, called := c.Now(), make(chan time.Time, 2)
	for _, d := range []time.Duration{0, -time.Hour} {
		c.AfterFunc(d, func() { called <- c.Now() })
		if at := <-called; !at.Equal(begin) {
			t.Errorf("called %s after %s", d, at.Sub(begin))
		}
	}
}

// callsAside sets timers from one that goes on: no call waits for another, nor for who sets it.
func callsAside(_ *testing.T, c ports.Clock) {
	inner, outer := make(chan struct{}), make(chan struct{})
	c.AfterFunc(0, func() {
		c.AfterFunc(0, func() { close(inner) })
		<-inner
		close(outer)
	})
	<-outer
}

func stopsCall(t *testing.T, c ports.Clock) {
	called := false
	stop := c.AfterFunc(time.Hour, func() { called = true })
	time.Sleep(time.Hour - 1)
	if !stop() {
		t.Error("stop says that it was called")
	}
	if stop() {
		t.Error("stopped twice")
	}
	time.Sleep(time.Hour)
	if synctest.Wait(); called {
		t.Error("called although it was stopped")
	}
}

func stopsTooLate(t *testing.T, c ports.Clock) {
	calls := 0
	stop := c.AfterFunc(time.Hour, func() { calls++ })
	time.Sleep(time.Hour)
	synctest.Wait()
	if stop() || calls != 1 {
		t.Errorf("stopped after %d calls", calls)
	}
}

func callsEachOnce(t *testing.T, c ports.Clock) {
	const count = 50
	var mu sync.Mutex
	calls := map[int]int{}
	var group sync.WaitGroup
	for n := range count {
		group.Go(func() {
			c.AfterFunc(time.Duration(n)*time.Second, func() {
				mu.Lock()
				defer mu.Unlock()
				calls[n]++
			})
		})
	}
	group.Wait()
	time.Sleep(count * time.Second)
	synctest.Wait()
	for n := range count {
		if calls[n] != 1 {
			t.Errorf("call %d came %d times", n, calls[n])
		}
	}
}
