package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// someReply draws an answer, sensible or not.
func someReply(t *rapid.T) sdk.Reply {
	if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
		return sdk.Reply{Status: 500, Failure: &sdk.Failure{Text: "broken", NoRetry: rapid.Bool().Draw(t, "no retry")}}
	}
	kinds := []sdk.Opcode{sdk.OpNone, sdk.OpStep, sdk.OpStepRun, sdk.OpStepRun, sdk.OpStepError, sdk.OpStepFailed, sdk.OpStepPlanned, sdk.OpStepPlanned, sdk.OpSleep, sdk.OpStepNotFound, sdk.OpDiscoveryRequest,
		sdk.OpWaitForEvent, sdk.OpWaitForSignal, sdk.OpInvokeFunction, sdk.OpGateway, sdk.OpDeferAdd, sdk.OpDeferAbort}
	list := make([]sdk.Op, rapid.IntRange(1, 4).Draw(t, "ops"))
	for i := range list {
		list[i] = sdk.Op{
			Op:   rapid.SampledFrom(kinds).Draw(t, "op"),
			ID:   fmt.Sprint(rapid.IntRange(0, 8).Draw(t, "id")),
			Name: rapid.SampledFrom([]string{"1s", "", "400h", "junk"}).Draw(t, "name"),
			Opts: json.RawMessage(rapid.SampledFrom([]string{
				`{"event":"x","timeout":"1h","if":"async.data.a == 1"}`, `{"timeout":"400d"}`, `{"signal":"s"}`, `{"timeout":"junk"}`, `[]`,
				`{"function_id":"f","payload":{"data":{"a":1}}}`, `{"fn_slug":"f","input":{"a":1}}`, `{"target_hashed_id":"1"}`, `{"if":"async."}`,
			}).Draw(t, "opts")),
			Data: json.RawMessage(rapid.SampledFrom([]string{`1`, `{"a":"b"}`, `null`}).Draw(t, "data")),
			Mode: rapid.SampledFrom([]string{"", "", "wait", "race"}).Draw(t, "mode"),
		}
		if rapid.Bool().Draw(t, "error") {
			list[i].Error = &sdk.OpError{Message: "x", NoRetry: rapid.Bool().Draw(t, "final")}
		}
	}
	return sdk.Reply{Status: 206, FromSDK: true, RequestVersion: rapid.IntRange(0, 2).Draw(t, "version"), Ops: list}
}

// TestAdvance_NoRunWaitsForNothing plays random answers to whatever jobs a run has, in any order. Whatever the app says,
// the run has a job or has ended; a memo never changes; the stack lists exactly the memos; and Advance leaves the state
// that it was given alone.
func TestAdvance_NoRunWaitsForNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, first := aRun(func(spec *Spec) {
			if rapid.Bool().Draw(t, "timeouts") {
				spec.Timeouts = Timeouts{Finish: time.Hour}
			}
		})
		jobs := map[string]Job{first.ID: first}
		for range rapid.IntRange(1, 40).Draw(t, "inputs") {
			if woken, after, ended := wake(t, s, jobs); woken {
				if ended {
					return
				}
				s = after
				continue
			}
			ids := slices.Sorted(maps.Keys(jobs))
			job := jobs[rapid.SampledFrom(ids).Draw(t, "job")]
			due, after, ended := step(t, s, job, jobs, Due{Job: job, Now: now, Limits: DefaultLimits})
			if ended {
				return
			}
			s = after
			if due.Call == nil {
				continue
			}
			if due.Call.Gateway != nil {
				in := Gatewayed{Job: job, Now: now, Limits: DefaultLimits, Memo: []byte(`{"data":1}`)}
				if rapid.Bool().Draw(t, "gateway fails") {
					in.Failure = &sdk.Failure{Text: "broken"}
				}
				if _, s, ended = step(t, s, job, jobs, in); ended {
					return
				}
				continue
			}
			replied := Replied{Job: job, Reply: someReply(t), CalledAt: now, Now: now, Limits: DefaultLimits}
			if _, s, ended = step(t, s, job, jobs, replied); ended {
				return
			}
		}
	})
}

// wake ends one of the run's waits, if it has one and luck wants so.
func wake(t *rapid.T, s State, jobs map[string]Job) (bool, State, bool) {
	if len(s.Pauses) == 0 || rapid.IntRange(0, 2).Draw(t, "wake") > 0 {
		return false, s, false
	}
	byID := func(a, b Pause) int { return bytes.Compare(a.ID[:], b.ID[:]) }
	pause := rapid.SampledFrom(slices.SortedFunc(maps.Values(s.Pauses), byID)).Draw(t, "pause")
	var in Input
	e := event.Tracked{InternalID: ulid.Make(), ReceivedAt: now, Event: event.Event{Name: "x", Data: []byte(`{"result":1}`)}}
	switch pause.Kind {
	case PauseSignal:
		in = Signalled{Signal: pause.Signal, Now: now}
	case PauseInvoke:
		in = Invoked{Op: pause.Op, Event: e, Now: now}
	default:
		matched := Matched{Pause: pause.ID, Event: e, Now: now}
		for _, other := range slices.SortedFunc(maps.Values(s.Pauses), byID) {
			if other.ID != pause.ID && rapid.Bool().Draw(t, "also") {
				matched.Also = append(matched.Also, other.ID)
			}
		}
		in = matched
	}
	if now.After(pause.Expires) {
		return false, s, false
	}
	_, after, ended := step(t, s, Job{}, jobs, in)
	return true, after, ended
}

// step makes one input and checks what must hold after every one.
func step(t *rapid.T, s State, job Job, jobs map[string]Job, in Input) (Transition, State, bool) {
	before, _ := json.Marshal(s)
	next, err := Advance(s, in)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Advance(s, in)
	if diff := cmp.Diff(next, again); diff != "" {
		t.Fatalf("the same input twice: %s", diff)
	}
	after := s.Apply(job, next)
	if now, _ := json.Marshal(s); string(now) != string(before) {
		t.Fatal("the state given was changed")
	}
	if next.Finish != nil {
		if len(next.Jobs) != 0 {
			t.Fatalf("an ended run has new jobs: %+v", next.Jobs)
		}
		return next, after, true
	}
	switch next.Current.Fate {
	case FateDone:
		delete(jobs, job.ID)
	case FateRetry:
		job.Attempt, job.At = next.Current.Attempt, next.Current.At
		jobs[job.ID] = job
	case FateKeep, FateNone:
	}
	for _, id := range next.DropJobs {
		delete(jobs, id)
	}
	for _, created := range next.Jobs {
		if _, exists := jobs[created.ID]; exists {
			t.Fatalf("job %s is created twice", created.ID)
		}
		jobs[created.ID] = created
	}
	leading := 0
	for _, left := range jobs {
		if left.Kind != KindCancel {
			leading++
		}
	}
	if leading == 0 {
		t.Fatalf("the run waits for nothing after %+v", in)
	}
	if want, got := slices.Sorted(maps.Keys(jobs)), slices.Sorted(maps.Keys(after.Jobs)); !slices.Equal(want, got) {
		t.Fatalf("jobs: the state says %v, there are %v", got, want)
	}
	for _, pause := range after.Pauses {
		if _, timed := jobs[pause.Job]; pause.Kind != PauseCancel && !timed {
			t.Fatalf("pause of step %s has no timeout", pause.Op)
		}
	}
	for _, left := range jobs {
		if _, waits := after.Pauses[after.pauseID(left.Edge.Outgoing)]; left.Kind == KindPause && !waits {
			t.Fatalf("timeout of step %s has no pause", left.Edge.Outgoing)
		}
	}
	for id, memo := range s.Steps {
		if string(after.Steps[id]) != string(memo) {
			t.Fatalf("memo %s changed from %s to %s", id, memo, after.Steps[id])
		}
	}
	if len(after.Stack) != len(after.Steps) {
		t.Fatalf("stack %v, memos %v", after.Stack, after.Steps)
	}
	return next, after, false
}
