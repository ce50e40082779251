package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
)

// Result is what a simulation came to.
type Result struct {
	Seed    uint64
	Events  int
	Crashes int
	// Trace has a line for everything that happened, in order.
	Trace []string
}

// Error is a simulation in which something happened that must not.
type Error struct {
	Result
	Faults []string
}

// Error names the seed, what was wrong, and the end of the trace.
func (e *Error) Error() string {
	const tail = 60
	return fmt.Sprintf("seed %d: %s\nlast of %d steps:\n  %s\nagain: go test ./internal/sim -run TestSeeds -sim.seed %d",
		e.Seed, strings.Join(e.Faults, "\n  "), len(e.Trace), strings.Join(e.Trace[max(0, len(e.Trace)-tail):], "\n  "), e.Seed)
}

// drainSteps bounds how long the world may take to come to rest once the faults stop.
const drainSteps = 200_000

// Run simulates the given number of steps with faults, then lets everything come to its end. It returns an *Error if
// something that must hold did not.
func (w *World) Run(ctx context.Context, steps int) (Result, error) {
	if err := w.register(ctx); err != nil {
		return Result{}, err
	}
	if err := w.boot(ctx); err != nil {
		return Result{}, err
	}
	for range steps {
		if err := w.step(ctx); err != nil {
			return Result{}, err
		}
		if len(w.check.faults) > 0 {
			return w.result()
		}
	}
	w.faults = false
	w.note("faults end")
	for n := 0; !w.backend.Idle() || w.fulfils() || w.ticksWithin(retryPause) || len(w.tasks) > 0; n++ {
		if n == drainSteps {
			w.check.violated("not at rest after %d steps without faults", n)
			return w.result()
		}
		w.proceed(ctx)
	}
	w.ended()
	return w.result()
}

func (w *World) result() (Result, error) {
	result := Result{Seed: w.seed, Events: len(w.sent), Crashes: w.crashes, Trace: w.trace}
	if len(w.check.faults) > 0 {
		return result, &Error{result, w.check.faults}
	}
	return result, nil
}

// step does one thing that may happen.
func (w *World) step(ctx context.Context) error {
	switch {
	case w.chance(12):
		w.send(ctx)
	case w.chance(20):
		w.poke(ctx)
	case w.chance(30):
		w.visit(ctx)
	case w.chance(60):
		w.rerun(ctx)
	case w.chance(25):
		w.order(ctx)
	case w.chance(40):
		w.invoke(ctx)
	case w.chance(60): //nolint:gocritic // every case draws anew
		return w.crash(ctx)
	case w.chance(80):
		w.clock.now = w.clock.now.Add(time.Duration(w.rng.IntN(3600)) * time.Second)
		w.note("clock jumps")
	default:
		w.proceed(ctx)
	}
	return nil
}

// proceed continues one of the things under way, or begins one that waits.
func (w *World) proceed(ctx context.Context) {
	n := w.rng.IntN(len(w.tasks) + 3)
	if n < len(w.tasks) {
		w.resume(n)
		return
	}
	if n == len(w.tasks) {
		if events := w.backend.TryTake(1); len(events) > 0 {
			w.start("route "+events[0].Name, func() { w.router.Do(ctx, events[0]) })
			return
		}
	}
	if n == len(w.tasks)+1 && (w.takeOrder(ctx) || w.takeTick(ctx) || w.takeHold(ctx)) {
		return
	}
	if lease, ok := w.backend.TryLease(); ok {
		w.handedOut(lease)
		w.start(fmt.Sprintf("job %s %s #%d", lease.Job.Kind, lease.Job.ID, lease.Job.Attempt), func() { w.executor.Do(ctx, lease) })
		return
	}
	if len(w.tasks) == 0 {
		w.advance()
	}
}

// advance moves the clock to the next thing that is due.
func (w *World) advance() {
	next := w.backend.NextDue()
	if order := w.canceller.Next(); next.IsZero() || !order.IsZero() && order.Before(next) {
		next = order
	}
	// Without faults the world comes to rest: it goes on for what is under way, and for ticks that are tried again, only, since the clock
	// has no end.
	if tick := w.scheduler.Next(); (w.faults || w.ticksWithin(retryPause)) && !tick.IsZero() && (next.IsZero() || tick.Before(next)) {
		next = tick
	}
	if next.After(w.clock.now) {
		w.clock.now = next
		w.note("clock at %s", next.Format(time.TimeOnly))
	}
}

// poke ends a wait of a run, or cancels one: by an event with the number of one that was sent, or by a signal.
func (w *World) poke(ctx context.Context) {
	if w.numbers == 0 {
		return
	}
	number := w.rng.IntN(w.numbers)
	if w.chance(3) {
		signal := fmt.Sprintf("signal-%d", number)
		w.start("signal "+signal, func() { _, _ = w.router.Signal(ctx, signal, json.RawMessage(`1`)) })
		return
	}
	names := []string{"sim/wake", "sim/other", "sim/stop"}
	w.pokes++
	e := event.Event{
		ID: fmt.Sprintf("poke-%d", w.pokes), Name: names[w.rng.IntN(len(names))], TS: w.clock.now.UnixMilli(),
		Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, number)),
	}
	if e.Name == "sim/stop" {
		w.stopped[number] = true
	}
	w.start("send "+e.ID+" "+e.Name, func() { _, _ = w.ingest.Accept(ctx, []event.Event{e}, nil, 1) })
}

// send makes an event for one of the programs, or some for one with limits.
func (w *World) send(ctx context.Context) {
	w.latest = w.rng.IntN(len(w.app.programs))
	p := w.app.programs[w.latest]
	if p.trigger != "" || len(p.crons) > 0 {
		return // it is started by the server's own events, or by the clock
	}
	for range p.burst() {
		w.deliver(ctx, p)
	}
}

// deliver sends an event for the program until the server says that it has it; it may be delivered twice.
func (w *World) deliver(ctx context.Context, p program) {
	e := event.Event{
		ID: fmt.Sprintf("event-%d", w.numbers), Name: "sim/" + p.name,
		Data: json.RawMessage(fmt.Sprintf(`{"n":%d,"k":"%d"}`, w.numbers, w.numbers%2)), TS: w.clock.now.UnixMilli(),
	}
	w.numbers++
	w.start("send "+e.ID, func() {
		for range deliveries {
			if _, err := w.ingest.Accept(ctx, []event.Event{e}, nil, 1); err == nil {
				w.sent = append(w.sent, e)
				return
			}
		}
	})
}

// deliveries is how often an event is sent whose acceptance is not known. The server may have it from the first time.
const deliveries = 5
