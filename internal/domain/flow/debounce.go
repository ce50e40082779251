package flow

import (
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
)

// Debounce starts a run when its key has been quiet for Period, and at the latest Timeout after the first event; 0 is no timeout.
//
// Better than the reference by intent: the run starts when its time has come, to the nanosecond, not 1.05 s later, and the timeout is
// not cut to whole seconds; an event that comes when the time has come and the run has not started yet joins it, where the reference opens
// a second debounce.
//
// Source: spec 11 §4.
type Debounce struct {
	Period, Timeout time.Duration
	key             *key
}

// invalidKey is the key of events for which the expression cannot be evaluated.
const invalidKey = "<invalid>"

// of is the event's key: the function's ID if there is no expression. A long key is replaced by its hash.
func (d *Debounce) of(fn uuid.UUID, s *expr.Subject) (string, error) {
	if d.key == nil {
		return fn.String(), nil
	}
	text, err := d.key.textOr(s, invalidKey)
	return bounded(text), err
}

// Debounced is an event that waits for its key to become quiet. There is at most one per function and key.
type Debounced struct {
	// ID is the debounce's, given by its first event.
	ID ulid.ULID
	// Event is the latest by its own time, of equal ones the last to come.
	Event event.Tracked
	// Due is when the run starts: Period after Event came, but not after MaxAt.
	Due time.Time
	// MaxAt is Timeout after the first event came; zero without a timeout.
	MaxAt time.Time
}

// Offer adds an event to what waits under its key, nil for nothing. The next state is to be stored, and its timer is due at its Due. It
// is false if the event is older, by its own time, than the one that waits; then nothing changes. Offering the event that waits changes
// nothing either. The ID is for a new debounce.
//
// What waits is due or not; that it has not fired is all that counts. To fire is to take it away, in one step with making its run.
func (d *Debounce) Offer(waiting *Debounced, id ulid.ULID, e event.Tracked, now time.Time) (next Debounced, kept bool) {
	if waiting == nil {
		next = Debounced{ID: id}
		if d.Timeout > 0 {
			next.MaxAt = now.Add(d.Timeout)
		}
	} else {
		next = *waiting
		switch {
		case e.InternalID == waiting.Event.InternalID:
			return next, true
		case e.TS < waiting.Event.TS:
			return next, false
		}
	}
	next.Event = e
	next.Due = now.Add(d.Period)
	if !next.MaxAt.IsZero() && next.Due.After(next.MaxAt) {
		next.Due = next.MaxAt
	}
	return next, true
}

// Ripe reports whether the run may start. A timer that rings before, because an event has moved it meanwhile, must be set again.
func (d Debounced) Ripe(now time.Time) bool { return !d.Due.After(now) }
