package trace

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// TestAppendText: it is the standard encoder's text, byte for byte.
func TestAppendText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("ab\"\\<>&\n\x7fé\u2028"))), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		want, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendText(nil, text); string(got) != string(want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func TestAttributes_LeaveOutWhatSaysNothing(t *testing.T) {
	t.Parallel()
	a := newAttributes(smallBytes)
	a.text("a", "")
	a.plain("b", "")
	a.id("c", ulid.ULID{})
	a.yes("d", false)
	a.at("e", time.Time{})
	a.headers(nil)
	if got := string(a.object()); got != `{}` {
		t.Errorf("got %s", got)
	}
}

func TestAttributes_Headers(t *testing.T) {
	t.Parallel()
	a := newAttributes(smallBytes)
	many := map[string]string{}
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "X-Auth-Token", "Www-Authenticate", "Proxy-Authenticate"} {
		many[name] = "secret"
	}
	for i := range 20 {
		many["X-"+strings.Repeat("a", i)] = strings.Repeat("v", 100)
	}
	a.headers(many)
	var object map[string]string
	if err := json.Unmarshal(a.object(), &object); err != nil {
		t.Fatal(err)
	}
	var headers map[string]string
	if err := json.Unmarshal([]byte(object[KeyHeaders]), &headers); err != nil {
		t.Fatal(err)
	}
	for name, value := range many {
		if value == "secret" {
			many[name] = "[REDACTED]"
		}
	}
	if diff := cmp.Diff(many, headers); diff != "" {
		t.Error(diff)
	}
}

// someObject draws an object as attributes write it.
func someObject(t *rapid.T) (json.RawMessage, map[string]any) {
	members := rapid.MapOfN(rapid.StringMatching(`[a-c_.]{1,3}`), rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Float64Range(-9, 9), func(f float64) any { return f }),
		rapid.Map(rapid.SliceOf(rapid.StringMatching(`[\]\[,"\\{}a]*`)), func(s []string) any {
			list := []any{}
			for _, text := range s {
				list = append(list, text)
			}
			return list
		}),
		rapid.Map(rapid.StringMatching(`[\]\[,"\\{}a]*`), func(s string) any { return map[string]any{s: s, "x": []any{}} }),
	), 0, 6).Draw(t, "members")
	object, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return object, members
}

// TestMergeAttributes: it is what maps do, and what the standard encoder writes of the result.
func TestMergeAttributes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		earlier, first := someObject(t)
		later, second := someObject(t)
		maps.Copy(first, second)
		want, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if got := mergeAttributes(earlier, later); string(got) != string(want) {
			t.Fatalf("%s and %s:\ngot  %s\nwant %s", earlier, later, got, want)
		}
	})
	if got := mergeAttributes(nil, json.RawMessage(`{"a":1}`)); string(got) != `{"a":1}` {
		t.Errorf("with nothing: %s", got)
	}
}

// FuzzMergeAttributes: whatever stands in the rows, it ends.
func FuzzMergeAttributes(f *testing.F) {
	f.Add([]byte(`{"a":1}`), []byte(`{"a":"x\\","b":[{}]}`))
	f.Add([]byte(`{"a`), []byte(`{"a":"x\`))
	f.Fuzz(func(t *testing.T, earlier, later []byte) {
		merged := mergeAttributes(earlier, later)
		if json.Valid(earlier) && json.Valid(later) && len(earlier) > 2 && len(later) > 2 && earlier[0] == '{' && later[0] == '{' && !json.Valid(merged) &&
			!strings.ContainsAny(string(earlier)+string(later), " \t\r\n") {
			t.Errorf("%s and %s: %s", earlier, later, merged)
		}
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	one, two := ulid.ULID{1}, ulid.ULID{2}
	at := time.Unix(100, 0)
	row := func(run ulid.ULID, dynamic, id, name string, status Status, change ...func(*Span)) Span {
		s := Span{Run: run, Dynamic: dynamic, ID: id, Name: name, Status: status, Start: at, End: at}
		for _, c := range change {
			c(&s)
		}
		return s
	}
	began, ended := at.Add(-time.Second), at.Add(time.Second)
	rows := []Span{
		row(one, "r", "r", NameRun, Queued, func(s *Span) {
			s.Attributes, s.Input, s.EventIDs = json.RawMessage(`{"a":1,"c":3}`), json.RawMessage(`[1]`), []ulid.ULID{one}
			s.Summary = &Summary{Status: Queued, Cron: "c", Batch: two, Debounced: true}
		}),
		row(one, "s", "p", NameStep, Queued),
		row(two, "s", "p2", NameStep, Queued),
		row(one, "r", "x", NameExtend, Running, func(s *Span) {
			s.Start, s.Summary = began, &Summary{Status: Running, StartedAt: at}
		}),
		row(one, "s", "s", NameStep, Completed, func(s *Span) { s.Output, s.AI, s.Deferred = json.RawMessage(`2`), true, true }),
		row(one, "r", "y", NameExtend, Failed, func(s *Span) {
			s.End, s.Attributes, s.Output = ended, json.RawMessage(`{"b":2,"c":4}`), json.RawMessage(`3`)
			s.Summary = &Summary{Status: Failed, EndedAt: ended}
		}),
		row(one, "r", "z", NameExtend, Running, func(s *Span) { s.Summary = &Summary{Status: Running} }),
		row(one, "e", "e1", NameExtend, Running),
		row(one, "e", "e2", NameExtend, "", func(s *Span) { s.EventIDs, s.Summary = []ulid.ULID{two}, &Summary{Status: Running} }),
	}
	want := []Span{
		row(one, "r", "r", NameRun, Failed, func(s *Span) {
			s.Start, s.End, s.Attributes, s.Input, s.Output = began, ended, json.RawMessage(`{"a":1,"b":2,"c":4}`), json.RawMessage(`[1]`), json.RawMessage(`3`)
			s.EventIDs, s.Summary = []ulid.ULID{one}, &Summary{Status: Failed, StartedAt: at, EndedAt: ended, Cron: "c", Batch: two, Debounced: true}
		}),
		row(one, "s", "s", NameStep, Completed, func(s *Span) { s.Output, s.AI, s.Deferred = json.RawMessage(`2`), true, true }),
		row(two, "s", "p2", NameStep, Queued),
		row(one, "e", "e2", NameExtend, Running, func(s *Span) { s.EventIDs, s.Summary = []ulid.ULID{two}, &Summary{Status: Running} }),
	}
	if diff := cmp.Diff(want, Merge(slices.Clone(rows))); diff != "" {
		t.Error(diff)
	}
	if got := Merge(nil); len(got) != 0 {
		t.Errorf("nothing: %v", got)
	}
}

// TestMerge_InPartsIsMergeOfAll: rows that were put together before, as far as they were there, come to the same.
func TestMerge_StatusDoesNotGoBack(t *testing.T) {
	t.Parallel()
	row := func(id string, status Status) Span {
		a := newAttributes(smallBytes)
		a.status(status)
		return Span{Dynamic: "s", ID: id, Name: NameStep, Status: status, Attributes: a.object()}
	}
	merged := Merge([]Span{row("waits", Waiting), row("planned", Queued)})
	if len(merged) != 1 || merged[0].Status != Waiting || string(merged[0].Attributes) != `{"_inngest.dynamic.status":"Waiting"}` {
		t.Errorf("%s %s", merged[0].Status, merged[0].Attributes)
	}
}

func TestMerge_InPartsIsMergeOfAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var rows []Span
		for i := range rapid.IntRange(0, 12).Draw(t, "rows") {
			attributes, _ := someObject(t)
			s := Span{
				Dynamic: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "dynamic"), ID: string(rune('a' + i)), Name: rapid.SampledFrom([]string{NameStep, NameExtend}).Draw(t, "name"),
				Status: rapid.SampledFrom([]Status{"", Queued, Running, Completed, Failed}).Draw(t, "status"), Attributes: attributes,
				Start: time.Unix(rapid.Int64Range(0, 9).Draw(t, "start"), 0), End: time.Unix(rapid.Int64Range(0, 9).Draw(t, "end"), 0),
			}
			if rapid.Bool().Draw(t, "summary") {
				s.Summary = &Summary{Status: s.Status, EndedAt: s.End}
			}
			rows = append(rows, s)
		}
		cut := rapid.IntRange(0, len(rows)).Draw(t, "cut")
		parts := append(Merge(slices.Clone(rows[:cut])), Merge(slices.Clone(rows[cut:]))...)
		if diff := cmp.Diff(Merge(slices.Clone(rows)), Merge(parts)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestStepType(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"": "run", "step.run": "run", "step.ai.wrap": "aiWrap", "step.ai.infer": "aiInfer", "step.sendEvent": "sendEvent", "step.sendSignal": "sendSignal",
	} {
		if got := stepType(sdk.OpStepRun, kind); got != want {
			t.Errorf("%s: %s", kind, got)
		}
	}
	for op, want := range map[sdk.Opcode]string{
		sdk.OpSleep: "sleep", sdk.OpWaitForEvent: "waitForEvent", sdk.OpWaitForSignal: "waitForSignal", sdk.OpInvokeFunction: "invoke",
		sdk.OpAIGateway: "aiInfer", sdk.OpGateway: "fetch", sdk.OpStepFailed: "run",
	} {
		if got := stepType(op, ""); got != want {
			t.Errorf("%s: %s", op, got)
		}
	}
}
