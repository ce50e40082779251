package trace

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/metadata"
)

// Node is a span as clients see it, with those below it. Zero values stand for what is not known or does not apply. Times are in UTC, to
// the millisecond. Spec 05 §8.8, §9.
type Node struct {
	Run           ulid.ULID
	App, Function uuid.UUID
	// Trace is 32 hex digits. ID is unique in the run and stays the same from one reading to the next.
	Trace, ID string
	// Parent is the ID of the span above; of the run itself NoParent, or empty in the legacy tree.
	Parent string
	// Group is what the attempts of one job have in common.
	Group  string
	Name   string
	Status NodeStatus
	// Attempts is the number of the latest attempt, from zero; in the legacy tree the number of attempts of what failed for good.
	Attempts int
	QueuedAt time.Time
	// ScheduledAt is when it was to start, StartedAt and EndedAt when it did and ended.
	ScheduledAt, StartedAt, EndedAt time.Time
	// Duration counts only when HasDuration.
	Duration    time.Duration
	HasDuration bool
	Op          StepOp
	// StepID is the hash that the SDK gave the step.
	StepID string
	// StepType is FINALIZATION, the SDK's name of what kind of step it is, or the Op.
	StepType string
	// Info is one of RunInfo, SleepInfo, EventInfo, InvokeInfo, SignalInfo; nil for none.
	Info StepInfo
	// Output is nil when there is neither an input nor an output to be read.
	Output   *OutputID
	Root     bool
	Userland *Userland
	// SkipReason says why the run did not start, SkipExisting which run was in its way.
	SkipReason, SkipExisting string
	Metadata                 []Metadata
	Response                 *Response
	DebugRun, DebugSession   string
	Children                 []*Node
}

// NodeStatus is a status as clients see it. The texts are those of GraphQL.
type NodeStatus string

// Statuses of nodes.
const (
	NodeQueued    NodeStatus = "QUEUED"
	NodeRunning   NodeStatus = "RUNNING"
	NodeWaiting   NodeStatus = "WAITING"
	NodeCompleted NodeStatus = "COMPLETED"
	NodeFailed    NodeStatus = "FAILED"
	NodeCancelled NodeStatus = "CANCELLED"
	NodeSkipped   NodeStatus = "SKIPPED"
)

// Ended says that the node does not change any more.
func (s NodeStatus) Ended() bool {
	switch s {
	case NodeCompleted, NodeFailed, NodeCancelled, NodeSkipped:
		return true
	case NodeQueued, NodeRunning, NodeWaiting:
	}
	return false
}

// StepOp is what kind of step a node is. The texts are those of GraphQL; empty is none.
type StepOp string

// Kinds of steps.
const (
	OpRun           StepOp = "RUN"
	OpSleep         StepOp = "SLEEP"
	OpWaitForEvent  StepOp = "WAIT_FOR_EVENT"
	OpInvoke        StepOp = "INVOKE"
	OpWaitForSignal StepOp = "WAIT_FOR_SIGNAL"
	OpGateway       StepOp = "AI_GATEWAY"
)

// Finalization is the StepType of the call that ended the function.
const Finalization = "FINALIZATION"

// StepInfo is what there is to say of one kind of step.
type StepInfo interface{ stepInfo() }

type (
	// RunInfo is of a step that the app runs. Type is the SDK's name of it, such as step.sendEvent; empty for none.
	RunInfo struct{ Type string }
	// SleepInfo is of a sleep.
	SleepInfo struct{ Until time.Time }
	// EventInfo is of a wait for an event. TimedOut is nil until the wait has ended.
	EventInfo struct {
		Event, Expression string
		Timeout           time.Time
		Found             ulid.ULID
		TimedOut          *bool
	}
	// InvokeInfo is of a call of another function. Function is its slug.
	InvokeInfo struct {
		Event    ulid.ULID
		Function string
		Timeout  time.Time
		// Return is the event by which the other function told of its end.
		Return   ulid.ULID
		Run      ulid.ULID
		TimedOut *bool
	}
	// SignalInfo is of a wait for a signal.
	SignalInfo struct {
		Signal   string
		Timeout  time.Time
		TimedOut *bool
	}
)

func (RunInfo) stepInfo()    {}
func (SleepInfo) stepInfo()  {}
func (EventInfo) stepInfo()  {}
func (InvokeInfo) stepInfo() {}
func (SignalInfo) stepInfo() {}

// Response is what an app answered to the call. Headers is a JSON object whose members are texts, or lists of them.
type Response struct {
	Status  int
	Headers json.RawMessage
}

// Metadata is what is attached to a node. Values is a JSON object.
type Metadata struct {
	// Scope is unknown, run, step, step_attempt, extended_trace or request.
	Scope, Kind string
	Values      metadata.Values
	UpdatedAt   time.Time
}

// Userland is a span that the app made itself. Attributes is a JSON object.
type Userland struct {
	Name, Kind, Service, Scope, ScopeVersion string
	Attributes, Resource                     json.RawMessage
}

// Live is what is known of a run besides its rows.
type Live struct {
	// Now is the instant of the reading; a sleep that is over by then has ended. Zero when it does not matter.
	Now time.Time
	// Jobs are those of a run in progress, in any order; what a run waits for has none here.
	Jobs []LiveJob
	// Metadata is what clients attached to the run and its steps.
	Metadata []metadata.Value
}

// since is when the first of the jobs was handed out, of those that are in hand: nothing is written of a run's first call until it is answered.
func (l Live) since() (first time.Time) {
	for _, job := range l.Jobs {
		if at := millisecond(job.Since); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// LiveJob is a call that is to be made, or is being made.
type LiveJob struct {
	// ID is the hashed job ID, as rows of its earlier attempts have it.
	ID string
	// Step is the hash of the step that is asked for, Name its display name; empty for a call that finds out what is next.
	Step, Name string
	// Gateway says that the server makes a request for the step.
	Gateway bool
	// Attempt counts from zero.
	Attempt int
	// At is when it is due. Since is when it was handed out; zero while it is queued.
	At, Since time.Time
}
