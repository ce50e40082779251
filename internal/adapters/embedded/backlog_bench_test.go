package embedded

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// BenchmarkBacklog queues 1,000,000 runs of one function under 10,000 keys with a limit of 1 each, then works on them with 64 callers, while
// a run of another function comes every millisecond.
func BenchmarkBacklog(b *testing.B) {
	const total, keyed, worked, callers = 1_000_000, 10_000, 50_000, 64
	of := controls(b, benchFunction, function.Settings{Concurrency: &function.Concurrency{
		Step: []function.StepLimit{{Limit: 1, Key: "event.data.k", Scope: function.ScopeFunction}},
	}})
	keys := make([]*flow.Keys, keyed)
	for i := range keys {
		keys[i] = keysFor(of, fmt.Sprint(i))
	}
	for b.Loop() {
		b.StopTimer()
		e := mustOpen(b, Config{Dir: b.TempDir(), CacheBytes: -1})
		e.Queue().Limit(benchFunction, of)
		before := heapInUse()
		b.StartTimer()

		began := time.Now()
		enqueue(b, e, keys, total)
		b.ReportMetric(total/time.Since(began).Seconds(), "enqueued/s")
		b.StopTimer()
		b.ReportMetric(float64(heapInUse()-before)/total, "B/item")
		b.StartTimer()

		ctx, cancel := context.WithCancel(b.Context())
		other := &another{function: uuid.New(), stored: map[ulid.ULID]time.Time{}}
		var workers sync.WaitGroup
		var mu sync.Mutex
		done := 0
		began = time.Now()
		for range callers {
			workers.Go(func() {
				for {
					lease, err := e.Queue().Lease(ctx)
					if err != nil {
						return
					}
					other.leased(lease)
					if err := e.Queue().Park(b.Context(), lease, "done"); err != nil {
						b.Error(err)
					}
					mu.Lock()
					if done++; done == worked {
						cancel()
					}
					mu.Unlock()
				}
			})
		}
		other.come(ctx, b, e)
		workers.Wait()
		b.ReportMetric(worked/time.Since(began).Seconds(), "worked/s")
		b.ReportMetric(float64(other.p99().Microseconds()), "p99-other-µs")
		cancel()
	}
}

// enqueue schedules runs of the function, key by key.
func enqueue(b *testing.B, e *Engine, keys []*flow.Keys, total int) {
	b.Helper()
	shared := benchEvent()
	var producers sync.WaitGroup
	const at = 4
	for p := range at {
		producers.Go(func() {
			for begin := p * 250; begin < total; begin += at * 250 {
				var schedule ports.Schedule
				for n := range 250 {
					next := benchRun(shared)
					next.IdempotencyKey, next.State.Keys = "", keys[(begin+n)%len(keys)]
					schedule.Runs = append(schedule.Runs, next)
				}
				if _, err := e.Store().Schedule(b.Context(), schedule); err != nil {
					b.Error(err)
				}
			}
		})
	}
	producers.Wait()
}

// another is a function without limits, and how long it takes from its event to its job in hand.
type another struct {
	function uuid.UUID
	mu       sync.Mutex
	stored   map[ulid.ULID]time.Time
	took     []time.Duration
}

func (a *another) come(ctx context.Context, b *testing.B, e *Engine) {
	for ctx.Err() == nil {
		next := benchRun(benchEvent())
		next.State.FunctionID, next.Start.FunctionID = a.function, a.function
		a.mu.Lock()
		a.stored[next.State.ID] = time.Now()
		a.mu.Unlock()
		if _, err := e.Store().Schedule(b.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
			b.Error(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func (a *another) leased(lease ports.Lease) {
	if lease.Job.FunctionID != a.function || lease.Job.Kind != run.KindStart {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took = append(a.took, time.Since(a.stored[lease.Job.RunID]))
}

func (a *another) p99() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.took) == 0 {
		return 0
	}
	slices.Sort(a.took)
	return a.took[len(a.took)*99/100]
}
