package sdkgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/pkg/checkpoint"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

const (
	checkpointed = 5                      // steps of each function here
	slow         = 300 * time.Millisecond // how long those of checkpoint-runtime take
)

var checkpointScenarios = map[string]func(*testing.T, *app){
	"checkpoint each step":                       func(t *testing.T, a *app) { testCheckpoint(t, a, "checkpoint-each", 1, 1) },
	"checkpoint buffered steps":                  func(t *testing.T, a *app) { testCheckpoint(t, a, "checkpoint-buffered", 2, 2) },
	"checkpoint until the time of a call is up":  func(t *testing.T, a *app) { testCheckpoint(t, a, "checkpoint-runtime", 2, checkpointed+1) },
	"checkpoint before a sleep":                  func(t *testing.T, a *app) { testCheckpoint(t, a, "checkpoint-sleep", 2, checkpointed) },
	"app answers 500 once, no step runs again":   func(t *testing.T, a *app) { testCheckpoint(t, a, "checkpoint-500", 2, checkpointed+1) },
	"without checkpoints every step is returned": func(t *testing.T, a *app) { testCheckpoint(t, a, "checkpoint-none", checkpointed+1, checkpointed+1) },
}

func (a *app) createCheckpointed(t *testing.T) {
	t.Helper()
	stepping := func(id string, config *checkpoint.Config, between func(context.Context, input, int) error) {
		a.create(t, inngestgo.FunctionOpts{ID: id, Name: id, Checkpoint: config}, "go/"+id, nil, func(ctx context.Context, in input) (any, error) {
			a.note(in, "call")
			for i := range checkpointed {
				stepOf(ctx, a, in, fmt.Sprintf("step %d", i), i)
				if between == nil {
					continue
				}
				if err := between(ctx, in, i); err != nil {
					return nil, err
				}
			}
			return "all", nil
		})
	}
	stepping("checkpoint-none", nil, nil)
	stepping("checkpoint-each", checkpoint.ConfigSafe, nil)
	stepping("checkpoint-buffered", &checkpoint.Config{BatchSteps: 3, BatchInterval: time.Minute}, nil)
	stepping("checkpoint-runtime", &checkpoint.Config{MaxRuntime: 2 * slow}, func(ctx context.Context, _ input, _ int) error {
		select { // the code between the steps takes its time
		case <-time.After(slow):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	stepping("checkpoint-sleep", checkpoint.ConfigPerformant, func(ctx context.Context, _ input, i int) error {
		if i == 1 {
			step.Sleep(ctx, "nap", time.Second)
		}
		return nil
	})
	stepping("checkpoint-500", checkpoint.ConfigSafe, func(_ context.Context, in input, i int) error {
		if i != 1 || in.InputCtx.Attempt > 0 {
			return nil
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.broken[in.InputCtx.RunID] = true
		return errors.New("broken down")
	})
}

// testCheckpoint runs the function to its end: each step once, in least to most calls. What is buffered at the end the
// SDK returns, and is called again.
func testCheckpoint(t *testing.T, a *app, name string, least, most int) {
	run := a.finish(t, "go/"+name, name, harness.Completed)
	sameJSON(t, "result", a.result(t, run.ID), `"all"`)
	for i := range checkpointed {
		a.sawOnce(t, name, fmt.Sprintf("step %d", i))
	}
	if calls := len(a.times(name, "call")); calls < least || calls > most {
		t.Errorf("%d calls, want %d to %d", calls, least, most)
	}
}

// result waits for the event that tells of the run's end and returns the result in it, which the read API does not know
// of runs that end by an opcode (Spec 04 §7.2).
func (a *app) result(t *testing.T, runID string) json.RawMessage {
	t.Helper()
	var data json.RawMessage
	harness.Eventually(t, waitLimit, "finished event of run "+runID, func() (bool, string) {
		a.mu.Lock()
		defer a.mu.Unlock()
		data = a.finished[runID]
		return data != nil, "not seen"
	})
	var finished struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(data, &finished); err != nil {
		t.Fatalf("finished event of run %s: %v in %s", runID, err, data)
	}
	return finished.Result
}

// observe keeps what finished events say.
func (a *app) observe(_ context.Context, in input) (any, error) {
	data, err := json.Marshal(in.Event.Data)
	if err != nil {
		return nil, err
	}
	id, _ := in.Event.Data["run_id"].(string)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.finished[id] = data
	return nil, nil
}
