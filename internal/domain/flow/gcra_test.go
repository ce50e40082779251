package flow

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// epoch is an instant that is no round number of anything, as those of real servers.
var epoch = time.Unix(1762895293, 778_512_345).UTC()

// limited is the answer to a request that has to wait so long.
func limited(wait time.Duration) Taken { return Taken{RetryAt: epoch.Add(wait)} }

// ok is the answer to an allowed request.
func ok(remaining int) Taken { return Taken{Allowed: true, Remaining: remaining} }

// TestBucket_Vectors are the timelines of spec 11 §5.3 and spec 09 §9.5. A limited request's RetryAt is relative to the request.
func TestBucket_Vectors(t *testing.T) {
	t.Parallel()
	type request struct {
		at   time.Duration
		want Taken
	}
	hourly := NewBucket(10, 1, time.Hour)
	hundred := []request{}
	for left := 10; left >= 0; left-- {
		hundred = append(hundred, request{0, ok(left)})
	}
	for name, c := range map[string]struct {
		bucket   Bucket
		requests []request
	}{
		"10 an hour": {hourly, []request{
			{0, ok(1)}, {0, ok(0)}, {0, limited(360 * time.Second)}, {359 * time.Second, limited(time.Second)},
			{360 * time.Second, ok(0)}, {360 * time.Second, limited(360 * time.Second)},
		}},
		"5 a minute": {NewBucket(5, 0, time.Minute), []request{
			{0, ok(0)}, {time.Second, limited(11 * time.Second)}, {12 * time.Second, ok(0)}, {24 * time.Second, ok(0)},
		}},
		"100 a minute": {NewBucket(100, 10, time.Minute), append(hundred,
			request{0, limited(600 * time.Millisecond)}, request{600 * time.Millisecond, ok(0)})},
		"1 a day": {NewBucket(1, 0, 24*time.Hour), []request{
			{0, ok(0)}, {86399 * time.Second, limited(time.Second)}, {86400 * time.Second, ok(0)},
		}},
		"10 a minute, no burst": {NewBucket(10, 0, time.Minute), []request{{0, ok(0)}, {0, limited(6 * time.Second)}}},
		"a quantity of 2":       {NewBucket(10, 1, time.Minute), []request{{0, ok(1)}, {0, ok(0)}, {0, limited(6 * time.Second)}}},
		"3000 a minute": {NewBucket(3000, 1, time.Minute), []request{
			{0, ok(1)}, {0, ok(0)}, {20 * time.Millisecond, ok(0)}, {20 * time.Millisecond, limited(20 * time.Millisecond)}, {60 * time.Millisecond, ok(1)},
		}},
		"throttle 2 in 5 s and 1 more": {NewBucket(2, 2+1-1, 5*time.Second), []request{
			{0, ok(2)}, {0, ok(1)}, {0, ok(0)}, {0, limited(2500 * time.Millisecond)}, {2500 * time.Millisecond, ok(0)}, {5 * time.Second, ok(0)},
		}},
		"throttle 1 in 5 s":            {NewBucket(1, 0, 5*time.Second), []request{{0, ok(0)}, {0, limited(5 * time.Second)}, {5 * time.Second, ok(0)}}},
		"throttle 1 in 5 s and 1 more": {NewBucket(1, 1, 5*time.Second), []request{{0, ok(1)}, {0, ok(0)}, {0, limited(5 * time.Second)}, {5 * time.Second, ok(0)}}},
		"half a second":                {NewBucket(1, 0, 500*time.Millisecond), []request{{0, ok(0)}, {499 * time.Millisecond, limited(time.Millisecond)}, {500 * time.Millisecond, ok(0)}}},
		"less than a nanosecond each":  {NewBucket(1000, 0, 10), []request{{0, ok(0)}, {0, limited(1)}, {1, ok(0)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tat time.Time
			for at, one := range c.requests {
				now := epoch.Add(one.at)
				got := c.bucket.Take(tat, now)
				want := one.want
				if want.Allowed {
					want.TAT, want.TTL, want.RetryAt = got.TAT, got.TAT.Sub(now), now.Add(c.bucket.Emission())
				} else {
					want.TAT, want.RetryAt = tat, want.RetryAt.Add(one.at)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("request %d at %s: %s", at, one.at, diff)
				}
				tat = got.TAT
			}
		})
	}
}

// TestBucket_KeepsItsState are the TTLs of spec 11 §5.3.
func TestBucket_KeepsItsState(t *testing.T) {
	t.Parallel()
	hourly := NewBucket(10, 1, time.Hour)
	first := hourly.Take(time.Time{}, epoch)
	second := hourly.Take(first.TAT, epoch)
	if first.TTL != 360*time.Second || second.TTL != 720*time.Second {
		t.Errorf("kept %s and %s, want 360 s and 720 s", first.TTL, second.TTL)
	}
}

// TestBucket_Peek are the probes of spec 09 §9.5. A state that outlives its TAT must not look like more than a full bucket (spec 11
// §13 W13).
func TestBucket_Peek(t *testing.T) {
	t.Parallel()
	minute := func(limit, burst int) Bucket { return NewBucket(limit, burst, time.Minute) }
	for name, c := range map[string]struct {
		bucket    Bucket
		ahead     time.Duration
		remaining int
		retry     time.Duration
	}{
		"full":                       {minute(10, 0), 0, 1, 6 * time.Second},
		"empty":                      {minute(10, 0), 6 * time.Second, 0, 6 * time.Second},
		"far ahead":                  {minute(10, 0), 13 * time.Second, 0, 13 * time.Second},
		"one of two after 20 ms":     {minute(3000, 1), 20 * time.Millisecond, 1, 20 * time.Millisecond},
		"both after 40 ms":           {minute(3000, 1), 0, 2, 20 * time.Millisecond},
		"12 of 13":                   {minute(120, 12), 500 * time.Millisecond, 12, 500 * time.Millisecond},
		"long ago":                   {minute(10, 0), -time.Hour, 1, 6 * time.Second},
		"a clock that was set back":  {minute(10, 0), 1000 * time.Hour, 0, 1000 * time.Hour},
		"nothing of a token missing": {minute(10, 1), 6*time.Second + 1, 0, 1},
	} {
		tat := epoch.Add(c.ahead)
		want := Taken{Allowed: c.remaining > 0, Remaining: c.remaining, TAT: tat, RetryAt: epoch.Add(c.retry)}
		if diff := cmp.Diff(want, c.bucket.Peek(tat, epoch)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestBucket_Extremes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bucket   Bucket
		emission time.Duration
		burst    int
	}{
		"no limit given":    {NewBucket(0, -1, time.Second), time.Second, 1},
		"quotient":          {NewBucket(7, 0, time.Minute), 8571428572, 1},
		"no period":         {NewBucket(1, 0, 0), 1, 1},
		"a huge burst":      {NewBucket(1, math.MaxInt, time.Hour), time.Hour, int(horizon / time.Hour)},
		"a huge period":     {NewBucket(1, 5, math.MaxInt64), horizon, 1},
		"both":              {NewBucket(math.MaxInt, math.MaxInt, math.MaxInt64), 1, int(horizon)},
		"the rate limit's":  {NewBucket(10, 1, time.Hour), 6 * time.Minute, 2},
		"a throttle's":      {NewBucket(3, 3+2-1, 4*time.Second), 1333333334, 5},
		"seven at one time": {NewBucket(7, 6, 10*time.Second), 1428571429, 7},
	} {
		if c.bucket.Emission() != c.emission || c.bucket.Burst() != c.burst {
			t.Errorf("%s: one per %s, %d at once, want %s and %d", name, c.bucket.Emission(), c.bucket.Burst(), c.emission, c.burst)
		}
		last := epoch.Add(math.MaxInt64)
		if got := c.bucket.Take(last, epoch); got.Allowed || got.RetryAt.Before(epoch) {
			t.Errorf("%s: a TAT of the end of time gives %+v", name, got)
		}
		if got := c.bucket.Take(time.Time{}, epoch); !got.Allowed || got.TAT.Sub(epoch) > horizon {
			t.Errorf("%s: a full bucket gives %+v", name, got)
		}
	}
}

// drawBucket draws settings that make small and large, round and odd intervals.
func drawBucket(t *rapid.T) (bucket Bucket, limit, burst int, period time.Duration) {
	limit = rapid.IntRange(1, 200).Draw(t, "limit")
	burst = rapid.IntRange(0, 20).Draw(t, "burst")
	period = time.Duration(rapid.OneOf(rapid.Int64Range(1, 1000), rapid.Int64Range(1, int64(24*time.Hour)),
		rapid.Map(rapid.Int64Range(1, 86400), func(s int64) int64 { return s * int64(time.Second) })).Draw(t, "period"))
	return NewBucket(limit, burst, period), limit, burst, period
}

// TestBucket_IsItsModel compares with the closed form: the n-th request may pass if, counting from each one that passed before, not more
// have passed than intervals and the burst allow. It also holds the bounds that the settings promise over any window.
func TestBucket_IsItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bucket, limit, burst, period := drawBucket(t)
		emission := bucket.Emission()
		var tat time.Time
		var passed []time.Time
		now := epoch
		for range rapid.IntRange(1, 80).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 3*int64(emission))).Draw(t, "pause")))
			want := true
			for at, then := range passed {
				ahead := then.Add(time.Duration(len(passed)-at) * emission).Sub(now)
				want = want && ahead <= time.Duration(burst)*emission
			}
			peeked := bucket.Peek(tat, now)
			got := bucket.Take(tat, now)
			if got.Allowed != want || peeked.Allowed != want {
				t.Fatalf("request at %s after %v: take %t, peek %t, want %t", now, passed, got.Allowed, peeked.Allowed, want)
			}
			if got.Allowed && got.Remaining != peeked.Remaining-1 {
				t.Fatalf("%d remain of %d", got.Remaining, peeked.Remaining)
			}
			if !got.Allowed {
				early, due := bucket.Take(tat, got.RetryAt.Add(-1)), bucket.Take(tat, got.RetryAt)
				if early.Allowed || !due.Allowed || got.RetryAt.Sub(now) > emission {
					t.Fatalf("limited until %s: a moment before it %t, then %t", got.RetryAt, early.Allowed, due.Allowed)
				}
				continue
			}
			tat = got.TAT
			passed = append(passed, now)
		}
		for first := range passed {
			for last := first; last < len(passed); last++ {
				window := passed[last].Sub(passed[first])
				bound := float64(limit)*float64(window)/float64(period) + float64(burst) + 1
				if count := last - first + 1; float64(count) > bound+1e-6 {
					t.Fatalf("%d passed within %s, allowed are %f", count, window, bound)
				}
			}
		}
	})
}

// TestBucket_NeverStarves: who asks again when told to gets all that the limit allows in the long run.
func TestBucket_NeverStarves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bucket, _, burst, _ := drawBucket(t)
		var tat time.Time
		now, count := epoch, 0
		for range 200 {
			got := bucket.Take(tat, now)
			if got.Allowed {
				count++
			} else {
				now = got.RetryAt
			}
			tat = got.TAT
		}
		if want := burst + 1 + int(now.Sub(epoch)/bucket.Emission()); count < want-1 || count > want {
			t.Fatalf("%d passed in %s, want %d", count, now.Sub(epoch), want)
		}
	})
}

// TestBucket_StateMayBeForgotten: whoever drops the state after its TTL changes nothing.
func TestBucket_StateMayBeForgotten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bucket, _, _, _ := drawBucket(t)
		var kept, forgetful, until time.Time
		now := epoch
		for range 60 {
			now = now.Add(time.Duration(rapid.Int64Range(0, 2*int64(bucket.Emission())).Draw(t, "pause")))
			if !now.Before(until) {
				forgetful = time.Time{}
			}
			one, other := bucket.Take(kept, now), bucket.Take(forgetful, now)
			if one.Allowed != other.Allowed || one.Remaining != other.Remaining || !one.RetryAt.Equal(other.RetryAt) {
				t.Fatalf("%+v with the state, %+v without", one, other)
			}
			kept, forgetful = one.TAT, other.TAT
			if other.Allowed {
				until = now.Add(other.TTL)
			}
		}
	})
}
