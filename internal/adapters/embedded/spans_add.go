package embedded

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// AddSpans implements ports.History. The rows have nothing to be put together with, so they do not go by the projector.
func (h history) AddSpans(ctx context.Context, rows []trace.Span) (left int, err error) {
	size := 0
	for i := range rows {
		const columns = 400
		size += columns + len(rows[i].Attributes)
	}
	own := context.WithoutCancel(ctx)
	err = h.projector.writer.do(ctx, &operation{size: size, apply: func(t *tx) error {
		left = 0
		room := map[ulid.ULID]int64{}
		w := spanWriter{t: t}
		for i := range rows {
			s := &rows[i]
			if _, known := room[s.Run]; !known {
				if room[s.Run], err = roomFor(own, t, s.Run); err != nil {
					return err
				}
			}
			if room[s.Run] <= 0 {
				left++
				continue
			}
			written, err := w.tryInsert(&namedSpan{s, s.Name, s.ID})
			if err != nil {
				return err
			}
			if written {
				room[s.Run]--
			}
		}
		return nil
	}})
	if err != nil {
		return 0, fmt.Errorf("add spans: %w", err)
	}
	return left, nil
}

// roomFor is how many spans of its app a run may have still: none if history does not know it.
func roomFor(ctx context.Context, t *tx, run ulid.ULID) (int64, error) {
	known, done, err := t.row(t.statements.runTriggers, run[:])
	done()
	if err != nil || !known {
		return 0, err
	}
	count, err := t.queries.CountUserland(ctx, db.CountUserlandParams{RunID: run.String(), Limit: trace.MostUserland})
	return trace.MostUserland - count, err
}
