package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Pause is something that a run waits for from outside: an event, a signal, the end of a function that it invoked, or an
// event that cancels it. A pause of a step has a timeout job besides; whichever comes first takes the other away.
type Pause struct {
	// ID is derived from the run and the step, so a pause that is made twice is one. Spec 08 §4.
	ID   uuid.UUID
	Kind PauseKind
	// Op is the step that waits, empty for a cancellation; Name is how the app displays it.
	Op, Name string
	// Event is the name of the event that is waited for, for PauseEvent and PauseCancel.
	Event string
	// Signal is the name of the signal that is waited for.
	Signal string
	// Replace takes the signal over from another run that waits for it. It matters only when the pause is made.
	Replace bool
	// Expression is the condition on the event, with what the run's own event says already put in; empty for none.
	Expression string
	// Ignore is the event that does not count: the one that started the run.
	Ignore ulid.ULID
	// CreatedAt and Expires bound the time of the wait.
	CreatedAt, Expires time.Time
	// Job is the timeout job, empty for a cancellation.
	Job string
	// MaxAttempts, Mode and CoalesceKey are passed on to the call that follows.
	MaxAttempts int
	Mode        Mode
	CoalesceKey string
}

// PauseKind is what a pause waits for. The texts are stored.
type PauseKind string

// Kinds of pauses.
const (
	PauseEvent  PauseKind = "event"
	PauseSignal PauseKind = "signal"
	PauseInvoke PauseKind = "invoke"
	PauseCancel PauseKind = "cancel"
)

// opcode is the op that makes a pause of the kind.
func (k PauseKind) opcode() sdk.Opcode {
	switch k {
	case PauseSignal:
		return sdk.OpWaitForSignal
	case PauseInvoke:
		return sdk.OpInvokeFunction
	case PauseEvent, PauseCancel:
	}
	return sdk.OpWaitForEvent
}

// ErrIgnored says that the input does not concern the run, or no longer. Nothing is to be done.
var ErrIgnored = errors.New("input does not concern the run")

type (
	// Matched says that an event met the condition of a pause. Also are further pauses of the run whose condition it met:
	// an event ends all of them or, when it is routed again, none.
	Matched struct {
		Pause uuid.UUID
		Also  []uuid.UUID
		Event event.Tracked
		Now   time.Time
	}

	// Signalled says that a signal came that the run waits for. Data is raw JSON, nil for none.
	Signalled struct {
		Signal string
		Data   json.RawMessage
		Now    time.Time
	}

	// Invoked says that a function which a step invoked has ended; Event is the one that tells so.
	Invoked struct {
		Op    string
		Event event.Tracked
		Now   time.Time
	}
)

func (Matched) input()   {}
func (Signalled) input() {}
func (Invoked) input()   {}

// clockSkew is how much earlier than a pause an event may have been received and still count for it: the event may have
// been on its way while the run was between steps. Spec 08 §7.1.
const clockSkew = 5 * time.Second

// matched resumes or cancels the run that an event is for. Spec 02 §9.2, §9.3.
func (s State) matched(in Matched) (Transition, error) {
	id := in.Event.InternalID
	if slices.Contains(s.Consumed, id) {
		return Transition{}, fmt.Errorf("event %s resumed the run already: %w", id, ErrIgnored)
	}
	var waits []Pause
	var ignored error
	for _, pauseID := range append([]uuid.UUID{in.Pause}, in.Also...) {
		pause, err := s.concerned(pauseID, in)
		switch {
		case err != nil:
			ignored = err
		case pause.Kind == PauseCancel:
			return s.cancelled(in.Now), nil
		default:
			waits = append(waits, pause)
		}
	}
	if len(waits) == 0 {
		return Transition{}, ignored
	}
	t := s.resume(in.Event.AppendMap(nil), in.Now, waits...)
	t.Consumed = id
	return t, nil
}

// concerned returns the pause if the event may end it at all.
func (s State) concerned(pauseID uuid.UUID, in Matched) (Pause, error) {
	pause, ok := s.Pauses[pauseID]
	switch id := in.Event.InternalID; {
	case !ok:
		return pause, fmt.Errorf("pause %s is gone: %w", pauseID, ErrIgnored)
	case id == pause.Ignore:
		return pause, fmt.Errorf("event %s started the run: %w", id, ErrIgnored)
	case in.Now.After(pause.Expires):
		return pause, fmt.Errorf("pause %s has expired: %w", pauseID, ErrIgnored)
	case pause.CreatedAt.Sub(in.Event.ReceivedAt) > clockSkew:
		return pause, fmt.Errorf("event %s is older than the pause: %w", id, ErrIgnored)
	case pause.Kind == PauseCancel && id.Compare(s.ID) <= 0:
		return pause, fmt.Errorf("event %s is older than the run: %w", id, ErrIgnored)
	}
	return pause, nil
}

// signalled resumes a step that waits for a signal.
func (s State) signalled(in Signalled) (Transition, error) {
	for _, pause := range s.Pauses {
		if pause.Kind == PauseSignal && pause.Signal == in.Signal && !in.Now.After(pause.Expires) {
			return s.resume(signalMemo(in.Signal, in.Data), in.Now, pause), nil
		}
	}
	return Transition{}, fmt.Errorf("no step waits for the signal: %w", ErrIgnored)
}

// invoked resumes a step whose function has ended.
func (s State) invoked(in Invoked) (Transition, error) {
	pause, ok := s.Pauses[s.pauseID(in.Op)]
	if !ok || pause.Kind != PauseInvoke {
		return Transition{}, fmt.Errorf("step %s waits for no function: %w", in.Op, ErrIgnored)
	}
	return s.resume(invokeMemo(in.Event.Event), in.Now, pause), nil
}

// resume gives waiting steps their memo and goes on with the run.
func (s State) resume(memo json.RawMessage, now time.Time, waits ...Pause) Transition {
	t := s.unchanged(FateNone)
	for _, pause := range waits {
		t.Drop = append(t.Drop, pause.ID)
		t.DropJobs = append(t.DropJobs, pause.Job)
	}
	s.endWaits(&t, Job{}, waits, memo, resumed, now)
	return t
}

// timedOut ends a wait that nothing has ended in time. Spec 02 §9.4.
func (s State) timedOut(in Due, pause Pause) Transition {
	t := s.unchanged(FateDone)
	t.Drop = []uuid.UUID{pause.ID}
	memo := sdk.SleepMemo
	if pause.Kind == PauseInvoke {
		memo = invokeTimeoutMemo
	}
	s.endWaits(&t, in.Job, []Pause{pause}, memo, timedOut, in.Now)
	return t
}

// endWaits saves the memo of waits and, when their group is complete, calls the app.
func (s State) endWaits(t *Transition, current Job, waits []Pause, memo json.RawMessage, how waitEnd, now time.Time) {
	for _, pause := range waits {
		if !s.has(pause.Op) {
			t.Steps = append(t.Steps, Step{ID: pause.Op, Memo: memo, Name: pause.Name, Op: pause.Kind.opcode()})
		}
	}
	for _, pause := range waits {
		if s.joins(current, pause.Mode, *t) {
			t.ForceStepPlan = s.planAfterGroup()
			parent := Job{MaxAttempts: pause.MaxAttempts, Mode: pause.Mode, CoalesceKey: pause.CoalesceKey}
			s.add(t, s.afterWait(parent, pause.Op, how, now))
		}
	}
}

// wait is the transition's part of a pause that begins: the pause and its timeout job.
func (s State) wait(t *Transition, pause Pause, parent Job) {
	job := s.child(parent, pause.Job, KindPause, pause.Expires)
	job.Edge.Outgoing = pause.Op
	job.Mode, job.CoalesceKey = pause.Mode, pause.CoalesceKey
	if s.hasJob(*t, job.ID) || s.has(pause.Op) {
		return // an op that is reported twice, perhaps as two kinds of steps, is the first one
	}
	t.Pauses = append(t.Pauses, pause)
	s.add(t, job)
}

// pauseAt returns the pause that a step waits on.
func (s State) pauseAt(op string) (Pause, bool) {
	pause, ok := s.Pauses[s.pauseID(op)]
	return pause, ok
}
