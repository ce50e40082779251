package execute

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

var (
	aRunID = ulid.MustParse("01J8ZKZ5H4X0V6QK3N8N3W9R7T")
	callAt = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

// stateOf is a run with so many steps behind it, each with a memo of so many bytes.
func stateOf(steps, bytes int) run.State {
	state, _ := run.New(run.Spec{
		ID: aRunID, AppID: aFunction().AppID, FunctionID: aFunction().ID, FunctionVersion: 1, Slug: "app-fn", MaxAttempts: 5, Key: "key", Now: callAt,
		Events: []event.Tracked{{InternalID: aRunID, ReceivedAt: callAt, Event: event.Event{
			ID: "order-123", Name: "user/created", Data: json.RawMessage(`{"a":1}`), TS: 1700000000000,
		}}},
	})
	state.RequestVersion = 2
	state.Steps = make(map[string]json.RawMessage, steps)
	for n := range steps {
		id := ids.StepHash(fmt.Sprint("step ", n), 0)
		state.Stack = append(state.Stack, id)
		state.Steps[id] = json.RawMessage(`{"data":"` + strings.Repeat("x", bytes) + `"}`)
	}
	return state
}

func aLease() ports.Lease {
	return ports.Lease{Job: run.Job{ID: "1da9epkpqfwqp", RunID: aRunID, FunctionID: aFunction().ID, Kind: run.KindEdge}, Generation: 3, Token: 1}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	state := stateOf(1, 2)
	x := New(Deps{Functions: &functions{}}, Config{})
	call := run.Call{Target: "abc", Current: 1, Attempt: 1, MaxAttempts: 5, DisableImmediateExecution: true, RequestVersion: 2}
	got, err := x.request(aLease(), state, call, aFunction(), callAt)
	if err != nil {
		t.Fatal(err)
	}
	id, request := state.Stack[0], ids.RequestID(callAt.UnixMilli(), "1da9epkpqfwqp", 3).String()
	user := `{"data":{"a":1},"id":"order-123","name":"user/created","ts":1700000000000,"user":{}}`
	want := ports.Call{
		URL: "http://app.test/api/inngest?fnId=fn&step=step&stepId=abc",
		Body: []byte(`{"ctx":{"attempt":1,"disable_immediate_execution":true,"env":"","fn_id":"` + aFunction().ID.String() +
			`","generation_id":3,"job_id":"1da9epkpqfwqp","max_attempts":5,"qi_id":"` + sdk.QueueItemID("1da9epkpqfwqp") + `","request_id":"` + request +
			`","run_id":"01J8ZKZ5H4X0V6QK3N8N3W9R7T","stack":{"current":1,"stack":["` + id + `"]},"step_id":"step","use_api":false},"defers":{},"event":` +
			user + `,"events":[` + user + `],"steps":{"` + id + `":{"data":"xx"}},"use_api":false,"version":2}`),
		Header: map[string]string{
			"Account-Id": sdk.AccountID, "Content-Type": "application/json", "User-Agent": "Inngest",
			"X-Run-Id": aRunID.String(), "X-Inngest-Req-Version": "2", "X-Inngest-Step-Id": "abc", "X-Request-Id": request,
			"X-Inngest-Generation-Id": "3", "X-Inngest-Job-Id": "1da9epkpqfwqp",
			"Traceparent": got.Header["Traceparent"], "Tracestate": got.Header["Tracestate"],
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(got.Header["Traceparent"], trace.Of(state.ID).ID) || got.Header["Tracestate"] == "" {
		t.Errorf("trace headers are %q and %q", got.Header["Traceparent"], got.Header["Tracestate"])
	}
}

func TestRequest_IsSigned(t *testing.T) {
	t.Parallel()
	const key = "signkey-test-00112233"
	x := New(Deps{Functions: &functions{}}, Config{SigningKey: key})
	got, err := x.request(aLease(), stateOf(1, 2), run.Call{Target: "step"}, aFunction(), callAt)
	if err != nil {
		t.Fatal(err)
	}
	want, err := sdk.Signature(key, got.Body, callAt.Unix())
	if err != nil {
		t.Fatal(err)
	}
	if got.Header[sdk.HeaderSignature] != want || want == "" {
		t.Errorf("signature is %q, want %q", got.Header[sdk.HeaderSignature], want)
	}
}

func TestRequest_RefusesWhatCannotBeSigned(t *testing.T) {
	t.Parallel()
	state := stateOf(1, 2)
	state.Steps[state.Stack[0]] = json.RawMessage(`{"data":`)
	x := New(Deps{Functions: &functions{}}, Config{SigningKey: "signkey-test-00112233"})
	if _, err := x.request(aLease(), state, run.Call{Target: "step"}, aFunction(), callAt); err == nil || !strings.Contains(err.Error(), "sign call") {
		t.Errorf("error is %v", err)
	}
}

func TestRequest_CarriesAllEventsOfABatch(t *testing.T) {
	t.Parallel()
	state := stateOf(0, 0)
	second := state.Events[0]
	second.ID = "order-124"
	state.Events = append(state.Events, second)
	got, err := New(Deps{Functions: &functions{}}, Config{}).request(aLease(), state, run.Call{Target: "step"}, aFunction(), callAt)
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Event  struct{ ID string }
		Events []struct{ ID string }
	}
	if err := json.Unmarshal(got.Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Event.ID != "order-123" || len(body.Events) != 2 || body.Events[1].ID != "order-124" {
		t.Errorf("body has event %v and events %v", body.Event, body.Events)
	}
}

func TestRequest_CarriesTheInputsOfARerun(t *testing.T) {
	t.Parallel()
	state := stateOf(1, 2)
	state.Inputs = map[string]json.RawMessage{"next": json.RawMessage(`[7]`), state.Stack[0]: json.RawMessage(`[1]`)}
	got, err := New(Deps{Functions: &functions{}}, Config{}).request(aLease(), state, run.Call{Target: "step"}, aFunction(), callAt)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"steps":{"` + state.Stack[0] + `":{"data":"xx"},"next":{"input":[7]}}`; !strings.Contains(string(got.Body), want) {
		t.Errorf("body is %s, want %s in it", got.Body, want)
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, steps := range []int{0, 50} {
		for _, signed := range []string{"", "signkey-test-00112233"} {
			b.Run(fmt.Sprintf("steps=%d/signed=%t", steps, signed != ""), func(b *testing.B) {
				x := New(Deps{Functions: &functions{}}, Config{SigningKey: signed})
				state, lease, call, fn := stateOf(steps, 100), aLease(), run.Call{Target: sdk.NoTarget, Current: steps, MaxAttempts: 5, RequestVersion: 2}, aFunction()
				b.ReportAllocs()
				for b.Loop() {
					sink, _ = x.request(lease, state, call, fn, callAt)
				}
				b.SetBytes(int64(len(sink.Body)))
			})
		}
	}
}

var (
	sink ports.Call
)
