package mem_test

import (
	"errors"
	"strings"
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
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// inHand is a backend with an event that was taken and a run whose job is leased.
func inHand(t *testing.T) (*mem.Backend, event.Tracked, ports.Lease) {
	t.Helper()
	b := mem.New(testkit.Clock{})
	now := testkit.Clock{}.Now()
	e := event.Tracked{InternalID: ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()), ReceivedAt: now, Event: event.Event{Name: "a"}}
	if err := b.Append(t.Context(), []event.Tracked{e}); err != nil {
		t.Fatal(err)
	}
	state, jobs := run.New(run.Spec{ID: e.InternalID, FunctionID: uuid.New(), MaxAttempts: 1, Events: []event.Tracked{e}, Key: "key", Now: now})
	if _, err := b.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{{State: state, Start: jobs[0]}}}); err != nil {
		t.Fatal(err)
	}
	if taken := b.TryTake(2); len(taken) != 1 {
		t.Fatalf("took %v", taken)
	}
	lease, ok := b.TryLease()
	if !ok {
		t.Fatal("no job is due")
	}
	return b, e, lease
}

func TestCrash_FreesWhatIsInHand(t *testing.T) {
	t.Parallel()
	b, e, lease := inHand(t)
	if _, ok := b.TryLease(); ok || len(b.TryTake(1)) > 0 || !b.NextDue().IsZero() {
		t.Error("something is handed out twice")
	}
	b.Crash()
	if err := b.Queue().Return(t.Context(), lease, time.Time{}); !errors.Is(err, ports.ErrLeaseLost) {
		t.Errorf("a lease of before the crash: %v", err)
	}
	again, ok := b.TryLease()
	if !ok || again.Job.ID != lease.Job.ID || again.Generation != 2 {
		t.Errorf("leased %+v", again)
	}
	if taken := b.TryTake(1); len(taken) != 1 || taken[0].InternalID != e.InternalID {
		t.Errorf("took %v", taken)
	}
}

func TestNextDue_IsTheEarliestOfJobsAndEvents(t *testing.T) {
	t.Parallel()
	b, e, lease := inHand(t)
	now := testkit.Clock{}.Now()
	if err := b.Queue().Return(t.Context(), lease, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if next := b.NextDue(); !next.Equal(now.Add(time.Hour)) {
		t.Errorf("next is %s", next)
	}
	if err := b.Release(t.Context(), e.InternalID, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if next := b.NextDue(); !next.Equal(now.Add(time.Minute)) {
		t.Errorf("next is %s", next)
	}
}

func TestIdleAndParked(t *testing.T) {
	t.Parallel()
	b, e, lease := inHand(t)
	if err := b.EventLog().Park(t.Context(), e.InternalID, "an event"); err != nil {
		t.Fatal(err)
	}
	if err := b.Queue().Park(t.Context(), lease, "a job"); err != nil {
		t.Fatal(err)
	}
	if parked := b.Parked(); len(parked) != 2 || parked[e.InternalID.String()] != "an event" || parked[lease.Job.ID] != "a job" {
		t.Errorf("parked %v", parked)
	}
	if b.Idle() || len(b.Runs()) != 1 || len(b.AllEvents()) != 1 {
		t.Error("a run in progress is forgotten")
	}
	state, err := b.Load(t.Context(), lease.Job.RunID)
	if err != nil {
		t.Fatal(err)
	}
	ending := run.Transition{Finish: &run.Finish{Status: run.Cancelled, At: testkit.Clock{}.Now()}}
	if _, err := b.Commit(t.Context(), ports.Commit{State: state, Transition: ending}); err != nil {
		t.Fatal(err)
	}
	if !b.Idle() || b.Runs()[0].Status != run.Cancelled {
		t.Errorf("runs are %v", b.Runs())
	}
}

func TestClose_EndsWaitingCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := mem.New(testkit.Clock{})
		ended := make(chan error, 2)
		go func() { _, err := b.Lease(t.Context()); ended <- err }()
		go func() { _, err := b.Take(t.Context(), 1); ended <- err }()
		synctest.Wait()
		b.Wake() // which finds nothing
		synctest.Wait()
		b.Close()
		for range 2 {
			if err := <-ended; !errors.Is(err, ports.ErrClosed) {
				t.Errorf("ended with %v", err)
			}
		}
		if err := b.Append(t.Context(), nil); !errors.Is(err, ports.ErrClosed) {
			t.Errorf("append: %v", err)
		}
		if _, err := b.Schedule(t.Context(), ports.Schedule{}); !errors.Is(err, ports.ErrClosed) {
			t.Errorf("schedule: %v", err)
		}
		if _, err := b.Commit(t.Context(), ports.Commit{}); !errors.Is(err, ports.ErrClosed) {
			t.Errorf("commit: %v", err)
		}
	})
}

func TestSync_RefusesToAdoptForANameThatAnotherAppHas(t *testing.T) {
	t.Parallel()
	b := mem.New(testkit.Clock{})
	placeholder := function.App{ID: uuid.New(), URL: "http://a"}
	if err := b.PutPlaceholder(t.Context(), placeholder); err != nil {
		t.Fatal(err)
	}
	if err := b.Sync(t.Context(), function.SyncPlan{App: function.App{ID: uuid.New(), Name: "app", URL: "http://b"}}); err != nil {
		t.Fatal(err)
	}
	named := placeholder
	named.Name = "app"
	if err := b.Sync(t.Context(), function.SyncPlan{App: named, Adopt: true}); !errors.Is(err, ports.ErrConflict) {
		t.Errorf("error is %v", err)
	}
	if app, err := b.AppByURL(t.Context(), placeholder.URL); err != nil || app.Name != "" {
		t.Errorf("the placeholder is %+v, %v", app, err)
	}
}

func TestHolds_AreWithNobodyAfterACrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := mem.New(testkit.Clock{})
		now := time.Now().UTC()
		e := event.Tracked{InternalID: ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()), Event: event.Event{Name: "a"}}
		fn := function.Function{ID: uuid.New()}
		fn.Settings.Debounce = &function.Debounce{Period: "10s"}
		settings, _ := flow.Compile(fn)
		next := ports.NewRun{State: run.State{ID: e.InternalID, FunctionID: fn.ID, Events: []event.Tracked{e}}, Request: &flow.Request{
			Settings: settings, Values: settings.Evaluate(e.Event, flow.FromEvent, now), ID: e.InternalID, Event: e,
		}}
		if _, err := b.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
			t.Fatal(err)
		}
		if due := b.NextDue(); !due.Equal(now.Add(10*time.Second)) || b.Idle() {
			t.Errorf("due at %v, idle %t", due, b.Idle())
		}
		time.Sleep(10 * time.Second)
		taken, err := b.Holds().Take(t.Context())
		if err != nil || !b.NextDue().IsZero() {
			t.Fatalf("%v, due at %v", err, b.NextDue())
		}
		b.Crash()
		again, err := b.Holds().Take(t.Context())
		if err != nil || again.HoldRef != taken.HoldRef {
			t.Fatalf("took %+v, %v", again, err)
		}
		if err := b.Holds().Park(t.Context(), again.HoldRef, "reason"); err != nil {
			t.Fatal(err)
		}
		reason := b.Parked()[again.ID.String()]
		if !strings.Contains(reason, "reason") || !strings.Contains(reason, e.InternalID.String()) || !b.Idle() {
			t.Errorf("parked for %q, idle %t", reason, b.Idle())
		}
	})
}
