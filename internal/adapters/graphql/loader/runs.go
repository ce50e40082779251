package loader

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// Past reads what happened in runs, of several at once: their traces, in the new shape or in the older one, the runs that they are
// linked to, and those that events started.
type Past interface {
	Traces(ctx context.Context, ids []ulid.ULID, preview bool) (map[ulid.ULID]*trace.Node, error)
	Linked(ctx context.Context, runs []ulid.ULID) (map[ulid.ULID]history.Linked, error)
	RunsOfEvents(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]ports.RunSummary, error)
}

// Sources are where runs and what belongs to them are read.
type Sources struct {
	Catalog ports.Catalog
	History ports.History
	Past    Past
}

// Runs is what the runs of a list, or of several lists that are read together, have besides their summaries.
type Runs struct {
	// Functions are those of the runs, with their apps.
	*Functions
	// Active are the functions of all apps.
	Active *Active
	// Outputs are the runs with what they returned, which lists leave out.
	Outputs *Records
	// Events are all that started the runs, EventRuns the runs that these started.
	Events    *Group[ulid.ULID, event.Tracked]
	EventRuns *EventRuns

	previews, legacies *Group[ulid.ULID, *trace.Node]
	links              *Group[ulid.ULID, history.Linked]
}

// NewRuns returns what the runs have.
func NewRuns(from Sources, list []ports.RunSummary) *Runs {
	ids, functions, apps := make([]ulid.ULID, len(list)), make([]uuid.UUID, len(list)), make([]uuid.UUID, len(list))
	var events []ulid.ULID
	for i, run := range list {
		ids[i], functions[i], apps[i] = run.RunID, run.FunctionID, run.AppID
		events = append(events, run.Events...)
	}
	traces := func(preview bool) *Group[ulid.ULID, *trace.Node] {
		return NewGroup(ids, func(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID]*trace.Node, error) {
			return from.Past.Traces(ctx, ids, preview)
		})
	}
	return &Runs{
		Functions: NewFunctions(from.Catalog, functions, NewApps(from.Catalog, apps)), Active: NewActive(from.Catalog),
		Outputs:   NewRecords(from.History, ids...),
		Events:    NewGroup(events, byID(from.History.EventsByID, func(e event.Tracked) ulid.ULID { return e.InternalID })),
		EventRuns: NewEventRuns(from, events),
		previews:  traces(true), legacies: traces(false), links: NewGroup(ids, from.Past.Linked),
	}
}

// Trace is the trace of a run of the list; ok is false when it has none.
func (r *Runs) Trace(ctx context.Context, run ulid.ULID, preview bool) (node *trace.Node, ok bool, err error) {
	if preview {
		return r.previews.Get(ctx, run)
	}
	return r.legacies.Get(ctx, run)
}

// Links are the runs that a run of the list is linked to.
func (r *Runs) Links(ctx context.Context, run ulid.ULID) (history.Linked, error) {
	links, _, err := r.links.Get(ctx, run)
	return links, err
}

// EventRuns are the runs of the events of a list.
type EventRuns struct {
	from  Sources
	group *Group[ulid.ULID, []ports.RunSummary]
	once  sync.Once
	runs  *Runs
}

// NewEventRuns returns the runs of the events with the internal IDs.
func NewEventRuns(from Sources, events []ulid.ULID) *EventRuns {
	return &EventRuns{from: from, group: NewGroup(events, from.Past.RunsOfEvents)}
}

// Of returns the runs of one event, and what the runs of all events of the list have.
func (e *EventRuns) Of(ctx context.Context, event ulid.ULID) ([]ports.RunSummary, *Runs, error) {
	own, _, err := e.group.Get(ctx, event)
	if err != nil {
		return nil, nil, err
	}
	e.once.Do(func() {
		var all []ports.RunSummary
		for _, id := range unique(e.group.keys) {
			all = append(all, e.group.found[id]...)
		}
		e.runs = NewRuns(e.from, all)
	})
	return own, e.runs, nil
}

// Records are runs by ID.
type Records struct {
	*Group[ulid.ULID, ports.RunSummary]
}

// NewRecords returns the runs with the IDs.
func NewRecords(history ports.History, ids ...ulid.ULID) *Records {
	return &Records{NewGroup(ids, byID(history.Summaries, func(run ports.RunSummary) ulid.ULID { return run.RunID }))}
}

// Linked are runs that others defer, or that defer others.
type Linked struct {
	*Records
	// Active are the functions of all apps.
	Active *Active
	from   Sources
	once   sync.Once
	runs   *Runs
}

// NewLinked returns the runs with the IDs.
func NewLinked(from Sources, ids []ulid.ULID) *Linked {
	return &Linked{Records: NewRecords(from.History, ids...), Active: NewActive(from.Catalog), from: from}
}

// Function returns the active function of that slug, nil when there is none.
func (l *Linked) Function(ctx context.Context, slug string) (*function.Function, error) {
	return l.Active.WithSlug(ctx, slug)
}

// Run returns one of the runs, and what they all have; ok is false when it is not kept.
func (l *Linked) Run(ctx context.Context, id ulid.ULID) (run ports.RunSummary, page *Runs, ok bool, err error) {
	if run, ok, err = l.Get(ctx, id); err != nil || !ok {
		return run, nil, false, err
	}
	l.once.Do(func() { l.runs = NewRuns(l.from, slices.Collect(maps.Values(l.found))) })
	return run, l.runs, true, nil
}
