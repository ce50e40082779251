// Package checkpoint saves steps of a run while the call that makes them goes on.
package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
}

// New returns the use case. limits are those of a function's runs.
func New(advancer *advance.Advancer, limits func(function uuid.UUID) run.Limits, clock ports.Clock) *Checkpoint {
	return &Checkpoint{advance: advancer, limits: limits, clock: clock}
}

// InvalidError says what is wrong with a request. Run is zero when the request does not say whose it is.
type InvalidError struct {
	Run      ulid.ULID
	Reason   string
	TooLarge bool
}

func (e *InvalidError) Error() string { return e.Reason }

// Async saves the steps of a request of the form {"run_id","fn_id","steps",…}, all or none; they are durable when it
// returns. A step that is saved already keeps its memo, so repeating a request changes nothing. It returns an
// *InvalidError for a request that cannot be accepted, among them one for a run that is not in progress. Spec 04 §8.3.
func (c *Checkpoint) Async(ctx context.Context, body []byte) error {
	var request struct {
		RunID ulid.ULID       `json:"run_id"`
		FnID  uuid.UUID       `json:"fn_id"`
		Steps json.RawMessage `json:"steps"`
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
	_, _, err = c.advance.Apply(ctx, advance.Step{
		Run: request.RunID, Input: run.Checkpointed{Ops: ops, Now: c.clock.Now(), Limits: c.limits(request.FnID)},
	})
	refused := (*run.CheckpointError)(nil)
	switch {
	case errors.As(err, &refused):
		return &InvalidError{Run: request.RunID, Reason: refused.Reason, TooLarge: refused.TooLarge}
	case errors.Is(err, ports.ErrNotFound):
		return &InvalidError{Run: request.RunID, Reason: "run not found in state store"}
	case err != nil:
		return fmt.Errorf("checkpoint run %s: %w", request.RunID, err)
	}
	return nil
}
