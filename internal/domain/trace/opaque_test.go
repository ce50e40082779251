package trace

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

// The vectors of spec 05 §6.5 and §5.1.
func TestCursor(t *testing.T) {
	t.Parallel()
	micro := time.UnixMicro(1717430400123456).UTC()
	for text, want := range map[string]Cursor{
		"eyJpZCI6IjAxSFpYM1o5UUc3VjVLOE0yTjRQNlI4VDBXIiwiYyI6eyJzdGFydF90aW1lIjp7ImYiOiJzdGFydF90aW1lIiwidiI6MTcxNzQzMDQwMDEyMzQ1Nn19fQ==": {testRun, FieldStart, micro},
		"eyJpZCI6IjAxSFpYM1o5UUc3VjVLOE0yTjRQNlI4VDBXIiwiYyI6eyJxdWV1ZWRfYXQiOnsiZiI6InF1ZXVlZF9hdCIsInYiOjE3MTc0MzA0MDAxMjN9fX0=":         {testRun, FieldQueued, micro.Truncate(time.Millisecond)},
	} {
		if got := want.String(); got != text {
			t.Errorf("%+v is %s", want, got)
		}
		got, err := ParseCursor(text, FieldEnded, want.Field)
		if err != nil || got != want {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for text, want := range map[string]string{
		"?":                  "not base64",
		encode("[]"):         "not JSON",
		encode(`{"id":"1"}`): `run "1"`,
		encode(`{"id":"01HZX3Z9QG7V5K8M2N4P6R8T0W","c":{}}`):        "another order",
		Cursor{Run: testRun, Field: FieldEnded, At: micro}.String(): "another order",
	} {
		if _, err := ParseCursor(text, FieldQueued, FieldStart); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEventCursor(t *testing.T) {
	t.Parallel()
	const text = "eyJJRCI6IjAxSFpYM1o5UUc3VjVLOE0yTjRQNlI4VDBXIn0="
	if got := EventCursor(testRun); got != text {
		t.Errorf("cursor is %s", got)
	}
	if got, err := ParseEventCursor(text); err != nil || got != testRun {
		t.Errorf("event is %s, %v", got, err)
	}
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for text, want := range map[string]string{
		"?":                  "error decoding eventsv2 cursor: illegal base64 data at input byte 0",
		encode("1"):          "error decoding eventsv2 cursor: json: cannot unmarshal",
		encode(`{"ID":"1"}`): "error parsing eventsv2 cursor: ulid: bad data size when unmarshaling",
	} {
		if _, err := ParseEventCursor(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The forms of spec 05 §7.4.
func TestOutputID(t *testing.T) {
	t.Parallel()
	const none = "00000000-0000-0000-0000-000000000000"
	legacy := OutputID{App: uuid.MustParse("ed1dd999-5829-5a8a-b82a-e8258ddeb289"), Trace: "c201bf8d183c82b1e420f7e3773a993c", Span: "770d1acd3aeaa98a"}
	fresh := OutputID{Run: testRun, Span: "deee52e2e9787c70", Input: "deee52e2e9787c70", Preview: true}
	for want, id := range map[string]OutputID{
		`{"acctID":"` + none + `","wsID":"` + none + `","appID":"` + none + `","fnID":"` + none + `","tid":"","sid":"deee52e2e9787c70","rid":"01HZX3Z9QG7V5K8M2N4P6R8T0W","preview":true,"in_sid":"deee52e2e9787c70"}`: fresh,
		`{"acctID":"` + none + `","wsID":"` + none + `","appID":"ed1dd999-5829-5a8a-b82a-e8258ddeb289","fnID":"` + none + `","tid":"c201bf8d183c82b1e420f7e3773a993c","sid":"770d1acd3aeaa98a"}`:                       legacy,
	} {
		got, err := base64.StdEncoding.DecodeString(id.String())
		if err != nil || string(got) != want {
			t.Errorf("%+v is %s, %v", id, got, err)
		}
	}
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for text, want := range map[string]string{
		"?":             "error parsing span identifier: illegal base64 data at input byte 0",
		"":              "error parsing span identifier: unexpected end of JSON input",
		legacy.String(): ErrNoOutputRun.Error(),
		encode(`{"rid":"01HZX3Z9QG7V5K8M2N4P6R8T0W"}`): ErrNoOutputSpan.Error(),
		encode(`{"sid":"a","rid":"1"}`):                "error parsing span identifier: ulid: bad data size when unmarshaling",
	} {
		if _, err := ParseOutputID(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		id := OutputID{Run: testRun, Span: rapid.StringMatching(`[0-9a-f]{1,16}`).Draw(t, "span"), Input: rapid.StringMatching(`[0-9a-f]{0,16}`).Draw(t, "input"), Preview: rapid.Bool().Draw(t, "preview"), Wrapped: rapid.Bool().Draw(t, "wrapped"), Trace: rapid.StringMatching(`[0-9a-f]*`).Draw(t, "trace")}
		if got, err := ParseOutputID(id.String()); err != nil || got != id {
			t.Fatalf("%+v is read as %+v, %v", id, got, err)
		}
	})
}

func TestReadOutput(t *testing.T) {
	t.Parallel()
	preview, legacy := OutputID{Preview: true}, OutputID{}
	for text, c := range map[string]struct {
		of   OutputID
		want Output
	}{
		"":                              {preview, Output{Data: json.RawMessage{}}},
		`"text"`:                        {preview, Output{Data: json.RawMessage(`"text"`)}},
		`{"data":{"a":1}}`:              {preview, Output{Data: json.RawMessage(`{"a":1}`)}},
		`{"a":1}`:                       {preview, Output{Data: json.RawMessage(`{"a":1}`)}},
		`{"name":"a","data":{},"ts":1}`: {preview, Output{Data: json.RawMessage(`{"name":"a","data":{},"ts":1}`)}},
		`{"error":{"message":"m","name":"n","stack":"s","cause":{"c":1}}}`: {preview, Output{Error: &StepError{Message: "m", Name: new("n"), Stack: new("s"), Cause: json.RawMessage(`{"c":1}`)}}},
		`{"error":{"name":"n","cause":null}}`:                              {preview, Output{Error: &StepError{Name: new("n"), Stack: new(`{"name":"n","cause":null}`)}}},
		`{"error":{"message":"m","name":null,"stack":""}}`:                 {preview, Output{Error: &StepError{Message: "m", Stack: new("")}}},
		`{"error":{"message":"m","name":1,"stack":[]}}`:                    {preview, Output{Error: &StepError{Message: "m"}}},
		`{"error":"broken"}`:                                               {legacy, Output{Error: &StepError{Stack: new(`"broken"`)}}},
		`{"data":{"x":1},"error":null}`:                                    {legacy, Output{Data: json.RawMessage(`{"x":1}`)}},
		`{"data":{"error":1}}`:                                             {OutputID{Wrapped: true}, Output{Data: json.RawMessage(`{"data":{"error":1}}`)}},
		`{"error":{"message":"failed"}}`:                                   {OutputID{Wrapped: true}, Output{Error: &StepError{Message: "failed"}}},
	} {
		got := ReadOutput(nil, json.RawMessage(text), c.of)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: -want +got:\n%s", text, diff)
		}
	}
}

func TestRunResult(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"a":1}`: `{"a":1}`, `[1,2]`: `[1,2]`, `[{"op":"RunComplete","data":{"a":1}}]`: `{"a":1}`, `[{"op":"Other","data":1}]`: `[{"op":"Other","data":1}]`, "": "", "[": "[",
	} {
		if got := string(RunResult([]byte(text))); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	other := ulid.MustParse("01J8V5Z3K4ABCDEFGHJKMNPQRS")
	root := row(NameRun, rootID(), NoParent, Queued, 0, "defer.parent_run_ids", []string{other.String(), "x"}, "defer.parent_fn_slug", "acme-parent")
	deferred, parents := Links([]Span{
		root, below(NameDefer, "d2", "", 2, "defer.hashed_id", "h2", "defer.userland_id", "two", "defer.fn_slug", "acme-child", "defer.status", "after_run"),
		extend("d2", "d3", rootID(), "", 3, "defer.child_run_id", testRun.String()),
		below(NameDefer, "d1", "", 4, "defer.hashed_id", "h1", "defer.status", "aborted"), below(NameDefer, "d0", "", 5, "defer.hashed_id", "h0", "defer.status", "unknown"),
		below(NameMetadata, "m", "", 5),
	})
	if diff := cmp.Diff([]Deferred{{ID: "h1", Status: "aborted"}, {ID: "h2", UserID: "two", Slug: "acme-child", Status: "after_run", Run: testRun}}, deferred); diff != "" {
		t.Errorf("deferred: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(Parents{Runs: []ulid.ULID{other}, Slug: "acme-parent"}, parents); diff != "" {
		t.Errorf("parents: -want +got:\n%s", diff)
	}
}

func TestAttrs(t *testing.T) {
	t.Parallel()
	a := decodeAttributes(json.RawMessage(`{"ms":"1717430400123","number":1717430400123,"date":"2024-06-03T16:00:00.123Z","far":"9223372036854775807","bad":"x",
		"object":{"a":1},"held":"{\"a\":1}","list":[1],"null":null}`))
	want := time.UnixMilli(1717430400123).UTC()
	for key, at := range map[string]time.Time{"ms": want, "number": want, "date": want, "far": {}, "bad": {}, "missing": {}, "null": {}} {
		if got := a.at(key); !got.Equal(at) {
			t.Errorf("%s is %s", key, got)
		}
	}
	for key, text := range map[string]string{"object": `{"a":1}`, "held": `{"a":1}`, "list": "", "null": "", "bad": ""} {
		if got := string(a.object(key)); got != text {
			t.Errorf("%s is %s", key, got)
		}
	}
	if _, known := a.flag("null"); known || a.list("list") != nil || a.id("bad") != (ulid.ULID{}) || decodeAttributes(nil) != nil {
		t.Error("what is not there is")
	}
	if nodeStatus("strange") != NodeRunning || stepOp("Strange") != "" {
		t.Error("what is not known is")
	}
}

func TestNodeStatus_Ended(t *testing.T) {
	t.Parallel()
	for _, status := range []Status{Queued, Running, Waiting, Sleeping, Invoking, Completed, Failed, Errored, Cancelled, TimedOut, Skipped} {
		if want := status.Ended() || status == Skipped; nodeStatus(status).Ended() != want {
			t.Errorf("%s ended is %t", status, !want)
		}
	}
}
