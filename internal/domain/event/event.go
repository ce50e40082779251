// Package event holds the events that apps send and that the server itself publishes: their shape, how they are read
// from a request, checked and normalised, and how they are written for apps, storage and expressions.
//
// Payloads stay raw JSON. Nothing here decodes data or user further than a rule asks for, so numbers and member order
// reach the app as they were sent.
//
// Source: spec 03 §5–§8, §15.
package event

import (
	"encoding/json"
	"time"

	"github.com/oklog/ulid/v2"
)

// Names of the events that the server publishes itself. The prefix "inngest/" is reserved for them.
const (
	ReservedPrefix = "inngest/"

	FunctionInvoked   = "inngest/function.invoked"
	FunctionFinished  = "inngest/function.finished"
	FunctionFailed    = "inngest/function.failed"
	FunctionCancelled = "inngest/function.cancelled"
	ScheduledTimer    = "inngest/scheduled.timer"
	DeferredSchedule  = "inngest/deferred.schedule"
	HTTPRequest       = "inngest/http.request"
)

// Event is one event as an app sees it.
type Event struct {
	// ID is the sender's idempotency key, or the internal ID's text when the sender gave none.
	ID string
	// Name is the event's name, for example "user/created".
	Name string
	// Data is a JSON object or the literal null. Never empty after normalisation.
	Data json.RawMessage
	// User is a JSON object, or nil when absent or empty.
	User json.RawMessage
	// TS is the event's time in milliseconds since the epoch.
	TS int64
	// V is the sender's payload version, empty when absent.
	V string
	// Sessions are the merged sessions (spec 03 §6.4), nil when there are none.
	Sessions map[string]string
}

// Tracked is an event that the server has accepted: the event and what the server knows of it.
type Tracked struct {
	// InternalID is unique per accepted event; its bytes order by time of receipt.
	InternalID ulid.ULID
	// ReceivedAt is when the server accepted the event.
	ReceivedAt time.Time
	Event
}
