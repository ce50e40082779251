// Package pausing lets an operator pause a function: events start no runs of it until it is resumed. Runs in progress go on.
package pausing

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Registry is told what is paused.
type Registry interface {
	SetPaused(function uuid.UUID, paused bool)
}

// Pauser is the use case. It is safe for concurrent use.
type Pauser struct {
	catalog  ports.Catalog
	store    ports.Store
	registry Registry
	clock    ports.Clock
	log      *slog.Logger

	// mu keeps the catalog and the registry in step: nobody comes between the two writes of another.
	mu sync.Mutex
}

// New returns the use case.
func New(catalog ports.Catalog, store ports.Store, registry Registry, clock ports.Clock, log *slog.Logger) *Pauser {
	return &Pauser{catalog: catalog, store: store, registry: registry, clock: clock, log: log}
}

// Set pauses or resumes an app's active function, named by its slug or by its ID within the app, and returns it. When it
// returns, the pause is durable and no run of the function is created any more that was decided on before. What is so
// already stays so, and after an error that is not ports.ErrNotFound, which says that there is no such function, repeating
// the call makes up for it.
func (p *Pauser) Set(ctx context.Context, app, name string, paused bool) (function.Function, error) {
	fn, err := p.find(ctx, app, name)
	if err != nil {
		return function.Function{}, fmt.Errorf("find function %q of app %q: %w", name, app, err)
	}
	return fn, p.set(ctx, fn, paused)
}

// SetByID is Set for a function by its ID, archived or not.
func (p *Pauser) SetByID(ctx context.Context, id uuid.UUID, paused bool) (function.Function, error) {
	fn, err := ports.One(p.catalog.FunctionsByID(ctx, []uuid.UUID{id}))
	if err != nil {
		return function.Function{}, fmt.Errorf("find function: %w", err)
	}
	return fn, p.set(ctx, fn, paused)
}

func (p *Pauser) set(ctx context.Context, fn function.Function, paused bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.catalog.SetPaused(ctx, fn.ID, paused); err != nil {
		return fmt.Errorf("pause function %s: %w", fn.ID, err)
	}
	p.registry.SetPaused(fn.ID, paused)
	if paused {
		// Whoever asked the registry before has a run with an ID of this millisecond at the latest.
		if err := p.store.Fence(ctx, fn.ID, p.clock.Now().Truncate(time.Millisecond).Add(time.Millisecond)); err != nil {
			return fmt.Errorf("pause function %s: %w", fn.ID, err)
		}
	}
	p.log.InfoContext(ctx, "function pause set", "fn_id", fn.ID.String(), "fn_slug", fn.Slug, "paused", paused)
	return nil
}

func (p *Pauser) find(ctx context.Context, app, name string) (function.Function, error) {
	its, err := p.catalog.AppByName(ctx, app)
	if err != nil {
		return function.Function{}, err
	}
	functions, err := p.catalog.FunctionsOf(ctx, its.ID)
	if err != nil {
		return function.Function{}, err
	}
	for _, slug := range function.Slugs(app, name) {
		if at := slices.IndexFunc(functions, func(fn ports.FunctionRecord) bool { return fn.Slug == slug }); at >= 0 {
			return functions[at].Function, nil
		}
	}
	return function.Function{}, ports.ErrNotFound
}
