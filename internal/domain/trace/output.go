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
	// Message is empty when the error says none; then Stack is the error's own JSON.
	Message string
	// Name and Stack are nil when the error does not have them, which is not the same as empty.
	Name, Stack *string
	// Cause is JSON, nil for none.
	Cause json.RawMessage
}

// ReadOutput reads what the rows of a span hold, as its ID says. In the new tree results are unwrapped whatever the span is; in the legacy
// tree a result that has the member error is still one, and some are not unwrapped. Spec 05 §7.4.
func ReadOutput(input, output json.RawMessage, of OutputID) Output {
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
	case has("error") && (of.Preview || !has("data")):
		read.Data, read.Error = nil, readError(members["error"])
	case has("data") && !of.Wrapped:
		read.Data = members["data"]
	default:
		read.Data = output
	}
	return read
}

// readError reads an error as SDKs write it. What is not an object, or has no message, is all stack.
func readError(raw json.RawMessage) *StepError {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // else there are none
	text := func(name string) *string {
		var text *string
		if json.Unmarshal(members[name], &text) != nil {
			return nil
		}
		return text
	}
	e := &StepError{Name: text("name"), Stack: text("stack")}
	if cause := members["cause"]; len(cause) > 0 && !bytes.Equal(cause, []byte("null")) {
		e.Cause = cause
	}
	if message := text("message"); message != nil {
		e.Message = *message
	}
	if e.Message == "" {
		whole := string(raw)
		e.Stack = &whole
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
