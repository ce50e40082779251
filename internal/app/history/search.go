package history

import (
	"fmt"
	"time"
)

// SearchLimitError says that a search has come to its bounds, and how far it got.
type SearchLimitError struct {
	// What was searched: "runs" or "events".
	What string
	// Looked is at how many of them, Found how many it found among them; Until is the time of the last that it looked at.
	Looked, Found int
	Until         time.Time
}

func (e *SearchLimitError) Error() string {
	narrower := "functions or statuses"
	if e.What == "events" {
		narrower = "events"
	}
	return fmt.Sprintf("the search looked at %d %s, as far as %s, found %d and has come to its limit: narrow the window of time, or name %s",
		e.Looked, e.What, e.Until.Format(time.RFC3339), e.Found, narrower)
}

// searchPage is how many rows are looked at in one go.
const searchPage = 500

// walk looks at page after page until limit rows are found, there are no more, or the bounds of a search are reached, which is a
// *SearchLimitError. Next reads a page of searchPage rows and says which of them are wanted and of what time the last one is.
func walk[T any](r *Reader, what string, limit int, next func() (page, met []T, last time.Time, err error)) ([]T, error) {
	began, looked := r.Clock.Now(), 0
	var found []T
	for {
		page, met, last, err := next()
		if err != nil {
			return nil, err
		}
		found, looked = append(found, met...), looked+len(page)
		if len(found) >= limit {
			return found[:limit], nil
		}
		if len(page) < searchPage {
			return found, nil
		}
		if looked >= r.cfg.SearchRuns || r.Clock.Now().Sub(began) >= r.cfg.SearchTime {
			return nil, &SearchLimitError{What: what, Looked: looked, Found: len(found), Until: last}
		}
	}
}
