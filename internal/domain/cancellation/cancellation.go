// Package cancellation decides what a bulk cancellation means: which runs of a function it is for, how it gets on from
// batch to batch, and when it is over.
//
// Source: spec 04 §7.4.
package cancellation

import (
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/run"
)

// Bounds.
const (
	// BatchSize is how many runs are looked at before the progress is saved.
	BatchSize = 256
	// MaxActive is how many cancellations may be under way at once.
	MaxActive = 500
	// KeepEnded is how many of those that have ended are still listed, the newest ones.
	KeepEnded = 500
)

// State is where a cancellation is in its life.
type State string

// States. Failed: some of its runs, or all, could not be cancelled; Error says why.
const (
	Active    State = "active"
	Completed State = "completed"
	Failed    State = "failed"
)

// Cancellation is an order to cancel runs of a function.
type Cancellation struct {
	ID         ulid.ULID
	CreatedAt  time.Time
	AppID      uuid.UUID
	FunctionID uuid.UUID
	// Slug names the function.
	Slug string
	// After and Before bound the time of the runs' IDs, both exclusive. A zero After does not.
	After, Before time.Time
	// If is the condition on the event that started a run; empty for none.
	If string

	State State
	// Cursor is the last run that was looked at; runs are looked at in the order of their IDs.
	Cursor ulid.ULID
	// Cancelled counts the runs that it cancelled, Refused those that could not be.
	Cancelled, Refused int
	// Error is why the last of the refused runs could not be cancelled, or why all was given up; empty for no reason.
	Error string
	// EndedAt is zero while it is active.
	EndedAt time.Time
}

// Until bounds the runs that can be looked at now: those of this millisecond, and of a bound in the future, are not all
// there yet.
func (c Cancellation) Until(now time.Time) time.Time {
	if now.Before(c.Before) {
		return now.Truncate(time.Millisecond)
	}
	return c.Before
}

// Covers says whether a run of the function is within the bounds.
func (c Cancellation) Covers(id ulid.ULID) bool {
	at := ulid.Time(id.Time())
	return at.Before(c.Before) && (c.After.IsZero() || at.After(c.After))
}

// Meets says whether the first event of a run meets the condition, compiled. It returns the error of the evaluation; such a
// run does not meet it.
func Meets(condition *expr.Program, s run.State, now time.Time) (bool, error) {
	return condition.MatchAt(s.Events[0].Event, now)
}

// Batch is what became of some runs, listed in order up to a bound.
type Batch struct {
	// Until is the bound that they were listed with, see Cancellation.Until.
	Until time.Time
	// Last is the last of them; zero when there was none.
	Last ulid.ULID
	// More is true when there may be others below the bound.
	More bool
	// Cancelled and Refused count, Error is why one was refused.
	Cancelled, Refused int
	Error              string
}

// Advance is the cancellation after a batch. It ends with the last batch below its own bound.
func (c Cancellation) Advance(b Batch, now time.Time) Cancellation {
	if b.Last != (ulid.ULID{}) {
		c.Cursor = b.Last
	}
	c.Cancelled += b.Cancelled
	c.Refused += b.Refused
	if b.Refused > 0 {
		c.Error = b.Error
	}
	if b.More || b.Until.Before(c.Before) {
		return c
	}
	c.State, c.EndedAt = Completed, now
	if c.Refused > 0 {
		c.State = Failed
	}
	return c
}

// Resume is when to go on after a batch, for a cancellation that has not ended: when its bound has passed, if all runs so
// far were looked at.
func (c Cancellation) Resume(b Batch, now time.Time) time.Time {
	if b.More || now.After(c.Before) {
		return now
	}
	return c.Before
}

// GiveUp ends the cancellation without the runs that it has not come to.
func (c Cancellation) GiveUp(reason string, now time.Time) Cancellation {
	c.State, c.Error, c.EndedAt = Failed, reason, now
	return c
}

// Attempts is how often in a row a batch may fail before the cancellation is given up, after about a quarter of an hour.
const Attempts = 20

// Backoff is how long to wait after the n-th failure in a row, n from 1: a second, doubled each time, to a minute.
func Backoff(n int) time.Duration {
	return min(time.Second<<min(max(n-1, 0), 6), time.Minute)
}
