package embedded

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// Spans implements ports.History.
func (h history) Spans(ctx context.Context, run ulid.ULID) ([]trace.Span, error) {
	var spans []trace.Span
	err := h.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListSpans(ctx, run.String())
		if err != nil {
			return err
		}
		spans = make([]trace.Span, len(rows))
		for i, row := range rows {
			if spans[i], err = spanFrom(run, row); err != nil {
				return damaged("span "+row.SpanID, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("spans of run %s: %w", run, err)
	}
	slices.SortFunc(spans, func(a, b trace.Span) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.ID, b.ID))
	})
	return spans, nil
}

// spanFrom reads a row of spans. Spec 15 §3.10.
func spanFrom(run ulid.ULID, row db.ListSpansRow) (trace.Span, error) {
	s := trace.Span{
		Run: run, Trace: row.TraceID, ID: row.SpanID, Parent: row.ParentSpanID.String, Dynamic: row.DynamicSpanID.String, Name: row.Name,
		Status: trace.Status(row.Status.String), Deferred: row.IsDeferred.Bool, HasInput: row.HasInput, HasOutput: row.HasOutput,
	}
	if row.Attributes != "" {
		s.Attributes = json.RawMessage(row.Attributes)
	}
	var errs [5]error
	s.App, errs[0] = parseUUID(row.AppID)
	s.Function, errs[1] = parseUUID(row.FunctionID)
	s.Start, errs[2] = parseInstant(row.StartTime)
	s.End, errs[3] = parseInstant(row.EndTime)
	if row.EventIds != "" {
		errs[4] = json.Unmarshal([]byte(row.EventIds), &s.EventIDs)
	}
	return s, errors.Join(errs[:]...)
}

// Payload implements ports.History.
func (h history) Payload(ctx context.Context, run ulid.ULID, span string) (input, output json.RawMessage, err error) {
	err = h.db.read(ctx, func(q *db.Queries) error {
		row, err := q.GetPayload(ctx, db.GetPayloadParams{RunID: run.String(), SpanID: span})
		if isNoRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if row.Input != "" {
			input = json.RawMessage(row.Input)
		}
		if row.Output != "" {
			output = json.RawMessage(row.Output)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("payload of span %s of run %s: %w", span, run, err)
	}
	return input, output, nil
}
