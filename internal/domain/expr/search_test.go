package expr

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/domain/event"
)

func TestSearch_Match(t *testing.T) {
	t.Parallel()
	one := event.Event{ID: "custom-1", Name: "g/plain", Data: json.RawMessage(`{"n":12,"k":"a","nil":null,"ok":true}`), TS: 2000, V: "1"}
	two := event.Event{ID: "two", Name: "g/other", Data: json.RawMessage(`{"n":1}`)}
	output, failure := json.RawMessage(`{"num":12,"ok":true,"list":[1,2]}`), json.RawMessage(`{"message":"nope","name":"Error"}`)
	for text, want := range map[string]bool{
		"":                           true,
		"\n  \n":                     true,
		`event.name == "g/plain"`:    true,
		`!(event.name == "g/plain")`: true, // of the other event
		`event.name == "x" || event.name == "g/other"`: true,
		`event.name > "a"`:                             true,
		`event.data.n > 11`:                            true,
		`event.data.n != 10`:                           true,
		`event.data.k == "a"`:                          true,
		`event.data.nil == null`:                       true,
		`event.data.ok`:                                true,
		`event.ts > 1000`:                              true,
		`event.id == "custom-1"`:                       true,
		`event.v == "1"`:                               true,
		`event.name.startsWith("g")`:                   true,
		`has(event.data.k)`:                            true,
		`event.data.missing > 1`:                       false,
		`event.data.n`:                                 false,
		`output.num > 11`:                              true,
		`output.ok == true`:                            true,
		`output.num > 12`:                              false,
		`output.list.exists(x, x == 2)`:                true,
		`has(output.num)`:                              true,
		`[1].exists(output, output == 1)`:              true,
		`error.message == "nope"`:                      true,
		`error.message == "yes"`:                       false,
		"event.data.n > 11\n\noutput.num == 12":        true,
		"event.data.n > 11\nevent.name == \"g/other\"": false, // not with one event
		`event.data.n > 11 && error.name == "Error"`:   true,
	} {
		search, err := CompileSearch(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := search.Match([]event.Event{one, two}, NewOutcome(output, failure)); got != want {
			t.Errorf("%q is %t", text, got)
		}
	}
}

func TestSearch_SaysWhatItLooksAt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]bool{
		`1 == 1`: {}, `event.name == "a"`: {true, false}, `output.a == 1`: {false, true}, "error.a == 1\nevent.v == null": {true, true},
	} {
		search, err := CompileSearch(text)
		if err != nil || search.Event != want[0] || search.Outcome != want[1] {
			t.Errorf("%q: %+v, %v", text, search, err)
		}
	}
	search, err := CompileSearch(`event.name == null && output == null && error == null`)
	if err != nil || !search.Match(nil, NewOutcome(nil, json.RawMessage("{"))) {
		t.Errorf("nothing is not nothing: %v", err)
	}
}

func TestSearch_ErrorsNameTheLineAndThePlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"event.name == \"a\"\nevent.data.n ==": "line 2 of the query: event.data.n ==: error compiling expression: ERROR: <input>:1:16: Syntax error",
		"foo.bar == 1":                         "undeclared reference to 'foo'",
		"1 + 1.5 < 2 ? 1 : 2":                  "a condition is true or false, this is of type int",
		"async.name == \"a\"":                  "a search has no async",
		"vars.x == 1":                          "a search has no vars",
	} {
		_, err := CompileSearch(text)
		var fault *SearchError
		if !errors.As(err, &fault) || fault.Unwrap() == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEventSearch_IsOverTheEventOnly(t *testing.T) {
	t.Parallel()
	search, err := CompileEventSearch("event.data.n > 1\n\n[1].exists(output, output == 1)")
	if err != nil || !search.Event || search.Outcome {
		t.Fatalf("%+v, %v", search, err)
	}
	for data, want := range map[string]bool{`{"n":2}`: true, `{"n":1}`: false, `{}`: false} {
		if got := search.Match([]event.Event{{Name: "a", Data: json.RawMessage(data)}}, Outcome{}); got != want {
			t.Errorf("%s is %t", data, got)
		}
	}
	for text, want := range map[string]string{
		"\nevent.data.n ==":   "line 2 of the query: event.data.n ==: error compiling expression: ERROR: <input>:1:16: Syntax error",
		"output.num == 1":     "undeclared reference to 'output'",
		"error.name == \"a\"": "undeclared reference to 'error'",
		"vars.x == 1":         "a search has no vars: it is over event",
	} {
		_, err := CompileEventSearch(text)
		var fault *SearchError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
