package run

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// published returns the names, IDs and data of the events of a transition.
func published(t *testing.T, next Transition) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for _, e := range next.Publish {
		var data map[string]any
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatalf("%s: %v in %s", e.Name, err, e.Data)
		}
		data["id"] = e.ID
		all[e.Name] = data
	}
	return all
}

func TestFinish_PublishesWhatSpec02Section17Says(t *testing.T) {
	t.Parallel()
	s, job := aRun()
	trigger := map[string]any{"name": "user/created", "data": map[string]any{"a": 1.0}, "user": map[string]any{}, "id": "order-123", "ts": 1700000000000.0}
	stored := map[string]any{"name": "user/created", "data": map[string]any{"a": 1.0}, "id": "order-123", "ts": 1700000000000.0}
	base := func(id, status string, more map[string]any) map[string]any {
		data := map[string]any{
			"id": id, "_inngest": map[string]any{"status": status}, "event": trigger, "events": []any{stored},
			"function_id": "app-fn", "run_id": runID.String(),
		}
		for key, value := range more {
			data[key] = value
		}
		return data
	}
	sdkError := map[string]any{
		"result": map[string]any{"name": "TypeError", "message": "x"},
		"error":  map[string]any{"error": "NonRetriableError", "name": "TypeError", "message": "x"},
	}
	const transport = `{"error":{"error":"Unable to reach SDK URL","name":"Error","message":"Unable to reach SDK URL"}}`
	engineError := map[string]any{
		"result": transport,
		"error":  map[string]any{"error": "Unable to reach SDK URL", "message": transport, "name": "Error"},
	}
	for name, c := range map[string]struct {
		reply sdk.Reply
		want  map[string]map[string]any
	}{
		"completed": {
			sdk.Reply{Status: 200, Output: []byte(`{"ok":1}`)},
			map[string]map[string]any{event.FunctionFinished: base("", "Completed", map[string]any{"result": map[string]any{"ok": 1.0}})},
		},
		"completed without a body": {
			sdk.Reply{Status: 200},
			map[string]map[string]any{event.FunctionFinished: base("", "Completed", nil)},
		},
		"completed with null": {
			sdk.Reply{Status: 200, Output: []byte(`null`)},
			map[string]map[string]any{event.FunctionFinished: base("", "Completed", map[string]any{"result": nil})},
		},
		"failed by the app": {
			sdk.Reply{Status: 400, Output: []byte(`{"name":"TypeError","message":"x"}`), Failure: &sdk.Failure{Text: "NonRetriableError", NoRetry: true}},
			map[string]map[string]any{
				event.FunctionFinished: base("", "Failed", sdkError),
				event.FunctionFailed:   base(runID.String(), "Failed", sdkError),
			},
		},
		"failed by the server": {
			sdk.Reply{Failure: &sdk.Failure{Text: "Unable to reach SDK URL", Name: "Error", Engine: true, NoRetry: true}},
			map[string]map[string]any{
				event.FunctionFinished: base("", "Failed", engineError),
				event.FunctionFailed:   base(runID.String(), "Failed", engineError),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next, _ := answer(t, s, job, c.reply)
			if diff := cmp.Diff(c.want, published(t, next)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFinish_StepLimitHasNoResult(t *testing.T) {
	t.Parallel()
	s, job := aRun()
	next, _ := Advance(s, Due{Job: job, Now: now, Limits: Limits{}})
	data := published(t, next)[event.FunctionFailed]
	failure, _ := data["error"].(map[string]any)
	if _, has := data["result"]; has || failure["error"] != failure["message"] || failure["error"] != string(next.Finish.Output) {
		t.Errorf("got %+v", data)
	}
}

func TestFinish_CancelledSaysNothingOfAResult(t *testing.T) {
	t.Parallel()
	s, _ := aRun()
	next, _ := Advance(s, CancelRequested{Now: now})
	got := published(t, next)
	if len(got) != 2 || got[event.FunctionCancelled]["id"] != runID.String() || got[event.FunctionFinished]["id"] != "" {
		t.Errorf("got %+v", got)
	}
	if _, has := got[event.FunctionFinished]["result"]; has {
		t.Error("a cancelled run has a result")
	}
}

func TestFinish_HandlersOfEndsTellOfNoEnd(t *testing.T) {
	t.Parallel()
	for _, name := range []string{event.FunctionFinished, event.FunctionFailed} {
		s, job := aRun(func(spec *Spec) { spec.Events[0].Name = name })
		if next, _ := answer(t, s, job, sdk.Reply{Status: 200}); len(next.Publish) != 0 {
			t.Errorf("%s: published %+v", name, next.Publish)
		}
	}
}

func TestFinish_InvokedRunsNameTheirInvocation(t *testing.T) {
	t.Parallel()
	invoked := event.Event{Name: event.FunctionInvoked, Data: []byte(`{"_inngest":{"correlation_id":"run.op"}}`)}
	s, job := aRun(func(spec *Spec) {
		spec.Events[0].Event = invoked
		spec.Events = append(spec.Events, event.Tracked{Event: invoked}, event.Tracked{Event: event.Event{Name: "x", Data: []byte(`{"_inngest":1}`)}})
	})
	next, _ := answer(t, s, job, sdk.Reply{Status: 200})
	if len(next.Publish) != 2 {
		t.Fatalf("published %d, want one for the first and one for the other invocation", len(next.Publish))
	}
	if got := published(t, next)[event.FunctionFinished]["correlation_id"]; got != "run.op" {
		t.Errorf("correlation %v", got)
	}
}
