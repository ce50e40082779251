package sim

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// traced checks what history shows of the runs: each has one root, with the status that it ended with, and one row of each step
// that it has a memo of, but for those that it began with.
func (w *World) traced() {
	all := w.backend.AllSpans()
	records := w.backend.Runs()
	for _, r := range records {
		w.shownOf(r, trace.Merge(slices.Clone(all[r.RunID])))
		delete(all, r.RunID)
	}
	for id := range all {
		w.check.violated("history shows run %s, which there is not", id)
	}
}

func (w *World) shownOf(r ports.RunRecord, rows []trace.Span) {
	roots, final := 0, map[string]int{}
	for _, row := range rows {
		switch {
		case row.Name == trace.NameExtend:
			w.check.violated("run %s: history adds to span %s, which it does not show", r.RunID, row.Dynamic)
		case row.Name == trace.NameRun:
			if roots++; row.Status != trace.Status(r.Status) || row.Summary.EndedAt.IsZero() {
				w.check.violated("run %s is %s, history shows %s", r.RunID, r.Status, row.Status)
			}
		case row.Name == trace.NameStep && row.Status.Ended() && row.Status != trace.Errored:
			final[row.Dynamic]++
		}
	}
	if roots != 1 {
		w.check.violated("run %s: history shows %d roots", r.RunID, roots)
	}
	for _, step := range w.ownSteps(r.RunID) {
		if n := final[trace.StepID(step)] + final[trace.SleepID(step)]; n != 1 {
			w.check.violated("run %s: history shows %d ends of step %s", r.RunID, n, step)
		}
	}
}

// ownSteps are the steps that have got their memo in the run.
func (w *World) ownSteps(id ulid.ULID) []string {
	steps, err := w.backend.Steps(context.Background(), id)
	if err != nil {
		w.check.violated("steps of run %s: %v", id, err)
	}
	begun := w.backend.BegunWith(id)
	var own []string
	for _, step := range steps {
		if !slices.Contains(begun, step.ID) {
			own = append(own, step.ID)
		}
	}
	return own
}
