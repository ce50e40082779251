package trace

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Keys of attributes that only rows of the reference and of apps have.
const (
	keyPrefix         = "_inngest."
	keyDebugRun       = keyPrefix + "debug.run.id"
	keyDebugSession   = keyPrefix + "debug.session.id"
	keyDeferChild     = keyPrefix + "defer.child_run_id"
	keyDrop           = keyPrefix + "executor.drop"
	keyFunctionSlug   = keyPrefix + "function.slug"
	keyMetadataKind   = keyPrefix + "metadata.kind"
	keyMetadataOp     = keyPrefix + "metadata.op"
	keyMetadataScope  = keyPrefix + "metadata.scope"
	keyMetadataValues = keyPrefix + "metadata.values" // j
	keyOutputRef      = keyPrefix + "step.output_ref"
	keyUserlandName   = keyPrefix + "userland.name"
	keyUserlandKind   = keyPrefix + "userland.kind"
	keyUserlandOf     = keyPrefix + "userland.service.name"
	keyUserlandScope  = keyPrefix + "userland.scope.name"
	keyUserlandVer    = keyPrefix + "userland.scope.version"
	keyUserlandRes    = keyPrefix + "userland.resource.attributes" // j
)

// attrs are the attributes of a span, as they are stored. What cannot be read is missing.
type attrs map[string]json.RawMessage

// decodeAttributes reads the attributes of a row.
func decodeAttributes(object json.RawMessage) attrs {
	var members attrs
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	return members
}

func (a attrs) text(key string) string {
	var text string
	if json.Unmarshal(a[key], &text) != nil {
		return ""
	}
	return text
}

func (a attrs) number(key string) (int, bool) {
	raw := strings.Trim(string(a[key]), `"`)
	number, err := strconv.Atoi(raw)
	return number, err == nil
}

func (a attrs) flag(key string) (value, known bool) {
	known = json.Unmarshal(a[key], &value) == nil && string(a[key]) != "null"
	return value && known, known
}

func (a attrs) id(key string) ulid.ULID {
	id, err := ulid.ParseStrict(a.text(key))
	if err != nil {
		return ulid.ULID{}
	}
	return id
}

func (a attrs) list(key string) []string {
	var list []string
	if json.Unmarshal(a[key], &list) != nil {
		return nil
	}
	return list
}

// object is JSON that is held by a string, or as it is; nil when it is no object.
func (a attrs) object(key string) json.RawMessage {
	raw := a[key]
	if text := a.text(key); text != "" {
		raw = json.RawMessage(text)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil
	}
	return raw
}

// at reads a time: milliseconds since the epoch, as a string or a number, or a date. Spec 05 §8.3.
func (a attrs) at(key string) time.Time {
	raw := strings.Trim(string(a[key]), `"`)
	if ms, err := strconv.ParseInt(raw, 10, 64); err == nil {
		return millisecond(time.UnixMilli(ms))
	}
	if at, err := time.Parse(time.RFC3339Nano, raw); err == nil {
		return millisecond(at)
	}
	return time.Time{}
}

// latestYear bounds what a time can be shown as.
const latestYear = 9999

// millisecond is an instant as nodes have it.
func millisecond(at time.Time) time.Time {
	at = at.UTC().Truncate(time.Millisecond)
	if at.Year() < 1 || at.Year() > latestYear {
		return time.Time{}
	}
	return at
}
