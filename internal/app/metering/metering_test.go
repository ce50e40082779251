package metering_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/metering"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// told is a meter that notes what it is told.
type told struct {
	ports.NoMeter
	t    *testing.T
	fn   uuid.UUID
	said []string
}

func (m *told) note(fn uuid.UUID, what string, about any) {
	m.t.Helper()
	if fn != m.fn {
		m.t.Errorf("%s of function %s", what, fn)
	}
	m.said = append(m.said, fmt.Sprint(what, " ", about))
}

func (m *told) Decided(fn uuid.UUID, result flow.Result) { m.note(fn, "decided", result) }

func (m *told) RunStarted(fn uuid.UUID) { m.note(fn, "started", "") }

func (m *told) RunEnded(fn uuid.UUID, status run.Status) { m.note(fn, "ended", status) }

func (m *told) CallsScheduled(fn uuid.UUID, count int) { m.note(fn, "calls", count) }

// is fails the test unless the meter was told that since the last time.
func (m *told) is(want ...string) {
	m.t.Helper()
	if diff := cmp.Diff(want, m.said); diff != "" {
		m.t.Fatalf("-want +got:\n%s", diff)
	}
	m.said = nil
}

// setup is a metered store in memory, and a run for it.
func setup(t *testing.T) (*mem.Backend, metering.Store, *told, ports.NewRun) {
	t.Helper()
	backend, meter := mem.New(testkit.Clock{}), &told{t: t, fn: uuid.New()}
	return backend, metering.NewStore(backend, meter), meter, newRun(meter.fn, "key")
}

func newRun(fn uuid.UUID, key string) ports.NewRun {
	now := time.Now().UTC()
	state, jobs := run.New(run.Spec{
		ID: testkit.IDs{}.ULID(now), FunctionID: fn, Slug: "app-fn", MaxAttempts: 3, Key: key, Now: now,
		Events: []event.Tracked{{InternalID: ulid.Make(), Event: event.Event{Name: "x", Data: []byte(`{}`)}}},
	})
	return ports.NewRun{State: state, Start: jobs[0], More: jobs[1:], IdempotencyKey: key}
}

func schedule(t *testing.T, s metering.Store, in ports.Schedule) {
	t.Helper()
	if _, err := s.Schedule(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func TestStore_Schedule(t *testing.T) {
	t.Parallel()
	_, store, meter, next := setup(t)
	schedule(t, store, ports.Schedule{Runs: []ports.NewRun{next}})
	meter.is("decided success", "calls 1")

	schedule(t, store, ports.Schedule{Runs: []ports.NewRun{newRun(meter.fn, "key")}})
	meter.is("decided idempotency")

	schedule(t, store, ports.Schedule{Skipped: []ports.SkippedRun{{
		RunID: ulid.Make(), FunctionID: meter.fn, Event: ulid.Make(), End: run.Finish{Status: run.Skipped, At: time.Now()},
	}}})
	meter.is("decided skipped")

	attached := newRun(meter.fn, "attached")
	attached.State.StartedAt = time.Now()
	attached.Start.Kind = run.KindCancel
	schedule(t, store, ports.Schedule{Runs: []ports.NewRun{attached}})
	meter.is("decided success", "started ")
}

func TestStore_Commit(t *testing.T) {
	t.Parallel()
	backend, store, meter, next := setup(t)
	schedule(t, store, ports.Schedule{Runs: []ports.NewRun{next}})
	meter.said = nil
	commit := func(l ports.Lease, transition run.Transition) error {
		state, err := backend.Load(t.Context(), next.State.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, err = store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: transition})
		return err
	}
	lease := func() ports.Lease {
		l, ok := backend.TryLease()
		if !ok {
			t.Fatal("no job is due")
		}
		return l
	}
	kinds := func(kinds ...run.Kind) (jobs []run.Job) {
		for at, kind := range kinds {
			job := next.Start
			job.ID, job.Kind, job.At = fmt.Sprintf("%s-%d", kind, at), kind, time.Now().Add(time.Hour)
			jobs = append(jobs, job)
		}
		return jobs
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	must(commit(lease(), run.Transition{Current: run.Disposition{Fate: run.FateRetry, At: time.Now(), Attempt: 1}}))
	meter.is("calls 1")
	l := lease()
	must(commit(l, run.Transition{
		Current: run.Disposition{Fate: run.FateDone},
		Jobs:    kinds(run.KindEdge, run.KindEdgeError, run.KindSleep, run.KindPause, run.KindGateway, run.KindCancel),
	}))
	meter.is("calls 3")
	must(commit(ports.Lease{}, run.Transition{SetPending: true}))
	meter.is()
	if err := commit(l, run.Transition{Finish: &run.Finish{Status: run.Failed}}); !errors.Is(err, ports.ErrLeaseLost) {
		t.Fatalf("error is %v", err)
	}
	meter.is() // nothing of what is refused
	must(commit(ports.Lease{}, run.Transition{Finish: &run.Finish{Status: run.Cancelled, At: time.Now()}, Jobs: kinds(run.KindEdge)}))
	meter.is("ended Cancelled")
}

func TestStore_ScheduleThatIsRefused(t *testing.T) {
	t.Parallel()
	_, store, meter, next := setup(t)
	if err := store.Fence(t.Context(), meter.fn, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); !errors.Is(err, ports.ErrOutdated) {
		t.Fatalf("error is %v", err)
	}
	meter.is()
}
