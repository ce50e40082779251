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
	// Attributes is a JSON object of Key… members, empty for none; what has a column of its own may be in there too. Times are strings of milliseconds since the epoch.
	Attributes json.RawMessage
	// Input and Output are JSON texts; nil for none.
	Input, Output json.RawMessage
	// EventIDs are those that started the run, of a run's first row only.
	EventIDs []ulid.ULID
	// Deferred says that another run started this one when it ended.
	Deferred bool
	// HasInput and HasOutput say that the row has them, where they are not read with it.
	HasInput, HasOutput bool
	// AI says that the row is of a step that asks a model.
	AI bool
	// Summary is what the row says of the run as a whole; nil for rows that say nothing of it. It is stored beside the rows.
	Summary *Summary
}

// Summary is what is known of a run at a time: what lists of runs show.
type Summary struct {
	// Status is that of the run's span; Queued until the first call was answered.
	Status Status
	// StartedAt and EndedAt are zero until then.
	StartedAt, EndedAt time.Time
	// Batch, Cron and Debounced are known from the beginning, and only said there.
	Batch     ulid.ULID
	Cron      string
	Debounced bool
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

// then is the status of a span of which this and another are said, in this order: one does not go back to what comes earlier in the life
// of a span, and the empty one says nothing.
func (s Status) then(later Status) Status {
	if later == "" || later.stage() < s.stage() {
		return s
	}
	return later
}

// over is the stage of what has ended.
const over = 3

// stage is how far in its life a span is that has the status: not known, to begin, in progress, or over. A run that is skipped is over.
func (s Status) stage() int {
	switch s {
	case "":
		return 0
	case Queued, "Scheduled":
		return 1
	case Completed, Failed, Errored, Cancelled, TimedOut, Skipped:
		return over
	case Running, Waiting, Sleeping, Invoking:
	}
	return 2
}
