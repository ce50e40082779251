// Package yield has requests that only look give way to the work that the server is for.
//
// Whoever reads, pages or searches uses the processors and the database that runs need, too, and may do so as fast as the answers come. So
// the requests that only read take turns, and after one that was answered while many jobs were handed out its turn is kept for a while, so
// that no more than a tenth of the time is spent on them. On a server with little to do nobody waits.
package yield

import (
	"context"
	"runtime"
	"time"

	"github.com/ingothq/ingot/internal/ports"
)

const (
	// share is how many times as long as it took a turn is kept: a tenth of the time is left to those who read.
	share = 9
	// longest bounds how long a turn is kept.
	longest = time.Second
	// busy is how many jobs a second are many.
	busy = 200
)

// Gate lets so many requests in at a time as there are processors. A nil one lets all in at once.
type Gate struct {
	turns chan struct{}
	jobs  func() uint64
	clock ports.Clock
}

// New makes a gate. jobs tells how many jobs were handed out so far; it is called twice a request.
func New(jobs func() uint64, clock ports.Clock) *Gate {
	return &Gate{turns: make(chan struct{}, runtime.GOMAXPROCS(0)), jobs: jobs, clock: clock}
}

// Enter waits for a turn, or until ctx ends, whose cause it then returns. Whoever got one calls leave when the request is answered.
func (g *Gate) Enter(ctx context.Context) (leave func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	select {
	case g.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	since, jobs := g.clock.Now(), g.jobs()
	return func() {
		rest := kept(g.clock.Now().Sub(since), g.jobs()-jobs)
		if rest == 0 {
			<-g.turns
			return
		}
		g.clock.AfterFunc(rest, func() { <-g.turns })
	}, nil
}

// kept is how long the turn of a request is kept that took so long, while so many jobs were handed out.
func kept(took time.Duration, jobs uint64) time.Duration {
	if jobs < 2 || took <= 0 || float64(jobs) < busy*took.Seconds() {
		return 0
	}
	return min(share*took, longest)
}
