package cron

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/ports"
)

const (
	// loadBatch is how many schedules begin or end in one transaction of Load.
	loadBatch = 500
	// loadTries bounds how often Load begins again because somebody else moves schedules.
	loadTries = 5
)

// Load reads where all schedules are, once the registry has told of the functions and before anything is registered. A schedule
// that has no place, because another server has registered it, begins now; places of schedules that no function has are taken
// away. Errors are those of the ports.
func (s *Scheduler) Load(ctx context.Context) error {
	var err error
	for range loadTries {
		if err = s.load(ctx); !errors.Is(err, ports.ErrConflict) {
			return err
		}
	}
	return err
}

func (s *Scheduler) load(ctx context.Context) error {
	ticks, err := s.d.Catalog.Ticks(ctx, uuid.Nil)
	if err != nil {
		return fmt.Errorf("read ticks: %w", err)
	}
	changes := s.compare(ticks)
	for batch := range slices.Chunk(changes, loadBatch) {
		if _, err := s.d.Store.Schedule(ctx, ports.Schedule{Ticks: batch}); err != nil {
			return fmt.Errorf("begin and end %d schedules: %w", len(batch), err)
		}
	}
	for id, its := range byFunction(slices.Concat(ticks, changes)) {
		s.stand(id, its)
	}
	return nil
}

// compare returns what begins the schedules that have no place and ends the places that have no schedule.
func (s *Scheduler) compare(ticks []ports.Tick) []ports.Tick {
	s.mu.Lock()
	defer s.mu.Unlock()
	type key struct {
		function   uuid.UUID
		expression string
	}
	placed := make(map[key]bool, len(ticks))
	var changes []ports.Tick
	for _, tick := range ticks {
		placed[key{tick.FunctionID, tick.Expression}] = true
		known := s.functions[tick.FunctionID]
		if known == nil || known.entries[tick.Expression] == nil {
			changes = append(changes, ports.Tick{FunctionID: tick.FunctionID, Expression: tick.Expression, Previous: tick.At})
		}
	}
	now := s.d.Clock.Now()
	for id, known := range s.functions {
		for expression := range known.entries {
			if !placed[key{id, expression}] {
				changes = append(changes, ports.Tick{FunctionID: id, Expression: expression, At: now})
			}
		}
	}
	return changes
}
