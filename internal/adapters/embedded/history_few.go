package embedded

import (
	"context"

	"github.com/ingothq/ingot/sql/sqlite/db"
)

// fewRuns is how many runs of the functions of a list are read and put in the order of their ends, instead of being looked for among all
// that have ended. A function with more of them is found there soon.
const fewRuns = 2000

// few says whether the functions of the list have no more runs with a status than that.
func (l *lister) few(ctx context.Context, code int64) (bool, error) {
	left := int64(fewRuns)
	for _, function := range l.functions {
		n, err := l.queries.CountSomeFunctionRuns(ctx, db.CountSomeFunctionRunsParams{FunctionID: function, Status: code, Max: left + 1})
		if err != nil {
			return false, err
		}
		if left -= n; left < 0 {
			return false, nil
		}
	}
	return true, nil
}

// fewEnded appends the places of all runs of the functions that have a status and are in the window. In the millisecond of a cursor the
// window begins with an ID.
func (l *lister) fewEnded(ctx context.Context, lines []line, code int64, w window) ([]line, error) {
	found, err := l.queries.ListFewEnded(ctx, db.ListFewEndedParams{Functions: jsonList(l.functions), Status: code, Since: w.since, Until: w.until})
	if err != nil {
		return nil, err
	}
	places, err := byEnd(nil, found)
	for _, place := range places {
		up, down := place.at == w.since && place.id.Compare(w.first) < 0, place.at == w.until && place.id.Compare(w.last) > 0
		if l.list.Ascending && !up || !l.list.Ascending && !down {
			lines = append(lines, place)
		}
	}
	return lines, err
}

// countEnded is how many runs of the functions have a status and have ended in the window.
func (l *lister) countEnded(ctx context.Context, code int64, w window) (int64, error) {
	few, err := l.few(ctx, code)
	if err != nil {
		return 0, err
	}
	functions := jsonList(l.functions)
	if few {
		return l.queries.CountFewEnded(ctx, db.CountFewEndedParams{Functions: functions, Status: code, Since: w.since, Until: w.until})
	}
	return l.queries.CountFunctionsEnded(ctx, db.CountFunctionsEndedParams{Functions: functions, Status: code, Since: w.since, Until: w.until})
}
