package graphql

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// How many events a list has: at most, when the number asked for makes no sense, and in the lists of older clients. Spec 05 §5.
const (
	maxEvents     = 400
	defaultPage   = 40
	recentEvents  = 51
	recentWindow  = time.Hour
	maxStream     = 100
	defaultStream = 20
)

// pageSize is how many items a page has when so many are asked for.
func pageSize(first, most int) int {
	if first < 1 {
		return defaultPage
	}
	return min(first, most)
}

// EventsV2 is a page of events, newest first. Spec 05 §5.1.
func (q query) EventsV2(ctx context.Context, first int, after *string, filter generated.EventsFilter) (*generated.EventsConnection, error) {
	asked := history.EventQuery{EventList: ports.EventList{
		Names: filter.EventNames, From: filter.From, Until: q.Clock.Now(), Internal: filter.IncludeInternalEvents, Limit: pageSize(first, maxEvents),
	}}
	if filter.Until != nil {
		asked.Until = *filter.Until
	}
	if filter.Query != nil {
		asked.Search = *filter.Query
	}
	page := &generated.EventsConnection{Edges: []*generated.EventsEdge{}, PageInfo: &generated.PageInfo{}, Query: asked}
	if after != nil && *after != "" {
		cursor, err := trace.ParseEventCursor(*after)
		if err != nil {
			return nil, shown(err)
		}
		asked.Cursor, page.PageInfo.HasPreviousPage = cursor, true
	}
	found, err := q.Past.Events(ctx, asked)
	if err != nil {
		return nil, searchError("error retrieving events", err)
	}
	page.PageInfo.HasNextPage = found.More
	for _, node := range q.eventsV2(found.Events) {
		page.Edges = append(page.Edges, &generated.EventsEdge{Node: node, Cursor: trace.EventCursor(node.ID)})
	}
	if n := len(page.Edges); n > 0 {
		page.PageInfo.StartCursor, page.PageInfo.EndCursor = &page.Edges[0].Cursor, &page.Edges[n-1].Cursor
	}
	return page, nil
}

// TotalCount is the number of events of all pages.
func (r eventsFields) TotalCount(ctx context.Context, obj *generated.EventsConnection) (int, error) {
	total, err := r.Past.CountEvents(ctx, obj.Query)
	return total, searchError("error retrieving count for events", err)
}

// EventV2 is an event by its internal ID. Spec 05 §5.2.
func (q query) EventV2(ctx context.Context, id ulid.ULID) (*generated.EventV2, error) {
	found, err := q.Records.Event(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return nil, refuse("event not found: %s", id)
	}
	if err != nil {
		return nil, err
	}
	return q.eventsV2([]event.Tracked{found})[0], nil
}

func (a *api) eventsV2(list []event.Tracked) []*generated.EventV2 {
	page := a.eventRuns(list)
	shown := make([]*generated.EventV2, len(list))
	for i, e := range list {
		shown[i] = &generated.EventV2{
			EnvID: uuid.Nil, ID: e.InternalID, IdempotencyKey: &e.ID, Name: e.Name, OccurredAt: time.UnixMilli(e.TS).UTC(),
			Raw: rawV2(e), ReceivedAt: e.ReceivedAt.UTC(), Version: &e.V, Page: page,
		}
	}
	return shown
}

func (a *api) eventRuns(list []event.Tracked) *loader.EventRuns {
	ids := make([]ulid.ULID, len(list))
	for i, e := range list {
		ids[i] = e.InternalID
	}
	return loader.NewEventRuns(a.sources(), ids)
}

func (a *api) sources() loader.Sources {
	return loader.Sources{Catalog: a.Catalog, History: a.Records, Past: a.Past}
}

// rawV2 is the event as JSON, in the members and the order that clients know.
func rawV2(e event.Tracked) string {
	body := struct {
		Data json.RawMessage `json:"data"`
		ID   string          `json:"id"`
		Name string          `json:"name"`
		TS   int64           `json:"ts"`
		V    *string         `json:"v"`
	}{e.Data, e.ID, e.Name, e.TS, known(e.V)}
	if len(e.Data) == 0 || string(e.Data) == "null" {
		body.Data = json.RawMessage("{}")
	}
	if body.ID == "" {
		body.ID = e.InternalID.String()
	}
	return encode(body)
}

// Runs are those that the event started or would have started.
func (r eventV2Fields) Runs(ctx context.Context, obj *generated.EventV2) ([]*generated.FunctionRunV2, error) {
	list, page, err := obj.Page.Of(ctx, obj.ID)
	if err != nil {
		return nil, err
	}
	return showRuns(list, page), nil
}

// Event is an event by its internal ID, as older clients see it. Spec 05 §5.3.
func (q query) Event(ctx context.Context, asked generated.EventQuery) (*generated.Event, error) {
	id, err := ulid.ParseStrict(asked.EventID)
	if err != nil {
		return nil, refuse(textNoRows)
	}
	found, err := q.Records.Event(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return nil, refuse(textNoRows)
	}
	if err != nil {
		return nil, err
	}
	return q.events([]event.Tracked{found})[0], nil
}

// Events are the newest of the last hour, without those of the server itself.
func (q query) Events(ctx context.Context, _ generated.EventsQuery) ([]*generated.Event, error) {
	now := q.Clock.Now()
	found, err := q.Records.EventPage(ctx, ports.EventList{From: now.Add(-recentWindow), Until: now, Limit: recentEvents})
	if err != nil {
		return nil, err
	}
	return q.events(found), nil
}

// events shows events of one list.
func (a *api) events(list []event.Tracked) []*generated.Event {
	page := a.eventRuns(list)
	shown := make([]*generated.Event, len(list))
	for i, e := range list {
		shown[i] = showEvent(e, page)
	}
	return shown
}

func showEvent(e event.Tracked, page *loader.EventRuns) *generated.Event {
	createdAt := time.UnixMilli(e.TS).UTC()
	if e.TS == 0 {
		createdAt = ulid.Time(e.InternalID.Time()).UTC()
	}
	payload, raw := string(e.Data), string(e.AppendStored(nil))
	return &generated.Event{
		ID: e.InternalID, ExternalID: known(e.ID), Name: &e.Name, CreatedAt: &createdAt, Payload: &payload, Raw: &raw, Page: page,
	}
}

// started are the runs that the event started.
func (r eventFields) started(ctx context.Context, obj *generated.Event) ([]ports.RunSummary, *loader.Runs, error) {
	list, page, err := obj.Page.Of(ctx, obj.ID)
	return slices.DeleteFunc(slices.Clone(list), func(run ports.RunSummary) bool { return run.Status == ports.RunSkipped }), page, err
}

// FunctionRuns are the runs that the event started, null when there are none.
func (r eventFields) FunctionRuns(ctx context.Context, obj *generated.Event) ([]*generated.FunctionRun, error) {
	list, page, err := r.started(ctx, obj)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return showFunctionRuns(list, page), nil
}

// TotalRuns is how many runs the event started.
func (r eventFields) TotalRuns(ctx context.Context, obj *generated.Event) (*int, error) {
	list, _, err := r.started(ctx, obj)
	total := len(list)
	return &total, err
}

// PendingRuns is how many of them have not ended.
func (r eventFields) PendingRuns(ctx context.Context, obj *generated.Event) (*int, error) {
	list, _, err := r.started(ctx, obj)
	pending := 0
	for _, run := range list {
		if !run.Status.Ended() {
			pending++
		}
	}
	return &pending, err
}

// Status sums up the runs that the event started.
func (r eventFields) Status(ctx context.Context, obj *generated.Event) (*generated.EventStatus, error) {
	list, _, err := r.started(ctx, obj)
	if err != nil {
		return nil, err
	}
	status := statusOfEvent(list)
	return &status, nil
}

func statusOfEvent(list []ports.RunSummary) generated.EventStatus {
	failed, running := 0, 0
	for _, run := range list {
		switch {
		case run.Status == ports.RunFailed:
			failed++
		case !run.Status.Ended():
			running++
		}
	}
	switch {
	case len(list) == 0:
		return generated.EventStatusNoFunctions
	case failed == len(list):
		return generated.EventStatusFailed
	case failed > 0:
		return generated.EventStatusPartiallyFailed
	case running > 0:
		return generated.EventStatusRunning
	}
	return generated.EventStatusCompleted
}

// encode writes JSON without escapes that only HTML needs.
func encode(value any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic("encode " + err.Error()) // values of this package's own types have a JSON form
	}
	return strings.TrimSuffix(b.String(), "\n")
}
