package graphql

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
)

// Stream is a list of events with the runs that they started, the latest first. Spec 05 §5.4.
func (q query) Stream(ctx context.Context, asked generated.StreamQuery) ([]*generated.StreamItem, error) {
	list := ports.EventList{
		Internal: asked.IncludeInternalEvents != nil && *asked.IncludeInternalEvents, Limit: min(asked.Limit, maxStream),
	}
	if asked.Limit < 1 {
		list.Limit = defaultStream
	}
	var after ulid.ULID
	for _, bound := range []struct {
		name string
		text *string
		id   *ulid.ULID
	}{{"after", asked.After, &after}, {"before", asked.Before, &list.Cursor}} {
		if bound.text == nil || *bound.text == "" {
			continue
		}
		id, err := ulid.ParseStrict(*bound.text)
		if err != nil {
			return nil, refuse("%s: %s", bound.name, err)
		}
		*bound.id = id
	}
	found, err := q.Records.EventPage(ctx, list)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e event.Tracked) bool { return e.InternalID.Compare(after) <= 0 })
	slices.SortStableFunc(found, func(a, b event.Tracked) int { return cmp.Compare(b.TS, a.TS) })
	page := q.eventRuns(found)
	items := make([]*generated.StreamItem, len(found))
	for i, e := range found {
		runs, shared, err := page.Of(ctx, e.InternalID)
		if err != nil {
			return nil, err
		}
		items[i] = &generated.StreamItem{
			ID: e.InternalID.String(), Trigger: e.Name, Type: generated.StreamTypeEvent, CreatedAt: time.UnixMilli(e.TS).UTC(),
		}
		runs = slices.DeleteFunc(slices.Clone(runs), func(run ports.RunSummary) bool { return run.Status == ports.RunSkipped })
		items[i].Runs = showFunctionRuns(runs, shared)
		for _, run := range runs {
			if run.Cron != "" {
				items[i].Trigger, items[i].Type = run.Cron, generated.StreamTypeCron
			}
			items[i].InBatch = items[i].InBatch || !run.Batch.IsZero()
		}
	}
	return items, nil
}
