package function_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/function"
)

func TestPingError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
		failed bool
	}{
		"success":             {200, `{"message":"Successfully registered"}`, "", false},
		"unauthorized":        {401, ``, "unauthorized", true},
		"forbidden":           {403, ``, "forbidden", true},
		"not found":           {404, ``, "url_not_found", true},
		"internal":            {500, ``, "internal_server_error", true},
		"other client error":  {405, ``, "", false},
		"unavailable":         {503, ``, "", false},
		"not JSON":            {400, `<html>`, "invalid character '<' looking for beginning of value", true},
		"signing key":         {400, `{"message":"Your signing key is invalid. Check it."}`, "invalid_signing_key", true},
		"no functions":        {400, `{"message":"No functions registered within your app"}`, "no_functions", true},
		"invalid function":    {400, `{"message":"At least one function is invalid"}`, "invalid_function", true},
		"missing signing key": {400, `{"message":"You didn't specify your workspace's signing key"}`, "missing_signing_key", true},
		"branch":              {400, `{"message":"No INNGEST_ENV branch name found"}`, "missing_branch_env_name", true},
		"other message":       {400, `{"message":"too early"}`, "too early", true},
		"no message":          {400, `{"error":"x"}`, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, failed := function.PingError(c.status, []byte(c.body)); got != c.want || failed != c.failed {
				t.Errorf("got %q, %t; want %q, %t", got, failed, c.want, c.failed)
			}
		})
	}
}

func TestPingURLError(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://h/": "", "https://h/": "", "ws://h/": "unsupported_protocol", "h:3000": "unsupported_protocol",
		"": "unsupported_protocol", "http://a b/": `parse "http://a b/": invalid character " " in host name`,
		"http://::::": `parse "http://::::": invalid port "::::" after host`,
	} {
		if got := function.PingURLError(url); got != want {
			t.Errorf("PingURLError(%q) = %q, want %q", url, got, want)
		}
	}
}

func TestPingTransportError(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"dial tcp 127.0.0.1:9: connect: connection refused":   "unreachable",
		"http: server gave HTTP response to HTTPS client":     "unsupported_protocol",
		`Put "ftp://h/": unsupported protocol scheme "ftp"`:   "unsupported_protocol",
		"context deadline exceeded (Client.Timeout exceeded)": "unreachable",
	} {
		if got := function.PingTransportError(errors.New(text)); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestInBand_IsTheSameRegistration(t *testing.T) {
	t.Parallel()
	const functions = `[{"name":"First fn","id":"go-r1","triggers":[{"event":"go/r1"}],"Singleton":null,
		"steps":{"step":{"id":"step","name":"First fn","runtime":{"url":"http://127.0.0.1:8801/api?fnId=go-r1\u0026step=step"},"retries":null}}}]`
	const capabilities = `{"in_band_sync":"v1","trust_probe":"v1","connect":"v1"}`
	want := decode(t, `{"v":"1","url":"http://127.0.0.1:8801/api","deployType":"ping","sdk":"go:v0.16.0","framework":"nethttp",
		"appName":"go","appVersion":"7","functions":`+functions+`,"capabilities":`+capabilities+`}`)
	body := `{"app_id":"go","appVersion":"7","env":null,"framework":"nethttp","functions":` + functions + `,"inspection":{"mode":"dev"},
		"platform":null,"sdk_author":"inngest","sdk_language":"go","sdk_version":"0.16.0","capabilities":` + capabilities + `,"url":`
	for name, url := range map[string]string{"own URL": `"http://127.0.0.1:8801/api"`, "no URL": `""`, "null URL": `null`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := function.InBand([]byte(body+url+`}`), "http://localhost:8801/api?deployId=1")
			if !ok {
				t.Fatal("not recognised")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestInBand_LeavesOtherAnswersAlone(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"out of band":   `{"message":"Successfully registered","modified":true}`,
		"empty":         ``,
		"page":          `<html></html>`,
		"list":          `[]`,
		"no functions":  `{"app_id":"a","sdk_language":"go"}`,
		"no app":        `{"functions":[],"sdk_language":"go"}`,
		"no language":   `{"app_id":"a","functions":[]}`,
		"bad functions": `{"app_id":"a","sdk_language":"go","functions":{}}`,
	} {
		if request, ok := function.InBand([]byte(body), "http://h/"); ok {
			t.Errorf("%s: read as %+v", name, request)
		}
	}
	if request, ok := function.InBand([]byte(`{"app_id":"a","functions":[],"sdk_language":"py","sdk_version":"v0.5.0"}`), ""); !ok || request.SDK != "py:v0.5.0" {
		t.Errorf("got %+v, %t", request, ok)
	}
}
