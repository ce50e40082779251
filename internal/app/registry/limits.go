package registry

import (
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
)

// Limiter is told what the jobs of a function are limited by; nil for nothing. See ports.Queue.
type Limiter interface {
	Limit(function uuid.UUID, settings *flow.Settings)
}

// Limits is an Observer that tells a limiter of the flow control of functions, as it is after each change.
type Limits struct {
	registry *Registry
	limiter  Limiter
}

// NewLimits returns an observer that has told nothing yet.
func NewLimits(registry *Registry, limiter Limiter) *Limits {
	return &Limits{registry: registry, limiter: limiter}
}

// Changed implements Observer. What is queued of a function that is gone is limited by nothing any more.
func (l *Limits) Changed(put []function.Function, gone []uuid.UUID) {
	for _, fn := range put {
		l.limiter.Limit(fn.ID, l.registry.Flow(fn.ID))
	}
	for _, id := range gone {
		l.limiter.Limit(id, nil)
	}
}
