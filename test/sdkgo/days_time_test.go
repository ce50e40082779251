package sdkgo

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	ierrors "github.com/inngest/inngestgo/errors"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

// changeOfClocks is the day, at half past nine, of the next change of clocks in Berlin that is more than a week away.
func changeOfClocks(t *testing.T, now time.Time) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := now.In(zone)
	at = time.Date(at.Year(), at.Month(), at.Day()+8, 9, 30, 0, 0, zone)
	for range 366 {
		_, before := at.AddDate(0, 0, -1).Zone()
		if _, offset := at.Zone(); offset != before {
			return at
		}
		at = at.AddDate(0, 0, 1)
	}
	t.Fatal("the clocks do not change any more")
	return time.Time{}
}

// ticks tests that a schedule ticks at one time and at the next, not before either, and not in between.
func (d *days) ticks(t *testing.T, schedule string, days [2]int, apart []time.Duration) {
	t.Helper()
	opts := inngestgo.FunctionOpts{ID: "timed", Name: "timed", Retries: inngestgo.IntPtr(0)}
	_, err := inngestgo.CreateFunction(d.client, opts, inngestgo.CronTrigger(schedule), func(_ context.Context, in input) (any, error) {
		at, _ := in.Event.Data["scheduledAt"].(string)
		d.noteKey("timed", in.InputCtx.RunID, at)
		return at, nil
	})
	if err != nil {
		t.Fatalf("create the function: %v", err)
	}
	d.register(t)
	change := changeOfClocks(t, d.server.Now(t))
	first, second := change.AddDate(0, 0, days[0]), change.AddDate(0, 0, days[1])
	if !slices.Contains(apart, second.Sub(first)) {
		t.Fatalf("the ticks are %s apart, want one of %s", second.Sub(first), apart)
	}
	text := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	d.to(t, first.Add(-margin)) // of the ticks that were missed on the way the latest comes late
	d.sawTimes(t, "timed", text(first), 0)
	d.to(t, first.Add(margin))
	d.await(t, "timed", text(first))
	ticks := len(d.runs("timed"))
	d.to(t, second.Add(-margin))
	if now := len(d.runs("timed")); now != ticks {
		t.Errorf("%d ticks in between", now-ticks)
	}
	d.to(t, second.Add(margin))
	d.await(t, "timed", text(second))
	d.quiet(t)
	d.sawOnce(t, "timed", text(first), text(second))
	if now := len(d.runs("timed")); now != ticks+1 {
		t.Errorf("%d ticks at the second time", now-ticks)
	}
}

func testCronDaily(t *testing.T, d *days) {
	d.ticks(t, "TZ=Europe/Berlin 30 9 * * *", [2]int{-1, 0}, []time.Duration{23 * time.Hour, 25 * time.Hour})
}

// The clocks change on Sundays.
func testCronWeekly(t *testing.T, d *days) {
	d.ticks(t, "TZ=Europe/Berlin 30 9 * * 1", [2]int{-6, 1}, []time.Duration{7*day - time.Hour, 7*day + time.Hour})
}

func testEventInAMonth(t *testing.T, d *days) {
	const name = "planned"
	d.createSingle(t, inngestgo.FunctionOpts{ID: name})
	d.register(t)
	d.mark(t)
	id := d.sendAt(t, "go/"+name, one(name, "g", 1), d.begin.Add(30*day))
	d.before(t, 30*day)
	d.ran(t, name, "g")
	d.past(t, 30*day)
	d.settle(t, id, "planned 1", harness.Completed)
}

func testSleepYear(t *testing.T, d *days) {
	const name = "sleep"
	d.createNap(t, inngestgo.FunctionOpts{ID: name}, 365*day)
	d.register(t)
	d.mark(t)
	id := d.nap(t, name, 1)
	d.before(t, 365*day)
	d.goesOn(t, id)
	d.slept(t, map[string]bool{"sleep 1": false})
	d.past(t, 365*day)
	d.settle(t, id, "sleep 1", harness.Completed)
	d.sawOnce(t, "sleep 1", "before", "after")
}

func testSleepUntilYear(t *testing.T, d *days) {
	const name = "sleep-until"
	d.mark(t)
	until := d.begin.Add(365 * day)
	d.create(t, inngestgo.FunctionOpts{ID: name, Name: name}, "go/"+name, nil, func(ctx context.Context, in input) (any, error) {
		stepOf(ctx, d.app, in, "before", 1)
		step.SleepUntil(ctx, "nap", until)
		return stepOf(ctx, d.app, in, "after", in.Event.Data["n"]), nil
	})
	d.register(t)
	id := d.nap(t, name, 1)
	d.before(t, 365*day)
	d.goesOn(t, id)
	d.slept(t, map[string]bool{"sleep-until 1": false})
	d.past(t, 365*day)
	d.settle(t, id, "sleep-until 1", harness.Completed)
}

func testWaitMonth(t *testing.T, d *days) {
	const name = "wait"
	d.create(t, inngestgo.FunctionOpts{ID: name, Name: name}, "go/"+name, nil, func(ctx context.Context, in input) (any, error) {
		stepOf(ctx, d.app, in, "before", 1)
		_, err := step.WaitForEvent[object](ctx, "wait", step.WaitForEventOpts{
			Event: "go/wait.go", Timeout: 30 * day, If: inngestgo.StrPtr("async.data.key == event.data.key"),
		})
		if err != nil && !errors.Is(err, step.ErrEventNotReceived) {
			return nil, err
		}
		return stepOf(ctx, d.app, in, "after", err == nil), nil
	})
	d.register(t)
	d.mark(t)
	first, second := d.nap(t, name, 1), d.nap(t, name, 2)
	d.before(t, 30*day)
	d.slept(t, map[string]bool{"wait 1": false, "wait 2": false})
	d.send(t, "go/wait.go", object{"key": "wait 2"})
	sameJSON(t, "output", d.settle(t, second, "wait 2", harness.Completed).Output, `true`)
	d.goesOn(t, first)
	d.past(t, 30*day)
	sameJSON(t, "output", d.settle(t, first, "wait 1", harness.Completed).Output, `false`)
}

func testInvokeMonth(t *testing.T, d *days) {
	const name = "invoke"
	d.createNap(t, inngestgo.FunctionOpts{ID: "child"}, 60*day)
	d.create(t, inngestgo.FunctionOpts{ID: name, Name: name}, "go/"+name, nil, func(ctx context.Context, in input) (any, error) {
		d.note(in, "call")
		_, err := step.Invoke[any](ctx, "call", step.InvokeOpts{FunctionId: "go-suite-child", Data: object{"key": "child", "n": 7}, Timeout: 30 * day})
		return object{"in time": err == nil}, nil
	})
	d.register(t)
	d.mark(t)
	id := d.send(t, "go/"+name, object{"key": name})
	child := d.await(t, "child", "before")
	d.before(t, 30*day)
	d.goesOn(t, id)
	d.past(t, 30*day)
	sameJSON(t, "output", d.settle(t, id, name, harness.Completed).Output, `{"in time":false}`)
	d.before(t, 60*day)
	d.slept(t, map[string]bool{"child": false})
	d.past(t, 60*day) // the child goes on without its parent
	if run := d.server.AwaitRunID(t, child, waitLimit); run.Status != harness.Completed {
		t.Errorf("child is %s", run.Status)
	}
}

func testCancelOnDays(t *testing.T, d *days) {
	const name = "cancellable"
	d.createNap(t, inngestgo.FunctionOpts{ID: name, Cancel: []inngestgo.ConfigCancel{{
		Event: "go/cancel.now", If: inngestgo.StrPtr("async.data.key == event.data.key"), Timeout: inngestgo.StrPtr("3d"),
	}}}, 10*day)
	d.register(t)
	d.mark(t)
	first, second := d.nap(t, name, 1), d.nap(t, name, 2)
	d.before(t, 3*day)
	d.send(t, "go/cancel.now", object{"key": "cancellable 1"})
	d.settle(t, first, "cancellable 1", harness.Cancelled)
	d.past(t, 3*day)
	d.send(t, "go/cancel.now", object{"key": "cancellable 2"})
	d.quiet(t)
	d.goesOn(t, second)
	d.before(t, 10*day)
	d.goesOn(t, second)
	d.past(t, 10*day)
	d.settle(t, second, "cancellable 2", harness.Completed)
	d.slept(t, map[string]bool{"cancellable 1": false})
}

func testStartTimeoutDays(t *testing.T, d *days) {
	const name = "start-timeout"
	start := 2 * day
	d.createSingle(t, inngestgo.FunctionOpts{
		ID: name, Timeouts: &inngestgo.ConfigTimeouts{Start: &start}, Throttle: &inngestgo.ConfigThrottle{Limit: 1, Period: 4 * day},
	})
	d.register(t)
	d.mark(t)
	d.through(t, name, one(name, "g", 1))
	second := d.send(t, "go/"+name, one(name, "g", 2))
	d.before(t, 2*day)
	d.goesOn(t, second)
	d.past(t, 2*day)
	if run := d.server.AwaitRun(t, second, waitLimit); run.Status != harness.Cancelled {
		t.Errorf("run is %s, want it cancelled", run.Status)
	}
	d.past(t, 5*day)
	d.ran(t, name, "g", 1)
}

func testFinishTimeoutDays(t *testing.T, d *days) {
	const name = "finish-timeout"
	finish := 3 * day
	d.createNap(t, inngestgo.FunctionOpts{ID: name, Timeouts: &inngestgo.ConfigTimeouts{Finish: &finish}}, 10*day)
	d.register(t)
	d.mark(t)
	id := d.nap(t, name, 1)
	d.before(t, 3*day)
	d.goesOn(t, id)
	d.past(t, 3*day)
	d.settle(t, id, "finish-timeout 1", harness.Cancelled)
	d.past(t, 11*day)
	d.slept(t, map[string]bool{"finish-timeout 1": false})
}

func testRetryInADay(t *testing.T, d *days) {
	const name = "retry"
	d.create(t, inngestgo.FunctionOpts{ID: name, Name: name, Retries: inngestgo.IntPtr(3)}, "go/"+name, nil, func(ctx context.Context, in input) (any, error) {
		return step.Run(ctx, "later", func(context.Context) (string, error) {
			d.noteStep(in, "later", "later")
			if in.InputCtx.Attempt == 0 {
				return "", ierrors.RetryAtError(errors.New("tomorrow"), time.Now().Add(day))
			}
			return "came", nil
		})
	})
	d.register(t)
	d.mark(t)
	id := d.send(t, "go/"+name, object{"key": name})
	d.await(t, name, "later")
	d.before(t, day)
	d.goesOn(t, id)
	d.sawTimes(t, name, "later", 1)
	d.past(t, day)
	sameJSON(t, "output", d.settle(t, id, name, harness.Completed).Output, `"came"`)
	d.sawTimes(t, name, "later", 2)
}
