package sdkgo

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/inngest/inngestgo"

	"github.com/ingothq/ingot/test/harness"
)

var cronScenarios = map[string]func(*testing.T, *app){
	"a function on a schedule":               func(t *testing.T, a *app) { a.testTimed(t, "timed", 0) },
	"a function on a schedule with a jitter": func(t *testing.T, a *app) { a.testTimed(t, "jittered", jitterMost) },
}

const (
	everyMinute = "* * * * *"
	jitterMost  = 3 * time.Second
	// tickLimit bounds the wait for a tick, which comes within a minute.
	tickLimit = waitLimit + time.Minute
)

// createTimed declares functions that the clock starts. They return their event, and are known by their ids.
func (a *app) createTimed(t *testing.T) {
	t.Helper()
	for id, trigger := range map[string]inngestgo.Trigger{
		"timed": inngestgo.CronTrigger(everyMinute), "jittered": inngestgo.CronTriggerWithJitter(everyMinute, jitterMost),
	} {
		opts := inngestgo.FunctionOpts{ID: id, Name: id, Retries: inngestgo.IntPtr(0)}
		_, err := inngestgo.CreateFunction(a.client, opts, trigger, func(_ context.Context, in input) (any, error) {
			a.noteKey(id, in.InputCtx.RunID, "call")
			return in.Event, nil
		})
		if err != nil {
			t.Fatalf("create function %s: %v", id, err)
		}
	}
}

// testTimed waits for the first run of a function on a schedule and checks its event.
func (a *app) testTimed(t *testing.T, id string, jitter time.Duration) {
	t.Helper()
	harness.Eventually(t, tickLimit, "tick of "+id, func() (bool, string) { return len(a.runs(id)) > 0, "no call yet" })
	called := a.times(id, "call")[0]
	run := a.server.AwaitRunID(t, a.runs(id)[0], waitLimit)
	if run.Status != harness.Completed || run.Cron != everyMinute {
		t.Errorf("run %+v", run)
	}
	var event struct {
		ID, Name string
		Data     struct{ Cron, ScheduledAt, FireAt string }
		TS       int64
	}
	if err := json.Unmarshal(run.Output, &event); err != nil {
		t.Fatalf("%v in %s", err, run.Output)
	}
	scheduled, err := time.Parse(time.RFC3339, event.Data.ScheduledAt)
	if err != nil || scheduled.Second() != 0 || event.ID != event.Data.ScheduledAt || event.Name != "inngest/scheduled.timer" || event.Data.Cron != everyMinute {
		t.Errorf("event %s, %v", run.Output, err)
	}
	fire := time.UnixMilli(event.TS)
	least := min(jitter, time.Second)
	if later := fire.Sub(scheduled); later < least || later > max(jitter-time.Millisecond, 0) || event.Data.FireAt != fire.UTC().Format(time.RFC3339) {
		t.Errorf("the tick of %s fires at %s", event.Data.ScheduledAt, fire)
	}
	if called.Before(fire) || called.After(fire.Add(10*time.Second)) {
		t.Errorf("called at %s, to be fired at %s", called, fire)
	}
	kept, err := a.server.EventData(t.Context(), run.EventID)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "data of the event", kept, `{"cron":"`+everyMinute+`","fireAt":"`+event.Data.FireAt+`","scheduledAt":"`+event.Data.ScheduledAt+`"}`)
}
