// Package waiting answers what a run in progress waits for: its place in the queue, a limit, a time, or something from outside.
package waiting

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Functions finds functions, registered or archived.
type Functions interface {
	Function(ctx context.Context, id uuid.UUID) (function.Function, error)
}

// Waiting is the use case. It is safe for concurrent use.
type Waiting struct {
	store     ports.Store
	queue     ports.Queue
	functions Functions
}

// New returns the use case.
func New(store ports.Store, queue ports.Queue, functions Functions) *Waiting {
	return &Waiting{store: store, queue: queue, functions: functions}
}

// Why is what a run waits for. A run may wait for several things at once: the members of a parallel group wait each for its own.
type Why struct {
	Run        ulid.ULID
	FunctionID uuid.UUID
	// Function is the function's name as its author wrote it, empty when it is not known any more; Slug is there always.
	Function, Slug string
	// Jobs are the calls and sleeps of the run, those that are nearest to being done first.
	Jobs []Job
	// Pauses are what it waits for from outside, those that time out first in front.
	Pauses []Pause
	// Until is when the run goes on by itself, if it only waits for times and for what comes from outside; otherwise zero.
	Until time.Time
}

// Job is a job of the run, and why it waits.
type Job struct {
	ID   string
	Kind run.Kind
	// Parked says that it can never be worked on, and why is in the log. The rest is empty then.
	Parked bool
	flow.Waiting
}

// Pause is something that the run waits for from outside.
type Pause struct {
	Kind run.PauseKind
	// Step is the ID of the step that waits, Name is what the app calls it.
	Step, Name string
	// Event is the name of the event that is waited for and Expression the condition on it, with what the run's own event says already put
	// in. Signal is the name of a signal.
	Event, Expression, Signal string
	// Until is when the wait ends in any case.
	Until time.Time
}

// tries bounds how often a run is looked at that changes all the time.
const tries = 10

// Why says what a run waits for. ports.ErrNotFound: it is not in progress. Of a run that changes meanwhile it is what held at some moment.
func (w *Waiting) Why(ctx context.Context, id ulid.ULID) (Why, error) {
	state, err := w.store.Load(ctx, id)
	for range tries {
		if err != nil {
			break
		}
		var jobs []ports.JobWaiting
		if jobs, err = w.queue.Waiting(ctx, id, slices.Sorted(maps.Keys(state.Jobs))); err != nil {
			break
		}
		if len(jobs) == len(state.Jobs) {
			return w.tell(ctx, state, jobs)
		}
		// What the queue does not have is parked, or done since the state was read.
		known := state.Revision
		if state, err = w.store.Load(ctx, id); err == nil && state.Revision == known {
			return w.tell(ctx, state, jobs)
		}
	}
	if err == nil {
		err = fmt.Errorf("it does not come to rest: %w", ports.ErrConflict)
	}
	return Why{}, fmt.Errorf("what run %s waits for: %w", id, err)
}

// tell puts the answer together.
func (w *Waiting) tell(ctx context.Context, state run.State, found []ports.JobWaiting) (Why, error) {
	why := Why{Run: state.ID, FunctionID: state.FunctionID, Slug: state.Slug}
	fn, err := w.functions.Function(ctx, state.FunctionID)
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		return Why{}, fmt.Errorf("function of run %s: %w", state.ID, err)
	}
	why.Function = fn.Name
	timeouts := why.addPauses(state)
	why.addJobs(state, found, timeouts)
	why.Until = why.until()
	return why, nil
}

// addPauses adds what is waited for from outside and returns the jobs that end such waits. What may cancel the run is not waited for.
func (w *Why) addPauses(state run.State) (timeouts map[string]bool) {
	timeouts = map[string]bool{}
	for _, p := range state.Pauses {
		if p.Kind == run.PauseCancel {
			continue
		}
		timeouts[p.Job] = true
		w.Pauses = append(w.Pauses, Pause{
			Kind: p.Kind, Step: p.Op, Name: p.Name, Event: p.Event, Expression: p.Expression, Signal: p.Signal, Until: p.Expires,
		})
	}
	slices.SortFunc(w.Pauses, func(a, b Pause) int { return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.Step, b.Step)) })
	return timeouts
}

// addJobs adds the jobs that lead the run on. The timeout of a pause is told with the pause, until it is due.
func (w *Why) addJobs(state run.State, found []ports.JobWaiting, timeouts map[string]bool) {
	known := make(map[string]flow.Waiting, len(found))
	for _, one := range found {
		known[one.ID] = one.Waiting
	}
	for id, kind := range state.Jobs {
		waiting, queued := known[id]
		if kind == run.KindCancel || timeouts[id] && waiting.Reason == flow.DueLater {
			continue
		}
		w.Jobs = append(w.Jobs, Job{ID: id, Kind: kind, Parked: !queued, Waiting: waiting})
	}
	slices.SortFunc(w.Jobs, func(a, b Job) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), a.Expected.Compare(b.Expected), cmp.Compare(a.ID, b.ID))
	})
}

// rank orders jobs by how near they are to being done.
func (j Job) rank() int {
	if j.Parked {
		return len(nearest)
	}
	return slices.Index(nearest, j.Reason)
}

var nearest = []flow.Reason{flow.InHand, flow.ForWorker, flow.ForRoom, flow.ForToken, flow.DueLater}

// until is when the run goes on by itself, zero if something of it is due, or nothing will be.
func (w *Why) until() time.Time {
	var first time.Time
	earliest := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	for _, j := range w.Jobs {
		switch {
		case j.Parked:
		case j.Reason != flow.DueLater:
			return time.Time{}
		default:
			earliest(j.Expected)
		}
	}
	for _, p := range w.Pauses {
		earliest(p.Until)
	}
	return first
}
