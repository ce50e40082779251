package sdk

import (
	"encoding/json"
	"testing"
	"time"
)

func TestOp_About(t *testing.T) {
	t.Parallel()
	for opts, want := range map[string][2]string{
		``: {}, `[]`: {}, `{}`: {}, `{"type":"step.run","input":null}`: {"step.run", ""}, `{"x":1,"input":[1],"type":7}`: {"7", "[1]"},
	} {
		op := Op{Opts: json.RawMessage(opts)}
		if kind, input := op.About(); kind != want[0] || string(input) != want[1] {
			t.Errorf("%s: %s %s", opts, kind, input)
		}
	}
	for opts, want := range map[string]string{`{"body":{"a":1},"input":null}`: `{"a":1}`, `{"input":[2],"body":{"a":1}}`: `[2]`, `{"body":null}`: ""} {
		asks, fetches := Op{Op: OpAIGateway, Opts: json.RawMessage(opts)}, Op{Op: OpGateway, Opts: json.RawMessage(`{"body":"x"}`)}
		if _, input := asks.About(); string(input) != want {
			t.Errorf("%s: %s", opts, input)
		}
		if _, input := fetches.About(); input != nil {
			t.Errorf("a fetch: %s", input)
		}
	}
}

func TestOp_TimingThatCannotBeReadIsLeftOut(t *testing.T) {
	t.Parallel()
	for timing, known := range map[string]bool{
		`{"a":1700000000000000000,"b":5}`: true, `{"a":0,"b":5}`: false, `{"a":1,"b":-1}`: false, `{"a":"x"}`: false, `7`: false, `null`: false,
	} {
		var op Op
		op.parseTiming(json.RawMessage(timing))
		if op.StartedAt.IsZero() == known || known && op.EndedAt.Sub(op.StartedAt) != 5*time.Nanosecond {
			t.Errorf("%s: %v to %v", timing, op.StartedAt, op.EndedAt)
		}
	}
}
