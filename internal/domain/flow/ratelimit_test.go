package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/function"
)

func rateLimit(t testing.TB, limit int, period string) *RateLimit {
	t.Helper()
	return compile(t, function.Settings{RateLimit: &function.RateLimit{Limit: limit, Period: period}}).RateLimit
}

// TestRateLimit_Observed replays what the reference was seen to admit (spec 11 §5.1): a burst of 4 and then an event about every half
// second, for 22 s, with a period of 20 s. Its events came 0.5 s after the one before was answered, so about 0.53 s apart.
func TestRateLimit_Observed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit, atOnce int
		then          []float64
		all           bool // the list is complete
	}{
		{1, 1, []float64{20.7}, true},
		{5, 1, []float64{4.4, 8.5, 12.8, 17.0, 20.7}, true},
		{10, 2, []float64{2.3, 4.4, 6.8, 8.5, 10.7}, false},
		{20, 3, []float64{1.1, 2.3, 3.4, 4.5, 5.5}, false},
	} {
		limit := rateLimit(t, c.limit, "20s")
		var tat time.Time
		var admitted []time.Duration
		offer := func(at time.Duration) {
			taken := limit.Admit(Counted{TAT: tat}, epoch.Add(at))
			if taken.Allowed {
				tat = taken.TAT
				admitted = append(admitted, at)
			}
		}
		for range 4 {
			offer(0)
		}
		if len(admitted) != c.atOnce {
			t.Errorf("limit %d: %d at once, want %d", c.limit, len(admitted), c.atOnce)
		}
		for at := seconds(0.53); at < seconds(22); at += seconds(0.53) {
			offer(at)
		}
		then := admitted[c.atOnce:]
		if len(then) < len(c.then) || c.all && len(then) != len(c.then) {
			t.Fatalf("limit %d: then at %v, want %v", c.limit, then, c.then)
		}
		for at, want := range c.then {
			if off := (then[at] - seconds(want)).Abs(); off > seconds(0.7) {
				t.Errorf("limit %d: then at %v, want %v", c.limit, then, c.then)
			}
		}
	}
}

// TestRateLimit_Asserted are the reference's own assertions of spec 11 §14.
func TestRateLimit_Asserted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit         int
		period        string
		atOnce        int
		again, before time.Duration
	}{
		"10 an hour admits 2":         {10, "1h", 2, 6 * time.Minute, 0},
		"0 acts as 1":                 {0, "1h", 1, time.Hour, 0},
		"once a day":                  {1, "24h", 1, 24 * time.Hour, 0},
		"function idempotency":        {1, "24h0m0s", 1, 24 * time.Hour, 0},
		"9 has no burst":              {9, "9m", 1, time.Minute, 0},
		"half a second is a period":   {1, "500ms", 1, 500 * time.Millisecond, 0},
		"one and a half seconds, too": {3, "1500ms", 1, 500 * time.Millisecond, 0},
	} {
		limit := rateLimit(t, c.limit, c.period)
		var tat time.Time
		count := 0
		for taken := limit.Admit(Counted{TAT: tat}, epoch); taken.Allowed; taken = limit.Admit(Counted{TAT: tat}, epoch) {
			tat = taken.TAT
			count++
		}
		if count != c.atOnce {
			t.Errorf("%s: %d at once, want %d", name, count, c.atOnce)
		}
		if limit.Admit(Counted{TAT: tat}, epoch.Add(c.again-1)).Allowed || !limit.Admit(Counted{TAT: tat}, epoch.Add(c.again)).Allowed {
			t.Errorf("%s: the next is not after %s", name, c.again)
		}
	}
}

// TestRateLimit_CountsARequestOnce: what is repeated within the window is allowed, also over the limit, and takes nothing.
func TestRateLimit_CountsARequestOnce(t *testing.T) {
	t.Parallel()
	limit := rateLimit(t, 1, "1h")
	first := limit.Admit(Counted{}, epoch)
	want := Taken{Allowed: true, TAT: first.TAT, RetryAt: epoch}
	if diff := cmp.Diff(want, limit.Admit(Counted{TAT: first.TAT, Before: true}, epoch)); diff != "" {
		t.Error(diff)
	}
	if limit.Admit(Counted{TAT: first.TAT}, epoch).Allowed {
		t.Error("another request was allowed")
	}
}

// TestRateLimit_IsItsModel: random requests, some repeated, against a list of all that were admitted.
func TestRateLimit_IsItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		count := rapid.IntRange(0, 120).Draw(r, "limit")
		period := rapid.SampledFrom([]string{"100ms", "1s", "90s", "24h"}).Draw(r, "period")
		limit := rateLimit(t, count, period)
		burst := count / 10
		var tat time.Time
		var passed []time.Time
		counted := map[int]time.Time{}
		now := epoch
		for range rapid.IntRange(1, 60).Draw(r, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 2*int64(limit.Emission())).Draw(r, "pause")))
			request := rapid.IntRange(0, 20).Draw(r, "request")
			then, known := counted[request]
			before := known && now.Sub(then) < RequestWindow
			room := true
			for at, one := range passed {
				room = room && one.Add(time.Duration(len(passed)-at-burst)*limit.Emission()).Compare(now) <= 0
			}
			got := limit.Admit(Counted{TAT: tat, Before: before}, now)
			if got.Allowed != (before || room) || (got.TTL > 0) != (!before && room) {
				r.Fatalf("request %d at %s after %v: %+v", request, now, passed, got)
			}
			tat = got.TAT
			if got.TTL > 0 {
				counted[request] = now
				passed = append(passed, now)
			}
		}
	})
}
