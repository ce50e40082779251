package appsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is a syncer over a catalog in memory and the real registry, with apps that answer what the test says.
type world struct {
	t        *testing.T
	catalog  *catalog
	registry *registry.Registry
	syncer   *Syncer
	apps     *apps
	logged   *testkit.Output
	log      *slog.Logger
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, catalog: &catalog{Catalog: mem.New(testkit.Clock{})}, apps: &apps{asked: map[string]int{}}, logged: &testkit.Output{}}
	w.log = slog.New(slog.NewTextHandler(w.logged, nil))
	w.registry = registry.New(w.catalog, w.log)
	w.syncer = NewSyncer(w.catalog, w.registry, function.Checks{Expression: compiles, Condition: compiles}, w.log)
	return w
}

// compiles accepts every expression but one.
func compiles(text string) error {
	if text == "bad" {
		return errors.New("does not compile")
	}
	return nil
}

// app returns the active app with the URL.
func (w *world) app(url string) function.App {
	w.t.Helper()
	app, err := w.catalog.AppByURL(w.t.Context(), url)
	if err != nil {
		w.t.Fatalf("app at %s: %v", url, err)
	}
	return app
}

// slugs are the functions that both the catalog and the registry have; it is an error when they differ.
func (w *world) slugs() []string {
	w.t.Helper()
	stored, err := w.catalog.Functions(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	known := slugsOf(w.registry.Functions())
	if !slices.Equal(slugsOf(stored), known) {
		w.t.Errorf("the catalog has %v, the registry %v", slugsOf(stored), known)
	}
	return known
}

func slugsOf(functions []function.Function) []string {
	var slugs []string
	for _, fn := range functions {
		slugs = append(slugs, fn.Slug)
	}
	slices.Sort(slugs)
	return slugs
}

const (
	appURL = "http://app.test/api/inngest"
	sdkV4  = "js:v4.18.1"
)

// registration is the body of a registration of an app with functions, each triggered by an event of its name.
func registration(app, url string, functions ...string) []byte {
	list := ""
	for n, name := range functions {
		if n > 0 {
			list += ","
		}
		list += declared(app, url, name, "")
	}
	return fmt.Appendf(nil, `{"v":"0.1","url":%q,"deployType":"ping","sdk":%q,"framework":"express","appName":%q,"functions":[%s]}`, url, sdkV4, app, list)
}

// declared is a function in a registration; more are members, with a comma in front.
func declared(app, url, name, more string) string {
	return fmt.Sprintf(`{"name":%q,"id":"%s-%s","triggers":[{"event":%q}],"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"%s?fnId=%s-%s&stepId=step"}}}%s}`,
		name, app, name, name, url, app, name, more)
}

// catalog is a catalog that counts and spoils calls.
type catalog struct {
	ports.Catalog
	mu    sync.Mutex
	calls map[string]int
	fail  func(call string, n int) error
	// synced is called after a sync was written, before the caller hears of it; found after an app was read by URL.
	synced, found func()
}

func (c *catalog) call(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[name]++
	if c.fail == nil {
		return nil
	}
	return c.fail(name, c.calls[name])
}

func (c *catalog) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[name]
}

// failing makes a call fail for good, or the first few times.
func (c *catalog) failing(call string, times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = nil
	c.fail = func(name string, n int) error {
		if name == call && n <= times {
			return ports.ErrUnavailable
		}
		return nil
	}
}

func (c *catalog) FunctionsByID(ctx context.Context, ids []uuid.UUID) ([]function.Function, error) {
	if err := c.call("FunctionsByID"); err != nil {
		return nil, err
	}
	return c.Catalog.FunctionsByID(ctx, ids)
}

func (c *catalog) FunctionsOf(ctx context.Context, app uuid.UUID) ([]ports.FunctionRecord, error) {
	if err := c.call("FunctionsOf"); err != nil {
		return nil, err
	}
	return c.Catalog.FunctionsOf(ctx, app)
}

func (c *catalog) Apps(ctx context.Context) ([]function.App, error) {
	if err := c.call("Apps"); err != nil {
		return nil, err
	}
	return c.Catalog.Apps(ctx)
}

func (c *catalog) AppByName(ctx context.Context, name string) (ports.AppRecord, error) {
	if err := c.call("AppByName"); err != nil {
		return ports.AppRecord{}, err
	}
	return c.Catalog.AppByName(ctx, name)
}

func (c *catalog) Sync(ctx context.Context, plan function.SyncPlan) error {
	if err := c.call("Sync"); err != nil {
		return err
	}
	err := c.Catalog.Sync(ctx, plan)
	if c.synced != nil {
		c.synced()
	}
	return err
}

func (c *catalog) AppByURL(ctx context.Context, url string) (function.App, error) {
	app, err := c.Catalog.AppByURL(ctx, url)
	if c.found != nil {
		c.found()
	}
	return app, err
}

func (c *catalog) PutPlaceholder(ctx context.Context, app function.App) error {
	if err := c.call("PutPlaceholder"); err != nil {
		return err
	}
	return c.Catalog.PutPlaceholder(ctx, app)
}

func (c *catalog) AppsByID(ctx context.Context, ids []uuid.UUID) ([]ports.AppRecord, error) {
	if err := c.call("AppsByID"); err != nil {
		return nil, err
	}
	return c.Catalog.AppsByID(ctx, ids)
}

func (c *catalog) SetAppURL(ctx context.Context, id uuid.UUID, url string) error {
	if err := c.call("SetAppURL"); err != nil {
		return err
	}
	return c.Catalog.SetAppURL(ctx, id, url)
}

func (c *catalog) SetAppError(ctx context.Context, id uuid.UUID, message string) error {
	if err := c.call("SetAppError"); err != nil {
		return err
	}
	return c.Catalog.SetAppError(ctx, id, message)
}

func (c *catalog) RemoveApp(ctx context.Context, id uuid.UUID) error {
	if err := c.call("RemoveApp"); err != nil {
		return err
	}
	return c.Catalog.RemoveApp(ctx, id)
}

// apps are what a worker would find on the network.
type apps struct {
	mu     sync.Mutex
	asked  map[string]int
	answer func(ctx context.Context, url string) (sdk.Response, error)
	probe  func(ctx context.Context, url string) bool
}

func (a *apps) Call(context.Context, ports.Call) (sdk.Response, error) {
	return sdk.Response{}, ports.ErrClosed
}

func (a *apps) Ping(ctx context.Context, url string) (sdk.Response, error) {
	a.mu.Lock()
	a.asked["ping "+url]++
	a.mu.Unlock()
	return a.answer(ctx, url)
}

func (a *apps) Probe(ctx context.Context, url string) bool {
	a.mu.Lock()
	a.asked["probe "+url]++
	a.mu.Unlock()
	return a.probe != nil && a.probe(ctx, url)
}

func (a *apps) count(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[what]
}

// all is what was asked, and how often.
func (a *apps) all() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.asked)
}

// answers makes all apps answer alike.
func (a *apps) answers(response sdk.Response) {
	a.answer = func(context.Context, string) (sdk.Response, error) { return response, nil }
}
