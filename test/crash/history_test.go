package crash

import (
	"slices"
	"time"
)

// history is what happened to the events of one kind: what the senders, the app and the killer saw. The checks are
// functions of it and return what is wrong, as sentences.
type history struct {
	events []sentEvent
	runs   []seenRun
	calls  []seenCall
	lives  lives
}

// seenRun is a run as the app saw it.
type seenRun struct {
	id     string
	group  string    // of its first event
	events []string  // keys, in the order of its first call
	began  time.Time // when its first call came
	ended  time.Time // before its end was answered the last time; zero if it never was
}

// seenCall is a call in the app.
//
// It counts from when it has come until the app answers it, or until the server that made it is gone: then its
// connection is cut and its request's context is done, whatever the app still does. The answer's time is taken before
// the answer is written, so that the server has a call in hand at least as long as it counts here.
type seenCall struct {
	runID, group string
	connected    time.Time // when the server opened the connection
	entered      time.Time
	left         time.Time // before the answer was written, or when the request's context was done; zero while it is there
	cut          bool      // the context was done first
}

// span is a time in which something counts: from from, which is in it, to to, which is not. A zero to is no end.
type span struct{ from, to time.Time }

// most returns how many spans there are at once, at the most, and when.
func most(spans []span) (count int, at time.Time) {
	type edge struct {
		at    time.Time
		delta int
	}
	var edges []edge
	for _, s := range spans {
		if !s.to.IsZero() && !s.to.After(s.from) {
			continue // it was cut before it began
		}
		edges = append(edges, edge{s.from, 1})
		if !s.to.IsZero() {
			edges = append(edges, edge{s.to, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if order := a.at.Compare(b.at); order != 0 {
			return order
		}
		return a.delta - b.delta // who leaves makes room for who comes
	})
	now := 0
	for _, e := range edges {
		if now += e.delta; now > count {
			count, at = now, e.at
		}
	}
	return count, at
}

// inApp is the time in which a call counts.
func (h history) inApp(c seenCall) span {
	s := span{c.entered, c.left}
	if cut := h.lives.cut(c.connected); !cut.IsZero() && (s.to.IsZero() || cut.Before(s.to)) {
		s.to = cut
	}
	return s
}

// groups returns the groups of all events, sorted.
func (h history) groups() []string {
	var groups []string
	for _, e := range h.events {
		groups = append(groups, e.group)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// runsOf returns the runs of each event, by its key.
func (h history) runsOf() map[string][]seenRun {
	runs := map[string][]seenRun{}
	for _, run := range h.runs {
		for _, key := range run.events {
			runs[key] = append(runs[key], run)
		}
	}
	return runs
}

// figures say how hard a feature was tried.
type figures struct {
	accepted int // events
	late     int // of these, answered within lateBefore a kill
	inRuns   int // events in runs
	batches  int // runs with several events
	calls    int // at once, at the most
	runs     int // at once, at the most
	cut      int // calls whose server was gone before they were answered
}

// lateBefore is how shortly before a kill an answer is thought to meet the server with the event in its hands.
const lateBefore = 50 * time.Millisecond

func (h history) figures() figures {
	var f figures
	for _, e := range h.events {
		if e.accepted() {
			f.accepted++
			if h.lives.hit(e.answered, lateBefore) {
				f.late++
			}
		}
	}
	var calls, runs []span
	for _, c := range h.calls {
		calls = append(calls, h.inApp(c))
		if c.cut {
			f.cut++
		}
	}
	for _, run := range h.runs {
		runs = append(runs, span{run.began, run.ended})
		f.inRuns += len(run.events)
		if len(run.events) > 1 {
			f.batches++
		}
	}
	f.calls, _ = most(calls)
	f.runs, _ = most(runs)
	return f
}
