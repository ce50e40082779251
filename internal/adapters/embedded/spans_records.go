package embedded

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/domain/trace"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
)

// spansRecord is a list of spans as a record; nil for none. Records that follow each other are the record of all of them.
func spansRecord(spans []trace.Span) []byte {
	if len(spans) == 0 {
		return nil
	}
	rows := make([]enginev1.Span, len(spans))
	list := &enginev1.SpanList{Spans: make([]*enginev1.Span, len(spans))}
	for i := range spans {
		s, row := &spans[i], &rows[i]
		row.RunId, row.AppId, row.FunctionId = s.Run[:], s.App[:], s.Function[:]
		row.TraceId, row.SpanId, row.Parent, row.Dynamic, row.Name = s.Trace, s.ID, s.Parent, s.Dynamic, s.Name
		row.Start, row.Duration, row.Status = s.Start.UnixNano(), s.End.Sub(s.Start).Nanoseconds(), string(s.Status)
		row.Attributes, row.Input, row.Output = s.Attributes, s.Input, s.Output
		row.EventIds, row.Deferred, row.Ai, row.Summary = joinIDs(s.EventIDs), s.Deferred, s.AI, summaryRecord(s.Summary)
		list.Spans[i] = row
	}
	return marshal(list)
}

func summaryRecord(s *trace.Summary) *enginev1.Summary {
	if s == nil {
		return nil
	}
	record := &enginev1.Summary{
		Status: string(s.Status), StartedAt: optionalNanos(s.StartedAt), EndedAt: optionalNanos(s.EndedAt), Cron: s.Cron, Debounced: s.Debounced,
	}
	if !s.Batch.IsZero() {
		record.Batch = s.Batch[:]
	}
	return record
}

func joinIDs(ids []ulid.ULID) []byte {
	joined := make([]byte, 0, len(ids)*len(ulid.ULID{}))
	for i := range ids {
		joined = append(joined, ids[i][:]...)
	}
	return joined
}

// spansFromRecord is the inverse of spansRecord.
func spansFromRecord(record []byte) ([]trace.Span, error) {
	list := &enginev1.SpanList{}
	if err := proto.Unmarshal(record, list); err != nil {
		return nil, damaged("spans record", err)
	}
	spans := make([]trace.Span, 0, len(list.GetSpans()))
	for _, row := range list.GetSpans() {
		s, err := spanFromRecord(row)
		if err != nil {
			return nil, damaged("spans record", err)
		}
		spans = append(spans, s)
	}
	return spans, nil
}

func spanFromRecord(row *enginev1.Span) (s trace.Span, err error) {
	s = trace.Span{
		Trace: row.GetTraceId(), ID: row.GetSpanId(), Parent: row.GetParent(), Dynamic: row.GetDynamic(), Name: row.GetName(),
		Start: time.Unix(0, row.GetStart()).UTC(), Status: trace.Status(row.GetStatus()), Attributes: row.GetAttributes(),
		Input: row.GetInput(), Output: row.GetOutput(), Deferred: row.GetDeferred(), AI: row.GetAi(),
	}
	s.End = s.Start.Add(time.Duration(row.GetDuration()))
	if s.Run, err = parseULID(row.GetRunId()); err != nil {
		return s, err
	}
	if s.App, err = uuid.FromBytes(row.GetAppId()); err != nil {
		return s, err
	}
	if s.Function, err = uuid.FromBytes(row.GetFunctionId()); err != nil {
		return s, err
	}
	joined := row.GetEventIds()
	if len(joined)%len(ulid.ULID{}) != 0 {
		return s, fmt.Errorf("event IDs of %d bytes", len(joined))
	}
	for ; len(joined) > 0; joined = joined[len(ulid.ULID{}):] {
		s.EventIDs = append(s.EventIDs, ulid.ULID(joined[:len(ulid.ULID{})]))
	}
	s.Summary, err = summaryFromRecord(row.GetSummary())
	return s, err
}

func summaryFromRecord(record *enginev1.Summary) (*trace.Summary, error) {
	if record == nil {
		return nil, nil //nolint:nilnil // none is what was stored
	}
	s := &trace.Summary{Status: trace.Status(record.GetStatus()), Cron: record.GetCron(), Debounced: record.GetDebounced()}
	if record.StartedAt != nil {
		s.StartedAt = fromNanos(record.GetStartedAt())
	}
	if record.EndedAt != nil {
		s.EndedAt = fromNanos(record.GetEndedAt())
	}
	var err error
	s.Batch, err = parseULID(record.GetBatch())
	return s, err
}
