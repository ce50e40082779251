package sdk_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

func TestCallURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ uri, target, want string }{
		{"http://localhost:3000/api/inngest?fnId=my-app-my-fn&stepId=step", "step", "http://localhost:3000/api/inngest?fnId=my-app-my-fn&stepId=step"},
		{"http://localhost:3000/api/inngest?fnId=a&stepId=step", "98bf", "http://localhost:3000/api/inngest?fnId=a&stepId=98bf"},
		{"http://localhost:3000/api/inngest?fnId=a&step=step", "98bf", "http://localhost:3000/api/inngest?fnId=a&step=step&stepId=98bf"},
		{"https://example.com", "step", "https://example.com?stepId=step"},
		{"https://example.com/?zeta=1", "step", "https://example.com/?stepId=step&zeta=1"},
		{"https://example.com/?stepId=step&fnId=a", "x", "https://example.com/?fnId=a&stepId=x"},
		{"https://example.com/?stepId=a&stepId=b", "x", "https://example.com/?stepId=x"},
		{"https://example.com/?fnId=a%20b", "x y", "https://example.com/?fnId=a+b&stepId=x+y"},
		{"https://example.com/a%2Fb?q=", "x", "https://example.com/a%2Fb?q=&stepId=x"},
		{"http://[::1]:80/", "x", "http://[::1]:80/?stepId=x"},
		{"HTTP://example.com/#frag", "x", "http://example.com/?stepId=x#frag"},
	} {
		if got, err := sdk.CallURL(test.uri, test.target); err != nil || got != test.want {
			t.Errorf("CallURL(%s, %s) = %s, %v; want %s", test.uri, test.target, got, err, test.want)
		}
	}
}

func TestCallURL_RefusesWhatHTTPCannotReach(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"ws://example.com", "", "/api/inngest", "connect:app"} {
		if got, err := sdk.CallURL(uri, "step"); !errors.Is(err, sdk.ErrNotHTTP) || err.Error() != "Unable to use HTTP executor for non-HTTP runtime" {
			t.Errorf("CallURL(%s) = %s, %v", uri, got, err)
		}
	}
	if got, err := sdk.CallURL("http://[", "step"); err == nil || errors.Is(err, sdk.ErrNotHTTP) {
		t.Errorf("got %s, %v", got, err)
	}
}

// The fast way and the long way must agree.
func TestCallURL_IsWhatNetURLMakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		uri := rapid.StringMatching(`http://[a-z.]{1,8}(:[0-9]{2,4})?(/[a-zA-Z0-9~._%2F-]{0,8})?(\?([a-zA-Z=&+.%2]{0,20}|fnId=[a-z-]{0,9}&(step|stepId|z)=step))?`).Draw(t, "uri")
		target := rapid.StringMatching(`[a-z0-9 &]{0,5}`).Draw(t, "target")
		parsed, err := url.Parse(uri)
		if err != nil {
			return
		}
		query := parsed.Query()
		query.Set("stepId", target)
		parsed.RawQuery = query.Encode()
		if got, err := sdk.CallURL(uri, target); err != nil || got != parsed.String() {
			t.Fatalf("CallURL(%s, %s) = %s, %v; want %s", uri, target, got, err, parsed)
		}
	})
}

func TestHeaders_LeaveOutWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	run := ulid.MustParse("01J8ZKZ5H4X0V6QK3N8N3W9R7T")
	want := map[string]string{
		"Account-Id": sdk.AccountID, "Content-Type": "application/json", "User-Agent": "Inngest", "X-Run-Id": run.String(),
		"X-Inngest-Req-Version": "-1", "X-Inngest-Step-Id": "step",
	}
	in := sdk.HeaderInput{RunID: run, Target: sdk.NoTarget, RequestVersion: -1}
	if diff := cmp.Diff(want, sdk.Headers(in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	in.Signature, in.TraceID = "t=1&s=2", "9fb6da257b401ac0e5f81772ab448a7a"
	want["X-Inngest-Signature"] = "t=1&s=2"
	want["Traceparent"] = "00-9fb6da257b401ac0e5f81772ab448a7a-" + sdk.SpanID("", 0) + "-01"
	want["Tracestate"] = "inngest@fn=00000000-0000-0000-0000-000000000000,inngest@app=00000000-0000-0000-0000-000000000000"
	if diff := cmp.Diff(want, sdk.Headers(in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSpanID(t *testing.T) {
	t.Parallel()
	// As recorded from a reference server.
	if got := sdk.SpanID("3lf0gww6iso0o", 0); got != "f9841c61c7a032f4" {
		t.Errorf("got %s", got)
	}
	if sdk.SpanID("3lf0gww6iso0o", 1) == sdk.SpanID("3lf0gww6iso0o", 0) {
		t.Error("two attempts have one span")
	}
}

func BenchmarkCallURL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sdk.CallURL("http://localhost:3000/api/inngest?fnId=my-app-my-fn&stepId=step", "98bf98df193bcce7c33e6bc50927cf2ac21206cb"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeaders(b *testing.B) {
	in := sdk.HeaderInput{
		Target: "step", JobID: "3lf0gww6iso0o", RequestID: "01M85AZD9NC7237MR9G5570WH9", GenerationID: 1,
		TraceID: "9fb6da257b401ac0e5f81772ab448a7a", TraceRef: "00-12c737c9cd591749a92c6061428bac9a-7b24bb293b690d4b-01",
	}
	b.ReportAllocs()
	for b.Loop() {
		sdk.Headers(in)
	}
}
