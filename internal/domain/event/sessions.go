package event

import (
	"encoding/json"
	"maps"
	"slices"
)

// Limits of an event's sessions (spec 03 §6.4).
const (
	maxSessions        = 5
	maxSessionKeyBytes = 128
	maxSessionIDBytes  = 512
)

// sessions merges the two session layers of the event's meta into the event.
func (d *decoder) sessions() (err error) {
	d.event.Sessions, err = resolveSessions(d.meta)
	return err
}

// Sessions are those of the "meta" of an event that does not come in a request, such as the payload of an invocation: the two
// layers merged, within the limits. Nil for none.
func Sessions(meta json.RawMessage) (map[string]string, error) {
	sessions, err := resolveSessions(meta)
	if err != nil {
		return nil, err
	}
	return sessions, checkSessions(sessions)
}

// ConsoleSessions are those of the "meta" that a person gives to an invocation, within the limits: an object, nil or null, with no
// member but "sessions", whose members are texts, or numbers, which become texts. Spec 05 §7.5.
func ConsoleSessions(meta json.RawMessage) (map[string]string, error) {
	var members map[string]json.RawMessage
	if len(meta) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(meta, &members); err != nil {
		return nil, invalid("meta", "%s", err)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name != "sessions" {
			return nil, invalid("meta", `event meta "%s" is not supported`, name)
		}
	}
	if len(members) == 0 {
		return nil, nil
	}
	var values map[string]json.RawMessage
	if raw := members["sessions"]; raw[0] != '{' || json.Unmarshal(raw, &values) != nil {
		return nil, invalid("meta.sessions", "event meta sessions must be an object")
	}
	sessions := make(map[string]string, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch value := values[key]; kindOf(value[0]) {
		case "string":
			sessions[key] = unquote(value)
		case "number":
			sessions[key] = string(value)
		default:
			return nil, invalid("meta.sessions", `session "%s" must be a string or number`, key)
		}
	}
	if len(sessions) == 0 {
		return nil, nil
	}
	return sessions, checkSessions(sessions)
}

// resolveSessions merges the two layers of a meta, raw JSON or nil.
func resolveSessions(meta json.RawMessage) (map[string]string, error) {
	if meta == nil {
		return nil, nil
	}
	var layers struct {
		Sessions           json.RawMessage `json:"sessions"`
		PropagatedSessions json.RawMessage `json:"propagated_sessions"`
	}
	if err := json.Unmarshal(meta, &layers); err != nil {
		return nil, invalid("meta", "%s", err)
	}
	manual, err := readLayer(layers.Sessions, "sessions", true)
	if err != nil {
		return nil, err
	}
	propagated, err := readLayer(layers.PropagatedSessions, "propagated_sessions", false)
	if err != nil {
		return nil, err
	}
	if string(layers.Sessions) == "null" {
		propagated = nil
	}
	return mergeSessions(manual, propagated), nil
}

// readLayer reads one layer: the ID by key, nil for a tombstone, which only the manual layer may hold.
func readLayer(raw json.RawMessage, field string, manual bool) (map[string]*string, error) {
	if raw == nil || raw[0] == 'n' {
		return nil, nil
	}
	if raw[0] != '{' {
		return nil, mismatch(kindOf(raw[0]), "meta."+field, "map[string]json.RawMessage")
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, invalid("meta."+field, "%s", err)
	}
	layer := make(map[string]*string, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) { // sorted, so that the first fault is always the same
		value := values[key]
		switch kind := kindOf(value[0]); {
		case kind == "string":
			id := unquote(value)
			layer[key] = &id
		case kind == "number":
			id := string(value)
			layer[key] = &id
		case kind == "null" && manual:
			layer[key] = nil
		case manual:
			return nil, invalid("meta."+field, `event session "%s" must be a string, number, or null`, key)
		default:
			return nil, invalid("meta."+field, `event session "%s" must be a string or number`, key)
		}
	}
	return layer, nil
}

// mergeSessions is the manual layer, never evicted, and of the propagated one the keys that the manual layer does not
// mention, in byte order, as long as there is room. Nil when nothing is left.
func mergeSessions(manual, propagated map[string]*string) map[string]string {
	merged := make(map[string]string, max(len(manual), maxSessions))
	for key, id := range manual {
		if id != nil {
			merged[key] = *id
		}
	}
	for _, key := range slices.Sorted(maps.Keys(propagated)) {
		if len(merged) >= maxSessions {
			break
		}
		if _, mentioned := manual[key]; !mentioned {
			merged[key] = *propagated[key]
		}
	}
	if len(merged) == 0 {
		return nil
	}
	return merged
}

// checkSessions applies the limits.
func checkSessions(sessions map[string]string) error {
	const field = "meta.sessions"
	if len(sessions) > maxSessions {
		return invalid(field, "event sessions can include at most %d entries", maxSessions)
	}
	for _, key := range slices.Sorted(maps.Keys(sessions)) {
		switch id := sessions[key]; {
		case key == "":
			return invalid(field, "event session keys cannot be empty")
		case len(key) > maxSessionKeyBytes:
			return invalid(field, `event session key "%s" exceeds %d bytes`, key, maxSessionKeyBytes)
		case id == "":
			return invalid(field, `event session "%s" cannot have an empty ID`, key)
		case len(id) > maxSessionIDBytes:
			return invalid(field, `event session "%s" exceeds %d bytes`, key, maxSessionIDBytes)
		}
	}
	return nil
}
