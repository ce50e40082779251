package event

import (
	"strings"
	"time"
)

// Bounds of an event's time in milliseconds since the epoch, both still allowed: 1980-01-01 and 2100-01-01 UTC.
const (
	minTS = 315532800000
	maxTS = 4102444800000
)

// IsInternal reports whether the name is reserved for events that the server publishes itself, in any capitals.
func IsInternal(name string) bool {
	return len(name) >= len(ReservedPrefix) && strings.EqualFold(name[:len(ReservedPrefix)], ReservedPrefix)
}

// Normalise makes a decoded event from outside ready to be accepted: it refuses reserved names, removes "_inngest" from
// data, sets an absent time to now and checks name, time and sessions, in this order. Every error is an *InvalidError. A
// time out of bounds is always refused, however far out (the reference lets some overflow back into range).
//
// Source: spec 03 §7.
func Normalise(e Event, now time.Time) (Event, error) {
	if IsInternal(e.Name) {
		return Event{}, invalid("name", "event name is reserved for internal use: %s", e.Name)
	}
	e.Data = without(e.Data, metadataKey)
	if e.TS == 0 {
		e.TS = now.UnixMilli()
	}
	if err := validate(e); err != nil {
		return Event{}, err
	}
	return e, nil
}

func validate(e Event) error {
	switch {
	case e.Name == "":
		return invalid("name", "event name is empty")
	case e.TS < minTS:
		return invalid("ts", "timestamp is before Jan 1, 1980")
	case e.TS > maxTS:
		return invalid("ts", "timestamp is after Jan 1, 2100")
	}
	return checkSessions(e.Sessions)
}
