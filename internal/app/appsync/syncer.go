// Package appsync keeps the catalog in step with the apps: it registers what an app says of itself, removes apps, and
// asks the apps it knows, and those it finds, to register.
package appsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Registry is told what a sync changed, before the app hears of success.
type Registry interface {
	Apply(plan function.SyncPlan)
	Remove(app uuid.UUID)
	Functions() []function.Function
}

// Syncer is the use case. It is safe for concurrent use; syncs of one app happen one after the other.
type Syncer struct {
	catalog  ports.Catalog
	registry Registry
	checks   function.Checks
	log      *slog.Logger

	// locks serialise what is done to one app; apps share them by the hash of their name, so that there are no more than
	// these however many names are tried.
	locks [64]sync.Mutex
}

// NewSyncer returns the use case.
func NewSyncer(catalog ports.Catalog, registry Registry, checks function.Checks, log *slog.Logger) *Syncer {
	return &Syncer{catalog: catalog, registry: registry, checks: checks, log: log}
}

// Result is what an app is told of its sync.
type Result struct {
	AppID uuid.UUID
	// Modified is false when the app is as it was.
	Modified bool
	// Message names the settings that cannot be used as they are; empty when all can.
	Message string
}

// RefusedError says why a registration is refused.
type RefusedError struct {
	function.Refusal
	// Unreadable is true when the request could not be read at all.
	Unreadable bool
}

func (e *RefusedError) Error() string { return e.Text }

// Register reads and applies a registration. It returns a *RefusedError for one that cannot be accepted; its reason is
// then the app's error in the catalog, if the app could be told.
func (s *Syncer) Register(ctx context.Context, body []byte) (Result, error) {
	request, err := function.Decode(body)
	if err != nil {
		return Result{}, &RefusedError{Unreadable: true, Refusal: function.Refusal{Status: function.StatusRefused, Text: err.Error()}}
	}
	return s.Apply(ctx, request)
}

// Apply applies a registration that was read already.
func (s *Syncer) Apply(ctx context.Context, request function.Request) (Result, error) {
	lock := s.lock(request.AppName)
	lock.Lock()
	defer lock.Unlock()

	state, err := s.state(ctx, request)
	if err != nil {
		return Result{}, err
	}
	plan, outcome := function.Plan(state, request, s.checks)
	if !plan.Empty() {
		if err := s.catalog.Sync(ctx, plan); err != nil {
			return Result{}, fmt.Errorf("sync app %q: %w", request.AppName, err)
		}
		s.registry.Apply(plan)
	}
	if outcome.Refused != nil {
		s.log.WarnContext(ctx, "app sync refused", "app_name", request.AppName, "reason", outcome.Refused.Text, "error", plan.App.Error)
		return Result{}, &RefusedError{Refusal: *outcome.Refused}
	}
	result := Result{AppID: outcome.AppID, Modified: outcome.Modified, Message: notes(plan.Put)}
	if outcome.Modified {
		s.log.InfoContext(ctx, "app synced", "app_name", request.AppName, "app_id", result.AppID.String(), "count", len(plan.Put))
	}
	if result.Message != "" {
		s.log.WarnContext(ctx, "app has settings that cannot be used", "app_name", request.AppName, "reason", result.Message)
	}
	return result, nil
}

// lock is the lock of an app's name. Nobody holds two.
func (s *Syncer) lock(name string) *sync.Mutex {
	return &s.locks[xxhash.Sum64String(name)%uint64(len(s.locks))]
}

// state reads what the plan is made on.
func (s *Syncer) state(ctx context.Context, request function.Request) (function.AppState, error) {
	var state function.AppState
	app, err := s.catalog.AppByName(ctx, request.AppName)
	switch {
	case err == nil:
		functions, err := s.catalog.FunctionsOf(ctx, app.ID)
		if err != nil {
			return state, fmt.Errorf("read functions of app %q: %w", request.AppName, err)
		}
		state.App = &app.App
		for _, fn := range functions {
			state.Functions = append(state.Functions, fn.Function)
		}
	case !errors.Is(err, ports.ErrNotFound):
		return state, fmt.Errorf("read app %q: %w", request.AppName, err)
	}
	if state.Placeholders, err = s.placeholders(ctx, request.URL); err != nil {
		return state, err
	}
	earlier, err := s.catalog.FunctionsByID(ctx, function.Mintable(state, request))
	if err != nil {
		return state, fmt.Errorf("read functions that are registered again: %w", err)
	}
	state.Stored = map[uuid.UUID]function.Function{}
	for _, fn := range earlier {
		state.Stored[fn.ID] = fn
	}
	return state, nil
}

// placeholders are the apps of which only the URL was known until now.
func (s *Syncer) placeholders(ctx context.Context, url string) ([]function.Placeholder, error) {
	apps, err := s.catalog.Apps(ctx)
	if err != nil {
		return nil, fmt.Errorf("read apps: %w", err)
	}
	var found []function.Placeholder
	for _, app := range apps {
		if app.Name == "" && app.URL == url {
			found = append(found, function.Placeholder{ID: app.ID, Functions: s.functionsOf(app.ID)})
		}
	}
	return found, nil
}

func (s *Syncer) functionsOf(app uuid.UUID) []function.Function {
	var own []function.Function
	for _, fn := range s.registry.Functions() {
		if fn.AppID == app {
			own = append(own, fn)
		}
	}
	return own
}

// Remove archives the app with the URL and its functions; ports.ErrNotFound when there is none.
func (s *Syncer) Remove(ctx context.Context, url string) error {
	app, err := s.catalog.AppByURL(ctx, url)
	if err != nil {
		return fmt.Errorf("read app at %q: %w", url, err)
	}
	// A sync of the app must not come between the catalog and the registry, or one would keep what the other has not.
	lock := s.lock(app.Name)
	lock.Lock()
	defer lock.Unlock()
	return s.remove(ctx, app)
}

// remove archives an app. The caller holds the lock of its name.
func (s *Syncer) remove(ctx context.Context, app function.App) error {
	if err := s.catalog.RemoveApp(ctx, app.ID); err != nil {
		return fmt.Errorf("remove app %s: %w", app.ID, err)
	}
	s.registry.Remove(app.ID)
	s.log.InfoContext(ctx, "app removed", "app_name", app.Name, "app_id", app.ID.String())
	return nil
}

// notes name the settings of functions that are accepted but cannot be used, empty when there are none. Other servers accept them
// without a word, so a registration must not fail for them (spec 01 §4.6); flow.Compile and function.Unreadable say what they do.
func notes(functions []function.Function) string {
	var found []string
	for _, fn := range functions {
		names := function.Unreadable(fn)
		_, faults := flow.Compile(fn)
		for _, fault := range faults {
			names = append(names, fault.Error())
		}
		if len(names) > 0 {
			found = append(found, fn.Slug+": "+strings.Join(names, ", "))
		}
	}
	if len(found) == 0 {
		return ""
	}
	return "the following settings cannot be used: " + strings.Join(found, "; ")
}
