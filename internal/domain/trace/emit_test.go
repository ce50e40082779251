package trace_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
)

var (
	at      = time.UnixMilli(1795475909000).UTC()
	runID   = ulid.MustParse("01J8ZKZ5H4X0V6QK3N8N3W9R7T")
	other   = ulid.MustParse("01J8ZKZ5H4X0V6QK3N8N3W9R70")
	eventID = ulid.MustParse("01J8ZKZ5H4X0V6QK3N8N3W9R7S")
	appID   = uuid.MustParse("690c7235-59b3-5a4e-9c04-e1aa98cc6e38")
	fnID    = uuid.MustParse("2b8a7a4a-6d0a-5e0c-8c25-0b6f0a4c2f11")
)

// world is a run that goes on, and all its rows.
type world struct {
	t     *testing.T
	state run.State
	jobs  map[string]run.Job
	rows  []trace.Span
	now   time.Time
}

func specOf(change ...func(*run.Spec)) run.Spec {
	spec := run.Spec{
		ID: runID, AppID: appID, FunctionID: fnID, FunctionVersion: 1, Slug: "acme-hello", MaxAttempts: 4, Key: "k", Now: at,
		Events: []event.Tracked{{InternalID: eventID, Event: event.Event{ID: "e-1", Name: "shop/order", Data: json.RawMessage(`{"n":1}`), TS: 1795475908000}}},
	}
	for _, c := range change {
		c(&spec)
	}
	return spec
}

func newWorld(t *testing.T, change ...func(*run.Spec)) *world {
	t.Helper()
	spec := specOf(change...)
	state, jobs := run.New(spec)
	w := &world{t: t, state: state, jobs: map[string]run.Job{}, now: at, rows: trace.Scheduled(trace.Beginning{Spec: spec, Due: jobs[0].At})}
	for _, job := range jobs {
		w.jobs[job.ID] = job
	}
	return w
}

// do makes one input and returns the rows that it made.
func (w *world) do(job run.Job, in run.Input) []trace.Span {
	w.t.Helper()
	t, err := run.Advance(w.state, in)
	if err != nil {
		w.t.Fatal(err)
	}
	var published []event.Tracked
	for i, e := range t.Publish {
		published = append(published, event.Tracked{InternalID: ulid.ULID{1, byte(i)}, Event: e})
	}
	rows := trace.Advanced(w.state, in, t, published)
	w.rows = append(w.rows, rows...)
	w.state = w.state.Apply(job, t)
	switch t.Current.Fate {
	case run.FateDone:
		delete(w.jobs, job.ID)
	case run.FateRetry:
		job.Attempt, job.At = t.Current.Attempt, t.Current.At
		w.jobs[job.ID] = job
	case run.FateKeep, run.FateNone:
	}
	for _, next := range t.Jobs {
		w.jobs[next.ID] = next
	}
	return rows
}

// the returns the one job of the kind.
func (w *world) the(kind run.Kind) run.Job {
	w.t.Helper()
	for _, job := range w.jobs {
		if job.Kind == kind {
			return job
		}
	}
	w.t.Fatalf("no job of kind %s in %v", kind, w.jobs)
	return run.Job{}
}

// answer is the app's answer to the job, 2 ms after it was called, one second later than what was before.
func (w *world) answer(job run.Job, reply sdk.Reply) []trace.Span {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	if reply.Status == 0 {
		reply.Status, reply.FromSDK, reply.RequestVersion = 206, true, 2
	}
	return w.do(job, run.Replied{Job: job, Reply: reply, CalledAt: w.now, Now: w.now.Add(2 * time.Millisecond), Limits: run.DefaultLimits, Exchange: run.Exchange{
		Request: "01M85B8B3W4028P67RPDJ65BJY", Status: reply.Status, Size: 10, Header: map[string]string{"X-B": `a"<é`, "Authorization": "secret", "Content-Type": "text"},
	}})
}

func (w *world) due(job run.Job) []trace.Span {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	return w.do(job, run.Due{Job: job, Now: w.now, Limits: run.DefaultLimits})
}

func ops(list ...sdk.Op) sdk.Reply { return sdk.Reply{Ops: list} }

// brief is a row in a line: what tests compare. Attributes are those named.
func brief(row trace.Span, keys ...string) string {
	var attributes map[string]any
	if err := json.Unmarshal(row.Attributes, &attributes); err != nil {
		return "attributes: " + err.Error() + string(row.Attributes)
	}
	text := fmt.Sprintf("%s %s %s +%d..%d", row.Name, row.Dynamic, row.Status, row.Start.Sub(at).Milliseconds(), row.End.Sub(at).Milliseconds())
	for _, key := range keys {
		text += fmt.Sprintf(" %s=%v", strings.TrimPrefix(key, "_inngest."), attributes[key])
	}
	if row.Input != nil {
		text += " in " + string(row.Input)
	}
	if row.Output != nil {
		text += " out " + string(row.Output)
	}
	return text
}

func check(t *testing.T, rows []trace.Span, keys []string, want ...string) {
	t.Helper()
	var got []string
	for _, row := range rows {
		got = append(got, brief(row, keys...))
		if row.Run == runID && (row.App != appID || row.Function != fnID || row.Trace != trace.Of(runID).ID) {
			t.Errorf("identity of %+v", row)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

var rootID = func() string { _, id := trace.RunIDs(runID); return id }()

func TestScheduled(t *testing.T) {
	t.Parallel()
	batch := ulid.MustParse("01J8ZKZ5H0X0V6QK3N8N3W9R7Z")
	invoked := func(correlation string) event.Tracked {
		return event.Tracked{InternalID: other, Event: event.Event{Name: event.FunctionInvoked, Data: event.WithMetadata(nil, event.Metadata{
			SourceAppID: appID.String(), SourceFnID: fnID.String(), CorrelationID: correlation,
		})}}
	}
	for name, c := range map[string]struct {
		b    trace.Beginning
		spec func(*run.Spec)
		want string
		row  trace.Span
	}{
		"by an event": {want: `{"_inngest.dynamic.status":"Queued","_inngest.event.trigger.name":"shop/order","_inngest.queued_at":"1727637984804","_inngest.scheduled_at":"1795475910000"}`},
		"by a schedule": {b: trace.Beginning{From: flow.FromCron, Cron: "* * * * *"}, want: `{"_inngest.cron.schedule":"* * * * *","_inngest.dynamic.status":"Queued",` +
			`"_inngest.event.trigger.name":"shop/order","_inngest.queued_at":"1727637984804","_inngest.run.schedule_type":"Cron","_inngest.scheduled_at":"1795475910000"}`},
		"of a batch": {b: trace.Beginning{From: flow.FromBatch, Batch: batch}, want: `{"_inngest.batch.id":"01J8ZKZ5H0X0V6QK3N8N3W9R7Z","_inngest.batch.ts":"1727637984800","_inngest.dynamic.status":"Queued",` +
			`"_inngest.event.trigger.name":"shop/order","_inngest.queued_at":"1727637984804","_inngest.scheduled_at":"1795475910000"}`},
		"again, from a step": {b: trace.Beginning{From: flow.FromRerun, Original: other}, spec: func(s *run.Spec) { s.Steps, s.Target = []run.Step{{ID: "s"}}, "t" }, want: `{"_inngest.dynamic.status":"Queued","_inngest.event.trigger.name":"shop/order","_inngest.queued_at":"1727637984804",` +
			`"_inngest.run.replay_original_run_id":"01J8ZKZ5H4X0V6QK3N8N3W9R70","_inngest.run.schedule_type":"Rerun","_inngest.scheduled_at":"1795475910000"}`},
		"debounced, in sessions": {b: trace.Beginning{From: flow.FromDebounce}, spec: func(s *run.Spec) { s.Events[0].Sessions = map[string]string{"u": "1", "a": `"`} },
			want: `{"_inngest.dynamic.status":"Queued","_inngest.event.sessions":"[{\"key\":\"a\",\"id\":\"\\\"\"},{\"key\":\"u\",\"id\":\"1\"}]","_inngest.event.trigger.name":"shop/order",` +
				`"_inngest.queued_at":"1727637984804","_inngest.run.schedule_type":"Debounce","_inngest.scheduled_at":"1795475910000"}`},
		"in a request": {b: trace.Beginning{From: flow.FromRequest}, spec: func(s *run.Spec) { s.Endpoint, s.Attached = &run.Endpoint{Method: "GET"}, true },
			want: `{"_inngest.dynamic.status":"Running","_inngest.event.trigger.name":"shop/order","_inngest.queued_at":"1727637984804","_inngest.run.is_durable_endpoint":true,` +
				`"_inngest.scheduled_at":"1795475910000","_inngest.started_at":"1727637984804"}`},
		"by another run's end": {spec: func(s *run.Spec) {
			s.Events[0].Event = event.Event{Name: event.DeferredSchedule, Data: json.RawMessage(`{"_inngest":{"parent_run_id":"01J8ZKZ5H4X0V6QK3N8N3W9R70","parent_fn_slug":"acme-p"}}`)}
		}, want: `{"_inngest.defer.parent_fn_slug":"acme-p","_inngest.defer.parent_run_ids":["01J8ZKZ5H4X0V6QK3N8N3W9R70"],"_inngest.dynamic.status":"Queued",` +
			`"_inngest.event.trigger.name":"inngest/deferred.schedule","_inngest.queued_at":"1727637984804","_inngest.scheduled_at":"1795475910000"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := c.b
			b.Due = at.Add(time.Second)
			if b.Spec = specOf(); c.spec != nil {
				c.spec(&b.Spec)
			}
			rows := trace.Scheduled(b)
			if len(rows) != 1 || string(rows[0].Attributes) != c.want {
				t.Fatalf("got  %s\nwant %s", rows[0].Attributes, c.want)
			}
			root := rows[0]
			if root.ID != rootID || root.Dynamic != rootID || root.Parent != trace.NoParent || root.Name != trace.NameRun || !root.Start.Equal(at) || root.EventIDs[0] != eventID {
				t.Errorf("root %+v", root)
			}
			if root.Deferred != (name == "by another run's end") || root.Summary.Debounced != (name == "debounced, in sessions") || root.Summary.Batch != b.Batch || root.Summary.Cron != b.Cron {
				t.Errorf("root %+v, %+v", root, root.Summary)
			}
			var events []event.Event
			if err := json.Unmarshal(root.Input, &events); err != nil || len(events) != 1 {
				t.Errorf("input %s", root.Input)
			}
		})
	}
	spec := specOf(func(s *run.Spec) {
		s.Events = []event.Tracked{invoked(other.String() + ".abc"), invoked("junk"), invoked(""), invoked("01J8ZKZ5H4X0V6QK3N8N3W9R7!.x")}
	})
	rows := trace.Scheduled(trace.Beginning{Spec: spec})
	if len(rows) != 2 {
		t.Fatalf("got %+v", rows)
	}
	told := rows[1]
	if told.Run != other || told.Name != trace.NameExtend || told.Dynamic != trace.StepID("abc") || told.App != appID || told.Function != fnID || told.Trace != trace.Of(other).ID ||
		string(told.Attributes) != `{"_inngest.step.invoke.run.id":"`+runID.String()+`"}` {
		t.Errorf("the invoker is told %+v", told)
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	rows := trace.Scheduled(trace.Beginning{Spec: specOf(), Cron: "@daily"})
	skipped := trace.Ended(rows, run.Skip(flow.SkippedBySingleton, at.Add(time.Second)), flow.SkippedBySingleton, other)
	check(t, skipped, []string{trace.KeySkipReason, trace.KeySkipExisting, trace.KeyStatus, trace.KeyEndedAt},
		"executor.run "+rootID+" Skipped +0..1000 run.skip_reason=Singleton run.skip_existing_run_id="+other.String()+" dynamic.status=Skipped ended_at=<nil> in "+string(rows[0].Input))
	if sum := skipped[0].Summary; sum.Status != trace.Skipped || sum.Cron != "@daily" || !sum.EndedAt.Equal(at.Add(time.Second)) {
		t.Errorf("summary %+v", sum)
	}
	refused := trace.Ended(rows, run.Refuse("no", at), flow.NotSkipped, ulid.ULID{})
	check(t, refused, []string{trace.KeyStatus, trace.KeyEndedAt, trace.KeySkipReason}, "executor.run "+rootID+` Failed +0..0 dynamic.status=Failed ended_at=1795475909000 run.skip_reason=<nil> in `+
		string(rows[0].Input)+` out {"error":`+string(run.Refuse("no", at).Output)+`}`)
	if trace.Ended(nil, run.Finish{}, flow.NotSkipped, other) != nil {
		t.Error("rows of nothing")
	}
	if rows[0].Status != trace.Queued || rows[0].Summary.Status != trace.Queued {
		t.Error("the rows given were changed")
	}
}

// TestAdvanced_WholeRow has every attribute of a step that succeeds at once, and of the run's end.
func TestAdvanced_WholeRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.the(run.KindStart)
	rows := w.answer(first, ops(sdk.Op{
		Op: sdk.OpStepRun, ID: "98bf", Name: "first", DisplayName: "First <b>", Data: json.RawMessage(`"hi"`), UserlandID: "first", UserlandIndex: 2,
		Opts: json.RawMessage(`{"type":"step.ai.wrap","input":[1]}`),
	}))
	group := trace.GroupID(first.ID)
	response := `"_inngest.request.id":"01M85B8B3W4028P67RPDJ65BJY","_inngest.response.headers":"{\"Authorization\":\"[REDACTED]\",\"Content-Type\":\"text\",\"X-B\":\"a\\\"\\u003cé\"}",` +
		`"_inngest.response.output_size":10,"_inngest.response.status_code":`
	want := `{"_inngest.dynamic.status":"Completed","_inngest.ended_at":"1795475910002","_inngest.job.group.id":"` + group + `","_inngest.job.id":"` + first.ID + `","_inngest.queued_at":"1795475909000",` +
		response + `206,"_inngest.scheduled_at":"1795475909000","_inngest.started_at":"1795475910000","_inngest.step.attempt":0,"_inngest.step.id":"98bf","_inngest.step.max_attempts":4,` +
		`"_inngest.step.name":"First \u003cb\u003e","_inngest.step.op":"StepRun","_inngest.step.run.type":"step.ai.wrap","_inngest.step.type":"aiWrap","_inngest.step.userland.id":"first","_inngest.step.userland.index":2}`
	if len(rows) != 2 || string(rows[0].Attributes) != want {
		t.Fatalf("got  %s\nwant %s", rows[0].Attributes, want)
	}
	check(t, rows, []string{trace.KeyStartedAt},
		"executor.step "+trace.StepID("98bf")+` Completed +1000..1002 started_at=1795475910000 in [1] out {"data":"hi"}`,
		"EXTEND "+rootID+" Running +1000..1000 started_at=1795475910000")
	if !rows[0].AI || rows[0].ID != trace.StepID("98bf") || rows[0].Parent != rootID || rows[1].Parent != trace.NoParent || rows[1].Summary.Status != trace.Running {
		t.Errorf("rows %+v", rows)
	}
	last := w.the(run.KindEdge)
	rows = w.answer(last, sdk.Reply{Status: 200, FromSDK: true, Output: json.RawMessage(`{"a":1}`)})
	want = `{"_inngest.dynamic.status":"Completed","_inngest.ended_at":"1795475911002","_inngest.ingot.call.started_at":"1795475911000","_inngest.is.function.output":true,` +
		`"_inngest.job.group.id":"` + trace.GroupID(last.ID) + `","_inngest.job.id":"` + last.ID + `",` + response + `200,"_inngest.started_at":"1795475910000"}`
	if len(rows) != 1 || string(rows[0].Attributes) != want {
		t.Fatalf("got  %s\nwant %s", rows[0].Attributes, want)
	}
	check(t, rows, nil, "EXTEND "+rootID+` Completed +2002..2002 out {"data":{"a":1}}`)
	if got := trace.Unwrapped(rows[0].Output); string(got) != `{"a":1}` {
		t.Errorf("unwrapped %s", got)
	}
	if merged := trace.Merge(w.rows); len(merged) != 2 || merged[0].Status != trace.Completed || merged[0].Summary.EndedAt.IsZero() || merged[0].Name != trace.NameRun {
		t.Errorf("merged %+v", merged)
	}
}

// TestAdvanced has the rows of each kind of step and of each way to end.
func TestAdvanced(t *testing.T) {
	t.Parallel()
	status := []string{trace.KeyStatus, trace.KeyAttempt}
	failing := func(op sdk.Opcode, noRetry bool) sdk.Op {
		return sdk.Op{Op: op, ID: "s", Error: &sdk.OpError{Name: "E", Message: "m", NoRetry: noRetry}}
	}
	broken := sdk.Reply{Status: 500, FromSDK: true, Output: json.RawMessage(`{"name":"E","message":"m"}`), Failure: &sdk.Failure{Text: "invalid status code: 500", Name: "Error"}}
	begin := "EXTEND " + rootID + " Running +1000..1000 dynamic.status=Running step.attempt=<nil>"
	step, sleep := trace.StepID("s"), trace.SleepID("s")
	for name, do := range map[string]func(t *testing.T, w *world){
		"a step that fails and is tried again": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), ops(failing(sdk.OpStepError, false))), status,
				"executor.step "+trace.AttemptID("s", 0)+` Errored +1000..1002 dynamic.status=Errored step.attempt=0 out {"error":{"message":"m","name":"E"}}`, begin)
			check(t, w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpStepRun, ID: "s"})), status,
				"executor.step "+step+` Completed +2000..2002 dynamic.status=Completed step.attempt=1 out {"data":null}`)
		},
		"a step that fails for good": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), ops(failing(sdk.OpStepError, true))), status,
				"executor.step "+step+` Failed +1000..1002 dynamic.status=Failed step.attempt=0 out {"error":{"message":"m","name":"E","noRetry":true}}`, begin)
		},
		"a step that failed": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), ops(failing(sdk.OpStepFailed, false))), status,
				"executor.step "+step+` Failed +1000..1002 dynamic.status=Failed step.attempt=0 out {"error":{"message":"m","name":"E"}}`, begin)
		},
		"a step of an old SDK": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpStep, ID: "s", Data: json.RawMessage(`1.50`)})), status,
				"executor.step "+step+` Completed +1000..1002 dynamic.status=Completed step.attempt=0 out {"data":1.50}`, begin)
		},
		"a step that is reported twice": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpStepRun, ID: "s"}, sdk.Op{Op: sdk.OpStepRun, ID: "s"}, failing(sdk.OpStepError, false))), status,
				"executor.step "+step+` Completed +1000..1002 dynamic.status=Completed step.attempt=0 out {"data":null}`, begin)
		},
		"steps that are planned": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpStepPlanned, ID: "s"}, sdk.Op{Op: sdk.OpStepPlanned, ID: "s"}, sdk.Op{Op: sdk.OpStepPlanned, ID: "z"})), append(status, trace.KeyStepOp, trace.KeyStartedAt),
				"executor.step "+step+" Queued +1002..1002 dynamic.status=Queued step.attempt=0 step.op=StepPlanned started_at=<nil>",
				"executor.step "+trace.StepID("z")+" Queued +1002..1002 dynamic.status=Queued step.attempt=0 step.op=StepPlanned started_at=<nil>", begin+" step.op=<nil> started_at=1795475910000")
			for _, job := range w.jobs {
				if job.Edge.Target == "s" {
					w.answer(job, ops(sdk.Op{Op: sdk.OpStepRun, ID: "s"}))
				}
			}
			if merged := trace.Merge(w.rows); len(merged) != 3 || merged[1].ID != step || merged[1].Status != trace.Completed {
				t.Errorf("merged %+v", merged)
			}
		},
		"a sleep": func(t *testing.T, w *world) {
			keys := slices.Concat(status, []string{trace.KeySleepDuration, trace.KeyStepType, trace.KeyEndedAt})
			check(t, w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpSleep, ID: "s", Name: "2s"})), keys,
				"executor.step "+sleep+" Sleeping +1002..1002 dynamic.status=Sleeping step.attempt=0 step.sleep.duration=2000 step.type=sleep ended_at=<nil>", begin+" step.sleep.duration=<nil> step.type=<nil> ended_at=<nil>")
			check(t, w.due(w.the(run.KindSleep)), keys,
				"EXTEND "+sleep+" Completed +2000..2000 dynamic.status=Completed step.attempt=<nil> step.sleep.duration=<nil> step.type=<nil> ended_at=1795475911000")
		},
		"a wait for an event that comes": func(t *testing.T, w *world) {
			keys := slices.Concat(status, []string{trace.KeyWaitEvent, trace.KeyWaitIf, trace.KeyWaitExpiry, trace.KeyWaitExpired, trace.KeyWaitMatched})
			check(t, w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpWaitForEvent, ID: "s", Opts: json.RawMessage(`{"event":"x","timeout":"1h","if":"async.data.a == event.data.n"}`)})), keys,
				"executor.step "+step+" Waiting +1002..1002 dynamic.status=Waiting step.attempt=0 step.wait_for_event.name=x step.wait_for_event.if=async.data.a == 1.0 step.wait.expiry=1795479510002 step.wait.expired=<nil> step.wait_for_event.matched_id=<nil>",
				begin+" step.wait_for_event.name=<nil> step.wait_for_event.if=<nil> step.wait.expiry=<nil> step.wait.expired=<nil> step.wait_for_event.matched_id=<nil>")
			var pause uuid.UUID
			for id := range w.state.Pauses {
				pause = id
			}
			w.now = w.now.Add(time.Second)
			check(t, w.do(run.Job{}, run.Matched{Pause: pause, Event: event.Tracked{InternalID: other, ReceivedAt: w.now, Event: event.Event{Name: "x", Data: json.RawMessage(`{}`)}}, Now: w.now}),
				keys, "EXTEND "+step+" Completed +2000..2000 dynamic.status=Completed step.attempt=<nil> step.wait_for_event.name=<nil> step.wait_for_event.if=<nil> step.wait.expiry=<nil> step.wait.expired=false step.wait_for_event.matched_id="+other.String()+
					` out {"data":{},"id":"","name":"x","ts":0,"user":{}}`)
		},
		"a wait that ends by itself": func(t *testing.T, w *world) {
			w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpWaitForEvent, ID: "s", Opts: json.RawMessage(`{"event":"x","timeout":"1s"}`)}))
			check(t, w.due(w.the(run.KindPause)), append(status, trace.KeyWaitExpired), "EXTEND "+step+" TimedOut +2000..2000 dynamic.status=TimedOut step.attempt=<nil> step.wait.expired=true")
		},
		"a wait for a signal": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpWaitForSignal, ID: "s", Opts: json.RawMessage(`{"signal":"go"}`)})), append(status, trace.KeySignal),
				"executor.step "+step+" Waiting +1002..1002 dynamic.status=Waiting step.attempt=0 step.signal.name=go", begin+" step.signal.name=<nil>")
			w.now = w.now.Add(time.Second)
			check(t, w.do(run.Job{}, run.Signalled{Signal: "go", Data: json.RawMessage(`7`), Now: w.now}), append(status, trace.KeyWaitExpired),
				"EXTEND "+step+` Completed +2000..2000 dynamic.status=Completed step.attempt=<nil> step.wait.expired=false out {"data":{"data":7,"signal":"go"}}`)
		},
		"a wait for a signal that another step takes over": func(t *testing.T, w *world) {
			w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpWaitForSignal, ID: "s", Opts: json.RawMessage(`{"signal":"go"}`)}, sdk.Op{Op: sdk.OpStepRun, ID: "y"}))
			rows := w.answer(w.the(run.KindPause), sdk.Reply{Ops: []sdk.Op{
				{Op: sdk.OpWaitForSignal, ID: "t", Opts: json.RawMessage(`{"signal":"go","conflict":"replace"}`)},
				{Op: sdk.OpWaitForSignal, ID: "u", Opts: json.RawMessage(`{"signal":"go","conflict":"replace"}`)},
			}})
			check(t, rows, append(status, trace.KeyStepID, trace.KeyWaitExpired),
				"executor.step "+trace.StepID("u")+" Waiting +2002..2002 dynamic.status=Waiting step.attempt=0 step.id=u step.wait.expired=<nil>",
				"EXTEND "+step+" TimedOut +2002..2002 dynamic.status=TimedOut step.attempt=<nil> step.id=<nil> step.wait.expired=true",
				"executor.step "+trace.StepID("t")+" TimedOut +2002..2002 dynamic.status=TimedOut step.attempt=<nil> step.id=t step.wait.expired=true")
		},
		"an invocation that succeeds": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpInvokeFunction, ID: "s", Opts: json.RawMessage(`{"function_id":"acme-child","payload":{"data":{}}}`)})),
				append(status, trace.KeyInvokeFunction, trace.KeyInvokeTriggerEvent),
				"executor.step "+step+" Invoking +1002..1002 dynamic.status=Invoking step.attempt=0 step.invoke.function.id=acme-child step.invoke.trigger.event.id="+ulid.ULID{1}.String(),
				begin+" step.invoke.function.id=<nil> step.invoke.trigger.event.id=<nil>")
			w.now = w.now.Add(time.Second)
			ended := event.Tracked{InternalID: eventID, Event: event.Event{Name: event.FunctionFinished, Data: json.RawMessage(`{"result":1,"run_id":"` + other.String() + `"}`)}}
			check(t, w.do(run.Job{}, run.Invoked{Op: "s", Event: ended, Now: w.now}), append(status, trace.KeyInvokeRun, trace.KeyInvokeFinishEvent),
				"EXTEND "+step+` Completed +2000..2000 dynamic.status=Completed step.attempt=<nil> step.invoke.run.id=`+other.String()+` step.invoke.finish.event.id=`+eventID.String()+` out {"data":1}`)
		},
		"an invocation that fails": func(t *testing.T, w *world) {
			w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpInvokeFunction, ID: "s", Opts: json.RawMessage(`{"function_id":"acme-child","payload":{"data":{}}}`)}))
			ended := event.Tracked{InternalID: eventID, Event: event.Event{Name: event.FunctionFinished, Data: json.RawMessage(`{"error":{"name":"E"},"run_id":7}`)}}
			w.now = w.now.Add(time.Second)
			check(t, w.do(run.Job{}, run.Invoked{Op: "s", Event: ended, Now: w.now}), append(status, trace.KeyInvokeRun), "EXTEND "+step+` Failed +2000..2000 dynamic.status=Failed step.attempt=<nil> step.invoke.run.id=<nil> out {"error":{"name":"E"}}`)
		},
		"an invocation that takes too long": func(t *testing.T, w *world) {
			w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpInvokeFunction, ID: "s", Opts: json.RawMessage(`{"function_id":"acme-child","payload":{"data":{}},"timeout":"1s"}`)}))
			w.now = w.now.Add(time.Second)
			spans := w.due(w.the(run.KindPause))
			spans[0].Output = nil
			check(t, spans, append(status, trace.KeyWaitExpired), "EXTEND "+step+" Failed +3000..3000 dynamic.status=Failed step.attempt=<nil> step.wait.expired=true")
		},
		"a request that fails and then succeeds": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpAIGateway, ID: "s", Name: "ask", Opts: json.RawMessage(`{}`)})), append(status, trace.KeyStepType),
				"executor.step "+step+" Running +1002..1002 dynamic.status=Running step.attempt=0 step.type=aiInfer", begin+" step.type=<nil>")
			job := w.the(run.KindGateway)
			check(t, w.do(job, run.Gatewayed{Job: job, Failure: &sdk.Failure{Text: "no", Name: "Error", Engine: true}, CalledAt: w.now, Now: w.now, Limits: run.DefaultLimits}), status,
				"executor.step "+trace.AttemptID("s", 0)+` Errored +1000..1000 dynamic.status=Errored step.attempt=0 out {"error":{"error":"no","name":"Error","message":"{\"error\":{\"error\":\"no\",\"name\":\"Error\",\"message\":\"no\"}}"}}`)
			job = w.the(run.KindGateway)
			rows := w.do(job, run.Gatewayed{Job: job, Memo: json.RawMessage(`{"data":{"a":1}}`), CalledAt: w.now, Now: w.now.Add(time.Second), Limits: run.DefaultLimits, Exchange: run.Exchange{Status: 200, Size: 5, Metadata: json.RawMessage(`{"k":{"a":1}}`)}})
			check(t, rows, append(status, trace.KeyMetadata, trace.KeyGatewayStatusCode, trace.KeyGatewayOutputSize, trace.KeyStepName, trace.KeyStepOp),
				"executor.step "+step+` Completed +1000..2000 dynamic.status=Completed step.attempt=1 ingot.metadata={"k":{"a":1}} step.gateway.response.status_code=200 step.gateway.response.output_size_bytes=5 step.name=ask step.op=AIGateway out {"data":{"a":1}}`)
			if !rows[0].AI {
				t.Error("no model is asked")
			}
		},
		"a request that fails for good": func(t *testing.T, w *world) {
			w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpGateway, ID: "s", Opts: json.RawMessage(`{}`)}))
			job := w.the(run.KindGateway)
			check(t, w.do(job, run.Gatewayed{Job: job, Memo: json.RawMessage(`{"error":{"name":"E"}}`), Failure: &sdk.Failure{NoRetry: true}, Now: w.now, Limits: run.DefaultLimits}), append(status, trace.KeyStepType),
				"executor.step "+step+` Failed +1000..1000 dynamic.status=Failed step.attempt=0 step.type=fetch out {"error":{"name":"E"}}`)
		},
		"a function that throws and is tried again": func(t *testing.T, w *world) {
			job := w.the(run.KindStart)
			check(t, w.answer(job, broken), status, "executor.nonstep "+trace.NonStepID(trace.GroupID(job.ID), 0)+
				` Errored +1000..1002 dynamic.status=Errored step.attempt=0 out {"error":{"name":"E","message":"m"}}`, begin)
			job = w.the(run.KindStart)
			check(t, w.answer(job, sdk.Reply{Status: 200, FromSDK: true, Output: json.RawMessage(`1`)}), status,
				"executor.nonstep "+trace.NonStepID(trace.GroupID(job.ID), 1)+` Completed +2000..2002 dynamic.status=Completed step.attempt=1 out {"data":1}`,
				"EXTEND "+rootID+` Completed +2002..2002 dynamic.status=Completed step.attempt=<nil> out {"data":1}`)
		},
		"a function that throws for good": func(t *testing.T, w *world) {
			job := w.the(run.KindStart)
			job.Attempt = 3
			check(t, w.answer(job, broken), status,
				"executor.nonstep "+trace.NonStepID(trace.GroupID(job.ID), 3)+` Failed +1000..1002 dynamic.status=Failed step.attempt=3 out {"error":{"name":"E","message":"m"}}`,
				"EXTEND "+rootID+` Failed +1002..1002 dynamic.status=Failed step.attempt=<nil> out {"error":{"name":"E","message":"m"}}`)
		},
		"a function that throws for good at once": func(t *testing.T, w *world) {
			job := w.the(run.KindStart)
			job.MaxAttempts = 1
			check(t, w.answer(job, broken), append(status, trace.KeyMaxAttempts),
				"EXTEND "+rootID+` Failed +1002..1002 dynamic.status=Failed step.attempt=<nil> step.max_attempts=1 out {"error":{"name":"E","message":"m"}}`)
		},
		"a function that throws a text": func(t *testing.T, w *world) {
			job := w.the(run.KindStart)
			check(t, w.answer(job, sdk.Reply{Status: 500, FromSDK: true, Output: json.RawMessage(`"oh"`), PlainText: true, Failure: &sdk.Failure{Text: "invalid status code: 500", Name: "Error"}}), status,
				"executor.nonstep "+trace.NonStepID(trace.GroupID(job.ID), 0)+` Errored +1000..1002 dynamic.status=Errored step.attempt=0 out {"error":{"error":"invalid status code: 500","name":"Error","message":"oh"}}`, begin)
		},
		"an app that cannot be reached": func(t *testing.T, w *world) {
			job := w.the(run.KindStart)
			check(t, w.answer(job, sdk.Reply{Status: 0, Failure: &sdk.Failure{Text: "down", Name: "Error", Engine: true}}), status, "executor.nonstep "+trace.NonStepID(trace.GroupID(job.ID), 0)+
				` Errored +1000..1002 dynamic.status=Errored step.attempt=0 out {"error":{"error":"down","name":"Error","message":"{\"error\":{\"error\":\"down\",\"name\":\"Error\",\"message\":\"down\"}}"}}`, begin)
		},
		"an end without output": func(t *testing.T, w *world) {
			check(t, w.answer(w.the(run.KindStart), sdk.Reply{Status: 200, FromSDK: true}), append(status, trace.KeyFunctionOutput),
				"EXTEND "+rootID+` Completed +1002..1002 dynamic.status=Completed step.attempt=<nil> is.function.output=<nil>`)
		},
		"a cancellation": func(t *testing.T, w *world) {
			w.now = w.now.Add(time.Second)
			check(t, w.do(run.Job{}, run.CancelRequested{Now: w.now}), append(status, trace.KeyStartedAt, trace.KeyEndedAt, trace.KeyJobID),
				"EXTEND "+rootID+` Cancelled +1000..1000 dynamic.status=Cancelled step.attempt=<nil> started_at=<nil> ended_at=1795475910000 job.id=<nil>`)
		},
		"a defer, and its end": func(t *testing.T, w *world) {
			keys := []string{trace.KeyDeferID, trace.KeyDeferStatus, trace.KeyDeferFunction, trace.KeyDeferUserlandID}
			add := sdk.Op{Op: sdk.OpDeferAdd, ID: "d", UserlandID: "later", Opts: json.RawMessage(`{"fn_slug":"acme-later"}`)}
			rows := w.answer(w.the(run.KindStart), ops(add, add, sdk.Op{Op: sdk.OpDeferAdd, ID: "r", Opts: json.RawMessage(`{}`)}, sdk.Op{Op: sdk.OpStepRun, ID: "s"}))
			check(t, rows[:2], keys,
				"executor.defer "+trace.DeferID(runID, "d")+"  +1002..1002 defer.hashed_id=d defer.status=after_run defer.fn_slug=acme-later defer.userland_id=later",
				"executor.defer "+trace.DeferID(runID, "r")+"  +1002..1002 defer.hashed_id=r defer.status=rejected defer.fn_slug=<nil> defer.userland_id=<nil>")
			abort := sdk.Op{Op: sdk.OpDeferAbort, ID: "x", Opts: json.RawMessage(`{"target_hashed_id":"d"}`)}
			check(t, w.answer(w.the(run.KindEdge), ops(abort, abort, sdk.Op{Op: sdk.OpStepRun, ID: "t"}))[:1], keys,
				"EXTEND "+trace.DeferID(runID, "d")+"  +2002..2002 defer.hashed_id=<nil> defer.status=aborted defer.fn_slug=<nil> defer.userland_id=<nil>")
		},
		"steps that an app saves by itself": func(t *testing.T, w *world) {
			job := w.the(run.KindStart)
			timed := sdk.Op{Op: sdk.OpStepRun, ID: "s", StartedAt: at.Add(100 * time.Millisecond), EndedAt: at.Add(250 * time.Millisecond)}
			check(t, w.do(run.Job{}, run.Checkpointed{Ops: []sdk.Op{timed, {Op: sdk.OpStepRun, ID: "t"}, {Op: sdk.OpStepPlanned, ID: "p"}}, Now: at.Add(time.Second), Limits: run.DefaultLimits, Dispatch: run.Dispatch{Job: job.ID}}),
				append(status, trace.KeyCheckpoint, trace.KeyEndedAt, trace.KeyJobID),
				"executor.step "+step+` Completed +100..1000 dynamic.status=Completed step.attempt=0 checkpoint=true ended_at=1795475909250 job.id=<nil> out {"data":null}`,
				"executor.step "+trace.StepID("t")+` Completed +1000..1000 dynamic.status=Completed step.attempt=0 checkpoint=true ended_at=1795475910000 job.id=<nil> out {"data":null}`,
				"executor.step "+trace.StepID("p")+" Running +1000..1000 dynamic.status=Running step.attempt=0 checkpoint=true ended_at=<nil> job.id="+job.ID,
				"EXTEND "+rootID+" Running +100..100 dynamic.status=Running step.attempt=<nil> checkpoint=<nil> ended_at=<nil> job.id=<nil>") // the run has begun with it
			check(t, w.do(run.Job{}, run.Checkpointed{Ops: []sdk.Op{{Op: sdk.OpStepRun, ID: "p"}, {Op: sdk.OpStepPlanned, ID: "p"}}, Now: at.Add(2 * time.Second), Limits: run.DefaultLimits}),
				append(status, trace.KeyCheckpoint), "executor.step "+trace.StepID("p")+` Completed +2000..2000 dynamic.status=Completed step.attempt=0 checkpoint=true out {"data":null}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			do(t, newWorld(t))
		})
	}
}

// TestAdvanced_Endpoint has the rows of what a durable endpoint reports.
func TestAdvanced_Endpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *run.Spec) { s.Endpoint, s.Attached = &run.Endpoint{Method: "GET"}, true })
	keys := []string{trace.KeyCheckpoint, trace.KeyAttempt, trace.KeyStartedAt}
	check(t, w.do(run.Job{}, run.Synced{Ops: []sdk.Op{{Op: sdk.OpStepRun, ID: "s"}, {Op: sdk.OpStepError, ID: "e", Error: &sdk.OpError{Name: "E"}}}, MaxAttempts: 3, Now: at.Add(time.Second), Limits: run.DefaultLimits}), keys,
		"executor.step "+trace.StepID("s")+` Completed +1000..1000 checkpoint=true step.attempt=0 started_at=1795475910000 out {"data":null}`,
		"executor.step "+trace.AttemptID("e", 0)+` Errored +1000..1000 checkpoint=true step.attempt=0 started_at=1795475910000 out {"error":{"message":"","name":"E"}}`)
	check(t, w.do(run.Job{}, run.Synced{Ops: []sdk.Op{
		{Op: sdk.OpStepError, ID: "f", Error: &sdk.OpError{Name: "E", NoRetry: true}}, {Op: sdk.OpRunComplete, Data: json.RawMessage(`1`)},
	}, Now: at.Add(2 * time.Second), Limits: run.DefaultLimits}), keys,
		"executor.step "+trace.StepID("f")+` Failed +2000..2000 checkpoint=true step.attempt=0 started_at=1795475911000 out {"error":{"message":"","name":"E","noRetry":true}}`,
		"EXTEND "+rootID+` Completed +2000..2000 checkpoint=<nil> step.attempt=<nil> started_at=1795475909000 out {"data":1}`)
}

// An endpoint that ends in its client's request has answered it, and nobody else. What fails there outside of steps is no step.
func TestAdvanced_EndpointAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *run.Spec) { s.Endpoint, s.Attached = &run.Endpoint{Method: "GET"}, true })
	keys := []string{trace.KeyStatusCode, trace.KeyHeaders}
	failed := sdk.Op{Op: sdk.OpStepError, ID: ids.StepHash("complete", 0), Error: &sdk.OpError{}}
	check(t, w.do(run.Job{}, run.Synced{Ops: []sdk.Op{failed}, MaxAttempts: 3, Now: at.Add(time.Second), Limits: run.DefaultLimits}), keys)
	failed.UserlandID = "complete"
	check(t, w.do(run.Job{}, run.Synced{Ops: []sdk.Op{failed}, MaxAttempts: 3, Now: at.Add(time.Second), Limits: run.DefaultLimits}), keys,
		"executor.step "+trace.AttemptID(failed.ID, 0)+` Errored +1000..1000 response.status_code=<nil> response.headers=<nil> out {"error":{"message":"","name":""}}`)
	answer := json.RawMessage(`{"status":201,"headers":{"content-type":"text/plain","x-api-key":"secret"},"body":"hi","version":1}`)
	check(t, w.do(run.Job{}, run.Synced{Ops: []sdk.Op{{Op: sdk.OpRunComplete, Data: answer}}, Now: at.Add(2 * time.Second), Limits: run.DefaultLimits}), keys,
		"EXTEND "+rootID+` Completed +2000..2000 response.status_code=201 response.headers={"Content-Type":"text/plain","X-Api-Key":"[REDACTED]"} out {"data":"hi"}`)
}

func TestAdvanced_NamesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rows := w.answer(w.the(run.KindStart), ops(sdk.Op{Op: sdk.OpStepRun, ID: "s", Name: strings.Repeat("é", 200) + "x"}))
	check(t, rows[:1], []string{trace.KeyStepName}, "executor.step "+trace.StepID("s")+" Completed +1000..1002 step.name="+strings.Repeat("é", 128)+` out {"data":null}`)
}

func TestOf(t *testing.T) {
	t.Parallel()
	want := trace.Context{ID: "018ffa3fa6f03ecb345055258d84681c", Parent: "00-018ffa3fa6f03ecb345055258d84681c-770d1acd3aeaa98a-01"}
	if got := trace.Of(ulid.MustParse("01HZX3Z9QG7V5K8M2N4P6R8T0W")); got != want {
		t.Errorf("got %+v", got)
	}
	if got := trace.GroupID("u2wimmltg1li"); got != uuid.NewSHA1(uuid.NameSpaceOID, []byte("u2wimmltg1li")).String() {
		t.Errorf("group %s", got)
	}
	if got := trace.Unwrapped(json.RawMessage(`[1]`)); string(got) != `[1]` {
		t.Errorf("unwrapped %s", got)
	}
}
