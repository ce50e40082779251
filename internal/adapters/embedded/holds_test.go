package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// controlled is the flow control of a new function with those settings.
func controlled(tb testing.TB, settings function.Settings) *flow.Settings {
	tb.Helper()
	compiled, faults := flow.Compile(function.Function{ID: uuid.New(), Settings: settings})
	if len(faults) > 0 {
		tb.Fatal(faults)
	}
	return compiled
}

func batching(tb testing.TB, size int) *flow.Settings {
	tb.Helper()
	return controlled(tb, function.Settings{Batch: &function.Batch{MaxSize: size, Timeout: "1h"}})
}

func debouncing(tb testing.TB) *flow.Settings {
	tb.Helper()
	return controlled(tb, function.Settings{Debounce: &function.Debounce{Period: "10s"}})
}

// asking is a run of a function for events that asks flow control.
func asking(settings *flow.Settings, from flow.Origin, events ...event.Tracked) ports.NewRun {
	next := benchRun(events...)
	next.State.FunctionID, next.Start.FunctionID = settings.Function, settings.Function
	values := settings.Evaluate(events[0].Event, from, time.Now())
	next.State.Lock = values.SingletonKey
	next.Request = &flow.Request{Settings: settings, Values: values, ID: next.State.ID, Event: events[0], Size: 100}
	return next
}

// scheduleOne schedules a run that must not be refused.
func scheduleOne(tb testing.TB, e *Engine, next ports.NewRun) ports.Scheduled {
	tb.Helper()
	answer, err := e.Store().Schedule(tb.Context(), ports.Schedule{Runs: []ports.NewRun{next}})
	if err != nil {
		tb.Fatal(err)
	}
	return answer[0]
}

// ofHold is what settles a hold with a run of its function.
func ofHold(settings *flow.Settings, h ports.Hold) ports.Schedule {
	from := flow.FromDebounce
	if h.Kind == ports.HoldBatch {
		from = flow.FromBatch
	}
	next := asking(settings, from, h.Events...)
	if h.Kind == ports.HoldBatch {
		next.Batch = h.ID
	}
	return ports.Schedule{Hold: h.HoldRef, Runs: []ports.NewRun{next}}
}

// damage runs a script on an open engine.
func damage(t *testing.T, e *Engine, statements string) {
	t.Helper()
	if err := e.writer.do(t.Context(), &operation{apply: func(t *tx) error { return script(t.conn, statements) }}); err != nil {
		t.Fatal(err)
	}
}

// TestHolds_DamageIsParkedAndTheRestGoesOn opens a database with holds that cannot be read, before and after one that can.
func TestHolds_DamageIsParkedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	row := func(id, function, kind string, events int) string {
		return fmt.Sprintf("INSERT INTO ingot_holds VALUES (%s, x'%s', '%s', '', 1, 0, %s, NULL, %d, 1);", id, function, kind, "1"+id[len(id)-2:len(id)-1], events)
	}
	id := func(n int) string { return fmt.Sprintf("x'%032d'", n) }
	const owner, good = "00000000000000000000000000000009", "0a1000000000000000000000000000000000"
	dir := made(t, withRows(
		"INSERT INTO ingot_holds VALUES (x'00', x'"+owner+"', 'batch', 'short', 1, 0, 1, NULL, 1, 1);"+
			row(id(1), owner, "batch", 1)+row(id(2), owner, "batch", 2)+row(id(3), owner, "other", 1)+row(id(4), "09", "batch", 1)+
			row(id(5), owner, "batch", 2)+row(id(6), owner, "debounce", 1)+
			"INSERT INTO ingot_hold_events VALUES ("+id(2)+", 0, x'"+good+"'), ("+id(2)+", 1, x'ff'), ("+id(3)+", 0, x'"+good+"'), ("+
			id(4)+", 0, x'"+good+"'), ("+id(5)+", 1, x'"+good+"'), ("+id(6)+", 0, x'"+good+"');",
	))
	var logged bytes.Buffer
	e := mustOpen(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	got, err := e.Holds().Take(t.Context())
	if err != nil || got.ID != (ulid.ULID{15: 6}) || got.Kind != ports.HoldDebounce || len(got.Events) != 1 {
		t.Fatalf("took %+v, %v", got, err)
	}
	all := strings.Join(parked(t, e), "\n")
	for _, want := range []string{
		"hold 00000000000000000000000001 hold: damaged record: 0 of 1 events", "hold 00000000000000000000000002 hold: event 1: event record: damaged record",
		`hold 00000000000000000000000003 hold: damaged record: kind "other"`, "hold 00000000000000000000000004 hold: function: damaged record",
		"hold 00000000000000000000000005 hold: damaged record: 1 of 2 events",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among what was parked:\n%s", want, all)
		}
	}
	for _, want := range []string{"unreadable row of a hold", "unreadable hold parked"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, logged.String())
		}
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := table(t, dir, "SELECT (SELECT COUNT(*) FROM ingot_holds), (SELECT COUNT(*) FROM ingot_hold_events), (SELECT group_concat(CAST(payload AS TEXT), ';') FROM ingot_parked)")
	const zero = "00000000000000000000000000"
	if want := "2|1|;" + strings.Join([]string{zero, zero, zero, zero}, ";"); left[0] != want {
		t.Errorf("left is %s, want %s", left[0], want)
	}
}

// TestHolds_UnreadableDebounceGivesWay puts an event where one waits that cannot be read.
func TestHolds_UnreadableDebounceGivesWay(t *testing.T) {
	t.Parallel()
	for name, statements := range map[string]string{
		"record":  "UPDATE ingot_hold_events SET record = x'ff'",
		"missing": "DELETE FROM ingot_hold_events",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := mustOpen(t, Config{})
				settings := debouncing(t)
				broken := asking(settings, flow.FromEvent, benchEvent())
				scheduleOne(t, e, broken)
				damage(t, e, statements)
				next := benchEvent()
				if answer := scheduleOne(t, e, asking(settings, flow.FromEvent, next)); answer.Result != flow.IntoDebounce {
					t.Errorf("answer is %+v", answer)
				}
				if list := parked(t, e); len(list) != 1 || !strings.Contains(list[0], "hold "+broken.State.ID.String()) {
					t.Errorf("parked are %v", list)
				}
				got, err := e.Holds().Take(t.Context())
				if err != nil || got.Revision != 1 || len(got.Events) != 1 || got.Events[0].InternalID != next.InternalID {
					t.Errorf("took %+v, %v", got, err)
				}
			})
		})
	}
}

// TestHolds_UnreadableIDRefuses keeps the event, because nothing can be said about where it belongs.
func TestHolds_UnreadableIDRefuses(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{})
	settings := batching(t, 5)
	scheduleOne(t, e, asking(settings, flow.FromEvent, benchEvent()))
	damage(t, e, "UPDATE ingot_holds SET hold_id = x'00'")
	_, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{asking(settings, flow.FromEvent, benchEvent())}})
	if !errors.Is(err, errDamaged) {
		t.Errorf("error is %v", err)
	}
}

// TestHolds_CompleteTellsWhatHappenedMeanwhile looks at what Take does between having found a hold and having read it.
func TestHolds_CompleteTellsWhatHappenedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		settings := debouncing(t)
		scheduleOne(t, e, asking(settings, flow.FromEvent, benchEvent()))
		time.Sleep(10 * time.Second)

		ref, found := e.holds.grab()
		if !found {
			t.Fatal("nothing is due")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.holds.complete(ctx, ref); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		again, found := e.holds.grab()
		if !found || again != ref {
			t.Fatalf("what could not be read does not wait: %+v", again)
		}
		last := benchEvent()
		scheduleOne(t, e, asking(settings, flow.FromEvent, last))
		if got, err := e.holds.complete(t.Context(), ref); err != nil || len(got.Events) > 0 {
			t.Errorf("completed %+v, %v although it changed", got, err)
		}
		e.holds.putBack(ref) // comes too late
		if _, found := e.holds.grab(); found {
			t.Error("the hold is due at its old time")
		}
		got, err := e.Holds().Take(t.Context())
		if err != nil || got.Revision != 2 || got.Events[0].InternalID != last.InternalID {
			t.Errorf("took %+v, %v", got, err)
		}
		// Somebody else parks it while this caller's order is on its way.
		late := make(chan error, 1)
		gate := make(chan struct{})
		go func() { _ = e.writer.do(t.Context(), &operation{apply: func(*tx) error { <-gate; return nil }}) }()
		synctest.Wait()
		for range 2 {
			go func() { late <- e.Holds().Park(t.Context(), got.HoldRef, "reason") }()
		}
		synctest.Wait()
		close(gate)
		if err := errors.Join(<-late, <-late); !errors.Is(err, ports.ErrNotFound) || len(parked(t, e)) != 1 {
			t.Errorf("error is %v, parked are %v", err, parked(t, e))
		}
	})
}

// TestHolds_AnotherTakerIsWoken ends a taker that was woken before it could take.
func TestHolds_AnotherTakerIsWoken(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{})
	scheduleOne(t, e, asking(batching(t, 2), flow.FromEvent, benchEvent()))
	settings := controlled(t, function.Settings{Batch: &function.Batch{MaxSize: 5, Timeout: "0s"}})
	scheduleOne(t, e, asking(settings, flow.FromEvent, benchEvent()))
	<-e.holds.wake
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Holds().Take(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	<-e.holds.wake
}

// TestHolds_EachEventOnce fills batches while others take and settle them.
func TestHolds_EachEventOnce(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := mustOpen(t, Config{Dir: dir})
			settings := batching(t, 3)
			const senders, each = 6, 30
			var all sync.WaitGroup
			seen, count := map[ulid.ULID]bool{}, 0
			var mu sync.Mutex
			ctx, done := context.WithCancel(t.Context())
			for range senders {
				all.Go(func() {
					for range each {
						scheduleOne(t, e, asking(settings, flow.FromEvent, benchEvent()))
					}
				})
				all.Go(func() {
					for {
						h, err := e.Holds().Take(ctx)
						if err != nil {
							return
						}
						if _, err := e.Store().Schedule(t.Context(), ofHold(settings, h)); err != nil {
							t.Error(err)
						}
						mu.Lock()
						for _, one := range h.Events {
							seen[one.InternalID] = true
							count++
						}
						if count >= senders*each {
							done()
						}
						mu.Unlock()
					}
				})
			}
			all.Wait()
			done()
			if len(seen) != senders*each || count != senders*each {
				t.Errorf("%d events in %d places, want %d", len(seen), count, senders*each)
			}
			e.holds.mu.Lock()
			defer e.holds.mu.Unlock()
			if len(e.holds.known) != 0 || len(e.holds.waiting) != 0 {
				t.Errorf("%d holds are left in memory", len(e.holds.known))
			}
		})
	}
}

// TestHolds_StartAgainAfterARollback has a schedule of all results run twice, because one beside it cannot be written.
func TestHolds_StartAgainAfterARollback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		limit := controlled(t, function.Settings{RateLimit: &function.RateLimit{Limit: 1, Period: "1h"}})
		lock := controlled(t, function.Settings{Singleton: &function.Singleton{Mode: function.SingletonSkip}})
		paused := asking(controlled(t, function.Settings{}), flow.FromEvent, benchEvent())
		paused.Paused = true
		s := ports.Schedule{Runs: []ports.NewRun{
			asking(batching(t, 2), flow.FromEvent, benchEvent()), asking(debouncing(t), flow.FromEvent, benchEvent()),
			asking(limit, flow.FromEvent, benchEvent()), asking(lock, flow.FromEvent, benchEvent()), paused,
		}}
		sc := &scheduling{Schedule: s}
		for _, next := range s.Runs {
			sc.planned = append(sc.planned, planRun(next))
		}
		applied := 0
		op := &operation{
			apply:     func(t *tx) error { applied++; return e.store.schedule(context.Background(), t, sc) },
			committed: func() { e.store.scheduled(sc) },
		}
		broken := &operation{apply: func(t *tx) error {
			if _, err := t.exec(t.statements.deleteKey, []byte("x")); err != nil {
				return err
			}
			return errors.New("broken")
		}}
		if outcomes := together(t, e, op, broken); outcomes[0] != nil || outcomes[1] == nil || applied != 2 {
			t.Fatalf("outcomes %v, applied %d times", outcomes, applied)
		}
		want := []flow.Result{flow.IntoBatch, flow.IntoDebounce, flow.Started, flow.Started, flow.Skipped}
		for i, answer := range sc.answer {
			if answer.Result != want[i] {
				t.Errorf("run %d: %+v", i, answer)
			}
		}
		e.holds.mu.Lock()
		defer e.holds.mu.Unlock()
		e.keep.mu.Lock()
		defer e.keep.mu.Unlock()
		if len(sc.answer) != len(want) || len(e.holds.known) != 2 || len(e.holds.waiting) != 2 || e.keep.buckets != 1 || e.keep.finished.len() != 1 {
			t.Errorf("%d answers, %d holds, %d buckets, %d skipped", len(sc.answer), len(e.holds.known), e.keep.buckets, e.keep.finished.len())
		}
	})
}

// BenchmarkBatchAppend puts events into batches that are settled when they are full. An event costs the same whatever is in
// its batch.
func BenchmarkBatchAppend(b *testing.B) {
	for _, size := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			benchModes(b, func(b *testing.B, e *Engine) {
				settings := batching(b, size)
				ctx, cancel := context.WithCancel(b.Context())
				var taker sync.WaitGroup
				taker.Go(func() {
					for {
						h, err := e.Holds().Take(ctx)
						if err != nil {
							return
						}
						if _, err := e.Store().Schedule(b.Context(), ports.Schedule{Hold: h.HoldRef}); err != nil {
							b.Error(err)
						}
					}
				})
				b.SetParallelism(64)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						scheduleOne(b, e, asking(settings, flow.FromEvent, benchEvent()))
					}
				})
				cancel()
				taker.Wait()
			})
		})
	}
}

// endNow ends a run without a job in hand.
func endNow(tb testing.TB, e *Engine, state run.State) {
	tb.Helper()
	_, err := e.Store().Commit(tb.Context(), ports.Commit{State: state, Transition: run.Transition{Finish: &run.Finish{Status: run.Cancelled, At: time.Now()}}})
	if err != nil {
		tb.Fatal(err)
	}
}
