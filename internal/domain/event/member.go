package event

import (
	"bytes"
	"encoding/json"
)

// metadataKey is the member of data that carries the engine's own metadata.
const metadataKey = "_inngest"

// without is the object without its member of that name; the object itself is not changed. It must be clean, as Decode
// leaves it: then the name is there at most once and never escaped. The literal null stays null.
func without(object json.RawMessage, name string) json.RawMessage {
	found, ok := find(object, name)
	if !ok {
		return object
	}
	kept := make([]byte, 0, len(object))
	kept = append(kept, object[:found.from]...)
	rest := object[found.to:]
	if rest[0] == ',' {
		rest = rest[1:]
	} else if len(kept) > 1 {
		kept = kept[:len(kept)-1] // it was the last one: its comma is before it
	}
	return append(kept, rest...)
}

// find is the place of a member, name and value without commas, in a clean object.
func find(object json.RawMessage, name string) (span, bool) {
	quoted := quote(nil, name)
	if !bytes.Contains(object, quoted) { // nearly always
		return span{}, false
	}
	walk := cleaner{src: object, dst: make([]byte, 0, len(object))}
	for walk.pos = 1; walk.pos < len(object) && object[walk.pos] == '"'; walk.pos++ {
		start := walk.pos
		if walk.name() != nil || walk.value() != nil {
			return span{}, false
		}
		if bytes.HasPrefix(object[start:], quoted) && object[start+len(quoted)] == ':' {
			return span{start, walk.pos}, true
		}
	}
	return span{}, false
}

// prepend is the object with one more member in front. The object may be null or empty.
func prepend(object json.RawMessage, name string, value []byte) json.RawMessage {
	dst := make([]byte, 0, len(object)+len(name)+len(value)+len(`{"":,`))
	dst = append(quote(append(dst, '{'), name), ':')
	dst = append(dst, value...)
	if len(object) <= len("{}") || object[0] != '{' {
		return append(dst, '}')
	}
	return append(append(dst, ','), object[1:]...)
}
