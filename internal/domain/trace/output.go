package trace

import (
	"bytes"
	"encoding/json"
)

// Output is what went into a span and what came out, as clients see it. Spec 05 §7.4.
type Output struct {
	// Input is JSON, nil for none.
	Input json.RawMessage
	// Data is the result; nil when there is an Error, empty when there is nothing.
	Data  json.RawMessage
	Error *StepError
}

// StepError is the error that a step or a function ended with.
type StepError struct {
	Message, Name, Stack string
	// Cause is JSON, nil for none; a text when the error could not be read.
	Cause json.RawMessage
}

// ReadOutput reads what the rows of a span hold. In the new tree results are unwrapped whatever the span is; in the legacy tree only
// those of steps are, by their data or error.
func ReadOutput(input, output json.RawMessage, preview bool) Output {
	read := Output{Input: input, Data: json.RawMessage{}}
	if len(output) == 0 {
		return read
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(output, &members) != nil {
		read.Data = output
		return read
	}
	has := func(name string) bool { _, ok := members[name]; return ok }
	switch {
	case has("name") && has("data") && has("ts"): // an event that was waited for
		read.Data = output
	case has("error") && (preview || !has("data")):
		read.Data, read.Error = nil, readError(members["error"])
	case has("data"):
		read.Data = members["data"]
	default:
		read.Data = output
	}
	return read
}

// readError reads an error as SDKs write it.
func readError(raw json.RawMessage) *StepError {
	var known struct {
		Message string          `json:"message"`
		Name    string          `json:"name"`
		Stack   string          `json:"stack"`
		Cause   json.RawMessage `json:"cause"`
	}
	if json.Unmarshal(raw, &known) != nil {
		text, _ := json.Marshal(string(raw)) // a text: this cannot fail
		return &StepError{Stack: string(raw), Cause: text}
	}
	e := &StepError{Message: known.Message, Name: known.Name, Stack: known.Stack}
	if len(known.Cause) > 0 && !bytes.Equal(known.Cause, []byte("null")) {
		e.Cause = known.Cause
	}
	if e.Message == "" {
		e.Stack = string(raw)
	}
	return e
}

// RunResult is the value that a function returned, or the error that it ended with, of what is stored as a run's output: an op that
// completes a run holds it as its data.
func RunResult(output []byte) json.RawMessage {
	var ops []struct {
		Op   string          `json:"op"`
		Data json.RawMessage `json:"data"`
	}
	if len(output) > 0 && output[0] == '[' && json.Unmarshal(output, &ops) == nil && len(ops) == 1 && ops[0].Op == "RunComplete" {
		return ops[0].Data
	}
	return output
}
