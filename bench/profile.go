package main

import (
	"fmt"
	"time"
)

// profile is what is measured.
type profile struct {
	name string
	// count is the number of events; rate their number a second, 0 for as many as the server takes.
	count int
	rate  float64
	// steps is how many memoised steps a run has when it ends.
	steps int
	// sleeps makes the steps sleeps; nap is how long one takes, zero for until wakeAt.
	sleeps bool
	nap    time.Duration
	// segment is after how many runs the memory is read, 0 for only at the end.
	segment int
	// restart kills the server while all runs sleep and starts it again on the same data.
	restart bool
	// waits makes the runs wait for an event each; some of them get theirs.
	waits bool
}

const (
	idleRate       = 2 // events a second
	soakSegment    = 20_000
	manyRuns       = 100_000
	wakeSlack      = 20 * time.Second
	wakeSlackOfRun = 1500 * time.Microsecond
)

func profileNamed(name string, opts options) (profile, error) {
	p := profile{name: name}
	switch name {
	case "idle":
		p.count, p.rate = 20, idleRate
	case "runs":
		p.count = 5000
	case "steps":
		p.count, p.steps = 1000, opts.steps
	case "sleep":
		p.count, p.steps, p.sleeps, p.nap = 1000, 1, true, opts.sleep
	case "soak":
		p.count, p.segment = manyRuns, soakSegment
	case "asleep":
		p.count, p.steps, p.sleeps, p.restart = manyRuns, 1, true, true
	case "waiting":
		p.count, p.steps, p.waits = manyRuns, 1, true
	default:
		return profile{}, fmt.Errorf("unknown profile %q", name)
	}
	if opts.count > 0 {
		p.count = opts.count
	}
	if name == "idle" {
		p.count = min(p.count, 20) // the rate is what matters, and more only takes longer
	}
	if p.restart && opts.api != "" {
		return profile{}, fmt.Errorf("profile %s restarts the server, so it cannot measure one that runs already", name)
	}
	return p, nil
}

// asleepFor is how long after the first event the runs of a profile that restarts wake up: long enough to get them all
// asleep and the server up again.
func (p profile) asleepFor(opts options) time.Duration {
	if opts.asleepFor > 0 {
		return opts.asleepFor
	}
	return wakeSlack + time.Duration(p.count)*wakeSlackOfRun
}
