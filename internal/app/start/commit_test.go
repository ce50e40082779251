package start_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// refusing is a store that refuses a number of times.
type refusing struct {
	ports.Store
	times int
	err   error
}

func (r *refusing) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	if r.times--; r.times >= 0 {
		return nil, r.err
	}
	return r.Store.Schedule(ctx, s)
}

func starter(store ports.Store) start.Starter {
	clock := testkit.Clock{}
	in := ingest.New(nil, clock, testkit.IDs{})
	return start.Starter{Store: store, Advance: advance.New(store, in, nil, slog.New(slog.DiscardHandler), advance.Pause(clock)), Tracker: in, Clock: clock}
}

func TestSchedule_DecidesAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		times   int
		err     error
		decided int
		want    error
	}{
		"at once":              {0, nil, 1, nil},
		"after a fence":        {2, ports.ErrOutdated, 3, nil},
		"after fence on fence": {1000, ports.ErrOutdated, 100, ports.ErrUnavailable},
		"not after a conflict": {1, ports.ErrConflict, 1, ports.ErrConflict},
	} {
		use := starter(&refusing{mem.New(testkit.Clock{}), c.times, c.err})
		decided := 0
		_, _, err := use.Schedule(t.Context(), func() ports.Schedule {
			decided++
			return ports.Schedule{}
		})
		if !errors.Is(err, c.want) || decided != c.decided {
			t.Errorf("%s: decided %d times: %v", name, decided, err)
		}
	}
}

// TestSchedule_CancelsWhoeverIsInTheWay: three events of a singleton that cancels, one after the other; only the last run stays.
func TestSchedule_CancelsWhoeverIsInTheWay(t *testing.T) {
	t.Parallel()
	backend := mem.New(testkit.Clock{})
	use := starter(backend)
	fn, settings := withSettings(t, `{"singleton":{"mode":"cancel"}}`)
	known := functions{settings: settings}
	for range 3 {
		_, answers, err := use.Schedule(t.Context(), func() ports.Schedule {
			now := time.Now()
			e := event.Tracked{InternalID: testkit.IDs{}.ULID(now), Event: event.Event{ID: "e", Name: "x"}}
			spec := start.Spec(fn, known, e)
			spec.ID, spec.Key, spec.Now = testkit.IDs{}.ULID(now), e.InternalID.String(), now
			var schedule ports.Schedule
			start.Plan(&schedule, known, start.Run{Function: fn, Spec: spec, From: flow.FromEvent}, slog.New(slog.DiscardHandler))
			return schedule
		})
		if err != nil || len(answers) != 1 || answers[0].Result != flow.Started {
			t.Fatalf("%v, %v", answers, err)
		}
	}
	var statuses []run.Status
	for _, record := range backend.Runs() {
		statuses = append(statuses, record.Status)
	}
	if len(statuses) != 3 || statuses[0] != run.Cancelled || statuses[1] != run.Cancelled || statuses[2] != run.Running {
		t.Errorf("runs are %v", statuses)
	}
}

// closed is a store whose lock is held by a run that cannot be loaded.
type closed struct{ ports.Store }

func (closed) Schedule(context.Context, ports.Schedule) ([]ports.Scheduled, error) {
	return nil, &ports.LockedError{Lock: "l", Holder: testkit.IDs{}.ULID(time.Now())}
}

func (closed) Load(context.Context, ulid.ULID) (run.State, error) {
	return run.State{}, ports.ErrClosed
}

func TestSchedule_WhenTheHolderCannotBeCancelled(t *testing.T) {
	t.Parallel()
	use := starter(closed{})
	if _, _, err := use.Schedule(t.Context(), func() ports.Schedule { return ports.Schedule{} }); !errors.Is(err, ports.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// TestSchedule_AnswersWhoeverIsSuperseded: of a debounced function's invocations only the last starts a run; who waits for another is told,
// unless it invokes another function.
func TestSchedule_AnswersWhoeverIsSuperseded(t *testing.T) {
	t.Parallel()
	fn, settings := withSettings(t, `{"debounce":{"period":"10s"}}`)
	backend := mem.New(testkit.Clock{})
	use := starter(backend)
	known := functions{settings: settings}
	for _, target := range []string{fn.Slug, "app-other", fn.ID.String(), fn.Slug} {
		now := time.Now()
		e := event.Tracked{InternalID: testkit.IDs{}.ULID(now), Event: event.Event{
			Name: event.FunctionInvoked, Data: json.RawMessage(`{"_inngest":{"fn_id":"` + target + `","correlation_id":"for ` + target + `"}}`),
		}}
		_, answers, err := use.Schedule(t.Context(), func() ports.Schedule {
			spec := start.Spec(fn, known, e)
			spec.ID, spec.Key, spec.Now = testkit.IDs{}.ULID(now), e.InternalID.String(), now
			var schedule ports.Schedule
			start.Plan(&schedule, known, start.Run{Function: fn, Spec: spec, From: flow.FromEvent}, slog.New(slog.DiscardHandler))
			return schedule
		})
		if err != nil || len(answers) != 1 || answers[0].Result != flow.IntoDebounce {
			t.Fatalf("%v, %v", answers, err)
		}
	}
	accepted, err := backend.Take(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range accepted {
		told = append(told, e.Name+" "+string(e.Data))
	}
	want := func(correlation string) string {
		return `inngest/function.finished {"function_id":"","run_id":"","correlation_id":"` + correlation + `","error":{"name":"Error",` +
			`"message":"invoked function was not started: superseded by a later event in its debounce"}}`
	}
	if diff := cmp.Diff([]string{want("for " + fn.Slug), want("for " + fn.ID.String())}, told); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
