package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// benchModes runs a benchmark in memory and on disk.
func benchModes(b *testing.B, bench func(b *testing.B, e *Engine)) {
	for _, mode := range []string{"memory", "disk"} {
		b.Run(mode, func(b *testing.B) {
			dir := ""
			if mode == "disk" {
				dir = b.TempDir()
			}
			bench(b, mustOpen(b, Config{Dir: dir}))
		})
	}
}

var benchFunction = uuid.MustParse("01548ebb-1ab2-5a3d-9a6a-e3fd4564b2cd")

func benchEvent() event.Tracked {
	id := ulid.Make()
	return event.Tracked{InternalID: id, ReceivedAt: time.Now(), Event: event.Event{
		ID: id.String(), Name: "bench/go", Data: json.RawMessage(`{"text":"plain","user":"u1","n":123456}`), TS: time.Now().UnixMilli(),
	}}
}

func benchRun(events ...event.Tracked) ports.NewRun {
	spec := run.Spec{
		ID: ulid.Make(), AppID: benchFunction, FunctionID: benchFunction, FunctionVersion: 1, Slug: "bench-go", MaxAttempts: 5,
		Events: events, Key: events[0].ID, Now: time.Now(),
	}
	state, jobs := run.New(spec)
	return ports.NewRun{
		State: state, Start: jobs[0], IdempotencyKey: state.Idempotency,
		Spans: trace.Scheduled(trace.Beginning{Spec: spec, Due: spec.Now}),
	}
}

// benchReplied is an answer of an app as the executor passes it on.
func benchReplied(lease ports.Lease, reply sdk.Reply) run.Replied {
	return run.Replied{Job: lease.Job, Reply: reply, CalledAt: time.Now(), Now: time.Now(), Exchange: run.Exchange{
		Request: ulid.Make().String(), Status: reply.Status, Size: 4, Header: map[string]string{
			"Content-Length": "4", "Content-Type": "application/json", "Date": "Mon, 23 Nov 2026 23:18:29 GMT", "X-Inngest-Sdk": "go:v1", "X-Inngest-Req-Version": "2",
		},
	}}
}

func benchFinish(state run.State) event.Tracked {
	finished := benchEvent()
	finished.Name = event.FunctionFinished
	finished.Data = json.RawMessage(fmt.Sprintf(`{"_inngest":{"status":"Completed"},"event":%s,"events":[%s],"function_id":"bench-go","result":null,"run_id":"%s"}`,
		state.Events[0].Data, state.Events[0].Data, state.ID))
	return finished
}

// BenchmarkSchedule creates runs of events that were accepted before.
func BenchmarkSchedule(b *testing.B) {
	benchModes(b, func(b *testing.B, e *Engine) {
		b.SetParallelism(64)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := e.Store().Schedule(b.Context(), ports.Schedule{Runs: []ports.NewRun{benchRun(benchEvent())}}); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkCommit saves one step of 200 bytes a time in runs of 20 steps.
func BenchmarkCommit(b *testing.B) {
	memo := json.RawMessage(`{"data":"` + string(make([]byte, 0)) + `0123456789012345678901234567890123456789012345678901234567890123456789"}`)
	benchModes(b, func(b *testing.B, e *Engine) {
		b.SetParallelism(32)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			var state run.State
			var lease ports.Lease
			for step := 0; pb.Next(); step++ {
				if step%20 == 0 {
					if _, err := e.Store().Schedule(b.Context(), ports.Schedule{Runs: []ports.NewRun{benchRun(benchEvent())}}); err != nil {
						b.Error(err)
						return
					}
				}
				var err error
				if lease, err = e.Queue().Lease(b.Context()); err != nil {
					b.Error(err)
					return
				}
				if state, err = e.Store().Load(b.Context(), lease.Job.RunID); err != nil {
					b.Error(err)
					return
				}
				id := fmt.Sprintf("%040x", len(state.Stack))
				next := lease.Job
				next.ID, next.Kind = state.ID.String()+id, run.KindEdge
				t := run.Transition{
					Steps: []run.Step{{ID: id, Memo: memo, Op: sdk.OpStepRun}}, Jobs: []run.Job{next}, Current: run.Disposition{Fate: run.FateDone},
				}
				in := benchReplied(lease, sdk.Reply{Status: 206, Ops: []sdk.Op{{Op: sdk.OpStepRun, ID: id, Name: "step", UserlandID: "step"}}})
				_, err = e.Store().Commit(b.Context(), ports.Commit{Lease: lease, State: state, Transition: t, Spans: trace.Advanced(state, in, t, nil)})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
	})
}

// BenchmarkLifecycle takes runs without steps all the way: append, take, schedule, lease, load, finish, settle the event of
// the end.
func BenchmarkLifecycle(b *testing.B) {
	benchModes(b, func(b *testing.B, e *Engine) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		target := int64(b.N)
		var routers, workers sync.WaitGroup
		var finished atomic.Int64
		for range 64 {
			routers.Go(func() { benchRoute(ctx, b, e) })
			workers.Go(func() {
				if benchWork(ctx, b, e, &finished, target) {
					cancel()
				}
			})
		}
		b.ReportAllocs()
		b.ResetTimer()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := e.EventLog().Append(b.Context(), []event.Tracked{benchEvent()}); err != nil {
					b.Error(err)
				}
			}
		})
		<-ctx.Done()
		b.StopTimer()
		routers.Wait()
		workers.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
	})
}

func benchRoute(ctx context.Context, b *testing.B, e *Engine) {
	for {
		events, err := e.EventLog().Take(ctx, 1)
		if err != nil {
			return
		}
		for _, tracked := range events {
			schedule := ports.Schedule{Event: tracked.InternalID}
			if tracked.Name == "bench/go" {
				schedule.Runs = []ports.NewRun{benchRun(tracked)}
			}
			if _, err := e.Store().Schedule(ctx, schedule); err != nil && ctx.Err() == nil {
				b.Error(err)
			}
		}
	}
}

func benchWork(ctx context.Context, b *testing.B, e *Engine, finished *atomic.Int64, target int64) bool {
	for {
		lease, err := e.Queue().Lease(ctx)
		if err != nil {
			return false
		}
		state, err := e.Store().Load(ctx, lease.Job.RunID)
		if err != nil {
			return errors.Is(err, context.Canceled)
		}
		t := run.Transition{
			Current: run.Disposition{Fate: run.FateDone}, Finish: &run.Finish{Status: run.Completed, Output: json.RawMessage(`"ok"`), At: time.Now()},
		}
		in := benchReplied(lease, sdk.Reply{Status: 200, Output: t.Finish.Output})
		_, err = e.Store().Commit(ctx, ports.Commit{
			Lease: lease, State: state, Publish: []event.Tracked{benchFinish(state)}, Transition: t, Spans: trace.Advanced(state, in, t, nil),
		})
		if err != nil {
			b.Error(err)
		}
		if finished.Add(1) == target {
			return true
		}
	}
}

// BenchmarkRestart opens a file with sleeping runs.
func BenchmarkRestart(b *testing.B) {
	for _, jobs := range []int{1e3, 1e5} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			dir := b.TempDir()
			e, err := Open(b.Context(), Config{Dir: dir})
			if err != nil {
				b.Fatal(err)
			}
			sleep(b, e, jobs, time.Now().Add(time.Hour))
			if err := e.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				e, err := Open(b.Context(), Config{Dir: dir})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := e.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkWake makes jobs due that slept, among many that go on sleeping.
func BenchmarkWake(b *testing.B) {
	for _, sleeping := range []int{1e3, 1e5} {
		b.Run(fmt.Sprintf("sleeping=%d", sleeping), func(b *testing.B) {
			e := mustOpen(b, Config{})
			sleep(b, e, sleeping, time.Now().Add(time.Hour))
			var stats runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&stats)
			for b.Loop() {
				sleep(b, e, 1, time.Now().Add(time.Microsecond))
				lease, err := e.Queue().Lease(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if err := e.Queue().Park(b.Context(), lease, "awake"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(stats.HeapInuse)/float64(sleeping), "B/job")
		})
	}
}

// sleep creates runs whose first call is due at a time.
func sleep(tb testing.TB, e *Engine, runs int, at time.Time) {
	tb.Helper()
	shared := benchEvent()
	for begin := 0; begin < runs; begin += 1000 {
		var schedule ports.Schedule
		for range min(1000, runs-begin) {
			next := benchRun(shared)
			next.IdempotencyKey, next.Start.At = "", at
			schedule.Runs = append(schedule.Runs, next)
		}
		if _, err := e.Store().Schedule(tb.Context(), schedule); err != nil {
			tb.Fatal(err)
		}
	}
}
