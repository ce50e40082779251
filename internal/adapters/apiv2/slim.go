package apiv2

import (
	"bytes"
	"encoding/json"
	"strings"
)

// slimFrom is the length of a body from which its payloads are taken out before the library reads it.
const slimFrom = 64 << 10

// slimmed is the body without its payloads, in place of which there are empty ones; nil for a body that should be read as it is. A
// payload is taken from the body itself (dataOf, rawInput), and as values of protobuf it would take a hundred times its length.
func slimmed(path string, body []byte) []byte {
	if len(body) < slimFrom || path != eventsPath && !strings.HasSuffix(path, "/invoke") && !strings.HasSuffix(path, "/rerun") {
		return nil
	}
	return slimObject(body)
}

// slimObject empties the payloads of an object; nil for what is none.
func slimObject(text []byte) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil || members == nil {
		return nil
	}
	for name, member := range members {
		switch name {
		case "data", "user", "input":
			members[name] = emptied(member)
		case "fromStep", "from_step":
			if step := slimObject(member); step != nil {
				members[name] = step
			}
		}
	}
	slim, err := json.Marshal(members)
	if err != nil {
		return nil
	}
	return slim
}

// emptied is an empty object for an object and an empty list for a list.
func emptied(text json.RawMessage) json.RawMessage {
	switch text = bytes.TrimSpace(text); {
	case len(text) > 0 && text[0] == '{':
		return json.RawMessage(`{}`)
	case len(text) > 0 && text[0] == '[':
		return json.RawMessage(`[]`)
	}
	return text
}
