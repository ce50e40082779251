package event

import (
	"encoding/json"
	"testing"
)

func TestInvokedBy(t *testing.T) {
	t.Parallel()
	data := WithMetadata(nil, Metadata{SourceAppID: "app", SourceFnID: "fn", CorrelationID: "run.step"})
	for name, c := range map[string]struct {
		event Event
		want  Invoker
	}{
		"a step":         {Event{Name: FunctionInvoked, Data: data}, Invoker{App: "app", Function: "fn", Correlation: "run.step"}},
		"another event":  {Event{Name: "x", Data: data}, Invoker{}},
		"a request":      {Event{Name: FunctionInvoked, Data: WithMetadata(nil, Metadata{FnID: "f"})}, Invoker{}},
		"nobody":         {Event{Name: FunctionInvoked, Data: json.RawMessage(`{}`)}, Invoker{}},
		"somebody's own": {Event{Name: FunctionInvoked, Data: json.RawMessage(`{"_inngest":[1]}`)}, Invoker{}},
	} {
		if got, ok := InvokedBy(c.event); got != c.want || ok != (c.want != Invoker{}) {
			t.Errorf("%s: %+v, %t", name, got, ok)
		}
	}
}

func TestDeferredBy(t *testing.T) {
	t.Parallel()
	for data, want := range map[string][2]string{
		`{"_inngest":{"parent_run_id":"r","parent_fn_slug":"s"},"a":1}`: {"r", "s"},
		`{"_inngest":7}`: {},
		`{"a":1}`:        {},
	} {
		if run, slug := DeferredBy(Event{Name: DeferredSchedule, Data: json.RawMessage(data)}); run != want[0] || slug != want[1] {
			t.Errorf("%s: %s %s", data, run, slug)
		}
		if run, _ := DeferredBy(Event{Name: "x", Data: json.RawMessage(data)}); run != "" {
			t.Errorf("another event: %s", run)
		}
	}
}

func TestAppendSessions(t *testing.T) {
	t.Parallel()
	for want, sessions := range map[string]map[string]string{
		"": nil, `[{"key":"a","id":"1"}]`: {"a": "1"}, `[{"key":"a","id":"\""},{"key":"b","id":"2"},{"key":"c","id":"3"}]`: {"c": "3", "a": `"`, "b": "2"},
	} {
		if got := AppendSessions(nil, sessions); string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
