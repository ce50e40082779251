package flow

import (
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/domain/function"
)

func throttle(t testing.TB, limit, burst int, period time.Duration) *Throttle {
	t.Helper()
	return compile(t, function.Settings{Throttle: &function.Throttle{Limit: limit, Burst: burst, Period: function.Duration(period)}}).Throttle
}

// starts is when so many runs that are ready at once begin: each waits until it is told to try again.
func starts(limit *Throttle, runs int) []time.Duration {
	var tat time.Time
	var began []time.Duration
	now := epoch
	for len(began) < runs {
		taken := limit.Take(tat, now)
		if taken.Allowed {
			began = append(began, now.Sub(epoch))
		} else {
			now = taken.RetryAt
		}
		tat = taken.TAT
	}
	return began
}

// TestThrottle_Observed replays what the reference was seen to start (spec 11 §7): six events at once, a period of 4 s. Its first start was
// late, so the times are counted from there.
func TestThrottle_Observed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit, burst int
		starts       []float64
	}{
		{1, 0, []float64{1.3, 5.0, 9.1, 13.0, 17.1, 21.1}},
		{0, 0, []float64{1.3, 5.0, 9.1, 13.0, 17.1, 21.1}},
		{1, 1, []float64{0.7, 1.4, 4.5, 8.5, 12.6, 16.5}},
		{2, 0, []float64{1.3, 1.3, 3.1, 4.9, 6.9, 9.1}},
		{2, 1, []float64{1.4, 1.4, 1.5, 3.8, 5.2, 7.4}},
		{3, 2, []float64{1.0, 1.6, 1.6, 1.6, 1.6, 2.3}},
	} {
		got := starts(throttle(t, c.limit, c.burst, 4*time.Second), len(c.starts))
		for at, want := range c.starts {
			if off := (got[at] - seconds(want-c.starts[0])).Abs(); off > seconds(0.75) {
				t.Errorf("%d/%d: starts at %v, want %v from %v on", c.limit, c.burst, got, c.starts, c.starts[0])
			}
		}
	}
	if got := starts(throttle(t, 1, 0, 500*time.Millisecond), 3); got[2] != time.Second {
		t.Errorf("with half a second, starts at %v", got)
	}
}

// TestThrottle_Vectors: limit and burst at once, then one per period/limit. All are exact.
func TestThrottle_Vectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit, burst int
		period       time.Duration
		atOnce       int
		then         time.Duration
	}{
		{2, 1, 5 * time.Second, 3, 2500 * time.Millisecond},
		{1, 0, 5 * time.Second, 1, 5 * time.Second},
		{1, 1, 5 * time.Second, 2, 5 * time.Second},
		{3, 0, time.Second, 3, 333333334},
		{1, 0, 300 * time.Millisecond, 1, 300 * time.Millisecond},
		{4, 2, 2 * time.Second, 6, 500 * time.Millisecond},
	} {
		got := starts(throttle(t, c.limit, c.burst, c.period), c.atOnce+3)
		for at, began := range got {
			if want := time.Duration(max(at-c.atOnce+1, 0)) * c.then; began != want {
				t.Errorf("%d/%d in %s: start %d at %s, want %s", c.limit, c.burst, c.period, at, began, want)
			}
		}
	}
}

// TestThrottleOf_WantsTheSameExpression: a throttle with another key expression does not hold for runs that were scheduled before.
func TestThrottleOf_WantsTheSameExpression(t *testing.T) {
	t.Parallel()
	settings := func(key string) *Settings {
		return compile(t, function.Settings{Throttle: &function.Throttle{Limit: 1, Period: function.Duration(time.Second), Key: key}})
	}
	one, other, none := settings("event.data.a"), settings("event.data.b"), compile(t, function.Settings{})
	key := one.Evaluate(eventOf(1, `{}`).Event, FromEvent, epoch).Throttle
	if one.ThrottleOf(key) != one.Throttle || other.ThrottleOf(key) != nil || none.ThrottleOf(key) != nil || one.ThrottleOf(nil) != nil {
		t.Error("the throttle holds for the wrong key")
	}
	if faster := settings("event.data.a"); faster.ThrottleOf(key) != faster.Throttle {
		t.Error("the limit is not the function's current one")
	}
}
