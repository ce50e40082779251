package expr

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/event"
)

// TestValue_Text is the table of spec 11 §1.2, byte for byte.
func TestValue_Text(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expression, data string
		value            any
		text             string
	}{
		{`event.data.s`, `{"s":"cust1"}`, "cust1", "cust1"},
		{`event.data.s`, `{"s":""}`, "", ""},
		{`event.data.b`, `{"b":true}`, true, "true"},
		{`event.data.b`, `{"b":false}`, false, "false"},
		{`event.data.n`, `{"n":42}`, 42.0, "42"},
		{`event.data.n`, `{"n":1.5}`, 1.5, "1.5"},
		{`event.data.n`, `{"n":9.1}`, 9.1, "9.1"},
		{`event.data.n`, `{"n":100000}`, 1e5, "100000"},
		{`event.data.n`, `{"n":999999}`, 999999.0, "999999"},
		{`event.data.n`, `{"n":1000000}`, 1e6, "1e+06"},
		{`event.data.n`, `{"n":1234567}`, 1234567.0, "1.234567e+06"},
		{`event.data.n`, `{"n":123456789}`, 123456789.0, "1.23456789e+08"},
		{`event.data.n`, `{"n":0.00001}`, 1e-05, "1e-05"},
		{`event.data.n`, `{"n":-0.0}`, 0.0, "-0"},
		{`42`, `{}`, int64(42), "42"},
		{`int(event.data.n)`, `{"n":1234567}`, int64(1234567), "1234567"},
		{`5u`, `{}`, uint64(5), "5"},
		{`event.data.z`, `{"z":null}`, nil, "NULL_VALUE"},
		{`null`, `{}`, nil, "NULL_VALUE"},
		{`event.data.nope`, `{}`, false, "false"},
		{`event.data.o`, `{"o":{"name":"a","id":1}}`, map[any]any{"id": 1.0, "name": "a"}, "map[id:1 name:a]"},
		{`event.data.l`, `{"l":["a","b"]}`, []any{"a", "b"}, "[a b]"},
		{`event.data.l`, `{"l":[1,"a",false,null,[2]]}`, []any{1.0, "a", false, nil, []any{2.0}}, "[1 a false <nil> [2]]"},
		{`event.data.l.map(x, x + "!")`, `{"l":["a","b"]}`, []any{"a!", "b!"}, "[a! b!]"},
		{`["a", event.data.s]`, `{"s":"b"}`, []any{"a", "b"}, "[a b]"},
		{`duration("24h")`, `{}`, 24 * time.Hour, "24h0m0s"},
		{`bytes("abc")`, `{}`, []byte("abc"), "[97 98 99]"},
		{`type(event.data.n)`, `{"n":1}`, "double", "double"},
		{`event.data.nope + event.data.neither`, `{}`, false, "false"},
		{`timestamp("2026-08-21T00:05:00Z")`, `{}`, at, "2026-08-21 00:05:00 +0000 UTC"},
		{`now()`, `{}`, at, "2026-08-21 00:05:00 +0000 UTC"},
		{`event.data.a + "-" + event.data.b`, `{"a":"jj-"}`, "jj--", "jj--"},
	} {
		t.Run(c.expression+" of "+c.data, func(t *testing.T) {
			t.Parallel()
			value, err := compiled(t, c.expression).Value(NewSubject(withData(c.data), at))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.value, value); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.text, Text(value)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValue_FailsWhereMatchFails(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		`[event.data.nope, "b"]`: "invalid type comparison: no such key: expression errored",
		`event.data["x"]`:        "invalid type comparison: no such key: x: expression errored",
		`event.data.s > 5`:       "invalid type comparison: no such overload: expression errored",
		`date("soon")`:           "expression did not return true or false",
		`now()`:                  "expression did not return true or false",
	} {
		value, err := compiled(t, expression).Value(NewSubject(withData(`{"s":"x"}`), time.Time{}))
		if err == nil || err.Error() != want || value != nil {
			t.Errorf("%s: got %v, %v, want %s", expression, value, err, want)
		}
	}
	if _, err := compiled(t, `event.data.a`).Value(NewSubject(event.Event{ID: "e", Data: []byte(`{`)}, at)); err == nil {
		t.Error("broken data gave a value")
	}
}

// TestValue_HidesTheMonotonicClock: the text of now() must not show how long the server has been running.
func TestValue_HidesTheMonotonicClock(t *testing.T) {
	t.Parallel()
	now := time.Now()
	value, err := compiled(t, `now()`).Value(NewSubject(withData(`{}`), now))
	if want := now.Round(0).UTC().String(); err != nil || Text(value) != want {
		t.Errorf("got %s, %v, want %s", Text(value), err, want)
	}
}
