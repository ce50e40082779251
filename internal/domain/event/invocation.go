package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"
)

// Refusals of Invocation; their texts are the API's answers. The cause is wrapped with them but not for the sender.
var (
	// ErrUnreadableInvocation is a body that is no event.
	ErrUnreadableInvocation = errors.New("Unable to read post data request")
	// ErrInvalidInvocation is an event that breaks a rule.
	ErrInvalidInvocation = errors.New("Invalid invocation event")
)

// Metadata is the engine's part of an invocation event's data, its member "_inngest". Source: spec 03 §10.1.
type Metadata struct {
	// Type is "api" for an invocation through the v2 API, else empty.
	Type string
	// Idempotency is the x36 of the v2 idempotency key.
	Idempotency string
	// SourceAppID, SourceFnID and SourceFnVersion name the invoking function; empty for HTTP.
	SourceAppID, SourceFnID string
	SourceFnVersion         int
	// FnID is the target's slug or UUID.
	FnID string
	// CorrelationID is "<run ID of the invoker>.<hashed step ID>", empty for HTTP.
	CorrelationID string
	// Trace ("tc") and Span ("isr") are raw JSON objects, nil when there is none.
	Trace, Span json.RawMessage
	// ExpireMS is when the invocation times out, in milliseconds since the epoch, or 0.
	ExpireMS int64
	// GroupID and StepName identify the invoking step.
	GroupID, StepName string
}

// AppendJSON appends the metadata's JSON object in the reference's key order.
func (m Metadata) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = optional(dst, "type", m.Type)
	dst = optional(dst, "invoke_idempotency", m.Idempotency)
	dst = append(quote(append(dst, `"source_app_id":`...), m.SourceAppID), ',')
	dst = append(quote(append(dst, `"source_fn_id":`...), m.SourceFnID), ',')
	dst = append(strconv.AppendInt(append(dst, `"source_fn_v":`...), int64(m.SourceFnVersion), 10), ',')
	dst = append(quote(append(dst, `"fn_id":`...), m.FnID), ',')
	dst = optional(dst, "correlation_id", m.CorrelationID)
	if m.Trace != nil {
		dst = append(append(append(dst, `"tc":`...), m.Trace...), ',')
	}
	if m.Span != nil {
		dst = append(append(append(dst, `"isr":`...), m.Span...), ',')
	}
	dst = append(strconv.AppendInt(append(dst, `"expire":`...), m.ExpireMS, 10), ',')
	dst = append(quote(append(dst, `"gid":`...), m.GroupID), ',')
	return append(quote(append(dst, `"name":`...), m.StepName), '}')
}

// optional appends a text member and a comma unless the text is empty.
func optional(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return append(quote(append(quote(dst, name), ':'), text), ',')
}

// WithMetadata is data with m as its member "_inngest", in place of the one it may have. Data must be clean JSON, an object
// or null, and is not changed.
func WithMetadata(data json.RawMessage, m Metadata) json.RawMessage {
	return prepend(without(data, metadataKey), metadataKey, m.AppendJSON(nil))
}

// Target reads which function an invocation event is for and how its invoker is told; empty what is absent.
func Target(e Event) (fnID, correlationID string) {
	found, ok := find(e.Data, metadataKey)
	if !ok {
		return "", ""
	}
	var metadata struct {
		FnID          string `json:"fn_id"`
		CorrelationID string `json:"correlation_id"`
	}
	value := e.Data[found.from+len(`"`+metadataKey+`":`) : found.to]
	if json.Unmarshal(value, &metadata) != nil {
		return "", ""
	}
	return metadata.FnID, metadata.CorrelationID
}

// Invocation makes the event of POST /invoke/{slug} out of the request's body: an "inngest/function.invoked" event for the
// function of that slug or UUID. Bytes after the first JSON value are ignored, JSON null is an empty event. newULID makes
// the event's ID, of the event's time in milliseconds since the epoch, when the sender gave none; it is called only with a time in bounds
// (the reference crashes on others).
//
// Errors wrap ErrUnreadableInvocation or ErrInvalidInvocation. Source: spec 03 §10.
func Invocation(slug string, raw []byte, now time.Time, newULID func(ms uint64) ulid.ULID) (Event, error) {
	event, _, err := decodeFirst(raw)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrUnreadableInvocation, err)
	}
	event.Name = FunctionInvoked
	if event.TS == 0 {
		event.TS = now.UnixMilli()
	}
	if err := validate(event); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrInvalidInvocation, err)
	}
	if event.ID == "" {
		event.ID = newULID(uint64(event.TS)).String()
	}
	event.Data = WithMetadata(event.Data, Metadata{FnID: slug})
	return event, nil
}

// Invoker is who waits for the run that an invocation starts.
type Invoker struct {
	// App and Function are UUIDs as texts, Correlation is "<run ID>.<hashed step ID>".
	App, Function, Correlation string
}

// InvokedBy reads which step of a run invoked the event's function; false when none did.
func InvokedBy(e Event) (Invoker, bool) {
	if e.Name != FunctionInvoked {
		return Invoker{}, false
	}
	found, ok := find(e.Data, metadataKey)
	if !ok {
		return Invoker{}, false
	}
	var metadata struct {
		App         string `json:"source_app_id"`
		Function    string `json:"source_fn_id"`
		Correlation string `json:"correlation_id"`
	}
	value := e.Data[found.from+len(`"`+metadataKey+`":`) : found.to]
	if json.Unmarshal(value, &metadata) != nil || metadata.Correlation == "" {
		return Invoker{}, false
	}
	return Invoker{App: metadata.App, Function: metadata.Function, Correlation: metadata.Correlation}, true
}

// DeferredBy reads which run asked for the one that the event starts, and the slug of its function; empty for none.
func DeferredBy(e Event) (run, slug string) {
	if e.Name != DeferredSchedule {
		return "", ""
	}
	found, ok := find(e.Data, metadataKey)
	if !ok {
		return "", ""
	}
	var parent struct {
		Run  string `json:"parent_run_id"`
		Slug string `json:"parent_fn_slug"`
	}
	value := e.Data[found.from+len(`"`+metadataKey+`":`) : found.to]
	if json.Unmarshal(value, &parent) != nil {
		return "", ""
	}
	return parent.Run, parent.Slug
}
