package route

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// resumesAtOnce bounds the runs that one event resumes side by side, unless Deps says otherwise.
const resumesAtOnce = 64

// resume ends the waits of other runs that the event is for. It comes before the event is settled, and may be cut off and
// repeated: a run remembers which events it has consumed.
func (r *Router) resume(ctx context.Context, e event.Tracked) error {
	if e.Name == event.FunctionFinished {
		if err := r.finishInvoke(ctx, e); err != nil {
			return err
		}
	}
	paused, err := r.store.Paused(ctx, e)
	if err != nil {
		return fmt.Errorf("pauses for event %s: %w", e.InternalID, err)
	}
	if len(paused) == 0 {
		return nil
	}
	return r.match(ctx, e, paused)
}

// each calls f for each run with its pauses, some runs at once, and returns the first error. The pauses come by run. With
// one at once no goroutine is started.
func (r *Router) each(ctx context.Context, paused []ports.Paused, f func(ctx context.Context, id ulid.ULID, in run.Matched) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.atOnce)
	for len(paused) > 0 {
		id, in := paused[0].Run, run.Matched{Pause: paused[0].Pause.ID}
		for paused = paused[1:]; len(paused) > 0 && paused[0].Run == id; paused = paused[1:] {
			in.Also = append(in.Also, paused[0].Pause.ID)
		}
		if r.atOnce > 1 {
			group.Go(func() error { return f(ctx, id, in) })
		} else if err := f(ctx, id, in); err != nil {
			return err
		}
	}
	return group.Wait()
}

// meets evaluates the condition of a pause. One that cannot be evaluated is not met.
func (r *Router) meets(ctx context.Context, subject *expr.Subject, p ports.Paused) bool {
	if p.Pause.Expression == "" {
		return true
	}
	program, err := r.programs.compile(p.Pause.Expression)
	if err == nil {
		var met bool
		if met, err = program.MatchAsync(subject); err == nil {
			return met
		}
	}
	r.logger.DebugContext(ctx, "condition of a wait failed", "run_id", p.Run.String(), "error", err)
	return false
}

// finishInvoke tells the step that invoked a function of the function's end. The step is named by the event's correlation
// ID, "<run>.<op>".
func (r *Router) finishInvoke(ctx context.Context, e event.Tracked) error {
	var data struct {
		CorrelationID string `json:"correlation_id"`
	}
	if json.Unmarshal(e.Data, &data) != nil || data.CorrelationID == "" {
		return nil
	}
	text, op, _ := strings.Cut(data.CorrelationID, ".")
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return nil
	}
	return r.advance.Offer(ctx, id, run.Invoked{Op: op, Event: e, Now: r.clock.Now()})
}

// Signal gives data, raw JSON, to the run that waits for the signal and returns the run; ports.ErrNotFound when none does.
func (r *Router) Signal(ctx context.Context, signal string, data json.RawMessage) (ulid.ULID, error) {
	id, err := r.store.SignalWaiter(ctx, signal)
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("waiter for signal: %w", err)
	}
	_, _, err = r.advance.Apply(ctx, advance.Step{Run: id, Input: run.Signalled{Signal: signal, Data: data, Now: r.clock.Now()}})
	if errors.Is(err, run.ErrIgnored) {
		return ulid.ULID{}, fmt.Errorf("run %s: %w", id, ports.ErrNotFound)
	}
	return id, err
}
