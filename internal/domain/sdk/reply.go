// Package sdk is the protocol between the server and an app's SDK: how a call is written and signed, and what an
// answer means. It reads and writes bytes; who sends them is an adapter's matter.
//
// Source: spec 01 §2, §8, §10, §11; spec 02 §18.
package sdk

import (
	"encoding/json"
	"time"
)

// Response is what came back from an app, before anything is made of it.
type Response struct {
	// Status is the HTTP status, 0 when there was no response.
	Status int
	// Header holds the response headers by canonical name, first value only.
	Header map[string]string
	// Body is the decoded body, at most MaxResponseBytes.
	Body []byte
	// TooLarge is true when the body was longer than MaxResponseBytes.
	TooLarge bool
	// TransportError is the text of a failure to get a response, in the words of spec 01 §9; empty otherwise.
	TransportError string
	// Timing is where the time of the call went, zero when that is not known.
	Timing Timing
}

// Timing is where the time of a call went. What it is not opening a connection or reading the body is the app's.
type Timing struct {
	// Total is from before the first request of the call until the answer was read, or failed to come.
	Total time.Duration
	// DNS, TCP and TLS are what opening connections took, zero when a kept one was used.
	DNS, TCP, TLS time.Duration
	// Transfer is from the headers of the answer to the end of its body.
	Transfer time.Duration
}

// Reply is what an app's answer means.
type Reply struct {
	// Status is the HTTP status, taken out of a streaming wrapper (spec 01 §10.1).
	Status int
	// Header holds the headers of an answer that came in a streaming wrapper, by canonical name: those of the response, and over them those
	// in the wrapper. It is nil for any other answer.
	Header map[string]string
	// FromSDK is true when the answer carries X-Inngest-SDK.
	FromSDK bool
	// RequestVersion is the execution version that the SDK names; 0 when it names none.
	RequestVersion int
	// Ops is the list of ops of a 206 answer; never nil for a readable one.
	Ops []Op
	// Output is the function's result, or the error body of a failure, as JSON; nil when the body was empty, and when
	// there are ops.
	Output json.RawMessage
	// PlainText is true when the body was no JSON: Output is then the body as a JSON string.
	PlainText bool
	// Response is the answer of a durable endpoint to its client, when it is the answer to this call; nil otherwise.
	Response *HTTPResult
	// Failure is set when the attempt failed.
	Failure *Failure
	// RetryAt is the time that the app asked for with Retry-After, clamped; zero when it asked for none.
	RetryAt time.Time
}

// Failure is why an attempt failed.
type Failure struct {
	// Text is the attempt's error, for example "invalid status code: 500" or "NonRetriableError".
	Text string
	// Name is the standard error's name: "Error", or a code such as "output_too_large".
	Name string
	// Message explains a coded error; empty when Text says it all.
	Message string
	// Stack says more about an error of the server's own, such as a compiler's complaint; mostly empty.
	Stack string
	// Engine is true when the server made the error (transport, unreadable or oversize answer) and there is no output
	// of the app to show.
	Engine bool
	// NoRetry forbids another attempt.
	NoRetry bool
}

// Op is one thing that an app did or wants, from a 206 answer.
type Op struct {
	Op          Opcode
	ID          string
	Name        string
	DisplayName string
	// Opts is raw JSON, nil when absent or null.
	Opts json.RawMessage
	// Data is the step's output, nil when absent. A JSON null is the four bytes "null".
	Data json.RawMessage
	// Error is the step's error, nil when absent or null.
	Error *OpError
	// Mode is opts.parallelMode in lower case: "", "wait" or "race".
	Mode string
	// UserlandID and UserlandIndex are the ID as the user wrote it, and its repeat index.
	UserlandID    string
	UserlandIndex int
	// Metadata is what the app attaches to the step or its run, a JSON array (see package metadata); nil when absent.
	Metadata json.RawMessage
	// StartedAt and EndedAt are when the app worked on the step, by its own clock; zero when it does not say.
	StartedAt, EndedAt time.Time
}

// OpError is the error of a StepError or StepFailed op.
type OpError struct {
	Name    string
	Message string
	Stack   string
	Data    json.RawMessage
	Cause   json.RawMessage
	// NoRetry is what the answer's X-Inngest-No-Retry header says for StepError (spec 01 §10.3).
	NoRetry bool
}

// Opcode names an op. The values are the wire's, in the reference's spelling.
type Opcode string

// The opcodes of spec 01 §11.1.
const (
	OpNone             Opcode = "None"
	OpStep             Opcode = "Step"
	OpStepRun          Opcode = "StepRun"
	OpStepError        Opcode = "StepError"
	OpStepFailed       Opcode = "StepFailed"
	OpStepPlanned      Opcode = "StepPlanned"
	OpStepNotFound     Opcode = "StepNotFound"
	OpSleep            Opcode = "Sleep"
	OpWaitForEvent     Opcode = "WaitForEvent"
	OpWaitForSignal    Opcode = "WaitForSignal"
	OpInvokeFunction   Opcode = "InvokeFunction"
	OpAIGateway        Opcode = "AIGateway"
	OpGateway          Opcode = "Gateway"
	OpRunComplete      Opcode = "RunComplete"
	OpSyncRunComplete  Opcode = "SyncRunComplete"
	OpDiscoveryRequest Opcode = "DiscoveryRequest"
	OpDeferAdd         Opcode = "DeferAdd"
	OpDeferAbort       Opcode = "DeferAbort"
)
