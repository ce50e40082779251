package gateway

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

func inference(opts string) sdk.Op { return sdk.Op{Op: sdk.OpAIGateway, Opts: []byte(opts)} }
func fetch(opts string) sdk.Op     { return sdk.Op{Op: sdk.OpGateway, Opts: []byte(opts)} }

func TestDecode(t *testing.T) {
	t.Parallel()
	const jsonType = "application/json"
	tests := map[string]struct {
		op   sdk.Op
		want Request
	}{
		"inference without format is openai-chat": {
			inference(`{"url":"https://a.test/v1","auth_key":"k1","body":{"b":1,"a":12345678901234567890}}`),
			Request{Method: "POST", URL: "https://a.test/v1", Body: []byte(`{"b":1,"a":12345678901234567890}`), Secret: "k1", Header: map[string]string{"Content-Type": jsonType, "Authorization": "Bearer k1"}},
		},
		"unknown format": {
			inference(`{"url":"https://a.test/v1","format":"grok","auth_key":"k1"}`),
			Request{Format: "grok", Method: "POST", URL: "https://a.test/v1", Secret: "k1", Header: map[string]string{"Content-Type": jsonType, "Authorization": "Bearer k1"}},
		},
		"anthropic": {
			inference(`{"url":"https://a.test/v1","format":"anthropic","auth_key":"k1","headers":{"anthropic-version":"2023"},"body":null}`),
			Request{Format: "anthropic", Method: "POST", URL: "https://a.test/v1", Secret: "k1", Header: map[string]string{"Content-Type": jsonType, "X-Api-Key": "k1", "Anthropic-Version": "2023"}},
		},
		"gemini": {
			inference(`{"url":"https://a.test/v1","format":"gemini","auth_key":"k 1"}`),
			Request{Format: "gemini", Method: "POST", URL: "https://a.test/v1?key=k+1", Secret: "k 1", Header: map[string]string{"Content-Type": jsonType}},
		},
		"gemini keeps the query as it is": {
			inference(`{"url":"https://a.test/v1?b=%20&a=1","format":"gemini","auth_key":"k1"}`),
			Request{Format: "gemini", Method: "POST", URL: "https://a.test/v1?b=%20&a=1&key=k1", Secret: "k1", Header: map[string]string{"Content-Type": jsonType}},
		},
		"gemini replaces a key": {
			inference(`{"url":"https://a.test/v1?key=old&a=1","format":"gemini","auth_key":"k1"}`),
			Request{Format: "gemini", Method: "POST", URL: "https://a.test/v1?a=1&key=k1", Secret: "k1", Header: map[string]string{"Content-Type": jsonType}},
		},
		"bedrock": {
			inference(`{"url":"https://a.test/v1","format":"bedrock","auth_key":"AWS4 x=y"}`),
			Request{Format: "bedrock", Method: "POST", URL: "https://a.test/v1", Secret: "AWS4 x=y", Header: map[string]string{"Content-Type": jsonType, "Authorization": "AWS4 x=y"}},
		},
		"no key, no header": {
			inference(`{"url":"http://a.test","auth_key":"","headers":{"api-key":"own"}}`),
			Request{Method: "POST", URL: "http://a.test", Header: map[string]string{"Content-Type": jsonType, "Api-Key": "own"}},
		},
		"the app's own headers win": {
			inference(`{"url":"http://a.test","auth_key":"k1","headers":{"authorization":"Basic x","CONTENT-TYPE":"application/x-ndjson"}}`),
			Request{Method: "POST", URL: "http://a.test", Secret: "k1", Header: map[string]string{"Content-Type": "application/x-ndjson", "Authorization": "Basic x"}},
		},
		"method of an inference is POST": {
			inference(`{"url":"http://a.test","method":"GET"}`),
			Request{Method: "POST", URL: "http://a.test", Header: map[string]string{"Content-Type": jsonType}},
		},
		"publish": {
			inference(`{"url":"http://a.test","publish":{"channel":"user:1","topic":"ai"},"auto_tool_call":true}`),
			Request{Method: "POST", URL: "http://a.test", Publish: &Publish{"user:1", "ai"}, Header: map[string]string{"Content-Type": jsonType}},
		},
		"fetch without method": {
			fetch(`{"url":"http://a.test"}`),
			Request{Method: "POST", URL: "http://a.test", Header: map[string]string{}},
		},
		"fetch with method in lower case": {
			fetch(`{"url":" http://a.test/x?y=1#z ","method":"patch","headers":null,"body":null,"publish":null}`),
			Request{Method: "PATCH", URL: "http://a.test/x?y=1#z", Header: map[string]string{}},
		},
		"text body": {
			fetch(`{"url":"http://a.test","body":"a=1&b=\u00e9"}`),
			Request{Method: "POST", URL: "http://a.test", Body: []byte("a=1&b=é"), Header: map[string]string{}},
		},
		"JSON in a text body": {
			fetch(`{"url":"http://a.test","body":"{\"a\":1}"}`),
			Request{Method: "POST", URL: "http://a.test", Body: []byte(`{"a":1}`), Header: map[string]string{}},
		},
		"empty text body": {
			fetch(`{"url":"http://a.test","body":""}`),
			Request{Method: "POST", URL: "http://a.test", Header: map[string]string{}},
		},
		"body that is no text": {
			fetch(`{"url":"http://a.test","body":{"b":1, "a":2}}`),
			Request{Method: "POST", URL: "http://a.test", Body: []byte(`{"b":1, "a":2}`), Header: map[string]string{}},
		},
		"headers of the transport are left out": {
			fetch(`{"url":"http://a.test","headers":{"Host":"b.test","content-length":"3","connection":"close","accept-encoding":"br","x-a":" v\t","x-b":null}}`),
			Request{Method: "POST", URL: "http://a.test", Header: map[string]string{"X-A": "v"}},
		},
		"one header in two spellings": {
			fetch(`{"url":"http://a.test","headers":{"x-a":"small","X-A":"tall"}}`),
			Request{Method: "POST", URL: "http://a.test", Header: map[string]string{"X-A": "small"}},
		},
		"auth_key and format are not for fetch": {
			fetch(`{"url":"http://a.test","auth_key":"k1","format":"anthropic"}`),
			Request{Method: "POST", URL: "http://a.test", Header: map[string]string{}},
		},
		"publish without channel": {
			fetch(`{"url":"http://a.test","publish":{"topic":"x"}}`),
			Request{Method: "POST", URL: "http://a.test", Header: map[string]string{}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(test.op)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Op = test.op.Op
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecode_ErrorsNameTheField(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		op   sdk.Op
		want string
	}{
		"other op":              {sdk.Op{Op: sdk.OpSleep, Opts: []byte(`{"url":"http://a.test"}`)}, "op is neither AIGateway nor Gateway"},
		"no opts":               {fetch(``), "opts is not an object"},
		"null opts":             {fetch(`null`), "opts is not an object"},
		"array opts":            {inference(`[]`), "opts is not an object"},
		"no url":                {inference(`{}`), "opts.url is missing"},
		"null url":              {fetch(`{"url":null}`), "opts.url is missing"},
		"blank url":             {fetch(`{"url":"  "}`), "opts.url is missing"},
		"number url":            {fetch(`{"url":1}`), "opts.url is not a string"},
		"unreadable url":        {fetch(`{"url":"http://[::1"}`), "opts.url is not a URL"},
		"control character":     {fetch(`{"url":"http://a.test/\u0000"}`), "opts.url is not a URL"},
		"relative url":          {fetch(`{"url":"/x"}`), "opts.url is not an absolute http or https URL"},
		"file url":              {fetch(`{"url":"file:///etc/passwd"}`), "opts.url is not an absolute http or https URL"},
		"url without host":      {fetch(`{"url":"http://:80/"}`), "opts.url is not an absolute http or https URL"},
		"opaque url":            {fetch(`{"url":"http:a.test"}`), "opts.url is not an absolute http or https URL"},
		"number method":         {fetch(`{"url":"http://a.test","method":1}`), "opts.method is not a string"},
		"two methods":           {fetch(`{"url":"http://a.test","method":"GET /\r\n"}`), "opts.method is not an HTTP method"},
		"connect":               {fetch(`{"url":"http://a.test","method":"connect"}`), "opts.method is not allowed"},
		"trace":                 {fetch(`{"url":"http://a.test","method":"TRACE"}`), "opts.method is not allowed"},
		"headers in a list":     {fetch(`{"url":"http://a.test","headers":[]}`), "opts.headers is not an object"},
		"header that is a list": {fetch(`{"url":"http://a.test","headers":{"x-a":["1"]}}`), "opts.headers.x-a is not a string"},
		"header name":           {fetch(`{"url":"http://a.test","headers":{"x a":"1"}}`), "opts.headers.x a is not the name of a header"},
		"empty header name":     {fetch(`{"url":"http://a.test","headers":{"":"1"}}`), "opts.headers. is not the name of a header"},
		"header value":          {fetch(`{"url":"http://a.test","headers":{"x-a":"1\r\nx-b: 2"}}`), "opts.headers.x-a has characters that no header can carry"},
		"delete in a value":     {fetch(`{"url":"http://a.test","headers":{"x-a":"\u007f"}}`), "opts.headers.x-a has characters that no header can carry"},
		"number auth_key":       {inference(`{"url":"http://a.test","auth_key":7}`), "opts.auth_key is not a string"},
		"newline in auth_key":   {inference(`{"url":"http://a.test","auth_key":"secret\n"}`), "opts.auth_key has characters that no header can carry"},
		"number format":         {inference(`{"url":"http://a.test","format":7}`), "opts.format is not a string"},
		"publish text":          {fetch(`{"url":"http://a.test","publish":"c"}`), "opts.publish is not an object"},
		"publish channel":       {fetch(`{"url":"http://a.test","publish":{"channel":1}}`), "opts.publish.channel is not a string"},
		"publish topic":         {inference(`{"url":"http://a.test","publish":{"channel":"c","topic":{}}}`), "opts.publish.topic is not a string"},
		"first of two":          {fetch(`{"url":1,"method":1}`), "opts.url is not a string"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(test.op)
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if err.Error() != test.want {
				t.Errorf("error is %q, want %q", err, test.want)
			}
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Errorf("error is a %T", err)
			}
		})
	}
}

func TestRequest_Redact(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ secret, text, want string }{
		"plain":     {"sk-1234", `Post "http://a.test?key=sk-1234": sk-1234`, `Post "http://a.test?key=xxxxx": xxxxx`},
		"escaped":   {"s k/1", `Post "http://a.test?key=s+k%2F1": EOF`, `Post "http://a.test?key=xxxxx": EOF`},
		"no secret": {"", "EOF", "EOF"},
		"too short": {"E", "EOF", "EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (Request{Secret: test.secret}).Redact(test.text); got != test.want {
				t.Errorf("text is %s, want %s", got, test.want)
			}
		})
	}
}

// FuzzDecode: opts either make a request that can be sent as it is, or an error that names a field of the opts.
func FuzzDecode(f *testing.F) {
	for _, seed := range recordings(f) {
		f.Add(seed.Op == sdk.OpAIGateway, []byte(seed.Opts))
	}
	for _, seed := range []string{
		``, `null`, `{}`, `{"url":"http://a.test?key=1;2","format":"gemini","auth_key":"\u00e9 &"}`, `{"url":"http://a.test","headers":{"X":"\ud800"}}`,
		`{"url":"http://a.test","body":"\ud800"}`, `{"url":"http://u:p@[fe80::1%25eth0]:1/","method":"get","publish":{"channel":"c"}}`,
	} {
		f.Add(true, []byte(seed))
		f.Add(false, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, ai bool, opts []byte) {
		op := sdk.Op{Op: sdk.OpGateway, Opts: opts}
		if ai {
			op.Op = sdk.OpAIGateway
		}
		request, err := Decode(op)
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Field, "opts") || invalid.Reason == "" {
				t.Fatalf("error %q names no field", err)
			}
			if outcome := Refused(op.Op, err); len(outcome.Memo) == 0 || decoded(t, outcome.Memo) == nil {
				t.Fatal("no memo of the error")
			}
			return
		}
		target, err := url.Parse(request.URL)
		if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
			t.Fatalf("url %q cannot be requested: %v", request.URL, err)
		}
		if !isToken(request.Method) || request.Method != strings.ToUpper(request.Method) {
			t.Fatalf("method %q", request.Method)
		}
		for name, value := range request.Header {
			if !isToken(name) || name != sdk.CanonicalName(name) || strings.ContainsAny(value, "\r\n\x00") || ownedByTransport(name) {
				t.Fatalf("header %q: %q", name, value)
			}
		}
		again, err := Decode(op)
		if diff := cmp.Diff(request, again); err != nil || diff != "" {
			t.Fatalf("decoded twice: %v %s", err, diff)
		}
	})
}
