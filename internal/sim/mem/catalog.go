package mem

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Functions implements ports.Catalog.
func (b *Backend) Functions(ctx context.Context) ([]function.Function, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var active []function.Function
	for _, f := range b.funcs {
		if app := b.apps[f.AppID]; !f.archived && app != nil && !app.Archived {
			active = append(active, f.Function)
		}
	}
	return active, nil
}

// FunctionsByID implements ports.Catalog.
func (b *Backend) FunctionsByID(ctx context.Context, ids []uuid.UUID) ([]function.Function, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []function.Function
	for id, f := range b.funcs {
		if slices.Contains(ids, id) {
			found = append(found, f.Function)
		}
	}
	return found, nil
}

// AppsByID implements ports.Catalog.
func (b *Backend) AppsByID(ctx context.Context, ids []uuid.UUID) ([]ports.AppRecord, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []ports.AppRecord
	for id, a := range b.apps {
		if slices.Contains(ids, id) {
			found = append(found, b.appRecord(*a))
		}
	}
	return found, nil
}

// Apps implements ports.Catalog.
func (b *Backend) Apps(ctx context.Context) ([]function.App, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var active []function.App
	for _, a := range b.apps {
		if !a.Archived {
			active = append(active, *a)
		}
	}
	return active, nil
}

// AppByName implements ports.Catalog.
func (b *Backend) AppByName(ctx context.Context, name string) (ports.AppRecord, error) {
	if err := ctx.Err(); err != nil {
		return ports.AppRecord{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.named(name); a != nil {
		return b.appRecord(*a), nil
	}
	return ports.AppRecord{}, ports.ErrNotFound
}

func (b *Backend) named(name string) *function.App {
	for _, a := range b.apps {
		if a.Name == name && name != "" {
			return a
		}
	}
	return nil
}

// FunctionsOf implements ports.Catalog.
func (b *Backend) FunctionsOf(ctx context.Context, app uuid.UUID) ([]ports.FunctionRecord, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var own []ports.FunctionRecord
	for _, f := range b.funcs {
		if f.AppID == app && !f.archived {
			own = append(own, ports.FunctionRecord{Function: f.Function, CreatedAt: f.created})
		}
	}
	return own, nil
}

// AppByURL implements ports.Catalog.
func (b *Backend) AppByURL(ctx context.Context, url string) (function.App, error) {
	if err := ctx.Err(); err != nil {
		return function.App{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.at(url); a != nil {
		return *a, nil
	}
	return function.App{}, ports.ErrNotFound
}

func (b *Backend) at(url string) *function.App {
	for _, a := range b.apps {
		if a.URL == url && !a.Archived {
			return a
		}
	}
	return nil
}

// Sync implements ports.Catalog. A name that another app than the adopted one has, and a slug that two active functions of an
// app would have, are ErrConflict.
func (b *Backend) Sync(ctx context.Context, plan function.SyncPlan) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if plan.Empty() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.conflict(plan); err != nil {
		return err
	}
	for _, id := range plan.DropPlaceholders {
		b.archiveApp(id)
	}
	active := plan.App
	active.Archived = false
	if a := b.named(active.Name); a != nil {
		active.ID = a.ID
	}
	b.putApp(active)
	for _, id := range plan.Archive {
		b.archive(id)
	}
	for _, f := range plan.Put {
		created := b.clock.Now().UTC()
		if known := b.funcs[f.ID]; known != nil {
			created = known.created
		}
		b.funcs[f.ID] = &fn{Function: f, created: created}
		b.followTriggers(f)
	}
	return nil
}

// conflict says what of the plan was decided on something that is no longer so.
func (b *Backend) conflict(plan function.SyncPlan) error {
	if a := b.named(plan.App.Name); plan.Adopt && a != nil && a.ID != plan.App.ID {
		return fmt.Errorf("name %q is of app %s: %w", plan.App.Name, a.ID, ports.ErrConflict)
	}
	type slug struct {
		app  uuid.UUID
		text string
	}
	owners := map[slug]uuid.UUID{}
	for id, f := range b.funcs {
		if !f.archived && !slices.Contains(plan.Archive, id) {
			owners[slug{f.AppID, f.Slug}] = id
		}
	}
	for _, f := range plan.Put {
		if other, taken := owners[slug{f.AppID, f.Slug}]; taken && other != f.ID {
			return fmt.Errorf("slug %q is of function %s: %w", f.Slug, other, ports.ErrConflict)
		}
		owners[slug{f.AppID, f.Slug}] = f.ID
	}
	return nil
}

func (b *Backend) archive(id uuid.UUID) {
	if f := b.funcs[id]; f != nil {
		f.archived = true
		b.forgetTicks(id)
	}
}

// putApp stores an active app.
func (b *Backend) putApp(app function.App) {
	b.apps[app.ID] = &app
	at := b.appTimes[app.ID]
	if at.created.IsZero() {
		at.created = b.clock.Now()
	}
	b.appTimes[app.ID] = appTimes{created: at.created}
}

func (b *Backend) archiveApp(id uuid.UUID) {
	if a := b.apps[id]; a != nil && !a.Archived {
		a.Archived = true
		b.appTimes[id] = appTimes{created: b.appTimes[id].created, archived: b.clock.Now()}
	}
	for _, f := range b.funcs {
		if f.AppID == id {
			b.archive(f.ID)
		}
	}
}

// PutPlaceholder implements ports.Catalog.
func (b *Backend) PutPlaceholder(ctx context.Context, placeholder function.App) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at(placeholder.URL) == nil {
		placeholder.Archived = false
		b.putApp(placeholder)
	}
	return nil
}

// SetAppError implements ports.Catalog.
func (b *Backend) SetAppError(ctx context.Context, id uuid.UUID, message string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.apps[id]
	if a == nil {
		return ports.ErrNotFound
	}
	a.Error = message
	return nil
}

// SetAppURL implements ports.Catalog.
func (b *Backend) SetAppURL(ctx context.Context, id uuid.UUID, url string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.apps[id]
	if a == nil {
		return ports.ErrNotFound
	}
	a.URL = url
	return nil
}

// RemoveApp implements ports.Catalog.
func (b *Backend) RemoveApp(ctx context.Context, id uuid.UUID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.apps[id] == nil {
		return ports.ErrNotFound
	}
	b.archiveApp(id)
	return nil
}
