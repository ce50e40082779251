package embedded

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// arrived is an event with data.
func arrived(name, data string) event.Tracked {
	e := benchEvent()
	e.Name, e.Data = name, []byte(data)
	return e
}

// TestPaused_FindsFewAmongMany counts the candidates: an event is not compared with what it cannot end.
func TestPaused_FindsFewAmongMany(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{})
	const runs = 500
	waitFor(t, e, runs)
	long := fmt.Sprintf(`async.data.orderId in ["%s"]`, strings.Repeat("x", maxFiled))
	for _, condition := range []string{"", long, "no (expression"} {
		schedule := ports.Schedule{Runs: []ports.NewRun{waitingRun("bench/done", condition, benchEvent())}}
		if _, err := e.Store().Schedule(t.Context(), schedule); err != nil {
			t.Fatal(err)
		}
	}
	found, err := e.Store().Paused(t.Context(), arrived("bench/done", `{"orderId":"order-00000123"}`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, paused := range found {
		got[paused.Pause.Expression] = true
	}
	if len(found) != 3 || !got[waitCondition(123)] || !got[""] || !got[long] {
		t.Errorf("found %d: %v", len(found), got)
	}
}

// TestPauses_LeaveNothingBehind makes pauses and takes them away again.
func TestPauses_LeaveNothingBehind(t *testing.T) {
	t.Parallel()
	p := newPauses(Config{})
	s := run.State{ID: benchEvent().InternalID, Pauses: map[uuid.UUID]run.Pause{}}
	for i := range 100 {
		pause := run.Pause{
			ID: uuid.New(), Kind: []run.PauseKind{run.PauseEvent, run.PauseCancel, run.PauseSignal, run.PauseInvoke}[i%4],
			Event: fmt.Sprint("e", i%3), Expression: []string{"", `async.data.n == 1`, "no ("}[i%3],
		}
		p.apply(s.ID, nil, []run.Pause{pause, pause}, [][]byte{nil, nil})
		s.Pauses[pause.ID] = pause
	}
	if len(p.all) != 50 || len(p.names) != 3 {
		t.Fatalf("%d pauses for %d events", len(p.all), len(p.names))
	}
	names := p.names
	for id := range s.Pauses {
		if len(s.Pauses) > 50 {
			p.apply(s.ID, []uuid.UUID{id, uuid.New()}, nil, nil)
			delete(s.Pauses, id)
		}
	}
	p.end(&s)
	if len(p.all) != 0 || len(p.names) != 0 {
		t.Errorf("%d pauses for %d events are left", len(p.all), len(p.names))
	}
	for name, on := range names {
		if on.count != 0 || len(on.always) != 0 || on.index.Len() != 0 {
			t.Errorf("%s: %d are left", name, on.count)
		}
	}
}

// TestPaused_WhileRunsComeAndGo looks for what never changes while everything else does.
func TestPaused_WhileRunsComeAndGo(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, Config{})
	fixed := waitingRun("bench/done", `async.data.orderId == "fixed"`, benchEvent())
	if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{fixed}}); err != nil {
		t.Fatal(err)
	}
	var changing sync.WaitGroup
	for range 4 {
		changing.Go(func() {
			for i := range 50 {
				next := waitingRun("bench/done", waitCondition(i), benchEvent())
				if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
					t.Error(err)
				}
				_, err := e.Store().Commit(t.Context(), ports.Commit{State: next.State, Transition: run.Transition{Finish: &run.Finish{Status: run.Cancelled}}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		changing.Wait()
		close(done)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		found, err := e.Store().Paused(t.Context(), arrived("bench/done", `{"orderId":"fixed"}`))
		if err != nil || len(found) != 1 || found[0].Run != fixed.State.ID {
			t.Fatalf("found %v, %v", found, err)
		}
	}
}

// inOneBatch starts calls one after the other while the writer is busy, so that they share a transaction, and returns
// their errors.
func inOneBatch(t *testing.T, e *Engine, calls ...func() error) []error {
	t.Helper()
	busy := make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- e.writer.do(t.Context(), &operation{apply: func(*tx) error { <-busy; return nil }})
	}()
	synctest.Wait()
	errs := make([]error, len(calls))
	var waiting sync.WaitGroup
	for i, call := range calls {
		waiting.Go(func() { errs[i] = call() })
		synctest.Wait()
	}
	close(busy)
	waiting.Wait()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	return errs
}

func TestSignals_OfOneBatchSeeEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		runs := []ports.NewRun{benchRun(benchEvent()), benchRun(benchEvent())}
		if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: runs}); err != nil {
			t.Fatal(err)
		}
		wait := func(i int) func() error {
			return func() error {
				_, err := e.Store().Commit(t.Context(), ports.Commit{State: runs[i].State, Transition: run.Transition{
					Pauses: []run.Pause{{ID: uuid.New(), Kind: run.PauseSignal, Signal: "s"}},
				}})
				return err
			}
		}
		errs := inOneBatch(t, e, wait(1), wait(0))
		var taken *ports.SignalTakenError
		if errs[0] != nil || !errors.As(errs[1], &taken) || taken.Run != runs[1].State.ID {
			t.Errorf("errors are %v", errs)
		}
	})
}

// TestDropJobs_WhileItsHolderWrites drops a job whose holder waits for the writer already.
func TestDropJobs_WhileItsHolderWrites(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(t *testing.T, e *Engine, l ports.Lease, s run.State) error{
		"park": func(t *testing.T, e *Engine, l ports.Lease, _ run.State) error {
			return e.Queue().Park(t.Context(), l, "reason")
		},
		"commit": func(t *testing.T, e *Engine, l ports.Lease, s run.State) error {
			_, err := e.Store().Commit(t.Context(), ports.Commit{Lease: l, State: s, Transition: run.Transition{Current: run.Disposition{Fate: run.FateDone}}})
			if errors.Is(err, ports.ErrConflict) { // decided on the state before: the next try tells
				s, _ = e.Store().Load(t.Context(), s.ID)
				_, err = e.Store().Commit(t.Context(), ports.Commit{Lease: l, State: s, Transition: run.Transition{Current: run.Disposition{Fate: run.FateDone}}})
			}
			return err
		},
		"return": func(t *testing.T, e *Engine, l ports.Lease, _ run.State) error {
			_ = e.Queue().Return(t.Context(), l, time.Now().Add(time.Hour)) // it does not matter any more
			return e.Queue().Return(t.Context(), l, time.Now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := mustOpen(t, Config{})
				next := benchRun(benchEvent())
				if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
					t.Fatal(err)
				}
				l, err := e.Queue().Lease(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				errs := inOneBatch(t, e, func() error {
					_, err := e.Store().Commit(t.Context(), ports.Commit{State: next.State, Transition: run.Transition{DropJobs: []string{l.Job.ID}}})
					return err
				}, func() error { return call(t, e, l, next.State) })
				if errs[0] != nil || !errors.Is(errs[1], ports.ErrLeaseLost) {
					t.Errorf("errors are %v", errs)
				}
				if rows := parked(t, e); rows != nil {
					t.Errorf("parked %v", rows)
				}
				if len(e.queue.items) != 0 || len(e.queue.lanes) != 0 {
					t.Errorf("%d jobs are left", len(e.queue.items))
				}
			})
		})
	}
}
