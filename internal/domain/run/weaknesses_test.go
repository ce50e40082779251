package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// waitsByOp are the pauses of a run by the step that waits.
func waitsByOp(s State) map[string]Pause {
	byOp := map[string]Pause{}
	for _, pause := range s.Pauses {
		byOp[pause.Op] = pause
	}
	return byOp
}

// TestMatched_AnEventEndsEveryWaitThatItMeets: two waits of one run for the same event, and both are met. Spec 02 §9.2.
func TestMatched_AnEventEndsEveryWaitThatItMeets(t *testing.T) {
	t.Parallel()
	// Version 1 knows no groups, so the end of each wait calls the app; in version 2 the third wait keeps the group open.
	for _, c := range []struct{ version, calls int }{{1, 2}, {2, 0}} {
		t.Run(fmt.Sprint("version ", c.version), func(t *testing.T) {
			t.Parallel()
			s, job := begun(c.version)
			_, s = answer(t, s, job, ops(
				waiting(sdk.OpWaitForEvent, "a", `{"event":"go","timeout":"1h"}`), waiting(sdk.OpWaitForEvent, "b", `{"event":"go","timeout":"2h"}`),
				waiting(sdk.OpWaitForEvent, "short", `{"event":"go","timeout":"1s"}`),
			))
			waits, e := waitsByOp(s), anEvent("go", `{"n":1}`)
			// The third has expired, its timeout is under way; a fourth is not the run's.
			both := Matched{Pause: waits["short"].ID, Also: []uuid.UUID{waits["a"].ID, uuid.New(), waits["b"].ID}, Event: e, Now: now.Add(time.Minute)}
			next, after := advance(t, s, both)
			var saved []string
			for _, step := range next.Steps {
				if string(step.Memo) != string(e.AppendMap(nil)) {
					t.Errorf("memo of %s is %s", step.ID, step.Memo)
				}
				saved = append(saved, step.ID)
			}
			if !cmp.Equal(saved, []string{"a", "b"}) || len(after.Pauses) != 1 || next.Consumed != e.InternalID {
				t.Errorf("saved %v, left %v", saved, after.Pauses)
			}
			if _, err := Advance(after, Matched{Pause: waits["short"].ID, Event: e, Now: now}); !errors.Is(err, ErrIgnored) {
				t.Errorf("the event ended another wait when it was routed again: %v", err)
			}
			late, err := Advance(after, Due{Job: Job{ID: waits["short"].Job, RunID: s.ID, Kind: KindPause, Edge: Edge{Outgoing: "short"}}, Now: now, Limits: DefaultLimits})
			if err != nil || len(next.Jobs) != c.calls || len(late.Jobs) != 1 {
				t.Errorf("%d calls follow the event and %d the timeout, %v", len(next.Jobs), len(late.Jobs), err)
			}
		})
	}
}

func TestMatched_NothingOfWhatIsNotForTheRun(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	_, s = answer(t, s, job, ops(waiting(sdk.OpWaitForEvent, "a", `{"event":"go","timeout":"1h"}`)))
	in := Matched{Pause: uuid.New(), Also: []uuid.UUID{waitsByOp(s)["a"].ID}, Event: anEvent("go", `{}`), Now: now.Add(2 * time.Hour)}
	if next, err := Advance(s, in); !errors.Is(err, ErrIgnored) {
		t.Errorf("got %+v, %v", next, err)
	}
}

// TestCancelOn_CancelsBeforeItResumes: an event that ends a wait of the run and cancels it cancels it.
func TestCancelOn_CancelsBeforeItResumes(t *testing.T) {
	t.Parallel()
	s, job := aRun(func(spec *Spec) { spec.CancelOn = []CancelOn{{Event: "go"}} })
	_, s = answer(t, s, job, ops(waiting(sdk.OpWaitForEvent, "a", `{"event":"go","timeout":"1h"}`)))
	waits := waitsByOp(s)
	for _, order := range [][2]string{{"a", ""}, {"", "a"}} {
		next, _ := advance(t, s, Matched{Pause: waits[order[0]].ID, Also: []uuid.UUID{waits[order[1]].ID}, Event: anEvent("go", `{}`), Now: now})
		if next.Finish == nil || next.Finish.Status != Cancelled || len(next.Steps) != 0 {
			t.Errorf("got %+v", next)
		}
	}
}

// TestCancelOn_EqualEntriesLastAsLongAsTheLongest: spec 02 §22 #26.
func TestCancelOn_EqualEntriesLastAsLongAsTheLongest(t *testing.T) {
	t.Parallel()
	entries := []CancelOn{{Event: "stop", Timeout: "1m"}, {Event: "stop", Timeout: "1h"}, {Event: "stop", Timeout: "1s"}, {Event: "stop", If: "async.data.a == 1", Timeout: "2m"}}
	for range entries {
		entries = append(entries[1:], entries[0]) // whatever their order
		s, _ := aRun(func(spec *Spec) { spec.CancelOn = entries })
		lasts := map[string]time.Duration{}
		for _, pause := range s.Pauses {
			lasts[pause.Expression] = pause.Expires.Sub(now)
		}
		if diff := cmp.Diff(map[string]time.Duration{"": time.Hour, "async.data.a == 1": 2 * time.Minute}, lasts); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestCancelOn_ATimeoutThatCannotBeReadCountsAsAbsent: a run that could not be cancelled for a typing error would be worse.
func TestCancelOn_ATimeoutThatCannotBeReadCountsAsAbsent(t *testing.T) {
	t.Parallel()
	for _, timeout := range []string{"", "soon", "400d"} {
		s, _ := aRun(func(spec *Spec) { spec.CancelOn = []CancelOn{{Event: "stop", Timeout: timeout}} })
		if pause := pauseOf(t, s); !pause.Expires.Equal(now.Add(longWait)) {
			t.Errorf("%q: lasts until %s", timeout, pause.Expires)
		}
	}
}

// TestStepFailed_OfAStepThatHasAMemoGoesOn: the step was saved by a checkpoint of the same call. Spec 02 §22 #11.
func TestStepFailed_OfAStepThatHasAMemoGoesOn(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]sdk.Op{"a failure": failing(sdk.OpStepFailed, "a", false), "a result": stepRun("a", "2")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := begun(2)
			_, s = advance(t, s, Checkpointed{Ops: []sdk.Op{stepRun("a", "1")}, Now: now, Limits: DefaultLimits})
			next, s := answer(t, s, job, ops(op))
			if follow := only(t, next); follow.Edge.Outgoing != "a" || string(s.Steps["a"]) != `{"data":1}` {
				t.Errorf("next call %+v, memo %s", follow, s.Steps["a"])
			}
		})
	}
}

// TestDefers_AreHandledInTheOrderOfTheAnswer: spec 02 §22 #30.
func TestDefers_AreHandledInTheOrderOfTheAnswer(t *testing.T) {
	t.Parallel()
	add := waiting(sdk.OpDeferAdd, "d", `{"fn_slug":"f"}`)
	abort := waiting(sdk.OpDeferAbort, "x", `{"target_hashed_id":"d"}`)
	for name, c := range map[string]struct {
		list []sdk.Op
		want DeferStatus
	}{
		"added, then aborted":          {[]sdk.Op{add, abort}, DeferAborted},
		"aborted before there was one": {[]sdk.Op{abort, add}, DeferAfterRun},
		"with a step between":          {[]sdk.Op{add, stepRun("s", "1"), abort}, DeferAborted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 50 {
				s, job := begun(2)
				if _, s = answer(t, s, job, ops(c.list...)); s.Defers["d"].Status != c.want {
					t.Fatalf("got %s, want %s", s.Defers["d"].Status, c.want)
				}
			}
		})
	}
}

// TestInvoke_IsPublishedWithItsWait: the event, the wait and its timeout are one transition, whatever becomes of the rest of the
// answer. Spec 02 §22 #2.
func TestInvoke_IsPublishedWithItsWait(t *testing.T) {
	t.Parallel()
	call := waiting(sdk.OpInvokeFunction, "call", `{"function_id":"app-child","payload":{},"timeout":"1h"}`)
	for name, list := range map[string][]sdk.Op{
		"alone": {call}, "in a group": {planned("a"), call}, "beside a step that is tried again": {failing(sdk.OpStepError, "a", false), call},
		"beside a sleep that is none": {sleeping("n", "junk"), call}, "reported twice": {call, call},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := begun(2)
			next, _ := answer(t, s, job, ops(list...))
			timeouts := 0
			for _, job := range next.Jobs {
				if job.Kind == KindPause {
					timeouts++
				}
			}
			if len(next.Publish) != 1 || len(next.Pauses) != 1 || timeouts != 1 {
				t.Errorf("%d events, %d waits and %d timeouts", len(next.Publish), len(next.Pauses), timeouts)
			}
		})
	}
}

// TestRetries_EveryJobInheritsTheRunsAttempts: spec 02 §22 #12, #33.
func TestRetries_EveryJobInheritsTheRunsAttempts(t *testing.T) {
	t.Parallel()
	for _, op := range []sdk.Op{
		stepRun("a", "1"), failing(sdk.OpStepFailed, "a", false), planned("a"), sleeping("a", "1s"), waiting(sdk.OpWaitForEvent, "a", `{"event":"go","timeout":"1h"}`),
		waiting(sdk.OpWaitForSignal, "a", `{"signal":"s"}`), waiting(sdk.OpInvokeFunction, "a", `{"function_id":"f","payload":{}}`), waiting(sdk.OpGateway, "a", `{"url":"http://x"}`),
	} {
		t.Run(string(op.Op), func(t *testing.T) {
			t.Parallel()
			s, job := aRun(func(spec *Spec) { spec.MaxAttempts = 17 })
			next, s := answer(t, s, job, ops(op))
			if got := only(t, next).MaxAttempts; got != 17 {
				t.Errorf("%d attempts", got)
			}
			if len(s.Pauses) == 0 {
				return
			}
			timeout, _ := fire(t, s, only(t, next))
			if got := only(t, timeout).MaxAttempts; got != 17 {
				t.Errorf("%d attempts after the timeout", got)
			}
		})
	}
}

// TestAdvance_LazyOpsAreNoMembersOfAGroup: spec 02 §8.1, §23.
func TestAdvance_LazyOpsAreNoMembersOfAGroup(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	lazy := waiting(sdk.OpDeferAdd, "d", `{"fn_slug":"f"}`)
	next, after := answer(t, s, job, ops(planned("a"), lazy))
	if after.ForceStepPlan || len(after.Pending) != 0 || only(t, next).CoalesceKey != "" {
		t.Errorf("one step and a defer are a group: %+v", after)
	}
	with, after := answer(t, s, job, ops(lazy, planned("b"), planned("a")))
	without, _ := answer(t, s, job, ops(planned("a"), planned("b")))
	if !slices.Equal(after.Pending, []string{"a", "b"}) || with.Jobs[0].CoalesceKey != without.Jobs[0].CoalesceKey {
		t.Errorf("the group is %v", after.Pending)
	}
}

// TestWaits_OfAGroupAreJoinedWhoeverEndsThem: in version 2 the event and the timeout of a wait lead to one call of one ID, in
// version 1 to calls of their own. Spec 02 §5, §23.
func TestWaits_OfAGroupAreJoinedWhoeverEndsThem(t *testing.T) {
	t.Parallel()
	for version, shared := range map[int]bool{1: false, 2: true} {
		s, job := begun(version)
		next, s := answer(t, s, job, ops(waiting(sdk.OpWaitForEvent, "a", `{"event":"go","timeout":"1h"}`), stepRun("b", "1")))
		timeout := next.Jobs[slices.IndexFunc(next.Jobs, func(j Job) bool { return j.Kind == KindPause })]
		byEvent, _ := advance(t, s, Matched{Pause: waitsByOp(s)["a"].ID, Event: anEvent("go", `{}`), Now: now})
		byTimeout, _ := fire(t, s, timeout)
		if same := only(t, byEvent).ID == only(t, byTimeout).ID; same != shared {
			t.Errorf("version %d: one ID is %t", version, same)
		}
	}
}

// TestFinish_TellsInOneTransition: the end, its events and the deferred runs are one transition. Spec 02 §22 #6.
func TestFinish_TellsInOneTransition(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, s := answer(t, s, job, ops(stepRun("a", "1"), waiting(sdk.OpDeferAdd, "d", `{"fn_slug":"f"}`)))
	next, _ = answer(t, s, only(t, next), sdk.Reply{Status: 400, Output: json.RawMessage(`{}`), Failure: &sdk.Failure{Text: "x", NoRetry: true}})
	var names []string
	for _, e := range next.Publish {
		names = append(names, e.Name)
	}
	if diff := cmp.Diff([]string{"inngest/function.finished", "inngest/function.failed", "inngest/deferred.schedule"}, names); diff != "" || next.Finish == nil {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSignal_IsWaitedForOnceInARun: two steps of a run that wait for one signal are a conflict, as two runs are; the one that
// replaces takes it over. Spec 08 §5.1.
func TestSignal_IsWaitedForOnceInARun(t *testing.T) {
	t.Parallel()
	wait := func(op, conflict string) sdk.Op {
		return waiting(sdk.OpWaitForSignal, op, `{"signal":"s","timeout":"1h","conflict":"`+conflict+`"}`)
	}
	const conflict = `{"error":{"error":"Error: Signal conflict; signal wait already exists for another run","name":"Error",` +
		`"message":"Signal conflict; signal wait already exists for another run"}}`
	for name, c := range map[string]struct {
		second sdk.Op
		first  int // the number of answers that come first: the waits come in one, or one after the other
		output string
	}{
		"in one answer":                        {wait("b", "fail"), 0, conflict},
		"one after the other":                  {wait("b", ""), 1, conflict},
		"replacing, in one answer":             {wait("b", "replace"), 0, ""},
		"replacing, one after the other":       {wait("b", "replace"), 1, ""},
		"the same step reported again is none": {wait("a", "fail"), 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := begun(1)
			list := []sdk.Op{wait("a", "fail"), c.second}
			if c.first > 0 {
				_, s = answer(t, s, job, ops(list[0], planned("p")))
				job = Job{ID: ids.PlannedJob(s.key(), "p"), RunID: runID, Kind: KindEdge, MaxAttempts: 5}
				list = list[1:]
			}
			next, s := answer(t, s, job, ops(list...))
			if c.output != "" {
				if next.Finish == nil || string(next.Finish.Output) != c.output {
					t.Errorf("got %+v", next.Finish)
				}
				return
			}
			waits := waitsByOp(s)
			if pause := waits[c.second.ID]; len(waits) != 1 || pause.Signal != "s" || s.Jobs[pause.Job] != KindPause {
				t.Errorf("waits %v, jobs %v", waits, s.Jobs)
			}
			if c.second.ID == "b" && string(s.Steps["a"]) != "null" {
				t.Errorf("the step that is replaced has %q", s.Steps["a"])
			}
			signalled, _ := advance(t, s, Signalled{Signal: "s", Now: now})
			if len(signalled.Steps) != 1 || signalled.Steps[0].ID != c.second.ID {
				t.Errorf("the signal is given to %v", signalled.Steps)
			}
		})
	}
}

// TestInvoke_MergesSessions: those of the payload, both layers, within the limits of an event. Spec 02 §9.1, §23.
func TestInvoke_MergesSessions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meta string
		want map[string]string
		text string
	}{
		"none":        {`null`, nil, ""},
		"both layers": {`{"sessions":{"a":"2","f":9},"propagated_sessions":{"a":"1","b":"1","c":"1","d":"1","e":"1"}}`, map[string]string{"a": "2", "f": "9", "b": "1", "c": "1", "d": "1"}, ""},
		"too many":    {`{"sessions":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1"}}`, nil, `InvokeFunction "call": payload: event sessions can include at most 5 entries`},
		"no session":  {`{"sessions":{"a":true}}`, nil, `InvokeFunction "call": payload: event session "a" must be a string, number, or null`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := aRun(func(spec *Spec) { spec.Events[0].Sessions = map[string]string{"own": "1"} })
			next, _ := answer(t, s, job, ops(waiting(sdk.OpInvokeFunction, "call", `{"function_id":"f","payload":{"meta":`+c.meta+`}}`)))
			if c.text != "" {
				var output struct{ Error struct{ Message string } }
				if next.Finish == nil || json.Unmarshal(next.Finish.Output, &output) != nil || output.Error.Message != c.text {
					t.Errorf("got %+v", next.Finish)
				}
				return
			}
			if len(next.Publish) != 1 || !cmp.Equal(next.Publish[0].Sessions, c.want) {
				t.Errorf("published %+v", next.Publish)
			}
		})
	}
}
