package mem

import (
	"context"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Functions implements ports.Catalog.
func (b *Backend) Functions(context.Context) ([]function.Function, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var active []function.Function
	for _, f := range b.funcs {
		if app := b.apps[f.AppID]; !f.archived && app != nil && !app.archived {
			active = append(active, f.Function)
		}
	}
	return active, nil
}

// Function implements ports.Catalog.
func (b *Backend) Function(_ context.Context, id uuid.UUID) (function.Function, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.funcs[id]; f != nil {
		return f.Function, nil
	}
	return function.Function{}, ports.ErrNotFound
}

// Apps implements ports.Catalog.
func (b *Backend) Apps(context.Context) ([]function.App, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var active []function.App
	for _, a := range b.apps {
		if !a.archived {
			active = append(active, a.App)
		}
	}
	return active, nil
}

// AppByName implements ports.Catalog.
func (b *Backend) AppByName(_ context.Context, name string) (function.App, []function.Function, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.named(name)
	if a == nil {
		return function.App{}, nil, ports.ErrNotFound
	}
	var own []function.Function
	for _, f := range b.funcs {
		if f.AppID == a.ID && !f.archived {
			own = append(own, f.Function)
		}
	}
	found := a.App
	found.Archived = a.archived
	return found, own, nil
}

func (b *Backend) named(name string) *app {
	for _, a := range b.apps {
		if a.Name == name && name != "" {
			return a
		}
	}
	return nil
}

// AppByURL implements ports.Catalog.
func (b *Backend) AppByURL(_ context.Context, url string) (function.App, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.at(url); a != nil {
		return a.App, nil
	}
	return function.App{}, ports.ErrNotFound
}

func (b *Backend) at(url string) *app {
	for _, a := range b.apps {
		if a.URL == url && !a.archived {
			return a
		}
	}
	return nil
}

// Sync implements ports.Catalog.
func (b *Backend) Sync(_ context.Context, plan function.SyncPlan) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range plan.DropPlaceholders {
		b.archiveApp(id)
	}
	b.apps[plan.App.ID] = &app{App: plan.App}
	for _, id := range plan.Archive {
		b.archive(id)
	}
	for _, f := range plan.Put {
		b.funcs[f.ID] = &fn{Function: f}
	}
	return nil
}

func (b *Backend) archive(id uuid.UUID) {
	if f := b.funcs[id]; f != nil {
		f.archived = true
	}
}

func (b *Backend) archiveApp(id uuid.UUID) {
	if a := b.apps[id]; a != nil {
		a.archived = true
	}
	for _, f := range b.funcs {
		if f.AppID == id {
			f.archived = true
		}
	}
}

// PutPlaceholder implements ports.Catalog.
func (b *Backend) PutPlaceholder(_ context.Context, placeholder function.App) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at(placeholder.URL) == nil {
		b.apps[placeholder.ID] = &app{App: placeholder}
	}
	return nil
}

// SetAppError implements ports.Catalog.
func (b *Backend) SetAppError(_ context.Context, id uuid.UUID, message string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.apps[id]
	if a == nil {
		return ports.ErrNotFound
	}
	a.Error = message
	return nil
}

// RemoveApp implements ports.Catalog.
func (b *Backend) RemoveApp(_ context.Context, id uuid.UUID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.apps[id]; a == nil || a.archived {
		return ports.ErrNotFound
	}
	b.archiveApp(id)
	return nil
}
