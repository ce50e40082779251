package broadcast_test

import (
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/ports/portstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBroadcast(t *testing.T) {
	t.Parallel()
	portstest.TestBroadcast(t, func(t *testing.T, test func(t *testing.T, b portstest.Broadcast)) {
		config := broadcast.Config{Frames: 8, Bytes: 100, Subscribers: 4}
		b := broadcast.New(config)
		t.Cleanup(func() {
			b.Close()
			if left := b.Topics(); left != 0 {
				t.Errorf("%d topics without subscribers are kept", left)
			}
		})
		test(t, portstest.Broadcast{Broadcast: b, Frames: config.Frames, Bytes: config.Bytes, Subscribers: config.Subscribers, Close: b.Close})
	})
}

// TestBroadcast_ReachesAThousandSubscribers with the bounds of production.
func TestBroadcast_ReachesAThousandSubscribers(t *testing.T) {
	t.Parallel()
	b := broadcast.New(broadcast.Config{})
	defer b.Close()
	topic := realtime.ChannelTopic(ids.EnvID(), "user:1", "messages")
	const frames = 100
	var readers sync.WaitGroup
	for range 1000 {
		s, err := b.Subscribe(t.Context(), []realtime.Topic{topic})
		if err != nil {
			t.Fatal(err)
		}
		readers.Go(func() {
			for n := range frames {
				got, err := s.Next(t.Context())
				if err != nil || string(got.Body) != fmt.Sprint(n) {
					t.Errorf("got %q, %v; want %d", got.Body, err, n)
					return
				}
			}
		})
	}
	for n := range frames {
		if err := b.Publish(t.Context(), topic, realtime.Frame{Kind: realtime.FrameRaw, Body: []byte(fmt.Sprint(n))}); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
}

// TestBroadcast_ClosesWhoSubscribesMeanwhile: whoever gets a subscription while the backend closes sees it end.
func TestBroadcast_ClosesWhoSubscribesMeanwhile(t *testing.T) {
	t.Parallel()
	for range 200 {
		b := broadcast.New(broadcast.Config{})
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				s, err := b.Subscribe(t.Context(), []realtime.Topic{{Name: "a"}})
				if err == nil {
					_, err = s.Next(t.Context())
				}
				if err == nil {
					t.Error("a frame from nowhere")
				}
			})
		}
		b.Close()
		callers.Wait()
		if left := b.Topics(); left != 0 {
			t.Fatalf("%d topics are left", left)
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{0, 1, 100, 1000} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			b.ReportAllocs()
			topic := realtime.ChannelTopic(ids.EnvID(), "user:1", "messages")
			c := broadcast.New(broadcast.Config{Frames: 1})
			var all []ports.Subscription
			for range subscribers {
				s, err := c.Subscribe(b.Context(), []realtime.Topic{topic})
				if err != nil {
					b.Fatal(err)
				}
				all = append(all, s)
			}
			frame := realtime.Frame{Kind: realtime.FrameRaw, Body: make([]byte, 200)}
			for b.Loop() {
				if err := c.Publish(b.Context(), topic, frame); err != nil {
					b.Fatal(err)
				}
				for _, s := range all {
					if _, err := s.Next(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
			c.Close()
		})
	}
}

// BenchmarkHeard is what a run costs of whom nobody wants to hear.
func BenchmarkHeard(b *testing.B) {
	for name, elsewhere := range map[string]int{"nobody": 0, "somebody else": 1000} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c := broadcast.New(broadcast.Config{})
			for n := range elsewhere {
				if _, err := c.Subscribe(b.Context(), []realtime.Topic{realtime.ChannelTopic(ids.EnvID(), fmt.Sprint(n), "$run")}); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if c.Heard(ids.EnvID(), "01JQE1K13Q1A4D1B5XF0M1S2E0") {
					b.Fatal("heard by nobody")
				}
			}
			c.Close()
		})
	}
}
