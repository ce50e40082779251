package advance_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/domain/event"
	envs "github.com/ingothq/ingot/internal/domain/ids"
	domain "github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

// ready is a store whose commits cost nothing, so that only the advancer is measured.
type ready struct{ ports.Store }

func (ready) Commit(_ context.Context, c ports.Commit) (run.State, error) {
	return c.State.Apply(c.Lease.Job, c.Transition), nil
}

// BenchmarkApply is a step that gets its memo, unwatched and with the watcher of the server, whose updates nobody hears.
func BenchmarkApply(b *testing.B) {
	for name, watched := range map[string]func(b *testing.B) advance.Watcher{
		"unwatched":      func(*testing.B) advance.Watcher { return nil },
		"nobody listens": func(*testing.B) advance.Watcher { return watcher(broadcast.New(broadcast.Config{})) },
		"others listen":  func(b *testing.B) advance.Watcher { return watcher(heard(b, "another run")) },
	} {
		b.Run(name, func(b *testing.B) { benchmarkApply(b, watched(b)) })
	}
}

func watcher(b ports.Broadcast) advance.Watcher {
	return realtime.NewUpdates(realtime.New(b, clock{}, ids{}), slog.New(slog.DiscardHandler))
}

// heard is a backend with a subscriber on a channel.
func heard(b *testing.B, channel string) ports.Broadcast {
	b.Helper()
	c := broadcast.New(broadcast.Config{})
	b.Cleanup(c.Close)
	if _, err := c.Subscribe(b.Context(), []domain.Topic{domain.ChannelTopic(envs.EnvID(), channel, domain.NameStep)}); err != nil {
		b.Fatal(err)
	}
	return c
}

func benchmarkApply(b *testing.B, watcher advance.Watcher) {
	b.Helper()
	id := ids{}.ULID(now)
	state, jobs := run.New(run.Spec{
		ID: id, FunctionID: uuid.New(), MaxAttempts: 5, Key: id.String(), Now: now,
		Events: []event.Tracked{{InternalID: ids{}.ULID(now), Event: event.Event{ID: "e", Name: "x", Data: json.RawMessage(`{}`)}}},
	})
	lease := ports.Lease{Job: jobs[0]}
	advancer := advance.New(ready{}, ingest.New(nil, clock{}, ids{}), watcher, slog.New(slog.DiscardHandler), advance.Pause(testkit.Clock{}))
	step := advance.Step{Run: id, Lease: lease, Input: replied(lease, sdk.Op{Op: sdk.OpStepRun, ID: "a", Data: []byte("1")})}
	b.ReportAllocs()
	for b.Loop() {
		step.Known = &state
		if _, _, err := advancer.Apply(b.Context(), step); err != nil {
			b.Fatal(err)
		}
	}
}
