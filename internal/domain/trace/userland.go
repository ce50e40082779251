package trace

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
)

// Why a span of an app is refused.
var (
	ErrNoReference = errors.New("it has no valid inngest.traceref")
	ErrNoRun       = errors.New("sdk.run.id is no run")
	ErrBadSpanID   = errors.New("its ID or that of its parent is not 8 bytes")
	ErrBadTimes    = errors.New("it has no start and end")
)

// UserSpan is a span that an app made itself, as it reports it. Spec 04 §9.
type UserSpan struct {
	// ID is 8 bytes; so is Parent, or it is empty.
	ID, Parent []byte
	Name       string
	// Kind is OpenTelemetry's name of the kind, for example "CLIENT".
	Kind       string
	Start, End time.Time
	// Status is Completed or Failed, or empty when the app says neither.
	Status     Status
	Attributes []UserAttribute
	// Service is the name of what made the span, Scope the library in it that did.
	Service, Scope, ScopeVersion string
	// Resource is a JSON object.
	Resource json.RawMessage
}

// UserAttribute is an attribute of a UserSpan. The value is JSON.
type UserAttribute struct {
	Key   string
	Value json.RawMessage
}

// Attributes by which SDKs say where a span belongs. They are not kept under these names.
const (
	userReference = "inngest.traceref"
	userRun       = "sdk.run.id"
	userStep      = "inngest.step."
	userStepID    = userStep + "id"
	userStepIndex = userStep + "index"
	userStepHash  = userStep + "hash"
	userAttempt   = userStep + "attempt"
	userParent    = userStep + "parentSpanId"
	userOwnPrefix = "_inngest."
)

// userWrapper… is the span that the TypeScript SDK puts around an execution. Its parent is in the app's own trace.
const (
	userWrapperScope = "inngest"
	userWrapperName  = "inngest.execution"
)

// UserlandSpan is the row of a span that an app made itself, without App and Function. It hangs below the span that the app says; if it says
// none, below that which it was called for. What is reserved of its attributes is not taken over. Spec 04 §9, spec 05 §8.6.
func UserlandSpan(s UserSpan) (Span, error) {
	told := make(map[string]json.RawMessage, len(s.Attributes))
	for _, a := range s.Attributes {
		told[a.Key] = a.Value
	}
	above, ok := userPlace(userText(told[userReference]))
	if !ok {
		return Span{}, ErrNoReference
	}
	run, err := ulid.ParseStrict(userText(told[userRun]))
	if err != nil {
		return Span{}, ErrNoRun
	}
	if len(s.ID) != spanIDBytes || len(s.Parent) != 0 && len(s.Parent) != spanIDBytes || [spanIDBytes]byte(s.ID) == [spanIDBytes]byte{} {
		return Span{}, ErrBadSpanID
	}
	if s.Start.IsZero() || s.End.IsZero() {
		return Span{}, ErrBadTimes
	}
	if step := userText(told[userParent]); isSpanID(step) {
		above = step
	} else if len(s.Parent) > 0 && (s.Scope != userWrapperScope || s.Name != userWrapperName) {
		above = hex.EncodeToString(s.Parent)
	}
	traceID, _ := RunIDs(run)
	row := Span{
		Run: run, Trace: traceID, ID: hex.EncodeToString(s.ID), Parent: above, Dynamic: hex.EncodeToString(s.ID), Name: NameUserland,
		Start: s.Start.UTC(), End: s.End.UTC(), Status: s.Status,
	}
	row.Attributes, err = s.attributes(told, row.ID)
	return row, err
}

const spanIDBytes = 8

// MostUserland is how many spans of its app a run may have.
const MostUserland = 10_000

// userPlace is the span that a reference is of: {"tp":"<traceparent>","dsid":"<dynamic ID>",…}, escaped for a URL. Spec 05 §8.4.
func userPlace(escaped string) (span string, ok bool) {
	unescaped, err := url.QueryUnescape(escaped)
	if err != nil {
		return "", false
	}
	var ref struct {
		Traceparent string `json:"tp"`
		Dynamic     string `json:"dsid"`
	}
	if json.Unmarshal([]byte(unescaped), &ref) != nil {
		return "", false
	}
	parts := strings.Split(ref.Traceparent, "-")
	const version, traceID, spanID, flags = 0, 1, 2, 3
	if len(parts) != flags+1 || parts[version] != "00" || !isHex(parts[traceID], 32) || !isSpanID(parts[spanID]) {
		return "", false
	}
	if isSpanID(ref.Dynamic) {
		return ref.Dynamic, true
	}
	return parts[spanID], true
}

func isSpanID(text string) bool { return isHex(text, 2*spanIDBytes) }

// isHex says whether the text is so many lowercase hex digits.
func isHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}

// attributes are those of the row, with what the reference calls the parts of the span.
func (s UserSpan) attributes(told map[string]json.RawMessage, id string) (json.RawMessage, error) {
	kept := make(map[string]any, len(told)+12)
	for key, value := range told {
		if !userReserved(key) {
			kept[key] = value
		}
	}
	kept[userOwnPrefix+"userland"] = true
	for key, value := range map[string]string{
		"span.id": id, "name": s.Name, "kind": s.Kind, "service.name": s.Service, "scope.name": s.Scope, "scope.version": s.ScopeVersion,
		"resource.attributes": string(s.Resource),
	} {
		if value != "" {
			kept[userOwnPrefix+"userland."+key] = value
		}
	}
	kept[userOwnPrefix+"started_at"] = strconv.FormatInt(s.Start.UnixMilli(), 10)
	kept[userOwnPrefix+"ended_at"] = strconv.FormatInt(s.End.UnixMilli(), 10)
	userStepAttributes(kept, told)
	return json.Marshal(kept)
}

// userStepAttributes says of which attempt of which step the span is.
func userStepAttributes(kept map[string]any, told map[string]json.RawMessage) {
	name, hash := userText(told[userStepID]), userText(told[userStepHash])
	index, indexed := userNumber(told[userStepIndex])
	if name != "" {
		kept[userOwnPrefix+"step.userland.id"] = name
		if hash == "" {
			hash = ids.StepHash(name, index)
		}
	}
	if indexed {
		kept[userOwnPrefix+"step.userland.index"] = index
	}
	if hash != "" {
		kept[userOwnPrefix+"step.id"] = hash
	}
	if attempt, ok := userNumber(told[userAttempt]); ok {
		kept[userOwnPrefix+"step.attempt"] = attempt
	}
}

// userReserved says whether an attribute is the server's own, or was for it.
func userReserved(key string) bool {
	switch key {
	case userReference, userRun, "sys.function.id", "sys.app.id", "inngest.traceparent", userStepID, userStepIndex, userStepHash, userAttempt, userParent:
		return true
	}
	return strings.HasPrefix(key, userOwnPrefix)
}

// userText is a JSON string's value, empty for anything else.
func userText(value json.RawMessage) (s string) {
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// userNumber is an integer, which may be written as a string.
func userNumber(value json.RawMessage) (int, bool) {
	if n, err := strconv.Atoi(strings.Trim(string(value), `"`)); err == nil && n >= 0 {
		return n, true
	}
	return 0, false
}
