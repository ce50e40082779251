package sdk

import (
	"fmt"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/duration"
)

// maxWait is how far ahead a sleep or a timeout may end.
const maxWait = 366 * 24 * time.Hour

// TooLongError says that a sleep or a timeout ends more than a year ahead. It fails the run at once.
type TooLongError struct {
	// Raw is the time as the app wrote it.
	Raw string
	// Wait is true for the timeout of a wait, false for a sleep.
	Wait bool
}

// Error is the text that users see.
func (e *TooLongError) Error() string {
	if e.Wait {
		return fmt.Sprintf("The wait-for-event timeout %q expires more than one year in the future; timeouts may last at most one year.", e.Raw)
	}
	return fmt.Sprintf("The sleep %q ends more than one year in the future; sleeps may last at most one year.", e.Raw)
}

// Failure is the failure of the run that asked for it. Source: spec 01 §11.2, spec 02 §18.
func (e *TooLongError) Failure() Failure {
	const code = "InngestErrTimeoutTooLong"
	return Failure{Text: code, Name: code, Message: e.Error(), Engine: true, NoRetry: true}
}

// SleepUntil returns when a Sleep op ends: never before now, and now itself for an empty text or a time in the past.
// The text is opts.duration, else the op's name; it is a duration, or, from ten characters on, a date. A sleep of more
// than 366 days is a *TooLongError; a text that is neither is an error to be retried. Source: spec 01 §11.2.
func SleepUntil(op Op, now time.Time) (time.Time, error) {
	text := textOf(op.option("duration"))
	if text == "" {
		text = op.Name
	}
	if text == "" {
		return now, nil
	}
	const minDate = 10
	end, isDate := time.Time{}, false
	if len(text) >= minDate {
		end, isDate = duration.ParseDate(text)
	}
	if !isDate {
		wait, err := duration.ParseDuration(text)
		if err != nil {
			return time.Time{}, fmt.Errorf("unable to parse sleep %q of op %s: %w", text, op.ID, err)
		}
		end = now.Add(wait)
	}
	return bound(end, now, &TooLongError{Raw: text})
}

// WaitUntil returns when a wait's timeout ends: a duration from now or an RFC 3339 time, never before now, and now
// itself for an empty text. More than 366 days is a *TooLongError. Source: spec 12 §10.3.
func WaitUntil(timeout string, now time.Time) (time.Time, error) {
	if timeout == "" {
		return now, nil
	}
	wait, err := duration.ParseDuration(timeout)
	end := now.Add(wait)
	if err != nil {
		if !strings.Contains(timeout, "T") {
			return time.Time{}, fmt.Errorf("invalid duration %q: %w", timeout, err)
		}
		end, err = time.Parse(time.RFC3339, timeout)
		if err != nil {
			return time.Time{}, fmt.Errorf("invalid RFC 3339 timestamp %q: %w", timeout, err)
		}
	}
	return bound(end, now, &TooLongError{Raw: timeout, Wait: true})
}

func bound(end, now time.Time, tooLong *TooLongError) (time.Time, error) {
	if end.After(now.Add(maxWait)) {
		return time.Time{}, tooLong
	}
	if end.Before(now) {
		return now, nil
	}
	return end, nil
}
