package flow

import (
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
)

// The keys that make a run unique within its function for 24 hours (run.Spec.Key, ids.FunctionIdempotency). Source: spec 11 §10.1.

// EventKey is that of a run that an event starts: the event's ID, the sender's or the internal one.
func EventKey(e event.Event) string { return e.ID }

// RerunKey is that of a run that repeats another: its own ID, so that it is never a duplicate.
func RerunKey(run ulid.ULID) string { return run.String() }

// DebounceKey is that of a run that a debounce starts: the internal ID of the event that waited. The sender's ID does not count, because
// events of one ID may be meant to be debounced again and again.
func DebounceKey(e event.Tracked) string { return e.InternalID.String() }

// BatchKey is that of a run of a batch.
func BatchKey(fn uuid.UUID, batch ulid.ULID) string { return fn.String() + "-" + batch.String() }

// CronKey is that of a run of a schedule: the tick's time, in UTC and whole seconds.
func CronKey(tick time.Time) string { return tick.UTC().Format(time.RFC3339) }
