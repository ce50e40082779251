package run

import (
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
}

// New returns the state of a run that has not begun and the job of its first call. An event with a time in the future
// starts its run then.
func New(spec Spec) (State, Job) {
	s := State{
		ID:              spec.ID,
		AppID:           spec.AppID,
		FunctionID:      spec.FunctionID,
		FunctionVersion: max(spec.FunctionVersion, 1),
		Slug:            spec.Slug,
		Idempotency:     ids.FunctionIdempotency(spec.FunctionID, spec.Key),
		Events:          spec.Events,
		RequestVersion:  UnknownVersion,
	}
	at := spec.Now
	if ts := time.UnixMilli(spec.Events[0].TS).UTC(); len(spec.Events) == 1 && ts.After(at) {
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
	s.Jobs = map[string]Kind{job.ID: job.Kind}
	return s, job
}
