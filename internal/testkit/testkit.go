// Package testkit has what the tests of several packages need. Nothing that ships may import it.
package testkit

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// Clock is the machine's clock, or that of a bubble of synctest, in UTC. Clocks that tell another time embed it for its timers.
type Clock struct{}

// Now implements ports.Clock.
func (Clock) Now() time.Time { return time.Now().UTC() }

// AfterFunc implements ports.Clock.
func (Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// IDs makes random IDs.
type IDs struct{}

// ULID implements ports.IDs.
func (IDs) ULID(at time.Time) ulid.ULID {
	return ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy())
}

// Pauses records after which failures in a row somebody waits. It does not wait itself. Safe for concurrent use.
type Pauses struct {
	mu   sync.Mutex
	made []int
}

// Add is the pause after the n-th failure.
func (p *Pauses) Add(_ context.Context, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made = append(p.made, n)
}

// Made returns the pauses so far.
func (p *Pauses) Made() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.made)
}

// Output collects what is written while others read it.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

// String is everything that was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
