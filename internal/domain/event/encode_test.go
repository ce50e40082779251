package event

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEncoders(t *testing.T) {
	t.Parallel()
	full := Event{
		ID: "i<>&", Name: "a/\"b\"\u2028", Data: json.RawMessage(`{"b":1,"a":9007199254740993}`), User: json.RawMessage(`{"u":1}`), TS: 1700000000000, V: "2",
		Sessions: map[string]string{"s2": "y", "s1": "x"},
	}
	bare := Event{ID: "i", Name: "n", Data: json.RawMessage(`null`), TS: 5}
	cases := map[string]struct {
		got  []byte
		want string
	}{
		"full call":     {full.AppendCall([]byte(">")), `>{"data":{"b":1,"a":9007199254740993},"id":"i<>&","meta":{"sessions":{"s1":"x","s2":"y"}},"name":"a/\"b\"` + "\u2028" + `","ts":1700000000000,"user":{"u":1},"v":"2"}`},
		"full map":      {full.AppendMap(nil), `{"data":{"b":1,"a":9007199254740993},"id":"i<>&","meta":{"sessions":{"s1":"x","s2":"y"}},"name":"a/\"b\"` + "\u2028" + `","ts":1700000000000,"user":{"u":1},"v":"2"}`},
		"full stored":   {full.AppendStored([]byte(">")), `>{"id":"i<>&","name":"a/\"b\"` + "\u2028" + `","data":{"b":1,"a":9007199254740993},"ts":1700000000000,"v":"2","meta":{"sessions":{"s1":"x","s2":"y"}},"user":{"u":1}}`},
		"bare call":     {bare.AppendCall(nil), `{"data":null,"id":"i","name":"n","ts":5,"user":{}}`},
		"bare map":      {bare.AppendMap(nil), `{"data":{},"id":"i","name":"n","ts":5,"user":{}}`},
		"bare stored":   {bare.AppendStored(nil), `{"id":"i","name":"n","data":null,"ts":5}`},
		"zero stored":   {Event{}.AppendStored(nil), `{"name":"","data":null}`},
		"zero map":      {Event{}.AppendMap(nil), `{"data":{},"id":"","name":"","ts":0,"user":{}}`},
		"empty user":    {Event{User: json.RawMessage(`{}`)}.AppendStored(nil), `{"name":"","data":null}`},
		"invalid UTF-8": {Event{Name: "a\xff"}.AppendStored(nil), `{"name":"a` + "\uFFFD" + `","data":null}`},
	}
	for name, c := range cases {
		if diff := cmp.Diff(c.want, string(c.got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// anyEvent draws events as Decode leaves them.
func anyEvent() *rapid.Generator[Event] {
	return rapid.Custom(func(t *rapid.T) Event {
		text := rapid.String().Filter(utf8.ValidString)
		e := Event{
			ID: text.Draw(t, "id"), Name: text.Draw(t, "name"), V: text.Draw(t, "v"), TS: rapid.Int64().Draw(t, "ts"), Data: null,
			Sessions: rapid.MapOfN(text, text, 0, 5).Draw(t, "sessions"),
		}
		if len(e.Sessions) == 0 {
			e.Sessions = nil
		}
		object := func(label string) json.RawMessage {
			encoded, err := json.Marshal(rapid.MapOfN(text.Filter(func(s string) bool { return !strings.ContainsAny(s, "\x00\\\"") }), anyJSON(1), 1, 5).Draw(t, label))
			if err != nil {
				t.Fatal(err)
			}
			clean, err := Decode(json.RawMessage(`{"data":` + string(encoded) + `}`))
			if err != nil {
				t.Fatal(err)
			}
			return clean.Data
		}
		if rapid.Bool().Draw(t, "has data") {
			e.Data = object("data")
		}
		if rapid.Bool().Draw(t, "has user") {
			e.User = object("user")
		}
		return e
	})
}

func TestAppendStored_RoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		e := anyEvent().Draw(rt, "event")
		stored := e.AppendStored(nil)
		again, err := Decode(stored)
		if err != nil {
			rt.Fatalf("%s: %v", stored, err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			rt.Fatalf("%s: %s", stored, diff)
		}
		for _, encoded := range [][]byte{e.AppendCall(nil), e.AppendMap(nil)} {
			if !json.Valid(encoded) {
				rt.Fatalf("not JSON: %s", encoded)
			}
		}
	})
}
