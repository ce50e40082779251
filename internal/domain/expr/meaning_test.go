package expr

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/event"
)

// bothAtHand is what interpolation must not change: whether the text is met with the two events.
func bothAtHand(t *testing.T, text string, trigger, incoming event.Event) bool {
	t.Helper()
	template, err := CompileTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := met(template.program.run(&frame{event: NewSubject(trigger, at), async: NewSubject(incoming, at), now: at}))
	return want
}

// kept is a condition, what is left of it, and incoming events that meet it or do not.
type kept struct {
	text, want string
	meets      []string
	misses     []string
}

func (k kept) check(t *testing.T, trigger event.Event) {
	t.Helper()
	got, err := Interpolate(k.text, trigger)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(k.want, got); diff != "" {
		t.Error(diff)
	}
	program := compiled(t, got)
	for _, side := range []struct {
		want bool
		data []string
	}{{true, k.meets}, {false, k.misses}} {
		for _, data := range side.data {
			incoming := withData(data)
			if naive := bothAtHand(t, k.text, trigger, incoming); naive != side.want {
				t.Errorf("%s on %s is %t with both events", k.text, data, naive)
			}
			if met, err := program.MatchAsync(NewSubject(incoming, at)); met != side.want {
				t.Errorf("%s on %s: %t, %v", got, data, met, err)
			}
		}
	}
}

// TestInterpolate_DropsTrue: "&& true" can go when the other side is true or not, and nothing that merely counts as true.
func TestInterpolate_DropsTrue(t *testing.T) {
	t.Parallel()
	trigger := withData(`{"t":true}`)
	for name, one := range map[string]kept{
		"a comparison": {
			`async.data.a > 1 && event.data.t`, `async.data.a > 1`,
			[]string{`{"a":2}`}, []string{`{"a":1}`, `{}`, `{"a":"x"}`},
		},
		"the last of an and decides": {
			`async.data.ok && async.data.a > 1 && event.data.t`, `async.data.ok && async.data.a > 1`,
			[]string{`{"ok":"yes","a":2}`}, []string{`{"ok":"yes","a":1}`, `{"ok":"","a":2}`},
		},
		"the last of an and is any value": {
			`async.data.a > 1 && async.data.ok && event.data.t`, `async.data.a > 1 && async.data.ok && true`,
			[]string{`{"a":2,"ok":"yes"}`, `{"a":2,"ok":true}`}, []string{`{"a":2}`, `{"a":1,"ok":true}`},
		},
		"both of an or": {
			`(async.data.a > 1 || async.data.b > 1) && event.data.t`, `async.data.a > 1 || async.data.b > 1`,
			[]string{`{"a":2}`, `{"b":2}`}, []string{`{}`, `{"a":1,"b":0}`},
		},
		"an or with any value first": {
			`(async.data.ok || async.data.b > 1) && event.data.t`, `(async.data.ok || async.data.b > 1) && true`,
			[]string{`{"ok":"yes"}`, `{"b":2}`}, []string{`{"ok":""}`},
		},
		"an or with any value last": {
			`(async.data.b > 1 || async.data.ok) && event.data.t`, `(async.data.b > 1 || async.data.ok) && true`,
			[]string{`{"ok":5}`, `{"b":2}`}, []string{`{"ok":0}`},
		},
		"both of a choice": {
			`(async.data.c ? async.data.a > 1 : has(async.data.b)) && event.data.t`, `async.data.c ? (async.data.a > 1) : has(async.data.b)`,
			[]string{`{"c":1,"a":2}`, `{"b":null}`}, []string{`{"c":1,"b":2}`, `{"c":0}`},
		},
		"one of a choice": {
			`(async.data.c ? async.data.a : async.data.b > 1) && event.data.t`, `(async.data.c ? async.data.a : (async.data.b > 1)) && true`,
			[]string{`{"c":1,"a":2}`, `{"b":2}`}, []string{`{"c":1,"a":0}`, `{"b":1}`},
		},
		"a test": {
			`async.data.s.startsWith("a") && event.data.t`, `async.data.s.startsWith("a")`,
			[]string{`{"s":"ab"}`}, []string{`{"s":"b"}`, `{"s":1}`},
		},
		"a sum": {
			`async.data.a + 1.0 && event.data.t`, `async.data.a + 1.0 && true`,
			[]string{`{"a":1}`, `{}`}, []string{`{"a":-1}`},
		},
		"the index of a map": {
			`async.data["ok"] && event.data.t`, `async.data["ok"] && true`,
			[]string{`{"ok":"yes"}`}, []string{`{}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one.check(t, trigger)
		})
	}
}

// TestInterpolate_DropsFalse: "|| false" within a part whose whole value matters can go when the other side is true or false whatever
// the incoming event is like.
func TestInterpolate_DropsFalse(t *testing.T) {
	t.Parallel()
	trigger := withData(`{"f":false}`)
	for name, one := range map[string]kept{
		"a comparison of a member": {
			`!(async.data.a == 1 || event.data.f)`, `!(async.data.a == 1)`,
			[]string{`{}`, `{"a":2}`}, []string{`{"a":1}`},
		},
		"both of an and": {
			`!((async.data.a == 1 && async.data.b != 2) || event.data.f)`, `!(async.data.a == 1 && async.data.b != 2)`,
			[]string{`{}`, `{"a":1,"b":2}`}, []string{`{"a":1}`},
		},
		"one of an and": {
			`!((async.data.a == 1 && async.data.b) || event.data.f)`, `!(async.data.a == 1 && async.data.b || false)`,
			[]string{`{}`, `{"a":1,"b":false}`, `{"a":1}`}, []string{`{"a":1,"b":true}`},
		},
		"a denial": {
			`!(!(async.data.a == 1) || event.data.f)`, `!(!(async.data.a == 1))`,
			[]string{`{"a":1}`}, []string{`{}`, `{"a":2}`},
		},
		"a denial of a member": {
			`!(!async.data.a || event.data.f)`, `!(!async.data.a || false)`,
			[]string{`{"a":true}`, `{}`}, []string{`{"a":false}`},
		},
		"a list of members": {
			`!(async.data.l == [1, async.data.a] || event.data.f)`, `!(async.data.l == [1, async.data.a])`,
			[]string{`{"l":[1,2],"a":3}`, `{"l":[1]}`}, []string{`{"l":[1,2],"a":2}`},
		},
		"a list of a date": {
			`!(async.data.l == [date(async.data.d)] || event.data.f)`, `!(async.data.l == [date(async.data.d)] || false)`,
			[]string{`{"d":"2026-08-21","l":[]}`, `{"d":"soon"}`}, nil, // without "|| false", the unreadable date would be an error
		},
		"the variable itself": {
			`!(async == {} || event.data.f)`, `!(async == {} || false)`,
			[]string{`{}`}, nil,
		},
		"an order": {
			`!(async.data.a > 1 || event.data.f)`, `!(async.data.a > 1 || false)`,
			[]string{`{"a":1}`, `{"a":"x"}`}, []string{`{"a":2}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one.check(t, trigger)
		})
	}
}

// TestInterpolate_PrintsEachKindOfValue: a value of any kind is put in such that it can be read back.
func TestInterpolate_PrintsEachKindOfValue(t *testing.T) {
	t.Parallel()
	trigger := event.Event{ID: "i\xffd", Name: "x/y", TS: 5, Data: json.RawMessage(
		`{"n":5,"s":"a\"b\n\u00e9","t":true,"z":null,"d":"2026-08-21T00:00:00.5+02:00","h":"1h30m","o":{"b":[1,null],"a":{"c":"x"}},"b64":"/w=="}`)}
	for name, one := range map[string]kept{
		// Which no event has that was decoded.
		"text that is not UTF-8": {`event.id == async.data.x`, "\"i\uFFFDd\" == async.data.x", nil, []string{`{"x":"id"}`, `{"x":null}`, `{}`}},
		"text":                   {`event.data.s == async.data.x`, `"a\"b\né" == async.data.x`, []string{`{"x":"a\"b\né"}`}, []string{`{"x":"ab"}`}},
		"decoded text":           {`b64decode(event.data.b64) == async.data.x`, "\"\uFFFD\" == async.data.x", []string{`{"x":"\ufffd"}`}, []string{`{"x":""}`, `{}`}},
		"integer":                {`int(event.data.n) == async.data.x`, `5 == async.data.x`, []string{`{"x":5}`}, []string{`{"x":"5"}`}},
		"unsigned":               {`uint(event.data.n) == async.data.x`, `5u == async.data.x`, []string{`{"x":5}`}, []string{`{"x":4}`}},
		"no number":              {`async.data.x < double("NaN") + event.data.n`, `async.data.x < double("NaN")`, nil, []string{`{"x":1}`}},
		"below all numbers":      {`async.data.x > -1.0 * event.data.n / 0.0`, `async.data.x > double("-Inf")`, []string{`{"x":-1e300}`}, []string{`{"x":"a"}`}},
		"bytes":                  {`bytes(event.data.s) == bytes(async.data.x)`, `b"\141\042\142\012\303\251" == bytes(async.data.x)`, []string{`{"x":"a\"b\né"}`}, []string{`{"x":"a"}`, `{}`}},
		"instant": {
			`date(event.data.d) < date(async.data.x)`, `timestamp("2026-08-20T22:00:00.5Z") < date(async.data.x)`,
			[]string{`{"x":"2026-08-21"}`}, []string{`{"x":"2026-08-20"}`, `{"x":"soon"}`},
		},
		"span": {
			`duration(event.data.h) < duration(async.data.x)`, `duration("1h30m0s") < duration(async.data.x)`,
			[]string{`{"x":"2h"}`}, []string{`{"x":"1h"}`, `{"x":"soon"}`},
		},
		"kind":           {`type(date(event.data.d)) == type(date(async.data.x))`, `google.protobuf.Timestamp == type(date(async.data.x))`, []string{`{"x":"2026-08-21"}`}, []string{`{"x":5}`}},
		"object, sorted": {`event.data.o == async.data.x`, `{"a": {"c": "x"}, "b": [1.0, null]} == async.data.x`, []string{`{"x":{"a":{"c":"x"},"b":[1,null]}}`}, []string{`{"x":{"a":{"c":"x"},"b":[1]}}`, `{}`}},
		"map with integer keys": {
			`{2: event.data.n, 1: event.data.t} == async.data.x || async.data.ok == event.data.t`, `{1: true, 2: 5.0} == async.data.x || async.data.ok == true`,
			[]string{`{"ok":true}`}, []string{`{"x":{"1":true,"2":5}}`},
		},
		"joined texts": {`event.data.o + event.data.n == async.data.x`, `"map[a:map[c:x] b:[1 <nil>]]5" == async.data.x`, []string{`{"x":"map[a:map[c:x] b:[1 <nil>]]5"}`}, []string{`{"x":5}`}},
		"fault":        {`size(event.data.n) == async.data.x`, `{}["no such overload"] == async.data.x`, []string{`{"x":null}`}, []string{`{"x":0}`, `{}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one.check(t, trigger)
		})
	}
}

func TestInterpolate_LeavesNothingOutOfEntangledPaths(t *testing.T) {
	t.Parallel()
	kept{
		`(async.data.a == 1 || event.data.f) && async.data.a.b == event.data.z`, `(async.data.a == 1 || false) && async.data.a.b == null`,
		nil, []string{`{"a":1}`, `{}`, `{"a":{"b":null}}`},
	}.check(t, withData(`{"f":false,"z":null}`))
}

func TestTemplate_WithoutEventIsKept(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`async.data.x == 1`, `event["data"].id == async.data.id`} {
		template, err := CompileTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Interpolate(withData(`{`)); got != text || err != nil {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
}

// TestInterpolate_CostsOfASecondPrint: hiding the types of literals from the check works the parts out anew, from the same budget.
func TestInterpolate_CostsOfASecondPrint(t *testing.T) {
	t.Parallel()
	text := `size(event.data.l.filter(a, event.data.l.exists(b, b == "no"))) == 0 && async.data.x in event.data.s`
	list := func(size int) event.Event {
		return withData(`{"s":"text","l":[` + strings.Repeat(`1,`, size) + `1]}`)
	}
	got, err := Interpolate(text, list(10))
	if diff := cmp.Diff(`async.data.x in dyn("text")`, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got, err := Interpolate(text, list(250)); !errors.Is(err, ErrCostLimit) {
		t.Errorf("got %s, %v", got, err)
	}
}
