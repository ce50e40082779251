package sim

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Flow control keeps events back, drops them and keeps runs from starting. What must hold:
//
//   - each event of a function that collects is in exactly one batch, which has no more events than it may;
//   - of the events that a debounce keeps back the latest by its own time starts the run, and no other;
//   - no two runs that need the same lock are in progress at once;
//   - a rate limit lets through what a bucket of its own does, and nothing else.

// controlled are the settings of the programs that flow control is about, by their names.
var controlled = map[string]function.Settings{
	"collects": {Batch: &function.Batch{MaxSize: 3, Timeout: "10m", Key: "event.data.k"}},
	"settles":  {Debounce: &function.Debounce{Period: "5m", Timeout: "12m", Key: "event.data.k"}},
	"rarely":   {RateLimit: &function.RateLimit{Limit: 2, Period: "1h", Key: "event.data.k"}},
	"alone":    {Singleton: &function.Singleton{Mode: function.SingletonSkip, Key: "event.data.k"}},
	"latest":   {Singleton: &function.Singleton{Mode: function.SingletonCancel}},
}

// controls is what flow control has done, as the answers of the store say.
type controls struct {
	settings map[uuid.UUID]*flow.Settings
	// held are holds as they were taken, batched counts the batches that an event was in.
	held    map[ports.HoldRef]ports.Hold
	batched map[ulid.ULID]int
	// waiting are the latest events of debounces, by their keys.
	waiting map[string]event.Tracked
	// spent are the buckets of rate limits, used the keys that have started runs.
	spent map[string]time.Time
	used  map[string]keyed
}

func newControls(functions []function.Function) *controls {
	c := &controls{
		settings: map[uuid.UUID]*flow.Settings{}, held: map[ports.HoldRef]ports.Hold{}, batched: map[ulid.ULID]int{},
		waiting: map[string]event.Tracked{}, spent: map[string]time.Time{}, used: map[string]keyed{},
	}
	for _, f := range functions {
		c.settings[f.ID], _ = flow.Compile(f) // a fault shows, since nothing is controlled then
	}
	return c
}

// scheduled checks what became of a schedule.
func (w *World) scheduled(s ports.Schedule, answers []ports.Scheduled) {
	if s.Hold != (ports.HoldRef{}) {
		w.settled(w.controls.held[s.Hold])
	}
	for i, answer := range answers[:min(len(answers), len(s.Runs))] { // a broken store may start more
		next := s.Runs[i]
		if answer.Result == flow.Started {
			w.begun(next.State)
		}
		w.invokedBy(next, answer.Result)
		if next.Request == nil {
			continue
		}
		switch settings, values := next.Request.Settings, next.Request.Values; {
		case answer.Result == flow.IntoDebounce:
			if waiting, waits := w.controls.waiting[values.DebounceKey]; !waits || next.Request.Event.TS >= waiting.TS {
				w.controls.waiting[values.DebounceKey] = next.Request.Event
			}
		case values.RateLimit != nil && !w.controls.used[next.IdempotencyKey].holds(w.clock.now):
			w.counted(settings, values.RateLimit.State(settings.Function), next.State.ID, answer.Result)
			if next.IdempotencyKey != "" && answer.Result == flow.Started {
				w.controls.used[next.IdempotencyKey] = keyed{next.State.ID, w.clock.now}
			}
		case values.SingletonKey != "" && answer.Result == flow.Started:
			w.locked(next.State)
		}
	}
}

// settled checks a hold that was settled.
func (w *World) settled(h ports.Hold) {
	if h.Kind == ports.HoldBatch {
		if settings := w.controls.settings[h.FunctionID]; len(h.Events) == 0 || len(h.Events) > settings.Batch.MaxSize {
			w.check.violated("batch %s has %d events", h.ID, len(h.Events))
		}
		for _, e := range h.Events {
			if w.controls.batched[e.InternalID]++; w.controls.batched[e.InternalID] > 1 {
				w.check.violated("event %s is in a batch again, %s", e.InternalID, h.ID)
			}
		}
		return
	}
	waiting, waits := w.controls.waiting[h.Key]
	if !waits || waiting.InternalID != h.Events[0].InternalID {
		w.check.violated("debounce %s ends with event %s, not with the latest, %s", h.ID, h.Events[0].InternalID, waiting.InternalID)
	}
	delete(w.controls.waiting, h.Key)
}

func (w *World) counted(settings *flow.Settings, bucket string, id ulid.ULID, result flow.Result) {
	taken := settings.RateLimit.Take(w.controls.spent[bucket], w.clock.now)
	if taken.Allowed == (result == flow.RateLimited) {
		w.check.violated("run %s became %s, and the rate limit allows it: %t", id, result, taken.Allowed)
	}
	w.controls.spent[bucket] = taken.TAT
}

// locked checks that a run that began is the only one with its lock.
func (w *World) locked(begun run.State) {
	runs, err := w.backend.RunsOf(context.Background(), ports.RunsQuery{Function: begun.FunctionID, Limit: 1000})
	if err != nil {
		w.check.violated("list runs: %v", err)
	}
	for _, id := range runs {
		state, err := w.backend.Load(context.Background(), id)
		if err == nil && id != begun.ID && state.Lock == begun.Lock {
			w.check.violated("runs %s and %s of %s are in progress at once", id, begun.ID, begun.Slug)
		}
	}
}

// allReleased checks that no event is kept back for good.
func (w *World) allReleased() {
	for _, e := range w.backend.AllEvents() {
		if e.Name == "sim/collects" && w.controls.batched[e.InternalID] == 0 {
			w.check.violated("event %s is in no batch", e.InternalID)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.controls.waiting)) {
		w.check.violated("event %s is kept back and starts no run", w.controls.waiting[key].InternalID)
	}
}

// keptBack says whether events of the name are held back, and start no run by their own ID.
func keptBack(name string) bool { return name == "sim/collects" || name == "sim/settles" }

// takeHold begins to work on a hold that is due, if there is one.
func (w *World) takeHold(ctx context.Context) bool {
	held, ok := w.backend.TryTakeHold()
	if ok {
		w.controls.held[held.HoldRef] = held
		w.start("hold "+string(held.Kind)+" "+held.ID.String(), func() { w.holds.Do(ctx, held) })
	}
	return ok
}

// holds are the holds as tasks see them.
type holds struct{ w *World }

// Take implements ports.Holds.
func (h holds) Take(context.Context) (ports.Hold, error) {
	return ports.Hold{}, ports.ErrClosed // the world hands out holds itself
}

// Release implements ports.Holds.
func (h holds) Release(ctx context.Context, ref ports.HoldRef, at time.Time) error {
	return h.w.do("release hold", func() error { return h.w.backend.Holds().Release(ctx, ref, at) })
}

// Park implements ports.Holds.
func (h holds) Park(ctx context.Context, ref ports.HoldRef, reason string) error {
	return h.w.do("park hold", func() error { return h.w.backend.Holds().Park(ctx, ref, reason) })
}
