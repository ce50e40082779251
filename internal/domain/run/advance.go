package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Errors of Advance. Both say that the caller holds something that is no longer the run's; nothing is to be done.
var (
	// ErrForeignJob: the job is not one of the run's.
	ErrForeignJob = errors.New("job does not belong to the run")
	// ErrUnknownInput: the input is of no kind that this package knows.
	ErrUnknownInput = errors.New("unknown input")
)

// Limits bound a run.
type Limits struct {
	// Steps is the number of memos a run may have; at it, no further call is made. Spec 02 §6.5.
	Steps int
	// StateBytes is the sum of memo sizes that a run may reach. Spec 02 §8.2.
	StateBytes int
	// OpsPerReply is the number of ops that one answer may list. Spec 02 §8.1.
	OpsPerReply int
	// Metadata keeps what apps attach to steps and runs; it is dropped otherwise.
	Metadata bool
}

// DefaultLimits are the reference's.
var DefaultLimits = Limits{Steps: 1000, StateBytes: 32 << 20, OpsPerReply: 1000, Metadata: true}

// Input is something that happened to a run.
//
//sumtype:decl
type Input interface{ input() }

type (
	// Due says that a job's time has come: decide whether the app is to be called, and how.
	Due struct {
		Job    Job
		Now    time.Time
		Limits Limits
	}

	// Replied says what the app answered to the call made for a job.
	Replied struct {
		Job   Job
		Reply sdk.Reply
		// CalledAt is when the call was made, Now when the answer was there.
		CalledAt, Now time.Time
		Limits        Limits
		Backoff       Backoff
		// Conflict is a signal of the answer that another run waits for; empty for none.
		Conflict string
		// Exchange is what history keeps of the call.
		Exchange Exchange
	}

	// Gatewayed says what became of the request that was made for a step: its memo, or a failure to be tried again.
	Gatewayed struct {
		Job     Job
		Memo    json.RawMessage
		Failure *sdk.Failure
		// CalledAt is when the request was made, Now when its outcome was there.
		CalledAt, Now time.Time
		Limits        Limits
		Backoff       Backoff
		// Exchange is what history keeps of the request.
		Exchange Exchange
	}

	// CancelRequested ends the run as cancelled, whatever it is doing.
	CancelRequested struct {
		Now time.Time
	}
)

// Exchange is a call to an app, or a request made for a step, as history keeps it. No decision depends on it.
type Exchange struct {
	// Request is the ID of the call; empty for none.
	Request string
	// Status is the HTTP status of the response, 0 when there was none.
	Status int
	// Header holds the headers of the response by canonical name, Size is the length of its body.
	Header map[string]string
	Size   int
	// Metadata is what else is told of a request that was made for a step: a JSON object of metadata by kind, nil for none.
	Metadata json.RawMessage
	// Timing is where the time of the call went, zero when that is not known. Limited says that a limit kept its job back until then.
	Timing  sdk.Timing
	Limited bool
}

func (Due) input()             {}
func (Replied) input()         {}
func (Gatewayed) input()       {}
func (CancelRequested) input() {}

// WithConflict is the input with the knowledge that another run waits for the signal. It matters for an answer that asks
// for that signal; any other input is returned as it is.
func WithConflict(in Input, signal string) Input {
	switch in := in.(type) {
	case Replied:
		in.Conflict = signal
		return in
	case Synced:
		in.Conflict = signal
		return in
	default:
		return in
	}
}

// Advance decides what an input means for a run. It is pure: equal arguments give equal results.
//
// A transition that neither ends the run nor retries its job always leaves the run at least one job, so that no run
// waits for nothing.
func Advance(s State, input Input) (Transition, error) {
	switch in := input.(type) {
	case Due:
		if !s.owns(in.Job) {
			return Transition{}, fmt.Errorf("job %s: %w", in.Job.ID, ErrForeignJob)
		}
		return s.due(in), nil
	case Replied:
		if !s.owns(in.Job) {
			return Transition{}, fmt.Errorf("job %s: %w", in.Job.ID, ErrForeignJob)
		}
		return s.replied(in), nil
	case Gatewayed:
		if !s.owns(in.Job) {
			return Transition{}, fmt.Errorf("job %s: %w", in.Job.ID, ErrForeignJob)
		}
		return s.gatewayed(in), nil
	case Matched:
		return s.matched(in)
	case Signalled:
		return s.signalled(in)
	case Invoked:
		return s.invoked(in)
	case Checkpointed:
		return s.checkpointed(in)
	case Synced:
		return s.synced(in)
	case CancelRequested:
		return s.cancelled(in.Now), nil
	}
	return Transition{}, fmt.Errorf("%T: %w", input, ErrUnknownInput)
}

func (s State) owns(job Job) bool {
	_, ok := s.Jobs[job.ID]
	return ok && job.RunID == s.ID
}

// unchanged is a transition that keeps the run's values.
func (s State) unchanged(fate Fate) Transition {
	return Transition{
		RequestVersion: s.RequestVersion,
		ForceStepPlan:  s.ForceStepPlan,
		Current:        Disposition{Fate: fate},
	}
}

// due decides what a job means whose time has come. Spec 02 §6.
func (s State) due(in Due) Transition {
	t := s.unchanged(FateKeep)
	job := in.Job
	switch {
	case job.Kind == KindCancel:
		return s.timeoutDue(in)
	case s.overdue(in.Now):
		t = s.cancelled(in.Now)
		t.Current.Fate = FateDone
		return t
	case job.Kind == KindPause:
		pause, ok := s.pauseAt(job.Edge.Outgoing)
		if !ok {
			return s.unchanged(FateDone)
		}
		return s.timedOut(in, pause)
	}
	call := Call{
		Gateway:                   job.Gateway,
		Target:                    EdgeStep,
		Attempt:                   job.Attempt,
		MaxAttempts:               job.MaxAttempts,
		DisableImmediateExecution: s.ForceStepPlan,
		RequestVersion:            s.RequestVersion,
	}

	if job.Kind == KindSleep && job.Attempt == 0 {
		if !s.has(job.Edge.Outgoing) {
			t.Steps = []Step{{ID: job.Edge.Outgoing, Memo: sdk.SleepMemo, Name: job.Edge.TargetName, Op: sdk.OpSleep}}
		}
		if !s.joins(job, job.Mode, t) {
			t.Current.Fate = FateDone
			return t
		}
		// The call of the sleep itself still carries the old flag; only the next one sees the group closed. Spec 02 §8.4 (a).
		t.ForceStepPlan = s.planAfterGroup()
	}
	if job.Edge.Target != "" && s.has(job.Edge.Target) {
		// Somebody else's call ran the step meanwhile. A memoised step is never run again.
		t.Current.Fate = FateDone
		s.continueAfter(&t, job, job.Edge.Target, in.Now)
		return t
	}

	if steps := len(s.Stack) + len(t.Steps); steps >= in.Limits.Steps {
		t.Current.Fate = FateDone
		s.finish(&t, stepLimitReached(in.Limits.Steps), in.Now)
		return t
	}

	if job.Edge.Target != "" {
		call.Target = job.Edge.Target
	}
	if s.StartedAt.IsZero() && s.Timeouts.Finish > 0 {
		t.StartedAt = in.Now
		s.add(&t, s.finishTimeout(in.Now))
	}
	call.Current = s.position(t.Steps, job.Edge.Outgoing)
	t.Call = &call
	return t
}

// continueAfter makes sure that the run goes on after a job whose step another call ran: if nothing else is left to
// lead the run on, the app is called again.
func (s State) continueAfter(t *Transition, job Job, op string, now time.Time) {
	if s.jobsLeft(job, *t) == 0 {
		t.Jobs = append(t.Jobs, s.discovery(job, op, KindEdge, now))
	}
}

// has reports whether the op has a memo.
func (s State) has(op string) bool {
	_, ok := s.Steps[op]
	return ok
}

// position is 1 + the index of the op in the stack after the steps are saved, 0 when it is not there.
func (s State) position(saved []Step, op string) int {
	for i, id := range s.Stack {
		if id == op {
			return i + 1
		}
	}
	for i, step := range saved {
		if step.ID == op {
			return len(s.Stack) + i + 1
		}
	}
	return 0
}

// planAfterGroup is the run's ForceStepPlan once a parallel group has been joined: SDKs of version 2 and later may run
// steps at once again, for older ones the flag sticks. Spec 02 §8.4.
func (s State) planAfterGroup() bool {
	return s.ForceStepPlan && s.RequestVersion < 2
}

// jobsLeft counts the jobs that lead the run on after the transition.
func (s State) jobsLeft(current Job, t Transition) int {
	left := 0
	for id, kind := range s.Jobs {
		gone := id == current.ID && t.Current.Fate == FateDone || slices.Contains(t.DropJobs, id)
		if kind != KindCancel && !gone {
			left++
		}
	}
	for _, job := range t.Jobs {
		if _, exists := s.Jobs[job.ID]; !exists && job.Kind != KindCancel {
			left++
		}
	}
	return left
}

// joins reports whether the app is to be called again once a step of the job is saved: when the step's group is
// complete, when its members race, and when nobody is left who could complete it. Spec 02 §8.3.
func (s State) joins(job Job, mode Mode, t Transition) bool {
	t.Current.Fate = FateDone
	return mode == ModeRace || s.pendingLeft(t) == 0 || s.jobsLeft(job, t) == 0
}

// pendingLeft is the number of members of the parallel group that have no memo after the transition.
func (s State) pendingLeft(t Transition) int {
	pending := s.Pending
	if t.SetPending {
		pending = t.Pending
	}
	for _, step := range t.Steps {
		pending = without(pending, step.ID)
	}
	return len(pending)
}
