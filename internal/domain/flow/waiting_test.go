package flow

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPace_Expect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		passed, ahead, functions int
		elapsed, want            time.Duration
	}{
		"the next, of one a second":           {10, 0, 1, 10 * time.Second, time.Second},
		"the fourth":                          {10, 3, 1, 10 * time.Second, 4 * time.Second},
		"the fourth, with three functions":    {10, 3, 3, 10 * time.Second, 12 * time.Second},
		"functions that were not counted":     {10, 3, 0, 10 * time.Second, 4 * time.Second},
		"nothing has taken any time":          {10, 3, 1, 0, 0},
		"a clock that was set back":           {10, 3, 1, -time.Hour, 0},
		"a fraction of a second":              {3, 0, 1, time.Second, 333_333_333},
		"more than there is of time":          {1, MostAhead, 1 << 20, 365 * 24 * time.Hour, horizon},
		"many in little time, far from there": {1 << 40, MostAhead, 1, time.Second, 9},
	} {
		pace := Pace{Since: epoch.Add(-c.elapsed), Passed: c.passed}
		if got := pace.Expect(c.ahead, c.functions, epoch).Sub(epoch); got != c.want {
			t.Errorf("%s: in %s, want in %s", name, got, c.want)
		}
	}
	if got := (Pace{Since: epoch}).Expect(0, 1, epoch.Add(time.Hour)); !got.IsZero() {
		t.Errorf("of nothing that has passed it is %s", got)
	}
}

func TestBucket_After(t *testing.T) {
	t.Parallel()
	each := NewBucket(1, 0, 5*time.Second)
	burst := NewBucket(2, 2, 5*time.Second) // three at once, then one in 2.5 s
	long := NewBucket(1, 0, horizon)
	for name, c := range map[string]struct {
		bucket Bucket
		debt   time.Duration
		ahead  int
		want   time.Duration
	}{
		"a full bucket":                    {each, 0, 0, 0},
		"a full bucket and others before":  {each, 0, 3, 15 * time.Second},
		"no token":                         {each, 4 * time.Second, 0, 4 * time.Second},
		"no token and others before":       {each, 4 * time.Second, 2, 14 * time.Second},
		"a full burst":                     {burst, 0, 2, 0},
		"behind a full burst":              {burst, 0, 3, 2500 * time.Millisecond},
		"some of the burst":                {burst, 6 * time.Second, 1, 3500 * time.Millisecond},
		"a debt of the far future":         {each, horizon + time.Hour, MostAhead, horizon},
		"a bucket of the longest emission": {long, horizon, 1, horizon},
		"more than there is of time":       {long, 0, 2, horizon},
	} {
		var tat time.Time
		if c.debt > 0 {
			tat = epoch.Add(c.debt)
		}
		if got := c.bucket.After(tat, epoch, c.ahead).Sub(epoch); got != c.want {
			t.Errorf("%s: in %s, want in %s", name, got, c.want)
		}
	}
}

// TestBucket_AfterIsWhenTheTokenComes has those who wait take their tokens, one after the other, each as soon as there is one.
func TestBucket_AfterIsWhenTheTokenComes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		period := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(r, "period"))
		bucket := NewBucket(rapid.IntRange(1, 50).Draw(r, "limit"), rapid.IntRange(0, 20).Draw(r, "burst"), period)
		var tat time.Time
		now := epoch
		for range rapid.IntRange(0, 30).Draw(r, "taken before") {
			tat = bucket.Take(tat, now).TAT
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(bucket.Emission())).Draw(r, "passes")))
		}
		ahead := rapid.IntRange(0, 40).Draw(r, "ahead")
		want := bucket.After(tat, now, ahead)
		at := now
		for left := ahead; ; left-- {
			taken := bucket.Take(tat, at)
			if !taken.Allowed {
				at = taken.RetryAt
				if taken = bucket.Take(tat, at); !taken.Allowed {
					r.Fatalf("no token at %s", at)
				}
			}
			tat = taken.TAT
			if left == 0 {
				break
			}
		}
		if !at.Equal(want) {
			r.Fatalf("the token came %s after now, was to come %s after", at.Sub(now), want.Sub(now))
		}
	})
}
