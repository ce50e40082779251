package trace

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// OutputID says where the input and the output of a span are. Spec 05 §7.4.
type OutputID struct {
	App, Function uuid.UUID
	Run           ulid.ULID
	// Trace is set by the legacy tree only.
	Trace string
	// Span is the row that holds the output, Input the one that holds the input; empty for none.
	Span, Input string
	// Preview says that the output is shown as the new tree does.
	Preview bool
	// Wrapped says that the legacy tree shows the result as it is stored, in the member data of an object.
	Wrapped bool
}

// outputID is the text's content: members and their order are those of the reference.
type outputID struct {
	Account     uuid.UUID `json:"acctID"`
	Environment uuid.UUID `json:"wsID"`
	App         uuid.UUID `json:"appID"`
	Function    uuid.UUID `json:"fnID"`
	Trace       string    `json:"tid"`
	Span        string    `json:"sid"`
	Run         string    `json:"rid,omitempty"`
	Preview     *bool     `json:"preview,omitempty"`
	Wrapped     bool      `json:"wrapped,omitempty"` // not one of the reference's
	Input       string    `json:"in_sid,omitempty"`
}

// String is the ID as clients get it.
func (o OutputID) String() string {
	content := outputID{App: o.App, Function: o.Function, Trace: o.Trace, Span: o.Span, Input: o.Input, Wrapped: o.Wrapped}
	if !o.Run.IsZero() {
		content.Run = o.Run.String()
	}
	if o.Preview {
		content.Preview = &o.Preview
	}
	text, _ := json.Marshal(content) // texts, UUIDs and a bool: this cannot fail
	return base64.StdEncoding.EncodeToString(text)
}

// Errors of an output ID that names nothing.
var (
	ErrNoOutputSpan = errors.New("span ID or input span ID is required to retrieve output")
	ErrNoOutputRun  = errors.New("run ID is required to retrieve span output")
)

// ParseOutputID reads an ID. An error of the text says "error parsing span identifier: …"; the others are ErrNoOutputSpan and
// ErrNoOutputRun, as there is no output without a run and a row.
func ParseOutputID(text string) (OutputID, error) {
	fault := func(err error) (OutputID, error) {
		return OutputID{}, fmt.Errorf("error parsing span identifier: %w", err)
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fault(err)
	}
	var content outputID
	if err := json.Unmarshal(decoded, &content); err != nil {
		return fault(err)
	}
	o := OutputID{
		App: content.App, Function: content.Function, Trace: content.Trace, Span: content.Span, Input: content.Input,
		Preview: content.Preview != nil && *content.Preview, Wrapped: content.Wrapped,
	}
	switch {
	case o.Span == "" && o.Input == "":
		return OutputID{}, ErrNoOutputSpan
	case content.Run == "":
		return OutputID{}, ErrNoOutputRun
	}
	if o.Run, err = ulid.ParseStrict(content.Run); err != nil {
		return fault(err)
	}
	return o, nil
}
