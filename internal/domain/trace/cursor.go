package trace

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

// CursorField is what a list of runs is ordered by. The texts are those in cursors.
type CursorField string

// Fields of cursors. FieldStart and FieldEnd are those of the reference's lists of spans, in microseconds; the others are in
// milliseconds.
const (
	FieldQueued  CursorField = "queued_at"
	FieldStarted CursorField = "started_at"
	FieldEnded   CursorField = "ended_at"
	FieldStart   CursorField = "start_time"
	FieldEnd     CursorField = "end_time"
)

// Cursor is a place in a list of runs. Spec 05 §6.5.
type Cursor struct {
	Run   ulid.ULID
	Field CursorField
	At    time.Time
}

type cursorText struct {
	ID     string                      `json:"id"`
	Fields map[CursorField]cursorValue `json:"c"`
}

type cursorValue struct {
	Field CursorField `json:"f"`
	Value int64       `json:"v"`
}

// String is the cursor as clients get it.
func (c Cursor) String() string {
	value := c.At.UnixMilli()
	if c.Field.micro() {
		value = c.At.UnixMicro()
	}
	text, _ := json.Marshal(cursorText{c.Run.String(), map[CursorField]cursorValue{c.Field: {c.Field, value}}}) // this cannot fail
	return base64.StdEncoding.EncodeToString(text)
}

func (f CursorField) micro() bool { return f == FieldStart || f == FieldEnd }

// ParseCursor reads a cursor of a list that is ordered by one of the fields; the error names what is wrong with it.
func ParseCursor(text string, fields ...CursorField) (Cursor, error) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return Cursor{}, fmt.Errorf("cursor is not base64: %w", err)
	}
	var content cursorText
	if err := json.Unmarshal(decoded, &content); err != nil {
		return Cursor{}, fmt.Errorf("cursor is not JSON: %w", err)
	}
	id, err := ulid.ParseStrict(content.ID)
	if err != nil {
		return Cursor{}, fmt.Errorf("cursor's run %q: %w", content.ID, err)
	}
	for _, field := range fields {
		value, ok := content.Fields[field]
		if !ok {
			continue
		}
		at := time.UnixMilli(value.Value)
		if field.micro() {
			at = time.UnixMicro(value.Value)
		}
		return Cursor{Run: id, Field: field, At: at.UTC()}, nil
	}
	return Cursor{}, fmt.Errorf("cursor is of a list in another order: it has none of %v", fields)
}

// EventCursor is a place in a list of events, newest first, as clients get it. Spec 05 §5.1.
func EventCursor(event ulid.ULID) string {
	return base64.StdEncoding.EncodeToString([]byte(`{"ID":"` + event.String() + `"}`))
}

// ParseEventCursor reads what EventCursor made. The errors are the reference's.
func ParseEventCursor(text string) (ulid.ULID, error) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("error decoding eventsv2 cursor: %w", err)
	}
	var content struct{ ID string }
	if err := json.Unmarshal(decoded, &content); err != nil {
		return ulid.ULID{}, fmt.Errorf("error decoding eventsv2 cursor: %w", err)
	}
	id, err := ulid.ParseStrict(content.ID)
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("error parsing eventsv2 cursor: %w", err)
	}
	return id, nil
}
