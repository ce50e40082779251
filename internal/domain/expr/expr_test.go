package expr

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/event"
)

func withData(data string) event.Event {
	return event.Event{ID: "id", Name: "x/y", TS: 1700000000000, Data: json.RawMessage(data)}
}

func compiled(t testing.TB, text string) *Program {
	t.Helper()
	program, err := Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func TestMatch(t *testing.T) {
	t.Parallel()
	cases := []struct {
		expression, data string
		want             bool
		err              string
	}{
		// Of spec 12 §5.2.
		{`b64decode("aGkgdGhlcmUh") == "hi there!"`, `{}`, true, ""},
		{`event.data.action > 0`, `{"action":null}`, false, ""},
		{`event.data.float > null && event.data.int > null`, `{"float":3.141,"int":8}`, true, ""},
		{`event.data.int > event.data.unknown`, `{"int":2}`, true, ""},
		{`event.data.int > 3.141 && event.data.float <= 2`, `{"int":8,"float":1.111}`, true, ""},
		{`event.data.NOPE == null`, `null`, true, ""},
		{`event.data.foo != '' && 'item' in event.data.issue.fields.tags`, `{}`, false, ""},
		{`event['data'].foo != '' && event['data'].bar != true`, `{"foo":"hi"}`, true, ""},
		{`event.data.test == true && event.data.issue.field.another != 'another'`, `{"test":true,"issue":null}`, true, ""},
		{`event.data.some.unknown.contains(event.data.title)`, `{"title":"nope"}`, false, ""},
		{`size(event.data.action) > 0`, `{"action":null}`, false, ""},
		{`size(event.data.action) > 0`, `{"action":"opened"}`, true, ""},
		{`int(event.data.status) == 200`, `{"status":"200"}`, true, ""},
		{`event.data.tags.exists(x, x == 'd' || x == 'a')`, `{"tags":["a","b","c"]}`, true, ""},
		{`event.data.issue in ['Bug','Issue'] == true`, `{"issue":"Bug"}`, true, ""},
		{`event.data.nonexistent in ['A'] == false`, `{}`, true, ""},
		{`date(event.data.from) + duration('6h35m10s') == date('2020-01-01T18:35:10')`, `{"from":"2020-01-01T12:00:00"}`, true, ""},
		{`!((has(event.data.a) && event.data.a) || (has(event.data.b) && event.data.b))`, `{"a":false,"b":false}`, true, ""},
		{`!((has(event.data.a) && event.data.a) || (has(event.data.b) && event.data.b))`, `{"a":true,"b":false}`, false, ""},
		{`[1, 2, 3].all(x, x > 0) && event.data.status == '200'`, `{"status":"200"}`, true, ""},
		// A failed function's trigger, as SDKs register it.
		{`event.data.function_id == 'app-fn'`, `{"function_id":"app-fn"}`, true, ""},
		// Other rules.
		{`event.data.n == 1`, `{"n":1}`, true, ""},
		{`event.name == "x/y" && event.id == "id" && event.ts == 1700000000000`, `{}`, true, ""},
		{`event.user == {} && event.data == {}`, `null`, true, ""},
		{`event.data`, `{"a":1}`, false, "returned type map[string]interface {} (map[a:%!s(float64=1)]): expression errored"},
		{`string(event.data.b)`, `{"b":"true"}`, false, "returned type string (true): expression errored"},
		{`event.data.n`, `{"n":5}`, false, "returned type float64 (%!s(float64=5)): expression errored"},
		{`event.data.y > 5`, `{"y":"x"}`, false, "invalid type comparison: no such overload: expression errored"},
		{`event.data["x"]`, `{}`, false, "invalid type comparison: no such key: x: expression errored"},
		{`date(event.data.x) < now()`, `{"x":"soon"}`, false, "expression did not return true or false"},
		{`vars == 1`, `{}`, false, "invalid type comparison: no such attribute(s): vars: expression errored"},
		{`async`, `{}`, false, "invalid type comparison: no such attribute(s): async: expression errored"},
		{`async.data.x == 1`, `{}`, false, ""},
		{`has({"a": 1}.a) && !has({"a": 1}.b)`, `{}`, true, ""},
		{`event.data.l.all(x, has(x.id))`, `{"l":[{"id":1}]}`, true, ""},
		{`event.data.l.exists(x, event.data.m.exists(y, x == y))`, `{"l":[1,2],"m":[3,2]}`, true, ""},
		{`event.data.l.exists(x, true)`, `{"l":5}`, false, "invalid type comparison: no such overload: expression errored"},
		{`event.data.l[0].exists(x, x == 1)`, `{"l":[]}`, false, "invalid type comparison: index '0' out of range in list size '0': expression errored"},
		{`event.data.l.exists(x, x.ok)`, `{"l":[{},{"ok":true}]}`, true, ""},
		{`event.data.l.exists(x, x.ok)`, `{"l":[{"ok":true},{}]}`, true, ""},
		{`event.data.l.all(x, x.ok)`, `{"l":[{},{"ok":true}]}`, false, "invalid type comparison: no such key: ok: expression errored"},
		{`event.data.n || event.data.u`, `{"n":0,"u":false}`, false, ""},
		{`(int(event.data.n) > 1 || uint(event.data.n) > 1u) ? true : false`, `{"n":1}`, false, ""},
		{`(dyn(1) && dyn(1u)) ? true : false`, `{}`, true, ""},
		{`type(event.data.n) == double`, `{"n":5}`, true, ""},
		{`type(event.data.n) == google.protobuf.Timestamp`, `{"n":5}`, false, ""},
		{`(event.data.z + event.data.z) == "NULL_VALUENULL_VALUE"`, `{"z":null}`, true, ""},
		{`event.data.b + event.data.b`, `{"b":true}`, false, "invalid type comparison: no such overload: expression errored"},
		{`event.data.o + event.data.o`, `{"o":{}}`, false, "invalid type comparison: no such overload: expression errored"},
		{`null < 1u && !(1u < null) && null >= null`, `{}`, false, "invalid type comparison: no such overload: expression errored"},
		{`null < 1u && "a" > null`, `{}`, true, ""},
		{`double("NaN") < 1.0 || double("NaN") >= 1.0`, `{}`, false, ""},
		{`{"a": event.data.nope} == null`, `{}`, true, ""},
		{`{event.data.nope: 1} == null`, `{}`, true, ""},
		{`event.data.o.exists(k, event.data.o[k] == null)`, `{"o":{"a":null}}`, true, ""},
		{`[b"ab", b"c"] + ["x"] == [b"ab", b"c", "x"]`, `{}`, true, ""},
	}
	for _, c := range cases {
		t.Run(c.expression, func(t *testing.T) {
			t.Parallel()
			got, err := compiled(t, c.expression).MatchAt(withData(c.data), at)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if diff := cmp.Diff(c.err, message); diff != "" || got != c.want {
				t.Errorf("got %t, want %t; %s", got, c.want, diff)
			}
		})
	}
}

func TestMatch_OfOptionalMembers(t *testing.T) {
	t.Parallel()
	e := event.Event{Name: "n", V: "2", User: json.RawMessage(`{"id":"u"}`), Sessions: map[string]string{"s": "1"}}
	for text, want := range map[string]bool{
		`event.v == "2" && event.user.id == "u" && event.meta.sessions.s == "1"`: true,
		`event.meta.sessions.t == null`:                                          true,
		`event.meta.sessions.s == "2"`:                                           false,
	} {
		if got, err := compiled(t, text).Match(e); err != nil || got != want {
			t.Errorf("%s: got %t, %v", text, got, err)
		}
	}
}

func TestMatch_Dates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`now() == date("2026-08-21T00:05:00Z")`:                           true,
		`now_plus("1d") == date("2026-08-22T00:05:00Z")`:                  true,
		`now_minus("5m") == date("2026-08-21")`:                           true,
		`date("Fri, 21 Aug 2026 00:05:00 UTC") == now()`:                  true,
		`date(1700000000000000000) == date(1700000000)`:                   true,
		`date(1700000000000) == date(1700000000)`:                         true,
		`date("2026-08-21T02:05:00+02:00") == now()`:                      true,
		`uppercase(true) == "" && lowercase("ÀB") == "àb"`:                true,
		`json_parse("null") == {} && json_parse("{\"a\":[1]}").a[0] == 1`: true,
		`b64decode("aGk=") == "hi" && b64decode("aGlo!") == "" `:          false,
		`date("2026-08-21") - date("2026-08-20") == duration("24h")`:      true,
	} {
		if got, err := compiled(t, text).MatchAt(withData(`{}`), at); err != nil || got != want {
			t.Errorf("%s: got %t, %v", text, got, err)
		}
	}
	for _, text := range []string{`now() > date("2026-08-21")`, `now_plus("1d") > date("2026-08-21")`, `now_plus(1) > date("2026-08-21")`} {
		if got, err := compiled(t, text).Match(withData(`{}`)); !errors.Is(err, errNoValue) {
			t.Errorf("%s without a clock: got %t, %v", text, got, err)
		}
	}
}

func TestMatch_UndecodablePayloadIsAnError(t *testing.T) {
	t.Parallel()
	for text, e := range map[string]event.Event{
		`event.data.a == 1`: withData(`{"a":`),
		`event.user.a == 1`: {ID: "id", User: json.RawMessage(`[]`)},
	} {
		if got, err := compiled(t, text).Match(e); err == nil || !strings.Contains(err.Error(), "of event id") {
			t.Errorf("%s: got %t, %v", text, got, err)
		}
	}
	if got, err := compiled(t, `async.data.a == null`).MatchAsync(NewSubject(withData(`{"a":`), at)); got || err == nil || !strings.Contains(err.Error(), "of event id") {
		t.Errorf("incoming: got %t, %v", got, err)
	}
	if got, err := compiled(t, `event.name == "x/y"`).Match(withData(`{"a":`)); err != nil || !got {
		t.Errorf("data was decoded although the condition does not need it: %t, %v", got, err)
	}
}

func TestMatch_CostIsBounded(t *testing.T) {
	t.Parallel()
	list := `{"l":[` + strings.Repeat("1,", 999) + `1],"s":"` + strings.Repeat("x", 1<<20) + `"}`
	for name, text := range map[string]string{
		"nested macros":     `event.data.l.all(a, event.data.l.all(b, event.data.l.all(c, a + b + c > 0.0)))`,
		"nested list":       `event.data.l.map(a, event.data.l).map(a, a.map(b, event.data.l)).size() > 0`,
		"growing text":      `["xx"]` + strings.Repeat(`.map(a, a + a)`, 40) + `.size() > 0`,
		"growing list":      `[[1]]` + strings.Repeat(`.map(a, a + a)`, 40) + `.size() > 0`,
		"repeated deep":     `event.data.l.all(a, event.data == event.data)`,
		"repeated scanning": `event.data.l.all(a, event.data.s.contains("y") || true)`,
		"nested literals":   `event.data.l.all(a, event.data.l.all(b, [{"k": [a, b, a, b]}].size() == 1))`,
		"ternary":           `event.data.l.all(a, event.data.l.all(b, a == b ? true : false))`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := compiled(t, text).Match(withData(list))
			if !errors.Is(err, ErrCostLimit) {
				t.Errorf("got %t, %v", got, err)
			}
		})
	}
}

// TestMatch_ChainsCostLittle: the reference needs time exponential in the length of such a chain.
func TestMatch_ChainsCostLittle(t *testing.T) {
	t.Parallel()
	text := `event.data.s` + strings.Repeat(` + event.data.s`, 200) + ` != ""`
	if got, err := compiled(t, text).Match(withData(`{"s":"x"}`)); err != nil || !got {
		t.Errorf("got %t, %v", got, err)
	}
	large := `{"l":[` + strings.Repeat(`{"id":"some"},`, 49999) + `{}]}`
	for text, want := range map[string]bool{
		`event.data.l.exists(x, x.id == "none")`:               false,
		`event.data.l.filter(x, x.id == "some").size() > 9999`: true,
		`event.data.l.map(x, x.id).size() > 9999`:              true,
	} {
		if got, err := compiled(t, text).Match(withData(large)); err != nil || got != want {
			t.Errorf("%s: got %t, %v", text, got, err)
		}
	}
}

func TestCompile_Refuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                      "error compiling expression: ERROR: <input>:1:0: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
		`user.x == 1`:           "error compiling expression: ERROR: <input>:1:1: undeclared reference to 'user' (in container '')\n | user.x == 1\n | ^",
		`event..x`:              "error compiling expression: ERROR: <input>:1:7: Syntax error: no viable alternative at input '..'\n | event..x\n | ......^",
		`event.data.x ? 1 : ""`: "error compiling expression: ERROR: <input>:1:14: found no matching overload for '_?_:_' applied to '(dyn, int, string)'\n | event.data.x ? 1 : \"\"\n | .............^",
		`google.protobuf.Int64Value{value: 1} == 1`: "error compiling expression: messages are not supported",
	} {
		program, err := Compile(text)
		if err == nil {
			t.Errorf("%q was compiled to %v", text, program)
			continue
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	for name, text := range map[string]string{
		"too long":   strings.Repeat(" ", maxCodePoints) + "true",
		"too deep":   strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300),
		"not UTF-8":  "\xff",
		"nul":        "\x00",
		"unfinished": `event.data.x == "`,
	} {
		if program, err := Compile(text); err == nil {
			t.Errorf("%s: compiled to %v", name, program)
		}
	}
}

func TestCompile_RefusesMessagesAnywhere(t *testing.T) {
	t.Parallel()
	const message = `google.protobuf.Int64Value{}`
	for _, around := range []string{`[%]`, `{1: %}`, `%.value`, `size([%])`, `% == 1`, `[%].exists(x, true)`, `[1].exists(x, x == %)`, `true ? % : %`} {
		if program, err := Compile(strings.ReplaceAll(around, "%", message)); err == nil {
			t.Errorf("%s: compiled to %v", around, program)
		}
	}
}

func TestFaultsOfTheLibraryAreContained(t *testing.T) {
	t.Parallel()
	broken := &Program{root: func(*frame) ref.Val { panic("out of order") }}
	if got, err := broken.Match(withData(`{}`)); err == nil || err.Error() != "evaluate expression: out of order" {
		t.Errorf("got %t, %v", got, err)
	}
	refuse := func(*cel.Env) (*cel.Env, error) { return nil, errors.New("no") }
	if shared, err := newLanguage(refuse); err == nil || err.Error() != "build expression environment: no" {
		t.Errorf("got %v, %v", shared, err)
	}
}

// TestLanguage_ChecksConcurrently: the race detector judges.
func TestLanguage_ChecksConcurrently(t *testing.T) {
	t.Parallel()
	for range 10 {
		fresh, err := newLanguage()
		if err != nil {
			t.Fatal(err)
		}
		var checks sync.WaitGroup
		for text, valid := range map[string]bool{`event.data.l.exists(x, x == 1)`: true, `evnt.data.l`: false, `nope(1)`: false, `[1].all(x, x > y)`: false} {
			checks.Go(func() {
				if _, issues := fresh.env.Compile(text); (issues.Err() == nil) != valid {
					t.Errorf("%s: %v", text, issues.Err())
				}
			})
		}
		checks.Wait()
	}
}

func TestProgram_IsSharedByManyGoroutines(t *testing.T) {
	t.Parallel()
	program := compiled(t, `event.data.l.exists(x, x == event.data.want)`)
	if program.String() != `event.data.l.exists(x, x == event.data.want)` {
		t.Errorf("the text became %s", program)
	}
	var wait sync.WaitGroup
	for want, data := range map[bool]string{true: `{"l":[1,2,3],"want":3}`, false: `{"l":[1,2,3],"want":4}`} {
		for range 8 {
			wait.Go(func() {
				for range 100 {
					if got, err := program.Match(withData(data)); err != nil || got != want {
						t.Errorf("got %t, %v", got, err)
					}
				}
			})
		}
	}
	wait.Wait()
}

func TestSubject_IsSharedByManyConditions(t *testing.T) {
	t.Parallel()
	e := withData(`{"a":1}`)
	e.User = json.RawMessage(`{"b":2}`)
	subject := NewSubject(e, time.Time{})
	for range 2 {
		for text, want := range map[string]bool{`event.name == "x/y"`: true, `event.data.a == 1`: true, `event.user.b == 2`: true, `event.data.b == 2`: false} {
			if got, err := compiled(t, text).MatchSubject(subject); err != nil || got != want {
				t.Errorf("%s: got %t, %v", text, got, err)
			}
		}
	}
}

// FuzzCompile: whatever is written either is refused with a reason or gives the same answer each time.
func FuzzCompile(f *testing.F) {
	for _, one := range readVectors(f) {
		f.Add(one.Expression)
	}
	e := withData(`{"a":1,"s":"text","l":[1,"a",null,{"b":[]}],"z":null,"o":{"k":"v"},"b":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		program, err := Compile(text)
		if err != nil {
			if program != nil || !strings.HasPrefix(err.Error(), "error compiling expression: ") || len(err.Error()) <= len("error compiling expression: ") {
				t.Errorf("%q: program %v, error %q", text, program, err)
			}
			return
		}
		once, firstErr := program.MatchAt(e, at)
		again, secondErr := program.MatchAt(e, at)
		if once != again || (firstErr == nil) != (secondErr == nil) || firstErr != nil && (once || firstErr.Error() == "") {
			t.Errorf("%q: %t, %v and then %t, %v", text, once, firstErr, again, secondErr)
		}
		if firstErr != nil && strings.HasPrefix(firstErr.Error(), "evaluate expression: runtime error") {
			t.Errorf("%q panics: %v", text, firstErr)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	e := withData(`{"id":12345,"email":"someone@example.com","plan":"pro"}`)
	for name, text := range map[string]string{"name": `event.name == "x/y"`, "data": `event.data.plan == "pro" && event.data.id > 100`} {
		program := compiled(b, text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := program.Match(e); err != nil || !got {
					b.Fatal(got, err)
				}
			}
		})
	}
	b.Run("language", func(b *testing.B) {
		for b.Loop() {
			if _, err := newLanguage(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
