package sdk_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/duration"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

func TestStandardError(t *testing.T) {
	t.Parallel()
	const attempt = "invalid status code: 500"
	long := `{"message":"` + strings.Repeat("m", 32<<10) + `"}`
	quoted := func(text string) string { encoded, _ := json.Marshal(text); return string(encoded) }
	for name, test := range map[string]struct {
		output string
		want   sdk.StdError
	}{
		"object": {
			`{"name":"TypeError","message":"m","stack":"s","cause":{"x":1},"__serialized":true}`,
			sdk.StdError{Error: attempt, Name: "TypeError", Message: "m", Stack: "s", Cause: raw(`{"x":1}`)},
		},
		"object with its own error text": {`{"error":"Could not find step","requestedStep":"x"}`, sdk.StdError{Error: "Could not find step", Name: "Error", Message: attempt}},
		"object in error":                {`{"message":"outer","error":{"error":"e","message":"inner"}}`, sdk.StdError{Error: "e", Name: "Error", Message: "inner"}},
		"object in body":                 {`{"error":"outer","body":{"name":"N","message":"inner"}}`, sdk.StdError{Error: attempt, Name: "N", Message: "inner"}},
		"object quoted in body":          {`{"body":` + quoted(`{"message":"inner"}`) + `}`, sdk.StdError{Error: attempt, Name: "Error", Message: "inner"}},
		"object quoted twice":            {`{"error":` + quoted(quoted(`{"message":"inner"}`)) + `}`, sdk.StdError{Error: attempt, Name: "Error", Message: "inner"}},
		"quoted text that is no object":  {`{"error":` + quoted(`[1]`) + `,"message":"m"}`, sdk.StdError{Error: `[1]`, Name: "Error", Message: "m"}},
		"quoted object that is too long": {`{"body":` + quoted(long) + `,"message":"m"}`, sdk.StdError{Error: attempt, Name: "Error", Message: "m"}},
		"members of other types":         {`{"error":[1],"name":5,"message":"","stack":null,"cause":null,"body":7}`, sdk.StdError{Error: attempt, Name: "Error", Message: attempt}},
		"plain text":                     {`Bad <Gateway>`, sdk.StdError{Error: attempt, Name: "Error", Message: "Bad <Gateway>"}},
		"string":                         {`"text"`, sdk.StdError{Error: attempt, Name: "Error", Message: "text"}},
		"empty string":                   {`""`, sdk.StdError{Error: attempt, Name: "Error", Message: attempt}},
		"other JSON":                     {`[1]`, sdk.StdError{Error: attempt, Name: "Error", Message: attempt}},
		"nothing":                        {``, sdk.StdError{Error: attempt, Name: "Error", Message: attempt}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, sdk.StandardError(raw(test.output), attempt)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReply_StandardError(t *testing.T) {
	t.Parallel()
	const reset = `{"error":{"error":"Unable to reach SDK URL","name":"Error","message":"Unable to reach SDK URL"}}`
	const tooLarge = `{"error":{"error":"output_too_large: Your function's response body exceeds the maximum size limit","name":"output_too_large","message":"Your function's response body exceeds the maximum size limit"}}`
	for name, test := range map[string]struct {
		response sdk.Response
		want     sdk.StdError
	}{
		"no failure":    {answer(200, `{}`), sdk.StdError{}},
		"JSON":          {answer(400, `{"name":"N","message":"m"}`, "X-Inngest-No-Retry", "true"), sdk.StdError{Error: "NonRetriableError", Name: "N", Message: "m"}},
		"JSON string":   {answer(500, `"just a string"`), sdk.StdError{Error: "invalid status code: 500", Name: "Error", Message: "invalid status code: 500"}},
		"plain text":    {answer(500, `just a text`), sdk.StdError{Error: "invalid status code: 500", Name: "Error", Message: "just a text"}},
		"of a stranger": {stranger(200, `<html>`), sdk.StdError{Error: "The response did not come from an Inngest SDK", Name: "Error", Message: "<html>"}},
		"no response":   {sdk.Response{TransportError: "Unable to reach SDK URL"}, sdk.StdError{Error: "Unable to reach SDK URL", Name: "Error", Message: reset}},
		"too large":     {sdk.Response{Status: 200, TooLarge: true}, sdk.StdError{Error: "output_too_large", Name: "Error", Message: tooLarge}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, sdk.Interpret(test.response, now).StandardError()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStdError_IsWrittenInOrder(t *testing.T) {
	t.Parallel()
	full := sdk.StdError{Error: "e", Name: "n", Message: "<m>", Stack: "s", Cause: raw(`{"x":1}`)}
	if got, want := string(full.AppendJSON(nil)), `{"error":"e","name":"n","message":"<m>","stack":"s","cause":{"x":1}}`; got != want {
		t.Errorf("AppendJSON = %s, want %s", got, want)
	}
	got, err := json.Marshal(map[string]any{"error": sdk.StdError{Error: "e", Name: "n", Message: "m"}})
	if want := `{"error":{"error":"e","name":"n","message":"m"}}`; err != nil || string(got) != want {
		t.Errorf("Marshal = %s, %v; want %s", got, err, want)
	}
}

func TestEngineOutput(t *testing.T) {
	t.Parallel()
	tooLong := &sdk.TooLongError{Raw: "2y"}
	for name, test := range map[string]struct {
		failure sdk.Failure
		want    string
	}{
		"text only":   {sdk.Failure{Text: "boom"}, `{"error":{"error":"boom","name":"Error","message":"boom"}}`},
		"code":        {sdk.Failure{Text: "InngestErrStateOverflowed", Name: "InngestErrStateOverflowed", Message: "The function run exceeded the state size limit of 5 bytes."}, `{"error":{"error":"InngestErrStateOverflowed: The function run exceeded the state size limit of 5 bytes.","name":"InngestErrStateOverflowed","message":"The function run exceeded the state size limit of 5 bytes."}}`},
		"own text":    {sdk.Failure{Text: "function has too many steps", Name: "InngestErrFunctionOverflowed", Message: "The function run exceeded the step limit of 3 steps."}, `{"error":{"error":"function has too many steps","name":"InngestErrFunctionOverflowed","message":"The function run exceeded the step limit of 3 steps."}}`},
		"conflict":    {sdk.Failure{Text: "Error", Name: "Error", Message: "Signal conflict; signal wait already exists for another run"}, `{"error":{"error":"Error: Signal conflict; signal wait already exists for another run","name":"Error","message":"Signal conflict; signal wait already exists for another run"}}`},
		"HTML, stack": {sdk.Failure{Text: "InvalidExpression", Name: "InvalidExpression", Message: "Wait for event If expression failed to compile", Stack: "error compiling expression: ERROR: <input>:1:21: Syntax error: …"}, `{"error":{"error":"InvalidExpression: Wait for event If expression failed to compile","name":"InvalidExpression","message":"Wait for event If expression failed to compile","stack":"error compiling expression: ERROR: \u003cinput\u003e:1:21: Syntax error: …"}}`},
		"too long":    {tooLong.Failure(), `{"error":{"error":"InngestErrTimeoutTooLong: The sleep \"2y\" ends more than one year in the future; sleeps may last at most one year.","name":"InngestErrTimeoutTooLong","message":"The sleep \"2y\" ends more than one year in the future; sleeps may last at most one year."}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(sdk.EngineOutput(test.failure)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestMemos(t *testing.T) {
	t.Parallel()
	for want, memo := range map[string]json.RawMessage{
		`null`:                                   sdk.SleepMemo,
		`{"data":null}`:                          sdk.RunMemo(nil),
		`{"data":{"a":1}}`:                       sdk.RunMemo(raw(`{"a":1}`)),
		`{"input":[7]}`:                          sdk.InputMemo(raw(`[7]`)),
		`{"error":{"message":"<m>","name":"n"}}`: sdk.ErrorMemo(sdk.OpError{Name: "n", Message: "<m>"}),
		`{"error":{"cause":{"y":1},"data":null,"message":"m\n","name":"n","noRetry":true,"stack":"é"}}`: sdk.ErrorMemo(sdk.OpError{
			Name: "n", Message: "m\n", Stack: "é", Data: raw(`null`), Cause: raw(`{"y":1}`), NoRetry: true,
		}),
	} {
		if string(memo) != want {
			t.Errorf("got %s, want %s", memo, want)
		}
	}
}

func TestSleepUntil(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		op   sdk.Op
		want time.Time
	}{
		"duration in the name": {sdk.Op{Name: "1s", Opts: raw(`{}`)}, now.Add(time.Second)},
		"opts win":             {sdk.Op{Name: "1s", Opts: raw(`{"duration":"2m"}`)}, now.Add(2 * time.Minute)},
		"empty opts do not":    {sdk.Op{Name: "1s", Opts: raw(`{"duration":""}`)}, now.Add(time.Second)},
		"days and weeks":       {sdk.Op{Name: "1w2d"}, now.Add(9 * 24 * time.Hour)},
		"no days":              {sdk.Op{Name: "0d1s"}, now.Add(time.Second)},
		"a long duration":      {sdk.Op{Name: "1d2h3m4s500ms"}, now.Add(26*time.Hour + 3*time.Minute + 4500*time.Millisecond)},
		"zero":                 {sdk.Op{Name: "0"}, now},
		"nothing":              {sdk.Op{}, now},
		"negative":             {sdk.Op{Name: "-5s"}, now},
		"a time":               {sdk.Op{Name: "2026-04-25T00:00:00.250Z"}, time.Date(2026, 4, 25, 0, 0, 0, 250_000_000, time.UTC)},
		"a day":                {sdk.Op{Name: "2026-11-23"}, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)},
		"a time in the past":   {sdk.Op{Name: "2020-01-01T00:00:00Z"}, now},
		"the longest":          {sdk.Op{Name: "366d"}, now.Add(366 * 24 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := sdk.SleepUntil(test.op, now); err != nil || !got.Equal(test.want) {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestSleepUntil_Refuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"abc", "5", "1 s", "10ss", "P1D", "no date at all"} {
		if end, err := sdk.SleepUntil(sdk.Op{ID: "a", Name: text}, now); !errors.Is(err, duration.ErrInvalid) {
			t.Errorf("%q: got %s, %v", text, end, err)
		}
	}
	for _, text := range []string{"367d", "53w", "2030-01-01"} {
		_, err := sdk.SleepUntil(sdk.Op{Name: text}, now)
		var tooLong *sdk.TooLongError
		want := `The sleep "` + text + `" ends more than one year in the future; sleeps may last at most one year.`
		if !errors.As(err, &tooLong) || err.Error() != want {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestWaitUntil(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"":                          now,
		"3d":                        now.Add(72 * time.Hour),
		"-5s":                       now,
		"2026-05-12T07:20:50.52Z":   time.Date(2026, 5, 12, 7, 20, 50, 520_000_000, time.UTC),
		"2023-10-12T07:20:50.52Z":   now,
		"2026-05-12T09:20:50+02:00": time.Date(2026, 5, 12, 7, 20, 50, 0, time.UTC),
	} {
		if got, err := sdk.WaitUntil(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %s, %v; want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"abc":                    `invalid duration "abc": time: invalid duration "abc"`,
		"2026-11-23":             `invalid duration "2026-11-23": time: unknown unit "-" in duration "2026-11-23"`,
		"2023-10-12T07:20:50.52": `invalid RFC 3339 timestamp "2023-10-12T07:20:50.52": parsing time`,
		"400d":                   `The wait-for-event timeout "400d" expires more than one year in the future; timeouts may last at most one year.`,
		"2030-01-01T00:00:00Z":   `The wait-for-event timeout "2030-01-01T00:00:00Z" expires more than one year in the future; timeouts may last at most one year.`,
	} {
		if _, err := sdk.WaitUntil(text, now); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestResult_IsTheInverseOfTheMemo(t *testing.T) {
	t.Parallel()
	for memo, want := range map[string]struct {
		value  string
		failed bool
	}{
		string(sdk.RunMemo([]byte(`{"data":1}`))):                   {`{"data":1}`, false},
		string(sdk.RunMemo(nil)):                                    {`null`, false},
		string(sdk.ErrorMemo(sdk.OpError{Name: "n", Message: "m"})): {`{"message":"m","name":"n"}`, true},
		string(sdk.SleepMemo):                                       {`null`, false},
		`{"data":{},"name":"event"}`:                                {`{"data":{},"name":"event"}`, false},
		`{"input":[1]}`:                                             {`{"input":[1]}`, false},
		`12`:                                                        {`12`, false},
		`no JSON`:                                                   {`no JSON`, false},
	} {
		if value, failed := sdk.Result([]byte(memo)); string(value) != want.value || failed != want.failed {
			t.Errorf("%s: %s, failed %t", memo, value, failed)
		}
	}
}
