package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Limits of the protocol, in bytes (spec 01 §1).
const (
	MaxCallBytes     = 4 << 20
	MaxStepBytes     = 4 << 20
	MaxResponseBytes = 8 << 20
)

// The error texts that users, and the tests of SDKs, look for.
const (
	textNotSDK       = "The response did not come from an Inngest SDK"
	textNonRetriable = "NonRetriableError"
	textTooLarge     = "Your function's response body exceeds the maximum size limit"
	codeTooLarge     = "output_too_large"
	defaultErrorName = "Error"
)

const (
	statusStream = 201
	statusOps    = 206
)

// Interpret says what an app's answer means at the time now. It never fails: an unreadable answer is a failed attempt.
//
// A Reply without a Failure has either Ops (status 206) or the function's Output. The reply keeps pieces of the
// response's body, so the body must not be used for anything else afterwards.
//
// A successful answer stays one whatever its retry headers say. Source: spec 01 §10, §11.1, §14 #12.
func Interpret(resp Response, now time.Time) Reply {
	if resp.TransportError != "" {
		return Reply{Status: resp.Status, Failure: &Failure{Text: resp.TransportError, Name: defaultErrorName, Engine: true}}
	}
	answer := answer{status: resp.Status, header: resp.Header, body: resp.Body}
	if !utf8.Valid(answer.body) {
		// Pieces of the body travel on inside other JSON, where half a character would spoil the whole.
		answer.body = bytes.ToValidUTF8(answer.body, []byte("\uFFFD"))
	}
	var streamErr error
	if resp.Status == statusStream && !resp.TooLarge {
		answer, streamErr = answer.unwrap()
	}

	reply := Reply{
		Status:         answer.status,
		FromSDK:        answer.fromSDK(),
		RequestVersion: answer.requestVersion(),
	}
	if resp.Status == statusStream && !resp.TooLarge && streamErr == nil {
		reply.Header = answer.header
	}
	switch {
	case resp.TooLarge:
		reply.Failure = &Failure{Text: codeTooLarge, Name: codeTooLarge, Message: textTooLarge, Engine: true}
	case streamErr != nil:
		reply.Failure = engineFailure(streamErr)
	case answer.status == statusOps:
		answer.readOps(&reply)
	default:
		answer.readOutput(&reply)
	}

	if reply.Failure != nil {
		reply.Failure.NoRetry = answer.noRetry()
		if reply.Failure.NoRetry && !reply.Failure.Engine && answer.status != statusOps {
			reply.Failure.Text = textNonRetriable
		}
	}
	if reply.Failure != nil || reply.Ops != nil {
		reply.RetryAt = ParseRetryAfter(answer.header[headerRetryAfter], now)
	}
	return reply
}

func engineFailure(err error) *Failure {
	return &Failure{Text: err.Error(), Name: defaultErrorName, Engine: true}
}

// answer is a response that was received in full, with its streaming wrapper taken off.
type answer struct {
	status int
	header map[string]string
	body   []byte
}

// streamWrapper is the body of a 201 answer: the real answer, sent after the status line had to be.
type streamWrapper struct {
	Status  int                        `json:"status"`
	Headers map[string]json.RawMessage `json:"headers"`
	Body    json.RawMessage            `json:"body"`
	Error   json.RawMessage            `json:"error"`
}

// unwrap takes the streaming wrapper off (spec 01 §10.1). On error the answer is returned as it was.
func (a answer) unwrap() (answer, error) {
	var inner streamWrapper
	if err := json.Unmarshal(a.body, &inner); err != nil {
		return a, fmt.Errorf("error parsing stream: error reading response body to check for status code: %w", err)
	}
	if text := textOf(inner.Error); text != "" {
		return a, fmt.Errorf("error parsing stream: %s", text)
	}
	header := make(map[string]string, len(a.header)+len(inner.Headers))
	for name, value := range a.header {
		header[name] = value
	}
	for name, value := range inner.Headers {
		header[CanonicalName(name)] = textOf(value)
	}
	body := []byte(inner.Body)
	if len(body) > 0 && body[0] == '"' {
		// SDKs encode their answer before they know that it will be wrapped.
		body = []byte(textOf(inner.Body))
	}
	return answer{status: inner.Status, header: header, body: body}, nil
}

// textOf returns a JSON string's content, nothing for null, and the JSON itself for anything else.
func textOf(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if raw[0] != '"' {
		return string(raw)
	}
	return unquote(raw)
}

func (a answer) fromSDK() bool { return a.header[headerSDK] != "" }

func (a answer) requestVersion() int {
	version, err := strconv.Atoi(a.header[headerReqVersion])
	if err != nil {
		return 0
	}
	return version
}

func (a answer) readOps(reply *Reply) {
	ops, err := parseOps(a.body)
	if err != nil {
		reply.Failure = engineFailure(err)
		return
	}
	if !reply.FromSDK {
		reply.Failure = &Failure{Text: textNotSDK, Name: defaultErrorName}
		reply.Output, reply.PlainText = ParseOutput(a.body)
		return
	}
	noRetry := a.noRetry()
	for i := range ops {
		if ops[i].Op == OpStepError && ops[i].Error != nil {
			// What the op says of itself has no weight: absent means retry.
			ops[i].Error.NoRetry = noRetry
		}
	}
	reply.Ops = ops
}

func (a answer) readOutput(reply *Reply) {
	reply.Output, reply.PlainText = ParseOutput(a.body)
	success := a.status >= 200 && a.status <= 299
	switch {
	case success && reply.FromSDK:
		return
	case success:
		reply.Failure = &Failure{Text: textNotSDK, Name: defaultErrorName}
		return
	}
	text := "invalid status code: " + strconv.Itoa(a.status)
	reply.Failure = &Failure{Text: text, Name: defaultErrorName}
	switch {
	case !reply.FromSDK:
		reply.Output, reply.PlainText = upstreamError(a.status, a.header[headerContentType], a.body), false
	case reply.Output == nil:
		reply.Output, reply.PlainText = quote(text), true
	}
}
