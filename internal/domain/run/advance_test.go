package run

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

func TestNew_StartsWithOneJobWhoseIDIsTheReferences(t *testing.T) {
	t.Parallel()
	s, job := aRun()
	if job.ID != "1da9epkpqfwqp" {
		t.Errorf("job id %q, want the vector of spec 02 §3", job.ID)
	}
	if s.Idempotency != "s1h3u2z3n75i-1f6exuhm4a5qo" {
		t.Errorf("idempotency %q", s.Idempotency)
	}
	if s.RequestVersion != UnknownVersion || len(s.Jobs) != 1 || !job.At.Equal(now) {
		t.Errorf("state %+v, job %+v", s, job)
	}
}

func TestNew_WaitsForAnEventOfTheFuture(t *testing.T) {
	t.Parallel()
	later := now.Add(8 * time.Second)
	_, job := aRun(func(spec *Spec) { spec.Events[0].TS = later.UnixMilli() })
	if !job.At.Equal(later) {
		t.Errorf("due %s, want %s", job.At, later)
	}
	_, batch := aRun(func(spec *Spec) {
		spec.Events[0].TS = later.UnixMilli()
		spec.Events = append(spec.Events, event.Tracked{})
	})
	if !batch.At.Equal(now) {
		t.Errorf("a batch is due %s, want at once", batch.At)
	}
}

func TestAdvance_FirstCallIsADiscovery(t *testing.T) {
	t.Parallel()
	s, job := aRun()
	next, _ := fire(t, s, job)
	want := &Call{Target: "step", MaxAttempts: 5, RequestVersion: UnknownVersion}
	if diff := cmp.Diff(want, next.Call); diff != "" {
		t.Error(diff)
	}
	if next.Current.Fate != FateKeep {
		t.Errorf("fate %v, want the job kept until the answer", next.Current.Fate)
	}
}

func TestAdvance_SavesAStepAndCallsAgain(t *testing.T) {
	t.Parallel()
	s, job := aRun()
	next, s := answer(t, s, job, ops(stepRun("a", `"hi"`)))
	if diff := cmp.Diff([]Step{{ID: "a", Memo: []byte(`{"data":"hi"}`), Name: "a", Op: sdk.OpStepRun}}, next.Steps); diff != "" {
		t.Error(diff)
	}
	follow := only(t, next)
	if follow.Kind != KindEdge || follow.Edge != (Edge{Incoming: "step", Outgoing: "a"}) || follow.MaxAttempts != 5 {
		t.Errorf("next job %+v", follow)
	}
	if s.RequestVersion != 2 || !s.StartedAt.Equal(now) {
		t.Errorf("state %+v", s)
	}
	call, _ := fire(t, s, follow)
	if call.Call.Current != 1 || call.Call.RequestVersion != 2 {
		t.Errorf("call %+v", call.Call)
	}
}

func TestAdvance_JobIDsAreTheReferences(t *testing.T) {
	t.Parallel()
	const op = "98bf98df193bcce7c33e6bc50927cf2ac21206cb"
	s, job := aRun()
	next, _ := answer(t, s, job, ops(stepRun(op, "1")))
	if got := only(t, next).ID; got != "1pl0odwgv5qct" {
		t.Errorf("discovery %s", got)
	}
	next, _ = answer(t, s, job, ops(planned(op)))
	if got := only(t, next).ID; got != "pt2hegcnyupn" {
		t.Errorf("planned %s", got)
	}
}

func TestAdvance_EndsWithTheResult(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]sdk.Reply{
		"plain":       {Status: 200, FromSDK: true, Output: []byte(`{"ok":true}`)},
		"RunComplete": ops(sdk.Op{Op: sdk.OpRunComplete, ID: "0737", Data: []byte(`{"ok":true}`)}),
		"with a step": ops(stepRun("a", "1"), sdk.Op{Op: sdk.OpRunComplete, ID: "0737", Data: []byte(`{"ok":true}`)}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := aRun()
			next, _ := answer(t, s, job, reply)
			if diff := cmp.Diff(&Finish{Status: Completed, Output: []byte(`{"ok":true}`), At: now}, next.Finish); diff != "" {
				t.Error(diff)
			}
			if len(next.Jobs) != 0 || next.Current.Fate != FateDone {
				t.Errorf("left behind: %+v", next)
			}
		})
	}
}

func TestAdvance_RetriesUntilAttemptsAreUsed(t *testing.T) {
	t.Parallel()
	broken := sdk.Reply{Status: 500, FromSDK: true, Output: []byte(`{"name":"Error","message":"x"}`), Failure: &sdk.Failure{Text: "invalid status code: 500", Name: "Error"}}
	s, job := aRun()
	for attempt := range 4 {
		job.Attempt = attempt
		next, _ := answer(t, s, job, broken)
		want := Disposition{Fate: FateRetry, At: now.Add(Backoff{}.After(attempt)), Attempt: attempt + 1, Failure: broken.Failure}
		if diff := cmp.Diff(want, next.Current); diff != "" {
			t.Errorf("attempt %d: %s", attempt, diff)
		}
	}
	job.Attempt = 4
	next, _ := answer(t, s, job, broken)
	if next.Finish == nil || next.Finish.Status != Failed || string(next.Finish.Output) != `{"name":"Error","message":"x"}` {
		t.Errorf("got %+v", next.Finish)
	}
}

func TestAdvance_HonoursNoRetryAndRetryAfter(t *testing.T) {
	t.Parallel()
	s, job := aRun()
	next, _ := answer(t, s, job, sdk.Reply{Failure: &sdk.Failure{Text: "NonRetriableError", NoRetry: true}})
	if next.Finish == nil || next.Finish.Status != Failed {
		t.Errorf("got %+v, want the run failed at once", next)
	}
	at := now.Add(time.Hour)
	next, _ = answer(t, s, job, sdk.Reply{RetryAt: at, Failure: &sdk.Failure{Text: "later"}})
	if !next.Current.At.Equal(at) {
		t.Errorf("retry at %s, want %s", next.Current.At, at)
	}
}

func TestAdvance_StepErrorRetriesTheSameJobThenIsMemoised(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(failing(sdk.OpStepError, "a", false)))
	if next.Current.Fate != FateRetry || len(next.Jobs)+len(next.Steps) != 0 {
		t.Fatalf("got %+v, want a retry only", next)
	}
	job.Attempt = 4
	next, _ = answer(t, s, job, ops(failing(sdk.OpStepError, "a", false)))
	follow := only(t, next)
	if follow.Kind != KindEdgeError || string(next.Steps[0].Memo) != `{"error":{"message":"broken","name":"Error"}}` {
		t.Errorf("got %+v", next)
	}
}

func TestAdvance_FinalStepErrors(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]sdk.Op{
		"StepFailed":           failing(sdk.OpStepFailed, "a", false),
		"StepError no-retry":   failing(sdk.OpStepError, "a", true),
		"StepFailed, no error": {Op: sdk.OpStepFailed, ID: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := begun(2)
			next, _ := answer(t, s, job, ops(op))
			if len(next.Steps) != 1 || only(t, next).Kind != KindEdgeError {
				t.Errorf("got %+v", next)
			}
		})
	}
}

func TestAdvance_RefusesAnswersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]sdk.Op{
		"StepError without error": {Op: sdk.OpStepError, ID: "a"},
		"op without id":           {Op: sdk.OpStepRun, Data: []byte("1")},
		"step not found":          {Op: sdk.OpStepNotFound, ID: "a"},
		"sleep of nonsense":       sleeping("a", "nonsense"),
		"nothing":                 {Op: sdk.OpNone},
		"asks for the same again": {Op: sdk.OpDiscoveryRequest, ID: "d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := begun(2)
			next, _ := answer(t, s, job, ops(op))
			if next.Current.Fate != FateRetry {
				t.Errorf("got %+v, want a retry", next)
			}
			job.Attempt = 4
			next, _ = answer(t, s, job, ops(op))
			if next.Finish == nil || next.Finish.Status != Failed || len(next.Finish.Output) == 0 {
				t.Errorf("got %+v, want the run failed with an error", next)
			}
		})
	}
}

func TestAdvance_SleepCallsWhenItsTimeHasCome(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(sleeping("nap", "2s")))
	nap := only(t, next)
	if nap.Kind != KindSleep || !nap.At.Equal(now.Add(2*time.Second)) {
		t.Fatalf("got %+v", nap)
	}
	next, s = fire(t, s, nap)
	if string(next.Steps[0].Memo) != "null" || next.Call == nil || next.Call.Current != 1 {
		t.Errorf("got %+v", next)
	}
	if again, _ := fire(t, s, nap); len(again.Steps) != 0 || again.Call == nil {
		t.Errorf("after a crash: got %+v, want the call only", again)
	}
}

func TestAdvance_SleepTooLongFailsTheRun(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, _ := answer(t, s, job, ops(sleeping("nap", "400d")))
	if next.Finish == nil || next.Finish.Status != Failed {
		t.Errorf("got %+v", next)
	}
}

func TestAdvance_ParallelGroupIsJoinedByOneCall(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(planned("a"), planned("b")))
	if len(next.Jobs) != 2 || !s.ForceStepPlan || !cmp.Equal(s.Pending, []string{"a", "b"}) {
		t.Fatalf("got %+v", next)
	}
	a, b := next.Jobs[0], next.Jobs[1]
	call, _ := fire(t, s, a)
	if call.Call.Target != "a" || !call.Call.DisableImmediateExecution {
		t.Errorf("call %+v", call.Call)
	}
	next, s = answer(t, s, a, ops(stepRun("a", "1")))
	if len(next.Jobs) != 0 {
		t.Errorf("after the first: jobs %+v, want none", next.Jobs)
	}
	next, s = answer(t, s, b, ops(stepRun("b", "2")))
	join := only(t, next)
	if join.Edge.Outgoing != "b" || s.ForceStepPlan || len(s.Pending) != 0 {
		t.Errorf("join %+v of %+v", join, s)
	}
	call, _ = fire(t, s, join)
	if call.Call.Current != 2 || call.Call.DisableImmediateExecution {
		t.Errorf("call %+v", call.Call)
	}
}

func TestAdvance_RaceAndOldVersionsCallAfterEveryMember(t *testing.T) {
	t.Parallel()
	race := func(op sdk.Op) sdk.Op { op.Mode = "race"; return op }
	for name, c := range map[string]struct {
		version int
		mode    func(sdk.Op) sdk.Op
	}{
		"race":      {2, race},
		"version 1": {1, func(op sdk.Op) sdk.Op { return op }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := begun(c.version)
			next, s := answer(t, s, job, ops(c.mode(planned("a")), c.mode(planned("b"))))
			a, b := next.Jobs[0], next.Jobs[1]
			next, s = answer(t, s, a, ops(stepRun("a", "1")))
			first := only(t, next)
			next, s = answer(t, s, b, ops(stepRun("b", "1")))
			second := only(t, next)
			if first.ID == second.ID {
				t.Error("both members share a job")
			}
			if c.version == 1 && !s.ForceStepPlan {
				t.Error("the flag does not stick")
			}
		})
	}
}

func TestAdvance_SleepsInAGroup(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(sleeping("a", "1s"), sleeping("b", "2s")))
	a, b := next.Jobs[0], next.Jobs[1]
	next, s = fire(t, s, a)
	if next.Call != nil || next.Current.Fate != FateDone {
		t.Fatalf("first: got %+v, want it saved only", next)
	}
	next, s = fire(t, s, b)
	if next.Call == nil || !next.Call.DisableImmediateExecution || s.ForceStepPlan {
		t.Errorf("last: call %+v of %+v", next.Call, s)
	}
}

func TestAdvance_SeveralFinishedStepsLeadToOneCall(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			s, job := begun(version)
			next, s := answer(t, s, job, ops(stepRun("a", "1"), stepRun("b", "2")))
			if len(next.Steps) != 2 || len(s.Pending) != 0 {
				t.Errorf("got %+v", next)
			}
			if call, _ := fire(t, s, only(t, next)); !call.Call.DisableImmediateExecution {
				t.Errorf("call %+v: the flag of this very answer is to be seen once", call.Call)
			}
		})
	}
}

func TestAdvance_PlannedStepThatAnotherCallRanIsNotRunAgain(t *testing.T) {
	t.Parallel()
	s, job := begun(1)
	next, s := answer(t, s, job, ops(planned("a"), planned("b")))
	a, b := next.Jobs[0], next.Jobs[1]
	next, s = answer(t, s, a, ops(stepRun("b", "1")))
	if len(next.Steps) != 1 {
		t.Fatalf("got %+v", next)
	}
	next, s = fire(t, s, b)
	if next.Call != nil || next.Current.Fate != FateDone {
		t.Errorf("got %+v, want no call", next)
	}
	if len(s.Jobs) == 0 {
		t.Error("the run waits for nothing")
	}
	lone := s
	lone.Jobs = map[string]Kind{b.ID: KindEdge}
	next, lone = fire(t, lone, b)
	if len(lone.Jobs) != 1 || only(t, next).Edge.Target != "" {
		t.Errorf("got %+v, want a discovery to lead on", next)
	}
}

func TestAdvance_DuplicateStepKeepsTheFirstMemo(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(stepRun("a", "1")))
	follow := only(t, next)
	next, _ = answer(t, s, follow, ops(stepRun("a", "2")))
	if len(next.Steps) != 0 || next.Current.Fate != FateRetry {
		t.Errorf("got %+v, want the attempt to fail", next)
	}
}

func TestAdvance_EmptyAnswerCallsAgainAfterProgressOnly(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	_, s = answer(t, s, job, ops(stepRun("a", "1")))
	stale := Job{ID: "stale", RunID: runID, MaxAttempts: 5, Edge: Edge{Incoming: "step", Outgoing: "$trigger"}}
	s.Jobs = map[string]Kind{"stale": KindEdge}
	next, _ := answer(t, s, stale, ops(sdk.Op{Op: sdk.OpNone}))
	if got := only(t, next); got.Edge.Outgoing != "a" {
		t.Errorf("got %+v, want a call after the last step", got)
	}
}

func TestAdvance_Limits(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(stepRun("a", "1")))
	follow := only(t, next)

	over, err := Advance(s, Due{Job: follow, Now: now, Limits: Limits{Steps: 1}})
	if err != nil || over.Call != nil {
		t.Fatalf("got %+v, %v", over, err)
	}
	const steps = `{"error":{"error":"function has too many steps","name":"InngestErrFunctionOverflowed","message":"The function run exceeded the step limit of 1 steps."}}`
	if got := string(over.Finish.Output); got != steps {
		t.Errorf("step limit: %s", got)
	}

	limits := DefaultLimits
	limits.StateBytes = 1
	over, _ = Advance(s, Replied{Job: follow, Reply: ops(stepRun("b", "1")), Now: now, Limits: limits})
	const state = `{"error":{"error":"InngestErrStateOverflowed: The function run exceeded the state size limit of 1 bytes.","name":"InngestErrStateOverflowed","message":"The function run exceeded the state size limit of 1 bytes."}}`
	if got := string(over.Finish.Output); got != state {
		t.Errorf("state limit: %s", got)
	}

	many := make([]sdk.Op, 1001)
	for i := range many {
		many[i] = planned(fmt.Sprint(i))
	}
	over, _ = answer(t, s, follow, ops(many...))
	const count = `{"error":{"error":"InngestErrFunctionOverflowed: The function run exceeded the step limit of 1000 steps.","name":"InngestErrFunctionOverflowed","message":"The function run exceeded the step limit of 1000 steps."}}`
	if got := string(over.Finish.Output); got != count || len(over.Jobs) != 0 {
		t.Errorf("ops: %s, jobs %d", got, len(over.Jobs))
	}
}

func TestAdvance_UnsupportedOpsFailTheRunWithAClearError(t *testing.T) {
	t.Parallel()
	for _, op := range []sdk.Opcode{sdk.OpSyncRunComplete, "Brew"} {
		s, job := begun(2)
		next, _ := answer(t, s, job, ops(sdk.Op{Op: op, ID: "x", DisplayName: "my step"}))
		if next.Finish == nil || next.Finish.Status != Failed {
			t.Errorf("%s: got %+v", op, next)
		}
	}
}

func TestAdvance_DiscoveryRequestCallsAgainAfterAStep(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, _ := answer(t, s, job, ops(stepRun("a", "1"), sdk.Op{Op: sdk.OpDiscoveryRequest, ID: "d"}))
	if only(t, next).Kind != KindEdge {
		t.Errorf("got %+v", next)
	}
}

func TestAdvance_LegacyStepIsKeptAsSent(t *testing.T) {
	t.Parallel()
	s, job := begun(0)
	next, s := answer(t, s, job, ops(sdk.Op{Op: sdk.OpStep, ID: "a", Data: []byte(`{"data":1}`)}))
	if string(next.Steps[0].Memo) != `{"data":1}` {
		t.Errorf("memo %s", next.Steps[0].Memo)
	}
	next, _ = answer(t, s, only(t, next), ops(sdk.Op{Op: sdk.OpStep, ID: "b"}))
	if string(next.Steps[0].Memo) != `null` {
		t.Errorf("memo %s", next.Steps[0].Memo)
	}
}

func TestAdvance_CancelEndsTheRun(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	_, s = answer(t, s, job, ops(sleeping("nap", "1h")))
	next, err := Advance(s, CancelRequested{Now: now})
	if err != nil || next.Finish == nil || next.Finish.Status != Cancelled || next.Finish.Output != nil {
		t.Fatalf("got %+v, %v", next, err)
	}
	if next.Current.Fate != FateNone {
		t.Errorf("fate %v: no job led here", next.Current.Fate)
	}
}

func TestAdvance_RefusesWhatIsNotTheRuns(t *testing.T) {
	t.Parallel()
	s, job := aRun()
	job.ID = "other"
	for _, in := range []Input{Due{Job: job}, Replied{Job: job}} {
		if _, err := Advance(s, in); !errors.Is(err, ErrForeignJob) {
			t.Errorf("%T: got %v", in, err)
		}
	}
	if _, err := Advance(s, nil); !errors.Is(err, ErrUnknownInput) {
		t.Errorf("got %v", err)
	}
}

func TestBackoff_IsTheTableOrTheInterval(t *testing.T) {
	t.Parallel()
	want := []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, 2 * time.Hour, 2 * time.Hour}
	for attempt, delay := range want {
		if got := (Backoff{}).After(attempt); got != delay {
			t.Errorf("attempt %d: %s, want %s", attempt, got, delay)
		}
		if got := (Backoff{Jitter: time.Second}).After(attempt); got != delay+time.Second {
			t.Errorf("attempt %d with jitter: %s", attempt, got)
		}
	}
	if got := (Backoff{Interval: 2 * time.Second, Jitter: time.Hour}).After(7); got != 2*time.Second {
		t.Errorf("interval: %s", got)
	}
}
