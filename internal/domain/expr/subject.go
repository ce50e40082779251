package expr

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
)

// Subject is an event that conditions are evaluated on. It decodes the event's payloads when the first condition needs them and keeps
// them. It is not safe for concurrent use.
type Subject struct {
	event event.Event
	now   time.Time
	// members is the event's map form (spec 03 §6.3) as far as it is decoded. Numbers are doubles, as CEL sees them.
	members    map[string]any
	data, user bool // decoded
}

// NewSubject prepares an event to be matched. The instant is what now() returns; the zero time makes it an error.
func NewSubject(e event.Event, now time.Time) *Subject {
	return &Subject{event: e, now: now}
}

// needs says which payloads an expression looks at.
type needs struct{ data, user bool }

func (n *needs) add(path []string) {
	n.data = n.data || len(path) == 0 || path[0] == "data"
	n.user = n.user || len(path) == 0 || path[0] == "user"
}

func (s *Subject) decode(wanted needs) error {
	if s.members == nil {
		s.members = map[string]any{"id": s.event.ID, "name": s.event.Name, "ts": float64(s.event.TS)}
		if s.event.V != "" {
			s.members["v"] = s.event.V
		}
		if len(s.event.Sessions) > 0 {
			sessions := make(map[string]any, len(s.event.Sessions))
			for key, id := range s.event.Sessions {
				sessions[key] = id
			}
			s.members["meta"] = map[string]any{"sessions": sessions}
		}
	}
	if wanted.data && !s.data {
		if err := s.payload("data", s.event.Data); err != nil {
			return err
		}
		s.data = true
	}
	if wanted.user && !s.user {
		if err := s.payload("user", s.event.User); err != nil {
			return err
		}
		s.user = true
	}
	return nil
}

func (s *Subject) payload(name string, raw json.RawMessage) error {
	object := map[string]any{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &object); err != nil {
			return fmt.Errorf("decode %s of event %s: %w", name, s.event.ID, err)
		}
	}
	if object == nil { // null
		object = map[string]any{}
	}
	s.members[name] = object
	return nil
}

// find follows a path of member names below the event; false when a part of it is not there.
func (s *Subject) find(path []string) (any, bool) {
	var value any = s.members
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[name]; !ok {
			return nil, false
		}
	}
	return value, true
}
