package event

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

func TestConsoleSessions(t *testing.T) {
	t.Parallel()
	for meta, want := range map[string]struct {
		sessions map[string]string
		err      string
	}{
		``:                                {},
		`null`:                            {},
		`{}`:                              {},
		`{"sessions":{}}`:                 {},
		`{"sessions":{"a":"x","b":1.50}}`: {sessions: map[string]string{"a": "x", "b": "1.50"}},
		`{"sessions":{"é":"\u00e9\n"}}`:   {sessions: map[string]string{"é": "é\n"}},
		`[]`:                              {err: "json: cannot unmarshal array into Go value of type map[string]json.RawMessage"},
		`{"sessions":{},"zz":1,"user":1}`: {err: `event meta "user" is not supported`},
		`{"sessions":[]}`:                 {err: "event meta sessions must be an object"},
		`{"sessions":null}`:               {err: "event meta sessions must be an object"},
		`{"sessions":{"b":true,"c":[]}}`:  {err: `session "b" must be a string or number`},
		`{"sessions":{"a":null}}`:         {err: `session "a" must be a string or number`},
		`{"sessions":{"a":""}}`:           {err: `event session "a" cannot have an empty ID`},
		`{"sessions":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}}`:    {err: "event sessions can include at most 5 entries"},
		`{"sessions":{"a":"` + strings.Repeat("x", 513) + `"}}`: {err: `event session "a" exceeds 512 bytes`},
	} {
		sessions, err := ConsoleSessions(json.RawMessage(meta))
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != want.err || err == nil && !maps.Equal(sessions, want.sessions) {
			t.Errorf("%s: %v, %q", meta, sessions, text)
		}
	}
}

func TestMetadata_NamesTheDebuggersSession(t *testing.T) {
	t.Parallel()
	got := string(Metadata{FnID: "app-fn", DebugSessionID: "S", DebugRunID: "R"}.AppendJSON(nil))
	want := `{"source_app_id":"","source_fn_id":"","source_fn_v":0,"fn_id":"app-fn","expire":0,"gid":"","name":"","debug_session_id":"S","debug_run_id":"R"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
