package cron

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/duration"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// Tick is an instant at which a schedule starts a function.
type Tick struct {
	FunctionID uuid.UUID
	// Version is the function's.
	Version    int
	Expression string
	At         time.Time
}

// ID is the reference's name of the tick, with the time in UTC whatever the zone of the server. Spec 12 §9.2.
func (t Tick) ID() string {
	return ids.X36(fmt.Sprintf("{%s}:{%s}:{%s}:{%d}:cron:schedule", t.At.UTC(), t.Expression, t.FunctionID, t.Version))
}

// Key makes the run of the tick unique within its function. It has the expression in it, so that two schedules of a function
// that tick at once start a run each.
func (t Tick) Key() string { return t.instant() + " " + t.Expression }

// instant is the event ID that all schedules share which tick at once.
func (t Tick) instant() string { return instant(t.At) }

func instant(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// FireAt is when the function starts: at the tick, or later by the jitter of its trigger. A jitter that cannot be read is none.
func (t Tick) FireAt(jitter string) time.Time {
	limit, err := duration.ParseDuration(strings.TrimSpace(jitter))
	if err != nil || limit <= 0 {
		return t.At
	}
	return t.At.Add(Jitter(t.ID(), limit))
}

// leastJitter is the least that a jitter delays.
const leastJitter = time.Second

// Jitter is a delay of at least a second and less than the limit, or of a second when the limit is no more. It is the same for
// the same seed. Spec 12 §9.3.
func Jitter(seed string, limit time.Duration) time.Duration {
	if limit <= leastJitter {
		return leastJitter
	}
	return leastJitter + time.Duration(xxhash.Sum64String(seed)%uint64(limit-leastJitter))
}

// Event is the event that starts the function. Spec 12 §9.4.
func (t Tick) Event(fireAt time.Time) event.Event {
	data, _ := json.Marshal(struct { // strings always encode
		Cron        string `json:"cron"`
		FireAt      string `json:"fireAt"`
		ScheduledAt string `json:"scheduledAt"`
	}{t.Expression, instant(fireAt), t.instant()})
	return event.Event{ID: t.instant(), Name: event.ScheduledTimer, Data: data, TS: fireAt.UnixMilli()}
}
