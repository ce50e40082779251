package checkpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/checkpoint"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
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

// setup returns the use case and a run in progress.
func setup(t *testing.T, limits run.Limits) (*checkpoint.Checkpoint, *mem.Backend, ulid.ULID) {
	t.Helper()
	backend := mem.New(clock{})
	id := ids{}.ULID(now)
	state, jobs := run.New(run.Spec{
		ID: id, FunctionID: uuid.New(), MaxAttempts: 5, Key: "k", Now: now,
		Events: []event.Tracked{{Event: event.Event{ID: "e", Name: "x", Data: json.RawMessage(`{}`)}}},
	})
	if _, err := backend.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{{State: state, Start: jobs[0]}}}); err != nil {
		t.Fatal(err)
	}
	advancer := advance.New(backend, ingest.New(backend, clock{}, ids{}), nil, slog.New(slog.DiscardHandler), advance.Pause(testkit.Clock{}))
	return checkpoint.New(checkpoint.Deps{
		Advance: advancer, Store: backend, History: backend.History(), Clock: clock{}, Limits: func(uuid.UUID) run.Limits { return limits },
	}), backend, id
}

func body(id ulid.ULID, steps string) []byte {
	return fmt.Appendf(nil, `{"run_id":%q,"fn_id":"881ded5d-7c0a-50d6-8a8d-451a82d0ca42","qi_id":"x","generation_id":1,"steps":%s}`, id, steps)
}

func TestAsync_SavesSteps(t *testing.T) {
	t.Parallel()
	c, backend, id := setup(t, run.DefaultLimits)
	steps := `[{"op":"StepRun","id":"a","data":1,"mode":"sync"},{"op":"StepPlanned","id":"p"},{"op":"StepRun","id":"b","data":{"x":2}}]`
	for range 2 { // an SDK repeats what it has heard no answer to
		if err := c.Async(t.Context(), body(id, steps)); err != nil {
			t.Fatal(err)
		}
	}
	state, err := backend.Load(t.Context(), id)
	if err != nil || strings.Join(state.Stack, ",") != "a,b" || string(state.Steps["b"]) != `{"data":{"x":2}}` || len(state.Jobs) != 1 {
		t.Errorf("state %+v, %v", state, err)
	}
	if err := c.Async(t.Context(), body(id, `[{"op":"StepPlanned","id":"q"}]`)); err != nil {
		t.Fatal(err)
	}
	rows, err := backend.History().Spans(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range map[string]trace.Status{"a": trace.Completed, "b": trace.Completed, "p": trace.Running, "q": trace.Running} {
		if !slices.ContainsFunc(rows, func(row trace.Span) bool { return row.Dynamic == trace.StepID(step) && row.Status == want }) {
			t.Errorf("step %s is not told as %s: %+v", step, want, rows)
		}
	}
	for _, none := range []string{`[]`, `null`} {
		if err := c.Async(t.Context(), body(id, none)); err != nil {
			t.Errorf("%s: %v", none, err)
		}
	}
}

func TestAsync_RefusesByName(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 4<<20)
	for name, c := range map[string]struct {
		steps, reason string
		large, noRun  bool
		limits        run.Limits
	}{
		"no JSON":         {steps: `[`, reason: "invalid request body: ", noRun: true},
		"an unknown op":   {steps: `[{"op":"Brew","id":"a"}]`, reason: "invalid request body: ", noRun: true},
		"a sleep":         {steps: `[{"op":"Sleep","id":"a","name":"1s"}]`, reason: "cannot checkpoint async steps"},
		"an end":          {steps: `[{"op":"RunComplete","id":"a"}]`, reason: "cannot checkpoint opcode: RunComplete"},
		"a step too big":  {steps: `[{"op":"StepRun","id":"a","data":"` + big + `"}]`, reason: "step a output too large: step output size is greater than the limit", large: true},
		"a run too large": {steps: `[{"op":"StepRun","id":"a","data":1}]`, reason: "The function run exceeded the state size limit", large: true, limits: run.Limits{StateBytes: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.limits == (run.Limits{}) {
				c.limits = run.DefaultLimits
			}
			use, backend, id := setup(t, c.limits)
			err := use.Async(t.Context(), body(id, c.steps))
			invalid := (*checkpoint.InvalidError)(nil)
			if !errors.As(err, &invalid) || !strings.HasPrefix(err.Error(), c.reason) || invalid.TooLarge != c.large || (invalid.Run == id) == c.noRun {
				t.Errorf("got %+v", err)
			}
			if state, err := backend.Load(t.Context(), id); err != nil || len(state.Stack) != 0 {
				t.Errorf("something was saved: %+v, %v", state, err)
			}
		})
	}
	use, _, _ := setup(t, run.DefaultLimits)
	err := use.Async(t.Context(), body(ulid.ULID{1}, `[{"op":"StepRun","id":"a"}]`))
	if invalid := (*checkpoint.InvalidError)(nil); !errors.As(err, &invalid) || invalid.Reason != "run not found in state store" {
		t.Errorf("got %v", err)
	}
}

func TestAsync_SaysWhenTheStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	use, backend, id := setup(t, run.DefaultLimits)
	backend.Close()
	err := use.Async(t.Context(), body(id, `[{"op":"StepRun","id":"a","data":1}]`))
	if invalid := (*checkpoint.InvalidError)(nil); err == nil || errors.As(err, &invalid) {
		t.Errorf("got %v", err)
	}
}

// retried is a run whose first job is in hand for the third time, at its second attempt.
func retried(t *testing.T, jobs func(*mem.Backend) checkpoint.Jobs) (*checkpoint.Checkpoint, *mem.Backend, ports.Lease) {
	t.Helper()
	_, backend, id := setup(t, run.DefaultLimits)
	lease := take(t, backend)
	state, err := backend.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	again := run.Transition{Current: run.Disposition{Fate: run.FateRetry, At: now, Attempt: 1}, RequestVersion: state.RequestVersion}
	if _, err := backend.Commit(t.Context(), ports.Commit{Lease: lease, State: state, Transition: again}); err != nil {
		t.Fatal(err)
	}
	if err := backend.Return(t.Context(), take(t, backend), now); err != nil {
		t.Fatal(err)
	}
	lease = take(t, backend)
	if lease.Job.Attempt != 1 || lease.Generation != 3 {
		t.Fatalf("lease %+v", lease)
	}
	advancer := advance.New(backend, ingest.New(backend, clock{}, ids{}), nil, slog.New(slog.DiscardHandler), advance.Pause(testkit.Clock{}))
	return checkpoint.New(checkpoint.Deps{
		Advance: advancer, Store: backend, History: backend.History(), Clock: clock{}, Jobs: jobs(backend), Limits: func(uuid.UUID) run.Limits { return run.DefaultLimits },
	}), backend, lease
}

func take(t *testing.T, backend *mem.Backend) ports.Lease {
	t.Helper()
	lease, ok := backend.TryLease()
	if !ok {
		t.Fatal("no job is due")
	}
	return lease
}

func unchecked(*mem.Backend) checkpoint.Jobs   { return nil }
func checked(b *mem.Backend) checkpoint.Jobs   { return b.Queue() }
func unavailable(*mem.Backend) checkpoint.Jobs { return brokenJobs{} }

type brokenJobs struct{}

func (brokenJobs) Generation(context.Context, ulid.ULID, string) (int, error) {
	return 0, ports.ErrUnavailable
}

func TestAsync_GivesTheJobItsAttemptsBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members, steps string
		want           int
	}{
		"a step":                {`"qi_id":"%s"`, `[{"op":"StepRun","id":"a","data":1}]`, 0},
		"a step with no job":    {`"qi_id":"no job%.0s"`, `[{"op":"StepRun","id":"a","data":1}]`, 1},
		"a job that is no text": {`"qi_id":[%.0s]`, `[{"op":"StepRun","id":"a","data":1}]`, 1},
		"nothing":               {`"qi_id":"%s"`, `[]`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			use, backend, lease := retried(t, unchecked)
			members := fmt.Sprintf(c.members, sdk.QueueItemID(lease.Job.ID))
			if err := use.Async(t.Context(), fmt.Appendf(nil, `{"run_id":%q,%s,"steps":%s}`, lease.Job.RunID, members, c.steps)); err != nil {
				t.Fatal(err)
			}
			// The server loses the job.
			if err := backend.Return(t.Context(), lease, now); err != nil {
				t.Fatal(err)
			}
			if got := take(t, backend).Job.Attempt; got != c.want {
				t.Errorf("attempt %d, want %d", got, c.want)
			}
		})
	}
}

func TestAsync_RefusesStaleCallsWhenAskedTo(t *testing.T) {
	t.Parallel()
	old, young := now.Add(-10*time.Second).UnixMilli(), now.Add(-9*time.Second).UnixMilli()
	for name, c := range map[string]struct {
		members string
		jobs    func(*mem.Backend) checkpoint.Jobs
		want    string
	}{
		"of the present generation":   {fmt.Sprintf(`"generation_id":3,"request_started_at":%d`, old), checked, ""},
		"of an earlier generation":    {fmt.Sprintf(`"generation_id":2,"request_started_at":%d`, old), checked, "stale dispatch: the call is of generation 2, its job of generation 3"},
		"that says no time":           {`"generation_id":1`, checked, "stale dispatch: the call is of generation 1, its job of generation 3"},
		"that is young":               {fmt.Sprintf(`"generation_id":2,"request_started_at":%d`, young), checked, ""},
		"that says no generation":     {fmt.Sprintf(`"request_started_at":%d`, old), checked, ""},
		"of a generation of text":     {`"generation_id":"two"`, checked, ""},
		"whose job cannot be read":    {`"generation_id":2`, unavailable, ""},
		"without the check":           {`"generation_id":2`, unchecked, ""},
		"of a job that there is not":  {`"generation_id":2,"qi_id":"` + sdk.QueueItemID("gone") + `"`, checked, "stale dispatch: the call is of generation 2, its job is gone (generation 0)"},
		"of a job that names nothing": {`"generation_id":2,"qi_id":"x"`, checked, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			use, backend, lease := retried(t, c.jobs)
			err := use.Async(t.Context(), fmt.Appendf(nil, `{"run_id":%q,"qi_id":%q,%s,"steps":[{"op":"StepRun","id":"a","data":1}]}`,
				lease.Job.RunID, sdk.QueueItemID(lease.Job.ID), c.members))
			state, loadErr := backend.Load(t.Context(), lease.Job.RunID)
			if loadErr != nil {
				t.Fatal(loadErr)
			}
			invalid := (*checkpoint.InvalidError)(nil)
			switch {
			case c.want == "" && (err != nil || len(state.Stack) != 1):
				t.Errorf("got %v, saved %v", err, state.Stack)
			case c.want != "" && (!errors.As(err, &invalid) || !invalid.Stale || invalid.Run != lease.Job.RunID || err.Error() != c.want || len(state.Stack) != 0):
				t.Errorf("got %v, saved %v", err, state.Stack)
			}
		})
	}
	// A run that has ended is not found, whatever its job.
	use, _, lease := retried(t, checked)
	err := use.Async(t.Context(), fmt.Appendf(nil, `{"run_id":%q,"qi_id":%q,"generation_id":2,"steps":[]}`, ulid.ULID{1}, sdk.QueueItemID(lease.Job.ID)))
	if err == nil || err.Error() != "run not found in state store" {
		t.Errorf("got %v", err)
	}
}
