package crash

import (
	"fmt"
	"slices"
	"time"
)

// inHand is what a token or an answer may take from the server to the app, of the time in which the server is ready. It
// is what the checks of starts by time tolerate: the app sees a start not when the server took the token for it, but
// after the commit that says so, a free worker, the network and the app's own scheduler, all on a busy machine. When the
// server is killed in between, the call is made by a later one, without another token. So the time in which no server
// is ready does not count, and the token was taken at the earliest inHand of ready time before the call came.
const inHand = time.Second

// clocks is what the clocks of the server and of the test may differ by.
const clocks = 5 * time.Millisecond

// checkOnce: no event is in two runs, nor twice in one.
func (h history) checkOnce() (wrong []string) {
	runs := h.runsOf()
	for _, e := range h.events {
		if of := runs[e.key]; len(of) > 1 {
			wrong = append(wrong, fmt.Sprintf("event %s is in %d runs: %s, %s, …", e.key, len(of), of[0].id, of[1].id))
		}
	}
	return wrong
}

// checkEnds: every run that was called has ended.
func (h history) checkEnds() (wrong []string) {
	for _, run := range h.runs {
		if run.ended.IsZero() {
			wrong = append(wrong, fmt.Sprintf("run %s of %v has no end", run.id, run.events))
		}
	}
	return wrong
}

// checkEach: every accepted event is in exactly one run.
func (h history) checkEach() (wrong []string) {
	runs := h.runsOf()
	for _, e := range h.events {
		if e.accepted() && len(runs[e.key]) == 0 {
			wrong = append(wrong, fmt.Sprintf("accepted event %s is in no run", e.key))
		}
	}
	return append(wrong, h.checkOnce()...)
}

// checkBatches: no batch is larger than size or of two groups, and one that is not full waited for its time.
func (h history) checkBatches(size int, timeout time.Duration) (wrong []string) {
	events := h.byKey()
	for _, run := range h.runs {
		first := run.began
		for _, key := range run.events {
			e := events[key]
			if e.group != run.group {
				wrong = append(wrong, fmt.Sprintf("run %s of group %s has event %s of group %q", run.id, run.group, key, e.group))
			}
			if e.sent.Before(first) {
				first = e.sent
			}
		}
		switch waited := run.began.Sub(first); {
		case len(run.events) > size:
			wrong = append(wrong, fmt.Sprintf("run %s has %d events, above the size of %d", run.id, len(run.events), size))
		case len(run.events) < size && waited < timeout-clocks:
			wrong = append(wrong, fmt.Sprintf("run %s has only %d events and began after %s", run.id, len(run.events), waited))
		}
	}
	return wrong
}

// checkDebounce: the accepted event of a group that is the last by its own time is in exactly one run, unless a later one
// that was sent, but never answered, took its place; and no run began before its event was the period old. Which of the
// others have runs depends on when they came.
func (h history) checkDebounce(period time.Duration) (wrong []string) {
	runs, events := h.runsOf(), h.byKey()
	for _, group := range h.groups() {
		var last sentEvent
		for _, e := range h.events {
			if e.group == group && e.accepted() && (last.key == "" || e.ts > last.ts) {
				last = e
			}
		}
		replaced := slices.ContainsFunc(h.events, func(e sentEvent) bool {
			return e.group == group && !e.accepted() && e.ts > last.ts && len(runs[e.key]) == 1
		})
		if last.key != "" && len(runs[last.key]) == 0 && !replaced {
			wrong = append(wrong, fmt.Sprintf("event %s, the last one of group %s, is in no run", last.key, group))
		}
	}
	for _, run := range h.runs {
		for _, key := range run.events {
			if waited := run.began.Sub(events[key].sent); waited < period-clocks {
				wrong = append(wrong, fmt.Sprintf("run %s began %s after its event %s", run.id, waited, key))
			}
		}
		if len(run.events) != 1 {
			wrong = append(wrong, fmt.Sprintf("run %s of a debounce has the events %v", run.id, run.events))
		}
	}
	return append(wrong, h.checkOnce()...)
}

// byKey returns the events by their keys.
func (h history) byKey() map[string]sentEvent {
	events := make(map[string]sentEvent, len(h.events))
	for _, e := range h.events {
		events[e.key] = e
	}
	return events
}

// bucket is what a GCRA limiter allows: so many at once, then one more each time emission has passed.
type bucket struct {
	atOnce   int
	emission time.Duration
}

// checkStarts: of each group, from any start to any later one there are no more than the bucket had and was filled with
// meanwhile. The first may have got its token earlier than the app saw it, by inHand.
func (h history) checkStarts(b bucket) (wrong []string) {
	for _, group := range h.groups() {
		var starts []time.Time
		for _, run := range h.runs {
			if run.group == group {
				starts = append(starts, run.began)
			}
		}
		slices.SortFunc(starts, time.Time.Compare)
		if found := h.tooMany(starts, b); found != "" {
			wrong = append(wrong, fmt.Sprintf("group %s: %s", group, found))
		}
	}
	return wrong
}

func (h history) tooMany(starts []time.Time, b bucket) string {
	for i := range starts {
		from := h.lives.before(starts[i], inHand)
		if from.IsZero() { // that early, the bucket was full
			from = h.lives[0].launched
		}
		for j := i; j < len(starts); j++ {
			if count, allowed := j-i+1, b.atOnce+int(starts[j].Sub(from)/b.emission); count > allowed {
				return fmt.Sprintf("%d starts within %s, %d are allowed", count, starts[j].Sub(starts[i]), allowed)
			}
		}
	}
	return ""
}

// checkCalls: no more calls are in the app at once than the limit; by group, or all of them.
func (h history) checkCalls(limit int, byGroup bool) (wrong []string) {
	spans := map[string][]span{}
	for _, c := range h.calls {
		name := "the function"
		if byGroup {
			name = "group " + c.group
		}
		spans[name] = append(spans[name], h.inApp(c))
	}
	return aboveLimit("calls", spans, limit)
}

// checkRuns: no more runs of a group are between their first call and their end than the limit. A run whose end was
// answered to a server that died is called again and has not ended yet: its last answer counts.
func (h history) checkRuns(limit int) (wrong []string) {
	spans := map[string][]span{}
	for _, run := range h.runs {
		name := "group " + run.group
		spans[name] = append(spans[name], span{run.began, run.ended})
	}
	return aboveLimit("runs", spans, limit)
}

func aboveLimit(what string, spans map[string][]span, limit int) (wrong []string) {
	for name, all := range spans {
		if count, at := most(all); count > limit {
			wrong = append(wrong, fmt.Sprintf("%d %s of %s at once, at %s, above the limit of %d", count, what, name, at.Format(time.StampMilli), limit))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// fate is what the server says of the runs of an accepted event.
type fate struct{ completed, skipped int }

// checkSkips: each accepted event has one run, which was completed or skipped, and of each group one was completed.
func (h history) checkSkips(fates map[string]fate) []string {
	return h.checkFates(fates, func(f fate) bool { return f.completed+f.skipped == 1 })
}

// checkDrops: each accepted event has one run or none, and of each group one was completed.
func (h history) checkDrops(fates map[string]fate) []string {
	return h.checkFates(fates, func(f fate) bool { return f.completed <= 1 && f.skipped == 0 })
}

// checkFates wants the fate of each accepted event to be right, the completed runs to be those that the app saw, and one
// of them in each group.
func (h history) checkFates(fates map[string]fate, right func(fate) bool) (wrong []string) {
	runs, started := h.runsOf(), map[string]bool{}
	for _, e := range h.events {
		started[e.group] = started[e.group] || len(runs[e.key]) > 0
		if f := fates[e.key]; e.accepted() && (!right(f) || f.completed != len(runs[e.key])) {
			wrong = append(wrong, fmt.Sprintf("event %s has %d completed runs and %d skipped ones, the app saw %d",
				e.key, f.completed, f.skipped, len(runs[e.key])))
		}
	}
	for _, e := range h.events {
		if e.accepted() && !started[e.group] {
			started[e.group] = true
			wrong = append(wrong, fmt.Sprintf("of group %s, no event was let through", e.group))
		}
	}
	return wrong
}
