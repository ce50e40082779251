package embedded

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/meter"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// BenchmarkLease hands out a job and takes it back, with nobody told of it and with a meter that knows 10,000 functions.
func BenchmarkLease(b *testing.B) {
	counting := meter.New(meter.Config{Lifecycle: true})
	functions := []function.Function{{ID: benchFunction, Slug: "bench-go"}}
	for i := range 10_000 {
		functions = append(functions, function.Function{ID: uuid.New(), Slug: fmt.Sprint("bench-", i)})
	}
	counting.Changed(functions, nil)
	for name, m := range map[string]ports.Meter{"unmetered": nil, "metered": counting} {
		b.Run(name, func(b *testing.B) {
			e := mustOpen(b, Config{Meter: m})
			if _, err := e.Store().Schedule(b.Context(), ports.Schedule{Runs: []ports.NewRun{benchRun(benchEvent())}}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				lease, err := e.Queue().Lease(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if err := e.Queue().Return(b.Context(), lease, time.Time{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// waitingJobs is a queue with so many jobs of a function of which one may be in hand, and is; it returns those that wait.
func waitingJobs(tb testing.TB, count int) (*queue, []*item) {
	tb.Helper()
	q, clock := bareQueue()
	of := controls(tb, benchFunction, function.Settings{Concurrency: &function.Concurrency{Step: []function.StepLimit{{Limit: 1}}}})
	q.Limit(benchFunction, of)
	var items []*item
	for n := range count + 1 {
		id := ulid.ULID{12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
		_ = id.SetTime(ulid.Timestamp(clock.now) + uint64(n))
		job := run.Job{RunID: id, ID: "start", FunctionID: benchFunction, Kind: run.KindStart, At: clock.now}
		it := newItem(job, jobRecord(job))
		items = append(items, it)
		q.apply(changes{added: []addedJob{{it, benchFunction, nil}}})
	}
	if q.take() != items[0] || q.take() != nil {
		tb.Fatal("not exactly the first job has room")
	}
	return q, items[1:]
}

// TestQueue_CountingEnds: as many as are to be counted are, one more is not.
func TestQueue_CountingEnds(t *testing.T) {
	t.Parallel()
	q, items := waitingJobs(t, flow.MostAhead+2)
	for at, want := range map[int]flow.Waiting{
		flow.MostAhead - 1: {Ahead: flow.MostAhead - 1},
		flow.MostAhead:     {Ahead: flow.MostAhead},
		flow.MostAhead + 1: {Ahead: flow.MostAhead, AtLeast: true},
	} {
		why, err := q.Waiting(t.Context(), items[at].run, []string{"start"})
		if err != nil || len(why) != 1 || why[0].Ahead != want.Ahead || why[0].AtLeast != want.AtLeast {
			t.Errorf("of the job behind %d the queue says %+v, %v", at, why, err)
		}
	}
}

// BenchmarkWaiting asks for a job in front, and for the last, of 1,000,000 that wait. The lock is held as long as the answer takes.
func BenchmarkWaiting(b *testing.B) {
	q, items := waitingJobs(b, 1_000_000)
	for name, it := range map[string]*item{"first": items[0], "hundredth": items[99], "last": items[len(items)-1]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if why, err := q.Waiting(b.Context(), it.run, []string{"start"}); err != nil || why[0].Reason != flow.ForRoom {
					b.Fatal(why, err)
				}
			}
		})
	}
}
