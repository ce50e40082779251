package function

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ingothq/ingot/internal/domain/duration"
)

// Duration is a length of time inside a function's settings. In JSON it is a text such as "1d12h" (spec 01 §4.2); a
// number of nanoseconds, an empty text and null are read as well.
type Duration time.Duration

// MarshalJSON writes the shortest text that reads back to the same duration; zero is "0s".
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(duration.Format(time.Duration(d)))
}

// UnmarshalJSON reads a text or a number of nanoseconds. Its errors are those of Go's own parser, as clients know them.
func (d *Duration) UnmarshalJSON(raw []byte) error {
	var nanoseconds int64
	if json.Unmarshal(raw, &nanoseconds) == nil {
		*d = Duration(nanoseconds)
		return nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return fmt.Errorf("time: invalid duration %s", raw)
	}
	if text == "" {
		*d = 0
		return nil
	}
	length, err := parseDuration(text)
	*d = Duration(length)
	return err
}

// parseDuration reads a duration with days and weeks. The error has the words of Go's parser, which are part of the
// answers to a registration and of the errors of an app.
func parseDuration(text string) (time.Duration, error) {
	length, err := duration.ParseDuration(text)
	if err == nil {
		return length, nil
	}
	if _, goErr := time.ParseDuration(text); goErr != nil && !mixesLongUnits(text) {
		return 0, goErr
	}
	return 0, fmt.Errorf("time: invalid duration %q", text)
}

// mixesLongUnits says that a text holds the letters of the units that Go does not know, whose complaint would mislead.
func mixesLongUnits(text string) bool {
	for _, letter := range text {
		if letter == 'd' || letter == 'w' {
			return true
		}
	}
	return false
}
