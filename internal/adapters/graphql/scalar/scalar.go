// Package scalar reads and writes the scalars of the schema that the library does not know.
//
// Source: spec 05 §1.3.
package scalar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// text writes a string that needs no escapes.
func text(s string) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(s)) })
}

// MarshalTime writes an instant in UTC with as many digits as it has; the zero time is null.
func MarshalTime(t time.Time) graphql.Marshaler {
	if t.IsZero() {
		return graphql.Null
	}
	return text(t.UTC().Format(time.RFC3339Nano))
}

// UnmarshalTime reads a text in the form of RFC 3339.
func UnmarshalTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, errors.New("time should be RFC3339 formatted string")
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, err
	}
	return t, nil
}

// MarshalULID writes the 26 characters.
func MarshalULID(id ulid.ULID) graphql.Marshaler { return text(id.String()) }

// UnmarshalULID reads 26 characters of the alphabet.
func UnmarshalULID(v any) (ulid.ULID, error) {
	s, ok := v.(string)
	if !ok {
		return ulid.ULID{}, fmt.Errorf("%T is not a string", v)
	}
	return ulid.ParseStrict(s)
}

// MarshalUUID writes the usual form.
func MarshalUUID(id uuid.UUID) graphql.Marshaler { return text(id.String()) }

// UnmarshalUUID reads the forms that uuid.Parse knows.
func UnmarshalUUID(v any) (uuid.UUID, error) {
	s, ok := v.(string)
	if !ok {
		return uuid.UUID{}, fmt.Errorf("%T is not a string", v)
	}
	return uuid.Parse(s)
}

// MarshalJSON writes JSON as it is; what is none, or nothing, is null.
func MarshalJSON(raw json.RawMessage) graphql.Marshaler {
	if !json.Valid(raw) {
		return graphql.Null
	}
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(raw) })
}

// UnmarshalJSON keeps any value as JSON, numbers with every digit.
func UnmarshalJSON(v any) (json.RawMessage, error) { return encode(v) }

// MarshalMap writes an object.
func MarshalMap(raw json.RawMessage) graphql.Marshaler { return MarshalJSON(raw) }

// UnmarshalMap reads an object. Members come in the order of their names, since the library has forgotten the order that they came in.
func UnmarshalMap(v any) (json.RawMessage, error) {
	if _, ok := v.(map[string]any); !ok {
		return nil, fmt.Errorf("%T is not a map", v)
	}
	return encode(v)
}

func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
