package mem

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// recordSpans keeps spans as they came.
func (b *Backend) recordSpans(spans []trace.Span) {
	for _, s := range spans {
		s.Start, s.End = s.Start.UTC(), s.End.UTC()
		b.spans[s.Run] = append(b.spans[s.Run], s)
	}
}

// AddSpans implements ports.History.
func (b *Backend) AddSpans(ctx context.Context, rows []trace.Span) (left int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, row := range rows {
		count, there := 0, false
		for _, s := range b.spans[row.Run] {
			if s.Name == trace.NameUserland {
				count++
			}
			there = there || s.Trace == row.Trace && s.ID == row.ID
		}
		switch {
		case b.record(row.Run).RunID != row.Run || count >= trace.MostUserland:
			left++
		case !there:
			b.recordSpans([]trace.Span{row})
		}
	}
	return left, nil
}

// Spans implements ports.History.
func (b *Backend) Spans(ctx context.Context, id ulid.ULID) ([]trace.Span, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spansOf(id), nil
}

// SpansOf implements ports.History.
func (b *Backend) SpansOf(ctx context.Context, runs []ulid.ULID) (map[ulid.ULID][]trace.Span, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[ulid.ULID][]trace.Span{}
	for _, id := range runs {
		if rows := b.spansOf(id); len(rows) > 0 {
			found[id] = rows
		}
	}
	return found, nil
}

func (b *Backend) spansOf(id ulid.ULID) []trace.Span {
	rows := make([]trace.Span, 0, len(b.spans[id]))
	for _, s := range b.spans[id] {
		s.HasInput, s.HasOutput = s.Input != nil, s.Output != nil
		s.Input, s.Output, s.Summary, s.AI = nil, nil, nil, false
		rows = append(rows, s)
	}
	slices.SortStableFunc(rows, func(x, y trace.Span) int {
		if order := x.Start.Compare(y.Start); order != 0 {
			return order
		}
		if order := x.End.Compare(y.End); order != 0 {
			return order
		}
		return strings.Compare(x.ID, y.ID)
	})
	return rows
}

// Payload implements ports.History.
func (b *Backend) Payload(ctx context.Context, id ulid.ULID, span string) (input, output json.RawMessage, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.spans[id] {
		if s.ID == span {
			return s.Input, s.Output, nil
		}
	}
	return nil, nil, ports.ErrNotFound
}

// AllSpans returns the spans of all runs, each run's in the order in which they came.
func (b *Backend) AllSpans() map[ulid.ULID][]trace.Span {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make(map[ulid.ULID][]trace.Span, len(b.spans))
	for id, spans := range b.spans {
		all[id] = slices.Clone(spans)
	}
	return all
}

// BegunWith returns the steps that a run had a memo of when it was created.
func (b *Backend) BegunWith(id ulid.ULID) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.begun[id].Stack
}
