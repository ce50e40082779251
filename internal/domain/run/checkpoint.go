package run

import (
	"fmt"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Checkpointed says that an app saves steps while its call goes on. Only finished and planned steps and defers can be
// saved so; anything else is a *CheckpointError. Spec 02 §19.
type Checkpointed struct {
	Ops    []sdk.Op
	Now    time.Time
	Limits Limits
}

func (Checkpointed) input() {}

// CheckpointError is why steps cannot be saved. Nothing of them is.
type CheckpointError struct {
	Reason string
	// TooLarge says that a step, or the run with it, would be too large.
	TooLarge bool
}

func (e *CheckpointError) Error() string { return e.Reason }

// checkpointed saves the steps of a checkpoint, all or none. A step that has a memo keeps it.
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
		}
		if end != nil {
			return Transition{}, &CheckpointError{Reason: end.failure.Message, TooLarge: true}
		}
	}
	return t, nil
}
