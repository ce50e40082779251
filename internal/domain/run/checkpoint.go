package run

import (
	"fmt"
	"slices"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Checkpointed says that an app saves steps while its call goes on. Only finished and planned steps and defers can be
// saved so; anything else is a *CheckpointError. Spec 02 §19.
type Checkpointed struct {
	Ops    []sdk.Op
	Now    time.Time
	Limits Limits
	// Dispatch is the call that the steps come from.
	Dispatch Dispatch
	// Checked makes the steps of a stale call be refused: Current is the generation of its job, zero when it is gone.
	Checked bool
	Current int
}

func (Checkpointed) input() {}

// Dispatch is a call as its app names it.
type Dispatch struct {
	// Job is the job that the call was made for; empty when the app does not say.
	Job string
	// Generation counts how often the job was handed out, this call included; zero when the app does not say.
	Generation int
	// StartedAt is when the app got the call.
	StartedAt time.Time
}

// freshDispatch is how young a call is that is not checked: what is said of it then may be older than itself.
const freshDispatch = 10 * time.Second

// Checkable tells whether the call says enough of itself, and is old enough, to be compared with its job. Spec 04 §8.3.
func (d Dispatch) Checkable(now time.Time) bool {
	return d.Job != "" && d.Generation != 0 && now.Sub(d.StartedAt) >= freshDispatch
}

// CheckpointError is why steps cannot be saved. Nothing of them is.
type CheckpointError struct {
	Reason string
	// TooLarge says that a step, or the run with it, would be too large.
	TooLarge bool
	// Stale says that the call's job was handed out again, or is gone.
	Stale bool
}

func (e *CheckpointError) Error() string { return e.Reason }

// checkpointed saves the steps of a checkpoint, all or none. A step that has a memo keeps it. The run has begun with it, though its first call be not answered. Progress gives the call's job
// all its attempts back, for the case that the server loses it: the call in progress goes on counting. Spec 02 §10.
func (s State) checkpointed(in Checkpointed) (Transition, error) {
	t := s.unchanged(FateNone)
	g := group{in: Replied{Now: in.Now, Limits: in.Limits}}
	for _, op := range in.Ops {
		switch op.Op {
		case sdk.OpStepRun, sdk.OpStep, sdk.OpStepPlanned, sdk.OpDeferAdd, sdk.OpDeferAbort:
		case sdk.OpStepFailed, sdk.OpRunComplete, sdk.OpSyncRunComplete:
			return Transition{}, &CheckpointError{Reason: fmt.Sprintf("cannot checkpoint opcode: %s", op.Op)}
		default:
			return Transition{}, &CheckpointError{Reason: "cannot checkpoint async steps"}
		}
	}
	if in.Checked && in.Current != in.Dispatch.Generation {
		return Transition{}, &CheckpointError{Reason: in.stale(), Stale: true}
	}
	for _, op := range in.Ops {
		var end *outcome
		switch op.Op {
		case sdk.OpStepRun:
			end = s.save(&t, &g, op, KindEdge, sdk.RunMemo(op.Data))
		case sdk.OpStep:
			end = s.save(&t, &g, op, KindEdge, rawMemo(op.Data))
		case sdk.OpDeferAdd:
			s.deferAdd(&t, op)
		case sdk.OpDeferAbort:
			s.deferAbort(&t, op)
		case sdk.OpStepPlanned:
			t.begin(s, op.ID)
		}
		if end != nil {
			return Transition{}, &CheckpointError{Reason: end.failure.Message, TooLarge: true}
		}
	}
	if _, exists := s.Jobs[in.Dispatch.Job]; exists && t.changes() {
		t.ResetJob = in.Dispatch.Job
	}
	if s.StartedAt.IsZero() && t.Writes() {
		t.StartedAt = s.begun(in)
	}
	return t, nil
}

// begin notes that the app has begun a step, which it goes on with in the same call.
func (t *Transition) begin(s State, step string) {
	_, done := s.Steps[step]
	if !done && !slices.Contains(t.Begun, step) && !slices.ContainsFunc(t.Steps, func(saved Step) bool { return saved.ID == step }) {
		t.Begun = append(t.Begun, step)
	}
}

// begun is when a run began whose first call is not answered yet, as far as a checkpoint tells: with the call, or else with the first of its
// steps. What the app says of that is believed from when the run was created until now.
func (s State) begun(in Checkpointed) time.Time {
	created := time.UnixMilli(int64(s.ID.Time()))
	began := in.Now
	consider := func(at time.Time) {
		if at.Before(began) && !at.Before(created) {
			began = at
		}
	}
	consider(in.Dispatch.StartedAt)
	for i := range in.Ops {
		consider(in.Ops[i].StartedAt)
	}
	return began
}

// stale says why the steps of a call are refused.
func (c Checkpointed) stale() string {
	if c.Current == 0 {
		return fmt.Sprintf("stale dispatch: the call is of generation %d, its job is gone (generation 0)", c.Dispatch.Generation)
	}
	return fmt.Sprintf("stale dispatch: the call is of generation %d, its job of generation %d", c.Dispatch.Generation, c.Current)
}
