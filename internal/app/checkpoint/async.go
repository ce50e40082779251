// Package checkpoint saves steps of a run while the call, or the client's request, that makes them goes on. It serves durable
// endpoints: runs that begin inside a request to the app, and whose output their client may fetch later.
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
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// Checkpoint is the use case. It is safe for concurrent use.
type Checkpoint struct {
	advance   *advance.Advancer
	store     ports.Store
	history   ports.History
	catalog   ports.Catalog
	functions Functions
	waits     Waits
	tracker   advance.Tracker
	limits    func(function uuid.UUID) run.Limits
	jobs      Jobs
	broadcast ports.Broadcast
	tokens    ports.Tokens
	clock     ports.Clock
	ids       ports.IDs
	// closed ends when nobody is to be kept waiting any more.
	closed context.Context //nolint:containedctx // it is the life of the use case, not of a call
	close  context.CancelFunc
}

// Functions finds functions, and is told of new durable endpoints.
type Functions interface {
	start.Templates
	start.Standings
	Function(ctx context.Context, id uuid.UUID) (function.Function, error)
	PutEndpoint(fn function.Function)
}

// Waits is told of the waits of a run once they are stored.
type Waits interface {
	Began(ctx context.Context, id ulid.ULID, pauses []run.Pause)
}

// Jobs tells how often a job was handed out; see ports.Queue.
type Jobs interface {
	Generation(ctx context.Context, run ulid.ULID, job string) (int, error)
}

// Deps are what the use case needs.
type Deps struct {
	Advance   *advance.Advancer
	Store     ports.Store
	History   ports.History
	Catalog   ports.Catalog
	Functions Functions
	Waits     Waits
	Tracker   advance.Tracker
	// Limits are those of a function's runs.
	Limits func(function uuid.UUID) run.Limits
	// Jobs has steps of a call refused whose job was handed out again meanwhile; nil takes them.
	Jobs      Jobs
	Broadcast ports.Broadcast
	Tokens    ports.Tokens
	Clock     ports.Clock
	IDs       ports.IDs
}

// New returns the use case. Nothing needs to be closed but who waits for a run.
func New(d Deps) *Checkpoint {
	closed, end := context.WithCancel(context.Background())
	return &Checkpoint{
		closed: closed, close: end,
		advance: d.Advance, store: d.Store, history: d.History, catalog: d.Catalog, functions: d.Functions, waits: d.Waits, tracker: d.Tracker,
		limits: d.Limits, jobs: d.Jobs, broadcast: d.Broadcast, tokens: d.Tokens, clock: d.Clock, ids: d.IDs,
	}
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
	ops, err := steps(request.RunID, request.Steps)
	if err != nil {
		return err
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
