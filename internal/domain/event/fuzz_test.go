package event

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// raw is an event for Go's own decoder, the slow model that Decode is compared with. Its name is part of the error texts.
type raw struct {
	ID   string          `json:"id"`
	Name string          `json:"name"`
	Data map[string]any  `json:"data"`
	TS   int64           `json:"ts"`
	V    string          `json:"v"`
	User map[string]any  `json:"user"`
	Meta json.RawMessage `json:"meta"`
}

// payloads are read apart: the model would merge duplicates of data instead of letting the last win.
type payloads struct {
	Data json.RawMessage `json:"data"`
	User json.RawMessage `json:"user"`
}

func FuzzParseAndDecode(f *testing.F) {
	for _, body := range []string{
		``, ` `, `{}`, `[]`, `[null]`, `null`, `"x"`, `[1]`, `[{"name":"a"},{"name":"b","ts":1}]`, `[{"name":"a"}`, `[{"name":"a"},`, `[{"name":"a"`,
		`{"name":"a"}{"name":"b"}`, `{"name":"a","data":{"a":1,"a":2,"b":[{"c":1,"c":{}}]},"user":{"x":"\ud800"},"v":"1","id":"x"}`,
		`{"name":"a","meta":{"sessions":{"f":"9","g":null,"h":9007199254740993},"propagated_sessions":{"a":1}}}`, `{"ts":1e3}`, `{"ts":12e400}`,
		"{\"name\":\"\xff\"}", `{"N\u0061me":1,"name":true}`, `name=a&b=c`, "\xef\xbb\xbf{}", `[{"a":1}]x`, `{"meta":{"sessions":true}}`, `{"data":{"\"":1,"\u0022":2}}`,
		"--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\na\r\n--x--\r\n",
	} {
		f.Add([]byte(body), "application/json")
		f.Add([]byte(body), "application/x-www-form-urlencoded")
		f.Add([]byte(body), "multipart/form-data; boundary=x")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		events, err := Parse(body, contentType, Limits{MaxEventBytes: 4096, MaxEvents: 8})
		if err != nil {
			checkRefusal(t, err)
			if events != nil {
				t.Errorf("%q was refused but gave %q", body, events)
			}
			return
		}
		for _, one := range events {
			got, err := Decode(one)
			compareWithModel(t, one, got, err)
			if err == nil {
				checkRoundTrip(t, got)
			}
		}
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var refusal *InvalidError
	if !errors.As(err, &refusal) || refusal.Reason == "" || refusal.Field == "" {
		t.Errorf("refused without a reason: %#v", err)
	}
}

func compareWithModel(t *testing.T, one json.RawMessage, got Event, err error) {
	t.Helper()
	var model raw
	modelErr := json.Unmarshal(one, &model)
	if err != nil {
		checkRefusal(t, err)
		about := err.(*InvalidError).Field //nolint:errorlint // checked above
		known := strings.HasPrefix(about, "meta") || strings.HasSuffix(err.Error(), "of type float64") || err.Error() == "exceeded max depth"
		if !known && (modelErr == nil || modelErr.Error() != err.Error()) {
			t.Errorf("%q: got error %q, the model says %v", one, err, modelErr)
		}
		return
	}
	if modelErr != nil {
		t.Fatalf("%q was accepted, the model says %v", one, modelErr)
	}
	if diff := cmp.Diff([]any{model.ID, model.Name, model.TS, model.V}, []any{got.ID, got.Name, got.TS, got.V}); diff != "" {
		t.Errorf("%q: %s", one, diff)
	}
	var want payloads
	if err := json.Unmarshal(one, &want); err != nil {
		t.Fatal(err)
	}
	compareJSON(t, want.Data, got.Data)
	if user := string(want.User); user != "" && user != "null" && !(user[0] == '{' && strings.Trim(user[1:len(user)-1], " \t\r\n") == "") {
		compareJSON(t, want.User, got.User)
	}
}

func compareJSON(t *testing.T, want, got json.RawMessage) {
	t.Helper()
	if len(want) == 0 {
		want = null
	}
	var wantValue, gotValue any
	if err := json.Unmarshal(want, &wantValue); err != nil {
		t.Fatalf("the model's value %q: %v", want, err)
	}
	if err := json.Unmarshal(got, &gotValue); err != nil {
		t.Fatalf("%q is not JSON: %v", got, err)
	}
	if diff := cmp.Diff(wantValue, gotValue); diff != "" {
		t.Errorf("%q became %q: %s", want, got, diff)
	}
}

func checkRoundTrip(t *testing.T, e Event) {
	t.Helper()
	stored := e.AppendStored(nil)
	again, err := Decode(stored)
	if err != nil {
		t.Fatalf("%s: %v", stored, err)
	}
	if len(e.Sessions) > maxSessions {
		return // refused by Normalise
	}
	if diff := cmp.Diff(e, again); diff != "" {
		t.Errorf("%s: %s", stored, diff)
	}
	for _, encoded := range [][]byte{e.AppendCall(nil), e.AppendMap(nil)} {
		if !json.Valid(encoded) {
			t.Errorf("not JSON: %s", encoded)
		}
	}
}
