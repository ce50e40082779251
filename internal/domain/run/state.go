// Package run is the heart of the server: it decides how a run of a function advances.
//
// A run is started by one or more events and calls its app again and again. Each call tells the app which steps are
// already memoised; the app answers with what it did or wants next (ops), or with the end of the function. A call is
// made for a job. Everything a run waits for is a job: the first call, the next call after a step, a step of a
// parallel group, a sleep. A run without a job that has not ended would hang for ever; Advance never makes one.
//
//	           ┌────────────── retry at T ──────────────┐
//	           ▼                                        │
//	Start ─► job ─► (leased) ─► call the app ─► Advance ─┤
//	           ▲                                        ├─► next jobs (one a step, or one for a whole group)
//	           └────────────────────────────────────────┘
//	                                                    └─► Finish: result, lifecycle events
//
// All of it is pure: [Advance] takes the state, what happened and when, and returns a [Transition], the list of facts
// that must become true together. The application commits the transition as one unit, and [State.Apply] says what the
// state is afterwards.
//
// Source: spec 02 §4–§8, §10, §11, §17, §18.
package run

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Status is where a run is in its life. The texts are those of the REST API.
type Status string

// The statuses that a run can have.
const (
	Running   Status = "Running"
	Completed Status = "Completed"
	Failed    Status = "Failed"
	Cancelled Status = "Cancelled"
	// Skipped is a run that an event would have started, and that ended as it began.
	Skipped Status = "Skipped"
)

// UnknownVersion is the request version of a run whose app has not chosen one yet.
const UnknownVersion = -1

// State is a run in progress. It is a value: Apply returns a new one and never changes the maps or slices of the old,
// so a state may be kept and shared.
type State struct {
	ID              ulid.ULID
	AppID           uuid.UUID
	FunctionID      uuid.UUID
	FunctionVersion int
	// Slug names the function in lifecycle events, "<app>-<function>".
	Slug string
	// Idempotency is the run's idempotency string, "<x36 of function>-<x36 of key>" (spec 02 §3).
	Idempotency string
	// Events started the run; there is at least one.
	Events []event.Tracked
	// RequestVersion is the SDK's execution version: UnknownVersion until the first list of ops fixes it.
	RequestVersion int
	// ForceStepPlan makes the app report steps instead of running them: a parallel group is open.
	ForceStepPlan bool
	// StartedAt is when the first call was made; zero before.
	StartedAt time.Time
	// Stack lists the memoised op IDs in the order in which they were saved.
	Stack []string
	// Steps holds the memo of every op ID in Stack, as it is sent to the app.
	Steps map[string]json.RawMessage
	// Pending are the op IDs of the open parallel group that have no memo yet, sorted.
	Pending []string
	// Size is the sum of the sizes of all memos, in bytes.
	Size int
	// Jobs are the jobs that exist for the run, by ID.
	Jobs map[string]Kind
	// Pauses are what the run waits for from outside, by ID.
	Pauses map[uuid.UUID]Pause
	// Consumed are the events that ended a wait of the run, the latest last. An event that is routed a second time, after a
	// crash, must not end a second wait.
	Consumed []ulid.ULID
	// Defers are the runs that are to be started when this one ends, by op ID.
	Defers map[string]Defer
	// Inputs replace the input of steps that have not run, by op ID: the run is a rerun. Shape: a JSON array.
	Inputs map[string]json.RawMessage
	// Timeouts end the run early.
	Timeouts Timeouts
	// Lock is the lock of a singleton that the run holds until it has ended; empty for none. Spec 11 §6.
	Lock string
	// Keys are what the run's jobs are ordered and limited by; nil for nothing. Spec 11 §7-§9.
	Keys *flow.Keys
	// Endpoint is set for runs of durable endpoints.
	Endpoint *Endpoint
	// Revision counts commits; a commit names the revision that it was decided on.
	Revision int64
}

// Kind is what a job is for. The texts are stored and are those of the reference.
type Kind string

// Kinds of jobs.
const (
	KindStart     Kind = "start"
	KindEdge      Kind = "edge"
	KindEdgeError Kind = "edge-error"
	KindSleep     Kind = "sleep"
	// KindPause ends a wait that nothing else has ended in time.
	KindPause Kind = "pause"
	// KindGateway makes a request for a step, in the app's stead.
	KindGateway Kind = "gateway"
	// KindCancel cancels a run that takes too long. It is the one kind that does not lead a run on.
	KindCancel Kind = "cancel"
)

// Mode says how the calls of a parallel group are joined.
type Mode string

// Modes of a parallel group. ModeRace makes every member's end call the app again; otherwise only the last does.
const (
	ModeNone Mode = ""
	ModeWait Mode = "wait"
	ModeRace Mode = "race"
)

// Edges of a call that has no op on the side in question.
const (
	EdgeTrigger = "$trigger"
	EdgeStep    = "step"
)

// Edge says which call a job makes.
type Edge struct {
	// Incoming is the function's step, always "step", or "$trigger" for the first call.
	Incoming string
	// Outgoing is the op whose end led to the call.
	Outgoing string
	// Target is the op that the app shall run, empty for a discovery.
	Target string
	// TargetName is the display name of the target, or of the op that the job is the sleep of.
	TargetName string
}

// Job is a call to be made for a run, not before a time.
type Job struct {
	// ID is the hashed job ID; a second job with the ID of an existing one is not created.
	ID         string
	RunID      ulid.ULID
	FunctionID uuid.UUID
	Kind       Kind
	At         time.Time
	// Attempt counts from zero and starts anew with every job.
	Attempt     int
	MaxAttempts int
	Edge        Edge
	Mode        Mode
	// CoalesceKey is shared by the members of a parallel group that are joined by one call.
	CoalesceKey string
	// Gateway is what a job of KindGateway requests; nil for others.
	Gateway *Gateway
}

// LastAttempt reports whether the job is not tried again when it fails.
func (j Job) LastAttempt() bool { return j.Attempt+1 >= j.MaxAttempts }

// Gateway is a request that the server makes for a step.
type Gateway struct {
	// Op is "AIGateway" or "Gateway".
	Op string
	// Opts are the op's options, as the app sent them.
	Opts json.RawMessage
}

// Step is a memo to be saved.
type Step struct {
	ID   string
	Memo json.RawMessage
	// Name is the step's name as the app displays it, Op what kind of step it was. They are kept for reruns and for people; no
	// run is led by them.
	Name string
	Op   sdk.Opcode
}

// Transition is everything that must become true together after an input. The zero value changes nothing.
type Transition struct {
	// Steps are saved in order: memo stored, ID pushed on the stack, ID removed from the pending set.
	Steps []Step
	// Jobs are created unless a job with the same ID exists. DropJobs are deleted first, those that exist.
	Jobs     []Job
	DropJobs []string
	// ResetJob is a job whose attempts begin anew when it is handed out again; empty for none. Who has it in hand goes on with
	// the attempt that it was given, and with what follows from it. It is not the job whose fate is Current.
	ResetJob string
	// Pauses are created, Drop are deleted first.
	Pauses []Pause
	Drop   []uuid.UUID
	// Consumed is the event that ended a wait; zero for none.
	Consumed ulid.ULID
	// Defers are put into the state's, by op ID.
	Defers map[string]Defer
	// Pending replaces the pending set when SetPending is true, before Steps are saved.
	Pending    []string
	SetPending bool
	// RequestVersion and ForceStepPlan are the run's values afterwards.
	RequestVersion int
	ForceStepPlan  bool
	// StartedAt is the time of the first call; it is stored once and ignored afterwards.
	StartedAt time.Time
	// Begun are steps that the app says it has begun. Only history keeps that: nothing follows from it.
	Begun []string
	// Current says what becomes of the job that led here.
	Current Disposition
	// Metadata is stored, as far as the run has room for it.
	Metadata []metadata.Update
	// Publish are events that are accepted with the transition. An empty ID is filled with the internal ID.
	Publish []event.Event
	// Finish ends the run when it is not nil.
	Finish *Finish
	// Call asks for a call to the app once the rest is durable.
	Call *Call
}

// Writes reports whether the transition changes anything that is to be stored.
func (t Transition) Writes() bool { return t.changes() || len(t.Begun) > 0 }

// changes reports whether the run is another one afterwards.
func (t Transition) changes() bool {
	return len(t.Steps)+len(t.Jobs)+len(t.DropJobs)+len(t.Pauses)+len(t.Drop)+len(t.Defers)+len(t.Metadata)+len(t.Publish) > 0 ||
		t.SetPending || t.Finish != nil || t.Current.Fate == FateDone || t.Current.Fate == FateRetry
}

// Disposition is what becomes of the job in hand.
type Disposition struct {
	Fate Fate
	// At and Attempt are the job's new time and attempt when Fate is Retry.
	At      time.Time
	Attempt int
	// Failure is why the attempt failed when Fate is Retry; nil when it was a step of it that failed.
	Failure *sdk.Failure
}

// Fate of a job.
type Fate int

// Fates of a job. FateNone is for inputs that no job led to.
const (
	FateNone Fate = iota
	FateKeep
	FateDone
	FateRetry
)

// Finish is the end of a run.
type Finish struct {
	Status Status
	// Output is the run record's output: raw JSON, nil when there is none.
	Output json.RawMessage
	// Response is what the client of a durable endpoint gets; nil when the endpoint gave no answer of its own.
	Response *sdk.HTTPResult
	At       time.Time
}

// Call is a request to the app to be made.
type Call struct {
	// Gateway is the request to make instead of a call to the app; nil for a call.
	Gateway *Gateway
	// Target is the op to run, or "step" for a discovery.
	Target string
	// Current is 1 + the index of the edge's outgoing op in the stack, 0 when it is not there.
	Current int
	// Attempt and MaxAttempts are what the app is told.
	Attempt, MaxAttempts int
	// DisableImmediateExecution makes the app plan steps instead of running them.
	DisableImmediateExecution bool
	// RequestVersion is what the app is told.
	RequestVersion int
}

// Apply returns the state after the transition. It is the one definition of what a transition means; stores must
// agree with it.
func (s State) Apply(job Job, t Transition) State {
	if t.SetPending {
		s.Pending = t.Pending
	}
	if len(t.Steps) > 0 {
		s.Stack = slices.Clone(s.Stack)
		s.Steps = maps.Clone(s.Steps)
		if s.Steps == nil {
			s.Steps = map[string]json.RawMessage{}
		}
		for _, step := range t.Steps {
			s.Stack = append(s.Stack, step.ID)
			s.Steps[step.ID] = step.Memo
			s.Size += len(step.Memo)
			s.Pending = without(s.Pending, step.ID)
		}
	}
	s.Jobs = maps.Clone(s.Jobs)
	if s.Jobs == nil {
		s.Jobs = map[string]Kind{}
	}
	if t.Current.Fate == FateDone {
		delete(s.Jobs, job.ID)
	}
	for _, id := range t.DropJobs {
		delete(s.Jobs, id)
	}
	for _, next := range t.Jobs {
		s.Jobs[next.ID] = next.Kind
	}
	s = s.applyWaits(t)
	s.RequestVersion = t.RequestVersion
	s.ForceStepPlan = t.ForceStepPlan
	if s.StartedAt.IsZero() {
		s.StartedAt = t.StartedAt
	}
	s.Revision++
	return s
}

// maxConsumed bounds the events that a state remembers. It must outlast the routing of one event, no more.
const maxConsumed = 64

// applyWaits is Apply for pauses and defers.
func (s State) applyWaits(t Transition) State {
	if len(t.Pauses)+len(t.Drop) > 0 {
		pauses := make(map[uuid.UUID]Pause, len(s.Pauses)+len(t.Pauses))
		maps.Copy(pauses, s.Pauses)
		for _, id := range t.Drop {
			delete(pauses, id)
		}
		for _, pause := range t.Pauses {
			pauses[pause.ID] = pause
		}
		s.Pauses = pauses
	}
	if t.Consumed != (ulid.ULID{}) {
		keep := s.Consumed[max(0, len(s.Consumed)-maxConsumed+1):]
		s.Consumed = append(slices.Clone(keep), t.Consumed)
	}
	if len(t.Defers) > 0 {
		defers := make(map[string]Defer, len(s.Defers)+len(t.Defers))
		maps.Copy(defers, s.Defers)
		maps.Copy(defers, t.Defers)
		s.Defers = defers
	}
	return s
}

// without returns list without id, leaving list as it was.
func without(list []string, id string) []string {
	at := slices.Index(list, id)
	if at < 0 {
		return list
	}
	return slices.Concat(list[:at], list[at+1:])
}
