package graphql_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// reads counts the calls of ports.
type reads struct {
	mu    sync.Mutex
	calls map[string]int
}

func (r *reads) note(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[name]++
}

// since returns the calls made meanwhile.
func (r *reads) since(f func()) map[string]int {
	r.mu.Lock()
	r.calls = map[string]int{}
	r.mu.Unlock()
	f()
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.calls)
}

type (
	countedHistory struct {
		ports.History
		*reads
	}
	countedCatalog struct {
		ports.Catalog
		*reads
	}
	countedMetadata struct {
		ports.Metadata
		*reads
	}
	countedStore struct {
		ports.Store
		*reads
	}
)

func (c countedHistory) Event(ctx context.Context, id ulid.ULID) (event.Tracked, error) {
	c.note("Event")
	return c.History.Event(ctx, id)
}

func (c countedHistory) Runs(ctx context.Context, q ports.RunList) ([]ports.RunSummary, error) {
	c.note("Runs")
	return c.History.Runs(ctx, q)
}

func (c countedHistory) CountRuns(ctx context.Context, q ports.RunList) (int, error) {
	c.note("CountRuns")
	return c.History.CountRuns(ctx, q)
}

func (c countedHistory) Summaries(ctx context.Context, ids []ulid.ULID) ([]ports.RunSummary, error) {
	c.note("Summaries")
	return c.History.Summaries(ctx, ids)
}

func (c countedHistory) EventsByID(ctx context.Context, ids []ulid.ULID) ([]event.Tracked, error) {
	c.note("EventsByID")
	return c.History.EventsByID(ctx, ids)
}

func (c countedHistory) EventPage(ctx context.Context, q ports.EventList) ([]event.Tracked, error) {
	c.note("EventPage")
	return c.History.EventPage(ctx, q)
}

func (c countedHistory) RunsOfEvents(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]ports.RunSummary, error) {
	c.note("RunsOfEvents")
	return c.History.RunsOfEvents(ctx, ids)
}

func (c countedHistory) Spans(ctx context.Context, id ulid.ULID) ([]trace.Span, error) {
	c.note("Spans")
	return c.History.Spans(ctx, id)
}

func (c countedHistory) SpansOf(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]trace.Span, error) {
	c.note("SpansOf")
	return c.History.SpansOf(ctx, ids)
}

func (c countedCatalog) Functions(ctx context.Context) ([]function.Function, error) {
	c.note("Functions")
	return c.Catalog.Functions(ctx)
}

func (c countedCatalog) Function(ctx context.Context, id uuid.UUID) (function.Function, error) {
	c.note("Function")
	return c.Catalog.Function(ctx, id)
}

func (c countedCatalog) FunctionsByID(ctx context.Context, ids []uuid.UUID) ([]function.Function, error) {
	c.note("FunctionsByID")
	return c.Catalog.FunctionsByID(ctx, ids)
}

func (c countedCatalog) Apps(ctx context.Context) ([]function.App, error) {
	c.note("Apps")
	return c.Catalog.Apps(ctx)
}

func (c countedCatalog) AppsByID(ctx context.Context, ids []uuid.UUID) ([]function.App, error) {
	c.note("AppsByID")
	return c.Catalog.AppsByID(ctx, ids)
}

func (c countedMetadata) All(ctx context.Context, id ulid.ULID) ([]metadata.Stored, error) {
	c.note("Metadata")
	return c.Metadata.All(ctx, id)
}

func (c countedMetadata) AllOf(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]metadata.Stored, error) {
	c.note("MetadataOf")
	return c.Metadata.AllOf(ctx, ids)
}

func (c countedStore) Load(ctx context.Context, id ulid.ULID) (run.State, error) {
	c.note("Load")
	return c.Store.Load(ctx, id)
}

// counted is a fixture with 40 events and runs, of ten functions of which five are archived.
func counted(t *testing.T) (*fixture, *reads) {
	t.Helper()
	r := &reads{calls: map[string]int{}}
	f := newFixture(t, graphql.Config{}, func(d *graphql.Deps) {
		d.Catalog, d.Records, d.Store = countedCatalog{d.Catalog, r}, countedHistory{d.Records, r}, countedStore{d.Store, r}
	})
	// The reader is given the same ports, with metadata besides.
	f.deps.Past = history.New(history.Deps{
		History: f.deps.Records, Store: f.deps.Store, Queue: f.backend.Queue(), Metadata: countedMetadata{f.backend.Metadata(), r},
		Catalog: f.deps.Catalog, Clock: f.clock,
	}, history.Config{})
	f.handler = graphql.New(f.deps, graphql.Config{})
	names := strings.Fields("f0 f1 f2 f3 f4 f5 f6 f7 f8 f9")
	f.register("", names...)
	for i := range 40 {
		f.send(names[i%len(names)], fmt.Sprintf(`{"n":%d}`, i))
	}
	f.register("", names[:5]...)
	return f, r
}

// A list makes as many reads as one item.
func TestLists_MakeAFixedNumberOfReads(t *testing.T) {
	t.Parallel()
	f, r := counted(t)
	const (
		runOf = `id status eventName output app{name functionCount} function{slug app{name} failureHandler{id}} new:trace(preview:true){status childrenSpans{name}} old:trace{status}`
		runs  = `{page:runs(first:%d,orderBy:[],filter:{from:"2026-01-01T00:00:00Z"}){totalCount edges{node{` + runOf + `}}}}`
	)
	for name, c := range map[string]struct {
		query string
		want  map[string]int
	}{
		"runs": {runs, map[string]int{
			"Runs": 1, "CountRuns": 1, "Summaries": 1, "EventsByID": 1, "SpansOf": 2, "MetadataOf": 2, "FunctionsByID": 2, "AppsByID": 1, "Functions": 1,
		}},
		"runs of events": {`{page:eventsV2(first:%d,filter:{from:"2026-01-01T00:00:00Z"}){edges{node{id runs{` + runOf + `}}}}}`, map[string]int{
			"EventPage": 1, "RunsOfEvents": 1, "Summaries": 1, "EventsByID": 1, "SpansOf": 2, "MetadataOf": 2, "FunctionsByID": 2, "AppsByID": 1, "Functions": 1,
		}},
		"runs of older events": {`{page:stream(query:{limit:%d}){runs{id status output function{slug app{name}} event{id} events{id functionRuns{id}} pendingSteps}}}`, map[string]int{
			"EventPage": 1, "RunsOfEvents": 2, "Summaries": 1, "EventsByID": 1, "FunctionsByID": 1, "AppsByID": 1,
		}},
	} {
		for _, first := range []int{1, 40} {
			answer := ""
			got := r.since(func() { answer = f.ask(fmt.Sprintf(c.query, first), nil) })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s, first %d: -want +got:\n%s", name, first, diff)
			}
			if n := strings.Count(answer, `"slug":"f`) + strings.Count(answer, `"slug":"app-f`); strings.Contains(answer, "errors") || n != first {
				t.Errorf("%s, first %d: %d runs in %.300s", name, first, n, answer)
			}
		}
	}
	apps := r.since(func() { f.ask(`{apps{name functionCount functions{slug app{name} failureHandler{slug}}}}`, nil) })
	if diff := cmp.Diff(map[string]int{"Apps": 1, "Functions": 2, "AppsByID": 1}, apps); diff != "" {
		t.Errorf("apps: -want +got:\n%s", diff)
	}
}
