package route

import (
	"context"
	"fmt"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Events are those that were accepted. ports.History is one.
type Events interface {
	Events(ctx context.Context, q ports.EventQuery) ([]event.Tracked, error)
}

// meanwhile bounds the events that are looked at for one name. They all came within the moment that a commit takes.
const meanwhile = 100

// Began ends waits of a run that have just been stored by the events that came while they were: such an event was routed when
// there was no wait to find yet. Any later event finds the wait. What cannot be looked up is logged; the wait goes on.
// Spec 08, weakness 13.
func (r *Router) Began(ctx context.Context, id ulid.ULID, pauses []run.Pause) {
	byEvent := map[string][]ports.Paused{}
	var names []string
	for _, pause := range pauses {
		if pause.Kind != run.PauseEvent {
			continue
		}
		if byEvent[pause.Event] == nil {
			names = append(names, pause.Event)
		}
		byEvent[pause.Event] = append(byEvent[pause.Event], ports.Paused{Run: id, Pause: pause})
	}
	for _, name := range names {
		if err := r.catchUp(ctx, name, byEvent[name]); err != nil {
			r.logger.ErrorContext(ctx, "events that came while a wait was stored", "run_id", id.String(), "event_name", name, "error", err)
		}
	}
}

// catchUp gives the waits the events of the name that came since they were asked for, oldest first.
func (r *Router) catchUp(ctx context.Context, name string, waits []ports.Paused) error {
	events, err := r.events.Events(ctx, ports.EventQuery{Name: name, After: waits[0].Pause.CreatedAt, Limit: meanwhile})
	if err != nil {
		return fmt.Errorf("events %q: %w", name, err)
	}
	for _, e := range slices.Backward(events) {
		if err := r.match(ctx, e, slices.Clone(waits)); err != nil {
			return err
		}
	}
	return nil
}

// match ends those of the pauses whose condition the event meets. The pauses come by run; the slice is the function's to change.
func (r *Router) match(ctx context.Context, e event.Tracked, paused []ports.Paused) error {
	now := r.clock.Now()
	subject := expr.NewSubject(e.Event, now)
	met := slices.DeleteFunc(paused, func(p ports.Paused) bool { return !r.meets(ctx, subject, p) })
	return r.each(ctx, met, func(ctx context.Context, id ulid.ULID, in run.Matched) error {
		in.Event, in.Now = e, now
		return r.advance.Offer(ctx, id, in)
	})
}
