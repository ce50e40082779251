package run

import (
	"encoding/json"
	"time"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Standing is what of a function decides whether runs of it start. Runs in progress go on whatever it is.
type Standing struct {
	// Paused is set by an operator, who also takes it back.
	Paused bool
}

// Skip is why no run starts; flow.NotSkipped when one does.
func (s Standing) Skip() flow.SkipReason {
	if s.Paused {
		return flow.SkippedByPause
	}
	return flow.NotSkipped
}

// Skip is the end of a run that does not start. Its output names the reason.
func Skip(reason flow.SkipReason, at time.Time) Finish {
	output := append([]byte(`{"skipReason":`), appendString(nil, string(reason))...)
	return Finish{Status: Skipped, Output: json.RawMessage(append(output, '}')), At: at}
}

// Refuse is the end of a run that cannot be started, because what its function is set to cannot be decided on its event.
func Refuse(reason string, at time.Time) Finish {
	return Finish{Status: Failed, Output: sdk.EngineOutput(sdk.Failure{Text: reason, Name: "Error", Engine: true}), At: at}
}
