package scalar_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/scalar"
)

func written(m graphql.Marshaler) string {
	var b strings.Builder
	m.MarshalGQL(&b)
	return b.String()
}

// The table of spec 05 §1.3.
func TestMarshal(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 3600)
	for want, m := range map[string]graphql.Marshaler{
		`null`:                                   scalar.MarshalTime(time.Time{}),
		`"2024-06-03T16:00:00.123Z"`:             scalar.MarshalTime(time.UnixMilli(1717430400123).In(east)),
		`"2024-06-03T16:00:00.123456789Z"`:       scalar.MarshalTime(time.Unix(1717430400, 123456789)),
		`"2024-06-03T16:00:00Z"`:                 scalar.MarshalTime(time.Unix(1717430400, 0)),
		`"01HZX3Z9QG7V5K8M2N4P6R8T0W"`:           scalar.MarshalULID(ulid.MustParse("01HZX3Z9QG7V5K8M2N4P6R8T0W")),
		`"00000000-0000-0000-0000-000000000000"`: scalar.MarshalUUID(uuid.Nil),
		`{"b":1.0,"a":[9007199254740993]}`:       scalar.MarshalJSON(json.RawMessage(`{"b":1.0,"a":[9007199254740993]}`)),
		`{"m":1}`:                                scalar.MarshalMap(json.RawMessage(`{"m":1}`)),
	} {
		if got := written(m); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, none := range []string{"", "{", "nope"} {
		if got := written(scalar.MarshalJSON(json.RawMessage(none))); got != "null" {
			t.Errorf("%q is written as %s", none, got)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	at, err := scalar.UnmarshalTime("2024-06-03T18:00:00.5+02:00")
	if err != nil || !at.Equal(time.Unix(1717430400, 5e8)) {
		t.Errorf("%v, %v", at, err)
	}
	id, err := scalar.UnmarshalULID("01HZX3Z9QG7V5K8M2N4P6R8T0W")
	if err != nil || id.String() != "01HZX3Z9QG7V5K8M2N4P6R8T0W" {
		t.Errorf("%v, %v", id, err)
	}
	if u, err := scalar.UnmarshalUUID("ed1dd999-5829-5a8a-b82a-e8258ddeb289"); err != nil || u.String() != "ed1dd999-5829-5a8a-b82a-e8258ddeb289" {
		t.Errorf("%v, %v", u, err)
	}
	m, err := scalar.UnmarshalMap(map[string]any{"b": json.Number("9007199254740993"), "a": "<"})
	if err != nil || string(m) != `{"a":"<","b":9007199254740993}` {
		t.Errorf("%s, %v", m, err)
	}
	if raw, err := scalar.UnmarshalJSON([]any{nil, true}); err != nil || string(raw) != `[null,true]` {
		t.Errorf("%s, %v", raw, err)
	}
	for name, err := range map[string]error{
		"time of a number": second(scalar.UnmarshalTime(7)), "a time without a zone": second(scalar.UnmarshalTime("2024-06-03T18:00:00")),
		"ULID of a number": second(scalar.UnmarshalULID(7)), "a short ULID": second(scalar.UnmarshalULID("x")), "a ULID of other letters": second(scalar.UnmarshalULID("01HZX3Z9QG7V5K8M2N4P6R8T0U")),
		"UUID of a number": second(scalar.UnmarshalUUID(7)), "a short UUID": second(scalar.UnmarshalUUID("x")),
		"a list as a map": second(scalar.UnmarshalMap([]any{})), "what is no JSON": second(scalar.UnmarshalJSON(math.Inf(1))),
	} {
		if err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }
