package start_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

// functions are those of one function.
type functions struct {
	templates
	paused   bool
	settings *flow.Settings
}

func (f functions) Standing(uuid.UUID) run.Standing { return run.Standing{Paused: f.paused} }

func (f functions) Flow(uuid.UUID) *flow.Settings { return f.settings }

// withSettings are a function's, read as they are stored.
func withSettings(t *testing.T, config string) (function.Function, *flow.Settings) {
	t.Helper()
	fn, err := function.ParseConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	fn.ID, fn.Version, fn.Slug = uuid.New(), 1, "app-fn"
	settings, faults := flow.Compile(fn)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if settings.Empty() {
		return fn, nil
	}
	return fn, settings
}

// planned is what a schedule says of one run, in short.
type planned struct {
	Request bool
	Paused  bool
	Key     bool
	Lock    bool
	Skipped string
	Instead map[string]string
	Told    string
}

func plan(t *testing.T, config, data string, paused bool, from flow.Origin) planned {
	t.Helper()
	fn, settings := withSettings(t, config)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := event.Tracked{InternalID: testkit.IDs{}.ULID(now), Event: event.Event{ID: "mine", Name: "x", Data: json.RawMessage(data)}}
	known := functions{paused: paused, settings: settings}
	spec := start.Spec(fn, known, e)
	spec.ID, spec.Key, spec.Now = testkit.IDs{}.ULID(now), "mine", now
	var schedule ports.Schedule
	log := &testkit.Output{}
	start.Plan(&schedule, known, start.Run{
		Function: fn, Spec: spec, From: from, Unique: true,
		Waiter: func(reason string) []event.Tracked { return []event.Tracked{{Event: event.Event{Name: reason}}} },
	}, slog.New(slog.NewTextHandler(log, nil)))
	var got planned
	for _, next := range schedule.Runs {
		got.Request, got.Paused, got.Key, got.Lock = next.Request != nil, next.Paused, next.IdempotencyKey != "", next.State.Lock != ""
		got.Instead = map[string]string{}
		for result, events := range next.Instead {
			got.Instead[result.String()] = events[0].Name
		}
		if next.Request != nil && next.Request.ID != next.State.ID {
			t.Error("the request has another ID than the run")
		}
	}
	for _, skipped := range schedule.Skipped {
		got.Skipped = string(skipped.End.Status) + " " + string(skipped.End.Output)
		if skipped.RunID != spec.ID || skipped.FunctionID != fn.ID || skipped.Event != e.InternalID || !skipped.End.At.Equal(now) {
			t.Errorf("skipped %+v", skipped)
		}
	}
	for _, told := range schedule.Publish {
		got.Told = told.Name
	}
	return got
}

func TestPlan(t *testing.T) {
	t.Parallel()
	const (
		duplicate = "invoked function was not started: an event with its id has started it before"
		pausedIs  = "invoked function was not started: the function is paused"
		single    = "invoked function was not started: another run of it is in progress"
	)
	for name, c := range map[string]struct {
		config, data string
		paused       bool
		from         flow.Origin
		want         planned
	}{
		"without settings": {`{}`, `{}`, false, flow.FromEvent, planned{Key: true, Instead: map[string]string{"idempotency": duplicate}}},
		"paused":           {`{}`, `{}`, true, flow.FromEvent, planned{Skipped: `Skipped {"skipReason":"FunctionPaused"}`, Told: pausedIs}},
		"paused, by a request": {
			`{}`, `{}`, true, flow.FromRequest,
			planned{Request: true, Paused: true, Key: true, Instead: map[string]string{"idempotency": duplicate, "skipped": pausedIs}},
		},
		"a setting of the queue alone": {
			`{"priority":{"run":"1"}}`, `{}`, false, flow.FromEvent, planned{Key: true, Instead: map[string]string{"idempotency": duplicate}},
		},
		"a rate limit": {
			`{"rateLimit":{"limit":1,"period":"1m"}}`, `{}`, false, flow.FromEvent,
			planned{Request: true, Key: true, Instead: map[string]string{"idempotency": duplicate, "rate_limited": "invoked function is rate limited", "skipped": single}},
		},
		"a rate limit of another key": {
			`{"rateLimit":{"limit":1,"period":"1m","key":"event.data.k"}}`, `{}`, false, flow.FromEvent,
			planned{Key: true, Instead: map[string]string{"idempotency": duplicate}},
		},
		"a rerun is not limited": {
			`{"rateLimit":{"limit":1,"period":"1m"}}`, `{}`, false, flow.FromRerun, planned{Key: true, Instead: map[string]string{"idempotency": duplicate}},
		},
		"a singleton": {
			`{"singleton":{"mode":"skip"}}`, `{}`, false, flow.FromEvent,
			planned{Request: true, Key: true, Lock: true, Instead: map[string]string{"idempotency": duplicate, "skipped": single}},
		},
		"a singleton, paused": {
			`{"singleton":{"mode":"skip"}}`, `{}`, true, flow.FromEvent,
			planned{Request: true, Paused: true, Key: true, Lock: true, Instead: map[string]string{"idempotency": duplicate, "skipped": pausedIs}},
		},
		"a batch": {
			`{"batchEvents":{"maxSize":2,"timeout":"1s"}}`, `{}`, false, flow.FromEvent,
			planned{Request: true, Key: true, Instead: map[string]string{"idempotency": duplicate, "skipped": single}},
		},
		"a key that cannot be evaluated": {
			`{"rateLimit":{"limit":1,"period":"1m","key":"int(event.data.k)"}}`, `{"k":"x"}`, false, flow.FromEvent,
			planned{
				Skipped: `Failed {"error":{"error":"flow control of the function failed: REASON","name":"Error","message":"flow control of the function failed: REASON"}}`,
				Told:    "REASON",
			},
		},
	} {
		got := plan(t, c.config, c.data, c.paused, c.from)
		if strings.Contains(c.want.Skipped, "REASON") {
			if reason := "could not get constraints for schedule: could not get rate limit key: rate limit expression evaluation failed"; !strings.Contains(got.Skipped, reason) || !strings.HasPrefix(got.Skipped, "Failed") || !strings.Contains(got.Told, reason) {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
