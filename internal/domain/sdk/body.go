package sdk

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// maxGoCallBytes is what an app of the Go SDK reads. It cannot fetch what a trimmed call leaves out, and would run all
// steps again, so it gets everything that it can take (spec 01 §8.5, §14 #29).
const maxGoCallBytes = 100 << 20

// languageGo names the Go SDK as its apps register it.
const languageGo = "go"

// trimMargin is how far the state must stay below the limit of the call's body.
const trimMargin = 1024

// CallInput is all that the body of a call says. Raw JSON is copied into the body as it is.
type CallInput struct {
	RunID      ulid.ULID
	FunctionID uuid.UUID
	// StepID is the function's step, always "step"; the targeted op is in the URL.
	StepID string
	// JobID is the hashed job ID. It, RequestID and GenerationID are left out when empty.
	JobID        string
	RequestID    string
	GenerationID int
	// Attempt counts from zero.
	Attempt, MaxAttempts      int
	DisableImmediateExecution bool
	RequestVersion            int
	// Stack lists the memoised op IDs in order; Current is 1 + the index of the last one that led here, or 0.
	Stack   []string
	Current int
	// Steps holds the memo of every ID in Stack. Other IDs are left out.
	Steps map[string]json.RawMessage
	// Inputs holds memos of the form {"input":[…]} for ops that have not run yet.
	Inputs map[string]json.RawMessage
	// Defers says of every deferred run, by op ID, whether it may still be aborted.
	Defers map[string]bool
	// Event is the first of Events, each as the app shall see it.
	Event  json.RawMessage
	Events []json.RawMessage
	// Language is the app's SDK, as "js", "py" or "go"; empty when it is not known.
	Language string
}

// MismatchError says that an op is on the run's stack but not among its steps.
type MismatchError struct{ ID string }

// Error is the text that users see.
func (e *MismatchError) Error() string {
	return "state and stack mismatch: " + e.ID + " not found in state; the function has probably ended"
}

// part says what a body leaves out.
type part int

const (
	everything part = iota
	withoutSteps
	withoutStepsAndEvents
)

// AppendBody appends the body of a call: JSON with sorted keys, without a newline at the end. A body that would be too
// large leaves out the steps, then the events too, and tells the app to fetch them (use_api). An op of the stack that
// has no memo is a *MismatchError. Source: spec 01 §8.3, §8.4.
func AppendBody(dst []byte, in CallInput) ([]byte, error) {
	limit := MaxCallBytes
	if in.Language == languageGo {
		limit = maxGoCallBytes
	}
	take := everything
	if in.stateSize() > limit-trimMargin {
		take = withoutSteps
	} else if id, missing := in.missingStep(); missing {
		return dst, &MismatchError{ID: id}
	}
	start := len(dst)
	dst = in.append(dst, take)
	if len(dst)-start > limit {
		dst = in.append(dst[:start], withoutStepsAndEvents)
	}
	return dst, nil
}

// stateSize is what the events and the steps weigh.
func (in *CallInput) stateSize() int {
	size := 0
	for _, event := range in.Events {
		size += len(event)
	}
	for _, id := range in.Stack {
		size += len(in.Steps[id])
	}
	return size
}

func (in *CallInput) missingStep() (id string, missing bool) {
	for _, id := range in.Stack {
		if _, ok := in.Steps[id]; !ok {
			return id, true
		}
	}
	return "", false
}

func (in *CallInput) append(dst []byte, take part) []byte {
	useAPI := take != everything
	dst = append(dst, `{"ctx":`...)
	dst = in.appendContext(dst, useAPI)
	dst = append(dst, `,"defers":`...)
	dst = appendDefers(dst, in.Defers)
	dst = append(dst, `,"event":`...)
	dst = append(dst, in.Event...)
	dst = append(dst, `,"events":`...)
	if take == withoutStepsAndEvents {
		dst = append(dst, "[]"...)
	} else {
		dst = appendList(dst, in.Events)
	}
	dst = append(dst, `,"steps":`...)
	if useAPI {
		dst = append(dst, "{}"...)
	} else {
		dst = appendSteps(dst, in.Stack, in.Steps, in.Inputs)
	}
	dst = append(dst, `,"use_api":`...)
	dst = strconv.AppendBool(dst, useAPI)
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendInt(dst, int64(in.RequestVersion), 10)
	return append(dst, '}')
}

func (in *CallInput) appendContext(dst []byte, useAPI bool) []byte {
	dst = append(dst, `{"attempt":`...)
	dst = strconv.AppendInt(dst, int64(in.Attempt), 10)
	dst = append(dst, `,"disable_immediate_execution":`...)
	dst = strconv.AppendBool(dst, in.DisableImmediateExecution)
	dst = append(dst, `,"env":"","fn_id":"`...)
	dst = appendUUID(dst, in.FunctionID)
	dst = append(dst, '"')
	if in.GenerationID != 0 {
		dst = append(dst, `,"generation_id":`...)
		dst = strconv.AppendInt(dst, int64(in.GenerationID), 10)
	}
	if in.JobID != "" {
		dst = append(dst, `,"job_id":`...)
		dst = appendString(dst, in.JobID)
	}
	dst = append(dst, `,"max_attempts":`...)
	dst = strconv.AppendInt(dst, int64(in.MaxAttempts), 10)
	dst = append(dst, `,"qi_id":"`...)
	dst = appendQueueItemID(dst, in.JobID)
	dst = append(dst, '"')
	if in.RequestID != "" {
		dst = append(dst, `,"request_id":`...)
		dst = appendString(dst, in.RequestID)
	}
	dst = append(dst, `,"run_id":"`...)
	dst = appendULID(dst, in.RunID)
	dst = append(dst, `","stack":{"current":`...)
	dst = strconv.AppendInt(dst, int64(in.Current), 10)
	dst = append(dst, `,"stack":[`...)
	for i, id := range in.Stack {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, id)
	}
	dst = append(dst, `]},"step_id":`...)
	dst = appendString(dst, in.StepID)
	dst = append(dst, `,"use_api":`...)
	dst = strconv.AppendBool(dst, useAPI)
	return append(dst, '}')
}

// queueOfItem ends the text of a queue item ID: the shard that the reference's only queue is called.
const queueOfItem = "::default"

// appendQueueItemID appends the ID by which the app names the job in a checkpoint; nothing for no job.
func appendQueueItemID(dst []byte, jobID string) []byte {
	if jobID == "" {
		return dst
	}
	var buffer [64]byte
	text := append(buffer[:0], jobID...)
	text = append(text, queueOfItem...)
	return base64.StdEncoding.AppendEncode(dst, text)
}

// QueueItemID is the opaque text (qi_id) by which an app names a job: base64 of "<job ID>::default".
func QueueItemID(jobID string) string {
	return string(appendQueueItemID(nil, jobID))
}

// ParseQueueItemID returns the job ID in a queue item ID.
func ParseQueueItemID(id string) (jobID string, err error) {
	text, err := base64.StdEncoding.DecodeString(id)
	if err != nil {
		return "", fmt.Errorf("read queue item ID %q: %w", id, err)
	}
	end := len(text) - len(queueOfItem)
	if end < 1 || string(text[end:]) != queueOfItem {
		return "", fmt.Errorf("read queue item ID %q: it names no job", id)
	}
	return string(text[:end]), nil
}

func appendUUID(dst []byte, id uuid.UUID) []byte {
	for _, group := range [...][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if group[0] > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[group[0]:group[1]])
	}
	return dst
}

func appendULID(dst []byte, id ulid.ULID) []byte {
	dst = append(dst, "00000000000000000000000000"...)
	_ = id.MarshalTextTo(dst[len(dst)-ulid.EncodedSize:]) // the size is right, which is all that can fail
	return dst
}

func appendDefers(dst []byte, defers map[string]bool) []byte {
	dst = append(dst, '{')
	if len(defers) > 0 {
		for i, id := range sortedKeys(defers) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, id)
			dst = append(dst, `:{"abortable":`...)
			dst = strconv.AppendBool(dst, defers[id])
			dst = append(dst, '}')
		}
	}
	return append(dst, '}')
}

func sortedKeys[V any](values map[string]V) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// appendList appends raw values as an array.
func appendList(dst []byte, values []json.RawMessage) []byte {
	dst = append(dst, '[')
	for i, value := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, value...)
	}
	return append(dst, ']')
}

// appendSteps appends the memos of a stack, and the inputs of ops that are not on it, as an object with sorted keys.
func appendSteps(dst []byte, stack []string, steps, inputs map[string]json.RawMessage) []byte {
	dst = append(dst, '{')
	if len(stack)+len(inputs) > 0 {
		ids := make([]string, 0, len(stack)+len(inputs))
		ids = append(ids, stack...)
		for id := range inputs {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		first := true
		for _, id := range ids {
			memo, ok := steps[id]
			if !ok {
				memo, ok = inputs[id]
			}
			if !ok {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendString(dst, id)
			dst = append(dst, ':')
			dst = append(dst, memo...)
		}
	}
	return append(dst, '}')
}

// AppendActions appends the answer to GET /v0/runs/{id}/actions: the memos of a stack and the inputs by op ID, with
// sorted keys and a newline at the end. An ID without a memo is left out. Source: spec 01 §8.5.
func AppendActions(dst []byte, stack []string, steps, inputs map[string]json.RawMessage) []byte {
	return append(appendSteps(dst, stack, steps, inputs), '\n')
}
