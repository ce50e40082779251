package trace_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
)

// TestAdvanced_Timing has where the rows of an answer tell where the time of its call went: once, at what the call did or came to first.
func TestAdvanced_Timing(t *testing.T) {
	t.Parallel()
	some := sdk.Timing{Total: 9 * time.Millisecond, Transfer: 1999 * time.Microsecond, TCP: 3 * time.Millisecond}
	step := func(op sdk.Opcode, id string) sdk.Op { return sdk.Op{Op: op, ID: id, Opts: json.RawMessage(`{}`)} }
	for name, c := range map[string]struct {
		reply   sdk.Reply
		timing  sdk.Timing
		attempt int
		early   bool
		limited bool
		want    map[string]string // by span
	}{
		"a step": {ops(step(sdk.OpStepRun, "s")), some, 0, false, false, map[string]string{trace.StepID("s"): "timing [5,9,1,3]"}},
		"a step that fails": {
			ops(sdk.Op{Op: sdk.OpStepError, ID: "s", Error: &sdk.OpError{Name: "E"}}), some, 0, false, false, map[string]string{trace.AttemptID("s", 0): "timing [5,9,1,3]"},
		},
		"two steps":            {ops(step(sdk.OpStepRun, "s"), step(sdk.OpStepRun, "t")), some, 0, false, false, map[string]string{trace.StepID("s"): "timing [5,9,1,3]"}},
		"planned steps":        {ops(step(sdk.OpStepPlanned, "s"), step(sdk.OpStepPlanned, "t")), some, 0, false, false, map[string]string{trace.StepID("s"): "plan [5,9,1,3]"}},
		"what begins at once":  {ops(step(sdk.OpStepPlanned, "s"), sdk.Op{Op: sdk.OpSleep, ID: "t", Name: "1m"}), some, 0, false, false, map[string]string{trace.SleepID("t"): "plan [5,9,1,3]"}},
		"an end":               {sdk.Reply{Status: 200, FromSDK: true, Output: json.RawMessage(`1`)}, some, 0, false, false, map[string]string{rootID: "timing [5,9,1,3]"}},
		"an end after retries": {sdk.Reply{Status: 200, FromSDK: true, Output: json.RawMessage(`1`)}, some, 1, false, false, map[string]string{trace.NonStepID(startGroup, 1): "timing [5,9,1,3]"}},
		"a call that fails": {
			sdk.Reply{Status: 500, Failure: &sdk.Failure{Text: "no", Name: "E"}}, some, 0, false, false, map[string]string{trace.NonStepID(startGroup, 0): "timing [5,9,1,3]"},
		},
		"all that there is": {
			ops(step(sdk.OpStepRun, "s")), sdk.Timing{Total: 9e6, DNS: 1e6, TCP: 2e6, TLS: 3e6}, 0, false, false, map[string]string{trace.StepID("s"): "timing [5,9,0,2,3,1]"},
		},
		"an instant":                  {ops(step(sdk.OpStepRun, "s")), sdk.Timing{Total: 1}, 0, false, false, map[string]string{trace.StepID("s"): "timing [5]"}},
		"before it was due":           {ops(step(sdk.OpStepRun, "s")), some, 0, true, false, map[string]string{trace.StepID("s"): "timing [0,9,1,3]"}},
		"behind a limit":              {ops(step(sdk.OpStepRun, "s")), some, 0, false, true, map[string]string{trace.StepID("s"): "timing [0,9,1,3,0,0,5]"}},
		"a call that is not measured": {ops(step(sdk.OpStepRun, "s")), sdk.Timing{}, 0, false, false, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			job := w.the(run.KindStart)
			job.Attempt = c.attempt
			called := job.At.Add(5 * time.Millisecond)
			if c.early {
				called = job.At.Add(-5 * time.Millisecond)
			}
			rows := w.do(job, run.Replied{
				Job: job, Reply: c.reply, CalledAt: called, Now: called.Add(10 * time.Millisecond), Limits: run.DefaultLimits,
				Exchange: run.Exchange{Request: "r", Status: c.reply.Status, Timing: c.timing, Limited: c.limited},
			})
			got := map[string]string{}
			for _, row := range rows {
				var attributes map[string]json.RawMessage
				if err := json.Unmarshal(row.Attributes, &attributes); err != nil {
					t.Fatal(err)
				}
				if told := attributes[trace.KeyTiming]; told != nil {
					got[row.Dynamic] = "timing " + string(told)
				}
				if told := attributes[trace.KeyPlanTiming]; told != nil {
					got[row.Dynamic] = "plan " + string(told)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// startGroup is the group of the run's first call.
var startGroup = func() string {
	_, jobs := run.New(specOf())
	return trace.GroupID(jobs[0].ID)
}()
