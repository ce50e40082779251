package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/cron"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
)

// ticks are what the clock does. What must hold:
//
//   - a tick that a schedule has moved to has one timer event and one run, or one that is skipped because the function is paused;
//   - once the faults stop, every schedule has fired the latest of its ticks;
//   - a function that timer events start is started once for all schedules that tick at once.

// takeTick begins to fire a tick that is due, if there is one.
func (w *World) takeTick(ctx context.Context) bool {
	due := w.ticksDue()
	if due {
		w.start("tick", func() { _ = w.scheduler.Fire(ctx) })
	}
	return due
}

// ticksDue says whether the scheduler has something to do.
func (w *World) ticksDue() bool { return w.ticksWithin(0) }

// retryPause is how long the scheduler pauses at most before it tries again what failed. Once the faults have stopped, a tick that is
// owed fires within it.
const retryPause = 30 * time.Second

// ticksWithin says whether the scheduler has something to do within a time from now.
func (w *World) ticksWithin(d time.Duration) bool {
	next := w.scheduler.Next()
	return !next.IsZero() && !next.After(w.clock.now.Add(d))
}

// moved notes the ticks that schedules have moved to.
func (w *World) moved(ticks []ports.Tick) {
	for _, tick := range ticks {
		if !tick.Previous.IsZero() {
			w.ticks = append(w.ticks, tick)
		}
	}
}

// tickKey names a tick as its event and its run do.
func tickKey(function uuid.UUID, expression, id string) string {
	return fmt.Sprintf("%s %q %s", function, expression, id)
}

// ticked checks the ticks once nothing is left to do.
func (w *World) ticked() {
	events, runs := map[string]int{}, map[string]int{}
	for _, e := range w.backend.AllEvents() {
		var data struct{ Cron string }
		if e.Name == event.ScheduledTimer && json.Unmarshal(e.Data, &data) == nil {
			events[data.Cron+" "+e.ID]++
		}
	}
	for _, r := range w.backend.Runs() {
		if e, err := w.backend.Event(context.Background(), r.EventID); err == nil && r.Cron != "" && r.OriginalRunID == (ulid.ULID{}) {
			runs[tickKey(r.FunctionID, r.Cron, e.ID)]++
		}
	}
	fired := map[string]bool{}
	for _, tick := range w.ticks {
		id := tick.At.Format(time.RFC3339)
		key := tickKey(tick.FunctionID, tick.Expression, id)
		if fired[key] {
			w.check.violated("tick %s is fired twice", key)
		}
		fired[key] = true
		if runs[key] != 1 || events[tick.Expression+" "+id] != 1 {
			w.check.violated("tick %s has %d runs and %d events, want 1", key, runs[key], events[tick.Expression+" "+id])
		}
	}
	if len(runs) != len(fired) {
		w.check.violated("%d ticks have runs, and %d are fired", len(runs), len(fired))
	}
	for _, fn := range w.app.functions() {
		for _, expression := range fn.Schedules() {
			schedule, err := cron.Parse(expression, time.UTC)
			latest := schedule.Latest(began, w.clock.now)
			if key := tickKey(fn.ID, expression, latest.Format(time.RFC3339)); err != nil || !latest.IsZero() && !fired[key] {
				w.check.violated("tick %s is lost, %v", key, err)
			}
		}
	}
}
