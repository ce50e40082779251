package trace

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// Span is a row of the table spans. Spec 15 §3.10, §8.1.
type Span struct {
	Run           ulid.ULID
	App, Function uuid.UUID
	// Trace is 32 lowercase hex digits; the other IDs are 16.
	Trace string
	// ID is the row's own: with Trace it is unique.
	ID string
	// Parent is the ID or the Dynamic of the span above, NoParent for a run.
	Parent string
	// Dynamic is shared by the rows of one span. It is unique in a run, not beyond.
	Dynamic string
	Name    string
	// Start and End are the instants of the row. When the span itself began and ended is in the attributes.
	Start, End time.Time
	// Status is empty for a row that says nothing of it.
	Status Status
	// Attributes is a JSON object of Key… members, empty for none. Times are strings of milliseconds since the epoch.
	Attributes json.RawMessage
	// Input and Output are JSON texts; nil for none, and in rows that are read without them, which say by HasInput and HasOutput that
	// they are there.
	Input, Output       json.RawMessage
	HasInput, HasOutput bool
	// EventIDs are those that started the run, of a run's first row only.
	EventIDs []ulid.ULID
	// Deferred says that another run started this one when it ended.
	Deferred bool
}

// NoParent is the parent of a run's span.
const NoParent = "0000000000000000"

// Names of spans. Spec 15 §8.2.
const (
	NameRun       = "executor.run"
	NameDiscovery = "executor.step.discovery"
	NameExecution = "executor.execution"
	NameStep      = "executor.step"
	NameNonStep   = "executor.nonstep"
	NameDefer     = "executor.defer"
	NameMetadata  = "metadata"
	NameUserland  = "userland"
	// NameExtend is the name of a row that tells more of the span with its Dynamic.
	NameExtend = "EXTEND"
)

// Status is what a span is doing. The texts are stored. Spec 15 §8.4.
type Status string

// Statuses of spans.
const (
	Queued    Status = "Queued"
	Running   Status = "Running"
	Waiting   Status = "Waiting"
	Sleeping  Status = "Sleeping"
	Invoking  Status = "Invoking"
	Completed Status = "Completed"
	Failed    Status = "Failed"
	// Errored is an attempt that failed and is made again.
	Errored   Status = "Errored"
	Cancelled Status = "Cancelled"
	TimedOut  Status = "TimedOut"
	Skipped   Status = "Skipped"
)

// Ended says that the span does not change any more.
func (s Status) Ended() bool {
	switch s {
	case Completed, Failed, Errored, Cancelled, TimedOut:
		return true
	}
	return false
}
