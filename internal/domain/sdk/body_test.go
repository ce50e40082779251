package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// anInput is a call of a run with the given memos, in the order of the stack.
func anInput(memos ...string) sdk.CallInput {
	in := sdk.CallInput{
		RunID: ulid.MustParse("01J8ZKZ5H4X0V6QK3N8N3W9R7T"), FunctionID: uuid.MustParse("0962ad32-f7ff-5270-b4fb-29d9bbac93b2"),
		StepID: "step", JobID: "3w5j0v5g0k3xd", RequestID: "01HF7YAT000YKTD0RRPDWRPQDS", GenerationID: 1,
		MaxAttempts: 5, RequestVersion: 1, Current: len(memos), Steps: map[string]json.RawMessage{},
		Event: raw(`{"data":{"a":1},"id":"01J","name":"user/created","ts":1700000000000,"user":{}}`),
	}
	in.Events = []json.RawMessage{in.Event}
	for i, memo := range memos {
		id := fmt.Sprintf("%040x", len(memos)-i)
		in.Stack = append(in.Stack, id)
		in.Steps[id] = raw(memo)
	}
	return in
}

func body(t testing.TB, in sdk.CallInput) string {
	t.Helper()
	text, err := sdk.AppendBody([]byte("before "), in)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimPrefix(text, []byte("before ")))
}

func TestAppendBody_WritesTheExampleOfTheProtocol(t *testing.T) {
	t.Parallel()
	in := anInput()
	in.Stack, in.Current = []string{"98bf98df193bcce7c33e6bc50927cf2ac21206cb"}, 1
	in.Steps = map[string]json.RawMessage{in.Stack[0]: raw(`{"data":"hi"}`), "not on the stack": raw(`1`)}
	want := `{"ctx":{"attempt":0,"disable_immediate_execution":false,"env":"","fn_id":"0962ad32-f7ff-5270-b4fb-29d9bbac93b2",` +
		`"generation_id":1,"job_id":"3w5j0v5g0k3xd","max_attempts":5,"qi_id":"M3c1ajB2NWcwazN4ZDo6ZGVmYXVsdA==",` +
		`"request_id":"01HF7YAT000YKTD0RRPDWRPQDS","run_id":"01J8ZKZ5H4X0V6QK3N8N3W9R7T",` +
		`"stack":{"current":1,"stack":["98bf98df193bcce7c33e6bc50927cf2ac21206cb"]},"step_id":"step","use_api":false},` +
		`"defers":{},"event":{"data":{"a":1},"id":"01J","name":"user/created","ts":1700000000000,"user":{}},` +
		`"events":[{"data":{"a":1},"id":"01J","name":"user/created","ts":1700000000000,"user":{}}],` +
		`"steps":{"98bf98df193bcce7c33e6bc50927cf2ac21206cb":{"data":"hi"}},"use_api":false,"version":1}`
	if diff := cmp.Diff(want, body(t, in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAppendBody_LeavesOutWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	in := sdk.CallInput{StepID: "step", Event: raw(`{}`), DisableImmediateExecution: true, RequestVersion: -1}
	want := `{"ctx":{"attempt":0,"disable_immediate_execution":true,"env":"","fn_id":"00000000-0000-0000-0000-000000000000",` +
		`"max_attempts":0,"qi_id":"","run_id":"00000000000000000000000000","stack":{"current":0,"stack":[]},"step_id":"step","use_api":false},` +
		`"defers":{},"event":{},"events":[],"steps":{},"use_api":false,"version":-1}`
	if diff := cmp.Diff(want, body(t, in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAppendBody_WritesDefersAndInputs(t *testing.T) {
	t.Parallel()
	in := anInput(`{"data":1}`)
	in.Defers = map[string]bool{"d2": false, "d1": true}
	in.Inputs = map[string]json.RawMessage{"zz \"é\"": raw(`{"input":[7]}`), in.Stack[0]: raw(`{"input":[8]}`)}
	text := body(t, in)
	for _, part := range []string{
		`"defers":{"d1":{"abortable":true},"d2":{"abortable":false}}`,
		`"steps":{"` + in.Stack[0] + `":{"data":1},"zz \"é\"":{"input":[7]}}`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is not in %s", part, text)
		}
	}
}

func TestAppendBody_NamesAStepWithoutMemo(t *testing.T) {
	t.Parallel()
	in := anInput(`1`, `2`)
	delete(in.Steps, in.Stack[1])
	text, err := sdk.AppendBody([]byte("before"), in)
	var mismatch *sdk.MismatchError
	want := "state and stack mismatch: " + in.Stack[1] + " not found in state; the function has probably ended"
	if !errors.As(err, &mismatch) || err.Error() != want || string(text) != "before" {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
}

func TestAppendBody_TrimsWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	memo := func(size int) string { return `"` + strings.Repeat("x", size-2) + `"` }
	type shape struct {
		UseAPI        bool
		Events, Steps int
	}
	for name, test := range map[string]struct {
		event, memos int
		language     string
		want         shape
	}{
		"small":                                {100, 100, "js", shape{false, 1, 2}},
		"two memos just too large":             {100, 2 << 20, "js", shape{true, 1, 0}},
		"the same for Go":                      {100, 2 << 20, "go", shape{false, 1, 2}},
		"more than Go takes":                   {100, 50 << 20, "go", shape{true, 1, 0}},
		"an event of 2,000,000 bytes":          {2_000_000, 100, "py", shape{false, 1, 2}},
		"an event of 3,000,000 bytes":          {3_000_000, 100, "py", shape{true, 0, 0}},
		"an event that is too large by itself": {5_000_000, 100, "", shape{true, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := anInput(memo(test.memos), memo(test.memos))
			in.Language = test.language
			in.Event = raw(memo(test.event))
			in.Events = []json.RawMessage{in.Event}
			var got struct {
				Ctx struct {
					UseAPI bool `json:"use_api"`
					Stack  struct{ Stack []string }
				}
				Event  json.RawMessage
				Events []json.RawMessage
				Steps  map[string]json.RawMessage
				UseAPI bool `json:"use_api"`
			}
			if err := json.Unmarshal([]byte(body(t, in)), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, shape{got.UseAPI, len(got.Events), len(got.Steps)}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Ctx.UseAPI != got.UseAPI || len(got.Ctx.Stack.Stack) != 2 || len(got.Event) != test.event {
				t.Errorf("ctx.use_api %v, stack of %d, event of %d bytes", got.Ctx.UseAPI, len(got.Ctx.Stack.Stack), len(got.Event))
			}
		})
	}
}

// A body is canonical whenever its pieces are, so its keys are sorted at every level.
func TestAppendBody_IsCanonical(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := anInput()
		in.Attempt = rapid.IntRange(0, 100).Draw(t, "attempt")
		in.GenerationID = rapid.IntRange(0, 3).Draw(t, "generation")
		in.JobID = rapid.String().Draw(t, "job")
		in.Stack = rapid.SliceOf(rapid.StringMatching(`[ -~]{0,40}`)).Draw(t, "stack")
		for _, id := range in.Stack {
			in.Steps[id] = raw(`{"data":` + rapid.SampledFrom([]string{"null", "1", `"é"`, "{}"}).Draw(t, "data") + `}`)
		}
		text, err := sdk.AppendBody(nil, in)
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := sdk.CanonicalBody(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(canonical), string(text)); diff != "" {
			t.Fatalf("(-canonical +got):\n%s", diff)
		}
	})
}

func TestAppendActions(t *testing.T) {
	t.Parallel()
	steps := map[string]json.RawMessage{"b": raw(`{"data":9007199254740993}`), "a": raw(`null`), "x": raw(`1`)}
	inputs := map[string]json.RawMessage{"c": raw(`{"input":[1]}`)}
	got := string(sdk.AppendActions(nil, []string{"b", "a", "gone"}, steps, inputs))
	if want := `{"a":null,"b":{"data":9007199254740993},"c":{"input":[1]}}` + "\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(sdk.AppendActions(nil, nil, nil, nil)); got != "{}\n" {
		t.Errorf("without steps: %s", got)
	}
}

func BenchmarkAppendBody(b *testing.B) {
	for _, steps := range []int{0, 50, 1000} {
		b.Run(fmt.Sprintf("steps=%d", steps), func(b *testing.B) {
			memos := make([]string, steps)
			for i := range memos {
				memos[i] = `{"data":{"n":1,"text":"hello world"}}`
			}
			in := anInput(memos...)
			buffer := make([]byte, 0, 1<<20)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sdk.AppendBody(buffer, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
