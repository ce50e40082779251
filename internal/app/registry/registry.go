// Package registry is the application's view of what is registered: functions by ID and slug, and by the events that
// trigger them, and which of them are paused. It is read on every event and every call, so it lives in memory as one immutable snapshot that a sync
// replaces; no reader ever waits.
package registry

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Registry is safe for concurrent use.
type Registry struct {
	catalog ports.Catalog
	log     *slog.Logger
	current atomic.Pointer[snapshot]
	// paused are the functions that are, whatever the snapshot has of them.
	paused atomic.Pointer[map[uuid.UUID]bool]

	// others are functions that start by no event: those that are archived, which still have runs, and durable endpoints. They
	// may be many, so only those in use are kept.
	others *lru.Cache[uuid.UUID, function.Function]

	// reload makes snapshots replace each other in the order in which they were read; it also guards programs and observers.
	reload    sync.Mutex
	programs  map[string]*expr.Program
	observers []Observer
}

// Observer is told of changes.
type Observer interface {
	// Changed says which functions are new or have changed, and which are not active any more. It is called after the change has
	// taken effect, for one change after the other, and must not wait or call the registry's changes.
	Changed(put []function.Function, gone []uuid.UUID)
}

// Observe has the observer told of every change from now on.
func (r *Registry) Observe(o Observer) {
	r.reload.Lock()
	defer r.reload.Unlock()
	r.observers = append(r.observers, o)
}

type snapshot struct {
	byID   map[uuid.UUID]function.Function
	bySlug map[string]uuid.UUID
	// byEvent holds, for the event text of a trigger, what it may start, in the order of the functions' triggers.
	byEvent map[string][]candidate
	sdk     map[uuid.UUID]string
	// templates are the conditions of events that cancel runs, by text.
	templates map[string]*expr.Template
	// flow is the flow control of the functions that ask for some.
	flow map[uuid.UUID]*flow.Settings
}

// candidate is a trigger of a function.
type candidate struct {
	function uuid.UUID
	// program is nil when the trigger has no condition.
	program *expr.Program
}

// othersKept bounds the functions that are kept although no event starts them.
const othersKept = 4096

// New returns an empty registry; Reload fills it.
func New(catalog ports.Catalog, log *slog.Logger) *Registry {
	others, err := lru.New[uuid.UUID, function.Function](othersKept)
	if err != nil {
		panic(err) // a constant size is refused only if it is not positive
	}
	r := &Registry{catalog: catalog, log: log, others: others, programs: map[string]*expr.Program{}}
	r.current.Store(&snapshot{})
	r.paused.Store(&map[uuid.UUID]bool{})
	return r
}

// Reload reads the catalog anew. Events routed after it returns see what it read.
func (r *Registry) Reload(ctx context.Context) error {
	r.reload.Lock()
	defer r.reload.Unlock()
	functions, err := r.catalog.Functions(ctx)
	if err != nil {
		return fmt.Errorf("read functions: %w", err)
	}
	apps, err := r.catalog.Apps(ctx)
	if err != nil {
		return fmt.Errorf("read apps: %w", err)
	}
	paused, err := r.catalog.PausedFunctions(ctx)
	if err != nil {
		return fmt.Errorf("read paused functions: %w", err)
	}
	byID, sdk := make(map[uuid.UUID]function.Function, len(functions)), make(map[uuid.UUID]string, len(apps))
	for _, fn := range functions {
		if !fn.IsEndpoint() {
			byID[fn.ID] = fn
		}
	}
	r.others.Purge()
	for _, app := range apps {
		sdk[app.ID] = app.SDK
	}
	r.paused.Store(new(pausedSet(paused)))
	r.replace(byID, sdk, slices.Collect(maps.Values(byID)))
	return nil
}

// replace makes functions and SDKs what is registered, and tells of it. The caller holds reload.
func (r *Registry) replace(functions map[uuid.UUID]function.Function, sdk map[uuid.UUID]string, put []function.Function) {
	var gone []uuid.UUID
	for id := range r.current.Load().byID {
		if _, active := functions[id]; !active {
			gone = append(gone, id)
		}
	}
	r.current.Store(r.index(functions, sdk))
	for _, o := range r.observers {
		o.Changed(put, gone)
	}
}

func pausedSet(ids []uuid.UUID) map[uuid.UUID]bool {
	set := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// SetPaused makes what the catalog has of a function's pause take effect.
func (r *Registry) SetPaused(function uuid.UUID, paused bool) {
	r.reload.Lock()
	defer r.reload.Unlock()
	next := maps.Clone(*r.paused.Load())
	delete(next, function)
	if paused {
		next[function] = true
	}
	r.paused.Store(&next)
}

// Standing is what decides whether runs of the function start.
func (r *Registry) Standing(function uuid.UUID) run.Standing {
	return run.Standing{Paused: (*r.paused.Load())[function]}
}

// Apply makes what a sync changed take effect. Events routed after it returns see it.
func (r *Registry) Apply(plan function.SyncPlan) {
	r.change(plan.Put, func(functions map[uuid.UUID]function.Function, sdk map[uuid.UUID]string) {
		for _, id := range plan.DropPlaceholders {
			dropApp(functions, sdk, id)
		}
		for _, id := range plan.Archive {
			delete(functions, id)
		}
		for _, fn := range plan.Put {
			functions[fn.ID] = fn
		}
		sdk[plan.App.ID] = plan.App.SDK
	})
}

// PutEndpoint makes a durable endpoint known that the catalog has stored.
func (r *Registry) PutEndpoint(fn function.Function) { r.others.Add(fn.ID, fn) }

// Remove forgets an app and its functions.
func (r *Registry) Remove(app uuid.UUID) {
	r.change(nil, func(functions map[uuid.UUID]function.Function, sdk map[uuid.UUID]string) {
		dropApp(functions, sdk, app)
	})
}

func dropApp(functions map[uuid.UUID]function.Function, sdk map[uuid.UUID]string, app uuid.UUID) {
	delete(sdk, app)
	maps.DeleteFunc(functions, func(_ uuid.UUID, fn function.Function) bool { return fn.AppID == app })
}

func (r *Registry) change(put []function.Function, edit func(functions map[uuid.UUID]function.Function, sdk map[uuid.UUID]string)) {
	r.reload.Lock()
	defer r.reload.Unlock()
	r.others.Purge()
	old := r.current.Load()
	functions, sdk := maps.Clone(old.byID), maps.Clone(old.sdk)
	if functions == nil {
		functions, sdk = map[uuid.UUID]function.Function{}, map[uuid.UUID]string{}
	}
	edit(functions, sdk)
	r.replace(functions, sdk, put)
}

// index builds a snapshot. Functions are walked in the order of their slugs, so that equal registrations route alike.
func (r *Registry) index(functions map[uuid.UUID]function.Function, sdk map[uuid.UUID]string) *snapshot {
	s := &snapshot{
		byID:    functions,
		bySlug:  make(map[string]uuid.UUID, len(functions)),
		byEvent: make(map[string][]candidate, len(functions)),
		sdk:     sdk,

		templates: map[string]*expr.Template{},
		flow:      map[uuid.UUID]*flow.Settings{},
	}
	var kept map[string]*expr.Template
	if old := r.current.Load(); old != nil {
		kept = old.templates
	}
	used := map[string]*expr.Program{}
	bySlug := func(a, b function.Function) int {
		return cmp.Or(cmp.Compare(a.Slug, b.Slug), bytes.Compare(a.ID[:], b.ID[:]))
	}
	for _, fn := range slices.SortedFunc(maps.Values(functions), bySlug) {
		s.bySlug[fn.Slug] = fn.ID
		for _, trigger := range fn.Triggers {
			if trigger.Event == "" {
				continue
			}
			program, err := r.program(used, trigger.Expression)
			if err != nil {
				r.log.Error("trigger expression does not compile; the trigger starts nothing", "fn_id", fn.ID.String(), "error", err)
				continue
			}
			s.byEvent[trigger.Event] = append(s.byEvent[trigger.Event], candidate{fn.ID, program})
		}
		for _, cancel := range fn.Settings.Cancel {
			s.addTemplate(cancel.If, kept)
		}
		if settings := r.flow(fn); settings != nil {
			s.flow[fn.ID] = settings
		}
	}
	r.programs = used // what no function uses any more is let go
	return s
}

// flow is the flow control of a function, nil for none. That of a function that stays as it is is not compiled again.
func (r *Registry) flow(fn function.Function) *flow.Settings {
	old := r.current.Load()
	if known, ok := old.byID[fn.ID]; ok && known.Version == fn.Version && reflect.DeepEqual(known.Settings, fn.Settings) {
		return old.flow[fn.ID]
	}
	settings, faults := flow.Compile(fn)
	for _, fault := range faults {
		r.log.Warn("setting cannot be used", "fn_id", fn.ID.String(), "error", fault)
	}
	if settings.Empty() {
		return nil
	}
	return settings
}

// Flow is the flow control that an active function asks for; nil for none.
func (r *Registry) Flow(function uuid.UUID) *flow.Settings { return r.current.Load().flow[function] }

// addTemplate compiles the condition of an event that cancels runs, unless it is among those kept. One that does not compile is
// left to who starts a run.
func (s *snapshot) addTemplate(text string, kept map[string]*expr.Template) {
	if text == "" || s.templates[text] != nil {
		return
	}
	template := kept[text]
	if template == nil {
		template, _ = expr.CompileTemplate(text)
	}
	if template != nil {
		s.templates[text] = template
	}
}

// Template is the condition, compiled, of an event that cancels runs of some active function; nil for another text.
func (r *Registry) Template(text string) *expr.Template { return r.current.Load().templates[text] }

// program compiles a condition, once for all functions and syncs that use its text.
func (r *Registry) program(used map[string]*expr.Program, text string) (*expr.Program, error) {
	if text == "" {
		return nil, nil
	}
	if p := used[text]; p != nil {
		return p, nil
	}
	p := r.programs[text]
	if p == nil {
		var err error
		if p, err = expr.Compile(text); err != nil {
			return nil, err
		}
	}
	used[text] = p
	return p, nil
}

// Match is a function that an event starts, or one with a trigger whose condition could not be evaluated.
type Match = struct {
	Function function.Function
	Err      error
}

// Match returns the functions that an event starts at the instant now, each once. A condition that fails is reported and its trigger
// skipped; a later trigger may still start the function. The cost grows with the functions that listen to the event,
// not with those that exist. Spec 03 §14.3.
func (r *Registry) Match(e event.Event, now time.Time) []Match {
	s := r.current.Load()
	candidates := s.candidates(e.Name)
	if len(candidates) == 0 {
		return nil
	}
	matches := make([]Match, 0, len(candidates))
	started := make(map[uuid.UUID]bool, len(candidates))
	subject := expr.NewSubject(e, now) // all conditions share what is decoded of the event
	var failed []Match
	for _, c := range candidates {
		if started[c.function] {
			continue
		}
		if c.program != nil {
			ok, err := c.program.MatchSubject(subject)
			if err != nil {
				failed = append(failed, Match{Function: s.byID[c.function], Err: err})
				continue
			}
			if !ok {
				continue
			}
		}
		started[c.function] = true
		matches = append(matches, Match{Function: s.byID[c.function]})
	}
	return append(matches, failed...)
}

// candidates are the triggers whose event text is one of the patterns of the name.
func (s *snapshot) candidates(name string) []candidate {
	patterns := event.Patterns(name)
	if len(patterns) == 1 {
		return s.byEvent[patterns[0]]
	}
	var all []candidate
	for _, pattern := range patterns {
		all = append(all, s.byEvent[pattern]...)
	}
	return all
}

// Listens reports whether any trigger may match events of the name.
func (r *Registry) Listens(name string) bool {
	return len(r.current.Load().candidates(name)) > 0
}

// Find returns the active function with the slug or the UUID.
func (r *Registry) Find(slugOrID string) (function.Function, bool) {
	s := r.current.Load()
	id, ok := s.bySlug[slugOrID]
	if !ok {
		parsed, err := uuid.Parse(slugOrID)
		if err != nil {
			return function.Function{}, false
		}
		id = parsed
	}
	fn, ok := s.byID[id]
	return fn, ok
}

// Function returns a function by ID. One that is no longer active is read from the catalog, so that its runs end.
func (r *Registry) Function(ctx context.Context, id uuid.UUID) (function.Function, error) {
	if fn, ok := r.current.Load().byID[id]; ok {
		return fn, nil
	}
	if fn, ok := r.others.Get(id); ok {
		return fn, nil
	}
	fn, err := ports.One(r.catalog.FunctionsByID(ctx, []uuid.UUID{id}))
	if err != nil {
		return function.Function{}, fmt.Errorf("read function %s: %w", id, err)
	}
	r.others.Add(id, fn)
	return fn, nil
}

// Functions returns the active functions, in no order.
func (r *Registry) Functions() []function.Function {
	s := r.current.Load()
	all := make([]function.Function, 0, len(s.byID))
	for _, fn := range s.byID {
		all = append(all, fn)
	}
	return all
}

// SDK returns the language of an app's SDK, empty when it is not known.
func (r *Registry) SDK(app uuid.UUID) string { return r.current.Load().sdk[app] }
