package session

import (
	"time"

	"github.com/ingothq/ingot/internal/domain/flow"
)

// How often the key may be tried: one address may be wrong ten times and then once in ten seconds, all of them together a hundred
// times and then five times a second.
const (
	perAddress       = 6
	perAddressAtOnce = 10
	inAll            = 300
	inAllAtOnce      = 100
	perTime          = time.Minute
)

// keptAddresses is from how many addresses on those are forgotten that may try as often as a new one. What all may try together bounds
// how many there are besides.
const keptAddresses = 1024

// Attempts counts who tries keys. It is not safe for concurrent use.
type Attempts struct {
	one, all flow.Bucket
	ofAll    time.Time
	of       map[string]time.Time
}

// NewAttempts has counted nobody yet.
func NewAttempts() *Attempts {
	return &Attempts{
		one: flow.NewBucket(perAddress, perAddressAtOnce-1, perTime), all: flow.NewBucket(inAll, inAllAtOnce-1, perTime),
		of: map[string]time.Time{},
	}
}

// Take counts an attempt, before its outcome is known, so that many at once are no way around the limit. It returns how long to wait
// instead, zero when the attempt may be made.
func (a *Attempts) Take(address string, now time.Time) time.Duration {
	own := a.one.Take(a.of[address], now)
	if !own.Allowed {
		return own.RetryAt.Sub(now)
	}
	all := a.all.Take(a.ofAll, now)
	if !all.Allowed {
		return all.RetryAt.Sub(now)
	}
	a.forget(now)
	a.of[address], a.ofAll = own.TAT, all.TAT
	return 0
}

// Right takes back an attempt whose key was right.
func (a *Attempts) Right(address string) {
	a.of[address] = a.of[address].Add(-a.one.Emission())
	a.ofAll = a.ofAll.Add(-a.all.Emission())
}

func (a *Attempts) forget(now time.Time) {
	if len(a.of) < keptAddresses {
		return
	}
	for address, full := range a.of {
		if !now.Before(full) {
			delete(a.of, address)
		}
	}
}
