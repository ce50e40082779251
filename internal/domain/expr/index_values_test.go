package expr

import (
	"fmt"
	"slices"
	"testing"
)

// TestIndex_TellsValuesApart: a condition is a candidate for each event with a value that == takes for equal, and for no event with
// another one.
func TestIndex_TellsValuesApart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ meets, misses []string }{
		`async.data.x == 5u`:                     {[]string{`5`, `5.0`}, []string{`"5"`, `6`, `[5]`}},
		`async.data.x == {"b": 2, "a": [1.0]}`:   {[]string{`{"a":[1],"b":2.0}`}, []string{`{"a":1,"b":2}`, `{"a":[1]}`, `null`}},
		`async.data.x in [{"a": null}, true, 0]`: {[]string{`{"a":null}`, `true`, `-0.0`}, []string{`{}`, `false`, `"true"`}},
		`!(async.data.x != [[], {}])`:            {[]string{`[[],{}]`}, []string{`[[]]`, `[{},[]]`}},
		`{"a": 1} in async.data.x`:               {[]string{`[{"a":1.0}]`, `[0,{"a":1}]`}, []string{`{"a":1}`, `[[{"a":1}]]`}},
	} {
		index := NewIndex[string]()
		if err := index.Add("id", text); err != nil {
			t.Fatal(err)
		}
		program := compiled(t, text)
		count := func(value string, want int) {
			e := withData(`{"x":` + value + `}`)
			if naive, _ := program.MatchAsync(NewSubject(e, at)); naive != (want == 1) {
				t.Errorf("%s on %s alone is %t", text, value, naive)
			}
			if met, err := index.Match("id", NewSubject(e, at)); met != (want == 1) {
				t.Errorf("%s on %s in the index is %t, %v", text, value, met, err)
			}
			if got := len(index.Candidates(NewSubject(e, at))); got != want {
				t.Errorf("%s on %s: %d candidates", text, value, got)
			}
		}
		for _, value := range want.meets {
			count(value, 1)
		}
		for _, value := range want.misses {
			count(value, 0)
		}
	}
}

// TestIndex_OfTextsThatAreNotShared: what lift does not understand is shared by equal texts only.
func TestIndex_OfTextsThatAreNotShared(t *testing.T) {
	t.Parallel()
	index := NewIndex[int]()
	for id, text := range []string{`async.data.x == r"a"`, `async.data.x == r"a"`, `async.data.x == r"b"`, `async.data.x == 5u`} {
		if err := index.Add(id, text); err != nil {
			t.Fatal(err)
		}
	}
	if got := index.Matches(NewSubject(withData(`{"x":"a"}`), at)); !slices.Equal(got, []int{0, 1}) || len(index.shapes) != 3 {
		t.Errorf("found %v among %d shapes", got, len(index.shapes))
	}
	if err := index.Add(9, `async.data.x == r"a" &&`); err == nil || index.Len() != 4 {
		t.Errorf("got %v, %d conditions", err, index.Len())
	}
	// From the middle, the head and the end of what waits for the same value.
	for id := 4; id < 6; id++ {
		if err := index.Add(id, `async.data.x == r"a"`); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range []struct {
		id   int
		want []int
	}{{4, []int{0, 1, 5}}, {5, []int{0, 1}}, {0, []int{1}}, {1, nil}} {
		if !index.Remove(one.id) {
			t.Errorf("%d is not there", one.id)
		}
		if got := index.Matches(NewSubject(withData(`{"x":"a"}`), at)); !slices.Equal(got, one.want) {
			t.Errorf("without %d: %v, want %v", one.id, got, one.want)
		}
	}
}

// TestIndex_FindsWhatTheReferenceMisses: conditions that the reference finds among few but not among many (spec 12 §8.4, 08).
func TestIndex_FindsWhatTheReferenceMisses(t *testing.T) {
	t.Parallel()
	for _, one := range [][2]string{
		{`async.data.a == "x" || async.data.ok == true`, `{"ok":true}`},
		{`async.data.a == "x" || async.data.b == async.data.c`, `{"b":1,"c":1}`},
		{`async.data.a == "x" || async.data.s.contains("x")`, `{"s":"axb"}`},
		{`!(async.data.a == "x" && async.data.b == "y")`, `{"a":"x","b":"q"}`},
		{`!("x" in async.data.tags)`, `{"tags":["y"]}`},
		{`1295 <= async.data.val`, `{"val":1295}`},
		{`2000 >= async.data.val`, `{"val":3}`},
		{`async.data.n < 5`, `{}`},
		{`async.data.n < 5`, `{"n":null}`},
		{`"k" in async.data.m`, `{"m":{"k":0}}`},
		{`async.data.x == [1.0, 2.0]`, `{"x":[1,2]}`},
		{`1e+06 == async.data.id`, `{"id":1000000}`},
		{`1000000 == async.data.id`, `{"id":1e6}`},
		{`"a\"b\n\\" == async.data.id`, `{"id":"a\"b\n\\"}`},
		{`async.data.x == null`, `{}`},
	} {
		index := NewIndex[int]()
		for id := range 100 {
			if err := index.Add(id, fmt.Sprintf(`async.data.id == "other%d"`, id)); err != nil {
				t.Fatal(err)
			}
		}
		if err := index.Add(1000, one[0]); err != nil {
			t.Fatal(err)
		}
		subject := NewSubject(withData(one[1]), at)
		if got := index.Matches(subject); !slices.Equal(got, []int{1000}) {
			t.Errorf("%s on %s: %v", one[0], one[1], got)
		}
		if got := index.Candidates(subject); len(got) != 1 {
			t.Errorf("%s on %s: candidates %v", one[0], one[1], got)
		}
	}
}
