package embedded

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/trace"
)

// TestWaitingRuns_LoseNothing takes and drops runs in any order while spans come in: each is taken once, in the order in which it came
// within its run, what is counted is what there is, and no transaction is through before all of it is taken.
func TestWaitingRuns_LoseNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := waitingModel{waitingRuns: newWaitingRuns(), came: map[ulid.ULID][]string{}, got: map[ulid.ULID][]string{}}
		t.Repeat(map[string]func(*rapid.T){
			"add":   m.commit,
			"take":  func(t *rapid.T) { m.write(m.take(rapid.IntRange(1, 4).Draw(t, "rows"))) },
			"runs":  func(t *rapid.T) { m.write(m.takeOf(rapid.SliceOf(rapid.Custom(someRun)).Draw(t, "runs"))) },
			"since": func(t *rapid.T) { m.hurrySince(m.at(rapid.Int64Range(0, m.added).Draw(t, "since"))) },
			"all":   func(*rapid.T) { m.hurryAll() },
			"gone":  func(t *rapid.T) { m.forget(someRun(t)) },
			"":      m.check,
		})
		m.hurryAll()
		for some := m.take(3); len(some) > 0; some = m.take(3) {
			m.write(some)
		}
		if diff := cmp.Diff(m.came, m.got); diff != "" {
			t.Error(diff)
		}
		if m.rows != 0 || m.bytes != 0 || m.waiting != 0 || m.waitingBytes != 0 || m.order != nil || m.through() != m.added || m.behind(m.added) {
			t.Errorf("left: %+v", m.waitingRuns)
		}
	})
}

// waitingModel is what waits, with what came of each run and what was taken of it.
type waitingModel struct {
	waitingRuns
	came, got map[ulid.ULID][]string
	spans     int
}

func someRun(t *rapid.T) ulid.ULID { return ulid.ULID{rapid.ByteRange(1, 4).Draw(t, "run")} }

// at is when a transaction was.
func (m *waitingModel) at(seq int64) time.Time { return time.Unix(seq, 0) }

// commit adds what a transaction has.
func (m *waitingModel) commit(t *rapid.T) {
	var spans []trace.Span
	for range rapid.IntRange(1, 3).Draw(t, "spans") {
		m.spans++
		s := trace.Span{Run: someRun(t), ID: fmt.Sprint(m.spans), Input: make([]byte, rapid.IntRange(0, 9).Draw(t, "input"))}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			s.Summary = &trace.Summary{Status: trace.Completed, EndedAt: time.Unix(1, 0)}
		case 1:
			s.Summary = &trace.Summary{Status: trace.Queued}
		}
		spans = append(spans, s)
		m.came[s.Run] = append(m.came[s.Run], s.ID)
	}
	m.add(m.added+1, m.at(m.added+1), spans)
}

// write notes what was taken and drops it.
func (m *waitingModel) write(some []*unwritten) {
	for _, u := range some {
		for _, of := range u.spans {
			for i := range of {
				m.got[u.run] = append(m.got[u.run], of[i].ID)
			}
		}
	}
	m.drop(some...)
}

// forget drops what waits of a run.
func (m *waitingModel) forget(id ulid.ULID) {
	if u := m.runs[id]; u != nil {
		m.write([]*unwritten{u})
	}
}

func (m *waitingModel) check(t *rapid.T) {
	rows, waiting, bytes, waitingBytes := 0, 0, 0, 0
	oldest := m.added + 1
	for id, u := range m.runs {
		if u.run != id || u.taken || u.over || u.rows == 0 || slices.Contains(m.ready, u) != u.ready {
			t.Errorf("run %s is %+v", id, u)
		}
		rows, bytes, oldest = rows+u.rows, bytes+u.bytes, min(oldest, u.first)
		if !u.ready {
			waiting, waitingBytes = waiting+u.rows, waitingBytes+u.bytes
		}
	}
	if rows != m.rows || waiting != m.waiting || bytes != m.bytes || waitingBytes != m.waitingBytes {
		t.Errorf("counted %d, %d, %d, %d, there are %d, %d, %d, %d", m.rows, m.waiting, m.bytes, m.waitingBytes, rows, waiting, bytes, waitingBytes)
	}
	if m.through() != oldest-1 || m.behind(oldest-1) || m.behind(oldest) != (len(m.runs) > 0) {
		t.Errorf("through %d, the oldest is of %d", m.through(), oldest)
	}
}

// TestWaitingRuns_AreReady: a run waits for its end, but not with more than there is room for, be it of one run or of all.
func TestWaitingRuns_AreReady(t *testing.T) {
	t.Parallel()
	one := func(n byte, change func(*trace.Span)) []trace.Span {
		s := trace.Span{Run: ulid.ULID{n}, Summary: &trace.Summary{Status: trace.Running}}
		change(&s)
		return []trace.Span{s}
	}
	plain := func(*trace.Span) {}
	for name, c := range map[string]struct {
		add   func(b *waitingRuns)
		ready int
	}{
		"goes on": {func(b *waitingRuns) { b.add(1, time.Time{}, one(1, plain)) }, 0},
		"ended": {func(b *waitingRuns) {
			b.add(1, time.Time{}, one(1, func(s *trace.Span) { s.Summary.EndedAt = time.Unix(1, 0) }))
		}, 1},
		"many spans": {func(b *waitingRuns) {
			for i := range projectAtOnce {
				b.add(int64(i), time.Time{}, one(1, plain))
			}
		}, projectAtOnce},
		"long spans": {func(b *waitingRuns) {
			b.add(1, time.Time{}, one(1, func(s *trace.Span) { s.Output = make([]byte, maxWaitingBytes) }))
		}, 1},
		"many runs": {func(b *waitingRuns) {
			for i := range maxWaiting + 3 {
				s := one(0, plain)
				s[0].Run[1], s[0].Run[2] = byte(i), byte(i>>8)
				b.add(int64(i), time.Time{}, s)
			}
		}, 3},
	} {
		b := newWaitingRuns()
		c.add(&b)
		if got := b.rows - b.waiting; got != c.ready {
			t.Errorf("%s: %d rows are ready, not %d", name, got, c.ready)
		}
	}
}
