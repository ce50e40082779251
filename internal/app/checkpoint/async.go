// Package checkpoint saves steps of a run while the call that makes them goes on.
package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// Checkpoint is the use case. It is safe for concurrent use.
type Checkpoint struct {
	advance *advance.Advancer
	limits  func(function uuid.UUID) run.Limits
	clock   ports.Clock
	jobs    Jobs
}

// Jobs tells how often a job was handed out; see ports.Queue.
type Jobs interface {
	Generation(ctx context.Context, run ulid.ULID, job string) (int, error)
}

// New returns the use case. limits are those of a function's runs. With jobs, steps of a call whose job was handed out again
// meanwhile are refused; nil takes them.
func New(advancer *advance.Advancer, limits func(function uuid.UUID) run.Limits, clock ports.Clock, jobs Jobs) *Checkpoint {
	return &Checkpoint{advance: advancer, limits: limits, clock: clock, jobs: jobs}
}

// InvalidError says what is wrong with a request. Run is zero when the request does not say whose it is.
type InvalidError struct {
	Run      ulid.ULID
	Reason   string
	TooLarge bool
	// Stale says that the request comes from a call that no longer counts.
	Stale bool
}

func (e *InvalidError) Error() string { return e.Reason }

// Async saves the steps of a request of the form {"run_id","fn_id","qi_id","generation_id","request_started_at","steps",…},
// all or none; they are durable when it returns. A step that is saved already keeps its memo, so repeating a request changes nothing. It returns an
// *InvalidError for a request that cannot be accepted, among them one for a run that is not in progress. Spec 04 §8.3.
func (c *Checkpoint) Async(ctx context.Context, body []byte) error {
	var request struct {
		RunID ulid.ULID       `json:"run_id"`
		FnID  uuid.UUID       `json:"fn_id"`
		Steps json.RawMessage `json:"steps"`
		call
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return &InvalidError{Reason: "invalid request body: " + err.Error()}
	}
	ops, err := sdk.ParseOps(request.Steps)
	if large := (*sdk.SizeError)(nil); errors.As(err, &large) {
		return &InvalidError{Run: request.RunID, Reason: "step " + large.Op + " output too large: " + large.Text, TooLarge: true}
	}
	if err != nil {
		return &InvalidError{Reason: "invalid request body: " + err.Error()}
	}
	input := run.Checkpointed{Ops: ops, Now: c.clock.Now(), Limits: c.limits(request.FnID), Dispatch: request.dispatch()}
	if c.jobs != nil && input.Dispatch.Checkable(input.Now) {
		input.Current, err = c.jobs.Generation(ctx, request.RunID, input.Dispatch.Job)
		// What cannot be looked up is not held against the call.
		input.Checked = err == nil || errors.Is(err, ports.ErrNotFound)
	}
	_, _, err = c.advance.Apply(ctx, advance.Step{Run: request.RunID, Input: input})
	refused := (*run.CheckpointError)(nil)
	switch {
	case errors.As(err, &refused):
		return &InvalidError{Run: request.RunID, Reason: refused.Reason, TooLarge: refused.TooLarge, Stale: refused.Stale}
	case errors.Is(err, ports.ErrNotFound):
		return &InvalidError{Run: request.RunID, Reason: "run not found in state store"}
	case err != nil:
		return fmt.Errorf("checkpoint run %s: %w", request.RunID, err)
	}
	return nil
}

// call is what a request says of the call that it comes from. None of it is required, and what cannot be read counts as not
// said.
type call struct {
	QueueItem  json.RawMessage `json:"qi_id"`
	Generation json.RawMessage `json:"generation_id"`
	// StartedAt is in milliseconds since the epoch.
	StartedAt json.RawMessage `json:"request_started_at"`
}

func (c call) dispatch() run.Dispatch {
	var d run.Dispatch
	var item string
	if json.Unmarshal(c.QueueItem, &item) == nil {
		d.Job, _ = sdk.ParseQueueItemID(item) // empty for what names no job
	}
	var millis int64
	if json.Unmarshal(c.StartedAt, &millis) == nil {
		d.StartedAt = time.UnixMilli(millis)
	}
	if json.Unmarshal(c.Generation, &d.Generation) != nil {
		d.Generation = 0
	}
	return d
}
