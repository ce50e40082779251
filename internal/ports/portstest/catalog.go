package portstest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// TestCatalog is the contract of ports.Catalog.
func TestCatalog(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Sync/writes an app and its functions":        syncWrites,
		"Sync/repeated changes nothing":               syncRepeated,
		"Sync/keeps the ID of an app with the name":   syncKeepsID,
		"Sync/adopts a placeholder":                   syncAdopts,
		"Sync/archives and revives":                   syncArchives,
		"Sync/moves a slug from function to function": syncMovesSlug,
		"Sync/refuses a slug that another has":        syncSlugTaken,
		"Sync/is all or nothing":                      syncCut,
		"Sync/of an empty plan changes nothing":       syncEmpty,
		"FunctionsOf/tells when they were stored":     functionTimes,
		"Placeholders/give way to an app at the URL":  placeholders,
		"Pages/apps by ID":                            appPages,
		"Pages/functions by ID":                       functionPages,
		"AppsByID/tells when and how many":            appByID,
		"SetAppError/sets and clears":                 setAppError,
		"SetAppURL/changes the URL only":              setAppURL,
		"SetAppURL/is all or nothing":                 setAppURLCut,
		"ByID/finds apps and functions, archived too": catalogByID,
		"RemoveApp/archives the app with functions":   removeApp,
		"SetPaused/pauses and resumes":                setPaused,
		"SetPaused/outlives a sync":                   setPausedSync,
		"SetPaused/is all or nothing":                 setPausedCut,
		"Unknown/apps and functions are ErrNotFound":  unknownApps,
	})
}

// anApp is an app with every field set.
func anApp(name string) function.App {
	return function.App{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)), Name: name, SDK: "js", SDKVersion: "v3.54.2", Framework: "nextjs",
		Metadata: json.RawMessage(`{"a":"é"}`), Checksum: "a392" + name, URL: "http://localhost:3000/api/" + name,
		Method: function.MethodServe, AppVersion: "1.2",
	}
}

// aFunctionOf is a function of an app, as the domain would store it.
func aFunctionOf(app function.App, name string) function.Function {
	f := function.Function{
		ID: uuid.NewSHA1(app.ID, []byte(name)), AppID: app.ID, Version: 2, Name: "The " + name, Slug: app.Name + "-" + name,
		Triggers: []function.Trigger{{Event: "user/created", Expression: "event.data.n > 1"}, {Cron: "*/5 * * * *"}},
		Step:     function.Step{ID: "step", Name: "step", URI: app.URL + "?fnId=" + name + "&stepId=step"},
	}
	f.Config = function.Encode(f)
	return f
}

// functions returns the active functions by slug.
func functions(t *testing.T, p Ports) []string {
	t.Helper()
	all, err := p.Catalog.Functions(t.Context())
	must(t, err)
	return slugs(all)
}

// functionsOf returns the active functions of an app.
func functionsOf(t *testing.T, p Ports, app function.App) []ports.FunctionRecord {
	t.Helper()
	all, err := p.Catalog.FunctionsOf(t.Context(), app.ID)
	must(t, err)
	return all
}

func slugsOf(t *testing.T, p Ports, app function.App) []string {
	t.Helper()
	var all []function.Function
	for _, fn := range functionsOf(t, p, app) {
		all = append(all, fn.Function)
	}
	return slugs(all)
}

func functionByID(t *testing.T, p Ports, id uuid.UUID) (function.Function, error) {
	t.Helper()
	return ports.One(p.Catalog.FunctionsByID(t.Context(), []uuid.UUID{id}))
}

func slugs(all []function.Function) []string {
	var list []string
	for _, f := range all {
		list = append(list, f.Slug)
	}
	slices.Sort(list)
	return list
}

func syncPlan(t *testing.T, p Ports, plan function.SyncPlan) {
	t.Helper()
	must(t, p.Catalog.Sync(t.Context(), plan))
}

func syncWrites(t *testing.T, p Ports) {
	app := anApp("acme")
	one, two := aFunctionOf(app, "one"), aFunctionOf(app, "two")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one, two}})
	p = restarted(p)
	all, err := p.Catalog.Functions(t.Context())
	must(t, err)
	slices.SortFunc(all, func(a, b function.Function) int { return slices.Compare([]byte(a.Slug), []byte(b.Slug)) })
	same(t, all, []function.Function{one, two})
	apps, err := p.Catalog.Apps(t.Context())
	must(t, err)
	same(t, apps, []function.App{app})
	named, err := p.Catalog.AppByName(t.Context(), "acme")
	must(t, err)
	same(t, named.App, app)
	same(t, slugsOf(t, p, app), []string{"acme-one", "acme-two"})
	found, err := p.Catalog.AppByURL(t.Context(), app.URL)
	must(t, err)
	same(t, found, app)
	f, err := functionByID(t, p, one.ID)
	must(t, err)
	same(t, f, one)
}

func syncRepeated(t *testing.T, p Ports) {
	app := anApp("acme")
	plan := function.SyncPlan{App: app, Put: []function.Function{aFunctionOf(app, "one")}}
	syncPlan(t, p, plan)
	syncPlan(t, p, plan)
	same(t, functions(t, p), []string{"acme-one"})
	apps, err := p.Catalog.Apps(t.Context())
	must(t, err)
	same(t, apps, []function.App{app})
}

func functionTimes(t *testing.T, p Ports) {
	app, other := anApp("acme"), anApp("other")
	one, two := aFunctionOf(app, "one"), aFunctionOf(app, "two")
	check := func(want map[uuid.UUID]time.Time) {
		t.Helper()
		got := map[uuid.UUID]time.Time{}
		for _, fn := range functionsOf(t, p, app) {
			got[fn.ID] = fn.CreatedAt
		}
		same(t, got, want)
	}
	check(map[uuid.UUID]time.Time{})
	first := p.Now().UTC()
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	syncPlan(t, p, function.SyncPlan{App: other, Put: []function.Function{aFunctionOf(other, "one")}})
	p.Pass(time.Hour)
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one, two}})
	p = restarted(p)
	check(map[uuid.UUID]time.Time{one.ID: first, two.ID: first.Add(time.Hour)})
	syncPlan(t, p, function.SyncPlan{App: app, Archive: []uuid.UUID{one.ID}})
	check(map[uuid.UUID]time.Time{two.ID: first.Add(time.Hour)})
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	check(map[uuid.UUID]time.Time{one.ID: first, two.ID: first.Add(time.Hour)})
	if got, err := p.Catalog.FunctionsOf(ended(t), app.ID); err == nil {
		t.Fatalf("with an ended context: %v", got)
	}
}

func syncKeepsID(t *testing.T, p Ports) {
	app := anApp("acme")
	syncPlan(t, p, function.SyncPlan{App: app})
	other := app
	other.ID, other.Framework, other.URL, other.AppVersion = uuid.New(), "", "http://elsewhere/api", ""
	syncPlan(t, p, function.SyncPlan{App: other})
	other.ID = app.ID
	found, err := p.Catalog.AppByName(t.Context(), "acme")
	must(t, err)
	same(t, found.App, other)
}

func syncAdopts(t *testing.T, p Ports) {
	placeholder := function.App{ID: uuid.New(), URL: "http://localhost:1/api", Method: function.MethodServe, Metadata: json.RawMessage(`{}`)}
	must(t, p.Catalog.PutPlaceholder(t.Context(), placeholder))
	app := anApp("acme")
	app.ID, app.URL = placeholder.ID, placeholder.URL
	syncPlan(t, p, function.SyncPlan{App: app, Adopt: true})
	apps, err := p.Catalog.Apps(t.Context())
	must(t, err)
	same(t, apps, []function.App{app})

	second := function.App{ID: uuid.New(), URL: "http://localhost:2/api"}
	must(t, p.Catalog.PutPlaceholder(t.Context(), second))
	syncPlan(t, p, function.SyncPlan{DropPlaceholders: []uuid.UUID{second.ID}, App: anApp("other")})
	_, err = p.Catalog.AppByURL(t.Context(), second.URL)
	is(t, err, ports.ErrNotFound)
}

func syncArchives(t *testing.T, p Ports) {
	app := anApp("acme")
	one, two := aFunctionOf(app, "one"), aFunctionOf(app, "two")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one, two}})
	syncPlan(t, p, function.SyncPlan{App: app, Archive: []uuid.UUID{two.ID}})
	same(t, functions(t, p), []string{"acme-one"})
	f, err := functionByID(t, p, two.ID)
	must(t, err)
	same(t, f, two)
	same(t, slugsOf(t, p, app), []string{"acme-one"})

	two.Name = "Back"
	two.Config = function.Encode(two)
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{two}})
	f, err = functionByID(t, p, two.ID)
	must(t, err)
	same(t, f, two)
	same(t, functions(t, p), []string{"acme-one", "acme-two"})
}

func syncMovesSlug(t *testing.T, p Ports) {
	app := anApp("acme")
	one := aFunctionOf(app, "one")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	other := one
	other.ID = uuid.New()
	other.Config = function.Encode(other)
	syncPlan(t, p, function.SyncPlan{App: app, Archive: []uuid.UUID{one.ID}, Put: []function.Function{other}})
	all, err := p.Catalog.Functions(t.Context())
	must(t, err)
	same(t, all, []function.Function{other})
}

func syncSlugTaken(t *testing.T, p Ports) {
	app, second := anApp("acme"), anApp("second")
	one := aFunctionOf(app, "one")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	other := one
	other.ID = uuid.New()
	changed := app
	changed.Framework = "other"
	is(t, p.Catalog.Sync(t.Context(), function.SyncPlan{App: changed, Put: []function.Function{other}}), ports.ErrConflict)
	found, err := p.Catalog.AppByName(t.Context(), "acme")
	must(t, err)
	same(t, found.App, app)

	other.AppID = second.ID // the same slug in another app is fine
	syncPlan(t, p, function.SyncPlan{App: second, Put: []function.Function{other}})
}

func syncCut(t *testing.T, p Ports) {
	placeholder := function.App{ID: uuid.New(), URL: "http://localhost:1/api"}
	must(t, p.Catalog.PutPlaceholder(t.Context(), placeholder))
	app := anApp("acme")
	one, two, three := aFunctionOf(app, "one"), aFunctionOf(app, "two"), aFunctionOf(app, "three")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	changed := app
	changed.Framework = "other"
	cut(t, p, func() error {
		return p.Catalog.Sync(t.Context(), function.SyncPlan{
			DropPlaceholders: []uuid.UUID{placeholder.ID}, App: changed, Archive: []uuid.UUID{one.ID}, Put: []function.Function{two, three},
		})
	}, func(t *testing.T) {
		same(t, functions(t, p), []string{"acme-one"})
		found, err := p.Catalog.AppByName(t.Context(), "acme")
		must(t, err)
		same(t, found.App, app)
		_, err = p.Catalog.AppByURL(t.Context(), placeholder.URL)
		must(t, err)
	})
}

func syncEmpty(t *testing.T, p Ports) {
	syncPlan(t, p, function.SyncPlan{})
	apps, err := p.Catalog.Apps(t.Context())
	must(t, err)
	same(t, apps, []function.App(nil))
}

func placeholders(t *testing.T, p Ports) {
	app := anApp("acme")
	syncPlan(t, p, function.SyncPlan{App: app})
	must(t, p.Catalog.PutPlaceholder(t.Context(), function.App{ID: uuid.New(), URL: app.URL}))
	first := function.App{ID: uuid.New(), URL: "http://localhost:1/api", Error: "unreachable"}
	second := function.App{ID: uuid.New(), URL: first.URL}
	must(t, p.Catalog.PutPlaceholder(t.Context(), first))
	must(t, p.Catalog.PutPlaceholder(t.Context(), second))
	must(t, p.Catalog.PutPlaceholder(t.Context(), function.App{ID: uuid.New(), URL: "http://localhost:2/api"}))
	apps, err := p.Catalog.Apps(t.Context())
	must(t, err)
	same(t, len(apps), 3)
	found, err := p.Catalog.AppByURL(t.Context(), first.URL)
	must(t, err)
	same(t, []any{found.ID, found.Name, found.Error}, []any{first.ID, "", "unreachable"})
	_, err = p.Catalog.AppByName(t.Context(), "")
	is(t, err, ports.ErrNotFound)
}

func setAppError(t *testing.T, p Ports) {
	app := anApp("acme")
	syncPlan(t, p, function.SyncPlan{App: app})
	for _, message := range []string{"unreachable: é", ""} {
		must(t, p.Catalog.SetAppError(t.Context(), app.ID, message))
		app.Error = message
		found, err := p.Catalog.AppByURL(t.Context(), app.URL)
		must(t, err)
		same(t, found, app)
	}
	is(t, p.Catalog.SetAppError(t.Context(), uuid.New(), "x"), ports.ErrNotFound)
}

func removeApp(t *testing.T, p Ports) {
	app, other := anApp("acme"), anApp("other")
	one := aFunctionOf(app, "one")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	syncPlan(t, p, function.SyncPlan{App: other, Put: []function.Function{aFunctionOf(other, "two")}})
	must(t, p.Catalog.RemoveApp(t.Context(), app.ID))
	must(t, p.Catalog.RemoveApp(t.Context(), app.ID))
	is(t, p.Catalog.RemoveApp(t.Context(), uuid.New()), ports.ErrNotFound)
	same(t, functions(t, p), []string{"other-two"})
	_, err := p.Catalog.AppByURL(t.Context(), app.URL)
	is(t, err, ports.ErrNotFound)
	found, err := p.Catalog.AppByName(t.Context(), "acme")
	must(t, err)
	app.Archived = true
	same(t, found.App, app)
	same(t, slugsOf(t, p, app), []string(nil))

	app.Archived = false
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	same(t, functions(t, p), []string{"acme-one", "other-two"})
}

func unknownApps(t *testing.T, p Ports) {
	_, err := functionByID(t, p, uuid.New())
	is(t, err, ports.ErrNotFound)
	_, err = p.Catalog.AppByName(t.Context(), "none")
	is(t, err, ports.ErrNotFound)
	_, err = p.Catalog.AppByURL(t.Context(), "http://none")
	is(t, err, ports.ErrNotFound)
	if err := p.Catalog.Sync(ended(t), function.SyncPlan{App: anApp("acme")}); err == nil {
		t.Fatal("synced with an ended context")
	}
	same(t, functions(t, p), []string(nil))
}

func pausedFunctions(t *testing.T, p Ports) []uuid.UUID {
	t.Helper()
	paused, err := p.Catalog.PausedFunctions(t.Context())
	must(t, err)
	slices.SortFunc(paused, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return paused
}

func setPaused(t *testing.T, p Ports) {
	one, two := uuid.UUID{1}, uuid.UUID{2}
	same(t, pausedFunctions(t, p), []uuid.UUID(nil))
	for range 2 {
		must(t, p.Catalog.SetPaused(t.Context(), two, true))
		must(t, p.Catalog.SetPaused(t.Context(), one, true))
	}
	p = restarted(p)
	same(t, pausedFunctions(t, p), []uuid.UUID{one, two})
	for range 2 {
		must(t, p.Catalog.SetPaused(t.Context(), one, false))
	}
	same(t, pausedFunctions(t, restarted(p)), []uuid.UUID{two})
	if err := p.Catalog.SetPaused(ended(t), one, true); err == nil {
		t.Fatal("paused with an ended context")
	}
}

func setPausedSync(t *testing.T, p Ports) {
	app := anApp("acme")
	one := aFunctionOf(app, "one")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	must(t, p.Catalog.SetPaused(t.Context(), one.ID, true))
	syncPlan(t, p, function.SyncPlan{App: app, Archive: []uuid.UUID{one.ID}})
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	same(t, pausedFunctions(t, p), []uuid.UUID{one.ID})
}

func setPausedCut(t *testing.T, p Ports) {
	cut(t, p, func() error { return p.Catalog.SetPaused(t.Context(), aFunction, true) }, func(t *testing.T) {
		same(t, pausedFunctions(t, p), []uuid.UUID(nil))
	})
}

func setAppURL(t *testing.T, p Ports) {
	app, other := anApp("acme"), anApp("other")
	one := aFunctionOf(app, "one")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	syncPlan(t, p, function.SyncPlan{App: other})
	for range 2 {
		must(t, p.Catalog.SetAppURL(t.Context(), app.ID, "http://moved/é"))
	}
	p = restarted(p)
	app.URL = "http://moved/é"
	for url, want := range map[string]function.App{app.URL: app, other.URL: other} {
		found, err := p.Catalog.AppByURL(t.Context(), url)
		must(t, err)
		same(t, found, want)
	}
	f, err := functionByID(t, p, one.ID)
	must(t, err)
	same(t, f, one)
	is(t, p.Catalog.SetAppURL(t.Context(), uuid.New(), "http://x"), ports.ErrNotFound)
}

func setAppURLCut(t *testing.T, p Ports) {
	app := anApp("acme")
	syncPlan(t, p, function.SyncPlan{App: app})
	cut(t, p, func() error { return p.Catalog.SetAppURL(t.Context(), app.ID, "http://moved") }, func(t *testing.T) {
		found, err := p.Catalog.AppByURL(t.Context(), app.URL)
		must(t, err)
		same(t, found, app)
	})
}

func catalogByID(t *testing.T, p Ports) {
	app, other := anApp("acme"), anApp("other")
	one, two, three := aFunctionOf(app, "one"), aFunctionOf(other, "two"), aFunctionOf(other, "three")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{one}})
	syncPlan(t, p, function.SyncPlan{App: other, Put: []function.Function{two, three}})
	must(t, p.Catalog.RemoveApp(t.Context(), app.ID))
	app.Archived = true
	// More IDs than a database takes in one statement, most of them of nothing.
	ids := make([]uuid.UUID, 40_000, 40_010)
	for i := range ids {
		ids[i] = uuid.UUID{0: 1, 14: byte(i >> 8), 15: byte(i)}
	}
	apps, err := p.Catalog.AppsByID(t.Context(), append(ids, other.ID, app.ID, one.ID))
	must(t, err)
	slices.SortFunc(apps, func(a, b ports.AppRecord) int { return strings.Compare(a.Name, b.Name) })
	same(t, []function.App{apps[0].App, apps[1].App}, []function.App{app, other})
	same(t, []int{apps[0].Functions, apps[1].Functions}, []int{0, 2})
	functions, err := p.Catalog.FunctionsByID(t.Context(), append(ids, two.ID, one.ID, app.ID))
	must(t, err)
	slices.SortFunc(functions, func(a, b function.Function) int { return strings.Compare(a.Slug, b.Slug) })
	same(t, functions, []function.Function{one, two})
	functions, err = p.Catalog.FunctionsByID(t.Context(), nil)
	must(t, err)
	same(t, len(functions), 0)
	if _, err := p.Catalog.AppsByID(ended(t), []uuid.UUID{app.ID}); err == nil {
		t.Fatal("read with an ended context")
	}
}
