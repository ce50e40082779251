// Package system gives the application the machine's clock, and identifiers and jitter from its randomness.
package system

import (
	"crypto/rand"
	rand2 "math/rand/v2"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/ports"
)

// Clock is the machine's clock, in UTC.
type Clock struct{}

var _ ports.Clock = Clock{}

// Now returns the time without its monotonic reading, so that equal instants are equal values.
func (Clock) Now() time.Time { return time.Now().UTC().Round(0) }

// AfterFunc calls f after d.
func (Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// IDs makes ULIDs from the system's secure randomness; those of one millisecond increase, also when callers who read the
// clock at different instants take turns. Safe for concurrent use.
type IDs struct {
	mu sync.Mutex
	// entropy of a millisecond is at its remainder. Callers are never so far apart that two milliseconds in use at the same
	// time share one; if they were, the order would suffer, not the uniqueness.
	entropy [16]*ulid.MonotonicEntropy
}

var _ ports.IDs = (*IDs)(nil)

// NewIDs returns a source of IDs.
func NewIDs() *IDs {
	ids := &IDs{}
	for n := range ids.entropy {
		ids.entropy[n] = ulid.Monotonic(rand.Reader, 0)
	}
	return ids
}

// ULID returns a new ULID. A time outside of what a ULID holds is moved to its nearest bound.
func (i *IDs) ULID(at time.Time) ulid.ULID {
	ms := uint64(min(max(at.UnixMilli(), 0), int64(ulid.MaxTime())))
	i.mu.Lock()
	defer i.mu.Unlock()
	entropy := &i.entropy[ms%uint64(len(i.entropy))]
	id, err := ulid.New(ms, *entropy)
	if err != nil {
		// The entropy of this millisecond is used up, one chance in 2^48 a call: start over with fresh entropy.
		*entropy = ulid.Monotonic(rand.Reader, 0)
		id = ulid.MustNew(ms, *entropy)
	}
	return id
}

// Random is a source of jitter. Safe for concurrent use.
type Random struct{}

var _ ports.Random = Random{}

// Duration returns a uniform duration in [0, limit); zero for a limit that is not positive.
func (Random) Duration(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return rand2.N(limit)
}
