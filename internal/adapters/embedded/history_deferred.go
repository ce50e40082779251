package embedded

import (
	"context"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// That a run was started by another is in its span alone, which has the run as text. Such runs are few.

// markDeferred says of runs whether another started them.
func markDeferred(ctx context.Context, q *db.Queries, summaries []ports.RunSummary) error {
	for chunk := range slices.Chunk(summaries, deferredChunk) {
		ids := make([]string, len(chunk))
		for i := range chunk {
			ids[i] = chunk[i].RunID.String()
		}
		found, err := q.ListDeferred(ctx, ids)
		if err != nil {
			return err
		}
		for i := range chunk {
			chunk[i].Deferred = slices.Contains(found, ids[i])
		}
	}
	return nil
}

// deferred lists runs that others started. By the time of the end, all of them are looked at.
func (l *lister) deferred(ctx context.Context, limit int) ([]ports.RunSummary, error) {
	list := l.list
	var cursor *ports.RunCursor
	if list.Time != ports.ByEnded {
		cursor = list.After
	} else {
		list.Time, list.From, list.Until = ports.ByQueued, time.Time{}, time.Time{}
	}
	var page []ports.RunSummary
	for {
		some, err := l.deferredIDs(ctx, windowOf(list, cursor))
		if err != nil {
			return nil, err
		}
		found, err := summaries(ctx, l.queries, some)
		if err != nil {
			return nil, err
		}
		for _, summary := range found {
			if l.selects(summary) {
				summary.Output = nil
				page = append(page, summary)
			}
		}
		if len(some) < deferredChunk || list.Time == l.list.Time && len(page) >= limit {
			l.sort(page)
			return page[:min(limit, len(page))], nil
		}
		cursor = &ports.RunCursor{Run: some[len(some)-1]}
	}
}

// deferredIDs is the next chunk of a walk.
func (l *lister) deferredIDs(ctx context.Context, w window) ([]ulid.ULID, error) {
	if w.empty {
		return nil, nil
	}
	var rows []string
	var err error
	if l.list.Ascending {
		rows, err = l.queries.ListDeferredUp(ctx, db.ListDeferredUpParams{First: w.first.String(), Last: w.last.String(), Max: deferredChunk})
	} else {
		rows, err = l.queries.ListDeferredDown(ctx, db.ListDeferredDownParams{First: w.first.String(), Last: w.last.String(), Max: deferredChunk})
	}
	if err != nil {
		return nil, err
	}
	ids := make([]ulid.ULID, len(rows))
	for i, row := range rows {
		if ids[i], err = ulid.ParseStrict(row); err != nil {
			return nil, damaged("span of run "+row, err)
		}
	}
	return ids, nil
}

// selects tells whether a run is one that the list is of, and behind its cursor.
func (l *lister) selects(s ports.RunSummary) bool {
	q, at := l.list, s.At(l.list.Time)
	_, functionOf := slices.BinarySearch(l.functions, s.FunctionID.String())
	switch {
	case !l.all && !functionOf,
		len(q.Statuses) > 0 && !slices.Contains(q.Statuses, s.Status),
		len(q.Statuses) == 0 && s.Status == ports.RunSkipped && !q.Skipped,
		q.Time == ports.ByEnded && !s.Status.Ended(),
		!q.From.IsZero() && at.Before(q.From), !q.Until.IsZero() && at.After(q.Until):
		return false
	}
	if q.After == nil {
		return true
	}
	behind := at.Compare(q.After.At)
	if q.Time != ports.ByEnded || behind == 0 {
		behind = s.RunID.Compare(q.After.Run)
	}
	return behind > 0 == q.Ascending && behind != 0
}
