package gateway

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

var (
	anInference = Request{Op: sdk.OpAIGateway, Method: "POST", URL: "http://a.test/ai"}
	aFetch      = Request{Op: sdk.OpGateway, Method: "GET", URL: "http://a.test/<x>"}
)

const noAnswer = `"data":{"error":"Error making AI request"},`
const noAnswerStack = `"stack":"{\"error\":\"Error making AI request\"}"`

func TestOutcome_Success(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		request  Request
		response Response
		want     string
	}{
		"JSON as it is": {
			anInference, Response{Status: 200, Body: []byte(" {\"b\":12345678901234567890, \"a\":\"<é>\"}\n")},
			`{"data":{"b":12345678901234567890, "a":"<é>"}}`,
		},
		"repeated names":             {anInference, Response{Status: 200, Body: []byte(`{"a":1,"a":2}`)}, `{"data":{"a":1,"a":2}}`},
		"JSON with broken text":      {anInference, Response{Status: 200, Body: []byte("{\"a\":\"\xff\"}")}, `{"data":{"a":"�"}}`},
		"highest good status":        {anInference, Response{Status: 299, Body: []byte(`1`)}, `{"data":1}`},
		"text":                       {anInference, Response{Status: 200, Body: []byte("data: {\"x\":1}\n\n")}, `{"data":"data: {\"x\":1}\n\n"}`},
		"broken text":                {anInference, Response{Status: 200, Body: []byte("\xff<")}, `{"data":"�<"}`},
		"nothing":                    {anInference, Response{Status: 204}, `{"data":null}`},
		"blanks":                     {anInference, Response{Status: 200, Body: []byte(" \n")}, `{"data":null}`},
		"fetch of nothing":           {aFetch, Response{Status: 204}, `{"data":{"body":"","headers":{},"status_code":204,"url":"http://a.test/<x>"}}`},
		"fetch of a failure is data": {aFetch, Response{Status: 503, Body: []byte("no")}, `{"data":{"body":"no","headers":{},"status_code":503,"url":"http://a.test/<x>"}}`},
		"headers": {
			aFetch,
			Response{Status: 200, Body: []byte("\"<é>\xff"), Header: map[string][]string{
				"X-R": {"1", "2"}, "Set-Cookie": {"a=1; Path=/", "b=2"}, "Content-Length": {"5"},
				"Connection": {"keep-alive"}, "Keep-Alive": {"timeout=5"}, "Transfer-Encoding": {"chunked"},
			}},
			`{"data":{"body":"\"<é>�","headers":{"Content-Length":"5","Set-Cookie":"a=1; Path=/,b=2","X-R":"1,2"},"status_code":200,"url":"http://a.test/<x>"}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, last := range []bool{false, true} {
				want := Outcome{Memo: json.RawMessage(test.want)}
				if diff := cmp.Diff(want, test.request.Outcome(test.response, last), asText); diff != "" {
					t.Errorf("last %v: %s", last, diff)
				}
			}
		})
	}
}

func TestOutcome_Failure(t *testing.T) {
	t.Parallel()
	const attempt, message = "error making inference request: ", "Error making AI request: "
	tests := map[string]struct {
		request  Request
		response Response
		// final is true for failures that no other attempt can mend.
		final bool
		error string
		memo  string
	}{
		"status with JSON": {
			anInference, Response{Status: 429, Body: []byte(`{"e":1}`)}, false, attempt + "unsuccessful status code: 429",
			`{"error":{"data":{"e":1},"message":"` + message + `unsuccessful status code: 429","name":"AIGatewayError","stack":"{\"e\":1}"}}`,
		},
		"status with HTML": {
			anInference, Response{Status: 502, Body: []byte("<h1>é</h1>\n")}, false, attempt + "unsuccessful status code: 502",
			`{"error":{"data":"<h1>é</h1>\n","message":"` + message + `unsuccessful status code: 502","name":"AIGatewayError","stack":"<h1>é</h1>\n"}}`,
		},
		"lowest bad status, empty": {
			anInference, Response{Status: 300}, false, attempt + "unsuccessful status code: 300",
			`{"error":{` + noAnswer + `"message":"` + message + `unsuccessful status code: 300","name":"AIGatewayError",` + noAnswerStack + `}}`,
		},
		"status with blanks": {
			anInference, Response{Status: 500, Body: []byte("\r\n")}, false, attempt + "unsuccessful status code: 500",
			`{"error":{` + noAnswer + `"message":"` + message + `unsuccessful status code: 500","name":"AIGatewayError",` + noAnswerStack + `}}`,
		},
		"status, too large": {
			anInference, Response{Status: 500, TooLarge: true}, false, attempt + "unsuccessful status code: 500",
			`{"error":{` + noAnswer + `"message":"` + message + `unsuccessful status code: 500","name":"AIGatewayError",` + noAnswerStack + `}}`,
		},
		"no response": {
			anInference, Response{TransportError: "EOF"}, false, attempt + "EOF",
			`{"error":{` + noAnswer + `"message":"` + message + `EOF","name":"AIGatewayError",` + noAnswerStack + `}}`,
		},
		"half a response": {
			anInference, Response{Status: 200, TransportError: "EOF"}, false, attempt + "EOF",
			`{"error":{` + noAnswer + `"message":"` + message + `EOF","name":"AIGatewayError",` + noAnswerStack + `}}`,
		},
		"address refused": {
			anInference, Response{TransportError: "no", Refused: true}, true, attempt + "no",
			`{"error":{` + noAnswer + `"message":"` + message + `no","name":"AIGatewayError",` + noAnswerStack + `}}`,
		},
		"response too large": {
			anInference, Response{Status: 200, TooLarge: true}, true, attempt + "the response is larger than the limit of 8388608 bytes",
			`{"error":{` + noAnswer + `"message":"` + message + `the response is larger than the limit of 8388608 bytes","name":"AIGatewayError",` + noAnswerStack + `}}`,
		},
		"output too large": {
			anInference, Response{Status: 200, Body: []byte(`"` + strings.Repeat("x", sdk.MaxStepBytes-1) + `"`)}, true, attempt + "the step's output is larger than the limit of 4194304 bytes",
			`{"error":{` + noAnswer + `"message":"` + message + `the step's output is larger than the limit of 4194304 bytes","name":"AIGatewayError",` + noAnswerStack + `}}`,
		},
		"fetch, no response": {
			aFetch, Response{TransportError: "EOF"}, false, "error making gateway request: EOF",
			`{"error":{"message":"Error making gateway request: EOF","name":"GatewayError"}}`,
		},
		"fetch, address refused": {
			aFetch, Response{TransportError: "no", Refused: true}, true, "error making gateway request: no",
			`{"error":{"message":"Error making gateway request: no","name":"GatewayError"}}`,
		},
		"fetch, response too large": {
			aFetch, Response{Status: 500, TooLarge: true}, true, "error making gateway request: the response is larger than the limit of 8388608 bytes",
			`{"error":{"message":"Error making gateway request: the response is larger than the limit of 8388608 bytes","name":"GatewayError"}}`,
		},
		"fetch, output too large once it is escaped": {
			aFetch, Response{Status: 200, Body: []byte(strings.Repeat(`"`, sdk.MaxStepBytes/2))}, true, "error making gateway request: the step's output is larger than the limit of 4194304 bytes",
			`{"error":{"message":"Error making gateway request: the step's output is larger than the limit of 4194304 bytes","name":"GatewayError"}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := Outcome{Failed: true, Error: test.error, Memo: json.RawMessage(test.memo)}
			if diff := cmp.Diff(want, test.request.Outcome(test.response, true), asText); diff != "" {
				t.Error("last attempt: ", diff)
			}
			if !test.final {
				want.Memo = nil
			}
			if diff := cmp.Diff(want, test.request.Outcome(test.response, false), asText); diff != "" {
				t.Error("earlier attempt: ", diff)
			}
		})
	}
}

var asText = cmp.Transformer("text", func(value json.RawMessage) string { return string(value) })

func TestOutcome_LargestOutputIsKept(t *testing.T) {
	t.Parallel()
	body := `"` + strings.Repeat("x", sdk.MaxStepBytes-2) + `"`
	got := anInference.Outcome(Response{Status: 200, Body: []byte(body)}, false)
	if got.Failed || len(got.Memo) != sdk.MaxStepBytes+len(`{"data":}`) {
		t.Errorf("failed %v, memo of %d bytes", got.Failed, len(got.Memo))
	}
}

func TestOutcome_LongFailuresAreCut(t *testing.T) {
	t.Parallel()
	body := `{"a":"` + strings.Repeat("é", MaxResponseBytes/2-10) + `"}`
	got := anInference.Outcome(Response{Status: 500, Body: []byte(body)}, true)
	var memo struct {
		Error struct{ Data, Stack string } `json:"error"`
	}
	if err := json.Unmarshal(got.Memo, &memo); err != nil {
		t.Fatal(err)
	}
	if memo.Error.Data != memo.Error.Stack || !strings.HasPrefix(memo.Error.Stack, `{"a":"éé`) || !strings.HasSuffix(memo.Error.Stack, "\n… (truncated)") || len(got.Memo) > 20_000 {
		t.Errorf("memo of %d bytes: %.100s", len(got.Memo), got.Memo)
	}

	got = aFetch.Outcome(Response{TransportError: strings.Repeat("x", 5<<20)}, true)
	if len(got.Memo) > 10_000 || len(got.Error) > 10_000 || !strings.Contains(string(got.Memo), `xx\n… (truncated)"`) {
		t.Errorf("memo of %d bytes, error of %d bytes", len(got.Memo), len(got.Error))
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	_, err := Decode(fetch(`{}`))
	want := Outcome{
		Failed: true, Error: "error making gateway request: opts.url is missing",
		Memo: json.RawMessage(`{"error":{"message":"Error making gateway request: opts.url is missing","name":"GatewayError"}}`),
	}
	if diff := cmp.Diff(want, Refused(sdk.OpGateway, err), asText); diff != "" {
		t.Error(diff)
	}
	got := Refused(sdk.OpAIGateway, errors.New("no"))
	if !strings.Contains(string(got.Memo), `"message":"Error making AI request: no","name":"AIGatewayError"`) {
		t.Errorf("memo is %s", got.Memo)
	}
}

// Whatever comes back, the last attempt leaves a memo that an app can read, and no memo is too large.
func TestOutcome_LastAttemptAlwaysLeavesAReadableMemo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		request := rapid.SampledFrom([]Request{anInference, aFetch}).Draw(t, "request")
		response := Response{
			Status:         rapid.IntRange(0, 999).Draw(t, "status"),
			Body:           rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
			TooLarge:       rapid.Bool().Draw(t, "too large"),
			TransportError: rapid.SampledFrom([]string{"", "", "EOF\xff"}).Draw(t, "error"),
			Refused:        rapid.Bool().Draw(t, "refused"),
			Header:         map[string][]string{"X-A": {string(rapid.SliceOf(rapid.Byte()).Draw(t, "header"))}},
		}
		last := request.Outcome(response, true)
		var memo map[string]json.RawMessage
		if err := json.Unmarshal(last.Memo, &memo); err != nil {
			t.Fatalf("memo %s: %v", last.Memo, err)
		}
		member := "data"
		if last.Failed {
			member = "error"
		}
		if _, ok := memo[member]; !ok || len(memo) != 1 || last.Failed != (last.Error != "") {
			t.Fatalf("failed %v with memo %s and error %q", last.Failed, last.Memo, last.Error)
		}
		earlier := request.Outcome(response, false)
		if earlier.Memo == nil {
			earlier.Memo = last.Memo
		}
		if diff := cmp.Diff(last, earlier, asText); diff != "" {
			t.Fatalf("an earlier attempt sees it differently: %s", diff)
		}
	})
}
