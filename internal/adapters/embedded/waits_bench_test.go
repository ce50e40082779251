package embedded

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// waitingRun is a run that waits for an event, as the domain leaves it: a pause and the job of its timeout.
func waitingRun(name, condition string, events ...event.Tracked) ports.NewRun {
	next := benchRun(events...)
	op := fmt.Sprintf("%040x", next.State.ID[:])
	at := time.Now().UTC().Add(24 * time.Hour)
	next.Start.ID, next.Start.Kind, next.Start.At = op+"-timeout", run.KindPause, at
	next.Start.Edge.Outgoing = op
	pause := run.Pause{
		ID: uuid.New(), Kind: run.PauseEvent, Op: op, Event: name, Expression: condition, Ignore: events[0].InternalID,
		CreatedAt: time.Now().UTC(), Expires: at, Job: next.Start.ID, MaxAttempts: 4,
	}
	next.State.Jobs = map[string]run.Kind{next.Start.ID: run.KindPause}
	next.State.Pauses = map[uuid.UUID]run.Pause{pause.ID: pause}
	next.IdempotencyKey = ""
	return next
}

// waitFor creates runs that wait for one event each, told apart by a literal.
func waitFor(tb testing.TB, e *Engine, runs int) {
	tb.Helper()
	shared := benchEvent()
	for begin := 0; begin < runs; begin += 1000 {
		var schedule ports.Schedule
		for i := range min(1000, runs-begin) {
			schedule.Runs = append(schedule.Runs, waitingRun("bench/done", waitCondition(begin+i), shared))
		}
		if _, err := e.Store().Schedule(tb.Context(), schedule); err != nil {
			tb.Fatal(err)
		}
	}
}

func waitCondition(i int) string { return fmt.Sprintf(`async.data.orderId == "order-%08d"`, i) }

// heapInUse is what the process holds after a collection.
func heapInUse() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// waitingFile makes a file in which runs wait and returns its directory.
func waitingFile(tb testing.TB, runs int) string {
	tb.Helper()
	dir := tb.TempDir()
	e, err := Open(tb.Context(), Config{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	waitFor(tb, e, runs)
	if err := e.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// BenchmarkPaused looks for the one of many waiting runs that an event is for. B/wait is all that a waiting run costs in
// memory, states in the cache included.
func BenchmarkPaused(b *testing.B) {
	for _, waits := range []int{1e3, 1e5} {
		b.Run(fmt.Sprintf("waits=%d", waits), func(b *testing.B) {
			e := mustOpen(b, Config{Dir: b.TempDir()})
			before := heapInUse()
			waitFor(b, e, waits)
			bytesPerRun := float64(heapInUse()-before) / float64(waits)
			i := 0
			for b.Loop() {
				arrived := benchEvent()
				arrived.Name, arrived.Data = "bench/done", []byte(fmt.Sprintf(`{"orderId":"order-%08d","n":1}`, i%waits))
				found, err := e.Store().Paused(b.Context(), arrived)
				if err != nil || len(found) == 0 {
					b.Fatalf("%d pauses found, %v", len(found), err)
				}
				i++
			}
			b.ReportMetric(bytesPerRun, "B/wait")
		})
	}
}

// BenchmarkRestartWaits opens a file in which runs wait.
func BenchmarkRestartWaits(b *testing.B) {
	for _, waits := range []int{1e3, 1e5} {
		b.Run(fmt.Sprintf("waits=%d", waits), func(b *testing.B) {
			dir := waitingFile(b, waits)
			before := heapInUse()
			for b.Loop() {
				e, err := Open(b.Context(), Config{Dir: dir})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				b.ReportMetric(float64(heapInUse()-before)/float64(waits), "B/wait")
				if err := e.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkPauseOfOneRun files and forgets the pause of a run that is the only one of its kind, as a function that an event
// cancels has it whose runs do not overlap.
func BenchmarkPauseOfOneRun(b *testing.B) {
	p := newPauses(Config{}.withDefaults())
	next := waitingRun("bench/done", waitCondition(1), benchEvent())
	planned := planPauses(slices.Collect(maps.Values(next.State.Pauses)))
	b.ReportAllocs()
	for b.Loop() {
		p.apply(next.State.ID, nil, planned.pauses, planned.bodies)
		p.end(&next.State)
	}
}
