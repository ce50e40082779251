package embedded

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// BenchmarkBacklog queues 1,000,000 runs of one function under 10,000 keys with a limit of 1 each, closes the engine and opens it again, then
// brings 50,000 of them to their ends with 64 callers, while a run of another function comes every millisecond.
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
		cfg := Config{Dir: b.TempDir(), CacheBytes: -1}
		e := mustOpen(b, cfg)
		e.Queue().Limit(benchFunction, of)
		before := heapInUse()
		b.StartTimer()

		began := time.Now()
		enqueue(b, e, keys, total)
		b.ReportMetric(total/time.Since(began).Seconds(), "enqueued/s")
		b.StopTimer()
		b.ReportMetric(float64(heapInUse()-before)/total, "B/item")
		b.ReportMetric(float64(heapInUse())/(1<<20), "heap-MiB")
		b.StartTimer()

		e = restart(b, e, cfg)
		e.Queue().Limit(benchFunction, of)

		ctx, cancel := context.WithCancel(b.Context())
		other := &another{function: uuid.New(), stored: map[ulid.ULID]time.Time{}}
		var workers sync.WaitGroup
		var done atomic.Int64
		began = time.Now()
		for range callers {
			workers.Go(func() {
				if completeAll(ctx, b, e, other, &done, worked) {
					cancel()
				}
			})
		}
		other.come(ctx, b, e)
		workers.Wait()
		b.ReportMetric(worked/time.Since(began).Seconds(), "completed/s")
		b.ReportMetric(float64(other.p99().Microseconds()), "p99-other-µs")
		cancel()
	}
}

// restart closes an engine and opens it again, as a restart of the server does.
func restart(b *testing.B, e *Engine, cfg Config) *Engine {
	b.Helper()
	if err := e.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	e = mustOpen(b, cfg)
	b.ReportMetric(time.Since(began).Seconds(), "restart-s")
	return e
}

// completeAll brings runs to their ends, each with one call. It returns true to the caller who did the last of so many, false when ctx has
// ended.
func completeAll(ctx context.Context, b *testing.B, e *Engine, other *another, done *atomic.Int64, target int64) bool {
	for {
		lease, err := e.Queue().Lease(ctx)
		if err != nil {
			return false
		}
		other.leased(lease)
		state, err := e.Store().Load(b.Context(), lease.Job.RunID)
		if err != nil {
			b.Error(err)
			return false
		}
		end := run.Transition{Finish: &run.Finish{Status: run.Completed, Output: []byte(`1`), At: time.Now()}, Current: run.Disposition{Fate: run.FateDone}}
		if _, err := e.Store().Commit(b.Context(), ports.Commit{Lease: lease, State: state, Transition: end}); err != nil {
			b.Error(err)
			return false
		}
		if lease.Job.FunctionID == benchFunction && done.Add(1) == target {
			return true
		}
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
