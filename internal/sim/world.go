// Package sim runs the real application and domain over in-memory ports, in an order that a seed decides, with faults.
//
// One goroutine does everything. Every routing of an event and every working off of a job is a task, a coroutine that
// stops at each call of a port; at each step the world picks one thing to do: continue a task, start a new one, send an
// event, move the clock, or crash. A crash ends all tasks where they stand, before or after the effect of the call they
// stopped at, and forgets all leases. Ports also fail: before their effect, or after it, so that the caller does not
// know. Apps answer with errors, garbage, or nothing.
//
// The workload has a function for each thing that an SDK can ask of a run, clients of durable endpoints whose apps die in the
// middle of a request, apps that save their steps while a call goes on, reruns of any run from any of its steps, invocations of any
// function by clients who ask again, functions that are started by the clock, functions with flow control: batches, debounces, rate limits and singletons, and functions with
// limits, throttles and priorities.
//
// What must hold is checked while it happens (a memoised step is never run again and never changes, a run starts once
// for an event, orders about functions are followed, whoever repeats an invocation is told its run, flow control lets through what it should, no limit is exceeded) and, once
// the faults stop, at the end: everything has ended as it should, every run has told of its end exactly once, and history shows each
// run and each of its steps once, as they ended.
//
// That the simulation can see what it looks for is proven with planted bugs: a store that loses the job after a step (a lost
// wake-up), tells of an end twice (a double finish), ends a run without its events (a commit torn in two), saves a memo
// under another step, starts a run twice, loses or doubles a tick, keeps something from history, or forgets what flow control keeps: events, holds, locks
// and buckets. TestSeeds_FindPlantedBugs plants each one and wants it found within 20 seeds.
//
// Nothing here depends on time, on goroutines or on the order of maps: a seed gives the same run every time, and a
// failure names the seed and shows the trace.
package sim

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/cancel"
	"github.com/ingothq/ingot/internal/app/checkpoint"
	"github.com/ingothq/ingot/internal/app/cron"
	"github.com/ingothq/ingot/internal/app/execute"
	"github.com/ingothq/ingot/internal/app/hold"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/invoke"
	"github.com/ingothq/ingot/internal/app/pausing"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/app/route"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
)

// World is one simulation.
type World struct {
	seed    uint64
	rng     *rand.Rand
	clock   *clock
	backend *mem.Backend
	app     *app
	check   *checker
	// store is what tasks commit to; a test may put a broken one here to prove that its bug is seen.
	store ports.Store
	// untold says that the queue is not told what functions are limited by; nil is never. It is a bug for a test to plant.
	untold func() bool

	ingest      *ingest.Ingest
	router      *route.Router
	executor    *execute.Executor
	checkpoints *checkpoint.Checkpoint
	reruns      *rerun.Rerun
	invoker     *invoke.Invoker
	canceller   *cancel.Canceller
	pauser      *pausing.Pauser
	holds       *hold.Starter
	scheduler   *cron.Scheduler

	tasks   []*task
	current *task
	faults  bool
	sent    []event.Event
	// numbers counts the events that are made, pokes those that are to end waits.
	numbers, pokes int
	// latest is the program whose event was made last.
	latest int
	// stopped are the numbers of events whose runs somebody tried to cancel.
	stopped map[int]bool
	// orders are the cancellations that the server may have accepted, completed those that it has worked off.
	orders, completed []cancellation.Cancellation
	// paused are the functions that are, for sure; everPaused those that may have been. pausing says that one is being paused
	// or resumed.
	paused, everPaused map[string]bool
	pausing            bool
	controls           *controls
	// invocations are what clients have invoked, keys what the keys of invocations have started.
	invocations []*invocation
	keys        map[string]keyed
	// ticks are those that schedules have moved to.
	ticks   []ports.Tick
	trace   []string
	crashes int
}

// began is when time begins.
var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// New returns a world with the functions of the workload registered.
func New(seed uint64) *World {
	w := &World{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0x5eed)), clock: &clock{now: began}, faults: true,
		stopped: map[int]bool{}, paused: map[string]bool{}, everPaused: map[string]bool{}, keys: map[string]keyed{},
	}
	w.backend = mem.New(w.clock)
	w.store = w.backend
	w.check = newChecker()
	w.app = newApp(w)
	w.controls = newControls(w.app.functions())
	return w
}

// clock is virtual time.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// AfterFunc calls nothing: a task that waits would stop the world, which looks itself for what is due.
func (c *clock) AfterFunc(time.Duration, func()) (stop func() bool) {
	return func() bool { return true }
}

// entropy makes IDs from the seed.
type entropy struct{ w *World }

func (i entropy) ULID(at time.Time) ulid.ULID {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(at))
	var random [10]byte
	for n := range random {
		random[n] = byte(i.w.rng.Uint32())
	}
	_ = id.SetEntropy(random[:])
	return id
}

// jitter is drawn from the seed.
type jitter struct{ w *World }

func (j jitter) Duration(limit time.Duration) time.Duration {
	return time.Duration(j.w.rng.Int64N(int64(limit)))
}

// boot starts the process: everything that lives in memory is new.
func (w *World) boot(ctx context.Context) error {
	log := slog.New(slog.DiscardHandler)
	reg := registry.New(w.backend, log)
	ports := faulty{w}
	w.ingest = ingest.New(ports, w.clock, entropy{w})
	w.scheduler = cron.New(cron.Deps{
		Store: ports, Catalog: catalog{w.backend, w}, Functions: reg, Tracker: w.ingest, Clock: w.clock, IDs: entropy{w}, Log: log, AtOnce: 1,
	})
	reg.Observe(w.scheduler)
	reg.Observe(limiter{w, reg})
	if err := reg.Reload(ctx); err != nil {
		return fmt.Errorf("load functions: %w", err)
	}
	w.router = route.New(route.Deps{
		EventLog: ports, Store: ports, Functions: reg, Events: ports, Tracker: w.ingest, Clock: w.clock, IDs: entropy{w}, Log: log,
		Pause: func(context.Context, int) { w.stop("pause") }, ResumesAtOnce: 1,
	})
	w.executor = execute.New(execute.Deps{
		Store: ports, Queue: queue{w}, Worker: w.app, Gateway: w.app, Waits: w.router, Functions: reg, Tracker: w.ingest, Limits: limits,
		Clock: w.clock, Random: jitter{w}, Log: log, Pause: func(context.Context, int) { w.stop("pause") },
	}, execute.Config{})
	w.checkpoints = checkpoint.New(checkpoint.Deps{
		Advance: advance.New(ports, w.ingest, nil, log, func(context.Context, int) { w.stop("pause") }), Store: ports, History: history{w.backend.History(), w},
		Catalog: catalog{w.backend, w}, Functions: reg, Waits: w.router, Tracker: w.ingest, Limits: limits, Broadcast: silence{}, Tokens: silence{}, Clock: w.clock, IDs: entropy{w},
	})
	starter := start.Starter{
		Store: ports, Advance: advance.New(ports, w.ingest, nil, log, func(context.Context, int) { w.stop("pause") }), Tracker: w.ingest, Clock: w.clock,
	}
	w.reruns = rerun.New(starter, history{w.backend.History(), w}, reg, entropy{w}, log)
	w.invoker = invoke.New(starter, reg, w.ingest, entropy{w}, log)
	w.canceller = cancel.New(cancel.Deps{
		Cancellations: orders{w.backend.Cancellations(), w}, Store: ports, Functions: reg, Tracker: w.ingest, Clock: w.clock, IDs: entropy{w}, Log: log,
		Pause: func(context.Context, int) { w.stop("pause") }, AtOnce: 1,
	})
	w.holds = hold.New(hold.Deps{
		Holds: holds{w}, Store: ports, Functions: reg, Tracker: w.ingest, Clock: w.clock, IDs: entropy{w}, Log: log,
		Pause: func(context.Context, int) { w.stop("pause") },
	})
	w.pauser, w.pausing = pausing.New(catalog{w.backend, w}, ports, reg, w.clock, log), false
	if err := w.canceller.Load(ctx); err != nil {
		return fmt.Errorf("load cancellations: %w", err)
	}
	if err := w.scheduler.Load(ctx); err != nil {
		return fmt.Errorf("load schedules: %w", err)
	}
	return nil
}

// register puts the functions of the workload into the catalog.
func (w *World) register(ctx context.Context) error {
	return w.backend.Sync(ctx, function.SyncPlan{App: w.app.identity(), Put: w.app.functions()})
}

// task is a coroutine.
type task struct {
	name string
	// at is the call that it has stopped at.
	at   string
	next func() (string, bool)
	stop func()
	// yield stops the task at a port call; false means that the process has crashed.
	yield func(string) bool
}

// crashed unwinds a task of a process that has crashed.
type crashed struct{}

// start begins a task. It runs until its first port call.
func (w *World) start(name string, work func()) {
	t := &task{name: name}
	t.next, t.stop = iter.Pull(func(yield func(string) bool) {
		t.yield = yield
		defer func() {
			if reason := recover(); reason != nil {
				if _, ok := reason.(crashed); !ok {
					panic(reason)
				}
			}
		}()
		work()
	})
	w.tasks = append(w.tasks, t)
	w.resume(len(w.tasks) - 1)
}

// resume continues a task until its next port call, or its end.
func (w *World) resume(at int) {
	t := w.tasks[at]
	w.current = t
	where, more := t.next()
	w.current = nil
	if !more {
		w.tasks = append(w.tasks[:at], w.tasks[at+1:]...)
		where = "ended"
	}
	t.at = where
	w.note("%s: %s", t.name, where)
}

// stop is called by a port: the task waits here for its turn.
func (w *World) stop(where string) {
	if t := w.current; t != nil && !t.yield(where) {
		panic(crashed{})
	}
}

// crash ends the process and starts it anew.
func (w *World) crash(ctx context.Context) error {
	w.note("crash")
	w.crashes++
	for _, t := range w.tasks {
		t.stop()
	}
	w.tasks = nil
	w.backend.Crash()
	return w.boot(ctx)
}

func (w *World) note(format string, values ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, values...))
}

// chance is true once in n.
func (w *World) chance(n int) bool { return w.rng.IntN(n) == 0 }
