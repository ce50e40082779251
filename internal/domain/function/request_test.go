package function_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/function"
)

func decode(t testing.TB, body string) function.Request {
	t.Helper()
	request, err := function.Decode([]byte(body))
	if err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return request
}

func TestDecode_IgnoresWhatItShould(t *testing.T) {
	t.Parallel()
	want := decode(t, `{"appName":"a","functions":[]}`)
	for name, body := range map[string]string{
		"case of names":       `{"APPNAME":"a","Functions":[]}`,
		"trailing data":       `{"appName":"a","functions":[]} trailing`,
		"a second value":      `{"appName":"a","functions":[]}{"appName":"b"}`,
		"unknown members":     `{"appName":"a","functions":[],"deploy_type":"ping","more":{}}`,
		"headers of the app":  `{"appName":"a","functions":[],"headers":{"env":"prod","platform":"vercel"}}`,
		"absent observations": `{"appName":"a","functions":[],"featureObservations":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, decode(t, body)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestDecode_RefusesInTheWordsOfTheReference(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, reason string }{
		"empty":          {``, `EOF`},
		"cut off":        {`{"appName":`, `unexpected EOF`},
		"not an object":  {`"x"`, `json: cannot unmarshal string into Go value of type sdk.RegisterRequest`},
		"wrong member":   {`{"url":1}`, `json: cannot unmarshal number into Go struct field RegisterRequest.url of type string`},
		"wrong function": {`{"functions":[1]}`, `json: cannot unmarshal number into Go struct field RegisterRequest.functions of type sdk.SDKFunction`},
		"wrong name":     {`{"functions":[{"name":1}]}`, `json: cannot unmarshal number into Go struct field SDKFunction.functions.name of type string`},
		"scope":          {`{"functions":[{"concurrency":{"limit":1,"scope":"x"}}]}`, `x does not belong to ConcurrencyScope values`},
		"scope's kind":   {`{"functions":[{"concurrency":[{"scope":1}]}]}`, `ConcurrencyScope should be a string, got 1`},
		"scope in step":  {`{"functions":[{"concurrency":{"step":[{"limit":1,"scope":"y"}]}}]}`, `y does not belong to ConcurrencyScope values`},
		"mode":           {`{"functions":[{"singleton":{"mode":"x"}}]}`, `x does not belong to SingletonMode values`},
		"mode's kind":    {`{"functions":[{"singleton":{"mode":[]}}]}`, `SingletonMode should be a string, got []`},
		"throttle":       {`{"functions":[{"throttle":{"limit":1,"period":"1x"}}]}`, `time: unknown unit "x" in duration "1x"`},
		"empty period":   {`{"functions":[{"throttle":{"limit":1,"period":""}}]}`, `time: invalid duration ""`},
		"no period":      {`{"functions":[{"throttle":{"limit":1}}]}`, `time: invalid duration ""`},
		"null period":    {`{"functions":[{"throttle":{"limit":1,"period":null}}]}`, `time: invalid duration ""`},
		"days":           {`{"functions":[{"throttle":{"limit":1,"period":"1dd"}}]}`, `time: invalid duration "1dd"`},
		"too long":       {`{"functions":[{"throttle":{"limit":1,"period":"99999w"}}]}`, `time: invalid duration "99999w"`},
		"checkpoint":     {`{"functions":[{"checkpoint":{"batch_interval":true}}]}`, `time: invalid duration true`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := function.Decode([]byte(c.body))
			var refused *function.RequestError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v is no RequestError", err)
			}
			if got, want := err.Error(), "Invalid request: "+c.reason; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestDecode_NormalisesAllURLs(t *testing.T) {
	t.Parallel()
	request := decode(t, `{"url":"http://127.0.0.1:3000/x?deployId=1","functions":[
		{"steps":{"a":{"runtime":{"url":"http://0.0.0.0:3000/x?probe=1"}},"b":{"runtime":{"url":5}},"c":{}}}]}`)
	if request.URL != "http://localhost:3000/x" {
		t.Errorf("url = %q", request.URL)
	}
	if url := request.Functions[0].Steps["a"].Runtime["url"]; url != "http://localhost:3000/x" {
		t.Errorf("step url = %v", url)
	}
}

func TestRequest_Method(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"connect":            {`{"deployType":"connect","capabilities":{"connect":"v1"}}`, function.MethodConnect},
		"only capable":       {`{"deployType":"ping","capabilities":{"connect":"v1"}}`, function.MethodServe},
		"capability missing": {`{"deployType":"connect"}`, function.MethodServe},
		"nothing said":       {`{}`, function.MethodServe},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := decode(t, c.body)
			if got := request.Method(); got != c.want {
				t.Errorf("method = %q, want %q", got, c.want)
			}
		})
	}
}

func TestObservations_AreKeptAsNumbers(t *testing.T) {
	t.Parallel()
	request := decode(t, `{"appName":"a","featureObservations":{
		"extendedTraces":{"readinessReason":4,"config":{"behavior":"EXTENDED_TRACES_BEHAVIOR_AUTO"},"otelSetup":{
			"path":"OTEL_SETUP_PATH_EXTEND_EXISTING_PROVIDER","providerFound":true,"failure":"OTEL_SETUP_FAILURE_FROM_THE_FUTURE"}},
		"sendEvents":{"config":{},"new":1},"other":{}}}`)
	plan, _ := function.Plan(function.AppState{}, request, acceptAll)
	want := `{"featureObservations":"{\"extendedTraces\":{\"readinessReason\":4,\"config\":{\"behavior\":3},` +
		`\"otelSetup\":{\"path\":1,\"providerFound\":true}},\"sendEvents\":{\"config\":{}}}"}`
	if got := string(plan.App.Metadata); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := function.Decode([]byte(`{"featureObservations":{"sendEvents":{"readinessReason":[]}}}`)); err == nil {
		t.Error("a list was read as an enum")
	}
}

func TestDecode_RaisesTheLimitOfAThrottle(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]int{"-1": 1, "0": 1, "1": 1, "2": 2} {
		request := decode(t, `{"functions":[{"throttle":{"limit":`+sent+`,"period":"1m"}}]}`)
		if got := request.Functions[0].Throttle.Limit; got != want {
			t.Errorf("limit %s is read as %d, want %d", sent, got, want)
		}
	}
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	base := `{"appName":"a","url":"http://h/","functions":[{"name":"f","steps":{"a":{},"b":{}}}]`
	sum := function.Checksum(decode(t, base+`}`))
	if len(sum) != 64 {
		t.Errorf("checksum %q is no SHA-256", sum)
	}
	for name, c := range map[string]struct {
		rest string
		same bool
	}{
		"observations do not count": {`,"featureObservations":{"sendEvents":{"readinessReason":1}}}`, true},
		"headers do not count":      {`,"headers":{"env":"x"}}`, true},
		"normalisation comes first": {`,"url":"http://h:80/?deployId=7"}`, true},
		"order of keys":             {`,"functions":[{"steps":{"b":{},"a":{}},"name":"f"}]}`, true},
		"version counts":            {`,"appVersion":"2"}`, false},
		"functions count":           {`,"functions":[]}`, false},
		"capabilities count":        {`,"capabilities":{"connect":"v1"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := function.Checksum(decode(t, base+c.rest)) == sum; got != c.same {
				t.Errorf("same = %t, want %t", got, c.same)
			}
		})
	}
}
