package run

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

var (
	now   = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	fnID  = uuid.MustParse("2b8a7a4a-6d0a-5e0c-8c25-0b6f0a4c2f11")
	runID = ulid.MustParse("01J8ZKZ5H4X0V6QK3N8N3W9R7T")
)

// aRun is a run that has not begun, with its first job.
func aRun(change ...func(*Spec)) (State, Job) {
	spec := Spec{
		ID: runID, FunctionID: fnID, FunctionVersion: 1, Slug: "app-fn", MaxAttempts: 5, Key: "01HZZZZZZZZZZZZZZZZZZZZZZZ", Now: now,
		Events: []event.Tracked{{Event: event.Event{ID: "order-123", Name: "user/created", Data: json.RawMessage(`{"a":1}`), TS: 1700000000000}}},
	}
	for _, c := range change {
		c(&spec)
	}
	s, jobs := New(spec)
	return s, jobs[0]
}

// begun is a run whose app has chosen a version.
func begun(version int) (State, Job) {
	s, job := aRun()
	s.RequestVersion = version
	return s, job
}

// ops is an answer with a list of ops.
func ops(list ...sdk.Op) sdk.Reply {
	return sdk.Reply{Status: 206, FromSDK: true, RequestVersion: 2, Ops: list}
}

func stepRun(id, data string) sdk.Op {
	return sdk.Op{Op: sdk.OpStepRun, ID: id, Data: json.RawMessage(data)}
}

func planned(id string) sdk.Op { return sdk.Op{Op: sdk.OpStepPlanned, ID: id, DisplayName: id} }

func sleeping(id, duration string) sdk.Op { return sdk.Op{Op: sdk.OpSleep, ID: id, Name: duration} }

func failing(op sdk.Opcode, id string, noRetry bool) sdk.Op {
	return sdk.Op{Op: op, ID: id, Error: &sdk.OpError{Name: "Error", Message: "broken", NoRetry: noRetry}}
}

// answer advances a run by an answer to a job.
func answer(t *testing.T, s State, job Job, reply sdk.Reply) (Transition, State) {
	t.Helper()
	next, err := Advance(s, Replied{Job: job, Reply: reply, CalledAt: now, Now: now, Limits: DefaultLimits})
	if err != nil {
		t.Fatal(err)
	}
	return next, s.Apply(job, next)
}

// fire advances a run by a job whose time has come.
func fire(t *testing.T, s State, job Job) (Transition, State) {
	t.Helper()
	next, err := Advance(s, Due{Job: job, Now: now, Limits: DefaultLimits})
	if err != nil {
		t.Fatal(err)
	}
	return next, s.Apply(job, next)
}

// only returns the one job of a transition.
func only(t *testing.T, next Transition) Job {
	t.Helper()
	if len(next.Jobs) != 1 {
		t.Fatalf("got %d jobs, want 1: %+v", len(next.Jobs), next.Jobs)
	}
	return next.Jobs[0]
}
