package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

var now = time.Date(2026, 4, 24, 12, 0, 0, 500_000_000, time.UTC)

// answer is a response of the TS SDK; headers are names and values in turn.
func answer(status int, body string, headers ...string) sdk.Response {
	response := sdk.Response{Status: status, Body: []byte(body), Header: map[string]string{"X-Inngest-Sdk": "inngest-js:v4.18.1"}}
	for i := 0; i < len(headers); i += 2 {
		response.Header[headers[i]] = headers[i+1]
	}
	return response
}

func stranger(status int, body string, headers ...string) sdk.Response {
	response := answer(status, body, headers...)
	delete(response.Header, "X-Inngest-Sdk")
	return response
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func failed(text string) *sdk.Failure { return &sdk.Failure{Text: text, Name: "Error"} }

func engineFailed(text string) *sdk.Failure {
	return &sdk.Failure{Text: text, Name: "Error", Engine: true}
}

func TestInterpret(t *testing.T) {
	t.Parallel()
	inner := func(headers ...string) map[string]string { return answer(0, "", headers...).Header }
	const upstreamStack = "No step output was produced before the request failed — this can mean a proxy or load balancer in front of your app returned an error, or your app was unable to respond."
	upstream := func(code, stack string) json.RawMessage {
		message := "Your server returned HTTP " + code + " before the SDK responded."
		encoded, _ := json.Marshal(upstreamStack + stack)
		return raw(`{"error":"` + message + `","name":"Server returned a fatal error","message":"` + message + `","stack":` + string(encoded) + `}`)
	}
	tooLarge := &sdk.Failure{Text: "output_too_large", Name: "output_too_large", Message: "Your function's response body exceeds the maximum size limit", Engine: true}
	noRetry := func(failure *sdk.Failure) *sdk.Failure { failure.NoRetry = true; return failure }
	stepError := func(noRetry bool) []sdk.Op {
		return []sdk.Op{{Op: sdk.OpStepError, ID: "a", Error: &sdk.OpError{Name: "E", NoRetry: noRetry}}}
	}
	none := []sdk.Op{{Op: sdk.OpNone}}

	for name, test := range map[string]struct {
		response sdk.Response
		want     sdk.Reply
	}{
		"result":                {answer(200, `{"a":1}`, "X-Inngest-Req-Version", "2"), sdk.Reply{Status: 200, FromSDK: true, RequestVersion: 2, Output: raw(`{"a":1}`)}},
		"result of another 2xx": {answer(204, ``), sdk.Reply{Status: 204, FromSDK: true}},
		"result null":           {answer(200, `null`), sdk.Reply{Status: 200, FromSDK: true, Output: raw(`null`)}},
		"result plain text":     {answer(200, `hello <b>`), sdk.Reply{Status: 200, FromSDK: true, Output: raw(`"hello <b>"`), PlainText: true}},
		"result quoted object":  {answer(200, `"{\"a\":1}"`), sdk.Reply{Status: 200, FromSDK: true, Output: raw(`{"a":1}`)}},
		"result with bad UTF-8": {answer(200, "\"\xff\""), sdk.Reply{Status: 200, FromSDK: true, Output: raw("\"\uFFFD\"")}},
		"odd version":           {answer(200, `1`, "X-Inngest-Req-Version", "two"), sdk.Reply{Status: 200, FromSDK: true, Output: raw(`1`)}},
		"result stays one in spite of retry headers": {
			answer(200, `{"a":1}`, "X-Inngest-No-Retry", "true", "Retry-After", "5"), sdk.Reply{Status: 200, FromSDK: true, Output: raw(`{"a":1}`)},
		},

		"200 of a stranger":             {stranger(200, `<html>hi</html>`), sdk.Reply{Status: 200, Output: raw(`"<html>hi</html>"`), PlainText: true, Failure: failed("The response did not come from an Inngest SDK")}},
		"206 of a stranger, unreadable": {stranger(206, `<html>hi</html>`), sdk.Reply{Status: 206, Failure: engineFailed("error reading generator opcode response: expected JSON object or array")}},
		"206 of a stranger, with ops":   {stranger(206, `[{"op":"StepRun","id":"a"}]`), sdk.Reply{Status: 206, Output: raw(`[{"op":"StepRun","id":"a"}]`), Failure: failed("The response did not come from an Inngest SDK")}},
		"504 of a proxy":                {stranger(504, `<h1>Gateway</h1>`, "Content-Type", "text/html"), sdk.Reply{Status: 504, Output: upstream("504", "\n\nUpstream response (text/html):\n<h1>Gateway</h1>"), Failure: failed("invalid status code: 504")}},
		"502 of a proxy, no type":       {stranger(502, `bad`), sdk.Reply{Status: 502, Output: upstream("502", "\n\nUpstream response (unknown content-type):\nbad"), Failure: failed("invalid status code: 502")}},
		"401 of a stranger, empty":      {stranger(401, ``), sdk.Reply{Status: 401, Output: upstream("401", ""), Failure: failed("invalid status code: 401")}},
		"500 of a stranger, long":       {stranger(500, strings.Repeat("x", 9000)), sdk.Reply{Status: 500, Output: upstream("500", "\n\nUpstream response (unknown content-type):\n"+strings.Repeat("x", 8192)+"\n… (truncated)"), Failure: failed("invalid status code: 500")}},

		"function error":                    {answer(500, `{"name":"Error"}`, "X-Inngest-No-Retry", "false"), sdk.Reply{Status: 500, FromSDK: true, Output: raw(`{"name":"Error"}`), Failure: failed("invalid status code: 500")}},
		"function error, plain":             {answer(500, `boom`), sdk.Reply{Status: 500, FromSDK: true, Output: raw(`"boom"`), PlainText: true, Failure: failed("invalid status code: 500")}},
		"function error, empty":             {answer(500, ``), sdk.Reply{Status: 500, FromSDK: true, Output: raw(`"invalid status code: 500"`), PlainText: true, Failure: failed("invalid status code: 500")}},
		"function error, final":             {answer(400, `{"name":"Error"}`, "X-Inngest-No-Retry", "true"), sdk.Reply{Status: 400, FromSDK: true, Output: raw(`{"name":"Error"}`), Failure: noRetry(failed("NonRetriableError"))}},
		"function error, final, empty":      {answer(500, ``, "X-Inngest-No-Retry", "true"), sdk.Reply{Status: 500, FromSDK: true, Output: raw(`"invalid status code: 500"`), PlainText: true, Failure: noRetry(failed("NonRetriableError"))}},
		"function error, retry in a minute": {answer(500, `{}`, "Retry-After", "60"), sdk.Reply{Status: 500, FromSDK: true, Output: raw(`{}`), Failure: failed("invalid status code: 500"), RetryAt: now.Add(time.Minute).Truncate(time.Second)}},
		"a redirect to nowhere":             {answer(304, ``), sdk.Reply{Status: 304, FromSDK: true, Output: raw(`"invalid status code: 304"`), PlainText: true, Failure: failed("invalid status code: 304")}},

		"no response":         {sdk.Response{TransportError: "Unable to reach SDK URL"}, sdk.Reply{Failure: engineFailed("Unable to reach SDK URL")}},
		"too large":           {sdk.Response{Status: 206, TooLarge: true, Header: map[string]string{"X-Inngest-Sdk": "go:v0.16.0"}}, sdk.Reply{Status: 206, FromSDK: true, Failure: tooLarge}},
		"too large to unwrap": {sdk.Response{Status: 201, TooLarge: true}, sdk.Reply{Status: 201, Failure: tooLarge}},

		"no ops":                         {answer(206, ` [ ] `), sdk.Reply{Status: 206, FromSDK: true, Ops: none}},
		"no data":                        {answer(206, "  \n"), sdk.Reply{Status: 206, FromSDK: true, Failure: engineFailed("no response data")}},
		"ops that are text":              {answer(206, `"[]"`), sdk.Reply{Status: 206, FromSDK: true, Failure: engineFailed("error reading generator opcode response: expected JSON object or array")}},
		"ops cut short":                  {answer(206, `[{"op":`), sdk.Reply{Status: 206, FromSDK: true, Failure: engineFailed("error reading generator opcode response: unexpected end of JSON input")}},
		"ops and more":                   {answer(206, `[] x`), sdk.Reply{Status: 206, FromSDK: true, Failure: engineFailed("error reading generator opcode response: invalid character 'x' after top-level value")}},
		"an unreadable list, final":      {answer(206, `x`, "X-Inngest-No-Retry", "true"), sdk.Reply{Status: 206, FromSDK: true, Failure: noRetry(engineFailed("error reading generator opcode response: expected JSON object or array"))}},
		"step error, header absent":      {answer(206, `[{"op":"StepError","id":"a","error":{"name":"E","noRetry":true}}]`), sdk.Reply{Status: 206, FromSDK: true, Ops: stepError(false)}},
		"step error, header true":        {answer(206, `[{"op":"StepError","id":"a","error":{"name":"E"}}]`, "X-Inngest-No-Retry", "true"), sdk.Reply{Status: 206, FromSDK: true, Ops: stepError(true)}},
		"step error, retry later":        {answer(206, `[{"op":"StepError","id":"a","error":{"name":"E"}}]`, "Retry-After", "2026-04-24T13:00:00Z"), sdk.Reply{Status: 206, FromSDK: true, Ops: stepError(false), RetryAt: now.Truncate(time.Hour).Add(time.Hour)}},
		"step failed keeps its own":      {answer(206, `{"op":"StepFailed","id":"a","error":{"noRetry":true}}`), sdk.Reply{Status: 206, FromSDK: true, Ops: []sdk.Op{{Op: sdk.OpStepFailed, ID: "a", Error: &sdk.OpError{NoRetry: true}}}}},
		"step error that lacks an error": {answer(206, `[{"op":"StepError","id":"a","error":null}]`), sdk.Reply{Status: 206, FromSDK: true, Ops: []sdk.Op{{Op: sdk.OpStepError, ID: "a"}}}},

		"stream of ops":             {answer(201, ` {"status":206,"headers":{"x-inngest-req-version":"2"},"body":[{"op":"None"}]}`), sdk.Reply{Header: inner("X-Inngest-Req-Version", "2"), Status: 206, FromSDK: true, RequestVersion: 2, Ops: none}},
		"stream of quoted ops":      {answer(201, `  {"status":206,"body":"[{\"op\":\"None\"}]"}`), sdk.Reply{Header: inner(), Status: 206, FromSDK: true, Ops: none}},
		"stream of a result":        {answer(201, `{"status":200,"body":{"a":1},"noRetry":true}`), sdk.Reply{Header: inner(), Status: 200, FromSDK: true, Output: raw(`{"a":1}`)}},
		"stream of a quoted text":   {answer(201, `{"status":200,"body":"slow","headers":null}`), sdk.Reply{Header: inner(), Status: 200, FromSDK: true, Output: raw(`"slow"`), PlainText: true}},
		"stream of nothing":         {answer(201, `{"status":200}`), sdk.Reply{Header: inner(), Status: 200, FromSDK: true}},
		"stream that is an SDK's":   {stranger(201, `{"status":200,"body":1,"headers":{"x-INNGEST-sdk":"js:v4","x-inngest-req-version":1}}`), sdk.Reply{Header: map[string]string{"X-Inngest-Sdk": "js:v4", "X-Inngest-Req-Version": "1"}, Status: 200, FromSDK: true, RequestVersion: 1, Output: raw(`1`)}},
		"stream of a stranger":      {stranger(201, `{"status":200,"body":1}`), sdk.Reply{Header: map[string]string{}, Status: 200, Output: raw(`1`), Failure: failed("The response did not come from an Inngest SDK")}},
		"stream of a final failure": {answer(201, `{"status":400,"headers":{"x-inngest-no-retry":"true"},"body":"{\"message\":\"m\"}"}`, "X-Inngest-No-Retry", "false"), sdk.Reply{Header: inner("X-Inngest-No-Retry", "true"), Status: 400, FromSDK: true, Output: raw(`{"message":"m"}`), Failure: noRetry(failed("NonRetriableError"))}},
		"stream with an error":      {answer(201, `{"status":200,"error":"it broke"}`), sdk.Reply{Status: 201, FromSDK: true, Failure: engineFailed("error parsing stream: it broke")}},
		"stream that is no JSON":    {answer(201, `<html>`), sdk.Reply{Status: 201, FromSDK: true, Failure: engineFailed("error parsing stream: error reading response body to check for status code: invalid character '<' looking for beginning of value")}},
		"stream that is empty":      {answer(201, ``), sdk.Reply{Status: 201, FromSDK: true, Failure: engineFailed("error parsing stream: error reading response body to check for status code: unexpected end of JSON input")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, sdk.Interpret(test.response, now)); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInterpret_OldJavaScriptForbidsRetriesByStatus(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sdk    string
		status int
		header string
		want   bool
	}{
		{"inngest-js:v1.9.9", 400, "", true},
		{"inngest-js:v1.10.0", 404, "", true},
		{"inngest-js:v1.10.1", 400, "", false},
		{"inngest-js:v1.10.1-beta.1", 400, "", true},
		{"inngest-js:v2.4.0", 499, "", true},
		{"inngest-js:v2.4.1", 400, "", false},
		{"inngest-js:v3.0.0", 400, "", false},
		{"inngest-js:v1.0.0", 500, "", false},
		{"inngest-js:v1.0.0", 400, "false", false},
		{"inngest-js:v4.0.0", 400, "TRUE", false},
		{"inngest-js:latest", 400, "", false},
		{"go:v1.0.0", 400, "", false},
	} {
		response := answer(test.status, `{}`, "X-Inngest-Sdk", test.sdk, "X-Inngest-No-Retry", test.header)
		if got := sdk.Interpret(response, now).Failure.NoRetry; got != test.want {
			t.Errorf("%s, status %d, header %q: NoRetry = %v", test.sdk, test.status, test.header, got)
		}
	}
}

func TestInterpret_ReadsEveryMemberOfAnOp(t *testing.T) {
	t.Parallel()
	body := `[{"op":"steprun","id":"98bf","name":"first","displayName":"First","opts":{"type":"step.run","parallelMode":"RACE","stackLine":"x"},
		"data": {"n":9007199254740993} ,"error":null,"timing":{"a":1,"b":2},"userland":{"id":"first","index":3},"metadata":[{"kind":"k"}],"rawArgs":[],"mode":"sync"},
		{"op":"STEPFAILED","metadata":null,"id":null,"displayName":null,"opts":null,"data":null,
		 "error":{"name":"N","message":"m \u003c","stack":"s","data":{"x":1},"cause":{"y":[2]},"noRetry":true,"__serialized":true},"userland":{"index":"odd"}},
		{"op":"StepNotFound","opts":{"parallelMode":"sideways"},"userland":7}, {"op":null}, {}]`
	want := []sdk.Op{
		{
			Op: sdk.OpStepRun, ID: "98bf", Name: "first", DisplayName: "First", Mode: "race", UserlandID: "first", UserlandIndex: 3,
			Opts: raw(`{"type":"step.run","parallelMode":"RACE","stackLine":"x"}`), Data: raw(`{"n":9007199254740993}`), Metadata: raw(`[{"kind":"k"}]`),
			StartedAt: time.Unix(0, 1).UTC(), EndedAt: time.Unix(0, 3).UTC(),
		},
		{
			Op: sdk.OpStepFailed, Data: raw(`null`),
			Error: &sdk.OpError{Name: "N", Message: "m <", Stack: "s", Data: raw(`{"x":1}`), Cause: raw(`{"y":[2]}`), NoRetry: true},
		},
		{Op: sdk.OpStepNotFound, Opts: raw(`{"parallelMode":"sideways"}`)}, {Op: sdk.OpNone}, {Op: sdk.OpNone},
	}
	reply := sdk.Interpret(answer(206, body), now)
	if diff := cmp.Diff(want, reply.Ops); diff != "" || reply.Failure != nil {
		t.Errorf("failure %v, ops (-want +got):\n%s", reply.Failure, diff)
	}
}

func TestInterpret_RefusesBadOps(t *testing.T) {
	t.Parallel()
	big := `"` + strings.Repeat("x", sdk.MaxStepBytes) + `"`
	for name, test := range map[string]struct{ body, want string }{
		"unknown op":       {`[{"op":"StepDance"}]`, "error reading generator opcode response: StepDance does not belong to Opcode values"},
		"op of a number":   {`[{"op":5}]`, "error reading generator opcode response: Opcode should be a string, got 5"},
		"null element":     {`[{"op":"None"},null]`, "error validating generator opcode 1: opcode cannot be null"},
		"element of text":  {`["x"]`, "error reading generator opcode response: expected JSON object or array"},
		"id of a number":   {`[{"id":5}]`, `error reading generator opcode response: member "id" is not a string`},
		"error of text":    {`[{"error":"x"}]`, `error reading generator opcode response: member "error" is not an object`},
		"error name":       {`[{"error":{"name":5}}]`, `error reading generator opcode response: member "name" is not a string`},
		"input too large":  {`[{"op":"StepRun","id":"a","opts":{"input":[` + big + `]}}]`, "error validating generator opcode a: step input size is greater than the limit"},
		"output too large": {`[{"op":"StepRun","id":"a","data":` + big + `}]`, "error validating generator opcode a: step output size is greater than the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := sdk.Interpret(answer(206, test.body), now)
			if reply.Failure == nil || reply.Failure.Text != test.want || !reply.Failure.Engine || reply.Ops != nil {
				t.Errorf("got %+v, want %s", reply.Failure, test.want)
			}
		})
	}
	atLimit := big[:sdk.MaxStepBytes-1] + `"`
	if reply := sdk.Interpret(answer(206, `[{"op":"StepRun","id":"a","data":`+atLimit+`}]`), now); reply.Failure != nil {
		t.Errorf("output of the largest size: %v", reply.Failure)
	}
	if reply := sdk.Interpret(answer(206, `[{"op":"StepRun","id":"a","opts":{"note":`+big+`}}]`), now); reply.Failure != nil {
		t.Errorf("large opts with no input: %v", reply.Failure)
	}
}

func TestParseOutput(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":                     ``,
		"  \n":                 ``,
		` {"a":1} `:            `{"a":1}`,
		`"{\"a\":1}"`:          `{"a":1}`,
		`" {\"a\":1} "`:        `{"a":1}`,
		`"{\"a\":"`:            `"{\"a\":"`,
		`"[1]"`:                `"[1]"`,
		`"x"`:                  `"x"`,
		`""`:                   `""`,
		`{"a":1,"a":2}`:        `{"a":1,"a":2}`,
		`12345678901234567890`: `12345678901234567890`,
		`1.0`:                  `1.0`,
		`x"y`:                  `"x\"y"`,
		"a\nb":                 `"a\nb"`,
		`{`:                    `"{"`,
	} {
		got, plain := sdk.ParseOutput([]byte(body))
		if string(got) != want || plain && body == want {
			t.Errorf("ParseOutput(%q) = %s, %v; want %s", body, got, plain, want)
		}
	}
}

// FuzzInterpret: a reply is exactly one of ops, output and failure, the same every time, and all its JSON is valid.
func FuzzInterpret(f *testing.F) {
	for _, recorded := range exchanges(f) {
		response := response(recorded)
		f.Add(response.Status, []byte(recorded.Response), response.Header["X-Inngest-Sdk"], response.Header["X-Inngest-No-Retry"], response.Header["Retry-After"])
	}
	f.Add(206, []byte(`[{"op":"StepError","id":"a","error":{"name":"E","data":null}},null]`), "inngest-js:v1.0.0", "", "1.5")
	f.Add(201, []byte(" {\"status\":206,\"body\":\"[{\\\"op\\\":\\\"Sleep\\\",\\\"name\\\":\\\"1d\\\"}]\"}"), "", "true", "2026-04-24")
	f.Add(500, []byte(`{"error":{"body":"{\"message\":\"m\"}"}}`), "go:v0.16.0", "", "Fri, 24 Apr 2026 12:00:00 GMT")
	f.Fuzz(func(t *testing.T, status int, body []byte, sdkHeader, noRetry, retryAfter string) {
		response := sdk.Response{Status: status, Body: body, Header: map[string]string{
			"X-Inngest-Sdk": sdkHeader, "X-Inngest-No-Retry": noRetry, "Retry-After": retryAfter,
		}}
		before := bytes.Clone(body)
		reply := sdk.Interpret(response, now)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if !reflect.DeepEqual(reply, sdk.Interpret(response, now)) {
			t.Fatal("two readings differ")
		}
		checkReply(t, reply)
	})
}

func checkReply(t *testing.T, reply sdk.Reply) {
	t.Helper()
	switch {
	case reply.Ops != nil:
		if reply.Failure != nil || reply.Output != nil || !reply.FromSDK || len(reply.Ops) == 0 {
			t.Fatalf("ops and something else: %+v", reply)
		}
	case reply.Failure != nil:
		if reply.Failure.Text == "" || reply.Failure.Name == "" || reply.Failure.Engine && reply.Output != nil {
			t.Fatalf("incomplete failure: %+v", reply.Failure)
		}
		if output := sdk.EngineOutput(*reply.Failure); !json.Valid(output) {
			t.Fatalf("engine output is no JSON: %s", output)
		}
		if encoded := reply.StandardError().AppendJSON(nil); !json.Valid(encoded) {
			t.Fatalf("standard error is no JSON: %s", encoded)
		}
	case !reply.FromSDK || !reply.RetryAt.IsZero():
		t.Fatalf("success of a stranger, or with a retry: %+v", reply)
	}
	if reply.Output != nil && (!json.Valid(reply.Output) || !utf8.Valid(reply.Output)) {
		t.Fatalf("output is no JSON: %q", reply.Output)
	}
	for _, op := range reply.Ops {
		memos := []json.RawMessage{sdk.RunMemo(op.Data)}
		if op.Error != nil {
			memos = append(memos, sdk.ErrorMemo(*op.Error))
		}
		for _, memo := range memos {
			if !json.Valid(memo) || !utf8.Valid(memo) {
				t.Fatalf("memo is no JSON: %q", memo)
			}
		}
		if end, err := sdk.SleepUntil(op, now); err == nil && (end.Before(now) || end.Sub(now) > 366*24*time.Hour) {
			t.Fatalf("sleep of %+v until %s", op, end)
		}
	}
}

func BenchmarkInterpret(b *testing.B) {
	for name, response := range map[string]sdk.Response{
		"one_step":     answer(206, `[{"id":"98bf98df193bcce7c33e6bc50927cf2ac21206cb","op":"StepRun","name":"first","opts":{},"displayName":"first","userland":{"id":"first"},"data":{"n":1,"text":"hello"},"timing":{"a":1795475617090000000,"b":0}}]`),
		"step_of_100K": answer(206, `[{"id":"98bf98df193bcce7c33e6bc50927cf2ac21206cb","op":"StepRun","name":"first","opts":{},"data":"`+strings.Repeat("x", 100_000)+`"}]`),
		"result":       answer(200, `{"a":1,"b":[1,2,3]}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if reply := sdk.Interpret(response, now); reply.Failure != nil {
					b.Fatal(reply.Failure)
				}
			}
		})
	}
}

func TestParseOps_ReadsAListThatIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, none := range []string{``, `null`, `[]`, ` [] `} {
		if ops, err := sdk.ParseOps(json.RawMessage(none)); err != nil || len(ops) != 0 {
			t.Errorf("%q: got %v, %v", none, ops, err)
		}
	}
	if ops, err := sdk.ParseOps(json.RawMessage(`[{"op":"steprun","id":"a","data":1}]`)); err != nil || len(ops) != 1 || ops[0].Op != sdk.OpStepRun {
		t.Errorf("got %v, %v", ops, err)
	}
	_, err := sdk.ParseOps(json.RawMessage(`[{"op":"StepRun","id":"a","data":"` + strings.Repeat("x", 4<<20) + `"}]`))
	if large := (*sdk.SizeError)(nil); !errors.As(err, &large) || large.Op != "a" {
		t.Errorf("got %v", err)
	}
	if _, err := sdk.ParseOps(json.RawMessage(`[{"op":"Brew"}]`)); err == nil {
		t.Error("an unknown op was read")
	}
}
