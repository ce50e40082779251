package trace

import (
	"encoding/json"

	"github.com/oklog/ulid/v2"
)

// place is what rows of one span have in common.
type place struct {
	run     ulid.ULID
	dynamic string
}

// Merge puts rows of one span together, each span where its first row stands. The rows are in the order in which they were made;
// of what several say the last one counts, but a status does not go back. It takes the slice over: the answer is made in its place.
func Merge(rows []Span) []Span {
	merged := rows[:0]
	places := make(map[place]int, len(rows))
	for i := range rows {
		key := place{rows[i].Run, rows[i].Dynamic}
		at, known := places[key]
		if known {
			merged[at].add(&rows[i])
			continue
		}
		places[key] = len(merged)
		merged = append(merged, rows[i])
	}
	clear(rows[len(merged):])
	return merged
}

// add makes the span one with a later row of it.
func (s *Span) add(later *Span) {
	if later.Name != NameExtend || s.Name == NameExtend {
		// A row that is more than an addition has the ID by which the span is known.
		s.Name, s.ID = later.Name, later.ID
	}
	if later.Start.Before(s.Start) {
		s.Start = later.Start
	}
	if later.End.After(s.End) {
		s.End = later.End
	}
	earlier := s.Attributes
	s.Status = s.Status.then(later.Status)
	s.Attributes = mergeAttributes(s.Attributes, later.Attributes)
	if later.Status != "" && later.Status != s.Status { // it did not go back, so neither does what the attributes say of it
		a := newAttributes(smallBytes)
		a.text(KeyStatus, decodeAttributes(earlier).text(KeyStatus))
		s.Attributes = mergeAttributes(s.Attributes, a.object())
	}
	s.Input, s.HasInput = latest(s.Input, later.Input), s.HasInput || later.HasInput
	s.Output, s.HasOutput = latest(s.Output, later.Output), s.HasOutput || later.HasOutput
	if len(later.EventIDs) > 0 {
		s.EventIDs = later.EventIDs
	}
	s.Deferred, s.AI = s.Deferred || later.Deferred, s.AI || later.AI
	s.Summary = s.Summary.with(later.Summary)
}

func latest(earlier, later json.RawMessage) json.RawMessage {
	if later != nil {
		return later
	}
	return earlier
}

// with is the summary with what is known later. A run that has ended does not begin again.
func (s *Summary) with(later *Summary) *Summary {
	switch {
	case later == nil:
		return s
	case s == nil:
		return later
	}
	both := *s
	both.Status = s.Status.then(later.Status)
	if !later.StartedAt.IsZero() {
		both.StartedAt = later.StartedAt
	}
	if !later.EndedAt.IsZero() {
		both.EndedAt = later.EndedAt
	}
	return &both
}
