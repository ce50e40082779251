package expr

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestIndex_FindsWhatEachConditionMatches: whatever is added, replaced and removed, the candidates contain all conditions that the
// event meets, and each is matched as if it stood alone.
func TestIndex_FindsWhatEachConditionMatches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		index := NewIndex[int]()
		texts := map[int]string{}
		var order []int
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			id := rapid.IntRange(0, 8).Draw(t, "id")
			gone := slices.DeleteFunc(slices.Clone(order), func(one int) bool { return one == id })
			if rapid.IntRange(0, 4).Draw(t, "remove") == 0 {
				if _, known := texts[id]; index.Remove(id) != known {
					t.Fatal("Remove does not tell what it did")
				}
				delete(texts, id)
				order = gone
				continue
			}
			text := drawCondition(t, []string{"async"}, rapid.IntRange(0, 3).Draw(t, "depth"))
			_, want := Compile(text)
			if err := index.Add(id, text); (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
				t.Fatalf("%s: %v, want %v", text, err, want)
			} else if err == nil {
				texts[id] = text
				gone = append(gone, id)
				order = gone
			}
		}
		e := drawEvent(t, "event")
		candidates := index.Candidates(NewSubject(e, at))
		var want []int
		for _, id := range order {
			program, err := Compile(texts[id])
			if err != nil {
				t.Fatal(err)
			}
			alone, aloneErr := program.MatchAsync(NewSubject(e, at))
			shared, sharedErr := index.Match(id, NewSubject(e, at))
			if alone != shared || fmt.Sprint(aloneErr) != fmt.Sprint(sharedErr) {
				t.Fatalf("%s on %s: %t, %v; in the index %t, %v", texts[id], e.Data, alone, aloneErr, shared, sharedErr)
			}
			if alone {
				want = append(want, id)
			}
			if alone && !slices.Contains(candidates, id) {
				t.Fatalf("%s on %s is no candidate", texts[id], e.Data)
			}
			if alone && !hasKey(program, NewSubject(e, at)) {
				t.Fatalf("%s on %s has no key in common", texts[id], e.Data)
			}
		}
		if diff := cmp.Diff(want, index.Matches(NewSubject(e, at))); diff != "" {
			t.Fatal(diff)
		}
		if index.Len() != len(texts) {
			t.Fatalf("%d conditions, want %d", index.Len(), len(texts))
		}
	})
}

func TestIndex_ManyCandidatesAreAvoided(t *testing.T) {
	t.Parallel()
	index := NewIndex[string]()
	for at := range 200 {
		id := fmt.Sprintf("u%d", at)
		for _, text := range []string{
			`async.data.type == "x" && async.data.id == "` + id + `"`, // the literal that all share is not what they are filed under
			`"` + id + `" in async.data.tags`,
			`async.data.l in [["` + id + `"], [1]]`,
		} {
			if err := index.Add(id+text, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	e := withData(`{"type":"x","id":"u7","tags":["u8","u9"],"l":["u3"]}`)
	if got := index.Candidates(NewSubject(e, at)); len(got) > 6 || len(index.Matches(NewSubject(e, at))) != 4 {
		t.Errorf("candidates %v", got)
	}
	if len(index.shapes) != 3 {
		t.Errorf("%d shapes", len(index.shapes))
	}
	for at := range 200 {
		id := fmt.Sprintf("u%d", at)
		index.Remove(id + `"` + id + `" in async.data.tags`)
	}
	if len(index.shapes) != 2 || index.Len() != 400 {
		t.Errorf("%d shapes, %d conditions", len(index.shapes), index.Len())
	}
	if met, err := index.Match("none", NewSubject(e, at)); met || err != nil {
		t.Errorf("got %t, %v", met, err)
	}
	if err := index.Add("bad", `async.data.id == `); err == nil || index.Len() != 400 {
		t.Errorf("got %v", err)
	}
	if got := index.Candidates(NewSubject(withData(`{`), at)); len(got) != 0 {
		t.Errorf("candidates %v", got)
	}
}

func TestLift(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`async.data.x == "a" && 5 < async.y`: "async.data.x == \x00s && \x00i < async.y",
		`async.x == -1.5e3`:                  "async.x == \x00d",
		`async.x - 5 == 'é'`:                 "async.x - \x00i == \x00s",
		`async.a["b"] in ["b"]`:              "async.a[\"b\"] in [\x00s]",
		`async.a1 == "q\"\n"`:                "async.a1 == \x00s",
		`async.x == r"a"`:                    "", `async.x == """a"""`: "", "async.`a` == 1": "", `async.x == 5u`: "", `async.x == 0x1F`: "",
		`async.x == "\u0041"`: "", `async.x == .5`: "", `a // "`: "", `async.x == "`: "", `async.x == 9223372036854775808`: "", "\x00": "", `"a\`: "",
	} {
		got, ok := lift(text)
		if ok != (want != "") || ok && got.key.String() != want {
			t.Errorf("%s: %v, %+v", text, ok, got)
			continue
		}
		if program, same, err := recompiled(got, ok); err != nil || ok && !same {
			t.Errorf("%s: %v, the parser sees other literals: %v", text, program, err)
		}
	}
}

func recompiled(lifted *lifting, ok bool) (*Program, bool, error) {
	if !ok {
		return nil, false, nil
	}
	return lifted.compileShape()
}

func TestCache(t *testing.T) {
	t.Parallel()
	cache := NewCache(2)
	first, err := cache.Compile(`async.a == 1`)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`async.a == 2`, `async.a == 1`, `async.a == 3`} {
		if _, err := cache.Compile(text); err != nil {
			t.Fatal(err)
		}
	}
	if again, _ := cache.Compile(`async.a == 1`); again != first || cache.Len() != 2 {
		t.Errorf("what was used last was forgotten; %d programs", cache.Len())
	}
	if _, known := cache.byText[`async.a == 2`]; known {
		t.Error("what was not used for longest is kept")
	}
	if cache.Keep(compiled(t, `async.a == 1`)) != first {
		t.Error("two programs are kept for one text")
	}
	if _, err := cache.Compile(`async.a ==`); err == nil || cache.Len() != 2 {
		t.Errorf("got %v", err)
	}
}

// FuzzInterpolate: whatever is accepted keeps its meaning.
func FuzzInterpolate(f *testing.F) {
	for _, one := range readWaits(f) {
		f.Add(one.If, one.Trigger, one.Incoming)
	}
	f.Fuzz(func(t *testing.T, text, trigger, incoming string) {
		template, err := CompileTemplate(text)
		if err != nil || !strings.Contains(text, "event.") {
			return
		}
		result, err := template.Interpolate(withData(trigger))
		if err != nil {
			return
		}
		program, err := Compile(result)
		if err != nil {
			t.Fatalf("%s became %s: %v", text, result, err)
		}
		want, wantErr := met(template.program.run(&frame{event: NewSubject(withData(trigger), at), async: NewSubject(withData(incoming), at), now: at}))
		got, gotErr := program.MatchAsync(NewSubject(withData(incoming), at))
		if got != want {
			t.Errorf("%s is %t, %v; %s is %t, %v", text, want, wantErr, result, got, gotErr)
		}
	})
}

// FuzzIndex: a condition in an index matches as it does alone, also when it uses a program that was made for other literals.
func FuzzIndex(f *testing.F) {
	for _, one := range readWaits(f) {
		f.Add(one.If, `async.data.id == "u2"`, one.Incoming)
	}
	f.Fuzz(func(t *testing.T, text, other, data string) {
		index := NewIndex[string]()
		_ = index.Add("other", other) // any text will do
		if err := index.Add("text", text); err != nil {
			if _, want := Compile(text); want == nil || want.Error() != err.Error() {
				t.Errorf("%q: %v, want %v", text, err, want)
			}
			return
		}
		program, err := Compile(text)
		if err != nil {
			t.Fatalf("%q is accepted by the index: %v", text, err)
		}
		want, _ := program.MatchAsync(NewSubject(withData(data), at))
		if got := slices.Contains(index.Matches(NewSubject(withData(data), at)), "text"); got != want {
			t.Errorf("%q on %s: %t, in the index %t", text, data, want, got)
		}
	})
}

func BenchmarkIndex(b *testing.B) {
	for _, waits := range []int{1e3, 1e5} {
		b.Run(fmt.Sprintf("waits=%.0e", float64(waits)), func(b *testing.B) {
			texts := make([]string, waits)
			for at := range texts {
				texts[at] = fmt.Sprintf(`"01JA3ZKQ5V0000000000%06d" == async.data.id && async.data.n >= %d`, at, at)
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			index := NewIndex[[16]byte]()
			for at, text := range texts {
				if err := index.Add([16]byte{byte(at), byte(at >> 8), byte(at >> 16)}, strings.Clone(text)); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			e := withData(fmt.Sprintf(`{"id":"01JA3ZKQ5V0000000000%06d","n":1000000}`, waits/2))
			b.ReportAllocs()
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(waits), "B/wait")
			b.ResetTimer()
			for b.Loop() {
				if got := index.Matches(NewSubject(e, at)); len(got) != 1 {
					b.Fatal(got)
				}
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(waits), "B/wait")
			runtime.KeepAlive(texts)
		})
	}
}

func BenchmarkIndexAdd(b *testing.B) {
	index := NewIndex[int]()
	b.ReportAllocs()
	for at := 0; b.Loop(); at++ {
		if err := index.Add(at, fmt.Sprintf(`"u%d" == async.data.id`, at)); err != nil {
			b.Fatal(err)
		}
	}
}

// An index that shares what was compiled before finds what one without a past finds, however conditions come and go.
func TestSharedIndex_IsLikeAnother(t *testing.T) {
	t.Parallel()
	texts := []string{
		`async.data.id == "a"`, `async.data.id == "b"`, `async.data.n > 1 || async.data.id == 'c'`, `has(async.data.x)`, "`", `async.data.id == "a" // b`,
	}
	rapid.Check(t, func(t *rapid.T) {
		past := NewCache(2) // fewer than there are, so that some are let go
		plain, shared, other := NewIndex[int](), NewSharedIndex[int](past), NewSharedIndex[int](past)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			id := rapid.IntRange(0, 3).Draw(t, "id")
			if rapid.Bool().Draw(t, "remove") {
				if plain.Remove(id) != shared.Remove(id) {
					t.Fatal("one of them had no condition to remove")
				}
				continue
			}
			text := rapid.SampledFrom(texts).Draw(t, "text")
			if wantErr, err := plain.Add(id, text), shared.Add(id, text); (wantErr == nil) != (err == nil) {
				t.Fatalf("add %s: %v, want %v", text, err, wantErr)
			}
			_ = other.Add(id, text) // the same as for the others
			other.Remove(id)
		}
		for _, data := range []string{`{"id":"a"}`, `{"id":"c","n":1}`, `{"n":2,"x":null}`} {
			subject := NewSubject(withData(data), at)
			if got, want := shared.Matches(subject), plain.Matches(subject); !slices.Equal(got, want) {
				t.Fatalf("%s meets %v, want %v", data, got, want)
			}
		}
		if len(other.shapes) != 0 || past.Len() > 2 || len(shared.shapes) != len(plain.shapes) {
			t.Fatalf("%d, %d and %d shapes, %d in the past", len(other.shapes), len(shared.shapes), len(plain.shapes), past.Len())
		}
	})
}
