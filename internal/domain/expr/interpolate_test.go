package expr

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
)

// wait is one row of testdata/waits.jsonl: what the running reference did with a wait (spec 12 §8.4).
type wait struct {
	If       string `json:"if"`
	Trigger  string `json:"trigger"`
	Incoming string `json:"incoming"`
	Match    string `json:"match"`
	Stored   string `json:"stored"`
}

func readWaits(t testing.TB) []wait {
	t.Helper()
	file, err := os.Open("testdata/waits.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var waits []wait
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var one wait
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		waits = append(waits, one)
	}
	return waits
}

// ownWaits are the rows where the reference gets stuck, loses escapes or garbles what it prints: if, trigger, incoming -> match, stored.
var ownWaits = map[[3]string][2]string{
	{`event.data.id == async.data.id`, `{"id": 1000000}`, `{"id": 1000000}`}:                                    {"yes", `1e+06 == async.data.id`},
	{`event.data.id == async.data.id`, `{"id": 1e-05}`, `{"id": 1e-05}`}:                                        {"yes", `1e-05 == async.data.id`},
	{`event.data.id == async.data.id`, `{"id": "a\"b\n"}`, `{"id": "a\"b\n"}`}:                                  {"yes", `"a\"b\n" == async.data.id`},
	{`event.data.id == async.data.id`, `{"id": "back\\slash"}`, `{"id": "back\\slash"}`}:                        {"yes", `"back\\slash" == async.data.id`},
	{`lowercase(event.data.nope) == async.data.s`, `{}`, `{"s": "abc"}`}:                                        {"no", `false == async.data.s`},
	{`async.data.s.contains(event.data.s)`, `{"s": "b"}`, `{"s": "abc"}`}:                                       {"yes", `async.data.s.contains("b")`},
	{`async.data.s.contains(event.data.s)`, `{}`, `{"s": "abc"}`}:                                               {"no", `async.data.s.contains(dyn(null))`},
	{`async.data.l.exists(x, x == event.data.id)`, `{"id": "q"}`, `{"l": ["p", "q"]}`}:                          {"yes", `async.data.l.exists(x, x == "q")`},
	{`async.data.l.exists(x, x == event.data.id)`, `{}`, `{"l": ["p", "q"]}`}:                                   {"no", `async.data.l.exists(x, x == null)`},
	{`event.data.l.exists(x, x == async.data.id)`, `{"l": ["p", "q"]}`, `{"id": "q"}`}:                          {"yes", `["p", "q"].exists(x, x == async.data.id)`},
	{`async.data.t > event.data.t`, `{"t": 1000000}`, `{"t": 1000001}`}:                                         {"yes", `async.data.t > 1e+06`},
	{`has(event.data.id) && event.data.id == async.data.id`, `{}`, `{}`}:                                        {"no", `false`},
	{`!has(event.data.id) || event.data.id == async.data.id`, `{}`, `{"id": "x"}`}:                              {"no", `async.data.id == null`},
	{`async.data.x == 'a\nb'`, `{}`, `{"x": "a\nb"}`}:                                                           {"yes", ``},
	{`async.data.x == 'a\nb'`, `{}`, `{"x": "a\\nb"}`}:                                                          {"no", ``},
	{`async.data.x.matches('^\\d$')`, `{}`, `{"x": "5"}`}:                                                       {"yes", ``},
	{`event.data.id == async.data.id && async.data.x.matches("^\\d$")`, `{"id": "a"}`, `{"id": "a", "x": "5"}`}: {"yes", `"a" == async.data.id && async.data.x.matches("^\\d$")`},
}

func TestWaits(t *testing.T) {
	t.Parallel()
	waits := readWaits(t)
	if len(waits) < 70 {
		t.Fatalf("only %d rows", len(waits))
	}
	index := NewIndex[int]()
	for row, one := range waits {
		t.Run(one.If+" "+one.Trigger, func(t *testing.T) {
			want, stored := one.Match, one.Stored
			if own, found := ownWaits[[3]string{one.If, one.Trigger, one.Incoming}]; found {
				want, stored = own[0], own[1]
			}
			if stored == "" {
				stored = one.If
			}
			trigger := event.Event{ID: "t", Name: "w/start81", TS: 1795475063876, Data: json.RawMessage(one.Trigger)}
			incoming := event.Event{ID: "i", Name: "w/e1", TS: 1795475069999, Data: json.RawMessage(one.Incoming)}
			text, err := Interpolate(one.If, trigger)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stored, text); diff != "" {
				t.Error(diff)
			}
			subject := NewSubject(incoming, at)
			if got, err := compiled(t, text).MatchAsync(subject); got != (want == "yes") {
				t.Errorf("%s: %t, %v, want %s", text, got, err, want)
			}
			if err := index.Add(row, text); err != nil {
				t.Fatal(err)
			}
			if got := len(index.Matches(subject)); (got > 0) != (want == "yes") {
				t.Errorf("%s: the index finds %d, want %s", text, got, want)
			}
			index.Remove(row)
		})
	}
}

func TestInterpolate(t *testing.T) {
	t.Parallel()
	trigger := event.Event{ID: "id", Name: "x/y", TS: 5, Data: json.RawMessage(`{"id":"ab_1","value":1295,"n":5,"s":"abc","z":null,"l":["p"],"t":true}`)}
	for text, want := range map[string]string{
		`event.data.id == async.data.id && async.data.val <= event.data.value`: `"ab_1" == async.data.id && async.data.val <= 1295.0`,
		`event.data.id == async.data.id && 500 <= event.data.value`:            `"ab_1" == async.data.id`,
		`event.data.id == async.data.id && event.data.foo == async.data.foo`:   `async.data.id == "ab_1" && async.data.foo == null`,
		`event.data.id == async.data.id && event.data.foo == 1`:                `async.data.id == "ab_1" && null == 1`,
		`event.data.n == 5`:                                            `true`,
		`event.data.n == 6`:                                            `false`,
		`event.data.n == 6 || async.data.x > 1`:                        `async.data.x > 1`,
		`async.data.x > 1 || event.data.n == 6`:                        `async.data.x > 1`,
		`async.data.x > 1 && event.data.n == 6`:                        `false`,
		`async.data.x > 1 || event.data.n == 5`:                        `true`,
		`async.data.x && event.data.n == 5`:                            `async.data.x && true`,
		`!(async.data.x > 1 || event.data.n == 6)`:                     `!(async.data.x > 1 || false)`,
		`!(async.data.x == 1 || event.data.n == 6)`:                    `!(async.data.x == 1)`,
		`event.data.n == 5 ? async.data.a : async.data.b`:              `async.data.a`,
		`event.data.n == 6 ? async.data.a : async.data.b`:              `async.data.b`,
		`async.data.ok ? event.data.s : 1 == 1`:                        `async.data.ok ? dyn("abc") : (1 == 1)`,
		`event.data.n % 2 == async.data.x`:                             `{}["no such overload"] == async.data.x`,
		`date(event.data.s) < date(async.data.d)`:                      `date(null) < date(async.data.d)`,
		`event.data["l"][0] == async.data.x && event.ts > 0`:           `"p" == async.data.x`,
		`[event.data.s, async.data.x] == async.data.l && event.ts > 0`: `["abc", async.data.x] == async.data.l`,
		`{event.data.s: async.data.x} == async.data.o`:                 `{"abc": async.data.x} == async.data.o`,
		`duration("1h") == async.data.x || event.data.t`:               `true`,
		`async.data.x == date("2026-08-21") - date(event.data.s)`:      `async.data.x == date(null)`,
		`async.data.x == 7.0 / double(event.data.n - 5.0)`:             `async.data.x == double("+Inf")`,
		`type(event.data.n) == type(async.data.x)`:                     `double == type(async.data.x)`,
		`async.data[event.data.s] == 1`:                                `async.data["abc"] == 1`,
		`now() > date(event.data.s) || event.data.t`:                   `true`,
		`event["data"].id == async.data.id`:                            `event["data"].id == async.data.id`,
		`async.data.x == "event.data"`:                                 `async.data.x == "event.data"`,
	} {
		got, err := Interpolate(text, trigger)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		} else if _, err := Compile(got); err != nil {
			t.Errorf("%s: %s: %v", text, got, err)
		}
	}
}

func TestInterpolate_Fails(t *testing.T) {
	t.Parallel()
	large := withData(`{"s":"` + strings.Repeat("x", maxCodePoints) + `","bad":1}`)
	if got, err := Interpolate(`event.data.s == async.data.s`, large); err == nil || !strings.Contains(err.Error(), "error compiling expression: ") {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	_, want := Compile(`event.data.s ==`)
	if _, err := Interpolate(`event.data.s ==`, large); err == nil || err.Error() != want.Error() {
		t.Errorf("got %v", err)
	}
	if _, err := Interpolate(`event.data.s == async.data.s`, withData(`{`)); err == nil || !strings.Contains(err.Error(), "of event id") {
		t.Errorf("got %v", err)
	}
	many := withData(`{"l":[` + strings.Repeat("1,", 999) + `1]}`)
	costly := `event.data.l.all(a, event.data.l.all(b, event.data.l.all(c, a + b + c > 0.0))) && async.data.x == 1`
	if _, err := Interpolate(costly, many); !errors.Is(err, ErrCostLimit) {
		t.Errorf("got %v", err)
	}
}

func TestCompileTemplate_ChecksTheText(t *testing.T) {
	t.Parallel()
	if _, err := CompileTemplate(`async.data.x == event.data.x`); err != nil {
		t.Error(err)
	}
	want := "error compiling expression: ERROR: <input>:1:16: Syntax error: "
	if _, err := CompileTemplate(`async.data.x ==`); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if _, err := CompileTemplate(""); err == nil {
		t.Error("an empty text is accepted")
	}
}

var (
	names    = []string{"a", "b", "c"}
	literals = []string{`1`, `1.0`, `-5`, `1000000`, `1e6`, `0`, `"x"`, `'y'`, `"a\"b"`, `""`, `true`, `false`, `null`, `[1, "x"]`, `{"a": 1}`, `5u`, `[]`}
	payloads = []string{`1`, `-5`, `1000000`, `0`, `"x"`, `"y"`, `"a\"b"`, `"b"`, `""`, `true`, `false`, `null`, `[1,"x"]`, `["x","y"]`, `{"a":1}`, `{"b":{"c":1}}`, `[]`, `1.5`}
)

// drawEvent has some of the members that drawn expressions look at.
func drawEvent(t *rapid.T, label string) event.Event {
	members := []string{}
	for _, name := range names {
		if rapid.IntRange(0, 3).Draw(t, label+" has "+name) > 0 {
			members = append(members, `"`+name+`":`+rapid.SampledFrom(payloads).Draw(t, label+" "+name))
		}
	}
	return withData(`{` + strings.Join(members, ",") + `}`)
}

func drawOperand(t *rapid.T, roots []string, depth int) string {
	pick := func(texts ...string) string { return rapid.SampledFrom(texts).Draw(t, "pick") }
	member := pick(roots...) + ".data." + pick(names...)
	switch rapid.IntRange(0, 9).Draw(t, "operand") {
	case 0, 1, 2, 3:
		return member
	case 4, 5:
		return pick(literals...)
	case 6:
		return member + "." + pick(names...)
	case 7:
		return pick(roots...) + `.data["` + pick(names...) + `"]`
	case 8:
		if depth > 0 {
			return "(" + drawOperand(t, roots, depth-1) + " + " + drawOperand(t, roots, depth-1) + ")"
		}
		return "size(" + member + ")"
	default:
		return pick("int(", "lowercase(", "string(", "dyn(", "date(") + member + ")"
	}
}

func drawCondition(t *rapid.T, roots []string, depth int) string {
	if depth == 0 {
		switch rapid.IntRange(0, 9).Draw(t, "leaf") {
		case 0:
			return "has(" + rapid.SampledFrom(roots).Draw(t, "root") + ".data." + rapid.SampledFrom(names).Draw(t, "name") + ")"
		case 1:
			return drawOperand(t, roots, 0)
		case 2:
			return drawOperand(t, roots, 1) + " in [" + drawOperand(t, roots, 0) + ", " + drawOperand(t, roots, 0) + "]"
		case 3:
			return drawOperand(t, roots, 0) + " in " + rapid.SampledFrom(roots).Draw(t, "root") + ".data." + rapid.SampledFrom(names).Draw(t, "name")
		case 4:
			return rapid.SampledFrom(roots).Draw(t, "root") + ".data." + rapid.SampledFrom(names).Draw(t, "name") + ".exists(x, x == " + drawOperand(t, roots, 1) + ")"
		}
		return drawOperand(t, roots, 1) + rapid.SampledFrom([]string{" == ", " == ", " == ", " != ", " < ", " <= ", " > ", " >= "}).Draw(t, "operator") + drawOperand(t, roots, 1)
	}
	left := drawCondition(t, roots, depth-1)
	switch rapid.IntRange(0, 5).Draw(t, "node") {
	case 0, 1:
		return "(" + left + " && " + drawCondition(t, roots, depth-1) + ")"
	case 2, 3:
		return "(" + left + " || " + drawCondition(t, roots, depth-1) + ")"
	case 4:
		return "!(" + left + ")"
	default:
		return "(" + left + " ? " + drawCondition(t, roots, depth-1) + " : " + drawCondition(t, roots, depth-1) + ")"
	}
}

// TestInterpolate_KeepsTheMeaning: the interpolated condition is met by an incoming event if and only if the original is met with
// both events at hand.
func TestInterpolate_KeepsTheMeaning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := drawCondition(t, []string{"event", "async"}, rapid.IntRange(0, 3).Draw(t, "depth"))
		template, err := CompileTemplate(text)
		if err != nil || !strings.Contains(text, "event.") {
			return
		}
		trigger := drawEvent(t, "trigger")
		result, err := template.Interpolate(trigger)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		program, err := Compile(result)
		if err != nil {
			t.Fatalf("%s became %s: %v", text, result, err)
		}
		incoming := drawEvent(t, "incoming")
		want, wantErr := met(template.program.run(&frame{event: NewSubject(trigger, at), async: NewSubject(incoming, at), now: at}))
		got, gotErr := program.MatchAsync(NewSubject(incoming, at))
		if got != want {
			t.Fatalf("%s\nwith %s and %s is %t, %v;\n%s is %t, %v", text, trigger.Data, incoming.Data, want, wantErr, result, got, gotErr)
		}
	})
}
