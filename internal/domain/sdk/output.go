package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// ParseOutput makes JSON of a body: nil of an empty one, the body itself when it is JSON, the object inside of a JSON
// string that holds one, and a JSON string of anything else, in which case plainText is true. Source: spec 01 §10.4.
func ParseOutput(body []byte) (output json.RawMessage, plainText bool) {
	trimmed := json.RawMessage(bytes.TrimSpace(body))
	if len(trimmed) == 0 {
		return nil, false
	}
	if !valid(trimmed) {
		return quote(string(body)), true
	}
	if object := quotedObject(trimmed); object != nil {
		return object, false
	}
	return trimmed, false
}

// quotedObject returns the object that a valid JSON string holds, nil when it holds none.
func quotedObject(raw json.RawMessage) json.RawMessage {
	const shortest = `"{}"`
	if len(raw) < len(shortest) || raw[0] != '"' {
		return nil
	}
	inner := bytes.TrimSpace([]byte(unquote(raw)))
	if len(inner) == 0 || inner[0] != '{' || !valid(inner) {
		return nil
	}
	return inner
}

// upstreamExplanation opens the stack of an upstreamError.
const upstreamExplanation = "No step output was produced before the request failed — this can mean a proxy or load balancer in front of " +
	"your app returned an error, or your app was unable to respond."

// upstreamError is the output of a failure that something in front of the app reported. Source: spec 01 §10.5.
func upstreamError(status int, contentType string, body []byte) json.RawMessage {
	const maxQuoted = 8192
	stack := upstreamExplanation
	if len(body) > 0 {
		if contentType == "" {
			contentType = "unknown content-type"
		}
		end := ""
		if len(body) > maxQuoted {
			body, end = body[:maxQuoted], "\n… (truncated)"
		}
		stack += fmt.Sprintf("\n\nUpstream response (%s):\n%s%s", contentType, body, end)
	}
	text := fmt.Sprintf("Your server returned HTTP %d before the SDK responded.", status)
	return StdError{Error: text, Name: "Server returned a fatal error", Message: text, Stack: stack}.appendObject(nil, appendHTML)
}
