package sdk

import (
	"bytes"
	"encoding/json"
	"strings"
)

// StdError is an error as lifecycle events and run outputs show it. In JSON: error, name, message, and stack and cause
// when there are any, in this order. Source: spec 02 §18.
type StdError struct {
	Error   string
	Name    string
	Message string
	Stack   string
	// Cause is raw JSON, nil when there is none.
	Cause json.RawMessage
}

const defaultErrorText = "Function execution error"

// maxNestedError bounds the text that is searched for an error inside an error.
const maxNestedError = 32 << 10

// StandardError makes a standard error of the output of a failed attempt: of the object in its member error or body, of
// the object itself, or of a text, which becomes the message. What the output does not say is attemptText.
func StandardError(output json.RawMessage, attemptText string) StdError {
	result := StdError{Error: defaultErrorText, Name: defaultErrorName, Message: defaultErrorText}
	output = bytes.TrimSpace(output)
	switch {
	case len(output) == 0:
	case !valid(output):
		result.Message = string(output)
	case output[0] == '{':
		result.take(innermost(output))
	case output[0] == '"':
		if text := unquote(output); text != "" {
			result.Message = text
		}
	}
	if result.Error == defaultErrorText {
		result.Error = attemptText
	}
	if result.Message == defaultErrorText {
		result.Message = attemptText
	}
	return result
}

// StandardError is the error of a failed reply as lifecycle events show it, the zero StdError when it did not fail.
//
// It knows two things more than the function: an error of the server's own is quoted as JSON in the message (spec 02
// §17.1), and an app's answer that is a JSON string, unlike one that is plain text, does not become the message.
func (r Reply) StandardError() StdError {
	if r.Failure == nil {
		return StdError{}
	}
	if r.Failure.Engine {
		return StdError{Error: r.Failure.Text, Name: defaultErrorName, Message: string(EngineOutput(*r.Failure))}
	}
	output := r.Output
	if !r.PlainText && len(output) > 0 && output[0] == '"' {
		output = nil
	}
	return StandardError(output, r.Failure.Text)
}

// innermost returns the object in an object's member error, else body, else the object.
func innermost(object json.RawMessage) json.RawMessage {
	var inError, inBody json.RawMessage
	_ = eachMember(object, func(name string, value json.RawMessage) error {
		switch name {
		case "error":
			inError = value
		case "body":
			inBody = value
		}
		return nil
	})
	for _, member := range []json.RawMessage{inError, inBody} {
		if inner := nestedObject(member); inner != nil {
			return inner
		}
	}
	return object
}

// nestedObject returns raw when it is an object, or the object in a string, quoted once or twice.
func nestedObject(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	if raw[0] == '{' {
		return raw
	}
	if raw[0] != '"' || len(raw) > maxNestedError {
		return nil
	}
	if object := quotedObject(raw); object != nil {
		return object
	}
	if inner := json.RawMessage(unquote(raw)); valid(inner) {
		return quotedObject(bytes.TrimSpace(inner))
	}
	return nil
}

// take fills in what an object says.
func (e *StdError) take(object json.RawMessage) {
	_ = eachMember(object, func(name string, value json.RawMessage) error {
		if name == "cause" {
			e.Cause = notNull(value)
			return nil
		}
		if value[0] != '"' {
			return nil
		}
		text := unquote(value)
		if text == "" {
			return nil
		}
		switch name {
		case "error":
			e.Error = text
		case "name":
			e.Name = text
		case "message":
			e.Message = text
		case "stack":
			e.Stack = text
		}
		return nil
	})
}

// MarshalJSON writes the error in its fixed order.
func (e StdError) MarshalJSON() ([]byte, error) {
	return e.AppendJSON(nil), nil
}

// AppendJSON appends the error in its fixed order, without escapes that only HTML needs.
func (e StdError) AppendJSON(dst []byte) []byte {
	return e.appendObject(dst, appendString)
}

func (e StdError) appendObject(dst []byte, text func(dst []byte, text string) []byte) []byte {
	dst = append(dst, `{"error":`...)
	dst = text(dst, e.Error)
	dst = append(dst, `,"name":`...)
	dst = text(dst, e.Name)
	dst = append(dst, `,"message":`...)
	dst = text(dst, e.Message)
	if e.Stack != "" {
		dst = append(dst, `,"stack":`...)
		dst = text(dst, e.Stack)
	}
	if len(e.Cause) > 0 {
		dst = append(dst, `,"cause":`...)
		dst = append(dst, e.Cause...)
	}
	return append(dst, '}')
}

// EngineOutput is the output of a run that the server itself failed: {"error":{…}}, with <, > and & escaped as the
// reference does. A coded error, whose Text is its Name, is introduced by its code. Source: spec 01 §9, §10.6; 02 §18.
func EngineOutput(f Failure) json.RawMessage {
	shown := StdError{Error: f.Text, Name: f.Name, Message: f.Message, Stack: f.Stack}
	if shown.Name == "" {
		shown.Name = defaultErrorName
	}
	switch {
	case f.Message == "":
		shown.Message = f.Text
	case f.Text == shown.Name:
		shown.Error = shown.Name + ": " + f.Message
	}
	dst := append([]byte(nil), `{"error":`...)
	return append(shown.appendObject(dst, appendHTML), '}')
}

// appendHTML appends a text as Go's JSON encoder writes it: safe inside of HTML and JavaScript.
func appendHTML(dst []byte, text string) []byte {
	encoded, _ := json.Marshal(strings.ToValidUTF8(text, "\uFFFD")) // a string can always be encoded
	return append(dst, encoded...)
}
