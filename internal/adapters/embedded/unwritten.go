package embedded

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
)

// unwritten is what of a run waits to be written into its history.
type unwritten struct {
	run ulid.ULID
	// spans are those of one commit after the other.
	spans       [][]trace.Span
	rows, bytes int
	// first is the number of the transaction that its first span is of, since is when that was.
	first int64
	since time.Time
	// ready says that nothing more is waited for. Of what is taken the rows are being made, and what is over is written or deleted.
	ready, taken, over bool
}

// waitingRuns is what waits to be written, by runs. A run waits for its end, so that it is written once; one that takes too long, or has
// too much, is ready before.
type waitingRuns struct {
	// runs are those that are not taken.
	runs map[ulid.ULID]*unwritten
	// order is all by first, what is over too unless it is at the beginning. ready are those that nothing is waited for with.
	order, ready []*unwritten
	// rows and bytes count everything, waiting and waitingBytes what is not ready.
	rows, bytes, waiting, waitingBytes int
	// added is the number of the last transaction that had spans.
	added int64
}

func newWaitingRuns() waitingRuns { return waitingRuns{runs: map[ulid.ULID]*unwritten{}} }

// add takes over the spans of an operation, which may be of several runs.
func (b *waitingRuns) add(seq int64, now time.Time, spans []trace.Span) {
	for len(spans) > 0 {
		n := 1
		for n < len(spans) && spans[n].Run == spans[0].Run {
			n++
		}
		b.addOf(seq, now, spans[:n:n])
		spans = spans[n:]
	}
}

// addOf takes over spans of one run.
func (b *waitingRuns) addOf(seq int64, now time.Time, spans []trace.Span) {
	u := b.runs[spans[0].Run]
	if u == nil {
		u = &unwritten{run: spans[0].Run, first: seq, since: now}
		b.runs[u.run] = u
		b.order = append(b.order, u)
	}
	size, ended := 0, false
	for i := range spans {
		const columns = 400
		s := &spans[i]
		size += columns + len(s.Attributes) + len(s.Input) + len(s.Output)
		ended = ended || s.Summary != nil && !s.Summary.EndedAt.IsZero()
	}
	u.spans = append(u.spans, spans)
	u.rows += len(spans)
	u.bytes += size
	b.added = seq
	b.rows += len(spans)
	b.bytes += size
	if u.ready {
		return
	}
	b.waiting += len(spans)
	b.waitingBytes += size
	if ended || u.rows >= projectAtOnce || b.waiting > maxWaiting || b.waitingBytes > maxWaitingBytes {
		b.hurry(u)
	}
}

// hurry makes a run ready.
func (b *waitingRuns) hurry(u *unwritten) {
	if u.ready || u.taken || u.over {
		return
	}
	u.ready = true
	b.waiting -= u.rows
	b.waitingBytes -= u.bytes
	b.ready = append(b.ready, u)
}

// hurrySince makes all ready that have been waiting since then.
func (b *waitingRuns) hurrySince(then time.Time) {
	for _, u := range b.order {
		if u.since.After(then) {
			return
		}
		b.hurry(u)
	}
}

// hurryAll makes everything ready.
func (b *waitingRuns) hurryAll() {
	for _, u := range b.order {
		b.hurry(u)
	}
}

// take takes what is ready, up to a number of rows, or at least one run.
func (b *waitingRuns) take(rows int) []*unwritten {
	var some []*unwritten
	for len(b.ready) > 0 {
		u := b.ready[0]
		if u.over || u.taken {
			b.ready = b.ready[1:]
			continue
		}
		if rows -= u.rows; rows < 0 && len(some) > 0 {
			return some
		}
		b.ready = b.ready[1:]
		some = append(some, b.taken(u))
	}
	b.ready = nil
	return some
}

// takeOf takes what there is of runs.
func (b *waitingRuns) takeOf(runs []ulid.ULID) []*unwritten {
	var some []*unwritten
	for _, id := range runs {
		if u := b.runs[id]; u != nil {
			b.hurry(u)
			some = append(some, b.taken(u))
		}
	}
	return some
}

func (b *waitingRuns) taken(u *unwritten) *unwritten {
	u.taken = true
	delete(b.runs, u.run)
	return u
}

// drop forgets what is written, or is not to be.
func (b *waitingRuns) drop(some ...*unwritten) {
	for _, u := range some {
		if u.over {
			continue
		}
		if !u.ready {
			b.waiting -= u.rows
			b.waitingBytes -= u.bytes
		}
		if b.runs[u.run] == u {
			delete(b.runs, u.run)
		}
		b.rows -= u.rows
		b.bytes -= u.bytes
		u.over = true
		if !u.taken { // else its rows are being made, by another goroutine
			u.spans = nil
		}
	}
	n := 0
	for n < len(b.order) && b.order[n].over {
		n++
	}
	b.order = b.order[n:]
	if len(b.order) == 0 {
		b.order, b.ready = nil, nil
	}
}

// oldest is the first of what is neither written nor taken; nil for none.
func (b *waitingRuns) oldest() *unwritten {
	for _, u := range b.order {
		if !u.over && !u.taken {
			return u
		}
	}
	return nil
}

// through is the number of the last transaction whose spans are all written, once what is taken is.
func (b *waitingRuns) through() int64 {
	if u := b.oldest(); u != nil {
		return u.first - 1
	}
	return b.added
}

// behind says whether something of the transactions up to a number is not written.
func (b *waitingRuns) behind(seq int64) bool { return len(b.order) > 0 && b.order[0].first <= seq }
