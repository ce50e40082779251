package sdk

import (
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/ingothq/ingot/internal/domain/duration"
)

// The bounds of a Retry-After (spec 01 §10.3).
const (
	minRetryAfter = time.Second
	maxRetryAfter = 24 * time.Hour
)

// ParseRetryAfter reads a Retry-After header: a positive number of seconds of at most seven characters, or a date. The
// result lies between a second and a day from now and is then cut to the whole second, so a wait of n seconds takes
// between n-1 and n. It is zero for what is neither, which leaves the time to the backoff. Source: spec 01 §10.3.
func ParseRetryAfter(value string, now time.Time) time.Time {
	if value == "" {
		return time.Time{}
	}
	const maxDigits = 7
	if len(value) <= maxDigits {
		if seconds, err := strconv.Atoi(value); err == nil {
			if seconds <= 0 {
				return time.Time{}
			}
			return clampRetry(now.Add(time.Duration(seconds)*time.Second), now)
		}
	}
	date, ok := duration.ParseDate(value)
	if !ok {
		return time.Time{}
	}
	return clampRetry(date, now)
}

func clampRetry(at, now time.Time) time.Time {
	if earliest := now.Add(minRetryAfter); at.Before(earliest) {
		at = earliest
	}
	if latest := now.Add(maxRetryAfter); at.After(latest) {
		at = latest
	}
	return at.UTC().Truncate(time.Second)
}

// noRetry says whether the app forbids another attempt.
func (a answer) noRetry() bool {
	if value := a.header[headerNoRetry]; value != "" {
		return value == "true"
	}
	return a.status >= 400 && a.status <= 499 && predatesNoRetry(a.header[headerSDK])
}

// predatesNoRetry names the versions of inngest-js that had no header for it and meant every 4xx to be final.
func predatesNoRetry(sdk string) bool {
	text, isJS := strings.CutPrefix(sdk, "inngest-js:")
	if !isJS {
		return false
	}
	version, err := semver.NewVersion(text)
	if err != nil {
		return false
	}
	switch version.Major() {
	case 1:
		return version.LessThan(semver.New(1, 10, 1, "", ""))
	case 2:
		return version.LessThan(semver.New(2, 4, 1, "", ""))
	default:
		return false
	}
}
