package trace

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
)

const (
	userRunID = "01HZX3Z9QG7V5K8M2N4P6R8T0W"
	userRef   = "%7B%22tp%22%3A%2200-018ffa3fa6f03ecb345055258d84681c-770d1acd3aeaa98a-01%22%2C%22ts%22%3A%22%22%7D"
)

func userBytes(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// userAttributes are those that every span must have, and more.
func userAttributes(more ...UserAttribute) []UserAttribute {
	return append([]UserAttribute{
		{userReference, json.RawMessage(`"` + userRef + `"`)}, {userRun, json.RawMessage(`"` + userRunID + `"`)},
		{"sys.function.id", json.RawMessage(`"x"`)}, {"sys.app.id", json.RawMessage(`"x"`)}, {"inngest.traceparent", json.RawMessage(`"x"`)},
	}, more...)
}

func aUserSpan(t *testing.T, more ...UserAttribute) UserSpan {
	t.Helper()
	return UserSpan{
		ID: userBytes(t, "0011223344556677"), Name: "GET", Kind: "CLIENT", Start: time.Unix(1795475906, 123456789), End: time.Unix(1795475907, 0),
		Status: Failed, Attributes: userAttributes(more...),
		Service: "shop", Scope: "http", ScopeVersion: "1.2", Resource: json.RawMessage(`{"service.name":"shop"}`),
	}
}

func TestUserland(t *testing.T) {
	t.Parallel()
	got, err := UserlandSpan(aUserSpan(t,
		UserAttribute{"http.status", json.RawMessage(`500`)}, UserAttribute{"_inngest.status", json.RawMessage(`"mine"`)},
		UserAttribute{userStepID, json.RawMessage(`"fetch-user"`)}, UserAttribute{userStepIndex, json.RawMessage(`1`)}, UserAttribute{userAttempt, json.RawMessage(`"2"`)},
		UserAttribute{"list", json.RawMessage(`["é",{"a":1.50}]`)},
	))
	if err != nil {
		t.Fatal(err)
	}
	want := Span{
		Run: ulid.MustParse(userRunID), Trace: "018ffa3fa6f03ecb345055258d84681c", ID: "0011223344556677", Parent: "770d1acd3aeaa98a",
		Dynamic: "0011223344556677", Name: NameUserland, Start: time.Unix(1795475906, 123456789).UTC(), End: time.Unix(1795475907, 0).UTC(), Status: Failed,
		Attributes: json.RawMessage(`{"_inngest.ended_at":"1795475907000","_inngest.started_at":"1795475906123","_inngest.step.attempt":2,` +
			`"_inngest.step.id":"9d76ac9c53ae9398d015f690b8e470d52f1ed83f","_inngest.step.userland.id":"fetch-user","_inngest.step.userland.index":1,` +
			`"_inngest.userland":true,"_inngest.userland.kind":"CLIENT","_inngest.userland.name":"GET","_inngest.userland.resource.attributes":"{\"service.name\":\"shop\"}",` +
			`"_inngest.userland.scope.name":"http","_inngest.userland.scope.version":"1.2","_inngest.userland.service.name":"shop",` +
			`"_inngest.userland.span.id":"0011223344556677","http.status":500,"list":["é",{"a":1.50}]}`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestUserland_Parent(t *testing.T) {
	t.Parallel()
	parent := func(text string) UserAttribute { return UserAttribute{userParent, json.RawMessage(`"` + text + `"`)} }
	dynamic := UserAttribute{userReference, json.RawMessage(`"%7B%22tp%22%3A%2200-018ffa3fa6f03ecb345055258d84681c-770d1acd3aeaa98a-01%22%2C%22dsid%22%3A%22aaaabbbbccccdddd%22%7D"`)}
	for name, c := range map[string]struct {
		parent, scope, name string
		more                []UserAttribute
		want                string
	}{
		"none":                       {"", "x", "x", nil, "770d1acd3aeaa98a"},
		"its own":                    {"8899aabbccddeeff", "x", "x", nil, "8899aabbccddeeff"},
		"of the SDK's wrapper":       {"8899aabbccddeeff", "inngest", "inngest.execution", nil, "770d1acd3aeaa98a"},
		"of another with that scope": {"8899aabbccddeeff", "inngest", "x", nil, "8899aabbccddeeff"},
		"of a step":                  {"8899aabbccddeeff", "x", "x", []UserAttribute{parent("1111222233334444")}, "1111222233334444"},
		"of a step, but no ID":       {"8899aabbccddeeff", "x", "x", []UserAttribute{parent("111122223333444G")}, "8899aabbccddeeff"},
		"with a dynamic ID":          {"", "x", "x", []UserAttribute{dynamic}, "aaaabbbbccccdddd"},
	} {
		s := aUserSpan(t, c.more...)
		s.Parent, s.Scope, s.Name = userBytes(t, c.parent), c.scope, c.name
		if got, err := UserlandSpan(s); err != nil || got.Parent != c.want {
			t.Errorf("%s: %q, %v", name, got.Parent, err)
		}
	}
}

func TestUserland_Step(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more []UserAttribute
		want map[string]any
	}{
		"nothing":        {nil, map[string]any{}},
		"a hash":         {[]UserAttribute{{userStepHash, json.RawMessage(`"abc"`)}, {userStepID, json.RawMessage(`"s"`)}}, map[string]any{"id": "abc", "userland.id": "s"}},
		"a name":         {[]UserAttribute{{userStepID, json.RawMessage(`"fetch-user"`)}}, map[string]any{"id": "857c0b3e9253ce40ce09381575f27504abb803ea", "userland.id": "fetch-user"}},
		"no numbers":     {[]UserAttribute{{userStepIndex, json.RawMessage(`-1`)}, {userAttempt, json.RawMessage(`{}`)}}, map[string]any{}},
		"of other types": {[]UserAttribute{{userStepID, json.RawMessage(`7`)}, {userAttempt, json.RawMessage(`0`)}}, map[string]any{"attempt": 0.0}},
	} {
		got, err := UserlandSpan(aUserSpan(t, c.more...))
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(got.Attributes, &all); err != nil {
			t.Fatal(err)
		}
		step := map[string]any{}
		for _, key := range []string{"id", "userland.id", "userland.index", "attempt"} {
			if value, ok := all["_inngest.step."+key]; ok {
				step[key] = value
			}
		}
		if diff := cmp.Diff(c.want, step); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestUserland_Refused(t *testing.T) {
	t.Parallel()
	ref := func(text string) UserAttribute { return UserAttribute{userReference, json.RawMessage(text)} }
	tp := func(text string) UserAttribute { return ref(`"%7B%22tp%22%3A%22` + text + `%22%7D"`) }
	for name, c := range map[string]struct {
		edit func(*UserSpan)
		want error
	}{
		"no attributes":         {func(s *UserSpan) { s.Attributes = nil }, ErrNoReference},
		"a reference of no URL": {func(s *UserSpan) { s.Attributes = userAttributes(ref(`"%zz"`)) }, ErrNoReference},
		"a reference, no JSON":  {func(s *UserSpan) { s.Attributes = userAttributes(ref(`"x"`)) }, ErrNoReference},
		"a reference, no text":  {func(s *UserSpan) { s.Attributes = userAttributes(ref(`7`)) }, ErrNoReference},
		"no traceparent":        {func(s *UserSpan) { s.Attributes = userAttributes(ref(`"%7B%7D"`)) }, ErrNoReference},
		"another version": {func(s *UserSpan) {
			s.Attributes = userAttributes(tp("01-018ffa3fa6f03ecb345055258d84681c-770d1acd3aeaa98a-01"))
		}, ErrNoReference},
		"a short trace": {func(s *UserSpan) { s.Attributes = userAttributes(tp("00-c201-770d1acd3aeaa98a-01")) }, ErrNoReference},
		"a span in capitals": {func(s *UserSpan) {
			s.Attributes = userAttributes(tp("00-018ffa3fa6f03ecb345055258d84681c-770D1ACD3AEAA98A-01"))
		}, ErrNoReference},
		"no run":               {func(s *UserSpan) { s.Attributes = s.Attributes[:1] }, ErrNoRun},
		"a bad run":            {func(s *UserSpan) { s.Attributes = userAttributes(UserAttribute{userRun, json.RawMessage(`"x"`)}) }, ErrNoRun},
		"no ID":                {func(s *UserSpan) { s.ID = nil }, ErrBadSpanID},
		"a short ID":           {func(s *UserSpan) { s.ID = s.ID[:7] }, ErrBadSpanID},
		"an ID of zeros":       {func(s *UserSpan) { s.ID = make([]byte, 8) }, ErrBadSpanID},
		"a long parent":        {func(s *UserSpan) { s.Parent = make([]byte, 12) }, ErrBadSpanID},
		"no start":             {func(s *UserSpan) { s.Start = time.Time{} }, ErrBadTimes},
		"no end":               {func(s *UserSpan) { s.End = time.Time{} }, ErrBadTimes},
		"a value that is none": {func(s *UserSpan) { s.Attributes = userAttributes(UserAttribute{"x", json.RawMessage(`{`)}) }, nil},
	} {
		s := aUserSpan(t)
		c.edit(&s)
		got, err := UserlandSpan(s)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || got.Attributes != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
