package run

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// Spec is what a new run needs.
type Spec struct {
	ID              ulid.ULID
	AppID           uuid.UUID
	FunctionID      uuid.UUID
	FunctionVersion int
	Slug            string
	MaxAttempts     int
	// Events start the run; there is at least one.
	Events []event.Tracked
	// Key makes the run unique for 24 hours within its function: the event's ID, or what stands for it. Spec 02 §3.
	Key string
	Now time.Time
	// AtOnce lets the run begin now even if its event is of the future, as a batch does. Spec 11 §3.6.
	AtOnce bool
	// Lock is the lock of a singleton that the run holds until it ends; empty for none.
	Lock string
	// CancelOn and Timeouts end the run early.
	CancelOn []CancelOn
	Timeouts Timeouts
	// Endpoint is set for a run of a durable endpoint. Attached says that it began inside a request to its app, and needs no
	// call yet.
	Endpoint *Endpoint
	Attached bool
	// RequestVersion is the app's execution version; nil when it is not known.
	RequestVersion *int
	// Steps are memoised from the start and Inputs replace the input of steps, for a rerun from a step; Target is the step
	// that runs first, empty to ask the app.
	Steps  []Step
	Inputs map[string]json.RawMessage
	Target string
}

// New returns the state of a run that has not begun and its first jobs: that of its first call, and, with a start timeout,
// the one that cancels it. An event with a time in the future starts its run then.
func New(spec Spec) (State, []Job) {
	s := State{
		ID:              spec.ID,
		AppID:           spec.AppID,
		FunctionID:      spec.FunctionID,
		FunctionVersion: max(spec.FunctionVersion, 1),
		Slug:            spec.Slug,
		Idempotency:     ids.FunctionIdempotency(spec.FunctionID, spec.Key),
		Events:          spec.Events,
		RequestVersion:  UnknownVersion,
		Timeouts:        spec.Timeouts,
		Inputs:          spec.Inputs,
		Endpoint:        spec.Endpoint,
		Lock:            spec.Lock,
	}
	if spec.RequestVersion != nil {
		s.RequestVersion = *spec.RequestVersion
	}
	at := spec.Now
	if ts := time.UnixMilli(spec.Events[0].TS).UTC(); !spec.AtOnce && len(spec.Events) == 1 && ts.After(at) {
		at = ts
	}
	job := Job{
		ID:          ids.StartJob(s.key()),
		RunID:       s.ID,
		FunctionID:  s.FunctionID,
		Kind:        KindStart,
		At:          at,
		MaxAttempts: spec.MaxAttempts,
		Edge:        Edge{Incoming: EdgeStep, Outgoing: EdgeTrigger},
	}
	s = s.Apply(Job{}, Transition{Steps: spec.Steps, RequestVersion: s.RequestVersion, Pauses: s.cancelPauses(spec.CancelOn, spec.Now)})
	s.Revision = 0
	if spec.Target != "" {
		job.Edge.Target = spec.Target
	}
	if n := len(s.Stack); n > 0 {
		job.Edge.Outgoing = s.Stack[n-1]
	}
	if spec.Attached {
		job = s.adoption(spec.MaxAttempts, spec.Now)
		s.StartedAt = spec.Now
	}
	jobs := []Job{job}
	if s.Timeouts.Start > 0 {
		jobs = append(jobs, s.startTimeout())
	}
	s.Jobs = make(map[string]Kind, len(jobs))
	for _, j := range jobs {
		s.Jobs[j.ID] = j.Kind
	}
	return s, jobs
}
