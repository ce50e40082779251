package embedded

import (
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"zombiezen.com/go/sqlite"

	"github.com/ingothq/ingot/internal/domain/trace"
)

// neverMS is how the reference writes an instant that is not known, in columns of milliseconds. Spec 15 §3.9.
const neverMS = int64(-62135596800000)

// spansAtOnce is how many rows one statement inserts: trees then keep their place from one row to the next.
const spansAtOnce = 8

// writeSpans writes rows of spans, and with them what they say of their runs. Rows of a span that are not the first of it are additions.
func writeSpans(t *tx, rows []trace.Span) error {
	w := spanWriter{t: t, some: make([]namedSpan, 0, spansAtOnce)}
	for i := range rows {
		if err := w.put(&rows[i]); err != nil {
			return err
		}
	}
	return w.flush()
}

// spanWriter gathers rows for a statement that inserts several.
type spanWriter struct {
	t    *tx
	some []namedSpan
	// room is for lists of IDs.
	room []byte
	// of is what the last row was of, app, function and run the texts of that: rows of a run come one after the other.
	of                 identity
	app, function, run string
}

// identity is what all rows of a run have in common.
type identity struct {
	run           ulid.ULID
	app, function uuid.UUID
}

// namedSpan is a row with the name and the ID that it gets.
type namedSpan struct {
	*trace.Span
	name, id string
}

// put writes what a row says of its run, and gathers the row.
func (w *spanWriter) put(s *trace.Span) error {
	row := namedSpan{s, s.Name, s.ID}
	switch {
	case s.Summary != nil:
		first, err := writeTraceRun(w.t, s)
		if err != nil {
			return err
		}
		if first && row.name == trace.NameExtend {
			row.name, row.id = trace.NameRun, s.Dynamic
		}
	case s.AI:
		if _, err := w.t.exec(w.t.statements.markTraceRunAI, s.Run[:]); err != nil {
			return err
		}
	}
	if w.some = append(w.some, row); len(w.some) == spansAtOnce {
		return w.several()
	}
	return nil
}

// several inserts what is gathered by one statement. IDs of rows are used, when the attempts of a job were counted anew: then the rows
// that were refused are inserted by themselves.
func (w *spanWriter) several() error {
	stmt := w.t.statements.insertSpans
	for i := range w.some {
		w.bind(stmt, i*spanParameters, &w.some[i])
	}
	if err := w.t.write(stmt); err != nil {
		return err
	}
	if inserted := w.t.conn.Changes(); inserted < len(w.some) {
		last := w.t.conn.LastInsertRowID()
		return w.refused(last-int64(inserted), last)
	}
	w.some = w.some[:0]
	return nil
}

// refused inserts those of the rows that are gathered that are not among the ones that were inserted after a place.
func (w *spanWriter) refused(after, last int64) error {
	written := map[string]int{}
	stmt := w.t.statements.spanAfter
	for ; after < last; after++ { // they are in a row
		found, done, err := w.t.row(stmt, after, last)
		if found {
			written[stmt.ColumnText(0)+stmt.ColumnText(1)]++
		}
		done()
		if err != nil {
			return err
		}
	}
	w.some = slices.DeleteFunc(w.some, func(s namedSpan) bool {
		key := s.Trace + s.id
		written[key]-- // of two with one ID the second is left
		return written[key] >= 0
	})
	return w.flush()
}

// flush inserts what is gathered row by row.
func (w *spanWriter) flush() error {
	for i := range w.some {
		if err := w.insert(&w.some[i]); err != nil {
			return err
		}
	}
	w.some = w.some[:0]
	return nil
}

// insert inserts a row. If another has its ID, it gets one that is free.
func (w *spanWriter) insert(s *namedSpan) error {
	for ; ; s.id = trace.ExtendID(s.id, "again") {
		written, err := w.tryInsert(s)
		if err != nil || written {
			return err
		}
	}
}

// tryInsert inserts a row unless another has its ID.
func (w *spanWriter) tryInsert(s *namedSpan) (bool, error) {
	stmt := w.t.statements.insertSpan
	w.bind(stmt, 0, s)
	err := w.t.write(stmt)
	return err == nil && w.t.conn.Changes() > 0, err
}

// spanParameters is how many parameters a row has.
const spanParameters = 16

// bind binds the parameters of a row, the first of which comes after a number of others. It is called for each row of history, so it goes
// without a list of values.
func (w *spanWriter) bind(stmt *sqlite.Stmt, after int, s *namedSpan) {
	if of := (identity{s.Run, s.App, s.Function}); of != w.of {
		w.of, w.app, w.function, w.run = of, s.App.String(), s.Function.String(), s.Run.String()
	}
	stmt.BindText(after+1, s.id)
	stmt.BindText(after+2, s.Trace)
	stmt.BindText(after+3, s.Parent)
	stmt.BindText(after+4, s.name)
	stmt.BindText(after+5, formatInstant(s.Start))
	stmt.BindText(after+6, formatInstant(s.End))
	bindText(stmt, after+7, string(s.Attributes))
	stmt.BindText(after+8, s.Dynamic)
	stmt.BindText(after+9, w.app)
	stmt.BindText(after+10, w.function)
	stmt.BindText(after+11, w.run)
	bindText(stmt, after+12, string(s.Output))
	bindText(stmt, after+13, string(s.Status))
	bindText(stmt, after+14, string(s.Input))
	if stmt.BindNull(after + 15); len(s.EventIDs) > 0 {
		w.room = appendIDList(w.room[:0], s.EventIDs)
		stmt.BindText(after+15, string(w.room))
	}
	if stmt.BindNull(after + 16); s.Deferred {
		stmt.BindInt64(after+16, 1)
	}
}

// bindText binds a text; NULL for none.
func bindText(stmt *sqlite.Stmt, param int, text string) {
	if text == "" {
		stmt.BindNull(param)
		return
	}
	stmt.BindText(param, text)
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
