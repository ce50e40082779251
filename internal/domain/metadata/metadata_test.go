package metadata

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Hashes of spec 04 §7.2.
const (
	stepOne       = "cd59ee9a8137151d1499d3d2eb40ba51aa91e0aa" // step-1
	stepOneSecond = "853cb1e68d4c9c2ad16aabbef8c346b559cbb55c" // step-1:1
)

func TestParse_Targets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target string
		want   Target
		scope  Scope
	}{
		"none is the run":               {`{}`, OfRun(), ScopeRun},
		"run_id is the path's affair":   {`{"run_id":"x"}`, OfRun(), ScopeRun},
		"an empty step is none":         {`{"step_id":""}`, OfRun(), ScopeRun},
		"step":                          {`{"step_id":"step-1"}`, OfStep(stepOne, FinalAttempt), ScopeStep},
		"step, index 0":                 {`{"step_id":"step-1","step_index":0}`, OfStep(stepOne, FinalAttempt), ScopeStep},
		"step, null":                    {`{"step_id":"step-1","step_index":null,"step_attempt":null}`, OfStep(stepOne, FinalAttempt), ScopeStep},
		"second of its name":            {`{"step_id":"step-1","step_index":1}`, OfStep(stepOneSecond, FinalAttempt), ScopeStep},
		"attempt":                       {`{"step_id":"step-1","step_attempt":2}`, OfStep(stepOne, 2), ScopeStep},
		"a negative attempt is the end": {`{"step_id":"step-1","step_attempt":-7}`, OfStep(stepOne, FinalAttempt), ScopeStep},
		"span without an attempt":       {`{"step_id":"step-1","span_id":"ab"}`, OfStep(stepOne, FinalAttempt), ScopeStep},
		"span":                          {`{"step_id":"step-1","step_attempt":0,"span_id":"ab"}`, OfSpan(stepOne, 0, "ab"), ScopeExtendedTrace},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			updates, err := Parse([]byte(`{"target":` + c.target + `,"metadata":[{"kind":"userland.default","values":{"a":1}}]}`))
			if err != nil {
				t.Fatal(err)
			}
			want := []Update{{Target: c.want, Kind: "userland.default", Op: Merge, Values: Values{"a": json.RawMessage("1")}}}
			if diff := cmp.Diff(want, updates); diff != "" {
				t.Error(diff)
			}
			if got := updates[0].Target.Scope(); got != c.scope {
				t.Errorf("scope %s, want %s", got, c.scope)
			}
		})
	}
}

func TestParse_Refuses(t *testing.T) {
	t.Parallel()
	with := func(metadata string) string {
		return `{"target":{},"metadata":[{"kind":"userland.a"},` + metadata + `]}`
	}
	for name, c := range map[string]struct {
		body, field string
		target      bool
	}{
		"no JSON":                {`{nope`, "", true},
		"two values":             {`{} {}`, "", true},
		"a list":                 {`[]`, "", true},
		"an unknown op":          {with(`{"kind":"userland.a","op":"replace"}`), "", true},
		"an op that is no text":  {with(`{"kind":"userland.a","op":1}`), "", true},
		"values that are a list": {with(`{"kind":"userland.a","op":"set","values":[]}`), "", true},
		"an index alone":         {`{"target":{"step_index":0}}`, "target.step_id", true},
		"an attempt alone":       {`{"target":{"step_attempt":0}}`, "target.step_id", true},
		"a span alone":           {`{"target":{"span_id":"ab"}}`, "target.step_id", true},
		"a negative index":       {`{"target":{"step_id":"a","step_index":-1}}`, "target.step_index", true},
		"a long span":            {`{"target":{"step_id":"a","step_attempt":0,"span_id":"` + strings.Repeat("a", 129) + `"}}`, "target.span_id", true},
		"no kind":                {with(`{"op":"set"}`), "metadata[1].kind", false},
		"a long kind":            {with(`{"kind":"userland.` + strings.Repeat("ä", 60) + `"}`), "metadata[1].kind", false},
		"a kind of the server":   {with(`{"kind":"inngest.timing"}`), "metadata[1].kind", false},
		"a computed kind":        {with(`{"kind":"inngest.usage"}`), "metadata[1].kind", false},
		"text to add":            {with(`{"kind":"userland.a","op":"add","values":{"n":"1"}}`), "metadata[1].values", false},
		"null to add":            {with(`{"kind":"userland.a","op":"add","values":{"n":null}}`), "metadata[1].values", false},
		"a score to add":         {with(`{"kind":"inngest.score","op":"add","values":{"n":1}}`), "metadata[1].values", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(c.body))
			invalid := (*InvalidError)(nil)
			if !errors.As(err, &invalid) {
				t.Fatalf("error is %v", err)
			}
			if invalid.Field != c.field || invalid.Target != c.target || invalid.Reason == "" || !strings.Contains(err.Error(), invalid.Reason) {
				t.Errorf("got %+v", invalid)
			}
		})
	}
}

func TestParse_TakesEveryKindThatMayBeWritten(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{
		"userland.default", "userland." + strings.Repeat("a", 119), "of the app", "inngest", "inngest.ai", "inngest.http", "inngest.http.timing",
		"inngest.response_headers", "inngest.warnings", "inngest.experiment", "inngest.score",
	} {
		if _, err := Parse([]byte(`{"metadata":[{"kind":"` + kind + `","op":"SET","values":{}}]}`)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestParse_Scores(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 128)
	for values, ok := range map[string]bool{
		`{"quality":{"value":0.5}}`:               true,
		`{"quality":{"value":-3e2}}`:              true,
		`{"quality":{"value":true}}`:              true,
		`{"a b":{"value":false},"c":{"value":1}}`: true,
		`{"` + long + `":{"value":1}}`:            true,
		`{"` + long + `a":{"value":1}}`:           false,
		`{"":{"value":1}}`:                        false,
		`{"it's":{"value":1}}`:                    false,
		`{"a\nb":{"value":1}}`:                    false,
		`{"a":{"value":1e999}}`:                   false,
		`{"a":{"value":"1"}}`:                     false,
		`{"a":{"value":null}}`:                    false,
		`{"a":{"value":1,"unit":"s"}}`:            false,
		`{"a":{"other":1}}`:                       false,
		`{"a":{}}`:                                false,
		`{"a":1}`:                                 false,
		`{"a":{"value":1},"b":2}`:                 false,
	} {
		_, err := Parse([]byte(`{"metadata":[{"kind":"inngest.score","op":"merge","values":` + values + `}]}`))
		if (err == nil) != ok {
			t.Errorf("%s: %v", values, err)
		}
	}
	if _, err := Parse([]byte(`{"metadata":[{"kind":"inngest.score","op":"delete","values":{"a":null}}]}`)); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func TestOfOp_LeavesOutWhatIsNotAllowed(t *testing.T) {
	t.Parallel()
	got := OfOp("op", 1, json.RawMessage(`[
		{"scope":"step","kind":"userland.a","op":"set","values":{"n":9007199254740993}},
		{"scope":"step_attempt","kind":"userland.b","op":"merge","values":{"x":[1]}},
		{"scope":"run","kind":"userland.c","values":{"y":null}},
		{"scope":"run","kind":"inngest.usage","op":"set","values":{"n":1}},
		{"scope":"extended_trace","kind":"userland.d","op":"set","values":{"n":1}},
		{"scope":"run","kind":"userland.e","op":"nope","values":{"n":1}},
		5]`))
	want := []Update{
		{OfStep("op", 1), "userland.a", Set, Values{"n": json.RawMessage("9007199254740993")}},
		{OfStep("op", 1), "userland.b", Merge, Values{"x": json.RawMessage("[1]")}},
		{OfRun(), "userland.c", Merge, Values{"y": json.RawMessage("null")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, raw := range []string{``, `null`, `{}`, `"x"`, `[`} {
		if got := OfOp("op", 0, json.RawMessage(raw)); got != nil {
			t.Errorf("%s gives %v", raw, got)
		}
	}
}

func update(op Op, values Values) Update {
	return Update{Target: OfRun(), Kind: "userland.a", Op: op, Values: values}
}

func sized(n int) Update {
	return update(Set, Values{"k": json.RawMessage(`"` + strings.Repeat("x", n-3) + `"`)})
}

func TestAdmit_BoundsAnUpdateAndARun(t *testing.T) {
	t.Parallel()
	full := make([]Update, MaxRunBytes/MaxUpdateBytes)
	for i := range full {
		full[i] = sized(MaxUpdateBytes)
	}
	for name, c := range map[string]struct {
		total   int
		updates []Update
		want    int
		err     error
	}{
		"nothing, of a run that is full": {MaxRunBytes, nil, MaxRunBytes, nil},
		"one that fills an update":       {10, []Update{sized(MaxUpdateBytes)}, 10 + MaxUpdateBytes, nil},
		"one byte more":                  {0, []Update{sized(MaxUpdateBytes + 1)}, 0, ErrUpdateTooLarge},
		"as much as a run may have":      {0, full, MaxRunBytes, nil},
		"more than a run may have":       {1, full, MaxRunBytes + 1, ErrRunFull},
		"an empty one counts too":        {MaxRunBytes - 63, []Update{update(Set, nil)}, MaxRunBytes + 1, ErrRunFull},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Admit(c.total, c.updates)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %d, %v; want %d, %v", got, err, c.want, c.err)
			}
		})
	}
}

func TestFit_KeepsWhatThereIsRoomFor(t *testing.T) {
	t.Parallel()
	small, large := sized(100), sized(MaxUpdateBytes)
	got := Fit(MaxRunBytes-200, []Update{large, small, sized(MaxUpdateBytes + 1), small, small})
	if diff := cmp.Diff([]Update{small, small}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFit_IsWhatAdmitTakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, MaxRunBytes).Draw(t, "total")
		var updates []Update
		for _, n := range rapid.SliceOf(rapid.IntRange(3, MaxUpdateBytes+100)).Draw(t, "sizes") {
			updates = append(updates, sized(n))
		}
		fitting := Fit(total, updates)
		if _, err := Admit(total, fitting); err != nil {
			t.Fatalf("what fits is refused: %v", err)
		}
		if _, err := Admit(total, updates); err == nil && len(fitting) != len(updates) {
			t.Fatalf("%d of %d fit", len(fitting), len(updates))
		}
	})
}

func TestFold_Ops(t *testing.T) {
	t.Parallel()
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	for name, c := range map[string]struct {
		updates []Update
		want    Values
	}{
		"merge is shallow":            {[]Update{update(Merge, Values{"a": raw(`{"x":1}`), "b": raw("1")}), update(Merge, Values{"a": raw(`{"y":2}`)})}, Values{"a": raw(`{"y":2}`), "b": raw("1")}},
		"set replaces":                {[]Update{update(Merge, Values{"a": raw("1")}), update(Set, Values{"b": raw("2")})}, Values{"b": raw("2")}},
		"set, then merge":             {[]Update{update(Set, Values{"a": raw("1")}), update(Merge, Values{"b": raw("2")})}, Values{"a": raw("1"), "b": raw("2")}},
		"set to nothing":              {[]Update{update(Merge, Values{"a": raw("1")}), update(Set, nil)}, nil},
		"merge after set to nothing":  {[]Update{update(Set, nil), update(Merge, Values{"a": raw("1")})}, Values{"a": raw("1")}},
		"delete":                      {[]Update{update(Merge, Values{"a": raw("1"), "b": raw("2")}), update(Delete, Values{"a": raw("null"), "c": raw("null")})}, Values{"b": raw("2")}},
		"add":                         {[]Update{update(Merge, Values{"a": raw("1")}), update(Add, Values{"a": raw("2"), "b": raw("3")})}, Values{"a": raw("3"), "b": raw("3")}},
		"add keeps all digits":        {[]Update{update(Add, Values{"a": raw("9007199254740993")}), update(Add, Values{"a": raw("-2")})}, Values{"a": raw("9007199254740991")}},
		"add fractions":               {[]Update{update(Add, Values{"a": raw("0.5")}), update(Add, Values{"a": raw("1")}), update(Add, Values{"a": raw("2.5e1")})}, Values{"a": raw("26.5")}},
		"add to a text":               {[]Update{update(Set, Values{"a": raw(`"x"`)}), update(Add, Values{"a": raw("1")})}, Values{"a": raw(`"x"`)}},
		"a sum that is no number":     {[]Update{update(Set, Values{"a": raw("1.7e308")}), update(Add, Values{"a": raw("1.7e308")})}, Values{"a": raw("1.7e308")}},
		"an update with other values": {[]Update{update(Delete, Values{"a": raw("1")})}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := make([]Stored, len(c.updates))
			for i, each := range c.updates {
				stored[i] = Stored{each, time.Unix(int64(i), 0)}
			}
			var want []Value
			if c.want != nil {
				want = []Value{{OfRun(), "userland.a", c.want, time.Unix(int64(len(stored)-1), 0)}}
			}
			if diff := cmp.Diff(want, Fold(stored)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFold_KeepsTargetsAndKindsApartAndSortsThem(t *testing.T) {
	t.Parallel()
	at := func(target Target, kind string) Stored {
		return Stored{Update: Update{Target: target, Kind: kind, Op: Set, Values: Values{"a": json.RawMessage("1")}}}
	}
	want := []Stored{
		at(OfRun(), "inngest.score"), at(OfRun(), "userland.a"), at(OfStep("a", FinalAttempt), "userland.a"), at(OfStep("a", 0), "userland.a"),
		at(OfSpan("a", 0, "s"), "userland.a"), at(OfStep("a", 1), "userland.a"), at(OfStep("b", FinalAttempt), "userland.a"),
	}
	got := Fold([]Stored{want[4], want[6], want[1], want[3], want[0], want[5], want[2]})
	if len(got) != len(want) {
		t.Fatalf("got %d values", len(got))
	}
	for i, value := range got {
		if value.Target != want[i].Target || value.Kind != want[i].Kind {
			t.Errorf("value %d is %+v", i, value)
		}
	}
}

// A set makes what came before it irrelevant, whatever that was; and the updates themselves are never changed.
func TestFold_SetForgetsThePast(t *testing.T) {
	t.Parallel()
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	any1 := rapid.Custom(func(t *rapid.T) Stored {
		values := Values{}
		for _, n := range rapid.SliceOfN(name, 0, 3).Draw(t, "names") {
			values[n] = json.RawMessage(rapid.SampledFrom([]string{"1", "2.5", "-7"}).Draw(t, "value"))
		}
		return Stored{Update: update(rapid.SampledFrom([]Op{Merge, Set, Delete, Add}).Draw(t, "op"), values)}
	})
	rapid.Check(t, func(t *rapid.T) {
		before, after := rapid.SliceOf(any1).Draw(t, "before"), rapid.SliceOf(any1).Draw(t, "after")
		set := any1.Draw(t, "set")
		set.Op = Set
		kept := set.Values.Size()
		rest := append([]Stored{set}, after...)
		if diff := cmp.Diff(Fold(rest), Fold(append(before, rest...))); diff != "" {
			t.Fatal(diff)
		}
		if set.Values.Size() != kept {
			t.Fatal("an update was changed")
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"target":{"step_id":"a","step_attempt":1,"span_id":"b"},"metadata":[{"kind":"userland.a","op":"add","values":{"n":1}}]}`))
	f.Add([]byte(`{"metadata":[{"kind":"inngest.score","op":"set","values":{"q":{"value":true}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		updates, err := Parse(body)
		invalid := (*InvalidError)(nil)
		if err != nil && !errors.As(err, &invalid) {
			t.Fatalf("error is %v", err)
		}
		for i, each := range updates {
			if each.Target != updates[0].Target || checkKind(each.Kind) != "" {
				t.Fatalf("update %d is %+v", i, each)
			}
		}
	})
}
