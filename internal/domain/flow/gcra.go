package flow

import "time"

// Bucket is a GCRA limiter: after a burst it allows one in each emission interval, evenly spaced. It is described by when the bucket
// would be full again, its theoretical arrival time (TAT), so that one instant per key is all that is stored.
//
// The emission interval is period/limit, exact to the nanosecond: the quotient is rounded up, which can only make a limit stricter, by
// less than a nanosecond per token.
//
// Source: spec 11 §5.3, spec 09 §9.5.
type Bucket struct {
	emission time.Duration
	// tolerance is how far ahead the TAT may be after a token was taken.
	tolerance time.Duration
}

// horizon bounds the tolerance, and with it how far ahead of now a TAT can be: nanoseconds since the epoch fit an int64 until 2262.
const horizon = 200 * 365 * 24 * time.Hour

// NewBucket is a limiter that allows burst+1 at once, and then limit in a period. A limit below 1 counts as 1, a burst below 0 as 0.
// The period must be positive.
func NewBucket(limit, burst int, period time.Duration) Bucket {
	emission := min(ceilDiv(int64(period), int64(max(limit, 1))), int64(horizon))
	tokens := min(int64(max(burst, 0)), int64(horizon)/emission-1) + 1
	return Bucket{emission: time.Duration(emission), tolerance: time.Duration(emission * tokens)}
}

func ceilDiv(dividend, divisor int64) int64 { return max((dividend-1)/divisor+1, 1) }

// Taken is the answer of a Bucket.
type Taken struct {
	// Allowed says that there is a token; Take has taken it.
	Allowed bool
	// TAT is what must be stored. When nothing was taken it is what was given.
	TAT time.Time
	// TTL is how long TAT has to be kept: after it, none stored means the same. It is 0 when nothing was taken.
	TTL time.Duration
	// RetryAt is when there is a token, if nobody else takes it first. When this one was allowed it is one emission interval from now,
	// however many remain, as the reference has it.
	RetryAt time.Time
	// Remaining is how many more are allowed at the same instant.
	Remaining int
}

// Take takes a token if there is one. A zero TAT is that of a full bucket; one in the past counts as now, one in a far future, which a
// clock set back can leave behind, limits until then. The stored TAT never moves backwards.
func (b Bucket) Take(tat, now time.Time) Taken {
	debt := b.debt(tat, now)
	if debt > b.tolerance-b.emission {
		return Taken{TAT: tat, RetryAt: now.Add(debt - (b.tolerance - b.emission))}
	}
	debt += b.emission
	return Taken{
		Allowed: true, TAT: now.Add(debt), TTL: debt, RetryAt: now.Add(b.emission),
		Remaining: int((b.tolerance - debt) / b.emission),
	}
}

// Peek is what Take would find, without taking: it allows if there is at least one token, and all there are remain.
func (b Bucket) Peek(tat, now time.Time) Taken {
	found := b.Take(tat, now)
	if found.Allowed {
		found.Remaining++
	}
	found.TAT, found.TTL = tat, 0
	return found
}

// After is when there is a token for somebody with so many before them, if each takes one as soon as there is one and nobody else takes any.
func (b Bucket) After(tat, now time.Time, ahead int) time.Time {
	if int64(ahead) > int64(horizon/b.emission) {
		return now.Add(horizon)
	}
	before, wait := time.Duration(ahead)*b.emission, b.debt(tat, now)-(b.tolerance-b.emission)
	if wait > horizon-before { // their sum may be more than there is
		return now.Add(horizon)
	}
	return now.Add(max(wait+before, 0))
}

// debt is how far the TAT is ahead of now, which is never less than nothing.
func (b Bucket) debt(tat, now time.Time) time.Duration {
	if tat.IsZero() {
		return 0
	}
	return max(tat.Sub(now), 0)
}

// Emission is how far apart tokens are in the long run.
func (b Bucket) Emission() time.Duration { return b.emission }

// Burst is how many tokens a full bucket has.
func (b Bucket) Burst() int { return int(b.tolerance / b.emission) }
