package checkpoint_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

type clock struct{}

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
	advancer := advance.New(backend, ingest.New(backend, clock{}, ids{}), nil, slog.New(slog.DiscardHandler), nil)
	return checkpoint.New(advancer, func(uuid.UUID) run.Limits { return limits }, clock{}), backend, id
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
