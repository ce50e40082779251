package start

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// Functions tell what runs of a function begin with.
type Functions interface {
	Templates
	Standings
	// Flow is the flow control that an active function asks for; nil for none.
	Flow(function uuid.UUID) *flow.Settings
}

// Run is a run that is wanted. The ID in its Spec was made before Functions are asked: whoever pauses a function and then has
// runs with earlier IDs refused has every run refused that does not know of the pause.
type Run struct {
	Function function.Function
	// Spec is complete but for what flow control adds.
	Spec run.Spec
	// From is what the run is scheduled for.
	From flow.Origin
	// Unique says that the run is a duplicate of any other with the Spec's key.
	Unique bool
	// Record is what else is kept of the run: Steps, Original, Cron, Batch and Instead.
	Record ports.NewRun
	// Waiter makes the event that tells whoever waits for the run why there is none; nil when nobody does.
	Waiter func(reason string) []event.Tracked
}

// duplicateReason is what those who wait for a run are told when another has its key.
const duplicateReason = "invoked function was not started: an event with its id has started it before"

// Plan adds a run to a schedule: to start, to be decided about by flow control in the commit, or as one that does not start,
// because its function is paused or a key of its flow control cannot be evaluated on its event. What could be evaluated only in
// part is logged.
//
// Source: spec 11 §1.2, §2.
func Plan(schedule *ports.Schedule, functions Functions, r Run, log *slog.Logger) {
	skip := functions.Standing(r.Function.ID).Skip()
	request, err := r.evaluate(functions.Flow(r.Function.ID), log)
	switch {
	case err != nil:
		r.refuse(schedule, flow.NotSkipped, run.Refuse(fmt.Sprintf("flow control of the function failed: %s", err), r.Spec.Now), err.Error())
	case request == nil && skip != flow.NotSkipped && r.From == flow.FromRequest && r.Unique:
		// Whoever repeats a request is told its run, paused or not, which is for the commit to find out.
		request = &flow.Request{Values: flow.Evaluated{From: r.From}, ID: r.Spec.ID, Event: r.Spec.Events[0]}
		schedule.Runs = append(schedule.Runs, r.newRun(request, skip))
	case request == nil && skip != flow.NotSkipped:
		r.refuse(schedule, skip, run.Skip(skip, r.Spec.Now), skip.Sentence())
	default:
		schedule.Runs = append(schedule.Runs, r.newRun(request, skip))
	}
}

// evaluate gives the run its keys, and asks flow control; the request is nil when it has nothing to decide.
func (r *Run) evaluate(settings *flow.Settings, log *slog.Logger) (*flow.Request, error) {
	if settings == nil {
		return nil, nil
	}
	first := r.Spec.Events[0]
	values := settings.Evaluate(first.Event, r.From, r.Spec.Now)
	for _, fault := range values.Faults {
		log.Debug("setting could not be evaluated", "fn_id", r.Function.ID.String(), "event_id", first.InternalID.String(), "error", fault)
	}
	if values.Err != nil {
		return nil, values.Err
	}
	r.Spec.Keys, r.Spec.Lock = values.Keys(), values.SingletonKey
	if !values.Batched && values.RateLimit == nil && !values.Debounced && values.SingletonKey == "" {
		return nil, nil
	}
	request := &flow.Request{Settings: settings, Values: values, ID: r.Spec.ID, Event: first}
	if values.Batched {
		request.Size = size(first.Event)
	}
	return request, nil
}

// size is how large an event is as JSON.
func size(e event.Event) int {
	text, err := json.Marshal(e)
	if err != nil {
		return len(e.Data) + len(e.User)
	}
	return len(text)
}

func (r *Run) newRun(request *flow.Request, skip flow.SkipReason) ports.NewRun {
	next := r.Record
	state, jobs := run.New(r.Spec)
	next.State, next.Start, next.More, next.Request, next.Paused = state, jobs[0], jobs[1:], request, skip != flow.NotSkipped
	next.Spans = r.spans(jobs[0].At)
	if r.Unique {
		next.IdempotencyKey = state.Idempotency
	}
	if r.Waiter != nil {
		next.Instead = r.instead(request, skip)
	}
	return next
}

// instead are the events for whoever waits for the run, by what may become of it.
func (r *Run) instead(request *flow.Request, skip flow.SkipReason) map[flow.Result][]event.Tracked {
	events := map[flow.Result][]event.Tracked{}
	if r.Unique {
		events[flow.Duplicate] = r.Waiter(duplicateReason)
	}
	if request == nil {
		return events
	}
	if request.Values.RateLimit != nil {
		events[flow.RateLimited] = r.Waiter(flow.InvokedRateLimited)
	}
	if skip == flow.NotSkipped {
		skip = flow.SkippedBySingleton
	}
	events[flow.Skipped] = r.Waiter(skip.Sentence())
	return events
}

// spans are what history shows of the run when it starts.
func (r *Run) spans(due time.Time) []trace.Span {
	return trace.Scheduled(trace.Beginning{
		Spec: r.Spec, Due: due, From: r.From, Batch: r.Record.Batch, Original: r.Record.Original, Cron: r.Record.Cron,
	})
}

// refuse records a run that does not start.
func (r *Run) refuse(schedule *ports.Schedule, skip flow.SkipReason, end run.Finish, reason string) {
	schedule.Skipped = append(schedule.Skipped, ports.SkippedRun{
		RunID: r.Spec.ID, FunctionID: r.Function.ID, Event: r.Spec.Events[0].InternalID, Cron: r.Record.Cron, End: end,
		Spans: trace.Ended(r.spans(time.Time{}), end, skip, ulid.ULID{}),
	})
	if r.Waiter != nil {
		schedule.Publish = append(schedule.Publish, r.Waiter(reason)...)
	}
}
