package event

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// The encoders append one JSON object to dst and return it, without space and without escaping what only HTML cares about.
// They copy Data and User as they are, so these must be valid JSON.

// AppendCall appends the event as an app receives it in a call: members sorted by name, user always an object. Source: spec 01 §8.3.
func (e Event) AppendCall(dst []byte) []byte {
	return e.appendSorted(dst, "null")
}

// AppendMap appends the event as expressions and the lifecycle events see it: like AppendCall, with data always an object.
// Source: spec 03 §6.3.
func (e Event) AppendMap(dst []byte) []byte {
	if string(e.Data) == "null" {
		e.Data = nil
	}
	return e.appendSorted(dst, "{}")
}

func (e Event) appendSorted(dst []byte, noData string) []byte {
	dst = appendOr(append(dst, `{"data":`...), e.Data, noData)
	dst = quote(append(dst, `,"id":`...), e.ID)
	dst = e.appendMeta(dst)
	dst = quote(append(dst, `,"name":`...), e.Name)
	dst = strconv.AppendInt(append(dst, `,"ts":`...), e.TS, 10)
	dst = appendOr(append(dst, `,"user":`...), e.User, "{}")
	if e.V != "" {
		dst = quote(append(dst, `,"v":`...), e.V)
	}
	return append(dst, '}')
}

// AppendStored appends the event as it is published and kept: id, name, data, ts, v, meta, user, each but name and data
// only when set. Decode reads it back unchanged. Source: spec 03 §6.2.
func (e Event) AppendStored(dst []byte) []byte {
	dst = append(dst, '{')
	dst = optional(dst, "id", e.ID)
	dst = quote(append(dst, `"name":`...), e.Name)
	dst = appendOr(append(dst, `,"data":`...), e.Data, "null")
	if e.TS != 0 {
		dst = strconv.AppendInt(append(dst, `,"ts":`...), e.TS, 10)
	}
	if e.V != "" {
		dst = quote(append(dst, `,"v":`...), e.V)
	}
	dst = e.appendMeta(dst)
	if len(e.User) > len("{}") {
		dst = append(append(dst, `,"user":`...), e.User...)
	}
	return append(dst, '}')
}

// appendMeta appends a comma and the member meta if there are sessions, by key in byte order.
func (e Event) appendMeta(dst []byte) []byte {
	if len(e.Sessions) == 0 {
		return dst
	}
	dst = append(dst, `,"meta":{"sessions":{`...)
	for at, key := range slices.Sorted(maps.Keys(e.Sessions)) {
		if at > 0 {
			dst = append(dst, ',')
		}
		dst = quote(append(quote(dst, key), ':'), e.Sessions[key])
	}
	return append(dst, "}}"...)
}

func appendOr(dst []byte, raw json.RawMessage, absent string) []byte {
	if len(raw) == 0 {
		return append(dst, absent...)
	}
	return append(dst, raw...)
}

// AppendSessions appends merged sessions as [{"key":…,"id":…}], by key in byte order; nothing for none. Source: spec 15 §8.5.
func AppendSessions(dst []byte, sessions map[string]string) []byte {
	if len(sessions) == 0 {
		return dst
	}
	for at, key := range slices.Sorted(maps.Keys(sessions)) {
		dst = append(dst, "[,"[min(at, 1)])
		dst = quote(append(dst, `{"key":`...), key)
		dst = append(quote(append(dst, `,"id":`...), sessions[key]), '}')
	}
	return append(dst, ']')
}
