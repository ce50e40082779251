package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/s2"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/domain/trace"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
)

// maxLogRecord bounds what a row of the log may say that it is unpacked; no column can be longer.
const maxLogRecord = 1 << 30

// spansRecord is a list of spans as a record, a SpanList; nil for none. Records that follow each other are the record of all of them.
// It is made at each commit, so it is written without the structs that it is read into.
func spansRecord(spans []trace.Span) []byte {
	if len(spans) == 0 {
		return nil
	}
	const columns = 256
	size := 0
	for i := range spans {
		s := &spans[i]
		size += columns + len(s.Attributes) + len(s.Input) + len(s.Output) + len(s.EventIDs)*len(ulid.ULID{})
	}
	record := make([]byte, 0, size)
	for i := range spans {
		record = appendMessage(record, 1, func(b []byte) []byte { return appendSpan(b, &spans[i]) })
	}
	return record
}

// appendMessage appends a message as a field. Its length goes before it, and is not known before.
func appendMessage(b []byte, field protowire.Number, write func(b []byte) []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	start := len(b)
	const lengthBytes = 5 // any length of less than 32 GB, written long
	b = write(append(b, 0, 0, 0, 0, 0))
	for i, length := 0, len(b)-start-lengthBytes; i < lengthBytes; i, length = i+1, length>>7 {
		b[start+i] = byte(length)&0x7f | 0x80
	}
	b[start+lengthBytes-1] &= 0x7f
	return b
}

func appendSpan(b []byte, s *trace.Span) []byte {
	b = appendBytes(b, 1, s.Run[:])
	b = appendBytes(b, 2, s.App[:])
	b = appendBytes(b, 3, s.Function[:])
	b = appendString(b, 4, s.Trace)
	b = appendString(b, 5, s.ID)
	b = appendString(b, 6, s.Parent)
	b = appendString(b, 7, s.Dynamic)
	b = appendString(b, 8, s.Name)
	b = appendInt(b, 9, s.Start.UnixNano())
	b = appendInt(b, 10, s.End.Sub(s.Start).Nanoseconds())
	b = appendString(b, 11, string(s.Status))
	b = appendBytes(b, 12, s.Attributes)
	b = appendBytes(b, 13, s.Input)
	b = appendBytes(b, 14, s.Output)
	if n := len(s.EventIDs); n > 0 {
		b = protowire.AppendTag(b, 15, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(n*len(ulid.ULID{})))
		b = joinULIDs(b, s.EventIDs)
	}
	b = appendInt(b, 16, int64(flag(s.Deferred)))
	b = appendInt(b, 17, int64(flag(s.AI)))
	if s.Summary != nil {
		b = appendMessage(b, 18, func(b []byte) []byte { return appendSummary(b, s.Summary) })
	}
	return b
}

func appendSummary(b []byte, s *trace.Summary) []byte {
	b = appendString(b, 1, string(s.Status))
	b = appendInt(b, 2, nanos(s.StartedAt))
	b = appendInt(b, 3, nanos(s.EndedAt))
	if !s.Batch.IsZero() {
		b = appendBytes(b, 4, s.Batch[:])
	}
	b = appendString(b, 5, s.Cron)
	return appendInt(b, 6, int64(flag(s.Debounced)))
}

// appendBytes appends a field unless it is empty.
func appendBytes(b []byte, field protowire.Number, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), value)
}

func appendString(b []byte, field protowire.Number, value string) []byte {
	if value == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), value)
}

func appendInt(b []byte, field protowire.Number, value int64) []byte {
	if value == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(value))
}

// packRecord makes a record what the log holds: compressed, since rows of history repeat each other's keys, and each page that is not
// written is one that is not synced, copied and freed again. The answer is made in the room of dst.
func packRecord(dst, record []byte) []byte { return s2.Encode(dst[:cap(dst)], record) }

// spansFromLog reads what the log holds.
func spansFromLog(body []byte) ([]trace.Span, error) {
	size, err := s2.DecodedLen(body)
	if err != nil || size > maxLogRecord {
		return nil, damaged("history log", cmp.Or(err, errors.New("its length is wrong")))
	}
	record, err := s2.Decode(nil, body)
	if err != nil {
		return nil, damaged("history log", err)
	}
	return spansFromRecord(record)
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
	if s.EventIDs, err = splitULIDs(row.GetEventIds()); err != nil {
		return s, fmt.Errorf("events: %w", err)
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
