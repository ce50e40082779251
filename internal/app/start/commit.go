package start

import (
	"context"
	"errors"
	"fmt"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Starter commits schedules. It is safe for concurrent use.
type Starter struct {
	Store   ports.Store
	Advance *advance.Advancer
	Clock   ports.Clock
}

// tries bounds how often a schedule is decided on anew. Each time somebody else has done something about its functions.
const tries = 100

// Schedule decides and commits. It does so again, with new IDs, when something was done about a function in between, and after it
// has cancelled a run whose lock is taken over. It returns the schedule that was committed.
func (s *Starter) Schedule(ctx context.Context, decide func() ports.Schedule) (ports.Schedule, []ports.Scheduled, error) {
	var err error
	for range tries {
		schedule := decide()
		var scheduled []ports.Scheduled
		scheduled, err = s.Store.Schedule(ctx, schedule)
		if locked := (*ports.LockedError)(nil); errors.As(err, &locked) {
			if err := s.Advance.Offer(ctx, locked.Holder, run.CancelRequested{Now: s.Clock.Now()}); err != nil {
				return schedule, nil, fmt.Errorf("cancel run %s for a new one: %w", locked.Holder, err)
			}
			continue
		}
		if !errors.Is(err, ports.ErrOutdated) {
			return schedule, scheduled, err
		}
	}
	return ports.Schedule{}, nil, fmt.Errorf("%w: %w", ports.ErrUnavailable, err)
}
