package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
	partType = "multipart/form-data; boundary=XX"
)

// part is one field of a multipart body with the boundary XX.
func part(disposition, value string) string {
	return "--XX\r\nContent-Disposition: form-data" + disposition + "\r\n\r\n" + value + "\r\n"
}

func TestParse(t *testing.T) {
	t.Parallel()
	limits := Limits{MaxEventBytes: 30, MaxEvents: 3}
	cases := map[string]struct {
		body, contentType string
		want              []string
		err               string
	}{
		"empty":                   {body: ""},
		"space":                   {body: " \r\n\t"},
		"empty array":             {body: " [ ] "},
		"object":                  {body: ` {"name":"a"}`, want: []string{`{"name":"a"}`}},
		"object and more":         {body: `{"a":1}{"b":2}`, want: []string{`{"a":1}{"b":2}`}},
		"array in order":          {body: `[{"a":1}, {"b":2} ,{"c":3}]`, want: []string{`{"a":1}`, `{"b":2}`, `{"c":3}`}},
		"array of anything":       {body: `[1,null]`, want: []string{`1`, `null`}},
		"bytes after an array":    {body: `[{"a":1}]{{`, want: []string{`{"a":1}`}},
		"any content type":        {body: `{"a":1}`, contentType: formType, want: []string{`{"a":1}`}},
		"array without an end":    {body: `[{"a":1}`, err: `unexpected EOF`},
		"array after its comma":   {body: `[{"a":1}, `, err: `unexpected EOF`},
		"array of nothing":        {body: `[`, err: `unexpected EOF`},
		"cut element":             {body: `[{"a":1},{"a"`, err: `unexpected EOF`},
		"bad element":             {body: `[{"a":1},{a}]`, err: `invalid character 'a' looking for beginning of object key string`},
		"no comma":                {body: `[{"a":1} {"b":1}]`, err: `invalid character '{' after array element`},
		"trailing comma":          {body: `[{"a":1},]`, err: `invalid character ']' looking for beginning of value`},
		"at the size limit":       {body: `{"name":"012345678901234567"}x`, want: []string{`{"name":"012345678901234567"}x`}},
		"leading space is free":   {body: strings.Repeat(" ", 50) + `{}`, want: []string{`{}`}},
		"over the size limit":     {body: `{"name":"0123456789012345678"}x`, err: `Event is over the max size: Max 30 bytes / Size 31 bytes`},
		"element over it":         {body: `[{},{"name":"01234567890123456789"}]`, err: `Event is over the max size: Max 30 bytes / Size 31 bytes`},
		"as many as may be":       {body: `[1,2,3]`, want: []string{`1`, `2`, `3`}},
		"one too many":            {body: `[1,2,3,4`, err: `Cannot have more than 3 events in a batch`},
		"scalar":                  {body: `1`, contentType: jsonType, err: errShape.Reason},
		"null":                    {body: `null`, contentType: jsonType, err: errShape.Reason},
		"byte order mark":         {body: "\xef\xbb\xbf{}", contentType: jsonType, err: errShape.Reason},
		"no content type":         {body: `x`, err: errShape.Reason},
		"unknown content type":    {body: `x`, contentType: "text/plain", err: errShape.Reason},
		"form":                    {body: `a=1&b=%C3%A9+x&a=`, contentType: formType, want: []string{`{"a":["1",""],"b":["é x"]}`}},
		"form with a charset":     {body: `a=1`, contentType: formType + "; charset=utf-8", want: []string{`{"a":["1"]}`}},
		"form of nothing":         {body: `&`, contentType: formType, want: []string{`{}`}},
		"form with a bad escape":  {body: `a=%zz`, contentType: formType, err: `invalid URL escape "%zz"`},
		"form over the limit":     {body: `a=0123456789012345678901234567`, contentType: formType, err: `Event is over the max size: Max 30 bytes / Size 38 bytes`},
		"parts":                   {body: part(`; name="a"`, "1") + part(`; name="a"`, "") + part("", "x") + "--XX--\r\n", contentType: partType, want: []string{`{"a":["1",""]}`}},
		"no parts":                {body: "--XX--\r\n", contentType: partType, want: []string{`{}`}},
		"cut parts":               {body: "--XX\r\nContent-Dispo", contentType: partType, err: `malformed MIME header: missing colon: "Content-Dispo"`},
		"cut value":               {body: strings.TrimSuffix(part(`; name="a"`, "1"), "\r\n"), contentType: partType, err: `unexpected EOF`},
		"parts without boundary":  {body: "--XX--\r\n", contentType: "multipart/form-data", err: `multipart: boundary is empty`},
		"parts over the limit":    {body: part(`; name="a"`, strings.Repeat("x", 30)) + "--XX--\r\n", contentType: partType, err: `Event is over the max size: Max 30 bytes / Size 40 bytes`},
		"unreadable content type": {body: "x", contentType: ";", err: errShape.Reason},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events, err := Parse([]byte(c.body), c.contentType, limits)
			var got []string
			for _, one := range events {
				got = append(got, string(one))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.err, fmt.Sprint(errOr(err))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func errOr(err error) any {
	if err == nil {
		return ""
	}
	return err
}

func TestParse_DefaultLimits(t *testing.T) {
	t.Parallel()
	body := "[" + strings.Repeat("{},", 4999) + "{}]"
	if events, err := Parse([]byte(body), jsonType, Limits{}); err != nil || len(events) != 5000 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if _, err := Parse([]byte("[{},"+body[1:]), jsonType, Limits{}); err == nil || err.Error() != "Cannot have more than 5000 events in a batch" {
		t.Errorf("5001 events: %v", err)
	}
	large := `{"x":"` + strings.Repeat("y", 3145728-8) + `"}`
	if _, err := Parse([]byte(large), jsonType, Limits{}); err != nil {
		t.Errorf("%d bytes: %v", len(large), err)
	}
	if _, err := Parse([]byte(large+" "), jsonType, Limits{}); err == nil || err.Error() != "Event is over the max size: Max 3145728 bytes / Size 3145729 bytes" {
		t.Errorf("one byte more: %v", err)
	}
}

// TestParse_FormsAreRefusedInTheEnd as the running reference does (spec 03 §5).
func TestParse_FormsAreRefusedInTheEnd(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"name=a":        "json: cannot unmarshal array into Go struct field raw.name of type string",
		"data=a&name=b": "json: cannot unmarshal array into Go struct field raw.data of type map[string]interface {}",
		"other=a":       "event name is empty",
	} {
		events, err := Parse([]byte(body), formType, Limits{})
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: %d events, %v", body, len(events), err)
		}
		got, err := Decode(events[0])
		if err == nil {
			_, err = Normalise(got, now)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

func BenchmarkParseAndDecode(b *testing.B) {
	// As the TypeScript SDK sends it, about 100 bytes.
	small := `{"name":"user/created","data":{"id":12345,"email":"someone@example.com"},"id":"a1","ts":1700000000000}`
	spaced := strings.ReplaceAll(strings.ReplaceAll(small, ":", ": "), ",", ", ")
	double := strings.Replace(small, `"id":12345`, `"id":1,"id":12345`, 1)
	large := `{"name":"user/created","data":{"text":"` + strings.Repeat("lorem ipsum ", 10000) + `"}}`
	for name, one := range map[string]string{"100B": small, "100B/spaced": spaced, "100B/duplicate": double, "120kB": large} {
		b.Run("Decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(one)))
			raw := json.RawMessage(one)
			for b.Loop() {
				if _, err := Decode(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Parse/one", func(b *testing.B) {
		b.ReportAllocs()
		body := []byte("[" + small + "]")
		for b.Loop() {
			if _, err := Parse(body, jsonType, Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("All/one", func(b *testing.B) {
		b.ReportAllocs()
		body := []byte("[" + small + "]")
		var dst []byte
		for b.Loop() {
			events, err := Parse(body, jsonType, Limits{})
			if err != nil {
				b.Fatal(err)
			}
			got, err := Decode(events[0])
			if err == nil {
				got, err = Normalise(got, now)
			}
			if err != nil {
				b.Fatal(err)
			}
			dst = got.AppendStored(dst[:0])
		}
	})
}
