package run

import "time"

// Backoff says how long a failed job waits for its next attempt.
type Backoff struct {
	// Interval replaces the table by a constant when it is positive.
	Interval time.Duration
	// Jitter is added to a delay of the table: a random duration below MaxJitter, drawn by the caller.
	Jitter time.Duration
}

// MaxJitter bounds Backoff.Jitter.
const MaxJitter = 30 * time.Second

// delays by attempt, counted from zero: the delay after the first failure, the second, and so on. Spec 02 §10.
var delays = [...]time.Duration{
	15 * time.Second,
	30 * time.Second,
	1 * time.Minute,
	2 * time.Minute,
	5 * time.Minute,
	10 * time.Minute,
	20 * time.Minute,
	40 * time.Minute,
	1 * time.Hour,
	2 * time.Hour,
}

// After is how long to wait after the given attempt failed.
func (b Backoff) After(attempt int) time.Duration {
	if b.Interval > 0 {
		return b.Interval
	}
	return delays[min(max(attempt, 0), len(delays)-1)] + b.Jitter
}
