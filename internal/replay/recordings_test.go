package replay

import (
	"os"
	"strings"
	"testing"
)

// TestRecordings proves the formulas on the recorded traffic itself: function ids, job ids, queue item ids, request ids and
// seeded event ids of the reference all follow from what the app sent.
func TestRecordings(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(wireDir)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, entry := range entries {
		name, isRecording := strings.CutSuffix(entry.Name(), ".jsonl.gz")
		if !isRecording || name == "http-cases" || strings.HasPrefix(name, "35-") || strings.HasPrefix(name, "39-") {
			continue
		}
		rec := load(t, name)
		app := &fakeApp{t: t, addr: "127.0.0.1:" + recordedPorts[rec.lane()], functions: map[string][]*functionRun{}, known: map[string]registered{}}
		registrations := load(t, "01-registration."+rec.lane())
		registrations.all(func(one *exchange) {
			if strings.HasPrefix(one.request.Path, "/fn/register") {
				if err := app.learn(one.request.Body); err != nil {
					t.Fatal(err)
				}
			}
		})
		conv, err := newConversation(app, rec)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, function := range conv.functions {
			calls += len(function.calls)
			if want, got := function.calls[0].ctx.FunctionID, app.function(function.slug).id; want != got {
				t.Errorf("%s: function %s was recorded as %s, computed %s", name, function.slug, want, got)
			}
			for _, call := range function.calls {
				parts := traceparent.FindStringSubmatch(call.request.Headers.get("traceparent"))
				if parts == nil || parts[2] != spanID(call.ctx.JobID, call.ctx.Attempt) {
					t.Errorf("%s call %d: span of %v is not %s", name, call.number, parts, spanID(call.ctx.JobID, call.ctx.Attempt))
				}
				if !tracestate.MatchString(call.request.Headers.get("tracestate")) {
					t.Errorf("%s call %d: tracestate %s", name, call.number, call.request.Headers.get("tracestate"))
				}
			}
		}
	}
	if calls < 400 {
		t.Errorf("only %d calls were checked", calls)
	}
}
