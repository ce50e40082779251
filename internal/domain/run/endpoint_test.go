package run

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// attached is a run of a durable endpoint whose client's request is being worked on.
func attached(version int) (State, Job) {
	return aRun(func(s *Spec) {
		s.Endpoint, s.Attached, s.RequestVersion = &Endpoint{Method: "POST", Language: sdk.LanguageJS}, true, &version
	})
}

// report applies a report to the state. What it must never do is leave a run without a job.
func report(t *testing.T, s State, list ...sdk.Op) (Transition, State) {
	t.Helper()
	next, err := Advance(s, Synced{Ops: list, MaxAttempts: 4, Now: now, Limits: DefaultLimits})
	if err != nil {
		t.Fatal(err)
	}
	after := s.Apply(Job{}, next)
	if next.Finish == nil && len(after.Jobs) == 0 {
		t.Fatalf("the run waits for nothing after %+v", list)
	}
	return next, after
}

func completes(data string) sdk.Op {
	return sdk.Op{Op: sdk.OpRunComplete, ID: "end", Data: json.RawMessage(data)}
}

func TestEndpoint_IsCalledWhenNothingIsHeardOfTheRequest(t *testing.T) {
	t.Parallel()
	s, job := attached(2)
	if !job.At.Equal(now.Add(AdoptAfter)) || job.MaxAttempts != 5 || s.RequestVersion != 2 || !s.StartedAt.Equal(now) {
		t.Errorf("begins with %+v, version %d, started %s", job, s.RequestVersion, s.StartedAt)
	}
	later := now.Add(time.Hour)
	next, err := Advance(s, Synced{Ops: []sdk.Op{stepRun("a", "1")}, MaxAttempts: 4, Now: later, Limits: DefaultLimits})
	if err != nil {
		t.Fatal(err)
	}
	put := only(t, next)
	if put.ID != job.ID || !put.At.Equal(later.Add(AdoptAfter)) || !slices.Equal(next.DropJobs, []string{job.ID}) {
		t.Errorf("a report puts the call off to %+v, dropping %v", put, next.DropJobs)
	}
	s = s.Apply(Job{}, next)
	call, _ := fire(t, s, put)
	want := &Call{Target: EdgeStep, MaxAttempts: 4, RequestVersion: 2}
	if diff := cmp.Diff(want, call.Call); diff != "" {
		t.Error(diff)
	}
}

func TestEndpoint_LeadsItselfOnOnceItWaits(t *testing.T) {
	t.Parallel()
	s, job := attached(2)
	_, s = report(t, s, stepRun("a", `{"x":1}`))
	if diff := cmp.Diff(map[string]Kind{job.ID: KindStart}, s.Jobs); diff != "" {
		t.Error(diff)
	}
	next, s := report(t, s, sleeping("nap", "1h"))
	sleep := only(t, next)
	if sleep.Kind != KindSleep || !sleep.At.Equal(now.Add(time.Hour)) || sleep.MaxAttempts != 4 || !slices.Equal(next.DropJobs, []string{job.ID}) {
		t.Errorf("sleeps with %+v, dropping %v", sleep, next.DropJobs)
	}
	if next.ForceStepPlan {
		t.Error("one op forces planning")
	}
	called, s := fire(t, s, sleep)
	if called.Call == nil || strings.Join(s.Stack, ",") != "a,nap" {
		t.Errorf("after the sleep %+v, stack %v", called.Call, s.Stack)
	}
}

func TestEndpoint_PlansWhenAReportHoldsSeveralOps(t *testing.T) {
	t.Parallel()
	s, _ := aRun(func(spec *Spec) { spec.Endpoint, spec.Attached = &Endpoint{Method: "GET"}, true })
	next, s := report(t, s, stepRun("a", "1"), sleeping("nap", "1s"))
	if !next.ForceStepPlan || s.RequestVersion != UnknownVersion {
		t.Errorf("planning %v, version %d", next.ForceStepPlan, s.RequestVersion)
	}
	call, _ := fire(t, s, only(t, next))
	if !call.Call.DisableImmediateExecution {
		t.Error("the call after the sleep does not plan")
	}
}

func TestEndpoint_GroupIsJoinedByOneCall(t *testing.T) {
	t.Parallel()
	s, _ := attached(2)
	next, s := report(t, s, planned("p1"), planned("p2"))
	if len(next.Jobs) != 2 || !slices.Equal(s.Pending, []string{"p1", "p2"}) {
		t.Fatalf("jobs %+v, pending %v", next.Jobs, s.Pending)
	}
	_, s = fire(t, s, next.Jobs[0])
	first, s := answer(t, s, next.Jobs[0], ops(stepRun("p1", "1")))
	if len(first.Jobs) != 0 {
		t.Errorf("the first member calls again: %+v", first.Jobs)
	}
	_, s = fire(t, s, next.Jobs[1])
	last, _ := answer(t, s, next.Jobs[1], ops(stepRun("p2", "2")))
	only(t, last)
}

func TestEndpoint_StepErrors(t *testing.T) {
	t.Parallel()
	s, _ := attached(2)
	_, s = report(t, s, stepRun("a", "1"))
	next, _ := report(t, s, failing(sdk.OpStepError, "b", false))
	retry := only(t, next)
	if retry.ID != ids.SyncRetryJob(s.key(), "b") || retry.Attempt != 1 || !retry.At.Equal(now.Add(5*time.Second)) || retry.Edge.Outgoing != "a" || retry.Edge.Target != "" {
		t.Errorf("retry %+v", retry)
	}
	for name, list := range map[string][]sdk.Op{
		"failed for good":  {failing(sdk.OpStepFailed, "b", false)},
		"not to be tried":  {failing(sdk.OpStepError, "b", true)},
		"failed unlabeled": {{Op: sdk.OpStepFailed, ID: "b"}},
	} {
		next, after := report(t, s, list...)
		follow := only(t, next)
		if follow.Kind != KindEdgeError || follow.Edge.Outgoing != "b" || !strings.HasPrefix(string(after.Steps["b"]), `{"error":`) {
			t.Errorf("%s: %+v, memo %s", name, follow, after.Steps["b"])
		}
	}
	last, err := Advance(s, Synced{Ops: []sdk.Op{failing(sdk.OpStepError, "b", false)}, MaxAttempts: 1, Now: now, Limits: DefaultLimits})
	if err != nil || only(t, last).Kind != KindEdgeError {
		t.Errorf("without retries: %+v, %v", last.Jobs, err)
	}
}

func TestEndpoint_EndsWithItsAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data     string
		status   Status
		output   string
		response *sdk.HTTPResult
		failure  bool
	}{
		"created": {
			`{"status":201,"headers":{"X-Mine":"1","n":2},"body":"{\"a\":1}\n"}`, Completed, `{"a":1}`,
			&sdk.HTTPResult{Status: 201, Headers: map[string]string{"X-Mine": "1"}, Body: "{\"a\":1}\n"}, false,
		},
		"failed": {
			`{"status":500,"body":"endpoint failed\n"}`, Failed, `"endpoint failed\n"`,
			&sdk.HTTPResult{Status: 500, Body: "endpoint failed\n"}, true,
		},
		"without a body": {`{"status":204}`, Completed, "", &sdk.HTTPResult{Status: 204}, false},
		"a plain result": {`{"x":1}`, Completed, `{"x":1}`, nil, false},
		"a wild status":  {`{"status":7}`, Completed, `{"status":7}`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, list := range [][]sdk.Op{
				{stepRun("a", "1"), completes(c.data)},
				{completes(c.data), stepRun("a", "1")},
				{{Op: sdk.OpSyncRunComplete, Data: json.RawMessage(c.data)}, stepRun("a", "1")},
			} {
				s, _ := attached(2)
				next, _ := report(t, s, list...)
				if next.Finish == nil || next.Finish.Status != c.status || string(next.Finish.Output) != c.output || len(next.Steps) != 1 || len(next.Jobs) != 0 {
					t.Fatalf("ends with %+v", next)
				}
				if diff := cmp.Diff(c.response, next.Finish.Response); diff != "" {
					t.Error(diff)
				}
				if failed := slices.ContainsFunc(next.Publish, func(e event.Event) bool { return e.Name == event.FunctionFailed }); failed != c.failure {
					t.Errorf("published %+v", next.Publish)
				}
			}
		})
	}
}

func TestEndpoint_EndKeepsStepsWhateverTheirSizeAndDefers(t *testing.T) {
	t.Parallel()
	s, _ := attached(2)
	add := sdk.Op{Op: sdk.OpDeferAdd, ID: "d", Opts: json.RawMessage(`{"fn_slug":"app-later","input":{}}`)}
	next, err := Advance(s, Synced{
		Ops: []sdk.Op{completes(`{"status":200}`), stepRun("a", `"long"`), add}, MaxAttempts: 4, Now: now, Limits: Limits{StateBytes: 1, OpsPerReply: 9},
	})
	if err != nil || next.Finish == nil || next.Finish.Status != Completed || len(next.Steps) != 1 {
		t.Fatalf("%+v, %v", next, err)
	}
	if !slices.ContainsFunc(next.Publish, func(e event.Event) bool { return e.Name == event.DeferredSchedule }) {
		t.Errorf("published %+v", next.Publish)
	}
	over, err := Advance(s, Synced{Ops: []sdk.Op{stepRun("a", `"long"`)}, MaxAttempts: 4, Now: now, Limits: Limits{StateBytes: 1, OpsPerReply: 9}})
	if err != nil || over.Finish == nil || over.Finish.Status != Failed {
		t.Errorf("a run that is too large: %+v, %v", over, err)
	}
}

func TestEndpoint_RefusesReports(t *testing.T) {
	t.Parallel()
	s, _ := attached(2)
	for name, list := range map[string][]sdk.Op{
		"a step error without an error": {{Op: sdk.OpStepError, ID: "a"}},
		"an op without an ID":           {{Op: sdk.OpStepRun}},
		"a sleep that is no duration":   {sleeping("nap", "soon")},
	} {
		next, err := Advance(s, Synced{Ops: list, MaxAttempts: 4, Now: now, Limits: DefaultLimits})
		if refused := (*CheckpointError)(nil); !errors.As(err, &refused) || refused.Reason == "" || next.Writes() {
			t.Errorf("%s: %v, %+v", name, err, next)
		}
	}
	many := make([]sdk.Op, 1001)
	for i := range many {
		many[i] = sdk.Op{Op: sdk.OpNone}
	}
	if next, _ := report(t, s, many...); next.Finish == nil || next.Finish.Status != Failed {
		t.Errorf("1001 ops: %+v", next)
	}
	plain, _ := aRun()
	if _, err := Advance(plain, Synced{}); !errors.Is(err, ErrNotEndpoint) {
		t.Errorf("a run of a function: %v", err)
	}
}

func TestEndpoint_ReportIsTakenTwice(t *testing.T) {
	t.Parallel()
	s, _ := attached(2)
	_, once := report(t, s, stepRun("a", "1"), sleeping("nap", "1h"))
	again, twice := report(t, once, stepRun("a", "2"), sleeping("nap", "1h"))
	if len(again.Steps)+len(again.Jobs)+len(again.DropJobs) != 0 || string(twice.Steps["a"]) != `{"data":1}` {
		t.Errorf("the second time %+v", again)
	}
}

func TestEndpoint_DiscoveryRequestCallsAtOnce(t *testing.T) {
	t.Parallel()
	s, job := attached(2)
	next, _ := report(t, s, sdk.Op{Op: sdk.OpDiscoveryRequest, ID: "more"})
	if call := only(t, next); call.ID == job.ID || !call.At.Equal(now) {
		t.Errorf("called at %+v", call)
	}
}

func TestEndpoint_ConflictOfASignalFailsTheRun(t *testing.T) {
	t.Parallel()
	s, _ := attached(2)
	wait := sdk.Op{Op: sdk.OpWaitForSignal, ID: "w", Opts: json.RawMessage(`{"signal":"s","timeout":"1h"}`)}
	in := WithConflict(Synced{Ops: []sdk.Op{wait}, MaxAttempts: 4, Now: now, Limits: DefaultLimits}, "s")
	next, err := Advance(s, in)
	if err != nil || next.Finish == nil || !strings.Contains(string(next.Finish.Output), "Signal conflict") {
		t.Errorf("%+v, %v", next, err)
	}
}

func TestEndpoint_AnswersOfCallsEndTheRun(t *testing.T) {
	t.Parallel()
	s, job := aRun(func(spec *Spec) { spec.Endpoint = &Endpoint{Method: "GET"} })
	_, s = fire(t, s, job)
	said := &sdk.HTTPResult{Status: 200, Body: "hi"}
	next, _ := answer(t, s, job, sdk.Reply{Output: json.RawMessage(`"hi"`), Response: said})
	if next.Finish == nil || next.Finish.Response != said {
		t.Errorf("%+v", next.Finish)
	}
	next, _ = answer(t, s, job, ops(completes(`{"status":302,"headers":{"Location":"/x"}}`)))
	if next.Finish == nil || next.Finish.Status != Failed || next.Finish.Response == nil {
		t.Errorf("%+v", next.Finish)
	}
	last := job
	last.Attempt = last.MaxAttempts - 1
	failed := sdk.Reply{Failure: &sdk.Failure{Text: "invalid status code: 418", Name: "Error"}, Response: &sdk.HTTPResult{Status: 418}}
	if next, _ = answer(t, s, job, failed); next.Finish != nil || next.Current.Fate != FateRetry {
		t.Errorf("%+v", next)
	}
	next, _ = answer(t, s, last, failed)
	if next.Finish == nil || next.Finish.Status != Failed || next.Finish.Response != failed.Response {
		t.Errorf("%+v", next.Finish)
	}
	plain, job := aRun()
	_, plain = fire(t, plain, job)
	next, _ = answer(t, plain, job, ops(sdk.Op{Op: sdk.OpSyncRunComplete, ID: "end"}))
	if next.Finish == nil || !strings.Contains(string(next.Finish.Output), "UnsupportedOpcode") {
		t.Errorf("%+v", next.Finish)
	}
}

// TestEndpoint_AlwaysHasAJob draws reports at random: the run has a job until it ends, steps keep their first memos, and a
// report that is repeated changes nothing but when the endpoint is called.
func TestEndpoint_AlwaysHasAJob(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		s, _ := attached(rapid.SampledFrom([]int{UnknownVersion, 0, 1, 2}).Draw(r, "version"))
		for range rapid.IntRange(1, 6).Draw(r, "reports") {
			list := rapid.SliceOfN(rapid.Custom(drawOp), 0, 4).Draw(r, "ops")
			in := Synced{Ops: list, MaxAttempts: rapid.IntRange(1, 3).Draw(r, "attempts"), Now: now, Limits: DefaultLimits}
			next, err := Advance(s, in)
			if err != nil {
				continue
			}
			after := s.Apply(Job{}, next)
			if next.Finish != nil {
				return
			}
			if len(after.Jobs) == 0 {
				r.Fatalf("no job after %+v", list)
			}
			for id, memo := range s.Steps {
				if string(after.Steps[id]) != string(memo) {
					r.Fatalf("step %s changed", id)
				}
			}
			again, err := Advance(after, in)
			if err != nil || again.Finish != nil {
				r.Fatalf("repeated: %+v, %v", again.Finish, err)
			}
			repeated := after.Apply(Job{}, again)
			if !maps.Equal(repeated.Jobs, after.Jobs) || !slices.Equal(repeated.Stack, after.Stack) {
				r.Fatalf("repeating changed %v into %v", after.Jobs, repeated.Jobs)
			}
			s = repeated
		}
	})
}

func drawOp(r *rapid.T) sdk.Op {
	id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "id")
	switch rapid.IntRange(0, 5).Draw(r, "kind") {
	case 0:
		return sleeping(id, "1h")
	case 1:
		return planned(id)
	case 2:
		return failing(sdk.OpStepError, id, rapid.Bool().Draw(r, "no retry"))
	case 3:
		return failing(sdk.OpStepFailed, id, false)
	default:
		return stepRun(id, "1")
	}
}

// TestEndpoint_EndsWhenItsAttemptsAreUsed: the reference drops the job and leaves the run. Spec 02 §22 #10.
func TestEndpoint_EndsWhenItsAttemptsAreUsed(t *testing.T) {
	t.Parallel()
	s, _ := attached(2)
	next, s := report(t, s, failing(sdk.OpStepError, "b", false))
	job := only(t, next)
	for ; !job.LastAttempt(); job.Attempt++ {
		if again, _ := answer(t, s, job, sdk.Reply{Failure: &sdk.Failure{Text: "invalid status code: 500"}}); again.Current.Fate != FateRetry {
			t.Fatalf("attempt %d: %+v", job.Attempt, again)
		}
	}
	last, _ := answer(t, s, job, sdk.Reply{Failure: &sdk.Failure{Text: "invalid status code: 500"}})
	if last.Finish == nil || last.Finish.Status != Failed {
		t.Errorf("the last attempt: %+v", last)
	}
}

// TestEndpoint_RequestsOfStepsAreJobs like those of any run, made under the same guard. Spec 02 §22 #24.
func TestEndpoint_RequestsOfStepsAreJobs(t *testing.T) {
	t.Parallel()
	s, _ := attached(2)
	next, _ := report(t, s, sdk.Op{Op: sdk.OpGateway, ID: "f", Opts: json.RawMessage(`{"url":"http://localhost"}`)})
	if job := only(t, next); job.Kind != KindGateway || job.Gateway == nil || job.Edge.Target != "f" {
		t.Errorf("job %+v", job)
	}
}
