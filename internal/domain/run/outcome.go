package run

import (
	"encoding/json"
	"fmt"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// outcome is how a run ends, before it is turned into a record and events.
type outcome struct {
	status Status
	// output is what the app returned or failed with; nil when there is none.
	output json.RawMessage
	// plainText is true when output is a text that was no JSON.
	plainText bool
	// response is the answer of a durable endpoint to its client, if it gave one.
	response *sdk.HTTPResult
	// failure is set when status is Failed.
	failure *sdk.Failure
	// silent leaves the result out of the lifecycle events: the run was stopped before a call. Spec 02 §17.1.
	silent bool
}

const (
	stepOverflowName  = "InngestErrFunctionOverflowed"
	stateOverflowName = "InngestErrStateOverflowed"
	unsupportedName   = "UnsupportedOpcode"
)

// stepLimitReached ends a run that has as many memos as it may have. Spec 02 §18.
func stepLimitReached(limit int) outcome {
	return outcome{status: Failed, silent: true, failure: &sdk.Failure{
		Text:    "function has too many steps",
		Name:    stepOverflowName,
		Message: fmt.Sprintf("The function run exceeded the step limit of %d steps.", limit),
		Engine:  true,
	}}
}

// tooManyOps ends a run whose app listed more ops than one answer may.
func tooManyOps(limit int) outcome {
	return outcome{status: Failed, failure: &sdk.Failure{
		Text:    stepOverflowName,
		Name:    stepOverflowName,
		Message: fmt.Sprintf("The function run exceeded the step limit of %d steps.", limit),
		Engine:  true,
	}}
}

// stateLimitReached ends a run whose memos would be larger than they may be.
func stateLimitReached(limit int) *outcome {
	return &outcome{status: Failed, failure: &sdk.Failure{
		Text:    stateOverflowName,
		Name:    stateOverflowName,
		Message: fmt.Sprintf("The function run exceeded the state size limit of %d bytes.", limit),
		Engine:  true,
	}}
}

// unsupported ends a run whose app uses an op that the server does not serve.
func unsupported(op sdk.Op) *outcome {
	return &outcome{status: Failed, failure: &sdk.Failure{
		Text:    unsupportedName,
		Name:    unsupportedName,
		Message: fmt.Sprintf("This server does not support the op %s yet; step %q needs it.", op.Op, displayName(op)),
		Engine:  true,
	}}
}
