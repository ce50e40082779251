package execute

import (
	"sync"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/run"
)

// Overrides are limits that were set for single functions while the server runs. They are for tests of apps, are not
// stored, and are gone after a restart. Safe for concurrent use. Spec 04 §5.3.
type Overrides struct {
	// NoMetadata drops what apps attach to steps and runs. It is set before the first use.
	NoMetadata bool

	mu     sync.RWMutex
	steps  map[uuid.UUID]int
	states map[uuid.UUID]int
}

// Limits returns the limits of a function's runs.
func (o *Overrides) Limits(fn uuid.UUID) run.Limits {
	limits := run.DefaultLimits
	limits.Metadata = !o.NoMetadata
	o.mu.RLock()
	defer o.mu.RUnlock()
	if n, ok := o.steps[fn]; ok {
		limits.Steps = n
	}
	if n, ok := o.states[fn]; ok {
		limits.StateBytes = n
	}
	return limits
}

// SetSteps limits the steps of a function's runs; SetState limits the bytes of their memos.
func (o *Overrides) SetSteps(fn uuid.UUID, limit int) { o.set(&o.steps, fn, limit) }

// SetState limits the bytes of the memos of a function's runs.
func (o *Overrides) SetState(fn uuid.UUID, limit int) { o.set(&o.states, fn, limit) }

// DropSteps removes a limit of steps and reports whether there was one.
func (o *Overrides) DropSteps(fn uuid.UUID) bool { return o.drop(o.steps, fn) }

// DropState removes a limit of bytes and reports whether there was one.
func (o *Overrides) DropState(fn uuid.UUID) bool { return o.drop(o.states, fn) }

func (o *Overrides) set(limits *map[uuid.UUID]int, fn uuid.UUID, limit int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if *limits == nil {
		*limits = map[uuid.UUID]int{}
	}
	(*limits)[fn] = limit
}

func (o *Overrides) drop(limits map[uuid.UUID]int, fn uuid.UUID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := limits[fn]
	delete(limits, fn)
	return ok
}
