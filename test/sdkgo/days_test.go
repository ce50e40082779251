package sdkgo

import (
	"context"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

const day = 24 * time.Hour

// dayScenarios are about what takes days. Each has an app and a server of its own, since all that is on a server shares its time.
var dayScenarios = map[string]func(*testing.T, *days){
	"debounce of a week":                              testDebounceDays,
	"debounce by a key waits for its timeout at most": testDebounceDaysTimeout,
	"batch by a key and a condition waits for hours":  testBatchHours,
	"rate limit of a day":                             testRateLimitDay,
	"idempotency ends after a day":                    testIdempotencyDay,
	"an event's id counts for a day":                  testEventIDDay,
	"throttle of a day with a burst":                  testThrottleDay,
	"a run that sleeps for days takes no capacity":    testConcurrencyDays,
	"a run that sleeps for days keeps its place":      testRunLimitDays,
	"singleton skips while a run sleeps for days":     testSingletonSkipDays,
	"singleton cancels a run that sleeps for days":    testSingletonCancelDays,
	"a run of low priority is half a day late":        testPriorityHours,
	"a schedule of every day over a change of clocks": testCronDaily,
	"a schedule of every week, over the same":         testCronWeekly,
	"an event with a time in a month":                 testEventInAMonth,
	"sleep for a year":                                testSleepYear,
	"sleep until a day in a year":                     testSleepUntilYear,
	"wait for an event for a month":                   testWaitMonth,
	"invoke with a timeout of a month":                testInvokeMonth,
	"an event cancels for so many days":               testCancelOnDays,
	"cancelled when it has not started for days":      testStartTimeoutDays,
	"cancelled when it has gone on for days":          testFinishTimeoutDays,
	"step asks for a retry in a day":                  testRetryInADay,
}

// TestGoSDK_Days runs scenarios on servers whose time is moved by hand.
func TestGoSDK_Days(t *testing.T) {
	t.Parallel()
	for name, scenario := range dayScenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := harness.Options{Clock: true}
			server := harness.Start(t, opts)
			a, _ := emptyApp(t, server, opts)
			a.create(t, inngestgo.FunctionOpts{ID: "probe", Name: "probe"}, "go/probe", nil, func(_ context.Context, in input) (any, error) {
				a.note(in, "call")
				return "there", nil
			})
			scenario(t, &days{app: a})
		})
	}
}

// days is an app whose server's time is moved by hand. The SDK and the app stay behind, in the machine's time: what they tell of their own
// time, such as the time of an event, is as it should be only until the first move.
type days struct {
	*app
	begin time.Time
}

// margin is how far before and after a time things are looked at. All that a scenario does in between takes less of real time.
const margin = time.Minute

// mark begins to count time. What is done next counts from here.
func (d *days) mark(t *testing.T) {
	t.Helper()
	d.begin = d.server.Now(t)
}

// before moves the time to just before so much has passed since the mark, and lets happen what is due.
func (d *days) before(t *testing.T, passed time.Duration) {
	t.Helper()
	d.to(t, d.begin.Add(passed-margin))
}

// past moves the time to just after so much has passed since the mark, and lets happen what is due.
func (d *days) past(t *testing.T, passed time.Duration) {
	t.Helper()
	d.to(t, d.begin.Add(passed+margin))
}

// to moves the time once what was done before it has had its effect.
func (d *days) to(t *testing.T, at time.Time) {
	t.Helper()
	d.quiet(t)
	by := at.Sub(d.server.Now(t))
	if by < 0 {
		t.Fatalf("%s is past: the scenario has taken %s longer than its margin", at, -by)
	}
	d.server.Advance(t, by)
	d.quiet(t)
}

// quiet returns when two runs, one after the other, have come from an event to their ends: what was due before is then in the app,
// or ended.
func (d *days) quiet(t *testing.T) {
	t.Helper()
	for range 2 {
		id := d.send(t, "go/probe", object{"key": "probe"})
		if run := d.server.AwaitRun(t, id, waitLimit); run.Status != harness.Completed {
			t.Fatalf("probe is %s: %s", run.Status, run.Output)
		}
	}
}

// goesOn fails the test unless the one run of the event is in progress.
func (d *days) goesOn(t *testing.T, eventID string) {
	t.Helper()
	runs, err := d.server.EventRuns(t.Context(), eventID)
	if err != nil || len(runs) != 1 || runs[0].Ended() {
		t.Errorf("runs of event %s are %+v, %v; want one in progress", eventID, runs, err)
	}
}

// createNap makes a function that sleeps between two steps and returns its event's number.
func (d *days) createNap(t *testing.T, opts inngestgo.FunctionOpts, nap time.Duration) {
	t.Helper()
	opts.Name, opts.Retries = opts.ID, inngestgo.IntPtr(0)
	d.create(t, opts, "go/"+opts.ID, nil, func(ctx context.Context, in input) (any, error) {
		stepOf(ctx, d.app, in, "before", 1)
		step.Sleep(ctx, "nap", nap)
		return stepOf(ctx, d.app, in, "after", in.Event.Data["n"]), nil
	})
}

// nap sends an event of a function that naps, and returns its ID when the run has begun.
func (d *days) nap(t *testing.T, name string, n int) string {
	t.Helper()
	data := one(name, "g", n)
	id := d.send(t, "go/"+name, data)
	d.await(t, data["key"].(string), "before")
	return id
}

// slept fails the test unless exactly these of the events' runs, by their keys, have gone on after their nap.
func (d *days) slept(t *testing.T, want map[string]bool) {
	t.Helper()
	for key, after := range want {
		if got := len(d.times(key, "after")) > 0; got != after {
			t.Errorf("%s went on: %v, want %v", key, got, after)
		}
	}
}
