package embedded

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// runCodes are the numbers that stand for a status in trace_runs: that of new rows first, and that of old ones. Spec 15 §5.5.
var runCodes = []struct {
	status ports.RunStatus
	codes  [2]int64
}{
	{ports.RunQueued, [2]int64{100, 5}},
	{ports.RunRunning, [2]int64{200, 0}},
	{ports.RunCompleted, [2]int64{300, 1}},
	{ports.RunFailed, [2]int64{400, 2}},
	{ports.RunCancelled, [2]int64{500, 3}},
	{ports.RunSkipped, [2]int64{600, 7}},
}

// statusOfCode is the status that a number stands for; false for one that clients have no word for.
func statusOfCode(code int64) (ports.RunStatus, bool) {
	for _, known := range runCodes {
		if code == known.codes[0] || code == known.codes[1] {
			return known.status, true
		}
	}
	return "", false
}

// codesOf are the numbers of the statuses that a list is of.
func codesOf(q ports.RunList) []int64 {
	var codes []int64
	for _, known := range runCodes {
		selected := slices.Contains(q.Statuses, known.status)
		if len(q.Statuses) == 0 {
			selected = q.Skipped || known.status != ports.RunSkipped
		}
		if selected && (q.Time != ports.ByEnded || known.status.Ended()) {
			codes = append(codes, known.codes[:]...)
		}
	}
	return codes
}

// window is what a list is of, as the indexes have it: bounds of IDs, or of ends in milliseconds, all inclusive.
type window struct {
	first, last  ulid.ULID
	since, until int64
	empty        bool
}

const maxMillis = 1<<47 - 1

// windowOf turns the bounds and the cursor of a list into those of a walk. The cursor bounds IDs within the same millisecond of an end,
// so with it the bound of the walk is a pair.
func windowOf(q ports.RunList, cursor *ports.RunCursor) window {
	w := window{since: 0, until: maxMillis}
	if !q.From.IsZero() {
		w.since = max(0, ceilMillis(q.From))
	}
	if !q.Until.IsZero() {
		w.until = min(maxMillis, q.Until.UnixMilli())
	}
	if w.until < w.since {
		return window{empty: true}
	}
	w.last = ulid.ULID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	if q.Time != ports.ByEnded {
		_ = w.first.SetTime(uint64(w.since)) // within 48 bits, as is the next
		_ = w.last.SetTime(uint64(w.until))
	}
	if cursor == nil {
		return w
	}
	next, more := beside(cursor.Run, q.Ascending)
	at := cursor.At.UnixMilli()
	switch {
	case !more:
		return window{empty: true}
	case q.Time != ports.ByEnded && q.Ascending:
		w.first = later(w.first, next)
	case q.Time != ports.ByEnded:
		w.last = earlierID(w.last, next)
	case q.Ascending && at >= w.since:
		w.since, w.first = at, next
	case !q.Ascending && at <= w.until:
		w.until, w.last = at, next
	}
	w.empty = w.first.Compare(w.last) > 0 && q.Time != ports.ByEnded || w.until < w.since
	return w
}

// ceilMillis is the first millisecond that is not before an instant.
func ceilMillis(at time.Time) int64 {
	ms := at.UnixMilli()
	if time.UnixMilli(ms).Before(at) {
		ms++
	}
	return ms
}

func later(a, b ulid.ULID) ulid.ULID {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}

func earlierID(a, b ulid.ULID) ulid.ULID {
	if a.Compare(b) < 0 {
		return a
	}
	return b
}

// beside is the ID next to another; false when there is none.
func beside(id ulid.ULID, up bool) (ulid.ULID, bool) {
	for i := len(id) - 1; i >= 0; i-- {
		if up {
			id[i]++
			if id[i] != 0 {
				return id, true
			}
			continue
		}
		id[i]--
		if id[i] != 0xff {
			return id, true
		}
	}
	return id, false
}

// Runs implements ports.History. Each status, or function and status, is a walk along an index; the walks are merged.
func (h history) Runs(ctx context.Context, q ports.RunList) ([]ports.RunSummary, error) {
	var page []ports.RunSummary
	err := h.flushed(ctx, func(queries *db.Queries) (err error) {
		l := lister{queries: queries, list: q}
		page, err = l.page(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return page, nil
}

// CountRuns implements ports.History.
func (h history) CountRuns(ctx context.Context, q ports.RunList) (int, error) {
	var count int
	err := h.flushed(ctx, func(queries *db.Queries) (err error) {
		l := lister{queries: queries, list: q}
		count, err = l.count(ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count runs: %w", err)
	}
	return count, nil
}

// lister reads one list.
type lister struct {
	queries *db.Queries
	list    ports.RunList
	// functions are those that the list is of, their text sorted; any when all is set.
	functions []string
	all       bool
}

// deferredChunk is how many runs are looked at in one go to see whether another run started them.
const deferredChunk = 500

func (l *lister) page(ctx context.Context) ([]ports.RunSummary, error) {
	if err := l.choose(ctx); err != nil || !l.all && len(l.functions) == 0 {
		return nil, err
	}
	limit := max(l.list.Limit, 1)
	if l.list.Deferred != nil && *l.list.Deferred {
		return l.deferred(ctx, limit)
	}
	var page []ports.RunSummary
	cursor, ask := l.list.After, limit
	for {
		some, err := l.walk(ctx, windowOf(l.list, cursor), ask)
		if err != nil {
			return nil, err
		}
		full := len(some) == ask
		if full {
			cursor = &ports.RunCursor{At: some[len(some)-1].At(l.list.Time), Run: some[len(some)-1].RunID}
		}
		if err := markDeferred(ctx, l.queries, some); err != nil {
			return nil, err
		}
		for _, summary := range some {
			if l.list.Deferred == nil || !summary.Deferred {
				page = append(page, summary)
			}
		}
		if !full || len(page) >= limit {
			return page[:min(len(page), limit)], nil
		}
		ask = deferredChunk
	}
}

// choose finds the functions of a list that names apps.
func (l *lister) choose(ctx context.Context) error {
	l.all = len(l.list.Functions) == 0 && len(l.list.Apps) == 0
	if l.all {
		return nil
	}
	if len(l.list.Apps) == 0 {
		l.functions = texts(l.list.Functions)
		return nil
	}
	apps, named := texts(l.list.Apps), texts(l.list.Functions)
	for after := ""; ; {
		found, err := l.queries.FirstFunctionWithRuns(ctx, after)
		if isNoRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if slices.Contains(apps, found.AppID) && (len(named) == 0 || slices.Contains(named, found.FunctionID)) {
			l.functions = append(l.functions, found.FunctionID)
		}
		after = found.FunctionID
	}
}

// texts are IDs as columns have them, each once.
func texts(ids []uuid.UUID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.String()
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// line is the place of a run in a list: the time that it is ordered by, in milliseconds, and its ID.
type line struct {
	at int64
	id ulid.ULID
}

// walk merges one page of all walks, and then reads the runs that are in it.
func (l *lister) walk(ctx context.Context, w window, limit int) ([]ports.RunSummary, error) {
	if w.empty {
		return nil, nil
	}
	var lines []line
	var err error
	for _, code := range codesOf(l.list) {
		switch {
		case l.list.Time == ports.ByEnded:
			lines, err = l.ended(ctx, lines, code, w, limit)
		case l.all:
			lines, err = l.ofStatus(ctx, lines, code, w, limit)
		default:
			for _, function := range l.functions {
				if lines, err = l.ofFunction(ctx, lines, function, code, w, limit); err != nil {
					break
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(lines, func(a, b line) int {
		order := cmp.Or(cmp.Compare(a.at, b.at), a.id.Compare(b.id))
		if !l.list.Ascending {
			return -order
		}
		return order
	})
	ids := make([]ulid.ULID, 0, limit)
	for _, place := range lines[:min(limit, len(lines))] {
		ids = append(ids, place.id)
	}
	page, err := l.rows(ctx, ids)
	if err != nil {
		return nil, err
	}
	l.sort(page)
	return page, nil
}

// rows reads runs without their outputs.
func (l *lister) rows(ctx context.Context, ids []ulid.ULID) ([]ports.RunSummary, error) {
	page := make([]ports.RunSummary, 0, len(ids))
	for chunk := range slices.Chunk(ids, idChunk) {
		rows, err := l.queries.ListRunRows(ctx, blobs(chunk))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			summary, err := summaryFrom(row)
			if err != nil {
				return nil, err
			}
			page = append(page, summary)
		}
	}
	return page, nil
}

func (l *lister) sort(summaries []ports.RunSummary) {
	slices.SortFunc(summaries, func(a, b ports.RunSummary) int {
		order := cmp.Or(a.At(l.list.Time).Compare(b.At(l.list.Time)), a.RunID.Compare(b.RunID))
		if !l.list.Ascending {
			return -order
		}
		return order
	})
}

// byID appends places of runs that are ordered by their IDs.
func byID(lines []line, found [][]byte) ([]line, error) {
	for _, raw := range found {
		id, err := parseULID(raw)
		if err != nil {
			return nil, damaged("run", err)
		}
		lines = append(lines, line{int64(id.Time()), id})
	}
	return lines, nil
}

// byEnd appends places of runs that are ordered by their ends.
func byEnd[Row db.ListEndedDownRow | db.ListEndedUpRow | db.ListFewEndedRow | db.ListFunctionsEndedDownRow | db.ListFunctionsEndedUpRow](lines []line, found []Row) ([]line, error) {
	for _, row := range found {
		row := db.ListEndedDownRow(row)
		id, err := parseULID(row.RunID)
		if err != nil {
			return nil, damaged("run", err)
		}
		lines = append(lines, line{row.EndedAt, id})
	}
	return lines, nil
}

func (l *lister) ofStatus(ctx context.Context, lines []line, code int64, w window, limit int) ([]line, error) {
	var found [][]byte
	var err error
	if l.list.Ascending {
		found, err = l.queries.ListRunsUp(ctx, db.ListRunsUpParams{Status: code, First: w.first[:], Last: w.last[:], Max: int64(limit)})
	} else {
		found, err = l.queries.ListRunsDown(ctx, db.ListRunsDownParams{Status: code, First: w.first[:], Last: w.last[:], Max: int64(limit)})
	}
	if err != nil {
		return nil, err
	}
	return byID(lines, found)
}

func (l *lister) ofFunction(ctx context.Context, lines []line, function string, code int64, w window, limit int) ([]line, error) {
	var found [][]byte
	var err error
	if l.list.Ascending {
		found, err = l.queries.ListFunctionRunsUp(ctx, db.ListFunctionRunsUpParams{
			FunctionID: function, Status: code, First: w.first[:], Last: w.last[:], Max: int64(limit),
		})
	} else {
		found, err = l.queries.ListFunctionRunsDown(ctx, db.ListFunctionRunsDownParams{
			FunctionID: function, Status: code, First: w.first[:], Last: w.last[:], Max: int64(limit),
		})
	}
	if err != nil {
		return nil, err
	}
	return byID(lines, found)
}

func (l *lister) ended(ctx context.Context, lines []line, code int64, w window, limit int) ([]line, error) {
	switch {
	case l.all && l.list.Ascending:
		found, err := l.queries.ListEndedUp(ctx, db.ListEndedUpParams{Status: code, Until: w.until, Since: w.since, First: w.first[:], Max: int64(limit)})
		if err != nil {
			return nil, err
		}
		return byEnd(lines, found)
	case l.all:
		found, err := l.queries.ListEndedDown(ctx, db.ListEndedDownParams{Status: code, Until: w.until, Since: w.since, Last: w.last[:], Max: int64(limit)})
		if err != nil {
			return nil, err
		}
		return byEnd(lines, found)
	}
	few, err := l.few(ctx, code)
	if err != nil {
		return nil, err
	}
	if few {
		return l.fewEnded(ctx, lines, code, w)
	}
	if l.list.Ascending {
		found, err := l.queries.ListFunctionsEndedUp(ctx, db.ListFunctionsEndedUpParams{
			Status: code, Until: w.until, Since: w.since, First: w.first[:], Functions: jsonList(l.functions), Max: int64(limit),
		})
		if err != nil {
			return nil, err
		}
		return byEnd(lines, found)
	}
	found, err := l.queries.ListFunctionsEndedDown(ctx, db.ListFunctionsEndedDownParams{
		Status: code, Until: w.until, Since: w.since, Last: w.last[:], Functions: jsonList(l.functions), Max: int64(limit),
	})
	if err != nil {
		return nil, err
	}
	return byEnd(lines, found)
}

// jsonList is a list as queries take it.
func jsonList(list []string) string {
	text, _ := json.Marshal(list) // texts: this cannot fail
	return string(text)
}

func (l *lister) count(ctx context.Context) (int, error) {
	if err := l.choose(ctx); err != nil || !l.all && len(l.functions) == 0 {
		return 0, err
	}
	if l.list.Deferred == nil {
		return l.countAll(ctx)
	}
	deferred := 0
	for l.list.After = nil; ; {
		some, err := l.deferred(ctx, deferredChunk)
		if err != nil {
			return 0, err
		}
		deferred += len(some)
		if len(some) < deferredChunk {
			break
		}
		l.list.After = &ports.RunCursor{At: some[len(some)-1].At(l.list.Time), Run: some[len(some)-1].RunID}
	}
	if *l.list.Deferred {
		return deferred, nil
	}
	all, err := l.countAll(ctx)
	return all - deferred, err
}

func (l *lister) countAll(ctx context.Context) (int, error) {
	w := windowOf(l.list, nil)
	if w.empty {
		return 0, nil
	}
	total := int64(0)
	for _, code := range codesOf(l.list) {
		var n int64
		var err error
		switch {
		case l.list.Time == ports.ByEnded && l.all:
			n, err = l.queries.CountEnded(ctx, db.CountEndedParams{Status: code, Since: w.since, Until: w.until})
		case l.list.Time == ports.ByEnded:
			n, err = l.countEnded(ctx, code, w)
		case l.all:
			n, err = l.queries.CountRunsOf(ctx, db.CountRunsOfParams{Status: code, First: w.first[:], Last: w.last[:]})
		default:
			n, err = l.countFunctions(ctx, code, w)
		}
		if err != nil {
			return 0, err
		}
		total += n
	}
	return int(total), nil
}

func (l *lister) countFunctions(ctx context.Context, code int64, w window) (int64, error) {
	total := int64(0)
	for _, function := range l.functions {
		n, err := l.queries.CountFunctionRuns(ctx, db.CountFunctionRunsParams{
			FunctionID: function, Status: code, First: w.first[:], Last: w.last[:],
		})
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
