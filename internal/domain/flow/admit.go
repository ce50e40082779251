package flow

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
)

// Request asks to schedule a function.
type Request struct {
	Settings *Settings
	Values   Evaluated
	// ID is a new ULID of now. It becomes the ID of what the request opens: a run, a batch or a debounce.
	ID ulid.ULID
	// Event is the event, for a batch that starts its first.
	Event event.Tracked
	// Size is the event's size in bytes of JSON. It matters to batches only.
	Size int
	// At is when the run is to start whatever its event says, for a cron's tick; zero otherwise.
	At time.Time
}

// Known is what is stored under the keys of Request.Values when the decision is made. Only what Values names a key for is looked at.
type Known struct {
	// RateLimit is of Values.RateLimit.
	RateLimit Counted
	// Debounced waits under Values.DebounceKey, nil for nothing.
	Debounced *Debounced
	// Batch is open under Values.BatchKey, nil for none. Seen is the event's Item.Seen.
	Batch *OpenBatch
	Seen  bool
	// Holder is the run that holds the lock Values.SingletonKey, zero for none.
	Holder ulid.ULID
	// Paused says that the function is paused.
	Paused bool
	// Run is the run that the request's idempotency key was used for within 24 hours, zero for none.
	Run ulid.ULID
}

// Result is what becomes of a request. Whichever it is, the event is dealt with.
type Result int

// The results.
const (
	// Started makes a run.
	Started Result = iota
	// IntoBatch puts the event in a batch.
	IntoBatch
	// RateLimited drops the event.
	RateLimited
	// IntoDebounce puts the event where it waits, or drops it for being older than what waits.
	IntoDebounce
	// Skipped records a run that does not run.
	Skipped
	// Duplicate does nothing: the idempotency key was used.
	Duplicate
)

// String is the result's name in the metric of scheduled functions.
func (r Result) String() string {
	return [...]string{"success", "success", "rate_limited", "debounced", "skipped", "idempotency"}[r]
}

// Outcome is what must become true, all of it or nothing, in the transaction in which Known was read.
type Outcome struct {
	Result Result
	// Spent is to be stored under Values.RateLimit, nil for nothing, whatever the result. The request's idempotency key then counts as
	// counted for RequestWindow.
	Spent *Taken
	// RetryAt is when the rate limit would allow another; of RateLimited only.
	RetryAt time.Time
	// Batch is what changes under Values.BatchKey, for the one event; of IntoBatch only.
	Batch *Appended
	// Debounced is to be stored under Values.DebounceKey and its timer set to its Due; nil if the event is dropped. Superseded is the
	// event that starts no run because of it: the one that waited before or, when it is dropped, this one. Of IntoDebounce only.
	Debounced  *Debounced
	Superseded *event.Tracked
	// Start is when the run's first job is due; of Started only.
	Start time.Time
	// Lock is the singleton's lock, held by the new run from now on; empty for none. Of Started only.
	Lock string
	// Cancel is the run that is cancelled for it, zero for none.
	Cancel ulid.ULID
	// Reason is why the run is skipped.
	Reason SkipReason
	// Existing is the run that stands in the way: the lock's holder for Skipped, the key's run for Duplicate; otherwise zero.
	Existing ulid.ULID
}

// InvokedSuperseded is the message of the error that an invoking step ends with when its event is superseded.
const InvokedSuperseded = "invoked function was not started: superseded by a later event in its debounce"

// Awaited is the superseded event if it is an invocation that somebody waits for, else nil. They have to be told: no run will do it.
func (o Outcome) Awaited() *event.Tracked {
	if o.Superseded == nil || o.Superseded.Name != event.FunctionInvoked {
		return nil
	}
	if _, correlation := event.Target(o.Superseded.Event); correlation == "" {
		return nil
	}
	return o.Superseded
}

// Admit decides what becomes of a request: batch, rate limit, debounce, singleton, pause and idempotency key, in this order. The first that
// keeps the run from starting ends it, but a token of the rate limit is spent all the same. The error is Values.Err.
//
// Better than the reference by intent: a singleton cancels the old run only if the new one starts, not if that turns out to be a duplicate
// or the function to be paused. And of a request (FromRequest) the idempotency key comes first: whoever asks again, because they were not
// told of their run, are told of it, and not that it is in its own way or that others are kept back since.
//
// Source: spec 11 §2.
func Admit(in Request, known Known, now time.Time) (Outcome, error) {
	var out Outcome
	if in.Values.Err != nil {
		return out, in.Values.Err
	}
	if in.Values.From == FromRequest && !known.Run.IsZero() {
		return Outcome{Result: Duplicate, Existing: known.Run}, nil
	}
	if in.Values.Batched {
		return in.toBatch(known, now), nil
	}
	if in.Values.RateLimit != nil {
		taken := in.Settings.RateLimit.Admit(known.RateLimit, now)
		if !taken.Allowed {
			return Outcome{Result: RateLimited, RetryAt: taken.RetryAt}, nil
		}
		if taken.TTL > 0 {
			out.Spent = &taken
		}
	}
	if in.Values.Debounced {
		return in.toDebounce(out, known, now), nil
	}
	return in.toRun(out, known, now), nil
}

func (in Request) toBatch(known Known, now time.Time) Outcome {
	item := Item{ID: in.Event.InternalID, Size: in.Size, Seen: known.Seen}
	appended := in.Settings.Batch.Append(known.Batch, []Item{item}, now, func() ulid.ULID { return in.ID })
	return Outcome{Result: IntoBatch, Batch: &appended}
}

func (in Request) toDebounce(out Outcome, known Known, now time.Time) Outcome {
	out.Result = IntoDebounce
	next, kept := in.Settings.Debounce.Offer(known.Debounced, in.ID, in.Event, now)
	switch {
	case !kept:
		out.Superseded = &in.Event
	case known.Debounced != nil && known.Debounced.Event.InternalID != in.Event.InternalID:
		out.Superseded = &known.Debounced.Event
		fallthrough
	default:
		out.Debounced = &next
	}
	return out
}

func (in Request) toRun(out Outcome, known Known, now time.Time) Outcome {
	encounter := Free
	if in.Values.SingletonKey != "" {
		encounter = in.Settings.Singleton.Meet(known.Holder)
	}
	switch {
	case encounter == SkipNew:
		out.Result, out.Reason, out.Existing = Skipped, SkippedBySingleton, known.Holder
	case known.Paused:
		out.Result, out.Reason = Skipped, SkippedByPause
	case !known.Run.IsZero():
		out.Result, out.Existing = Duplicate, known.Run
	default:
		out.Start, out.Lock = in.start(now), in.Values.SingletonKey
		if encounter == CancelOld {
			out.Cancel = known.Holder
		}
	}
	return out
}

// start is when the run begins: now, or at the time of an event of the future; a batch begins at once.
func (in Request) start(now time.Time) time.Time {
	if !in.At.IsZero() {
		return in.At
	}
	if ts := time.UnixMilli(in.Event.TS).UTC(); in.Values.From != FromBatch && ts.After(now) {
		return ts
	}
	return now
}
