package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// orders about functions are what an operator does: cancel runs in bulk, take that back, pause a function, resume it. What
// must hold:
//
//   - once a cancellation is completed no run that it is for is in progress, and none is begun later;
//   - a run that is cancelled is one that somebody wanted to be cancelled;
//   - once a function is paused no run of it begins, until somebody begins to resume it;
//   - a run that is skipped is one of a function that was paused.

// order does one of them.
func (w *World) order(ctx context.Context) {
	fn, between := w.target()
	switch {
	case w.chance(2):
		w.cancelRuns(ctx, fn)
		w.hurry()
		if between || w.chance(2) {
			w.clock.now = w.clock.now.Add(cancellation.Tolerance)
			w.note("clock passes the bound")
			if w.takeOrder(ctx) {
				w.hurry()
			}
		}
	case len(w.orders) > 0 && w.chance(4):
		id := w.orders[w.rng.IntN(len(w.orders))].ID
		w.start("delete cancellation "+id.String(), func() { _ = w.canceller.Delete(ctx, id) })
	case !w.pausing:
		w.pause(ctx, fn, !w.paused[fn.Slug])
		w.hurry()
	}
}

// target is a function to give an order about: at best one of which a run is about to be created, since an order that comes
// in between is the one that is hard to follow. It reports whether it is one.
func (w *World) target() (fn function.Function, between bool) {
	all := w.app.functions()
	for _, t := range w.tasks {
		at := slices.IndexFunc(w.app.programs, func(p program) bool {
			return t.name == "route sim/"+p.name || strings.HasPrefix(t.name, "invoke sim-"+p.name+" ")
		})
		if t.at == "schedule" && at >= 0 && !w.chance(3) {
			return all[at], true
		}
	}
	if w.chance(3) {
		return all[w.rng.IntN(len(all))], false
	}
	return all[w.latest], false
}

// hurry goes on with the task that was started last, as a rule to its end, while all others stand still.
func (w *World) hurry() {
	if len(w.tasks) == 0 {
		return
	}
	last := w.tasks[len(w.tasks)-1]
	for !w.chance(20) {
		at := slices.Index(w.tasks, last)
		if at < 0 {
			return
		}
		w.resume(at)
	}
}

// cancelRuns asks for runs of a span of time to be cancelled, some of them by the number of their event.
func (w *World) cancelRuns(ctx context.Context, fn function.Function) {
	before := w.clock.now.Add(cancellation.Tolerance - time.Duration(w.rng.IntN(10))*time.Second)
	body := map[string]any{"app_id": "sim", "function_id": fn.Slug, "started_before": before}
	if w.chance(2) {
		body["started_after"] = before.Add(-time.Duration(1+w.rng.IntN(7200)) * time.Second)
	}
	if w.chance(3) {
		body["if"] = fmt.Sprintf("event.data.n >= %d", w.rng.IntN(w.numbers+1))
	}
	text, err := json.Marshal(body)
	if err != nil {
		w.check.violated("request of a cancellation: %v", err)
		return
	}
	w.start("cancel runs of "+fn.Slug, func() { _, _ = w.canceller.Create(ctx, text) })
}

// pause pauses or resumes a function, until the server says that it is so. Only one such task is under way at a time: they
// wait for each other, and in the simulation nobody may wait.
func (w *World) pause(ctx context.Context, fn function.Function, paused bool) {
	w.pausing = true
	w.everPaused[fn.Slug] = w.everPaused[fn.Slug] || paused
	delete(w.paused, fn.Slug)
	w.start(fmt.Sprintf("pause %s: %t", fn.Slug, paused), func() {
		for range deliveries {
			if _, err := w.pauser.Set(ctx, "sim", fn.Slug, paused); err == nil {
				if paused {
					w.paused[fn.Slug] = true
				}
				break
			}
		}
		w.pausing = false
	})
}

// requested notes a cancellation that the server may have accepted.
func (w *World) requested(c cancellation.Cancellation) { w.orders = append(w.orders, c) }

// fulfilled checks that no run is in progress that an ended cancellation is for.
func (w *World) fulfilled(c cancellation.Cancellation) {
	if c.State != cancellation.Completed {
		w.check.violated("cancellation %s of %s is %s: %s", c.ID, c.Slug, c.State, c.Error)
		return
	}
	w.completed = append(w.completed, c)
	runs, err := w.backend.RunsOf(context.Background(), ports.RunsQuery{Function: c.FunctionID, Limit: 1000})
	if err != nil {
		w.check.violated("list runs: %v", err)
	}
	for _, id := range runs {
		if state, err := w.backend.Load(context.Background(), id); err == nil && w.meant(c, state) {
			w.check.violated("run %s of %s is in progress although cancellation %s is completed", id, c.Slug, c.ID)
		}
	}
}

// begun checks a run that was created.
func (w *World) begun(s run.State) {
	if w.paused[s.Slug] {
		w.check.violated("run %s of %s begins while the function is paused", s.ID, s.Slug)
	}
	for _, c := range w.completed {
		if w.meant(c, s) {
			w.check.violated("run %s of %s begins although cancellation %s of such runs is completed", s.ID, s.Slug, c.ID)
		}
	}
}

// meant says whether a cancellation is for the run.
func (w *World) meant(c cancellation.Cancellation, s run.State) bool {
	if c.FunctionID != s.FunctionID || !c.Covers(s.ID) {
		return false
	}
	if c.If == "" {
		return true
	}
	condition, err := expr.Compile(c.If)
	if err != nil {
		w.check.violated("condition of cancellation %s: %v", c.ID, err)
		return false
	}
	met, err := cancellation.Meets(condition, s, w.clock.now)
	return met && err == nil
}

// ordered says whether somebody may have wanted a run to be cancelled in bulk.
func (w *World) ordered(r ports.RunRecord) bool {
	e, err := w.backend.Event(context.Background(), r.EventID)
	if err != nil {
		return false
	}
	state := run.State{ID: r.RunID, FunctionID: r.FunctionID}
	state.Events = append(state.Events, e)
	return slices.ContainsFunc(w.orders, func(c cancellation.Cancellation) bool { return w.meant(c, state) })
}

// slug is the name of a function.
func (w *World) slug(r ports.RunRecord) string {
	for _, fn := range w.app.functions() {
		if fn.ID == r.FunctionID {
			return fn.Slug
		}
	}
	return ""
}

// fulfils reports whether cancellations are left to be worked off.
func (w *World) fulfils() bool {
	all, err := w.backend.Cancellations().List(context.Background())
	return err != nil || slices.ContainsFunc(all, func(c cancellation.Cancellation) bool { return c.State == cancellation.Active })
}

// takeOrder begins to work on a cancellation that is due, if there is one.
func (w *World) takeOrder(ctx context.Context) bool {
	id, ok := w.canceller.Take()
	if ok {
		w.start("cancellation "+id.String(), func() { w.canceller.Do(ctx, id) })
	}
	return ok
}
