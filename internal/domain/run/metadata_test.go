package run

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// noting is an op that comes with metadata of its step.
func noting(op sdk.Op) sdk.Op {
	op.Metadata = json.RawMessage(`[{"scope":"step","kind":"userland.a","op":"set","values":{"n":1}}]`)
	return op
}

func noted(step string, attempt int) []metadata.Update {
	return []metadata.Update{{
		Target: metadata.OfStep(step, attempt), Kind: "userland.a", Op: metadata.Set, Values: metadata.Values{"n": json.RawMessage("1")},
	}}
}

func TestAdvance_KeepsTheMetadataOfASavedStep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op      sdk.Op
		attempt int
	}{
		"StepRun":                    {stepRun("a", "1"), metadata.FinalAttempt},
		"Step":                       {sdk.Op{Op: sdk.OpStep, ID: "a"}, metadata.FinalAttempt},
		"StepFailed":                 {failing(sdk.OpStepFailed, "a", true), metadata.FinalAttempt},
		"StepError without a retry":  {failing(sdk.OpStepError, "a", true), metadata.FinalAttempt},
		"StepError that is retried":  {failing(sdk.OpStepError, "a", false), 2},
		"a readable one of no steps": {sdk.Op{Op: sdk.OpRunComplete, ID: "a"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, job := begun(2)
			job.Attempt = 2
			next, _ := answer(t, s, job, ops(noting(c.op)))
			want := noted("a", c.attempt)
			if c.op.Op == sdk.OpRunComplete {
				want = nil
			}
			if diff := cmp.Diff(want, next.Metadata); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAdvance_KeepsMetadataOnce(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	save := Checkpointed{Ops: []sdk.Op{noting(stepRun("a", "1")), noting(stepRun("a", "2"))}, Now: now, Limits: DefaultLimits}
	next, err := Advance(s, save)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(noted("a", metadata.FinalAttempt), next.Metadata); diff != "" {
		t.Error(diff)
	}
	again, err := Advance(s.Apply(job, next), save)
	if err != nil {
		t.Fatal(err)
	}
	if again.Metadata != nil || again.Writes() {
		t.Errorf("a checkpoint that is repeated keeps %v", again.Metadata)
	}
}

func TestAdvance_MetadataOutlivesTheRun(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	next, _ := answer(t, s, job, ops(noting(stepRun("a", "1")), sdk.Op{Op: sdk.OpRunComplete, ID: "end", Data: json.RawMessage("1")}))
	if next.Finish == nil {
		t.Fatal("the run goes on")
	}
	if diff := cmp.Diff(noted("a", metadata.FinalAttempt), next.Metadata); diff != "" {
		t.Error(diff)
	}
}

func TestAdvance_DropsMetadataThatIsNotWanted(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	limits := DefaultLimits
	limits.Metadata = false
	next, err := Advance(s, Replied{Job: job, Reply: ops(noting(stepRun("a", "1"))), CalledAt: now, Now: now, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	if next.Metadata != nil || len(next.Steps) != 1 {
		t.Errorf("got %+v", next)
	}
}
