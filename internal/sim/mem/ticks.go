package mem

import (
	"context"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// schedule is a schedule of a function.
type schedule struct {
	function   uuid.UUID
	expression string
}

// Ticks implements ports.Catalog.
func (b *Backend) Ticks(ctx context.Context, function uuid.UUID) ([]ports.Tick, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var ticks []ports.Tick
	for s, at := range b.ticks {
		if function == uuid.Nil || s.function == function {
			ticks = append(ticks, ports.Tick{FunctionID: s.function, Expression: s.expression, At: at})
		}
	}
	return ticks, nil
}

// ticksAre says whether schedules are where a caller thinks.
func (b *Backend) ticksAre(ticks []ports.Tick) bool {
	for _, tick := range ticks {
		if !b.ticks[schedule{tick.FunctionID, tick.Expression}].Equal(tick.Previous) {
			return false
		}
	}
	return true
}

func (b *Backend) moveTicks(ticks []ports.Tick) {
	for _, tick := range ticks {
		s := schedule{tick.FunctionID, tick.Expression}
		if tick.At.IsZero() {
			delete(b.ticks, s)
		} else {
			b.ticks[s] = tick.At.UTC()
		}
	}
}

// followTriggers makes the schedules of a function those that its triggers name.
func (b *Backend) followTriggers(f function.Function) {
	named := map[schedule]time.Time{}
	for _, expression := range f.Schedules() {
		s := schedule{f.ID, expression}
		if named[s] = b.ticks[s]; named[s].IsZero() {
			named[s] = b.clock.Now().UTC()
		}
	}
	b.forgetTicks(f.ID)
	maps.Copy(b.ticks, named)
}

func (b *Backend) forgetTicks(function uuid.UUID) {
	maps.DeleteFunc(b.ticks, func(s schedule, _ time.Time) bool { return s.function == function })
}
