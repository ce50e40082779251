package portstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
)

// Broadcast is a backend of ports.Broadcast under test.
type Broadcast struct {
	ports.Broadcast

	// Frames and Bytes are the bounds of a subscriber's buffer, Subscribers that of a topic. All are small.
	Frames, Bytes, Subscribers int
	// Close shuts the backend down.
	Close func()
}

// BroadcastRunner runs one case on a new backend.
type BroadcastRunner func(t *testing.T, test func(t *testing.T, b Broadcast))

// TestBroadcast is the contract of ports.Broadcast.
func TestBroadcast(t *testing.T, run BroadcastRunner) {
	for name, test := range map[string]func(t *testing.T, b Broadcast){
		"Publish/reaches every subscriber of the topic and no other":   reachesSubscribers,
		"Publish/of one publisher arrives in order, whatever the kind": keepsOrder,
		"Publish/without subscribers is no error":                      nobodyListens,
		"Publish/does not wait for a slow subscriber, who is dropped":  dropsSlow,
		"Publish/counts the bytes that wait":                           boundsBytes,
		"Publish/fails with an ended context":                          endedPublish,
		"Heard/of a channel as long as a topic of it has subscribers":  heard,
		"Subscribe/does not deliver what was published before":         noReplay,
		"Subscribe/is all or none when a topic is full":                fullTopic,
		"Subscribe/refuses more topics than one may have":              tooManyTopics,
		"Subscribe/counts a repeated topic once":                       repeatedTopic,
		"Add/and Remove change what is delivered":                      addRemove,
		"Add/refused leaves the subscription as it was":                refusedAdd,
		"Next/ends with its context and loses nothing":                 endedNext,
		"Close/ends Next, makes room, and may be repeated":             closeSubscription,
		"Close/of the backend ends everything":                         closeBackend,
		"all/at once by many callers":                                  manyCallers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, test)
		})
	}
}

// testEnv is the environment of all topics.
var testEnv = uuid.UUID{15: 1}

func topicNamed(name string) realtime.Topic {
	return realtime.ChannelTopic(testEnv, "user:1", name)
}

func topicsNamed(names ...string) []realtime.Topic {
	topics := make([]realtime.Topic, len(names))
	for i, name := range names {
		topics[i] = topicNamed(name)
	}
	return topics
}

func subscribe(t *testing.T, b Broadcast, names ...string) ports.Subscription {
	t.Helper()
	s, err := b.Subscribe(t.Context(), topicsNamed(names...))
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func frame(text string) realtime.Frame {
	return realtime.Frame{Kind: realtime.FrameMessage, Body: []byte(text)}
}

func publish(t *testing.T, b Broadcast, name, text string) {
	t.Helper()
	must(t, b.Publish(t.Context(), topicNamed(name), frame(text)))
}

// receives fails the test unless the next frames are these.
func receives(t *testing.T, s ports.Subscription, texts ...string) {
	t.Helper()
	for _, text := range texts {
		got, err := s.Next(t.Context())
		must(t, err)
		same(t, got, frame(text))
	}
}

// fails fails the test unless Next returns the error, after whatever is buffered.
func fails(t *testing.T, s ports.Subscription, want error) {
	t.Helper()
	for {
		if _, err := s.Next(t.Context()); err != nil {
			is(t, err, want)
			_, err = s.Next(t.Context())
			is(t, err, want)
			return
		}
	}
}

func reachesSubscribers(t *testing.T, b Broadcast) {
	one, two, other := subscribe(t, b, "a"), subscribe(t, b, "b", "a"), subscribe(t, b, "b")
	elsewhere, err := b.Subscribe(t.Context(), []realtime.Topic{
		realtime.ChannelTopic(testEnv, "user:2", "a"), {Kind: realtime.TopicEvent, EnvID: testEnv, Name: "a"},
	})
	must(t, err)
	defer elsewhere.Close()
	publish(t, b, "a", "1")
	receives(t, one, "1")
	receives(t, two, "1")
	publish(t, b, "b", "2")
	receives(t, two, "2")
	receives(t, other, "2")
	must(t, b.Publish(t.Context(), realtime.ChannelTopic(testEnv, "user:2", "a"), frame("3")))
	receives(t, elsewhere, "3")
}

func keepsOrder(t *testing.T, b Broadcast) {
	s := subscribe(t, b, "a")
	kinds := []realtime.FrameKind{realtime.FrameMessage, realtime.FrameChunk, realtime.FrameRaw}
	for round := range 3 {
		var sent []realtime.Frame
		for i := range b.Frames {
			next := realtime.Frame{Kind: kinds[i%len(kinds)], Body: fmt.Appendf(nil, "%d-%d\x00\xff", round, i)}
			must(t, b.Publish(t.Context(), topicNamed("a"), next))
			sent = append(sent, next)
		}
		for _, want := range sent {
			got, err := s.Next(t.Context())
			must(t, err)
			same(t, got, want)
		}
	}
}

func nobodyListens(t *testing.T, b Broadcast) { publish(t, b, "a", "1") }

func dropsSlow(t *testing.T, b Broadcast) {
	slow, quick := subscribe(t, b, "a"), subscribe(t, b, "a")
	for i := range b.Frames + 1 {
		publish(t, b, "a", fmt.Sprint(i))
		receives(t, quick, fmt.Sprint(i))
	}
	fails(t, slow, ports.ErrSlowSubscriber)
	slow.Close()
	fails(t, slow, ports.ErrSlowSubscriber)
	publish(t, b, "a", "more")
	receives(t, quick, "more")
}

func boundsBytes(t *testing.T, b Broadcast) {
	slow, huge := subscribe(t, b, "a"), strings.Repeat("x", b.Bytes+1)
	publish(t, b, "a", huge) // a single frame always fits
	receives(t, slow, huge)
	half := strings.Repeat("x", b.Bytes/2)
	publish(t, b, "a", half)
	publish(t, b, "a", half)
	receives(t, slow, half, half)
	for _, text := range []string{half, half, "xx"} {
		publish(t, b, "a", text)
	}
	fails(t, slow, ports.ErrSlowSubscriber)
}

func endedPublish(t *testing.T, b Broadcast) {
	is(t, b.Publish(ended(t), topicNamed("a"), frame("1")), context.Canceled)
	_, err := b.Subscribe(ended(t), topicsNamed("a"))
	is(t, err, context.Canceled)
	s := subscribe(t, b)
	is(t, s.Add(ended(t), topicsNamed("a")), context.Canceled)
	is(t, s.Remove(ended(t), topicsNamed("a")), context.Canceled)
}

func heard(t *testing.T, b Broadcast) {
	hears := func(want bool, channels ...string) {
		t.Helper()
		for _, channel := range channels {
			if got := b.Heard(testEnv, channel); got != want {
				t.Errorf("channel %s: %t, want %t", channel, got, want)
			}
		}
	}
	on := func(channel, name string) []realtime.Topic {
		return []realtime.Topic{realtime.ChannelTopic(testEnv, channel, name)}
	}
	hears(false, "user:1")
	one, two := subscribe(t, b, "a", "a"), subscribe(t, b, "a", "b")
	must(t, two.Add(t.Context(), on("user:2", "a")))
	hears(true, "user:1", "user:2")
	hears(false, "user:3")
	if b.Heard(uuid.UUID{1}, "user:1") {
		t.Error("heard in another environment")
	}
	one.Close()
	must(t, two.Remove(t.Context(), topicsNamed("a", "a", "unknown")))
	hears(true, "user:1") // by b
	must(t, two.Remove(t.Context(), topicsNamed("b")))
	hears(false, "user:1")
	hears(true, "user:2")
	two.Close()
	hears(false, "user:1", "user:2")
	var all []ports.Subscription
	for range b.Subscribers {
		all = append(all, subscribe(t, b, "full"))
	}
	_, err := b.Subscribe(t.Context(), slices.Concat(on("user:3", "a"), topicsNamed("full")))
	is(t, err, ports.ErrTooManySubscribers)
	hears(false, "user:3")
	hears(true, "user:1")
	for _, s := range all[1:] {
		s.Close()
	}
	hears(true, "user:1")
	b.Close()
	hears(false, "user:1")
}

func noReplay(t *testing.T, b Broadcast) {
	publish(t, b, "a", "before")
	s := subscribe(t, b, "a")
	publish(t, b, "a", "after")
	receives(t, s, "after")
}

func fullTopic(t *testing.T, b Broadcast) {
	var all []ports.Subscription
	for range b.Subscribers {
		all = append(all, subscribe(t, b, "full"))
	}
	_, err := b.Subscribe(t.Context(), topicsNamed("a", "full", "b"))
	is(t, err, ports.ErrTooManySubscribers)
	for range b.Subscribers { // the failed one takes no place elsewhere
		subscribe(t, b, "a", "b")
	}
	all[0].Close()
	s := subscribe(t, b, "full")
	publish(t, b, "full", "1")
	receives(t, s, "1")
	receives(t, all[1], "1")
}

// refusedTopics are one more than a subscription may have.
func refusedTopics() []realtime.Topic {
	var topics []realtime.Topic
	for i := range realtime.MaxTopics + 1 {
		topics = append(topics, topicNamed(fmt.Sprint(i)))
	}
	return topics
}

func tooManyTopics(t *testing.T, b Broadcast) {
	topics := refusedTopics()
	_, err := b.Subscribe(t.Context(), topics)
	is(t, err, realtime.ErrTooManyTopics)
	s, err := b.Subscribe(t.Context(), topics[1:])
	must(t, err)
	defer s.Close()
	must(t, s.Add(t.Context(), topics[1:]))
	is(t, s.Add(t.Context(), topics[:1]), realtime.ErrTooManyTopics)
}

func repeatedTopic(t *testing.T, b Broadcast) {
	s := subscribe(t, b, "a", "a")
	must(t, s.Add(t.Context(), topicsNamed("a")))
	publish(t, b, "a", "1")
	publish(t, b, "a", "2")
	receives(t, s, "1", "2")
	must(t, s.Remove(t.Context(), topicsNamed("a")))
	publish(t, b, "a", "3")
	must(t, s.Add(t.Context(), topicsNamed("a")))
	publish(t, b, "a", "4")
	receives(t, s, "4")
}

func addRemove(t *testing.T, b Broadcast) {
	s := subscribe(t, b)
	must(t, s.Add(t.Context(), topicsNamed("a", "b")))
	publish(t, b, "a", "1")
	receives(t, s, "1")
	publish(t, b, "b", "2")
	must(t, s.Remove(t.Context(), topicsNamed("unknown", "b")))
	receives(t, s, "2")
	publish(t, b, "b", "3")
	publish(t, b, "a", "4")
	receives(t, s, "4")
}

func refusedAdd(t *testing.T, b Broadcast) {
	for range b.Subscribers {
		subscribe(t, b, "full")
	}
	s := subscribe(t, b, "a")
	is(t, s.Add(t.Context(), topicsNamed("b", "full", "c")), ports.ErrTooManySubscribers)
	for range b.Subscribers { // there is room for all: s has none of the places
		subscribe(t, b, "b", "c")
	}
	publish(t, b, "a", "1")
	receives(t, s, "1")
}

func endedNext(t *testing.T, b Broadcast) {
	s := subscribe(t, b, "a")
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		_, err := s.Next(ctx)
		waiting <- err
	}()
	cancel()
	is(t, <-waiting, context.Canceled)
	publish(t, b, "a", "1")
	receives(t, s, "1")
}

func closeSubscription(t *testing.T, b Broadcast) {
	s := subscribe(t, b, "a")
	waiting := make(chan error)
	go func() {
		_, err := s.Next(t.Context())
		waiting <- err
	}()
	s.Close()
	is(t, <-waiting, ports.ErrClosed)
	s.Close()
	fails(t, s, ports.ErrClosed)
	is(t, s.Add(t.Context(), topicsNamed("b")), ports.ErrClosed)
	must(t, s.Remove(t.Context(), topicsNamed("a")))
	for range b.Subscribers {
		subscribe(t, b, "a")
	}
}

func closeBackend(t *testing.T, b Broadcast) {
	s := subscribe(t, b, "a")
	publish(t, b, "a", "1")
	b.Close()
	fails(t, s, ports.ErrClosed)
	is(t, b.Publish(t.Context(), topicNamed("a"), frame("2")), ports.ErrClosed)
	_, err := b.Subscribe(t.Context(), topicsNamed("a"))
	is(t, err, ports.ErrClosed)
	is(t, s.Add(t.Context(), topicsNamed("b")), ports.ErrClosed)
	b.Close()
}

// manyCallers do everything at once. Whoever stays subscribed sees each publisher's frames in order and none twice.
func manyCallers(t *testing.T, b Broadcast) {
	const publishers, rounds = 4, 50
	var readers, callers sync.WaitGroup
	for range 3 {
		s := subscribe(t, b, "a", "end")
		readers.Go(func() {
			last := map[string]int{}
			for {
				got, err := s.Next(t.Context())
				if errors.Is(err, ports.ErrSlowSubscriber) || string(got.Body) == "end" {
					return
				}
				var publisher string
				var n int
				if _, scanErr := fmt.Sscanf(string(got.Body), "%s %d", &publisher, &n); err != nil || scanErr != nil || n <= last[publisher] {
					t.Errorf("frame %q after %d (%v)", got.Body, last[publisher], err)
					return
				}
				last[publisher] = n
			}
		})
	}
	for publisher := range publishers {
		callers.Go(func() {
			for n := range rounds {
				if err := b.Publish(t.Context(), topicNamed("a"), frame(fmt.Sprintf("p%d %d", publisher, n+1))); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
		callers.Go(func() {
			for range rounds {
				s, err := b.Subscribe(t.Context(), topicsNamed("c", "d"))
				if err != nil {
					continue // the topic is full at the moment
				}
				_ = s.Remove(t.Context(), topicsNamed("c"))
				_ = s.Add(t.Context(), topicsNamed("c", "e"))
				s.Close()
			}
		})
	}
	callers.Wait()
	publish(t, b, "end", "end")
	readers.Wait()
}
