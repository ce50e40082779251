package flow

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
)

// request is one of the function for the event.
func request(t testing.TB, settings function.Settings, from Origin, e event.Tracked) Request {
	t.Helper()
	compiled := compile(t, settings)
	return Request{Settings: compiled, Values: compiled.Evaluate(e.Event, from, epoch), ID: idOf(500), Event: e, Size: 100}
}

// TestAdmit is the order of spec 11 §2: each case has everything that is stored stand in the way, and shows what comes first.
func TestAdmit(t *testing.T) {
	t.Parallel()
	var (
		holder, duplicate = idOf(600), idOf(601)
		e                 = eventOf(1, `{}`)
		old               = eventOf(2, `{}`)
		waiting           = &Debounced{ID: idOf(602), Event: old, Due: epoch.Add(time.Second)}
		open              = &OpenBatch{idOf(603), 1, 100, epoch.Add(time.Second)}
		everything        = Known{Debounced: waiting, Batch: open, Holder: holder, Paused: true, Run: duplicate}
		spent             = &Taken{Allowed: true, TAT: epoch.Add(time.Hour), TTL: time.Hour, RetryAt: epoch.Add(time.Hour)}
		limited           = Known{RateLimit: Counted{TAT: epoch.Add(time.Minute)}}

		batch     = &function.Batch{MaxSize: 2, Timeout: "2s"}
		rate      = &function.RateLimit{Limit: 1, Period: "1h"}
		debounces = &function.Debounce{Period: "2s"}
		skips     = &function.Singleton{Mode: function.SingletonSkip}
		cancels   = &function.Singleton{Mode: function.SingletonCancel}
		all       = function.Settings{Batch: batch, RateLimit: rate, Debounce: debounces, Singleton: skips}
	)
	later := withTS(e, epoch.Add(time.Hour))
	for name, c := range map[string]struct {
		settings function.Settings
		from     Origin
		event    event.Tracked
		known    Known
		want     Outcome
	}{
		"nothing asked for": {function.Settings{}, FromEvent, e, Known{}, Outcome{Start: epoch}},
		"nothing asked for, everything stored": {
			function.Settings{}, FromEvent, e, Known{Debounced: waiting, Batch: open, Holder: holder, RateLimit: limited.RateLimit}, Outcome{Start: epoch},
		},
		"batch before all": {all, FromEvent, e, everything, Outcome{Result: IntoBatch, Batch: &Appended{Put: put(603), Full: []OpenBatch{{idOf(603), 2, 200, open.Deadline}}}}},
		"a new batch": {all, FromEvent, e, limited, Outcome{Result: IntoBatch, Batch: &Appended{
			Put: put(500), Open: &OpenBatch{idOf(500), 1, 100, epoch.Add(2 * time.Second)},
		}}},
		"a batch has it already": {all, FromEvent, e, Known{Seen: true, Batch: open}, Outcome{Result: IntoBatch, Batch: &Appended{Put: put(0), Open: open}}},
		"rate limit before debounce": {
			all, FromCron, e, Known{RateLimit: limited.RateLimit, Debounced: waiting, Holder: holder, Paused: true, Run: duplicate},
			Outcome{Result: RateLimited, RetryAt: epoch.Add(time.Minute)},
		},
		"counted before, over the limit": {
			function.Settings{RateLimit: rate}, FromEvent, e, Known{RateLimit: Counted{TAT: epoch.Add(time.Hour), Before: true}}, Outcome{Start: epoch},
		},
		"debounce before the rest": {
			all, FromCron, e, everything, Outcome{
				Result: IntoDebounce, Spent: spent, Superseded: &old, Debounced: &Debounced{ID: idOf(602), Event: e, Due: epoch.Add(2 * time.Second)},
			},
		},
		"the first to be debounced": {
			function.Settings{Debounce: debounces}, FromEvent, e, Known{Paused: true, Run: duplicate},
			Outcome{Result: IntoDebounce, Debounced: &Debounced{ID: idOf(500), Event: e, Due: epoch.Add(2 * time.Second)}},
		},
		"older than what waits": {
			all, FromCron, withTS(e, epoch.Add(-2*time.Hour)), everything,
			Outcome{Result: IntoDebounce, Spent: spent, Superseded: func() *event.Tracked { e := withTS(e, epoch.Add(-2*time.Hour)); return &e }()},
		},
		"what waits, again":          {function.Settings{Debounce: debounces}, FromEvent, old, Known{Debounced: waiting}, Outcome{Result: IntoDebounce, Debounced: waiting}},
		"a rerun is not counted":     {function.Settings{RateLimit: rate}, FromRerun, e, limited, Outcome{Start: epoch}},
		"a rerun is debounced":       {all, FromRerun, e, Known{}, Outcome{Result: IntoDebounce, Debounced: &Debounced{ID: idOf(500), Event: e, Due: epoch.Add(2 * time.Second)}}},
		"a tick is counted":          {function.Settings{RateLimit: rate, Batch: batch}, FromCron, e, limited, Outcome{Result: RateLimited, RetryAt: epoch.Add(time.Minute)}},
		"a debounce is not":          {function.Settings{RateLimit: rate, Debounce: debounces}, FromDebounce, e, Known{RateLimit: limited.RateLimit, Debounced: waiting}, Outcome{Start: epoch}},
		"a batch is not":             {function.Settings{RateLimit: rate, Batch: batch}, FromBatch, e, Known{RateLimit: limited.RateLimit, Batch: open}, Outcome{Start: epoch}},
		"singleton before paused":    {all, FromDebounce, e, everything, Outcome{Result: Skipped, Reason: SkippedBySingleton, Existing: holder}},
		"paused before duplicate":    {all, FromDebounce, e, Known{Paused: true, Run: duplicate}, Outcome{Result: Skipped, Reason: SkippedByPause}},
		"a request again":            {all, FromRequest, e, everything, Outcome{Result: Duplicate, Existing: duplicate}},
		"a request, paused":          {all, FromRequest, e, Known{Paused: true, Holder: holder, RateLimit: limited.RateLimit}, Outcome{Result: RateLimited, RetryAt: epoch.Add(time.Minute)}},
		"duplicate":                  {all, FromDebounce, e, Known{Run: duplicate}, Outcome{Result: Duplicate, Existing: duplicate}},
		"the lock is free":           {all, FromDebounce, e, Known{}, Outcome{Start: epoch, Lock: sampleText}},
		"the lock is taken":          {function.Settings{Singleton: cancels}, FromEvent, e, Known{Holder: holder}, Outcome{Start: epoch, Lock: sampleText, Cancel: holder}},
		"a duplicate cancels nobody": {function.Settings{Singleton: cancels}, FromEvent, e, Known{Holder: holder, Run: duplicate}, Outcome{Result: Duplicate, Existing: duplicate}},
		"paused cancels nobody":      {function.Settings{Singleton: cancels}, FromEvent, e, Known{Holder: holder, Paused: true}, Outcome{Result: Skipped, Reason: SkippedByPause}},
		"no singleton for the event": {function.Settings{Singleton: &function.Singleton{Key: "event.data.k"}}, FromEvent, e, Known{Holder: holder}, Outcome{Start: epoch}},
		"a token is spent, skipped":  {function.Settings{RateLimit: rate, Singleton: skips}, FromEvent, e, Known{Holder: holder}, Outcome{Result: Skipped, Spent: spent, Reason: SkippedBySingleton, Existing: holder}},
		"a token is spent, paused":   {function.Settings{RateLimit: rate}, FromEvent, e, Known{Paused: true}, Outcome{Result: Skipped, Spent: spent, Reason: SkippedByPause}},
		"an event of the future":     {function.Settings{}, FromEvent, later, Known{}, Outcome{Start: epoch.Add(time.Hour).Truncate(time.Millisecond)}},
		"debounced, of the future":   {function.Settings{Debounce: debounces}, FromDebounce, later, Known{}, Outcome{Start: epoch.Add(time.Hour).Truncate(time.Millisecond)}},
		"a batch of the future":      {function.Settings{Batch: batch}, FromBatch, later, Known{}, Outcome{Start: epoch}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := request(t, c.settings, c.from, c.event)
			known := c.known
			got, err := Admit(in, known, epoch)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.known, known); diff != "" {
				t.Errorf("what is known was changed: %s", diff)
			}
		})
	}
}

func TestAdmit_AtTheTimeOfATick(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{epoch.Add(-time.Hour), epoch.Add(time.Hour)} {
		in := request(t, function.Settings{}, FromCron, withTS(eventOf(1, `{}`), epoch.Add(30*time.Minute)))
		in.At = at
		if got, err := Admit(in, Known{}, epoch); err != nil || !got.Start.Equal(at) {
			t.Errorf("starts at %s, %v, want %s", got.Start, err, at)
		}
	}
}

// TestAdmit_FailsVisibly: what cannot be counted or put in a batch is neither started nor dropped.
func TestAdmit_FailsVisibly(t *testing.T) {
	t.Parallel()
	const missing = `event.data["k"]`
	for _, settings := range []function.Settings{
		{RateLimit: &function.RateLimit{Limit: 1, Period: "1h", Key: missing}},
		{Batch: &function.Batch{MaxSize: 2, Timeout: "1s", Key: missing}},
	} {
		in := request(t, settings, FromEvent, eventOf(1, `{}`))
		got, err := Admit(in, Known{}, epoch)
		if diff := cmp.Diff(in.Values.Err, err, cmpopts.EquateErrors()); diff != "" || err == nil {
			t.Error(diff)
		}
		if diff := cmp.Diff(Outcome{}, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestResult_IsNamedAsInMetrics(t *testing.T) {
	t.Parallel()
	for result, want := range map[Result]string{
		Started: "success", IntoBatch: "success", RateLimited: "rate_limited", IntoDebounce: "debounced", Skipped: "skipped", Duplicate: "idempotency",
	} {
		if result.String() != want {
			t.Errorf("%d is %s, want %s", result, result, want)
		}
	}
}

// TestAdmit_FiftyAtOnce is the reference's own assertion of spec 11 §14: of 50 events with one key exactly one runs, with no key all do; in
// cancel mode, the last of them is left.
func TestAdmit_FiftyAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode          function.SingletonMode
		data          string
		runs, running int
	}{
		"one key":        {function.SingletonSkip, `{"k":"a"}`, 1, 1},
		"no key":         {function.SingletonSkip, `{}`, 50, 50},
		"one key, later": {function.SingletonCancel, `{"k":"a"}`, 50, 1},
	} {
		locks := map[string]ulid.ULID{}
		running := map[ulid.ULID]bool{}
		runs := 0
		for n := range 50 {
			in := request(t, function.Settings{Singleton: &function.Singleton{Key: "event.data.k", Mode: c.mode}}, FromEvent, eventOf(n, c.data))
			in.ID = idOf(1000 + n)
			got, err := Admit(in, Known{Holder: locks[in.Values.SingletonKey]}, epoch)
			if err != nil {
				t.Fatal(err)
			}
			if got.Result == Started {
				runs++
				delete(running, got.Cancel)
				running[in.ID] = true
				if got.Lock != "" {
					locks[got.Lock] = in.ID
				}
			}
		}
		if runs != c.runs || len(running) != c.running {
			t.Errorf("%s: %d runs, %d are left, want %d and %d", name, runs, len(running), c.runs, c.running)
		}
	}
}

func TestOutcome_Awaited(t *testing.T) {
	t.Parallel()
	invoked := func(name, data string) *event.Tracked {
		return &event.Tracked{Event: event.Event{Name: name, Data: json.RawMessage(data)}}
	}
	const correlated = `{"_inngest":{"fn_id":"app-fn","correlation_id":"run.step"}}`
	for name, c := range map[string]struct {
		superseded *event.Tracked
		want       bool
	}{
		"nothing is superseded":   {nil, false},
		"an event":                {invoked("x", correlated), false},
		"an invocation":           {invoked(event.FunctionInvoked, correlated), true},
		"one that nobody awaits":  {invoked(event.FunctionInvoked, `{"_inngest":{"fn_id":"app-fn"}}`), false},
		"one without its members": {invoked(event.FunctionInvoked, `{}`), false},
	} {
		if got := (Outcome{Superseded: c.superseded}).Awaited(); (got != nil) != c.want || got != nil && got != c.superseded {
			t.Errorf("%s: %v", name, got)
		}
	}
}
