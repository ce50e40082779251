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

// reads counts the calls of ports, and lets one of them fail.
type reads struct {
	mu    sync.Mutex
	calls map[string]int
	// fail is the number of the call that fails, counted down; 0 for none.
	fail int
}

// errStore is what a call that fails says.
var errStore = fmt.Errorf("the disk of db7 is full: %w", ports.ErrUnavailable)

func (r *reads) note(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[name]++
	if r.fail--; r.fail == 0 {
		return errStore
	}
	return nil
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
	if err := c.note("Event"); err != nil {
		return event.Tracked{}, err
	}
	return c.History.Event(ctx, id)
}

func (c countedHistory) Runs(ctx context.Context, q ports.RunList) ([]ports.RunSummary, error) {
	if err := c.note("Runs"); err != nil {
		return nil, err
	}
	return c.History.Runs(ctx, q)
}

func (c countedHistory) CountRuns(ctx context.Context, q ports.RunList) (int, error) {
	if err := c.note("CountRuns"); err != nil {
		return 0, err
	}
	return c.History.CountRuns(ctx, q)
}

func (c countedHistory) Summaries(ctx context.Context, ids []ulid.ULID) ([]ports.RunSummary, error) {
	if err := c.note("Summaries"); err != nil {
		return nil, err
	}
	return c.History.Summaries(ctx, ids)
}

func (c countedHistory) EventsByID(ctx context.Context, ids []ulid.ULID) ([]event.Tracked, error) {
	if err := c.note("EventsByID"); err != nil {
		return nil, err
	}
	return c.History.EventsByID(ctx, ids)
}

func (c countedHistory) EventPage(ctx context.Context, q ports.EventList) ([]event.Tracked, error) {
	if err := c.note("EventPage"); err != nil {
		return nil, err
	}
	return c.History.EventPage(ctx, q)
}

func (c countedHistory) RunsOfEvents(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]ports.RunSummary, error) {
	if err := c.note("RunsOfEvents"); err != nil {
		return nil, err
	}
	return c.History.RunsOfEvents(ctx, ids)
}

func (c countedHistory) Spans(ctx context.Context, id ulid.ULID) ([]trace.Span, error) {
	if err := c.note("Spans"); err != nil {
		return nil, err
	}
	return c.History.Spans(ctx, id)
}

func (c countedHistory) SpansOf(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]trace.Span, error) {
	if err := c.note("SpansOf"); err != nil {
		return nil, err
	}
	return c.History.SpansOf(ctx, ids)
}

func (c countedCatalog) Functions(ctx context.Context) ([]function.Function, error) {
	if err := c.note("Functions"); err != nil {
		return nil, err
	}
	return c.Catalog.Functions(ctx)
}

func (c countedCatalog) FunctionsByID(ctx context.Context, ids []uuid.UUID) ([]function.Function, error) {
	if err := c.note("FunctionsByID"); err != nil {
		return nil, err
	}
	return c.Catalog.FunctionsByID(ctx, ids)
}

func (c countedCatalog) Apps(ctx context.Context) ([]function.App, error) {
	if err := c.note("Apps"); err != nil {
		return nil, err
	}
	return c.Catalog.Apps(ctx)
}

func (c countedCatalog) AppsByID(ctx context.Context, ids []uuid.UUID) ([]ports.AppRecord, error) {
	if err := c.note("AppsByID"); err != nil {
		return nil, err
	}
	return c.Catalog.AppsByID(ctx, ids)
}

func (c countedMetadata) All(ctx context.Context, id ulid.ULID) ([]metadata.Stored, error) {
	if err := c.note("Metadata"); err != nil {
		return nil, err
	}
	return c.Metadata.All(ctx, id)
}

func (c countedMetadata) AllOf(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]metadata.Stored, error) {
	if err := c.note("MetadataOf"); err != nil {
		return nil, err
	}
	return c.Metadata.AllOf(ctx, ids)
}

func (c countedStore) Load(ctx context.Context, id ulid.ULID) (run.State, error) {
	if err := c.note("Load"); err != nil {
		return run.State{}, err
	}
	return c.Store.Load(ctx, id)
}

// counted is a fixture with events and their runs, of ten functions of which five are archived.
func counted(t *testing.T, events int) (*fixture, *reads) {
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
	for i := range events {
		f.send(names[i%len(names)], fmt.Sprintf(`{"n":%d}`, i))
	}
	f.register("", names[:5]...)
	return f, r
}

// A list makes as many reads as one item.
func TestLists_MakeAFixedNumberOfReads(t *testing.T) {
	t.Parallel()
	f, r := counted(t, 40)
	const (
		runOf = `id status eventName output app{name functionCount} function{slug app{name} failureHandler{id}} new:trace(preview:true){status run{id} childrenSpans{name}} old:trace{status} defers{fnSlug} siblingDefers{fnSlug} deferredFrom{runID}`
		runs  = `{page:runs(first:%d,orderBy:[],filter:{from:"2026-01-01T00:00:00Z"}){totalCount edges{node{` + runOf + `}}}}`
	)
	for name, c := range map[string]struct {
		query string
		want  map[string]int
	}{
		"runs": {runs, map[string]int{
			"Runs": 1, "CountRuns": 1, "Summaries": 1, "EventsByID": 1, "SpansOf": 3, "MetadataOf": 2, "FunctionsByID": 2, "AppsByID": 1, "Functions": 1,
		}},
		"runs of events": {`{page:eventsV2(first:%d,filter:{from:"2026-01-01T00:00:00Z"}){edges{node{id runs{` + runOf + `}}}}}`, map[string]int{
			"EventPage": 1, "RunsOfEvents": 1, "Summaries": 1, "EventsByID": 1, "SpansOf": 3, "MetadataOf": 2, "FunctionsByID": 2, "AppsByID": 1, "Functions": 1,
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

// Whatever read fails: the client is told that it is not its fault, the log why, and nothing else breaks.
func TestReads_ThatFail(t *testing.T) {
	t.Parallel()
	f, r := counted(t, 4)
	page := data[struct{ Page connection }](f, `{page:runs(first:1,orderBy:[],filter:{from:"2026-01-01T00:00:00Z"}){edges{node{id}}}}`, nil).Page
	id := page.Edges[0].Node.ID
	one := f.ask(`{run(runID:"`+id+`"){triggerIDs appID functionID trace(preview:true){outputID}}}`, nil)
	event, _, _ := strings.Cut(strings.SplitN(one, `"triggerIDs":["`, 2)[1], `"`)
	app, _, _ := strings.Cut(strings.SplitN(one, `"appID":"`, 2)[1], `"`)
	const (
		fn  = `slug app{name functionCount functions{slug}} failureHandler{slug}`
		all = `id status eventName output app{name} function{` + fn + `} new:trace(preview:true){run{id}} old:trace{name} defers{fnSlug run{id} function{slug}} siblingDefers{fnSlug} deferredFrom{runID run{id}}`
		old = `id output function{slug} event{id functionRuns{id} status totalRuns pendingRuns} events{id} pendingSteps history{type} historyItemOutput(id:"01HZX3Z9QG7V5K8M2N4P6R8T0W")`
	)
	for _, query := range []string{
		`{apps{name functionCount functions{` + fn + `}}}`,
		`{app(id:"` + app + `"){name functionCount}}`, `{functions{` + fn + `}}`, `{functionBySlug(query:{functionSlug:"app-f0"}){` + fn + `}}`,
		`{eventsV2(filter:{from:"2026-01-01T00:00:00Z"}){edges{node{runs{` + all + `}}}}}`, `{eventV2(id:"` + event + `"){runs{` + all + `}}}`,
		`{event(query:{eventId:"` + event + `"}){functionRuns{` + old + `} status totalRuns pendingRuns}}`, `{events(query:{}){functionRuns{` + old + `}}}`,
		`{stream(query:{}){runs{` + old + `}}}`, `{runs(orderBy:[],filter:{from:"2026-01-01T00:00:00Z",query:"event.data.n > 1"}){totalCount edges{node{` + all + `}}}}`,
		`{run(runID:"` + id + `"){` + all + `}}`, `{runTrace(runID:"` + id + `"){name}}`, `{runTrigger(runID:"` + id + `"){IDs}}`,
		`{functionRun(query:{functionRunId:"` + id + `"}){` + old + `}}`, `mutation{cancelRun(runID:"` + id + `"){id}}`,
	} {
		for n := 1; ; n++ {
			if n > 200 {
				t.Fatalf("%s makes over %d reads", query, n)
			}
			f.log.Reset()
			r.mu.Lock()
			r.fail = n
			r.mu.Unlock()
			answer := f.ask(query, nil)
			r.mu.Lock()
			reached := r.fail <= 0
			r.fail = 0
			r.mu.Unlock()
			if !reached {
				if n == 1 {
					t.Errorf("%s reads nothing", query)
				}
				break
			}
			if !strings.Contains(answer, `"message":"internal system error"`) || strings.Contains(answer, "db7") || !strings.Contains(f.log.String(), "db7") {
				t.Errorf("%s, read %d: %.300s\nlogged %s", query, n, answer, f.log)
			}
		}
	}
}
