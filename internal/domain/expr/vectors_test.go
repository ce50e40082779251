package expr

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/event"
)

// at is the instant of the tests.
var at = time.Date(2026, 8, 21, 0, 5, 0, 0, time.UTC)

// vector is one row of testdata/vectors.jsonl: what the running reference answered (spec 12 §5.1). Result is the value's text.
type vector struct {
	Expression string          `json:"expression"`
	Event      json.RawMessage `json:"event"`
	Result     string          `json:"result"`
	Error      bool            `json:"error"`
	Refused    string          `json:"refused"`
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	file, err := os.Open("testdata/vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var vectors []vector
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var one vector
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, one)
	}
	return vectors
}

// different are the rows that come out as CEL says instead of as the reference does, which does not process escapes and prefixes.
var different = map[string]string{
	`'a\nb'`:                       "a\nb",
	`"a\"b"`:                       `a"b`,
	`'it\'s'`:                      `it's`,
	`r"a\d"`:                       `a\d`,
	`b"abc"`:                       `[97 98 99]`,
	`"""abc"""`:                    `abc`,
	"event.data.a.`b-c`":           `false`, // refused by the reference; the row has no data
	`event.data.s == "\u65e5"`:     `true`,
	`event.data.s.matches('\\d+')`: `true`,
}

func TestVectors(t *testing.T) {
	t.Parallel()
	vectors := readVectors(t)
	if len(vectors) < 300 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, one := range vectors {
		t.Run(one.Expression, func(t *testing.T) {
			t.Parallel()
			program, err := Compile(one.Expression)
			if _, accepted := different[one.Expression]; one.Refused != "" && !accepted {
				if err == nil || !strings.HasPrefix(err.Error(), "error compiling expression: ERROR: <input>:"+one.Refused) {
					t.Errorf("got %v, want refused at %s", err, one.Refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := one.Result
			if own, found := different[one.Expression]; found {
				want = own
			}
			if one.Expression == `"tab\tx" == event.data.s` {
				want = map[bool]string{true: "true", false: "false"}[strings.Contains(string(one.Event), `"tab\tx"`)]
			}
			if one.Event == nil {
				one.Event = json.RawMessage(`{}`)
			}
			e, err := event.Decode(one.Event)
			if err != nil {
				t.Fatal(err)
			}
			if e.Name == "" {
				e.Name = "x/c084"
			}
			if e.TS == 0 {
				e.TS = at.UnixMilli() - 1
			}
			before := string(e.Data)
			got, err := program.evaluate(NewSubject(e, at))
			if one.Error {
				if err == nil {
					t.Errorf("on %s: got %s, want an error", one.Event, textOf(got))
				}
				return
			}
			if err != nil {
				t.Fatalf("on %s: %v", one.Event, err)
			}
			if diff := cmp.Diff(want, textOf(got)); diff != "" {
				t.Errorf("on %s: %s", one.Event, diff)
			}
			if string(e.Data) != before {
				t.Error("the event was changed")
			}
		})
	}
}
