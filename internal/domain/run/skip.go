package run

import (
	"encoding/json"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// SkipReason is why an event starts no run of a function that it triggers. The texts are those of the API. Spec 11 §6.
type SkipReason string

// Reasons.
const (
	NotSkipped     SkipReason = ""
	FunctionPaused SkipReason = "FunctionPaused"
	// Singleton says that another run of a function that allows one at a time is in progress.
	Singleton SkipReason = "Singleton"
)

// Standing is what of a function decides whether runs of it start. Runs in progress go on whatever it is.
type Standing struct {
	// Paused is set by an operator, who also takes it back.
	Paused bool
}

// Skip is why no run starts; NotSkipped when one does.
func (s Standing) Skip() SkipReason {
	if s.Paused {
		return FunctionPaused
	}
	return NotSkipped
}

// Sentence says to somebody who waits for the run that there is none.
func (r SkipReason) Sentence() string {
	switch r {
	case FunctionPaused:
		return "invoked function was not started: the function is paused"
	case Singleton:
		return "invoked function was not started: another run of it is in progress"
	default:
		return "invoked function was not started: " + string(r)
	}
}

// Skip is the end of a run that does not start. Its output names the reason.
func Skip(reason SkipReason, at time.Time) Finish {
	output := append([]byte(`{"skipReason":`), appendString(nil, string(reason))...)
	return Finish{Status: Skipped, Output: json.RawMessage(append(output, '}')), At: at}
}

// Refuse is the end of a run that cannot be started, because what its function is set to cannot be decided on its event.
func Refuse(reason string, at time.Time) Finish {
	return Finish{Status: Failed, Output: sdk.EngineOutput(sdk.Failure{Text: reason, Name: "Error", Engine: true}), At: at}
}
