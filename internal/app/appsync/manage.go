package appsync

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Add makes an app known by its URL, asks it to register, and returns it. The error is a *PingError or a *RefusedError when the app
// cannot be used; it stays known then, and is asked again like any other that has an error. Spec 05 §4.5.
func (p *Poller) Add(ctx context.Context, url string) (function.App, error) {
	url = storedURL(url)
	if err := p.catalog.PutPlaceholder(ctx, placeholder(url)); err != nil {
		return function.App{}, fmt.Errorf("store app at %q: %w", url, err)
	}
	app, err := p.catalog.AppByURL(ctx, url)
	if err != nil {
		return function.App{}, fmt.Errorf("read app at %q: %w", url, err)
	}
	if err := p.Ping(ctx, app); err != nil {
		return function.App{}, err
	}
	// It has registered before it answered, so its row is another one now.
	if app, err = p.catalog.AppByURL(ctx, url); err != nil {
		return function.App{}, fmt.Errorf("read app at %q: %w", url, err)
	}
	return app, nil
}

// Move changes where an app is and returns it, archived or not. Its functions are called where they were until it registers there.
// ports.ErrNotFound: there is no such app.
func (s *Syncer) Move(ctx context.Context, id uuid.UUID, url string) (function.App, error) {
	app, unlock, err := s.locked(ctx, id)
	if err != nil {
		return function.App{}, err
	}
	defer unlock()
	app.URL = storedURL(url)
	if err := s.catalog.SetAppURL(ctx, id, app.URL); err != nil {
		return function.App{}, fmt.Errorf("move app %s: %w", id, err)
	}
	s.log.InfoContext(ctx, "app moved", "app_name", app.Name, "app_id", id.String())
	return app, nil
}

// RemoveID archives the app and its functions; ports.ErrNotFound when there is no such app.
func (s *Syncer) RemoveID(ctx context.Context, id uuid.UUID) error {
	app, unlock, err := s.locked(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	return s.remove(ctx, app)
}

// RemoveName archives the active app of that name and its functions; ports.ErrNotFound when there is none.
func (s *Syncer) RemoveName(ctx context.Context, name string) error {
	lock := s.lock(name)
	lock.Lock()
	defer lock.Unlock()
	app, err := s.catalog.AppByName(ctx, name)
	if err != nil {
		return fmt.Errorf("read app %q: %w", name, err)
	}
	if app.Archived {
		return fmt.Errorf("app %q: %w", name, ports.ErrNotFound)
	}
	return s.remove(ctx, app.App)
}

// locked reads an app and locks its name until unlock is called. Names do not change once they are there.
func (s *Syncer) locked(ctx context.Context, id uuid.UUID) (app function.App, unlock func(), err error) {
	found, err := ports.One(s.catalog.AppsByID(ctx, []uuid.UUID{id}))
	if err != nil {
		return app, nil, fmt.Errorf("read app %s: %w", id, err)
	}
	lock := s.lock(found.Name)
	lock.Lock()
	return found.App, lock.Unlock, nil
}
