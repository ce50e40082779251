package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

type clock struct{ testkit.Clock }

func (clock) Now() time.Time { return now }

// world is a registry over a catalog in memory.
type world struct {
	*Registry
	backend *mem.Backend
	logged  *bytes.Buffer
}

func setup() *world {
	w := &world{backend: mem.New(clock{}), logged: &bytes.Buffer{}}
	w.Registry = New(w.backend, slog.New(slog.NewTextHandler(w.logged, nil)))
	return w
}

// sync applies a plan to the catalog and to the registry, as a sync does.
func (w *world) sync(t testing.TB, plan function.SyncPlan) {
	t.Helper()
	if err := w.backend.Sync(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	w.Apply(plan)
}

func anApp(name string) function.App {
	return function.App{ID: ids.AppID(name), Name: name, SDK: "js", URL: "http://" + name, Method: function.MethodServe}
}

// aFunction is a function of the app "app", triggered by events with optional conditions: "name" or "name if condition".
func aFunction(name string, triggers ...string) function.Function {
	return functionOf("app", name, triggers...)
}

func functionOf(app, name string, triggers ...string) function.Function {
	fn := function.Function{ID: ids.FunctionID(name, app), AppID: ids.AppID(app), Version: 1, Name: name, Slug: app + "-" + name}
	for _, text := range triggers {
		trigger := function.Trigger{}
		trigger.Event, trigger.Expression, _ = strings.Cut(text, " if ")
		if cron, ok := strings.CutPrefix(text, "cron "); ok {
			trigger = function.Trigger{Cron: cron}
		}
		fn.Triggers = append(fn.Triggers, trigger)
	}
	return fn
}

func putting(functions ...function.Function) function.SyncPlan {
	return function.SyncPlan{App: anApp("app"), Put: functions}
}

func anEvent(name, data string) event.Event {
	return event.Event{ID: "e", Name: name, Data: json.RawMessage(data), TS: 1700000000000}
}

// matched are the slugs of what an event starts; one whose condition failed has a mark.
func (w *world) matched(e event.Event) []string {
	var slugs []string
	for _, m := range w.Match(e, now) {
		slug := m.Function.Slug
		if m.Err != nil {
			slug += " failed"
		}
		slugs = append(slugs, slug)
	}
	return slugs
}

func TestMatch(t *testing.T) {
	t.Parallel()
	w := setup()
	w.sync(t, putting(
		aFunction("a", "user/created"),
		aFunction("b", "user/*"),
		aFunction("c", "app/user.*", "app/*"),
		aFunction("d", "user/created if event.data.n > 5"),
		aFunction("e", "user/created if event.data.n > 5", "user/created if event.data.n < 3", "user/*"),
		aFunction("f", "cron * * * * *"),
		aFunction("g", "broken/one if event.data.n >"),
		aFunction("h", "typed/one if event.data.n"),
		aFunction("i", "typed/one if event.data.n", "typed/*"),
		aFunction("j", "timed/one if date(int(event.ts)) < now()"),
		aFunction("k", "u*", "*", "user/cre*"),
	))
	for name, c := range map[string]struct {
		e    event.Event
		want []string
	}{
		"the name, a pattern, and a condition that holds": {anEvent("user/created", `{"n":6}`), []string{"app-a", "app-d", "app-e", "app-b"}},
		"a later condition holds":                         {anEvent("user/created", `{"n":1}`), []string{"app-a", "app-e", "app-b"}},
		"a pattern after conditions that do not hold":     {anEvent("user/created", `{"n":4}`), []string{"app-a", "app-b", "app-e"}},
		"two patterns of one function start it once":      {anEvent("app/user.created", `{}`), []string{"app-c"}},
		"the prefix of a deeper name":                     {anEvent("user/a/b", `{}`), []string{"app-b", "app-e"}},
		"a pattern does not match its own prefix":         {anEvent("user", `{}`), nil},
		"no schedule is an event":                         {anEvent("", `{}`), nil},
		"a condition that does not compile":               {anEvent("broken/one", `{"n":6}`), nil},
		"a condition that fails":                          {anEvent("typed/one", `{"n":"text"}`), []string{"app-i", "app-h failed", "app-i failed"}},
		"the time":                                        {anEvent("timed/one", `{}`), []string{"app-j"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, w.matched(c.e)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if text := w.logged.String(); strings.Count(text, "does not compile") != 1 || !strings.Contains(text, aFunction("g").ID.String()) {
		t.Errorf("logged %s", text)
	}
}

func TestListens(t *testing.T) {
	t.Parallel()
	w := setup()
	if w.Listens("user/created") {
		t.Error("an empty registry listens")
	}
	w.sync(t, putting(aFunction("a", "user/*")))
	if !w.Listens("user/created") || w.Listens("app/created") {
		t.Error("listens to the wrong events")
	}
}

// TestMatch_AgreesWithASearchThroughAll compares the index with the rule of spec 03 §14.3, read literally.
func TestMatch_AgreesWithASearchThroughAll(t *testing.T) {
	t.Parallel()
	names := rapid.SampledFrom([]string{"a", "a/b", "a/b.c", "a.b", "b/c", "a/b/c"})
	patterns := rapid.SampledFrom([]string{"a", "a/b", "a/*", "a/b.*", "a.*", "b/*", "a/b/*", "*", "a/b.c if event.data.n == 1", "a/* if event.data.n == 1"})
	rapid.Check(t, func(t *rapid.T) {
		w := setup()
		functions := map[string]function.Function{}
		for n := range rapid.IntRange(0, 8).Draw(t, "functions") {
			name := fmt.Sprint("f", n)
			functions[name] = aFunction(name, rapid.SliceOfN(patterns, 0, 3).Draw(t, "triggers")...)
		}
		w.Apply(putting(slices.Collect(maps.Values(functions))...))
		n := rapid.IntRange(0, 1).Draw(t, "n")
		e := anEvent(names.Draw(t, "event"), fmt.Sprintf(`{"n":%d}`, n))
		var want []string
		for _, fn := range functions {
			starts := slices.ContainsFunc(fn.Triggers, func(trigger function.Trigger) bool {
				return slices.Contains(event.Patterns(e.Name), trigger.Event) && (trigger.Expression == "" || n == 1)
			})
			if starts {
				want = append(want, fn.Slug)
			}
		}
		slices.Sort(want)
		got := w.matched(e)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func TestFind(t *testing.T) {
	t.Parallel()
	w := setup()
	fn := aFunction("a", "x")
	w.sync(t, putting(fn))
	for text, want := range map[string]bool{
		"app-a": true, fn.ID.String(): true, strings.ToUpper(fn.ID.String()): true, "app-b": false, "": false, uuid.Nil.String(): false,
	} {
		if got, ok := w.Find(text); ok != want || want && got.Slug != fn.Slug {
			t.Errorf("find %q: %t, %v", text, ok, got)
		}
	}
}

func TestFind_ASlugOfTwoAppsIsAlwaysTheSameFunction(t *testing.T) {
	t.Parallel()
	one, other := functionOf("a", "b-c"), functionOf("a-b", "c")
	if one.Slug != other.Slug {
		t.Fatal("the slugs differ")
	}
	first := setup()
	first.Apply(putting(one, other))
	want, _ := first.Find(one.Slug)
	for range 50 {
		w := setup()
		w.Apply(putting(other, one))
		if got, _ := w.Find(one.Slug); got.ID != want.ID {
			t.Fatal("it depends on chance")
		}
	}
}

func TestFunction_IsFoundAfterItWasArchived(t *testing.T) {
	t.Parallel()
	w := setup()
	fn := aFunction("a", "x")
	w.sync(t, putting(fn))
	if got, err := w.Function(t.Context(), fn.ID); err != nil || got.Slug != fn.Slug {
		t.Errorf("active: %v, %v", got, err)
	}
	w.sync(t, function.SyncPlan{App: anApp("app"), Archive: []uuid.UUID{fn.ID}})
	if got, err := w.Function(t.Context(), fn.ID); err != nil || got.Slug != fn.Slug {
		t.Errorf("archived: %v, %v", got, err)
	}
	if _, err := w.Function(t.Context(), uuid.New()); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if w.matched(anEvent("x", `{}`)) != nil {
		t.Error("an archived function is started")
	}
	if _, ok := w.Find("app-a"); ok {
		t.Error("an archived function is found")
	}
}

func TestReload_ReadsWhatIsActive(t *testing.T) {
	t.Parallel()
	w := setup()
	plan := putting(aFunction("a", "x"), aFunction("b", "x"))
	if err := w.backend.Sync(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if w.matched(anEvent("x", `{}`)) != nil || w.SDK(plan.App.ID) != "" || len(w.Functions()) != 0 {
		t.Error("the registry knows what it has not read")
	}
	if err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app-a", "app-b"}, w.matched(anEvent("x", `{}`))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if w.SDK(plan.App.ID) != "js" || len(w.Functions()) != 2 {
		t.Errorf("SDK is %q, %d functions", w.SDK(plan.App.ID), len(w.Functions()))
	}
	if err := w.backend.RemoveApp(t.Context(), plan.App.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.matched(anEvent("x", `{}`)) != nil || w.SDK(plan.App.ID) != "" {
		t.Error("the registry knows what is gone")
	}
}

// catalog is a catalog some of whose calls fail.
type catalog struct {
	ports.Catalog
	functions, apps, paused error
}

func (c *catalog) PausedFunctions(ctx context.Context) ([]uuid.UUID, error) {
	if c.paused != nil {
		return nil, c.paused
	}
	return c.Catalog.PausedFunctions(ctx)
}

func (c *catalog) Functions(ctx context.Context) ([]function.Function, error) {
	if c.functions != nil {
		return nil, c.functions
	}
	return c.Catalog.Functions(ctx)
}

func (c *catalog) Apps(ctx context.Context) ([]function.App, error) {
	if c.apps != nil {
		return nil, c.apps
	}
	return c.Catalog.Apps(ctx)
}

func TestReload_KeepsWhatItHasWhenTheCatalogFails(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]*catalog{
		"to read functions": {functions: ports.ErrUnavailable}, "to read apps": {apps: ports.ErrUnavailable},
		"to read what is paused": {paused: ports.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup()
			w.Apply(putting(aFunction("a", "x")))
			broken.Catalog, w.catalog = w.backend, broken
			if err := w.Reload(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
				t.Errorf("error is %v", err)
			}
			if len(w.matched(anEvent("x", `{}`))) != 1 {
				t.Error("the registry is empty")
			}
		})
	}
}

func TestApplyAndRemove(t *testing.T) {
	t.Parallel()
	w := setup()
	placeholder := functionOf("old", "p", "x")
	w.Apply(function.SyncPlan{App: anApp("old"), Put: []function.Function{placeholder}})
	w.Apply(putting(aFunction("a", "x"), aFunction("b", "x")))
	w.Apply(function.SyncPlan{App: anApp("other"), Put: []function.Function{functionOf("other", "o", "x")}})

	changed := aFunction("a", "y")
	changed.Version = 2
	plan := function.SyncPlan{
		DropPlaceholders: []uuid.UUID{placeholder.AppID}, App: anApp("app"), Archive: []uuid.UUID{aFunction("b").ID}, Put: []function.Function{changed},
	}
	plan.App.SDK = "go"
	w.Apply(plan)
	if diff := cmp.Diff([]string{"other-o"}, w.matched(anEvent("x", `{}`))); diff != "" {
		t.Errorf("after the sync -want +got:\n%s", diff)
	}
	if got, _ := w.Find("app-a"); got.Version != 2 || w.matched(anEvent("y", `{}`)) == nil {
		t.Errorf("the function is %+v", got)
	}
	if w.SDK(plan.App.ID) != "go" || w.SDK(placeholder.AppID) != "" {
		t.Errorf("SDKs are %q and %q", w.SDK(plan.App.ID), w.SDK(placeholder.AppID))
	}

	w.Remove(ids.AppID("app"))
	if w.matched(anEvent("y", `{}`)) != nil || w.SDK(plan.App.ID) != "" || len(w.Functions()) != 1 {
		t.Error("the app is not forgotten")
	}
}

func TestPrograms_AreSharedAndLetGo(t *testing.T) {
	t.Parallel()
	const condition = "event.data.n == 1"
	w := setup()
	w.Apply(putting(aFunction("a", "x if "+condition), aFunction("b", "y if "+condition, "z if event.data.n == 2")))
	s := w.current.Load()
	shared := s.byEvent["x"][0].program
	if shared == nil || shared != s.byEvent["y"][0].program || len(w.programs) != 2 {
		t.Fatalf("%d programs for 2 texts", len(w.programs))
	}
	w.Apply(putting(aFunction("c", "q if "+condition)))
	if w.current.Load().byEvent["q"][0].program != shared {
		t.Error("a text that is known was compiled again")
	}
	w.Apply(function.SyncPlan{App: anApp("app"), Archive: []uuid.UUID{aFunction("b").ID}})
	if len(w.programs) != 1 || w.programs[condition] != shared {
		t.Errorf("programs kept: %v", w.programs)
	}
	w.Remove(ids.AppID("app"))
	if len(w.programs) != 0 {
		t.Errorf("programs kept: %v", w.programs)
	}
}

func TestTemplates_AreSharedAndLetGo(t *testing.T) {
	t.Parallel()
	const condition = "event.data.n == async.data.n"
	cancelled := func(name string, conditions ...string) function.Function {
		fn := aFunction(name)
		for _, text := range conditions {
			fn.Settings.Cancel = append(fn.Settings.Cancel, function.Cancel{Event: "stop", If: text})
		}
		return fn
	}
	w := setup()
	w.Apply(putting(cancelled("a", condition, "event."), cancelled("b", condition, "")))
	shared := w.Template(condition)
	if shared == nil || w.Template("event.") != nil || w.Template("") != nil || w.Template("event.data.other") != nil {
		t.Fatalf("templates kept: %v", w.current.Load().templates)
	}
	w.Apply(putting(cancelled("b")))
	if w.Template(condition) != shared {
		t.Error("a text that is known was compiled again, or let go")
	}
	w.Apply(putting(cancelled("a")))
	if kept := w.current.Load().templates; len(kept) != 0 {
		t.Errorf("templates kept: %v", kept)
	}
}

func TestRegistry_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	w := setup()
	w.sync(t, putting(aFunction("a", "x if event.data.n == 1")))
	var group sync.WaitGroup
	for n := range 4 {
		group.Go(func() {
			for range 20 {
				app := fmt.Sprint("app", n)
				w.Apply(function.SyncPlan{App: anApp(app), Put: []function.Function{functionOf(app, "f", "x if event.data.n == 1")}})
				if got := w.matched(anEvent("x", `{"n":1}`)); !slices.Contains(got, app+"-f") {
					t.Errorf("own function is not among %v", got)
				}
				w.Remove(ids.AppID(app))
				if got := w.matched(anEvent("x", `{"n":1}`)); slices.Contains(got, app+"-f") {
					t.Errorf("removed function is among %v", got)
				}
			}
		})
	}
	group.Go(func() {
		for range 20 {
			w.Find("app-a")
			w.Functions()
			w.Listens("x")
		}
	})
	group.Wait()
	if got := w.matched(anEvent("x", `{"n":1}`)); !slices.Equal(got, []string{"app-a"}) {
		t.Errorf("left are %v", got)
	}
}

// BenchmarkMatch shows that the cost of an event depends on who listens to it, not on how many functions there are.
func BenchmarkMatch(b *testing.B) {
	for _, count := range []int{10, 10_000} {
		w := setup()
		all := make([]function.Function, count)
		for n := range all {
			all[n] = aFunction(fmt.Sprint(n), fmt.Sprintf("event/%d if event.data.n == %d", n, n%10))
		}
		w.Apply(putting(all...))
		for name, e := range map[string]event.Event{
			"matched": anEvent("event/7", `{"n":7}`), "refused": anEvent("event/7", `{"n":1}`), "unheard": anEvent("nobody", `{"n":7}`),
		} {
			b.Run(fmt.Sprintf("functions=%d/%s", count, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					w.Match(e, now)
				}
			})
		}
	}
}

// BenchmarkApply is a sync of one function among many.
func BenchmarkApply(b *testing.B) {
	for _, count := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("functions=%d", count), func(b *testing.B) {
			w := setup()
			all := make([]function.Function, count)
			for n := range all {
				all[n] = aFunction(fmt.Sprint(n), fmt.Sprintf("event/%d if event.data.n == %d", n, n%10))
			}
			w.Apply(putting(all...))
			b.ReportAllocs()
			for b.Loop() {
				w.Apply(putting(all[0]))
			}
		})
	}
}

// listener notes the slugs of what it is told, and whether the registry knew by then.
type listener struct {
	r    *Registry
	told []string
}

func (l *listener) Changed(put []function.Function, gone []uuid.UUID) {
	var text []string
	for _, fn := range put {
		_, known := l.r.Find(fn.Slug)
		text = append(text, fmt.Sprint(fn.Slug, " ", known))
	}
	slices.Sort(text)
	for _, id := range gone {
		_, known := l.r.Find(id.String())
		text = append(text, fmt.Sprint("gone ", known))
	}
	l.told = append(l.told, strings.Join(text, ", "))
}

func TestObserve_TellsOfEveryChangeInOrder(t *testing.T) {
	t.Parallel()
	w := setup()
	l := &listener{r: w.Registry}
	w.Observe(l)
	one, two, other := aFunction("one", "a"), aFunction("two", "a"), functionOf("other", "fn", "a")
	w.sync(t, putting(one, two))
	w.sync(t, function.SyncPlan{App: anApp("other"), Put: []function.Function{other}})
	w.sync(t, function.SyncPlan{App: anApp("app"), Archive: []uuid.UUID{two.ID}, Put: []function.Function{one}})
	w.Remove(anApp("other").ID)
	if err := w.backend.RemoveApp(t.Context(), anApp("app").ID); err != nil { // by another server
		t.Fatal(err)
	}
	if err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"app-one true, app-two true", "other-fn true", "app-one true, gone false", "gone false", "other-fn true, gone false"}
	if diff := cmp.Diff(want, l.told); diff != "" {
		t.Errorf("told -want +got:\n%s", diff)
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	w := setup()
	fn, other := aFunction("a", "x"), aFunction("b", "x")
	w.sync(t, putting(fn, other))
	paused := func() []bool { return []bool{w.Standing(fn.ID).Paused, w.Standing(other.ID).Paused} }
	for _, step := range []struct {
		name string
		do   func()
		want []bool
	}{
		{"at first", func() {}, []bool{false, false}},
		{"paused", func() { w.SetPaused(fn.ID, true) }, []bool{true, false}},
		{"paused again", func() { w.SetPaused(fn.ID, true) }, []bool{true, false}},
		{"after a sync", func() { w.sync(t, putting(fn, other)) }, []bool{true, false}},
		{"resumed", func() { w.SetPaused(fn.ID, false) }, []bool{false, false}},
		{"as the catalog has it", func() {
			if err := errors.Join(w.backend.SetPaused(t.Context(), other.ID, true), w.Reload(t.Context())); err != nil {
				t.Fatal(err)
			}
		}, []bool{false, true}},
	} {
		step.do()
		if diff := cmp.Diff(step.want, paused()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", step.name, diff)
		}
	}
}

func TestFlow(t *testing.T) {
	t.Parallel()
	limited := func(name string, version int, period string) function.Function {
		fn := aFunction(name)
		fn.Version, fn.Settings.RateLimit = version, &function.RateLimit{Limit: 1, Period: period}
		return fn
	}
	w := setup()
	first := limited("a", 1, "1m")
	w.Apply(putting(first, aFunction("plain"), limited("bad", 1, "never")))
	compiled := w.Flow(first.ID)
	if compiled == nil || compiled.RateLimit == nil || w.Flow(ids.FunctionID("plain", "app")) != nil {
		t.Fatalf("settings %v", w.current.Load().flow)
	}
	if !strings.Contains(w.logged.String(), "setting cannot be used") {
		t.Errorf("logged %s", w.logged)
	}
	w.Apply(putting(first, aFunction("more", "x")))
	if w.Flow(first.ID) != compiled {
		t.Error("the settings of a function that stays were compiled again")
	}
	w.Apply(putting(limited("a", 1, "2m")))
	if w.Flow(first.ID) == compiled {
		t.Error("the settings of a function that has changed were kept")
	}
	w.Remove(first.AppID)
	if w.Flow(first.ID) != nil {
		t.Error("the settings of a function that is gone were kept")
	}
}

// told are the functions that a limiter was told of, and whether they have settings.
type told []string

func (l *told) Limit(id uuid.UUID, settings *flow.Settings) {
	*l = append(*l, fmt.Sprint(id, " ", settings != nil))
}

func TestLimits_TellsWhatFunctionsAreLimitedBy(t *testing.T) {
	t.Parallel()
	w, l := setup(), told{}
	w.Observe(NewLimits(w.Registry, &l))
	one, two := aFunction("one"), aFunction("two")
	one.Settings.Concurrency = &function.Concurrency{Step: []function.StepLimit{{Limit: 1}}}
	w.Apply(putting(one, two))
	w.Apply(function.SyncPlan{App: anApp("app"), Archive: []uuid.UUID{one.ID}, Put: []function.Function{two}})
	want := told{fmt.Sprint(one.ID, " true"), fmt.Sprint(two.ID, " false"), fmt.Sprint(two.ID, " false"), fmt.Sprint(one.ID, " false")}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("told -want +got:\n%s", diff)
	}
}
