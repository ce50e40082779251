package start

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Starter commits schedules. It is safe for concurrent use.
type Starter struct {
	Store   ports.Store
	Advance *advance.Advancer
	Tracker advance.Tracker
	Clock   ports.Clock
}

// tries bounds how often a schedule is decided on anew. Each time somebody else has done something about its functions.
const tries = 100

// Schedule decides and commits. It does so again, with new IDs, when something was done about a function in between, after it
// has cancelled a run whose lock is taken over, and with an answer for whoever waits for an event that a debounce supersedes. It returns
// the schedule that was committed.
func (s *Starter) Schedule(ctx context.Context, decide func() ports.Schedule) (ports.Schedule, []ports.Scheduled, error) {
	var err error
	var answers answers
	for range tries {
		schedule := decide()
		answers.addTo(schedule.Runs)
		var scheduled []ports.Scheduled
		scheduled, err = s.Store.Schedule(ctx, schedule)
		if locked := (*ports.LockedError)(nil); errors.As(err, &locked) {
			if err := s.Advance.Offer(ctx, locked.Holder, run.CancelRequested{Now: s.Clock.Now()}); err != nil {
				return schedule, nil, fmt.Errorf("cancel run %s for a new one: %w", locked.Holder, err)
			}
			continue
		}
		if superseded := (*ports.SupersededError)(nil); errors.As(err, &superseded) {
			answers.put(superseded, s.answer(schedule.Runs, superseded))
			continue
		}
		if !errors.Is(err, ports.ErrOutdated) {
			return schedule, scheduled, err
		}
	}
	return ports.Schedule{}, nil, fmt.Errorf("%w: %w", ports.ErrUnavailable, err)
}

// answer tells whoever waits for a run of the function that there will be none for the event. Who waits for a run of another function that
// the event invokes is not told.
func (s *Starter) answer(runs []ports.NewRun, superseded *ports.SupersededError) []event.Tracked {
	correlation := Awaits(slugOf(runs, superseded.Function), superseded.Function, superseded.Event.Event)
	if correlation == "" {
		return nil
	}
	return s.Tracker.Track(NotStarted(correlation, flow.InvokedSuperseded, s.Clock.Now()))
}

func slugOf(runs []ports.NewRun, function uuid.UUID) string {
	for i := range runs {
		if runs[i].State.FunctionID == function {
			return runs[i].State.Slug
		}
	}
	return ""
}

// answers are those to superseded events, by function and event.
type answers map[uuid.UUID]map[ulid.ULID][]event.Tracked

func (a *answers) put(superseded *ports.SupersededError, answer []event.Tracked) {
	if *a == nil {
		*a = answers{}
	}
	if (*a)[superseded.Function] == nil {
		(*a)[superseded.Function] = map[ulid.ULID][]event.Tracked{}
	}
	(*a)[superseded.Function][superseded.Event.InternalID] = answer
}

func (a *answers) addTo(runs []ports.NewRun) {
	for i := range runs {
		runs[i].Answers = (*a)[runs[i].State.FunctionID]
	}
}
