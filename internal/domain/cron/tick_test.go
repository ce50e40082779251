package cron_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/cron"
	"github.com/ingothq/ingot/internal/domain/ids"
)

func aTick(t testing.TB) cron.Tick {
	t.Helper()
	return cron.Tick{FunctionID: uuid.MustParse("11111111-2222-4333-8444-555555555555"), Version: 1, Expression: "*/5 * * * *", At: at(t, "2026-08-21 00:05")}
}

// TestTick_Vectors are identifiers of the running reference. Spec 12 §9.2, §9.3.
func TestTick_Vectors(t *testing.T) {
	t.Parallel()
	tick := aTick(t)
	if got := tick.ID(); got != "12uj2i1wx3bzz" {
		t.Errorf("ID %s", got)
	}
	for jitter, want := range map[string]time.Duration{
		"30s": 19_061_277_839, "5m": 57_061_277_839, "1s": time.Second, " 5m ": 57_061_277_839,
		"500ms": time.Second, "": 0, " ": 0, "0": 0, "0s": 0, "-1m": 0, "oops": 0,
	} {
		if got := tick.FireAt(jitter).Sub(tick.At); got != want {
			t.Errorf("jitter %q: got %v, want %v", jitter, got, want)
		}
	}
	elsewhere := tick
	elsewhere.At = tick.At.In(time.FixedZone("elsewhere", 3600))
	if elsewhere.ID() != tick.ID() || elsewhere.Key() != tick.Key() {
		t.Error("the zone of the server matters")
	}
}

func TestTick_Event(t *testing.T) {
	t.Parallel()
	tick := aTick(t)
	for name, c := range map[string]struct{ jitter, call, stored string }{
		"on time": {
			"",
			`{"data":{"cron":"*/5 * * * *","fireAt":"2026-08-21T00:05:00Z","scheduledAt":"2026-08-21T00:05:00Z"},"id":"2026-08-21T00:05:00Z","name":"inngest/scheduled.timer","ts":1787270700000,"user":{}}`,
			`{"id":"2026-08-21T00:05:00Z","name":"inngest/scheduled.timer","data":{"cron":"*/5 * * * *","fireAt":"2026-08-21T00:05:00Z","scheduledAt":"2026-08-21T00:05:00Z"},"ts":1787270700000}`,
		},
		"later": {
			"30s",
			`{"data":{"cron":"*/5 * * * *","fireAt":"2026-08-21T00:05:19Z","scheduledAt":"2026-08-21T00:05:00Z"},"id":"2026-08-21T00:05:00Z","name":"inngest/scheduled.timer","ts":1787270719061,"user":{}}`,
			`{"id":"2026-08-21T00:05:00Z","name":"inngest/scheduled.timer","data":{"cron":"*/5 * * * *","fireAt":"2026-08-21T00:05:19Z","scheduledAt":"2026-08-21T00:05:00Z"},"ts":1787270719061}`,
		},
	} {
		e := tick.Event(tick.FireAt(c.jitter))
		if diff := cmp.Diff(c.call, string(e.AppendCall(nil))); diff != "" {
			t.Errorf("%s, as the app has it: -want +got:\n%s", name, diff)
		}
		if diff := cmp.Diff(c.stored, string(e.AppendStored(nil))); diff != "" {
			t.Errorf("%s, as it is stored: -want +got:\n%s", name, diff)
		}
	}
}

func TestTick_KeyTellsSchedulesApart(t *testing.T) {
	t.Parallel()
	tick := aTick(t)
	other, later := tick, tick
	other.Expression = "* * * * *"
	later.At = later.At.Add(5 * time.Minute)
	if tick.Key() == other.Key() || tick.Key() == later.Key() {
		t.Errorf("keys %q, %q, %q", tick.Key(), other.Key(), later.Key())
	}
	newer := tick
	newer.Version++
	if newer.Key() != tick.Key() {
		t.Error("a new version of the function would start it again for the same tick")
	}
	if got := ids.FunctionIdempotency(tick.FunctionID, "2026-08-21T00:05:00Z"); got != "1wuy30g4tx7s8-2ckjy9ft9bfev" || tick.Event(tick.At).ID != "2026-08-21T00:05:00Z" {
		t.Errorf("a function that timer events start has the key %s", got)
	}
}

func TestJitter_IsDeterministicAndWithinBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed, limit := rapid.String().Draw(t, "seed"), time.Duration(rapid.Int64Range(int64(time.Second)+1, int64(24*time.Hour)).Draw(t, "limit"))
		got := cron.Jitter(seed, limit)
		if got < time.Second || got >= limit || got != cron.Jitter(seed, limit) {
			t.Fatalf("jitter %v of %v", got, limit)
		}
	})
}
