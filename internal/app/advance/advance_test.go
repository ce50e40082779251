package advance_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"go.uber.org/mock/gomock"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/ports/portsmock"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

type clock struct{ testkit.Clock }

func (clock) Now() time.Time { return now }

type ids struct{}

func (ids) ULID(at time.Time) ulid.ULID {
	return ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy())
}

// faulty is a store whose commits fail first.
type faulty struct {
	ports.Store
	fail []error
}

func (f *faulty) Commit(ctx context.Context, c ports.Commit) (run.State, error) {
	if len(f.fail) > 0 {
		err := f.fail[0]
		f.fail = f.fail[1:]
		if err != nil {
			return run.State{}, err
		}
	}
	return f.Store.Commit(ctx, c)
}

// setup returns an advancer over a store that fails first, and a leased first job of a run.
func setup(t *testing.T, fail ...error) (*advance.Advancer, *mem.Backend, ports.Lease, *[]int) {
	t.Helper()
	backend := mem.New(clock{})
	lease := start(t, backend)
	var pauses []int
	advancer := advance.New(&faulty{backend, fail}, ingest.New(backend, clock{}, ids{}), nil, slog.New(slog.DiscardHandler), func(_ context.Context, n int) { pauses = append(pauses, n) })
	return advancer, backend, lease, &pauses
}

func start(t *testing.T, backend *mem.Backend) ports.Lease {
	t.Helper()
	id := ids{}.ULID(now)
	state, jobs := run.New(run.Spec{
		ID: id, FunctionID: uuid.New(), MaxAttempts: 5, Key: id.String(), Now: now,
		Events: []event.Tracked{{InternalID: ids{}.ULID(now), Event: event.Event{ID: "e", Name: "x", Data: json.RawMessage(`{}`)}}},
	})
	if _, err := backend.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{{State: state, Start: jobs[0]}}}); err != nil {
		t.Fatal(err)
	}
	lease, ok := backend.TryLease()
	if !ok {
		t.Fatal("nothing is due")
	}
	return lease
}

func replied(lease ports.Lease, ops ...sdk.Op) run.Replied {
	return run.Replied{Job: lease.Job, Reply: sdk.Reply{Status: 206, RequestVersion: 2, Ops: ops}, Now: now, Limits: run.DefaultLimits}
}

func TestApply_CommitsTheDecision(t *testing.T) {
	t.Parallel()
	advancer, backend, lease, _ := setup(t)
	state, _, err := advancer.Apply(t.Context(), advance.Step{
		Run: lease.Job.RunID, Lease: lease, Input: replied(lease, sdk.Op{Op: sdk.OpStepRun, ID: "a", Data: []byte("1")}),
	})
	if err != nil || len(state.Stack) != 1 {
		t.Fatalf("got %+v, %v", state, err)
	}
	if stored, err := backend.Load(t.Context(), state.ID); err != nil || stored.Revision != state.Revision {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

// expecting returns an advancer on a store that fails the test at every call it was not told of, a leased first job of a
// run, and the run's state.
func expecting(t *testing.T) (*advance.Advancer, *portsmock.MockStore, ports.Lease, run.State) {
	t.Helper()
	backend := mem.New(clock{})
	lease := start(t, backend)
	state, err := backend.Load(t.Context(), lease.Job.RunID)
	if err != nil {
		t.Fatal(err)
	}
	store := portsmock.NewMockStore(gomock.NewController(t))
	return advance.New(store, ingest.New(nil, clock{}, ids{}), nil, slog.New(slog.DiscardHandler), advance.Pause(testkit.Clock{})), store, lease, state
}

func TestApply_DoesNotCommitWhatChangesNothing(t *testing.T) {
	t.Parallel()
	advancer, store, lease, state := expecting(t)
	store.EXPECT().Load(gomock.Any(), state.ID).Return(state, nil)
	_, next, err := advancer.Apply(t.Context(), advance.Step{Run: state.ID, Lease: lease, Input: run.Due{Job: lease.Job, Now: now, Limits: run.DefaultLimits}})
	if err != nil || next.Call == nil {
		t.Errorf("got %+v, %v", next, err)
	}
}

func TestApply_DecidesAgainOnTheLatestState(t *testing.T) {
	t.Parallel()
	advancer, backend, lease, _ := setup(t)
	stale, err := backend.Load(t.Context(), lease.Job.RunID)
	if err != nil {
		t.Fatal(err)
	}
	saved := run.Checkpointed{Ops: []sdk.Op{{Op: sdk.OpStepRun, ID: "a", Data: []byte("1")}}, Now: now, Limits: run.DefaultLimits}
	if _, _, err := advancer.Apply(t.Context(), advance.Step{Run: lease.Job.RunID, Input: saved}); err != nil {
		t.Fatal(err)
	}
	state, _, err := advancer.Apply(t.Context(), advance.Step{
		Run: lease.Job.RunID, Lease: lease, Known: &stale, Input: replied(lease, sdk.Op{Op: sdk.OpStepRun, ID: "b", Data: []byte("2")}),
	})
	if err != nil || len(state.Stack) != 2 {
		t.Errorf("got %+v, %v", state, err)
	}
}

func TestApply_GivesUpWhenConflictsDoNotEnd(t *testing.T) {
	t.Parallel()
	advancer, store, lease, state := expecting(t)
	store.EXPECT().Load(gomock.Any(), state.ID).Return(state, nil).Times(advance.Tries)
	store.EXPECT().Commit(gomock.Any(), gomock.Any()).Return(run.State{}, ports.ErrConflict).Times(advance.Tries)
	_, _, err := advancer.Apply(t.Context(), advance.Step{Run: state.ID, Lease: lease, Input: replied(lease, sdk.Op{Op: sdk.OpStepRun, ID: "a"})})
	if !errors.Is(err, ports.ErrConflict) {
		t.Errorf("got %v", err)
	}
}

func TestApply_WaitsForAStoreThatIsUnavailable(t *testing.T) {
	t.Parallel()
	advancer, _, lease, pauses := setup(t, ports.ErrUnavailable, ports.ErrUnavailable)
	_, _, err := advancer.Apply(t.Context(), advance.Step{Run: lease.Job.RunID, Lease: lease, Input: replied(lease, sdk.Op{Op: sdk.OpStepRun, ID: "a"})})
	if err != nil || len(*pauses) != 2 || (*pauses)[1] != 2 {
		t.Errorf("paused %v, %v", *pauses, err)
	}
}

func TestApply_TellsTheDomainOfASignalThatIsTaken(t *testing.T) {
	t.Parallel()
	advancer, backend, first, _ := setup(t)
	wait := sdk.Op{Op: sdk.OpWaitForSignal, ID: "w", Opts: []byte(`{"signal":"s","conflict":"fail"}`)}
	if _, _, err := advancer.Apply(t.Context(), advance.Step{Run: first.Job.RunID, Lease: first, Input: replied(first, wait)}); err != nil {
		t.Fatal(err)
	}
	second := start(t, backend)
	_, next, err := advancer.Apply(t.Context(), advance.Step{Run: second.Job.RunID, Lease: second, Input: replied(second, wait)})
	if err != nil || next.Finish == nil || next.Finish.Status != run.Failed {
		t.Fatalf("got %+v, %v", next, err)
	}
	third := start(t, backend)
	wait.Opts = []byte(`{"signal":"s","conflict":"replace"}`)
	if _, _, err := advancer.Apply(t.Context(), advance.Step{Run: third.Job.RunID, Lease: third, Input: replied(third, wait)}); err != nil {
		t.Fatal(err)
	}
	if waiter, err := backend.SignalWaiter(t.Context(), "s"); err != nil || waiter != third.Job.RunID {
		t.Errorf("waiter %s, %v", waiter, err)
	}
}

func TestApply_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	advancer, _, lease, _ := setup(t, errors.New("bug"))
	if _, _, err := advancer.Apply(t.Context(), advance.Step{Run: ulid.ULID{1}, Input: run.CancelRequested{}}); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("unknown run: %v", err)
	}
	foreign := lease.Job
	foreign.ID = "other"
	if _, _, err := advancer.Apply(t.Context(), advance.Step{Run: lease.Job.RunID, Input: run.Due{Job: foreign}}); !errors.Is(err, run.ErrForeignJob) {
		t.Errorf("foreign job: %v", err)
	}
	if _, _, err := advancer.Apply(t.Context(), advance.Step{Run: lease.Job.RunID, Input: run.CancelRequested{Now: now}}); err == nil {
		t.Error("an unknown error of the store is passed over")
	}
}

// told is a watcher that remembers what it was told, and has a bug.
type told struct {
	transitions []run.Transition
	// turns are those that have not ended.
	turns int
}

func (w *told) Turn(ulid.ULID) func() {
	w.turns++
	return func() { w.turns-- }
}

func (w *told) Advanced(_ context.Context, before run.State, t run.Transition) {
	w.transitions = append(w.transitions, t)
	_ = before.Stack[w.turns+len(before.Stack)] // out of range, always
}

func TestApply_TellsItsWatcherOfWhatIsDone(t *testing.T) {
	t.Parallel()
	var logged strings.Builder
	backend, watcher := mem.New(clock{}), &told{}
	lease := start(t, backend)
	advancer := advance.New(&faulty{backend, []error{ports.ErrConflict, nil, errors.New("bug")}}, ingest.New(backend, clock{}, ids{}), watcher,
		slog.New(slog.NewTextHandler(&logged, nil)), nil)
	due := advance.Step{Run: lease.Job.RunID, Lease: lease, Input: run.Due{Job: lease.Job, Now: now, Limits: run.DefaultLimits}}
	if _, _, err := advancer.Apply(t.Context(), due); err != nil || len(watcher.transitions) != 1 || watcher.transitions[0].Call == nil {
		t.Fatalf("without a commit: told of %+v, %v", watcher.transitions, err)
	}
	step := advance.Step{Run: lease.Job.RunID, Lease: lease, Input: replied(lease, sdk.Op{Op: sdk.OpStepRun, ID: "a", Data: []byte("1")})}
	state, _, err := advancer.Apply(t.Context(), step)
	if err != nil || len(state.Stack) != 1 || len(watcher.transitions) != 2 || len(watcher.transitions[1].Steps) != 1 {
		t.Fatalf("told of %+v, %v", watcher.transitions, err)
	}
	if !strings.Contains(logged.String(), "out of range") || !strings.Contains(logged.String(), lease.Job.RunID.String()) {
		t.Errorf("logged %s", logged.String())
	}
	if _, _, err := advancer.Apply(t.Context(), advance.Step{Run: lease.Job.RunID, Input: run.CancelRequested{Now: now}}); err == nil || len(watcher.transitions) != 2 || watcher.turns != 0 {
		t.Errorf("told of a commit that failed: %+v, %v", watcher.transitions, err)
	}
}

func TestPause_DoublesToFiveSecondsAndEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for n, want := range map[int]time.Duration{1: 20 * time.Millisecond, 3: 80 * time.Millisecond, 30: 5 * time.Second} {
			begin := time.Now()
			advance.Pause(testkit.Clock{})(t.Context(), n)
			if took := time.Since(begin); took != want {
				t.Errorf("pause %d took %s, want %s", n, took, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begin := time.Now()
		advance.Pause(testkit.Clock{})(ctx, 30)
		if time.Since(begin) != 0 {
			t.Error("the pause outlasts its context")
		}
	})
}
