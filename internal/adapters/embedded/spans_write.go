package embedded

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
)

// neverMS is how the reference writes an instant that is not known, in columns of milliseconds. Spec 15 §3.9.
const neverMS = int64(-62135596800000)

// writeSpan writes a row of spans, and with it what it says of its run. Rows of a span that are not the first of it are additions.
func writeSpan(t *tx, s *trace.Span, scratch *[]byte) error {
	name, id := s.Name, s.ID
	switch {
	case s.Summary != nil:
		first, err := writeTraceRun(t, s)
		if err != nil {
			return err
		}
		if first && name == trace.NameExtend {
			name, id = trace.NameRun, s.Dynamic
		}
	case s.AI:
		if _, err := t.exec(t.statements.markTraceRunAI, s.Run[:]); err != nil {
			return err
		}
	}
	for ; ; id = trace.ExtendID(id, "again") {
		written, err := insertSpan(t, s, name, id, scratch)
		if err != nil || written > 0 {
			return err
		}
		// Another row has the ID: the attempts of a job were counted anew.
	}
}

func insertSpan(t *tx, s *trace.Span, name, id string, scratch *[]byte) (int, error) {
	var eventIDs, status, deferred any
	if len(s.EventIDs) > 0 {
		*scratch = appendIDList((*scratch)[:0], s.EventIDs)
		eventIDs = string(*scratch)
	}
	if s.Status != "" {
		status = string(s.Status)
	}
	if s.Deferred {
		deferred = int64(1)
	}
	return t.exec(t.statements.insertSpan, id, s.Trace, s.Parent, name, formatInstant(s.Start), formatInstant(s.End), jsonText(s.Attributes),
		s.Dynamic, s.App.String(), s.Function.String(), s.Run.String(), jsonText(s.Output), status, jsonText(s.Input), eventIDs, deferred)
}

// jsonText is what a column of JSON holds; NULL for none.
func jsonText(raw []byte) any {
	if len(raw) == 0 {
		return nil
	}
	return string(raw)
}

// appendIDList appends IDs as a JSON array of their texts.
func appendIDList(dst []byte, list []ulid.ULID) []byte {
	dst = append(dst, '[')
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), list[i].String()...), '"')
	}
	return append(dst, ']')
}

// writeTraceRun writes what a row says of its run, and tells whether it is the first that does. The first row of a run has all that
// is known of it; when what is only an addition comes first, as of a run that was in progress when its history began, the rest is
// looked up. Spec 15 §3.9, §7.4.
func writeTraceRun(t *tx, s *trace.Span) (first bool, err error) {
	if s.Name != trace.NameExtend {
		return false, putTraceRun(t, s, s.EventIDs, s.Summary.Batch, s.Summary.Cron)
	}
	known, err := updateTraceRun(t, s)
	if err != nil || known {
		return false, err
	}
	triggers, batch, cron, err := triggersOf(t, s.Run)
	if err != nil {
		return false, err
	}
	return true, putTraceRun(t, s, triggers, batch, cron)
}

// updateTraceRun adds what is known of a run since its first row, and tells whether it has one. A run that has ended stays as it is.
func updateTraceRun(t *tx, s *trace.Span) (known bool, err error) {
	sum := s.Summary
	changed, err := t.exec(t.statements.updateTraceRun, millis(sum.StartedAt), millis(sum.EndedAt), statusCode(sum.Status), runOutput(s), flag(s.AI), s.Run[:])
	if err != nil || changed > 0 {
		return true, err
	}
	known, done, err := t.row(t.statements.traceRunExists, s.Run[:])
	defer done()
	return known && t.statements.traceRunExists.ColumnInt64(0) != 0, err
}

// putTraceRun writes the row of a run as a whole. Only events of a run that has several or did not start are kept besides, since of the
// others the reference's function_runs tells.
func putTraceRun(t *tx, s *trace.Span, triggers []ulid.ULID, batch ulid.ULID, cron string) error {
	sum := s.Summary
	var schedule any
	if cron != "" {
		schedule = cron
	}
	list := make([]byte, 0, len(triggers)*(ulid.EncodedSize+1))
	for i := range triggers {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, triggers[i].String()...)
	}
	if _, err := t.exec(t.statements.putTraceRun, s.Run[:], s.App.String(), s.Function.String(), []byte(s.Trace), int64(s.Run.Time()),
		millis(sum.StartedAt), millis(sum.EndedAt), statusCode(sum.Status), list, runOutput(s), flag(sum.Debounced), batch[:], schedule,
		flag(s.AI)); err != nil {
		return err
	}
	if len(triggers) < 2 && sum.Status != trace.Skipped {
		return nil
	}
	for i := range triggers {
		if _, err := t.exec(t.statements.insertEventRun, triggers[i].String(), s.Run[:]); err != nil {
			return err
		}
	}
	return nil
}

// runOutput is the output of a run as the row of the run has it; NULL for none.
func runOutput(s *trace.Span) any {
	if s.Output == nil {
		return nil
	}
	return []byte(trace.Unwrapped(s.Output))
}

// triggersOf is what the history of runs says of what started one.
func triggersOf(t *tx, id ulid.ULID) (events []ulid.ULID, batch ulid.ULID, cron string, err error) {
	stmt := t.statements.runTriggers
	found, done, err := t.row(stmt, id[:])
	defer done()
	if err != nil || !found {
		return nil, batch, "", err
	}
	var first ulid.ULID
	stmt.ColumnBytes(0, first[:])
	stmt.ColumnBytes(1, batch[:])
	return []ulid.ULID{first}, batch, stmt.ColumnText(2), nil
}

func millis(at time.Time) int64 {
	if at.IsZero() {
		return neverMS
	}
	return at.UnixMilli()
}

// statusCode is how trace_runs writes the status of a run. Spec 15 §5.5.
func statusCode(status trace.Status) int64 {
	switch status {
	case trace.Queued:
		return 100
	case trace.Completed:
		return 300
	case trace.Failed:
		return 400
	case trace.Cancelled:
		return 500
	case trace.Skipped:
		return 600
	}
	return 200
}
