package history

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// Output returns what went into a span and what came out, by an ID that a trace had. A span that is not there has neither. Errors are
// those of trace.ParseOutputID.
func (r *Reader) Output(ctx context.Context, outputID string) (trace.Output, error) {
	id, err := trace.ParseOutputID(outputID)
	if err != nil {
		return trace.Output{}, err
	}
	var input, output json.RawMessage
	if id.Span != "" {
		if input, output, err = r.payload(ctx, id.Run, id.Span); err != nil {
			return trace.Output{}, err
		}
	}
	switch id.Input { // a row may have an input that the span is not shown with
	case id.Span:
	case "":
		input = nil
	default:
		if input, _, err = r.payload(ctx, id.Run, id.Input); err != nil {
			return trace.Output{}, err
		}
	}
	return trace.ReadOutput(input, output, id), nil
}

// payload is that of a row; of a row that is not there it is empty.
func (r *Reader) payload(ctx context.Context, run ulid.ULID, span string) (input, output json.RawMessage, err error) {
	input, output, err = r.History.Payload(ctx, run, span)
	if errors.Is(err, ports.ErrNotFound) {
		return nil, nil, nil
	}
	return input, output, err
}

// Trigger is what started a run. Spec 05 §7.3.
type Trigger struct {
	// Events are the IDs of all events, Payloads those of them that are stored, in the same order.
	Events   []ulid.ULID
	Payloads []event.Tracked
	// At is the earliest time of an ID; zero when there is none.
	At time.Time
	// Name is that of the events; empty for a cron, or when they differ.
	Name  string
	Batch ulid.ULID
	Cron  string
}

// Trigger returns what started a run; *NotFoundError when the run is not known.
func (r *Reader) Trigger(ctx context.Context, run ulid.ULID) (Trigger, error) {
	summary, err := r.Run(ctx, run)
	if err != nil {
		return Trigger{}, err
	}
	t := Trigger{Events: summary.Events, Batch: summary.Batch, Cron: summary.Cron}
	found, err := r.History.EventsByID(ctx, t.Events)
	if err != nil {
		return Trigger{}, err
	}
	for _, id := range t.Events {
		if at := ulid.Time(id.Time()).UTC(); t.At.IsZero() || at.Before(t.At) {
			t.At = at
		}
		if i := slices.IndexFunc(found, func(e event.Tracked) bool { return e.InternalID == id }); i >= 0 {
			t.Payloads = append(t.Payloads, found[i])
		}
	}
	if t.Cron == "" && len(t.Payloads) > 0 {
		t.Name = t.Payloads[0].Name
		if slices.ContainsFunc(t.Payloads, func(e event.Tracked) bool { return e.Name != t.Name }) {
			t.Name = ""
		}
	}
	return t, nil
}
