package sdk_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	second := now.Truncate(time.Second)
	soonest, latest := second.Add(time.Second), second.Add(24*time.Hour)
	at := time.Date(2026, 4, 24, 13, 30, 0, 0, time.UTC)
	for value, want := range map[string]time.Time{
		"":         {},
		"0":        {},
		"-1":       {},
		"1.5":      {},
		"00000002": {},
		"10000000": {},
		"soon":     {},
		"2026":     second.Add(2026 * time.Second),
		"1":        soonest,
		"60":       second.Add(time.Minute),
		"0000002":  second.Add(2 * time.Second),
		"9999999":  latest,

		"2020-01-01T00:00:00Z":            soonest,
		"2030-01-01T00:00:00Z":            latest,
		"2026-04-24T13:30:00Z":            at,
		"2026-04-24T13:30:00.750Z":        at,
		"2026-04-24T15:30:00+02:00":       at,
		"2026-04-24T13:30:00":             at,
		"Fri, 24 Apr 2026 13:30:00 GMT":   at,
		"24 Apr 26 13:30 UTC":             at,
		"24 Apr 26 15:30 +0200":           at,
		"Friday, 24-Apr-26 13:30:00 UTC":  at,
		"Fri Apr 24 13:30:00 +0000 2026":  at,
		"Fri Apr 24 13:30:00 UTC 2026":    at,
		"Fri Apr 24 13:30:00 2026":        at,
		"Apr 24 13:30:00":                 soonest,
		"Apr 24 13:30:00.000":             soonest,
		"2026-04-25":                      time.Date(2026, 4, 25, 0, 0, 0, 0, time.UTC),
		"2026-04-24 13:30:00.5 +0000 UTC": at,
	} {
		if got := sdk.ParseRetryAfter(value, now); !got.Equal(want) {
			t.Errorf("ParseRetryAfter(%q) = %s, want %s", value, got, want)
		}
	}
}

// FuzzParseRetryAfter: the result is zero or a whole second within the bounds, and a number means itself.
func FuzzParseRetryAfter(f *testing.F) {
	for _, seed := range []string{"1", "60", "-1", "1.5", "00000002", "2026-04-24T13:30:00Z", "Fri, 24 Apr 2026 13:30:00 GMT", "2026-04-25", "x"} {
		f.Add(seed, int64(1_776_000_000_500))
	}
	f.Fuzz(func(t *testing.T, value string, nowMS int64) {
		now := time.UnixMilli(nowMS % 4_000_000_000_000).UTC()
		got := sdk.ParseRetryAfter(value, now)
		seconds, err := strconv.Atoi(value)
		isNumber := err == nil && len(value) <= 7 && seconds > 0
		if got.IsZero() {
			if isNumber {
				t.Fatalf("%q was ignored", value)
			}
			return
		}
		wait := got.Sub(now)
		if got.Nanosecond() != 0 || wait <= 0 && now.Nanosecond() != 0 || wait < 0 || wait > 24*time.Hour {
			t.Fatalf("%q at %s gives %s", value, now, got)
		}
		if isNumber && seconds <= 86400 {
			if upper := time.Duration(seconds) * time.Second; wait > upper || wait <= upper-time.Second {
				t.Fatalf("%q waits %s", value, wait)
			}
		}
	})
}
