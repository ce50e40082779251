package sdk

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

func TestParseHTTPResult(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]*HTTPResult{
		`{"status":201,"headers":{"X":"1","Y":2,"Z":null},"body":"{}","version":2}`: {Status: 201, Headers: map[string]string{"X": "1"}, Body: "{}"},
		`{"status":204,"headers":{"date":"d","x-run-id":"r","X-Inngest-Sdk":"go"}}`: {Status: 204},
		`{"status":200,"body":null}`:    {Status: 200},
		`{"status":200,"body":{"a":1}}`: {Status: 200, Body: `{"a":1}`},
		`{"status":199}`:                nil,
		`{"status":1000}`:               nil,
		`{"status":"200"}`:              nil,
		`{}`:                            nil,
		`[]`:                            nil,
		`null`:                          nil,
		``:                              nil,
		`{"status":200,"headers":[]}`:   nil,
	} {
		got, ok := ParseHTTPResult(json.RawMessage(data))
		if ok != (want != nil) {
			t.Errorf("%s: ok is %v", data, ok)
		}
		if want != nil {
			if diff := cmp.Diff(*want, got); diff != "" {
				t.Errorf("%s: %s", data, diff)
			}
		}
	}
	if (HTTPResult{Status: 199}).Successful() || !(HTTPResult{Status: 299}).Successful() || (HTTPResult{Status: 300}).Successful() {
		t.Error("successful statuses are 2xx")
	}
}

func TestParseEndpointRequest(t *testing.T) {
	t.Parallel()
	got, err := ParseEndpointRequest(json.RawMessage(`{"domain":"https://a.test","path":"/users","query_params":"x=1","more":[1]}`))
	if err != nil || got.Slug() != "POST /users" || got.URL() != "https://a.test/users" {
		t.Errorf("%+v, %v", got, err)
	}
	if named, err := ParseEndpointRequest(json.RawMessage(`{"domain":"http://a.test","method":"GET","fn":"mine"}`)); err != nil || named.Slug() != "mine" {
		t.Errorf("%+v, %v", named, err)
	}
	for data, field := range map[string]string{
		`null`:                      "event.data.domain",
		`[]`:                        "event.data",
		`{"domain":1}`:              "event.data",
		`{"domain":"a.test"}`:       "event.data.domain",
		`{"domain":"ftp://a.test"}`: "event.data.domain",
		`{"domain":"http://"}`:      "event.data.domain",
		`{"domain":"http://a b"}`:   "event.data.domain",
		`{"domain":"http://a.test","method":"G ET"}`: "event.data.method",
	} {
		if _, err := ParseEndpointRequest(json.RawMessage(data)); err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: %v, want an error that names %s", data, err, field)
		}
	}
}

func TestEndpointCall_RepeatsTheRequest(t *testing.T) {
	t.Parallel()
	request := EndpointRequest{Domain: "http://a.test", Path: "/p", Method: "PUT", ContentType: "text/plain"}
	for name, c := range map[string]struct {
		body, query, language string
		want                  EndpointCall
	}{
		"base64":            {"eyJoaSI6MX0=", "", "", EndpointCall{URL: "http://a.test/p", Body: []byte(`{"hi":1}`)}},
		"no base64":         {`{"hi":1}`, "", "", EndpointCall{URL: "http://a.test/p", Body: []byte(`{"hi":1}`)}},
		"text like base64":  {"abcd", "", LanguageJS, EndpointCall{URL: "http://a.test/p", Body: []byte("abcd")}},
		"a query":           {"", "x=1", LanguageJS, EndpointCall{URL: "http://a.test/p?x=1"}},
		"a query with mark": {"", "?x=1", "", EndpointCall{URL: "http://a.test/p?x=1"}},
	} {
		request.Body, request.QueryParams = c.body, c.query
		c.want.Method, c.want.ContentType = "PUT", "text/plain"
		if diff := cmp.Diff(c.want, request.Call(c.language)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	request.Path, request.QueryParams = "/p?a=1", "b=2"
	if got := request.Call("").URL; got != "http://a.test/p?a=1&b=2" {
		t.Error(got)
	}
}

func TestEndpointLanguage(t *testing.T) {
	t.Parallel()
	if EndpointLanguage("inngest-js:v4.24.0") != LanguageJS || EndpointLanguage("go:0.16.0") != "" || EndpointLanguage("") != "" {
		t.Error("only the TypeScript SDK is told apart")
	}
}

func TestEndpointSignature_IsWhatTheSDKChecks(t *testing.T) {
	t.Parallel()
	const key, unix = "signkey-test-abc123", int64(1700000000)
	for name, c := range map[string]struct {
		language string
		call     EndpointCall
		signed   string
	}{
		"of Go":                  {"", EndpointCall{Method: "POST", Body: []byte(`{"b":1}`)}, ``},
		"of TypeScript":          {LanguageJS, EndpointCall{Method: "POST", Body: []byte(`{ "b": 1.0 }`)}, `{"b":1}`},
		"of TypeScript, text":    {LanguageJS, EndpointCall{Method: "PUT", Body: []byte(`hello`)}, `hello`},
		"of TypeScript, no body": {LanguageJS, EndpointCall{Method: "GET"}, ``},
		"of TypeScript, DELETE":  {LanguageJS, EndpointCall{Method: "DELETE", Body: []byte("x")}, ``},
	} {
		if got := EndpointSignature(key, c.language, c.call, unix); got != Sign(key, []byte(c.signed), unix) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestEndpointHeaders(t *testing.T) {
	t.Parallel()
	in := HeaderInput{RunID: ulid.MustParse("01JQE1K13Q1A4D1B5XF0M1S2E0"), FunctionID: uuid.New(), JobID: "j", RequestID: "r", GenerationID: 1, RequestVersion: 2, Target: NoTarget}
	want := map[string]string{
		"Content-Type": "application/json", "User-Agent": "Inngest", "X-Inngest-Signature": "", "X-Run-Id": in.RunID.String(), "X-Request-Id": "r",
		"X-Inngest-Generation-Id": "1", "X-Inngest-Job-Id": "j", "X-Inngest-Req-Version": "2",
	}
	if diff := cmp.Diff(want, EndpointHeaders(in, "", false)); diff != "" {
		t.Error(diff)
	}
	in.Target, in.Signature = "op", "s"
	want["Content-Type"], want["X-Inngest-Signature"], want["X-Inngest-Step-Id"], want["X-Inngest-Force-Step-Plan"] = "text/plain", "s", "op", "true"
	if diff := cmp.Diff(want, EndpointHeaders(in, "text/plain", true)); diff != "" {
		t.Error(diff)
	}
}

func TestInterpretEndpoint(t *testing.T) {
	t.Parallel()
	fromSDK := map[string]string{"X-Inngest-Sdk": "go:0.16.0"}
	final := `{"id":"e","op":"RunComplete","data":{"status":200}}`
	for name, c := range map[string]struct {
		resp Response
		want Reply
	}{
		"ops":                {Response{Status: 206, Header: fromSDK, Body: []byte(`[{"op":"StepRun","id":"a"}]`)}, Reply{Status: 206, Ops: []Op{{Op: OpStepRun, ID: "a"}}}},
		"ops with 200":       {Response{Status: 200, Header: fromSDK, Body: []byte(` [{"op":"StepRun","id":"a"}]`)}, Reply{Status: 206, Ops: []Op{{Op: OpStepRun, ID: "a"}}}},
		"the end on its own": {Response{Status: 206, Header: fromSDK, Body: []byte(final)}, Reply{Status: 206, Ops: []Op{{Op: OpRunComplete, ID: "e", Data: json.RawMessage(`{"status":200}`)}}}},
		"another op alone": {
			Response{Status: 206, Header: fromSDK, Body: []byte(`{"op":"StepRun","id":"a"}`)},
			Reply{Status: 200, Output: json.RawMessage(`{"op":"StepRun","id":"a"}`), Response: answerOf(206, `{"op":"StepRun","id":"a"}`)},
		},
		"a result":           {Response{Status: 201, Header: fromSDK, Body: []byte("{\"a\":1}\n")}, Reply{Status: 200, Output: json.RawMessage(`{"a":1}`), Response: answerOf(201, "{\"a\":1}\n")}},
		"a list":             {Response{Status: 200, Header: fromSDK, Body: []byte(`[1,2]`)}, Reply{Status: 200, Output: json.RawMessage(`[1,2]`), Response: answerOf(200, `[1,2]`)}},
		"a list of objects":  {Response{Status: 206, Header: fromSDK, Body: []byte(`[{"a":1}]`)}, Reply{Status: 200, Output: json.RawMessage(`[{"a":1}]`), Response: answerOf(206, `[{"a":1}]`)}},
		"a list cut off":     {Response{Status: 206, Header: fromSDK, Body: []byte(`[{"op":`)}, Reply{Status: 206, Failure: &Failure{Text: "error reading generator opcode response: unexpected end of JSON input", Name: "Error", Engine: true}}},
		"a text like a list": {Response{Status: 200, Header: fromSDK, Body: []byte(`[sic]`)}, Reply{Status: 200, Output: json.RawMessage(`"[sic]"`), PlainText: true, Response: answerOf(200, `[sic]`)}},
		"an empty list":      {Response{Status: 200, Header: fromSDK, Body: []byte(`[]`)}, Reply{Status: 200, Output: json.RawMessage(`[]`), Response: answerOf(200, `[]`)}},
		"nothing":            {Response{Status: 204, Header: fromSDK}, Reply{Status: 200, Response: answerOf(204, "")}},
		"a failure":          {Response{Status: 500, Header: fromSDK, Body: []byte(`{"name":"Error"}`)}, Reply{Status: 500, Output: json.RawMessage(`{"name":"Error"}`), Failure: &Failure{Text: "invalid status code: 500", Name: "Error"}, Response: answerOf(500, `{"name":"Error"}`)}},
		"no SDK":             {Response{Status: 200, Body: []byte(`1`)}, Reply{Status: 200, Output: json.RawMessage(`1`), Failure: &Failure{Text: "The response did not come from an Inngest SDK", Name: "Error"}}},
		"unreachable":        {Response{TransportError: "gone"}, Reply{Failure: &Failure{Text: "gone", Name: "Error", Engine: true}}},
	} {
		got := InterpretEndpoint(c.resp, time.Now())
		got.FromSDK = false
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestInterpretEndpoint_KeepsTheHeadersOfTheAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		body   string
		want   string
	}{
		"a type":           {"text/html; charset=utf-8", "{}", "text/html; charset=utf-8"},
		"text":             {"text/plain; charset=utf-8", "a", "text/plain; charset=utf-8"},
		"JSON called text": {"text/plain; charset=utf-8", "{}\n", "application/json"},
		"no type":          {"", "a", "application/json"},
	} {
		header := map[string]string{
			"X-Inngest-Sdk": "go:0.16.0", "X-Run-Id": "r", "Date": "d", "Content-Length": "1", "User-Agent": "u", "X-Mine": "1", "Retry-After": "2",
		}
		if c.header != "" {
			header["Content-Type"] = c.header
		}
		got := InterpretEndpoint(Response{Status: 202, Header: header, Body: []byte(c.body)}, time.Now())
		want := &HTTPResult{Status: 202, Headers: map[string]string{"Content-Type": c.want, "X-Mine": "1", "Retry-After": "2"}, Body: c.body}
		if diff := cmp.Diff(want, got.Response); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func answerOf(status int, body string) *HTTPResult {
	return &HTTPResult{Status: status, Headers: map[string]string{"Content-Type": "application/json"}, Body: body}
}
