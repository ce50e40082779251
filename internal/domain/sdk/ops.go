package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	errNoData    = errors.New("no response data")
	errNoOps     = errors.New("expected JSON object or array")
	errNullOp    = errors.New("opcode cannot be null")
	errInputSize = errors.New("step input size is greater than the limit")
	errDataSize  = errors.New("step output size is greater than the limit")
)

// opcodes finds an opcode by its name in lower case.
var opcodes = func() map[string]Opcode {
	byName := map[string]Opcode{}
	for _, code := range []Opcode{
		OpNone, OpStep, OpStepRun, OpStepError, OpStepFailed, OpStepPlanned, OpStepNotFound, OpSleep, OpWaitForEvent,
		OpWaitForSignal, OpInvokeFunction, OpAIGateway, OpGateway, OpRunComplete, OpSyncRunComplete, OpDiscoveryRequest,
		OpDeferAdd, OpDeferAbort,
	} {
		byName[strings.ToLower(string(code))] = code
	}
	return byName
}()

// parseOps reads the body of a 206 answer: an array of ops, or one op. The result is never empty: an empty array is
// one None. The ops share the body's memory. Source: spec 01 §11.1.
func parseOps(body []byte) ([]Op, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, errNoData
	}
	if body[0] != '[' && body[0] != '{' {
		return nil, readingOps(errNoOps)
	}
	if !valid(body) {
		// The decoder that the reference has finds the words that its users know.
		return nil, readingOps(json.Unmarshal(body, new(json.RawMessage)))
	}
	ops := make([]Op, 0, 1)
	err := eachElement(body, func(index int, raw json.RawMessage) error {
		op, err := parseOp(index, raw)
		if err == nil {
			ops = append(ops, op)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(ops) == 0 {
		ops = append(ops, Op{Op: OpNone})
	}
	return ops, nil
}

func readingOps(err error) error {
	return fmt.Errorf("error reading generator opcode response: %w", err)
}

// parseOp reads one op and checks its sizes.
func parseOp(index int, raw json.RawMessage) (Op, error) {
	if isNull(raw) {
		return Op{}, fmt.Errorf("error validating generator opcode %d: %w", index, errNullOp)
	}
	op := Op{Op: OpNone}
	if err := op.parse(raw); err != nil {
		return Op{}, readingOps(err)
	}
	if len(op.Opts) > MaxStepBytes && len(op.option("input")) > MaxStepBytes {
		return Op{}, &SizeError{Op: op.ID, Text: errInputSize.Error()}
	}
	if len(op.Data) > MaxStepBytes {
		return Op{}, &SizeError{Op: op.ID, Text: errDataSize.Error()}
	}
	return op, nil
}

func (op *Op) parse(raw json.RawMessage) error {
	if raw[0] != '{' {
		return errNoOps
	}
	err := eachMember(raw, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "op":
			op.Op, err = parseOpcode(value)
		case "id":
			op.ID, err = parseText(name, value)
		case "name":
			op.Name, err = parseText(name, value)
		case "displayName":
			op.DisplayName, err = parseText(name, value)
		case "opts":
			op.Opts = notNull(value)
		case "data":
			op.Data = value
		case "error":
			op.Error, err = parseOpError(value)
		case "userland":
			err = op.parseUserland(value)
		case "metadata":
			op.Metadata = notNull(value)
		case "timing":
			op.parseTiming(value)
		}
		return err
	})
	if err != nil {
		return err
	}
	if bytes.Contains(op.Opts, []byte(`"parallelMode"`)) {
		switch mode := strings.ToLower(textOf(op.option("parallelMode"))); mode {
		case "wait", "race":
			op.Mode = mode
		}
	}
	return nil
}

// parseTiming reads {"a":<start>,"b":<duration>}, both in nanoseconds. It is for people to look at, so what cannot be read is left out.
func (op *Op) parseTiming(value json.RawMessage) {
	var timing struct {
		A, B int64
	}
	if json.Unmarshal(value, &timing) == nil && timing.A > 0 && timing.B >= 0 {
		op.StartedAt = time.Unix(0, timing.A).UTC()
		op.EndedAt = op.StartedAt.Add(time.Duration(timing.B))
	}
}

func parseOpcode(value json.RawMessage) (Opcode, error) {
	if isNull(value) {
		return OpNone, nil
	}
	if value[0] != '"' {
		return "", fmt.Errorf("Opcode should be a string, got %s", value)
	}
	text := unquote(value)
	code, known := opcodes[strings.ToLower(text)]
	if !known {
		return "", fmt.Errorf("%s does not belong to Opcode values", text)
	}
	return code, nil
}

func parseText(name string, value json.RawMessage) (string, error) {
	if isNull(value) {
		return "", nil
	}
	if value[0] != '"' {
		return "", fmt.Errorf("member %q is not a string", name)
	}
	return unquote(value), nil
}

func parseOpError(value json.RawMessage) (*OpError, error) {
	if isNull(value) {
		return nil, nil //nolint:nilnil // no error is what was read
	}
	if value[0] != '{' {
		return nil, errors.New(`member "error" is not an object`)
	}
	failed := &OpError{}
	err := eachMember(value, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "name":
			failed.Name, err = parseText(name, value)
		case "message":
			failed.Message, err = parseText(name, value)
		case "stack":
			failed.Stack, err = parseText(name, value)
		case "data":
			failed.Data = value
		case "cause":
			failed.Cause = value
		case "noRetry":
			failed.NoRetry = string(value) == "true"
		}
		return err
	})
	return failed, err
}

// parseUserland reads the ID that the user wrote. It serves people, so what cannot be read is left out.
func (op *Op) parseUserland(value json.RawMessage) error {
	if value[0] != '{' {
		return nil
	}
	return eachMember(value, func(name string, value json.RawMessage) error {
		switch {
		case name == "id" && value[0] == '"':
			op.UserlandID = unquote(value)
		case name == "index":
			var index int
			if json.Unmarshal(value, &index) == nil {
				op.UserlandIndex = index
			}
		}
		return nil
	})
}

// About is what opts says of a step for people to see: the kind that the SDK gives it, such as "step.ai.wrap", and its
// arguments, or what it asks a model, a raw JSON value; empty what is absent.
func (op *Op) About() (kind string, input json.RawMessage) {
	if len(op.Opts) == 0 || op.Opts[0] != '{' {
		return "", nil
	}
	var body json.RawMessage
	_ = eachMember(op.Opts, func(name string, value json.RawMessage) error {
		switch name {
		case "type":
			kind = textOf(value)
		case "input":
			input = notNull(value)
		case "body":
			if op.Op == OpAIGateway {
				body = notNull(value)
			}
		}
		return nil
	})
	if input == nil {
		input = body
	}
	return kind, input
}

// option returns a member of opts as raw JSON, nil when there is none.
func (op *Op) option(want string) json.RawMessage {
	var found json.RawMessage
	if len(op.Opts) > 0 && op.Opts[0] == '{' {
		_ = eachMember(op.Opts, func(name string, value json.RawMessage) error {
			if name == want {
				found = value
			}
			return nil
		})
	}
	return found
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

func notNull(raw json.RawMessage) json.RawMessage {
	if isNull(raw) {
		return nil
	}
	return raw
}

// eachElement calls visit for the elements of an array, or once for anything else. The JSON must be valid.
func eachElement(raw json.RawMessage, visit func(index int, raw json.RawMessage) error) error {
	if raw[0] != '[' {
		return visit(0, raw)
	}
	decoder := newDecoder(raw)
	_, _ = decoder.ReadToken()
	for index := 0; decoder.PeekKind() != ']'; index++ {
		if err := visit(index, nextValue(decoder, raw)); err != nil {
			return err
		}
	}
	return nil
}

// eachMember calls visit for the members of an object in order. The JSON must be a valid object.
func eachMember(raw json.RawMessage, visit func(name string, value json.RawMessage) error) error {
	decoder := newDecoder(raw)
	_, _ = decoder.ReadToken()
	for decoder.PeekKind() != '}' {
		token, _ := decoder.ReadToken()
		name := token.String()
		if err := visit(name, nextValue(decoder, raw)); err != nil {
			return err
		}
	}
	return nil
}

func newDecoder(raw json.RawMessage) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true))
}

// nextValue returns the next value as a piece of raw, which the decoder reads.
func nextValue(decoder *jsontext.Decoder, raw json.RawMessage) json.RawMessage {
	value, _ := decoder.ReadValue()
	end := int(decoder.InputOffset())
	return raw[end-len(value) : end : end]
}

// ParseOps reads a list of ops that does not come in an answer, as that of a checkpoint; none is fine. The error of an op
// whose input or output is too large is a *SizeError.
func ParseOps(list json.RawMessage) ([]Op, error) {
	if len(list) == 0 || isNull(list) || string(bytes.TrimSpace(list)) == "[]" {
		return nil, nil
	}
	return parseOps(list)
}

// SizeError says that the input or the output of a step is larger than a step may have.
type SizeError struct{ Op, Text string }

func (e *SizeError) Error() string {
	return "error validating generator opcode " + e.Op + ": " + e.Text
}
