package sdkgo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

var rerunScenarios = map[string]func(*testing.T, *app){
	"rerun, and rerun from a step":    testRerun,
	"rerun from the step that failed": testRerunFailed,
}

func (a *app) createReruns(t *testing.T) {
	t.Helper()
	none := 0
	a.create(t, inngestgo.FunctionOpts{ID: "rerun", Name: "rerun", Retries: &none}, "go/rerun", nil, func(ctx context.Context, in input) (any, error) {
		first := stepOf(ctx, a, in, "first", 1)
		step.Sleep(ctx, "nap", 100*time.Millisecond)
		return stepOf(ctx, a, in, "last", first+1), nil
	})
	a.create(t, inngestgo.FunctionOpts{ID: "rerun-fails", Name: "rerun-fails", Retries: &none}, "go/rerun-fails", nil, func(ctx context.Context, in input) (any, error) {
		stepOf(ctx, a, in, "first", 1)
		return step.Run(ctx, "second", func(context.Context) (int, error) {
			a.noteStep(in, "second", "second")
			if len(a.times("rerun-fails", "second")) == 1 {
				return 0, errors.New("the first time")
			}
			return 2, nil
		})
	})
}

// again starts a run again and returns its end.
func (a *app) again(t *testing.T, runID, body string) harness.Run {
	t.Helper()
	status, text, err := a.server.Call(t.Context(), http.MethodPost, "/api/v2/runs/"+runID+"/rerun", body)
	var answer struct {
		Data struct {
			RunID string `json:"runId"`
		} `json:"data"`
	}
	if err != nil || status != http.StatusOK || json.Unmarshal([]byte(text), &answer) != nil {
		t.Fatalf("rerun %s: status %d, %v: %s", runID, status, err, text)
	}
	return a.server.AwaitRunID(t, answer.Data.RunID, waitLimit)
}

func testRerun(t *testing.T, a *app) {
	run := a.finish(t, "go/rerun", "rerun", harness.Completed)
	whole := a.again(t, run.ID, "")
	if whole.Status != harness.Completed || string(whole.Output) != "2" {
		t.Errorf("rerun ended %s with %s", whole.Status, whole.Output)
	}
	a.sawTimes(t, "rerun", "first", 2)
	last := a.again(t, run.ID, `{"fromStep":{"stepId":"last"}}`)
	if last.Status != harness.Completed || string(last.Output) != "2" {
		t.Errorf("rerun from a step ended %s with %s", last.Status, last.Output)
	}
	a.sawTimes(t, "rerun", "first", 2)
	a.sawTimes(t, "rerun", "last", 3)
}

func testRerunFailed(t *testing.T, a *app) {
	run := a.finish(t, "go/rerun-fails", "rerun-fails", harness.Failed)
	again := a.again(t, run.ID, `{"fromStep":{"stepId":"second"}}`)
	if again.Status != harness.Completed || string(again.Output) != "2" {
		t.Errorf("rerun ended %s with %s", again.Status, again.Output)
	}
	a.sawOnce(t, "rerun-fails", "first")
}
