package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDecode_ReadsAllMembers(t *testing.T) {
	t.Parallel()
	got, err := Decode(json.RawMessage(` {"id":"i","name":"a/b","data":{"x" : [1, 2.0,"<é>"] },"ts":1700000000000,"v":"2",
		"user":{"u":1},"meta":{"sessions":{"s":"1"},"other":1},"sessions":{"no":"2"},"unknown":[{}]} `))
	if err != nil {
		t.Fatal(err)
	}
	want := Event{
		ID: "i", Name: "a/b", Data: json.RawMessage(`{"x":[1,2.0,"<é>"]}`), TS: 1700000000000, V: "2",
		User: json.RawMessage(`{"u":1}`), Sessions: map[string]string{"s": "1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecode_Members(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		raw  string
		want Event
	}{
		"null is empty":              {`null`, Event{Data: null}},
		"empty object":               {`{}`, Event{Data: null}},
		"any capitals":               {`{"NAME":"a","Data":{},"tS":1}`, Event{Name: "a", Data: json.RawMessage(`{}`), TS: 1}},
		"escaped member name":        {`{"n\u0061me":"a"}`, Event{Name: "a", Data: null}},
		"kelvin and long s":          {`{"uſer":{"a":1}}`, Event{Data: null, User: json.RawMessage(`{"a":1}`)}},
		"last wins":                  {`{"name":"a","data":{"a":1},"Name":"b","data":{"b":2}}`, Event{Name: "b", Data: json.RawMessage(`{"b":2}`)}},
		"null leaves text and ts":    {`{"name":"a","ts":5,"name":null,"ts":null,"id":null}`, Event{Name: "a", TS: 5, Data: null}},
		"null empties data and user": {`{"data":{"a":1},"user":{"a":1},"data":null,"user":null}`, Event{Data: null}},
		"null empties meta":          {`{"meta":{"sessions":{"a":"1"}},"meta":null}`, Event{Data: null}},
		"empty user is none":         {`{"user":{ }}`, Event{Data: null}},
		"escaped text":               {`{"name":"a\u00e9\n"}`, Event{Name: "aé\n", Data: null}},
		"negative ts":                {`{"ts":-1}`, Event{TS: -1, Data: null}},
		"invalid UTF-8 in a name":    {"{\"name\":\"a\xff\"}", Event{Name: "a\uFFFD", Data: null}},
		"data first, then much dropped": {`{"data":{"a":1},"x":{"long":"` + strings.Repeat("y", 99) + `"},"name":"n"}`,
			Event{Name: "n", Data: json.RawMessage(`{"a":1}`)}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(json.RawMessage(c.raw))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecode_CleansData(t *testing.T) {
	t.Parallel()
	many := func(from int, last string) string {
		var text strings.Builder
		for at := from; at < 40; at++ {
			fmt.Fprintf(&text, `"k%02d":{"v":1},`, at)
		}
		return `{` + text.String() + last + `}`
	}
	cases := map[string]struct{ in, want string }{
		"clean":                        {`{"b":1,"a":[true,false,null]}`, `{"b":1,"a":[true,false,null]}`},
		"space":                        {"{ \"a\" :\t[ 1 ,\r\n2 ] , \"b\" : { } , \"c\":[ ] }", `{"a":[1,2],"b":{},"c":[]}`},
		"numbers as sent":              {`{"a":9007199254740993,"b":1.0,"c":-0.0,"d":1E+21,"e":12345678901234567890123,"f":1e-400}`, `{"a":9007199254740993,"b":1.0,"c":-0.0,"d":1E+21,"e":12345678901234567890123,"f":1e-400}`},
		"escapes as sent":              {`{"a":"\/\u0041\n\u003c"}`, `{"a":"\/\u0041\n\u003c"}`},
		"html as sent":                 {`{"a":"<>&"}`, `{"a":"<>&"}`},
		"surrogate pair":               {`{"a":"\ud83c\udf4e"}`, `{"a":"\ud83c\udf4e"}`},
		"lone high":                    {`{"a":"x\ud83cy"}`, `{"a":"x` + "\uFFFD" + `y"}`},
		"high before another escape":   {`{"a":"\ud83c\u0041"}`, `{"a":"` + "\uFFFD" + `\u0041"}`},
		"high twice":                   {`{"a":"\ud83c\ud83c\udf4e"}`, `{"a":"` + "\uFFFD" + `\ud83c\udf4e"}`},
		"lone low":                     {`{"a":"\uDF4E"}`, `{"a":"` + "\uFFFD" + `"}`},
		"invalid UTF-8":                {"{\"a\":\"x\xff\xc3y\xe2\x82\"}", "{\"a\":\"x\uFFFD\uFFFDy\uFFFD\uFFFD\"}"},
		"U+FFFD itself":                {"{\"a\":\"\uFFFD\"}", "{\"a\":\"\uFFFD\"}"},
		"duplicates":                   {`{"a":1,"b":2,"a":3}`, `{"b":2,"a":3}`},
		"three times":                  {`{"a":1,"a":2,"b":0,"a":3}`, `{"b":0,"a":3}`},
		"only duplicates":              {`{"a":1,"a":2}`, `{"a":2}`},
		"duplicates by escape":         {`{"a":1,"\u0061":2}`, `{"a":2}`},
		"duplicate within a duplicate": {`{"o":{"a":1,"a":2},"p":[{"b":1,"b":2}],"o":{"c":1,"c":2}}`, `{"p":[{"b":2}],"o":{"c":2}}`},
		"same name at other levels":    {`{"a":{"a":{"a":1}}}`, `{"a":{"a":{"a":1}}}`},
		"many members":                 {many(0, `"last":1`), many(0, `"last":1`)},
		"duplicate of many":            {many(0, `"k00":2`), many(1, `"k00":2`)},
		"seventeenth is a duplicate":   {many(24, `"k24":2,"k24":3`), many(25, `"k24":3`)},
		"reindexed":                    {many(0, `"k00":2,"k00":3`), many(1, `"k00":3`)},
		"sixteenth is a duplicate":     {many(25, `"k25":1,"k25":2`), many(26, `"k25":2`)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(json.RawMessage(`{"name":"n","data":` + c.in + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got.Data)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecode_Errors(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ raw, want string }{
		"number":               {`1`, `json: cannot unmarshal number into Go value of type event.raw`},
		"text":                 {`"x"`, `json: cannot unmarshal string into Go value of type event.raw`},
		"array":                {`[]`, `json: cannot unmarshal array into Go value of type event.raw`},
		"bool":                 {`true`, `json: cannot unmarshal bool into Go value of type event.raw`},
		"name is a number":     {`{"name":1}`, `json: cannot unmarshal number into Go struct field raw.name of type string`},
		"name is an array":     {`{"name":["a"]}`, `json: cannot unmarshal array into Go struct field raw.name of type string`},
		"data is text":         {`{"data":"x"}`, `json: cannot unmarshal string into Go struct field raw.data of type map[string]interface {}`},
		"user is a bool":       {`{"user":false}`, `json: cannot unmarshal bool into Go struct field raw.user of type map[string]interface {}`},
		"ts is text":           {`{"ts":"1"}`, `json: cannot unmarshal string into Go struct field raw.ts of type int64`},
		"ts is a fraction":     {`{"ts":1.5}`, `json: cannot unmarshal number 1.5 into Go struct field raw.ts of type int64`},
		"ts is too large":      {`{"ts":9223372036854775808}`, `json: cannot unmarshal number 9223372036854775808 into Go struct field raw.ts of type int64`},
		"first of two":         {`{"id":1,"name":2}`, `json: cannot unmarshal number into Go struct field raw.id of type string`},
		"meta is a number":     {`{"meta":1}`, `json: cannot unmarshal number into Go struct field raw.meta of type event.Meta`},
		"no double holds it":   {`{"data":{"a":1e400}}`, `json: cannot unmarshal number 1e400 into Go struct field raw.data of type float64`},
		"nor this":             {`{"data":{"a":` + strings.Repeat("9", 400) + `}}`, `json: cannot unmarshal number ` + strings.Repeat("9", 400) + ` into Go struct field raw.data of type float64`},
		"empty":                {``, `unexpected end of JSON input`},
		"syntax before type":   {`{"name":1,`, `unexpected end of JSON input`},
		"second value":         {"{}\n{}", `invalid character '{' after top-level value`},
		"no colon":             {`{"a" 1}`, `invalid character '1' after object key`},
		"no comma":             {`{"a":1 "b"}`, `invalid character '"' after object key:value pair`},
		"no comma in data":     {`{"data":{"a":1 "b"}}`, `invalid character '"' after object key:value pair`},
		"no comma in an array": {`{"a":[1 2]}`, `invalid character '2' after array element`},
		"trailing comma":       {`{"a":1,}`, `invalid character '}' looking for beginning of object key string`},
		"trailing comma array": {`{"a":[1,]}`, `invalid character ']' looking for beginning of value`},
		"bare word":            {`{"a":nope}`, `invalid character 'o' in literal null (expecting 'u')`},
		"apostrophe":           {`{'a':1}`, `invalid character '\'' looking for beginning of object key string`},
		"control character":    {"{\"a\":\"\n\"}", `invalid character '\n' in string literal`},
		"escape":               {`{"a":"\x"}`, `invalid character 'x' in string escape code`},
		"hex escape":           {`{"a":"\u00g0"}`, `invalid character 'g' in \u hexadecimal character escape`},
		"low hex escape":       {`{"a":"\ud800\u0g"}`, `invalid character 'g' in \u hexadecimal character escape`},
		"minus":                {`{"a":-x}`, `invalid character 'x' in numeric literal`},
		"point":                {`{"a":1.x}`, `invalid character 'x' after decimal point in numeric literal`},
		"exponent":             {`{"a":1e+x}`, `invalid character 'x' in exponent of numeric literal`},
		"too deep":             {`{"a":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}`, `exceeded max depth`},
		"too deep objects":     {`{"a":` + strings.Repeat(`{"a":`, 10001) + `1` + strings.Repeat("}", 10001) + `}`, `exceeded max depth`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(json.RawMessage(c.raw))
			if err == nil {
				t.Fatalf("decoded as %+v", got)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecode_CutAnywhereIsAnError(t *testing.T) {
	t.Parallel()
	whole := `{"id":"i\u0041\n","name":"n","data":{"a":[1.5e+3,-2,true,null,{"b":"\ud83c\udf4e"}]},"ts":1}`
	if _, err := Decode(json.RawMessage(whole)); err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		if _, err := Decode(json.RawMessage(whole[:cut])); err == nil || err.Error() != errEnd.Reason {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestDecode_KeepsNoMemoryOfTheRequest(t *testing.T) {
	t.Parallel()
	raw := json.RawMessage(`{"name":"name","data":{"a":"b"}}`)
	got, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	for at := range raw {
		raw[at] = '!'
	}
	if diff := cmp.Diff(Event{Name: "name", Data: json.RawMessage(`{"a":"b"}`)}, got); diff != "" {
		t.Error(diff)
	}
}

// TestDecode_HostileDuplicates takes far longer than a test may if removing duplicates is not near linear.
func TestDecode_HostileDuplicates(t *testing.T) {
	t.Parallel()
	const depth = 9000
	nested := strings.Repeat(`{"a":0,"a":`, depth) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("}", depth)
	got, err := Decode(json.RawMessage(`{"data":` + nested + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := depth*len(`{"a":}`) + 1<<20 + 2; len(got.Data) != want {
		t.Errorf("%d bytes are left, want %d", len(got.Data), want)
	}
}

// anyJSON draws a value and the same value written with needless space.
func anyJSON(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 6
		if depth == 0 {
			kinds = 4
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.Float64().Draw(t, "number")
		case 3:
			return strings.ToValidUTF8(rapid.String().Draw(t, "text"), "")
		case 4:
			return rapid.SliceOfN(anyJSON(depth-1), 0, 4).Draw(t, "array")
		default:
			return rapid.MapOfN(rapid.String().Filter(utf8.ValidString), anyJSON(depth-1), 0, 20).Draw(t, "object")
		}
	})
}

func TestDecode_CleanDataMeansTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		object := rapid.MapOfN(rapid.String().Filter(utf8.ValidString), anyJSON(2), 0, 20).Draw(rt, "data")
		indented, err := json.MarshalIndent(map[string]any{"data": object}, " ", "\t")
		if err != nil {
			rt.Fatal(err)
		}
		got, err := Decode(indented)
		if err != nil {
			rt.Fatal(err)
		}
		compact, err := json.Marshal(object)
		if err != nil {
			rt.Fatal(err)
		}
		var is, want any
		if err := json.Unmarshal(got.Data, &is); err != nil {
			rt.Fatal(err)
		}
		if err := json.Unmarshal(compact, &want); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, is); diff != "" || len(got.Data) > len(compact) {
			rt.Errorf("%s is not the clean form of %s: %s", got.Data, compact, diff)
		}
	})
}
