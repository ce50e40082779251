package embedded

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// instantLayout is the form in which the reference's driver writes an instant: UTC, trailing zeros of the fraction cut, so
// that the order of the texts is the order of the instants. Spec 15 §5.3.
const instantLayout = "2006-01-02 15:04:05.999999999 -0700 MST"

// readLayouts are the forms of an instant that may be found, the most common first. A fraction is accepted after the
// seconds of each. Spec 15 §5.3.
var readLayouts = []string{
	"2006-01-02 15:04:05 -0700 MST",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05-07:00",
	"2006-01-02T15:04:05-07:00",
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	"2006-01-02",
}

// formatInstant writes an instant as the reference does.
func formatInstant(at time.Time) string { return at.UTC().Format(instantLayout) }

// afterInstant returns a text that sorts after every form of the instant, and before every later one of the same form.
func afterInstant(at time.Time) string { return firstInstant(at) + "!" }

// firstInstant returns a text that sorts before every form of the instant, and after every earlier one.
func firstInstant(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.999999999") }

// parseInstant reads an instant in any form that the reference accepts; the answer is in UTC.
func parseInstant(text string) (time.Time, error) {
	if at := strings.Index(text, " m="); at >= 0 {
		text = text[:at]
	}
	if number, err := strconv.ParseInt(text, 10, 64); err == nil && !isDate(text) {
		if number > 1e12 || number < -1e12 {
			return time.UnixMilli(number).UTC(), nil
		}
		return time.Unix(number, 0).UTC(), nil
	}
	for _, layout := range readLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("instant %q has no known form", text)
}

// isDate tells a date from a number.
func isDate(text string) bool { return strings.Count(text, "-") == 2 }
