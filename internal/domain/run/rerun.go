package run

import (
	"encoding/json"
	"errors"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Errors of From. The texts are those of the reference. Spec 02 §13.
var (
	// ErrNoSuchStep says that the earlier run has no step of that ID or name.
	ErrNoSuchStep = errors.New("rerun step not found")
	// ErrAmbiguousStep says that several steps of the earlier run have the name, and none the ID.
	ErrAmbiguousStep = errors.New("rerun step name is ambiguous")
	// ErrStepInput says that the new input is no list of arguments.
	ErrStepInput = errors.New("input is not a valid JSON array")
)

// From is where a rerun begins.
type From struct {
	// Step is the ID or the name of a step of the earlier run.
	Step string
	// Input replaces the step's arguments: a JSON array, nil to keep them.
	Input json.RawMessage
}

// Resumed is what a rerun takes over of the earlier run. See Spec.
type Resumed struct {
	Steps  []Step
	Inputs map[string]json.RawMessage
	Target string
}

// Resume decides what a rerun from a step takes over of an earlier run, whose steps are given in the order in which they were
// saved: every step before the one named. That one is run first if it is one that the app runs; anything else, such as a
// sleep, the app asks for anew.
func Resume(steps []Step, from From) (Resumed, error) {
	at, err := find(steps, from.Step)
	if err != nil {
		return Resumed{}, err
	}
	resumed := Resumed{Steps: steps[:at:at]}
	target := steps[at]
	if len(from.Input) > 0 {
		if !isArray(from.Input) {
			return Resumed{}, ErrStepInput
		}
		resumed.Inputs = map[string]json.RawMessage{target.ID: from.Input}
	}
	if runs(target.Op) {
		resumed.Target = target.ID
	}
	return resumed, nil
}

// find returns the place of the step with the ID, or else of the only one with the name.
func find(steps []Step, name string) (int, error) {
	found := -1
	for i, step := range steps {
		if step.ID == name {
			return i, nil
		}
	}
	for i, step := range steps {
		if step.Name != name {
			continue
		}
		if found >= 0 {
			return 0, ErrAmbiguousStep
		}
		found = i
	}
	if found < 0 {
		return 0, ErrNoSuchStep
	}
	return found, nil
}

// runs reports whether the app runs steps of the kind.
func runs(op sdk.Opcode) bool {
	switch op {
	case sdk.OpStep, sdk.OpStepRun, sdk.OpStepError, sdk.OpStepFailed:
		return true
	default:
		return false
	}
}

func isArray(text json.RawMessage) bool {
	var elements []json.RawMessage
	return json.Unmarshal(text, &elements) == nil && elements != nil
}
