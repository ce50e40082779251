package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// checker holds what the apps have seen, and finds what they must never see.
type checker struct {
	// shown are the memos that a run's calls carried, by run and step.
	shown map[string]map[string]string
	// count is how often a step ran, by run and step.
	count map[string]int
	// runOf is the run that an event started, by function and event ID.
	runOf  map[string]string
	faults []string
}

func newChecker() *checker {
	return &checker{shown: map[string]map[string]string{}, count: map[string]int{}, runOf: map[string]string{}}
}

func (c *checker) violated(format string, values ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, values...))
}

// called checks a call: one run for an event, and memos that never go away or change.
func (c *checker) called(function, target string, body callBody, repeats bool) {
	start := function + " " + body.Event.ID
	if function == "ticks" {
		start += " " + body.Event.Data.Cron // its schedules may tick at once
	}
	if first := c.runOf[start]; repeats {
		// One event may start any number of reruns.
	} else if first == "" {
		c.runOf[start] = body.Ctx.RunID
	} else if first != body.Ctx.RunID {
		c.violated("event %s started %s twice: runs %s and %s", body.Event.ID, function, first, body.Ctx.RunID)
	}
	seen := c.shown[body.Ctx.RunID]
	if seen == nil {
		seen = map[string]string{}
		c.shown[body.Ctx.RunID] = seen
	}
	for _, id := range slices.Sorted(maps.Keys(body.Steps)) {
		memo := string(body.Steps[id])
		if before, ok := seen[id]; ok && before != memo {
			c.violated("run %s: memo of step %s changed from %s to %s", body.Ctx.RunID, id, before, memo)
		}
		seen[id] = memo
	}
	if _, done := seen[target]; done {
		c.violated("run %s: step %s is asked for although it is memoised", body.Ctx.RunID, target)
	}
}

// ran checks that a step is not run again once its memo was seen.
func (c *checker) ran(step string, body callBody) {
	c.count[body.Ctx.RunID+" "+step]++
	if _, done := c.shown[body.Ctx.RunID][step]; done {
		c.violated("run %s: step %s ran again after it was memoised", body.Ctx.RunID, step)
	}
}

func (c *checker) runs(step string, body callBody) int { return c.count[body.Ctx.RunID+" "+step] }

// ended checks the world once nothing is left to do.
func (w *World) ended() {
	runs, skipped := map[string]int{}, map[string]bool{}
	status := map[string]run.Status{}
	for _, r := range w.backend.Runs() {
		status[r.RunID.String()] = r.Status
		e, err := w.backend.Event(context.Background(), r.EventID)
		if err != nil {
			w.check.violated("run %s: its event is gone", r.RunID)
			continue
		}
		if r.Status == run.Skipped {
			w.skipped(r)
			skipped[e.Name+" "+e.ID] = true
			continue
		}
		if r.OriginalRunID == (ulid.ULID{}) {
			runs[e.Name+" "+e.ID]++
		}
		if r.Status == run.Cancelled && w.ordered(r) {
			continue
		}
		if want := w.wanted(w.slug(r), e.Event); !slices.Contains(want, r.Status) {
			w.check.violated("run %s of %s: %s with %s, want %v", r.RunID, e.Name, r.Status, r.Output, want)
		}
	}
	for _, e := range w.sent {
		if !keptBack(e.Name) {
			w.once(runs, skipped, e)
		}
	}
	for _, e := range w.backend.AllEvents() {
		target, _ := event.Target(e.Event)
		if e.Name == event.DeferredSchedule || e.Name == event.FunctionInvoked && target != "sim-none" && !event.IsDirect(e.Event) {
			w.once(runs, skipped, e.Event)
		}
	}
	w.told(status)
	w.traced()
	w.ticked()
	w.invoked()
	w.allReleased()
	for id, reason := range w.backend.Parked() {
		w.check.violated("%s is parked: %s", id, reason)
	}
}

// once checks that an event has one run, or none if a rate limit may have dropped it. One that came while its function was paused may have none, or, when it came again
// afterwards, one.
func (w *World) once(runs map[string]int, skipped map[string]bool, e event.Event) {
	key := e.Name + " " + e.ID
	if n := runs[key]; n > 1 || n == 0 && !skipped[key] && e.Name != "sim/rarely" {
		w.check.violated("event %s %s has %d runs, want 1", e.Name, e.ID, n)
	}
}

// skipped checks a run that did not begin.
func (w *World) skipped(r ports.RunRecord) {
	if w.slug(r) == "sim-alone" && string(r.Output) == `{"skipReason":"Singleton"}` {
		return
	}
	if !w.everPaused[w.slug(r)] {
		w.check.violated("run %s of %s is skipped, and nobody has paused the function", r.RunID, w.slug(r))
	}
	if r.EndedAt.IsZero() || string(r.Output) != `{"skipReason":"FunctionPaused"}` {
		w.check.violated("run %s is skipped without a reason: %s", r.RunID, r.Output)
	}
}

// wanted are the ways in which a run of the function and the event may end.
func (w *World) wanted(slug string, e event.Event) []run.Status {
	switch {
	case slug == "sim-fails", e.Name == "http/broken":
		return []run.Status{run.Failed}
	case slug == "sim-latest":
		return []run.Status{run.Completed, run.Cancelled}
	case slug == "sim-stops":
		var data struct{ N int }
		if json.Unmarshal(e.Data, &data) == nil && w.stopped[data.N] {
			return []run.Status{run.Completed, run.Cancelled}
		}
	}
	return []run.Status{run.Completed}
}

// told checks that every run told of its end exactly once.
func (w *World) told(status map[string]run.Status) {
	finished, failed, cancelled := map[string]int{}, map[string]int{}, map[string]int{}
	for _, e := range w.backend.AllEvents() {
		var data struct {
			RunID string `json:"run_id"`
		}
		if json.Unmarshal(e.Data, &data) != nil {
			continue
		}
		switch e.Name {
		case event.FunctionFinished:
			finished[data.RunID]++
		case event.FunctionFailed:
			failed[data.RunID]++
		case event.FunctionCancelled:
			cancelled[data.RunID]++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(status)) {
		want := map[run.Status]int{status[id]: 1}
		if status[id] == run.Skipped {
			continue // nobody waits for it
		}
		if finished[id] != 1 || failed[id] != want[run.Failed] || cancelled[id] != want[run.Cancelled] {
			w.check.violated("run %s (%s) published finished %d, failed %d and cancelled %d times",
				id, status[id], finished[id], failed[id], cancelled[id])
		}
	}
}
