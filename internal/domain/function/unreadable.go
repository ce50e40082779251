package function

import (
	"errors"
	"fmt"
	"time"

	"github.com/ingothq/ingot/internal/domain/duration"
)

var (
	errNoDuration          = errors.New("no duration")
	errNoDurationOrInstant = errors.New("neither a duration nor an RFC 3339 time")
)

// Unreadable says of each timeout of a function that cannot be read what is wrong with it, by its name in a registration. Such
// a timeout counts as absent, so that runs are called and can be cancelled; the texts are for a warning. Spec 02 §22 #15.
func Unreadable(f Function) []string {
	var found []string
	check := func(name, text string, read func(string) error) {
		if text == "" {
			return
		}
		if err := read(text); err != nil {
			found = append(found, fmt.Sprintf("%s %q is %s", name, text, err))
		}
	}
	if timeouts := f.Settings.Timeouts; timeouts != nil {
		check("timeouts.start", timeouts.Start, isDuration)
		check("timeouts.finish", timeouts.Finish, isDuration)
	}
	for i, cancel := range f.Settings.Cancel {
		check(fmt.Sprintf("cancel[%d].timeout", i), cancel.Timeout, isDurationOrInstant)
	}
	return found
}

func isDuration(text string) error {
	if _, err := duration.ParseDuration(text); err != nil {
		return errNoDuration
	}
	return nil
}

func isDurationOrInstant(text string) error {
	if _, err := time.Parse(time.RFC3339, text); err != nil && isDuration(text) != nil {
		return errNoDurationOrInstant
	}
	return nil
}
