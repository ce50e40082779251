package mem

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
)

// Spans implements ports.History.
func (b *Backend) Spans(ctx context.Context, run ulid.ULID) ([]trace.Span, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	spans := slices.Clone(b.spans[run])
	for i := range spans {
		spans[i].HasInput, spans[i].HasOutput = spans[i].Input != nil, spans[i].Output != nil
		spans[i].Input, spans[i].Output = nil, nil
	}
	slices.SortFunc(spans, func(a, b trace.Span) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.ID, b.ID))
	})
	return spans, nil
}

// Payload implements ports.History.
func (b *Backend) Payload(ctx context.Context, run ulid.ULID, span string) (input, output json.RawMessage, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.spans[run] {
		if s.ID == span {
			return s.Input, s.Output, nil
		}
	}
	return nil, nil, nil
}
