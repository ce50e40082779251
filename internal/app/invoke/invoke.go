// Package invoke starts a run of one function because somebody asks for it, and tells them what became of it.
package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// ErrFlow says that a key of the function's flow control cannot be evaluated on the data. It and the other reasons why an invocation starts
// no run now, those of start.Refusal, leave the event of the invocation in the log all the same.
var ErrFlow = errors.New("flow control of the function failed")

// Invoker is the use case. It is safe for concurrent use.
type Invoker struct {
	starter   start.Starter
	functions start.Functions
	tracker   advance.Tracker
	clock     ports.Clock
	ids       ports.IDs
	log       *slog.Logger
}

// New returns the use case.
func New(starter start.Starter, functions start.Functions, tracker advance.Tracker, ids ports.IDs, log *slog.Logger) *Invoker {
	return &Invoker{starter: starter, functions: functions, tracker: tracker, clock: starter.Clock, ids: ids, log: log}
}

// Started is the run of an invocation.
type Started struct {
	RunID ulid.ULID
	// Replayed says that an earlier invocation with the key has started it.
	Replayed bool
}

// Invoke starts a run of the function with the data, which is a clean JSON object, as that of its event. The run and the event are
// durable when it returns, and were made by one commit: with a key there is one run for it within 24 hours, however often
// Invoke is called, whatever crashes, and whatever would keep another run from starting by now; only a debounce forgets the key. The
// run is never batched. The errors are ErrFlow, those of start.Refusal and of the store.
// Source: spec 04 §11.6, spec 11 §10.
func (i *Invoker) Invoke(ctx context.Context, fn function.Function, data json.RawMessage, key string) (Started, error) {
	hash := ""
	if key != "" {
		hash = ids.X36(key)
	}
	tracked := i.tracker.Track(event.Direct(fn.ID.String(), data, hash, i.clock.Now()))
	schedule, answers, err := i.starter.Schedule(ctx, func() ports.Schedule { return i.decide(fn, tracked, hash) })
	if err != nil {
		return Started{}, fmt.Errorf("invoke function %s: %w", fn.ID, err)
	}
	if len(answers) == 0 {
		return Started{}, refusal(schedule.Skipped)
	}
	if err := start.Refusal(schedule.Runs[0], answers[0]); err != nil {
		return Started{}, err
	}
	return Started{RunID: answers[0].RunID, Replayed: answers[0].Result == flow.Duplicate}, nil
}

// refusal is why a run was not even tried to start: what was decided on, since by now the function may be resumed.
func refusal(skipped []ports.SkippedRun) error {
	for _, s := range skipped {
		if s.End.Status == run.Skipped {
			return start.ErrPaused
		}
	}
	return ErrFlow
}

// decide plans the run. The event is accepted with it, and routed to whoever waits for it or listens to it.
func (i *Invoker) decide(fn function.Function, tracked []event.Tracked, hash string) ports.Schedule {
	spec := start.Spec(fn, i.functions, tracked...)
	spec.Now = i.clock.Now()
	spec.ID, spec.Key = i.ids.ULID(spec.Now), hash
	if hash == "" {
		spec.Key = flow.EventKey(tracked[0].Event)
	}
	schedule := ports.Schedule{Publish: tracked}
	start.Plan(&schedule, i.functions, start.Run{Function: fn, Spec: spec, From: flow.FromRequest, Unique: hash != ""}, i.log)
	return schedule
}
