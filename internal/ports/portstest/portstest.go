// Package portstest holds the contract of the ports: what their doc comments promise, as tests that every adapter passes.
//
// An adapter's test calls each suite with a function that runs one case on a backend of its own:
//
//	portstest.TestQueue(t, func(t *testing.T, test func(t *testing.T, p portstest.Ports)) {
//		synctest.Test(t, func(t *testing.T) { test(t, open(t)) })
//	})
//
// That function decides how time passes, for example in a bubble of testing/synctest or on a clock of its own. The suites
// speak only the ports; what an adapter cannot do is a nil field of Ports.
package portstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Ports is a backend under test, and what the suites may do to it.
type Ports struct {
	EventLog      ports.EventLog
	Holds         ports.Holds
	Store         ports.Store
	Queue         ports.Queue
	Catalog       ports.Catalog
	History       ports.History
	Metadata      ports.Metadata
	Cancellations ports.Cancellations
	// Metered is the meter that the backend's queue tells what happens.
	Metered *Metered

	// Now is the backend's time.
	Now func() time.Time
	// Pass lets time pass.
	Pass func(d time.Duration)
	// Settle returns when everything that goes on by itself has come to rest.
	Settle func()
	// Restart drops the backend as a crash would and opens what it left. Nil when the adapter keeps nothing.
	Restart func() Ports
	// FailWrite makes the n-th write from now fail, counted from 1; 0 lets all succeed. Nil when the adapter cannot.
	FailWrite func(n int)
}

// tb is what the helpers need of a test, be it one of testing or of rapid.
type tb interface {
	Helper()
	Context() context.Context
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Runner runs one case on a new backend.
type Runner func(t *testing.T, test func(t *testing.T, p Ports))

// Test runs all suites.
func Test(t *testing.T, run Runner) {
	t.Run("EventLog", func(t *testing.T) { t.Parallel(); TestEventLog(t, run) })
	t.Run("Store", func(t *testing.T) { t.Parallel(); TestStore(t, run) })
	t.Run("Admission", func(t *testing.T) { t.Parallel(); TestAdmission(t, run) })
	t.Run("Holds", func(t *testing.T) { t.Parallel(); TestHolds(t, run) })
	t.Run("Queue", func(t *testing.T) { t.Parallel(); TestQueue(t, run) })
	t.Run("QueueWaiting", func(t *testing.T) { t.Parallel(); TestQueueWaiting(t, run) })
	t.Run("QueueLimits", func(t *testing.T) { t.Parallel(); TestQueueLimits(t, run) })
	t.Run("Catalog", func(t *testing.T) { t.Parallel(); TestCatalog(t, run) })
	t.Run("History", func(t *testing.T) { t.Parallel(); TestHistory(t, run) })
	t.Run("Ticks", func(t *testing.T) { t.Parallel(); TestTicks(t, run) })
	t.Run("Metadata", func(t *testing.T) { t.Parallel(); TestMetadata(t, run) })
	t.Run("Cancellations", func(t *testing.T) { t.Parallel(); TestCancellations(t, run) })
}

// cases runs the cases of a suite side by side.
func cases(t *testing.T, run Runner, all map[string]func(t *testing.T, p Ports)) {
	t.Helper()
	for name, test := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, test)
		})
	}
}

// rawJSON compares payloads as bytes; element by element takes minutes for a large one.
var rawJSON = cmp.FilterValues(
	func(a, b json.RawMessage) bool { return len(a)+len(b) > 0 },
	cmp.Comparer(func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }),
)

// same compares two values as the ports see them: instants by the time they name, nil and empty lists alike.
func same(t tb, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), rawJSON); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

// must fails the test on an error.
func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is fails the test unless err is the typed error.
func is(t tb, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// atOnce calls f several times, all behind one gate, and counts the calls that succeed. Others must fail with one of the
// errors allowed.
func atOnce(t *testing.T, callers int, f func(caller int) error, allowed ...error) (won int) {
	t.Helper()
	gate := make(chan struct{})
	errs := make([]error, callers)
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			<-gate
			errs[caller] = f(caller)
		})
	}
	close(gate)
	group.Wait()
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		known := false
		for _, want := range allowed {
			known = known || errors.Is(err, want)
		}
		if !known {
			t.Fatalf("a caller got %v", err)
		}
	}
	return won
}

// cut repeats a change with each of its writes failing in turn. Before each attempt and after each failure unchanged must
// hold; the attempt in which no write fails has succeeded, and cut returns.
func cut(t *testing.T, p Ports, change func() error, unchanged func(t *testing.T)) {
	t.Helper()
	if p.FailWrite == nil {
		return
	}
	const most = 200
	for n := 1; n <= most; n++ {
		p.Settle() // writes that the backend makes by itself must not be the ones that fail
		p.FailWrite(n)
		err := change()
		p.FailWrite(0)
		if err == nil {
			if n == 1 {
				t.Fatal("no write failed")
			}
			return
		}
		is(t, err, ports.ErrUnavailable)
		unchanged(t)
	}
	t.Fatalf("still failing after %d writes", most)
}

// ended is a context that has ended already.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// aFunction is the function of runs that do not care whose they are.
var aFunction = uuid.MustParse("01548ebb-1ab2-5a3d-9a6a-e3fd4564b2cd")

// anEvent is an event with defaults.
func anEvent(p Ports, options ...func(*event.Tracked)) event.Tracked {
	now := p.Now().UTC()
	id := ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy())
	tracked := event.Tracked{
		InternalID: id, ReceivedAt: now,
		Event: event.Event{ID: id.String(), Name: "user/created", Data: json.RawMessage(`{"n":1}`), TS: now.UnixMilli()},
	}
	for _, option := range options {
		option(&tracked)
	}
	return tracked
}

func withData(data string) func(*event.Tracked) {
	return func(tracked *event.Tracked) { tracked.Data = json.RawMessage(data) }
}

// aPause is a pause of some kind for an event or a signal of that name, with an ID of its own.
func aPause(p Ports, kind run.PauseKind, name string) run.Pause {
	now := p.Now().UTC()
	pause := run.Pause{
		ID: uuid.New(), Kind: kind, Ignore: anEvent(p).InternalID, CreatedAt: now, Expires: now.Add(time.Hour),
	}
	switch kind {
	case run.PauseSignal:
		pause.Signal = name
	case run.PauseEvent, run.PauseCancel:
		pause.Event = name
	case run.PauseInvoke:
	}
	if kind != run.PauseCancel {
		pause.Op, pause.Job, pause.MaxAttempts = "op-"+name, "timeout-"+name, 4
	}
	return pause
}

func named(name string) func(*event.Tracked) {
	return func(tracked *event.Tracked) { tracked.Name = name }
}

// aRun is a new run with defaults, started by the events.
func aRun(p Ports, options ...func(*ports.NewRun)) ports.NewRun {
	now := p.Now().UTC()
	state, jobs := run.New(run.Spec{
		ID: ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()), AppID: uuid.MustParse("690c7235-59b3-5a4e-9c04-e1aa98cc6e38"),
		FunctionID: aFunction, FunctionVersion: 3, Slug: "acme-hello", MaxAttempts: 4,
		Events: []event.Tracked{anEvent(p)}, Key: "key", Now: now,
	})
	next := ports.NewRun{State: state, Start: jobs[0]}
	for _, option := range options {
		option(&next)
	}
	return next
}

func startedBy(events ...event.Tracked) func(*ports.NewRun) {
	return func(next *ports.NewRun) { next.State.Events = events }
}

func ofFunction(id uuid.UUID) func(*ports.NewRun) {
	return func(next *ports.NewRun) { next.State.FunctionID, next.Start.FunctionID = id, id }
}

func dueAt(at time.Time) func(*ports.NewRun) {
	return func(next *ports.NewRun) { next.Start.At = at }
}

func withKey(key string) func(*ports.NewRun) {
	return func(next *ports.NewRun) { next.IdempotencyKey = key }
}

// schedule creates runs without an event that was routed.
func schedule(t tb, p Ports, runs ...ports.NewRun) []ports.Scheduled {
	t.Helper()
	answer, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: runs})
	must(t, err)
	return answer
}

// lease takes a job that must be due.
func lease(t tb, p Ports) ports.Lease {
	t.Helper()
	got := leaseSoon(t, p)
	if got == nil {
		t.Fatal("no job is due")
	}
	return *got
}

// leaseSoon takes a job if one is due.
func leaseSoon(t tb, p Ports) *ports.Lease {
	t.Helper()
	return soon(t, p, p.Queue.Lease)
}

// soon makes a call that waits, and ends it once everything has settled: nil when it had to be ended.
func soon[T any](t tb, p Ports, call func(ctx context.Context) (T, error)) *T {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan *T, 1)
	go func() {
		got, err := call(ctx)
		if err != nil {
			done <- nil
			return
		}
		done <- &got
	}()
	p.Settle()
	cancel()
	return <-done
}

// takeSoon takes the events that wait for routing.
func takeSoon(t *testing.T, p Ports, limit int) []event.Tracked {
	t.Helper()
	got := soon(t, p, func(ctx context.Context) ([]event.Tracked, error) { return p.EventLog.Take(ctx, limit) })
	if got == nil {
		return nil
	}
	return *got
}

// finish ends a run with the job in hand.
func finish(t *testing.T, p Ports, l ports.Lease, publish ...event.Tracked) run.State {
	t.Helper()
	state, err := p.Store.Load(t.Context(), l.Job.RunID)
	must(t, err)
	after, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: ending(p), Publish: publish})
	must(t, err)
	return after
}

// ending is a transition that completes a run.
func ending(p Ports) run.Transition {
	return run.Transition{
		Current: run.Disposition{Fate: run.FateDone},
		Finish:  &run.Finish{Status: run.Completed, Output: json.RawMessage(`{"ok":true}`), At: p.Now().UTC()},
	}
}
