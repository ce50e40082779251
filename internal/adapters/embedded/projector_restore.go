package embedded

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// restore writes what the last process has left in the log, and adds what the reference has not written as the engine does. Nothing else
// runs yet.
func (p *projector) restore(ctx context.Context, queries *db.Queries) error {
	if err := p.alone(ctx, &operation{apply: func(t *tx) error { return t.queries.AddEventRuns(ctx) }}); err != nil {
		return err
	}
	written, last, err := historyWritten(ctx, queries)
	if err != nil {
		return err
	}
	for more := true; more; {
		if more, err = p.load(ctx, queries, written); err != nil {
			return err
		}
		if !more || p.rows >= projectAtOnce {
			if err := p.flushBy(ctx, p.alone); err != nil {
				return err
			}
		}
	}
	p.seq = max(p.seq, last)
	p.added = p.seq
	return p.alone(ctx, &operation{apply: func(t *tx) error { return clearLog(t, p.added) }})
}

// historyWritten reads up to which transaction the spans of runs are written although they are in the log, and the last of these.
func historyWritten(ctx context.Context, queries *db.Queries) (map[ulid.ULID]int64, int64, error) {
	rows, err := queries.ListHistoryWritten(ctx)
	if err != nil {
		return nil, 0, translate(err)
	}
	written, last := map[ulid.ULID]int64{}, int64(0)
	for _, row := range rows {
		runs, err := splitULIDs(row.Runs)
		if err != nil {
			return nil, 0, damaged("runs of which history is written", err)
		}
		for _, id := range runs {
			written[id] = row.Seq
		}
		last = row.Seq
	}
	return written, last, nil
}

// load adds some of what is in the log to what waits, unless it is written, and says whether there is more.
func (p *projector) load(ctx context.Context, queries *db.Queries, written map[ulid.ULID]int64) (more bool, err error) {
	const page = 256
	rows, err := queries.ListHistoryLog(ctx, db.ListHistoryLogParams{After: p.seq, Most: page})
	if err != nil {
		return false, translate(err)
	}
	now := p.cfg.Clock.Now()
	for _, row := range rows {
		p.seq, p.added = row.Seq, row.Seq
		spans, err := spansFromLog(row.Body)
		if err != nil {
			p.cfg.Logger.Error("history of a transaction cannot be read and is left out", "seq", row.Seq, "error", err)
		}
		spans = slices.DeleteFunc(spans, func(s trace.Span) bool { return row.Seq <= written[s.Run] })
		p.add(row.Seq, now, spans)
	}
	return len(rows) == page, nil
}
