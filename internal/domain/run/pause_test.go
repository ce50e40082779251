package run

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// waiting is an op with options.
func waiting(op sdk.Opcode, id, opts string) sdk.Op {
	return sdk.Op{Op: op, ID: id, DisplayName: id, Opts: json.RawMessage(opts)}
}

// anEvent is an event that was received just now.
func anEvent(name, data string) event.Tracked {
	return event.Tracked{InternalID: ulid.MustNew(uint64(now.UnixMilli()), twos{}), ReceivedAt: now, Event: event.Event{ID: "e", Name: name, Data: json.RawMessage(data), TS: 5}}
}

// twos is a source of nothing but twos.
type twos struct{}

func (twos) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 2
	}
	return len(p), nil
}

func pauseOf(t *testing.T, s State) Pause {
	t.Helper()
	for _, pause := range s.Pauses {
		return pause
	}
	t.Fatal("the run waits for nothing")
	return Pause{}
}

func advance(t *testing.T, s State, in Input) (Transition, State) {
	t.Helper()
	next, err := Advance(s, in)
	if err != nil {
		t.Fatal(err)
	}
	return next, s.Apply(Job{}, next)
}

func TestWaitForEvent_ResumesWithTheEvent(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(waiting(sdk.OpWaitForEvent, "w", `{"event":"go","timeout":"1h","if":"async.data.a == 1"}`)))
	timeout := only(t, next)
	if timeout.Kind != KindPause || !timeout.At.Equal(now.Add(time.Hour)) {
		t.Fatalf("timeout %+v", timeout)
	}
	pause := pauseOf(t, s)
	if pause.Event != "go" || pause.Expression != "async.data.a == 1" || pause.ID.String() == "" {
		t.Errorf("pause %+v", pause)
	}
	e := anEvent("go", `{"a":1}`)
	next, s = advance(t, s, Matched{Pause: pause.ID, Event: e, Now: now})
	if string(next.Steps[0].Memo) != `{"data":{"a":1},"id":"e","name":"go","ts":5,"user":{}}` {
		t.Errorf("memo %s", next.Steps[0].Memo)
	}
	if follow := only(t, next); follow.ID == timeout.ID || follow.Edge.Outgoing != "w" || follow.MaxAttempts != 5 {
		t.Errorf("next call %+v", follow)
	}
	if _, left := s.Jobs[timeout.ID]; left || len(s.Pauses) != 0 {
		t.Errorf("left behind: %+v", s)
	}
	if _, err := Advance(s, Matched{Pause: pause.ID, Event: e, Now: now}); !errors.Is(err, ErrIgnored) {
		t.Errorf("a second event: %v", err)
	}
	if _, err := Advance(s, Due{Job: timeout, Now: now.Add(time.Hour), Limits: DefaultLimits}); !errors.Is(err, ErrForeignJob) {
		t.Errorf("the timeout after the event: %v", err)
	}
}

func TestWaitForEvent_TimesOutWithNull(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(waiting(sdk.OpWaitForEvent, "w", `{"event":"go","timeout":"1s"}`)))
	pause := pauseOf(t, s)
	next, s = fire(t, s, only(t, next))
	if string(next.Steps[0].Memo) != "null" || len(s.Pauses) != 0 || next.Call != nil {
		t.Errorf("got %+v", next)
	}
	if only(t, next).Kind != KindEdge {
		t.Errorf("next call %+v", next.Jobs)
	}
	if _, err := Advance(s, Matched{Pause: pause.ID, Event: anEvent("go", `{}`), Now: now}); !errors.Is(err, ErrIgnored) {
		t.Errorf("an event after the timeout: %v", err)
	}
}

func TestMatched_IgnoresWhatIsNotForTheRun(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	_, s = answer(t, s, job, ops(waiting(sdk.OpWaitForEvent, "w", `{"event":"go","timeout":"1h"}`)))
	pause := pauseOf(t, s)
	old := anEvent("go", `{}`)
	old.ReceivedAt = now.Add(-time.Minute)
	consumed := s
	consumed.Consumed = []ulid.ULID{anEvent("go", `{}`).InternalID}
	for name, c := range map[string]struct {
		state State
		in    Matched
	}{
		"its own trigger":               {s, Matched{Pause: pause.ID, Event: event.Tracked{InternalID: pause.Ignore, ReceivedAt: now}, Now: now}},
		"an event from before the wait": {s, Matched{Pause: pause.ID, Event: old, Now: now}},
		"an event after the wait":       {s, Matched{Pause: pause.ID, Event: anEvent("go", `{}`), Now: now.Add(2 * time.Hour)}},
		"an event routed twice":         {consumed, Matched{Pause: pause.ID, Event: anEvent("go", `{}`), Now: now}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if next, err := Advance(c.state, c.in); !errors.Is(err, ErrIgnored) {
				t.Errorf("got %+v, %v", next, err)
			}
		})
	}
}

func TestWaitForEvent_BadOptionsFailByName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts  string
		retry bool
		code  string
	}{
		"an expression that does not compile": {`{"event":"go","timeout":"1h","if":"async.data.a =="}`, false, "InvalidExpression"},
		"a timeout of more than a year":       {`{"event":"go","timeout":"400d"}`, false, "InngestErrTimeoutTooLong"},
		"a timeout that is none":              {`{"event":"go","timeout":"soon"}`, true, "Error"},
		"options that are none":               {`[]`, true, "Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := begun(2)
			next, _ := answer(t, s, job, ops(waiting(sdk.OpWaitForEvent, "w", c.opts)))
			if c.retry != (next.Current.Fate == FateRetry) {
				t.Fatalf("got %+v", next)
			}
			job.Attempt = 4
			next, _ = answer(t, s, job, ops(waiting(sdk.OpWaitForEvent, "w", c.opts)))
			var output struct {
				Error struct{ Name, Message string }
			}
			if next.Finish == nil || json.Unmarshal(next.Finish.Output, &output) != nil || output.Error.Name != c.code || output.Error.Message == "" {
				t.Errorf("got %+v", next.Finish)
			}
		})
	}
}

func TestSignal(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	reply := ops(waiting(sdk.OpWaitForSignal, "w", `{"signal":"s","conflict":"fail","timeout":"30s"}`))
	next, s2 := answer(t, s, job, reply)
	if pause := pauseOf(t, s2); pause.Signal != "s" || pause.Replace || only(t, next).Kind != KindPause {
		t.Errorf("pause %+v", pause)
	}
	next, _ = advance(t, s2, Signalled{Signal: "s", Data: []byte(`[1]`), Now: now})
	if string(next.Steps[0].Memo) != `{"data":{"data":[1],"signal":"s"}}` {
		t.Errorf("memo %s", next.Steps[0].Memo)
	}
	next, _ = advance(t, s2, Signalled{Signal: "s", Now: now})
	if string(next.Steps[0].Memo) != `{"data":{"data":null,"signal":"s"}}` {
		t.Errorf("memo %s", next.Steps[0].Memo)
	}
	if _, err := Advance(s2, Signalled{Signal: "other", Now: now}); !errors.Is(err, ErrIgnored) {
		t.Errorf("got %v", err)
	}

	conflict := Replied{Job: job, Reply: reply, Now: now, Limits: DefaultLimits, Conflict: "s"}
	next, _ = Advance(s, conflict)
	const want = `{"error":{"error":"Error: Signal conflict; signal wait already exists for another run","name":"Error","message":"Signal conflict; signal wait already exists for another run"}}`
	if next.Finish == nil || string(next.Finish.Output) != want {
		t.Errorf("got %+v", next.Finish)
	}
	conflict.Reply = ops(waiting(sdk.OpWaitForSignal, "w", `{"signal":"s","conflict":"replace"}`))
	next, _ = Advance(s, conflict)
	if next.Finish != nil || !next.Pauses[0].Replace || !next.Pauses[0].Expires.Equal(now.Add(365*24*time.Hour)) {
		t.Errorf("got %+v", next)
	}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	reply := ops(waiting(sdk.OpInvokeFunction, "call", `{"function_id":"app-child","payload":{"data":{"n": 1},"user":null},"timeout":"1h"}`))
	next, waits := answer(t, s, job, reply)
	if len(next.Publish) != 1 || next.Publish[0].Name != event.FunctionInvoked {
		t.Fatalf("published %+v", next.Publish)
	}
	if fn, correlation := event.Target(next.Publish[0]); fn != "app-child" || correlation != runID.String()+".call" {
		t.Errorf("target %q, correlation %q", fn, correlation)
	}
	timeout := only(t, next)
	for name, c := range map[string]struct{ data, memo string }{
		"a result":       {`{"result":{"twice":2}}`, `{"data":{"twice":2}}`},
		"a null result":  {`{"result":null}`, `{"data":null}`},
		"no result":      {`{}`, `{"data":null}`},
		"an error":       {`{"error":{"message":"x"},"result":1}`, `{"error":{"message":"x"}}`},
		"a cancellation": {`{"_inngest":{"status":"Cancelled"}}`, string(invokeCancelledMemo)},
		"junk":           {`[]`, `{"data":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next, _ := advance(t, waits, Invoked{Op: "call", Event: anEvent(event.FunctionFinished, c.data), Now: now})
			if string(next.Steps[0].Memo) != c.memo {
				t.Errorf("memo %s, want %s", next.Steps[0].Memo, c.memo)
			}
		})
	}
	next, _ = fire(t, waits, timeout)
	if string(next.Steps[0].Memo) != string(invokeTimeoutMemo) {
		t.Errorf("memo %s", next.Steps[0].Memo)
	}
	if _, err := Advance(s, Invoked{Op: "call", Now: now}); !errors.Is(err, ErrIgnored) {
		t.Errorf("got %v", err)
	}
	again, _ := answer(t, waits, timeout, reply)
	if len(again.Publish) != 0 {
		t.Error("an op that is reported twice invokes twice")
	}
}

func TestInvoke_MissingMembersAreNamed(t *testing.T) {
	t.Parallel()
	for _, opts := range []string{`{"function_id":"f"}`, `{"payload":{}}`, `[]`, `{"function_id":"f","payload":{},"timeout":"x"}`} {
		s, job := begun(2)
		job.Attempt = 4
		next, _ := answer(t, s, job, ops(waiting(sdk.OpInvokeFunction, "call", opts)))
		if next.Finish == nil || len(next.Publish) != 2 {
			t.Errorf("%s: got %+v", opts, next)
		}
	}
	s, job := begun(2)
	next, _ := answer(t, s, job, ops(waiting(sdk.OpInvokeFunction, "call", `{"function_id":"f","payload":{"user":"x"},"timeout":"400d"}`)))
	if next.Finish == nil {
		t.Error("a timeout of more than a year is taken")
	}
}

func TestCancelOn(t *testing.T) {
	t.Parallel()
	s, _ := aRun(func(spec *Spec) {
		spec.CancelOn = []CancelOn{
			{Event: "stop", If: "async.data.id == 1"}, {Event: "never", If: "false"}, {Event: "late", Timeout: "junk"}, {Event: "soon", Timeout: "1m"},
		}
	})
	if len(s.Pauses) != 3 {
		t.Fatalf("pauses %+v", s.Pauses)
	}
	for id, pause := range s.Pauses {
		older := anEvent(pause.Event, `{}`)
		older.InternalID = ulid.ULID{15: 1}
		if _, err := Advance(s, Matched{Pause: id, Event: older, Now: now}); !errors.Is(err, ErrIgnored) {
			t.Errorf("an event older than the run cancels it: %v", err)
		}
		next, _ := advance(t, s, Matched{Pause: id, Event: anEvent(pause.Event, `{}`), Now: now})
		if next.Finish == nil || next.Finish.Status != Cancelled || next.Current.Fate != FateNone {
			t.Errorf("got %+v", next)
		}
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	scheduled := time.UnixMilli(int64(runID.Time())).UTC()
	spec := Spec{ID: runID, FunctionID: fnID, MaxAttempts: 5, Key: "k", Now: scheduled, Timeouts: Timeouts{Start: 5 * time.Second, Finish: time.Minute},
		Events: []event.Tracked{{Event: event.Event{Name: "x"}}}}
	s, jobs := New(spec)
	if len(jobs) != 2 || jobs[1].Kind != KindCancel || !jobs[1].At.Equal(scheduled.Add(5*time.Second)) {
		t.Fatalf("jobs %+v", jobs)
	}
	at := func(s State, job Job, now time.Time) (Transition, State) {
		next, err := Advance(s, Due{Job: job, Now: now, Limits: DefaultLimits})
		if err != nil {
			t.Fatal(err)
		}
		return next, s.Apply(job, next)
	}
	if next, _ := at(s, jobs[1], scheduled.Add(5*time.Second)); next.Finish == nil || next.Finish.Status != Cancelled {
		t.Errorf("not started in time: got %+v", next)
	}
	if next, _ := at(s, jobs[0], scheduled.Add(6*time.Second)); next.Finish == nil {
		t.Errorf("first call after the start timeout: got %+v", next)
	}
	next, started := at(s, jobs[0], scheduled.Add(time.Second))
	if next.Call == nil || len(next.Jobs) != 1 || !next.Jobs[0].At.Equal(scheduled.Add(time.Minute+time.Second)) {
		t.Fatalf("first call: got %+v", next)
	}
	if over, _ := at(started, jobs[1], scheduled.Add(5*time.Second)); over.Finish != nil || over.Current.Fate != FateDone {
		t.Errorf("started in time: got %+v", over)
	}
	if over, _ := at(started, next.Jobs[0], next.Jobs[0].At); over.Finish == nil || over.Finish.Status != Cancelled {
		t.Errorf("not ended in time: got %+v", over)
	}
}

func TestGateway(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(waiting(sdk.OpGateway, "fetch", `{"url":"http://x"}`)))
	request := only(t, next)
	if request.Kind != KindGateway || request.Gateway.Op != "Gateway" || string(request.Gateway.Opts) != `{"url":"http://x"}` {
		t.Fatalf("job %+v", request)
	}
	due, _ := fire(t, s, request)
	if due.Call == nil || due.Call.Gateway == nil {
		t.Fatalf("got %+v", due)
	}
	failed := Gatewayed{Job: request, Memo: []byte(`{"error":{}}`), Failure: &sdk.Failure{Text: "x"}, Now: now, Limits: DefaultLimits}
	if next, _ = advance(t, s, failed); next.Current.Fate != FateRetry || len(next.Steps) != 0 {
		t.Errorf("got %+v", next)
	}
	failed.Job.Attempt = 4
	if next, _ = advance(t, s, failed); string(next.Steps[0].Memo) != `{"error":{}}` {
		t.Errorf("got %+v", next)
	}
	next, _ = advance(t, s, Gatewayed{Job: request, Memo: []byte(`{"data":1}`), Now: now, Limits: DefaultLimits})
	if string(next.Steps[0].Memo) != `{"data":1}` || only(t, next).Kind != KindEdge {
		t.Errorf("got %+v", next)
	}
	next, _ = advance(t, s, Gatewayed{Job: request, Memo: []byte(`{"data":1}`), Now: now, Limits: Limits{StateBytes: 1}})
	if next.Finish == nil {
		t.Errorf("too large: got %+v", next)
	}
	if _, err := Advance(s, Gatewayed{Job: Job{ID: "x"}}); !errors.Is(err, ErrForeignJob) {
		t.Errorf("got %v", err)
	}
}

func TestDefers(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	add := func(id, opts string) sdk.Op { return waiting(sdk.OpDeferAdd, id, opts) }
	next, s := answer(t, s, job, ops(
		stepRun("a", "1"), add("d1", `{"fn_slug":"app-later","input":{"x": 1}}`), add("d2", `{"fn_slug":"app-later"}`),
		add("d3", `{"input":{}}`), add("d4", `{"fn_slug":"f","input":[1]}`), add("d1", `{"fn_slug":"other"}`),
	))
	if next.ForceStepPlan {
		t.Error("defers count as steps in parallel")
	}
	follow := only(t, next)
	next, s = answer(t, s, follow, ops(waiting(sdk.OpDeferAbort, "x", `{"target_hashed_id":"d2"}`)))
	if len(next.Jobs) != 1 {
		t.Fatalf("an answer of defers only: got %+v", next)
	}
	if got := s.Abortable(); !got["d1"] || got["d2"] || got["d3"] || got["d4"] || len(got) != 4 {
		t.Errorf("abortable %v", got)
	}
	next, _ = answer(t, s, next.Jobs[0], sdk.Reply{Status: 200})
	var events []event.Event
	for _, e := range next.Publish {
		if e.Name == event.DeferredSchedule {
			events = append(events, e)
		}
	}
	if len(events) != 1 {
		t.Fatalf("published %+v", events)
	}
	var data map[string]any
	if err := json.Unmarshal(events[0].Data, &data); err != nil || data["x"] != 1.0 {
		t.Errorf("data %s: %v", events[0].Data, err)
	}
	if meta, _ := data["_inngest"].(map[string]any); meta["fn_slug"] != "app-later" || meta["parent_run_id"] != runID.String() {
		t.Errorf("metadata %v", data["_inngest"])
	}
	if (State{}).Abortable() != nil {
		t.Error("a run without defers has some")
	}
}

func TestDefers_AreBounded(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	var list []sdk.Op
	for i := range 25 {
		list = append(list, waiting(sdk.OpDeferAdd, string(rune('a'+i)), `{"fn_slug":"f"}`))
	}
	if _, s = answer(t, s, job, ops(list...)); len(s.Defers) != 20 {
		t.Errorf("got %d", len(s.Defers))
	}
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	save := func(list ...sdk.Op) (Transition, error) {
		return Advance(s, Checkpointed{Ops: list, Now: now, Limits: DefaultLimits})
	}
	next, err := save(stepRun("a", "1"), sdk.Op{Op: sdk.OpStep, ID: "b", Data: []byte("2")}, planned("c"), stepRun("a", "9"),
		waiting(sdk.OpDeferAdd, "d", `{"fn_slug":"f"}`), waiting(sdk.OpDeferAbort, "e", `{"target_hashed_id":"d"}`))
	if err != nil || len(next.Steps) != 2 || len(next.Jobs) != 0 || next.Current.Fate != FateNone {
		t.Fatalf("got %+v, %v", next, err)
	}
	s = s.Apply(Job{}, next)
	if _, has := s.Jobs[job.ID]; !has {
		t.Error("the call in hand is gone")
	}
	for op, want := range map[sdk.Opcode]string{
		sdk.OpSleep: "cannot checkpoint async steps", sdk.OpStepError: "cannot checkpoint async steps",
		sdk.OpStepFailed: "cannot checkpoint opcode: StepFailed", sdk.OpRunComplete: "cannot checkpoint opcode: RunComplete",
	} {
		if _, err := save(stepRun("z", "1"), sdk.Op{Op: op, ID: "x"}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", op, err)
		}
	}
	_, err = Advance(s, Checkpointed{Ops: []sdk.Op{stepRun("z", "1")}, Now: now, Limits: Limits{StateBytes: 1}})
	if large := (*CheckpointError)(nil); !errors.As(err, &large) || !large.TooLarge {
		t.Errorf("got %v", err)
	}
	// The answer to the call may say nothing more: the run goes on after what was saved.
	next, _ = answer(t, s, job, ops(sdk.Op{Op: sdk.OpNone}))
	if only(t, next).Edge.Outgoing != "b" {
		t.Errorf("got %+v", next)
	}
}

func TestNew_RerunFromAStep(t *testing.T) {
	t.Parallel()
	s, job := aRun(func(spec *Spec) {
		spec.Steps = []Step{{ID: "a", Memo: []byte(`{"data":1}`)}}
		spec.Inputs = map[string]json.RawMessage{"b": []byte(`[7]`)}
		spec.Target = "b"
	})
	next, _ := fire(t, s, job)
	if next.Call.Target != "b" || next.Call.Current != 1 || !s.has("a") || s.Revision != 0 {
		t.Errorf("call %+v of %+v", next.Call, s)
	}
}

func TestWithConflict_ConcernsAnswersOnly(t *testing.T) {
	t.Parallel()
	if got, ok := WithConflict(Replied{}, "s").(Replied); !ok || got.Conflict != "s" {
		t.Errorf("got %+v", got)
	}
	if got := WithConflict(CancelRequested{Now: now}, "s"); got != (CancelRequested{Now: now}) {
		t.Errorf("got %+v", got)
	}
}

func TestTimeout_AfterItsWaitIsOver(t *testing.T) {
	t.Parallel()
	s, _ := begun(2)
	late := Job{ID: "late", RunID: runID, Kind: KindPause, Edge: Edge{Outgoing: "gone"}}
	s.Jobs["late"] = KindPause
	next, _ := fire(t, s, late)
	if next.Current.Fate != FateDone || len(next.Steps) != 0 {
		t.Errorf("got %+v", next)
	}
}

func TestDefers_WithoutInputAndWithSize(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	big := `{"x":"` + strings.Repeat("x", 3<<20) + `"}`
	next, s := answer(t, s, job, ops(
		waiting(sdk.OpDeferAdd, "a", `{"fn_slug":"f"}`), waiting(sdk.OpDeferAdd, "b", `{"fn_slug":"f","input":`+big+`}`),
		waiting(sdk.OpDeferAdd, "c", `{"fn_slug":"f","input":`+big+`}`), waiting(sdk.OpDeferAdd, "d", `{"fn_slug":"f","input":null}`),
	))
	if s.Defers["a"].Status != DeferAfterRun || s.Defers["b"].Status != DeferAfterRun || s.Defers["c"].Status != DeferRejected {
		t.Errorf("got %v", s.Abortable())
	}
	next, _ = answer(t, s, only(t, next), sdk.Reply{Status: 200})
	if len(next.Publish) != 4 || !strings.HasSuffix(string(next.Publish[1].Data), `"}}`) {
		t.Errorf("published %d, %s", len(next.Publish), next.Publish[1].Data)
	}
}

// BenchmarkNew starts a run of a function that an event cancels.
func BenchmarkNew(b *testing.B) {
	const condition = "event.data.userId == async.data.userId && async.data.force"
	for name, entries := range map[string][]CancelOn{
		"cancelOn=none": nil, "cancelOn=text": {{Event: "stop", If: condition}}, "cancelOn=compiled": {{Event: "stop", If: condition, Template: template(b, condition)}},
	} {
		b.Run(name, func(b *testing.B) {
			spec := Spec{ID: runID, FunctionID: fnID, MaxAttempts: 5, Key: "k", Now: now, CancelOn: entries,
				Events: []event.Tracked{{Event: event.Event{Name: "x", Data: json.RawMessage(`{"userId":"u-12345","n":1}`)}}}}
			b.ReportAllocs()
			for b.Loop() {
				if s, _ := New(spec); len(s.Pauses) != len(entries) {
					b.Fatal("pauses are missing")
				}
			}
		})
	}
}

func template(tb testing.TB, condition string) *expr.Template {
	tb.Helper()
	compiled, err := expr.CompileTemplate(condition)
	if err != nil {
		tb.Fatal(err)
	}
	return compiled
}

func TestCancelOn_CompiledOrNotIsTheSame(t *testing.T) {
	t.Parallel()
	const condition = `event.data.a == async.data.a && async.data.b == "x"`
	pauses := func(entry CancelOn) map[uuid.UUID]Pause {
		s, _ := aRun(func(spec *Spec) { spec.CancelOn = []CancelOn{entry} })
		return s.Pauses
	}
	want := pauses(CancelOn{Event: "stop", If: condition})
	if len(want) != 1 {
		t.Fatalf("pauses %+v", want)
	}
	if diff := cmp.Diff(want, pauses(CancelOn{Event: "stop", If: condition, Template: template(t, condition)})); diff != "" {
		t.Error(diff)
	}
}

func TestInputMemos(t *testing.T) {
	t.Parallel()
	s, _ := aRun(func(spec *Spec) { spec.Inputs = map[string]json.RawMessage{"b": []byte(`[7,"x"]`)} })
	if diff := cmp.Diff(map[string]json.RawMessage{"b": []byte(`{"input":[7,"x"]}`)}, s.InputMemos()); diff != "" {
		t.Error(diff)
	}
	if s, _ = aRun(); s.InputMemos() != nil {
		t.Error("a run that is no rerun has inputs")
	}
}

// TestSteps_CarryTheirNames, whatever it is that ends them.
func TestSteps_CarryTheirNames(t *testing.T) {
	t.Parallel()
	op := func(code sdk.Opcode, opts string) sdk.Op {
		return sdk.Op{Op: code, ID: "id", Name: "1h", DisplayName: "the step", Opts: json.RawMessage(opts), Data: json.RawMessage(`1`)}
	}
	e := anEvent("go", `{}`)
	for name, test := range map[string]struct {
		op  sdk.Op
		end func(s State, job Job) Input
	}{
		"run": {op: op(sdk.OpStepRun, "")},
		"sleep": {op(sdk.OpSleep, ""), func(_ State, job Job) Input {
			return Due{Job: job, Now: now.Add(time.Hour), Limits: DefaultLimits}
		}},
		"fetch": {op(sdk.OpGateway, `{}`), func(_ State, job Job) Input {
			return Gatewayed{Job: job, Memo: json.RawMessage(`1`), Now: now, Limits: DefaultLimits}
		}},
		"wait": {op(sdk.OpWaitForEvent, `{"event":"go","timeout":"1h"}`), func(s State, _ Job) Input {
			return Matched{Pause: pauseOf(t, s).ID, Event: e, Now: now}
		}},
		"timeout": {op(sdk.OpInvokeFunction, `{"function_id":"fn","payload":{}}`), func(_ State, job Job) Input {
			return Due{Job: job, Now: job.At, Limits: DefaultLimits}
		}},
		"signal": {op(sdk.OpWaitForSignal, `{"signal":"s"}`), func(State, Job) Input {
			return Signalled{Signal: "s", Now: now}
		}},
	} {
		s, job := begun(2)
		next, s := answer(t, s, job, ops(test.op))
		if test.end != nil {
			next, _ = advance(t, s, test.end(s, only(t, next)))
		}
		if len(next.Steps) != 1 || next.Steps[0].ID != "id" || next.Steps[0].Name != "the step" {
			t.Errorf("%s: %+v", name, next.Steps)
		}
	}
	checkpoint, _ := aRun()
	if next, _ := advance(t, checkpoint, Checkpointed{Ops: []sdk.Op{op(sdk.OpStepRun, "")}, Now: now, Limits: DefaultLimits}); next.Steps[0].Name != "the step" {
		t.Errorf("checkpoint: %+v", next.Steps)
	}
}
