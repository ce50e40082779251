package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// Spans implements ports.History.
func (h history) Spans(ctx context.Context, id ulid.ULID) ([]trace.Span, error) {
	spans, err := h.SpansOf(ctx, []ulid.ULID{id})
	return spans[id], err
}

// SpansOf implements ports.History.
func (h history) SpansOf(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]trace.Span, error) {
	spans := map[ulid.ULID][]trace.Span{}
	err := h.written(ctx, ids, func(q *db.Queries) error {
		clear(spans)
		for some := range slices.Chunk(ids, maxParameters) {
			texts := make([]string, len(some))
			for i, id := range some {
				texts[i] = id.String()
			}
			rows, err := q.ListSpansOf(ctx, texts)
			if err != nil {
				return err
			}
			for _, row := range rows {
				id, err := ulid.ParseStrict(row.RunID)
				if err != nil {
					return damaged("span "+row.SpanID+": run_id", err)
				}
				span, err := spanFrom(id, row)
				if err != nil {
					return err
				}
				spans[id] = append(spans[id], span)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("spans of %d runs: %w", len(ids), err)
	}
	return spans, nil
}

// spanFrom reads a row of spans, whoever has written it. An ID that cannot be read is none: one row shall not hide the others.
func spanFrom(id ulid.ULID, row db.ListSpansOfRow) (trace.Span, error) {
	s := trace.Span{
		Run: id, Trace: row.TraceID, ID: row.SpanID, Parent: row.ParentSpanID, Dynamic: row.DynamicSpanID, Name: row.Name,
		Status: trace.Status(row.Status), Deferred: row.IsDeferred != 0, HasInput: row.HasInput != 0, HasOutput: row.HasOutput != 0,
	}
	var err error
	if s.Start, err = parseInstant(row.StartTime); err != nil {
		return s, damaged("span "+row.SpanID+": start_time", err)
	}
	if s.End, err = parseInstant(row.EndTime); err != nil {
		return s, damaged("span "+row.SpanID+": end_time", err)
	}
	s.App, _ = parseUUID(row.AppID)
	s.Function, _ = parseUUID(row.FunctionID)
	if row.Attributes != "" {
		s.Attributes = json.RawMessage(row.Attributes)
	}
	var ids []string
	if row.EventIds != "" && json.Unmarshal([]byte(row.EventIds), &ids) == nil {
		for _, text := range ids {
			if id, err := ulid.ParseStrict(text); err == nil {
				s.EventIDs = append(s.EventIDs, id)
			}
		}
	}
	return s, nil
}

// Payload implements ports.History.
func (h history) Payload(ctx context.Context, id ulid.ULID, span string) (input, output json.RawMessage, err error) {
	err = h.written(ctx, []ulid.ULID{id}, func(q *db.Queries) error {
		row, err := q.GetSpanPayload(ctx, db.GetSpanPayloadParams{RunID: id.String(), SpanID: span})
		if err != nil {
			return err
		}
		input, output = rawText(row.Input), rawText(row.Output)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("payload of span %s of run %s: %w", span, id, err)
	}
	return input, output, nil
}

// rawText is a column's text as raw JSON, nil for none.
func rawText(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// flushed reads what the projector has written, once that is all that was committed before.
func (h history) flushed(ctx context.Context, read func(q *db.Queries) error) error {
	if err := h.projector.flush(ctx); err != nil {
		return err
	}
	return h.db.read(ctx, read)
}

// written reads what the projector has written of runs, once that is all that was committed of them before.
func (h history) written(ctx context.Context, runs []ulid.ULID, read func(q *db.Queries) error) error {
	if err := h.projector.flushRuns(ctx, runs); err != nil {
		return err
	}
	return h.db.read(ctx, read)
}
