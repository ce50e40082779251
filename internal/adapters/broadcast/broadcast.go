// Package broadcast carries realtime frames between publishers and subscribers of one process.
//
// Topics lie in shards, each a map under a lock of its own, so that publishing on one topic does not wait for another.
// Locks are taken in this order, and none while a later one is held: a subscription's edit lock (Add, Remove and Close take
// turns), a shard's lock, a subscription's queue lock. Publish holds the shard for reading while it puts the frame into the
// subscribers' buffers, which never waits.
package broadcast

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
)

// Config bounds what subscribers may take. Zero values are the defaults.
type Config struct {
	// Frames and Bytes bound what waits for one subscriber. Default 512 frames and 8 MiB; a single frame always fits.
	Frames, Bytes int
	// Subscribers bounds the subscribers of one topic. Default 10,000.
	Subscribers int
}

const (
	defaultFrames      = 512
	defaultBytes       = 8 << 20
	defaultSubscribers = 10_000
	shardCount         = 64
)

// Broadcast is the ports.Broadcast of one process.
type Broadcast struct {
	config Config
	seed   maphash.Seed
	shards [shardCount]shard
	// heard counts the channels that have subscribers.
	heard  atomic.Int64
	closed atomic.Bool
	// open are the subscriptions that are not closed.
	openLock sync.Mutex
	open     map[*subscription]struct{}
}

var _ ports.Broadcast = (*Broadcast)(nil)

// shard holds the subscribers of some topics by the topics' keys, and counts those of some channels by the channels' keys.
// What has no subscribers is not in it.
type shard struct {
	sync.RWMutex

	topics   map[string]map[*subscription]struct{}
	channels map[string]int
}

// New returns a Broadcast without subscribers.
func New(config Config) *Broadcast {
	config.Frames = cmp.Or(config.Frames, defaultFrames)
	config.Bytes = cmp.Or(config.Bytes, defaultBytes)
	config.Subscribers = cmp.Or(config.Subscribers, defaultSubscribers)
	b := &Broadcast{config: config, seed: maphash.MakeSeed(), open: map[*subscription]struct{}{}}
	for i := range b.shards {
		b.shards[i].topics, b.shards[i].channels = map[string]map[*subscription]struct{}{}, map[string]int{}
	}
	return b
}

// Publish implements ports.Broadcast.
func (b *Broadcast) Publish(ctx context.Context, topic realtime.Topic, frame realtime.Frame) error {
	key := topic.Key()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("publish on %s: %w", key, ctx.Err())
	case b.closed.Load():
		return fmt.Errorf("publish on %s: %w", key, ports.ErrClosed)
	}
	s := b.shardOf(key)
	s.RLock()
	defer s.RUnlock()
	for subscriber := range s.topics[key] {
		subscriber.queue.put(frame)
	}
	return nil
}

// Heard implements ports.Broadcast.
func (b *Broadcast) Heard(env uuid.UUID, channel string) bool {
	if b.heard.Load() == 0 {
		return false
	}
	key := realtime.ChannelKey(env, channel)
	s := b.shardOf(key)
	s.RLock()
	defer s.RUnlock()
	return s.channels[key] > 0
}

// Subscribe implements ports.Broadcast.
func (b *Broadcast) Subscribe(ctx context.Context, topics []realtime.Topic) (ports.Subscription, error) {
	s := &subscription{broadcast: b, topics: map[string]string{}, queue: newQueue(b.config)}
	b.openLock.Lock()
	b.open[s] = struct{}{}
	b.openLock.Unlock()
	// Close sets closed before it looks at what is open, so that it misses nobody.
	if err := s.Add(ctx, topics); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends all subscriptions with ErrClosed and refuses new ones.
func (b *Broadcast) Close() {
	b.closed.Store(true)
	b.openLock.Lock()
	var all []*subscription
	for s := range b.open {
		all = append(all, s)
	}
	b.openLock.Unlock()
	for _, s := range all {
		s.Close()
	}
}

// Topics counts the topics that have subscribers.
func (b *Broadcast) Topics() int {
	count := 0
	for i := range b.shards {
		b.shards[i].RLock()
		count += len(b.shards[i].topics)
		b.shards[i].RUnlock()
	}
	return count
}

func (b *Broadcast) shardOf(key string) *shard {
	return &b.shards[maphash.String(b.seed, key)%shardCount]
}

// join makes s a subscriber of a topic that it is not subscribed to. channel is the key of the topic's channel, empty for
// none. The channel counts as heard before the topic has its subscriber, and for as long as it has.
func (b *Broadcast) join(key, channel string, s *subscription) error {
	b.count(channel, 1)
	if err := b.enter(key, s); err != nil {
		b.count(channel, -1)
		return err
	}
	return nil
}

func (b *Broadcast) enter(key string, s *subscription) error {
	in := b.shardOf(key)
	in.Lock()
	defer in.Unlock()
	subscribers := in.topics[key]
	if len(subscribers) >= b.config.Subscribers {
		return fmt.Errorf("subscribe to %s: %w", key, ports.ErrTooManySubscribers)
	}
	if subscribers == nil {
		subscribers = map[*subscription]struct{}{}
		in.topics[key] = subscribers
	}
	subscribers[s] = struct{}{}
	return nil
}

// leave ends what join began.
func (b *Broadcast) leave(key, channel string, s *subscription) {
	in := b.shardOf(key)
	in.Lock()
	delete(in.topics[key], s)
	if len(in.topics[key]) == 0 {
		delete(in.topics, key)
	}
	in.Unlock()
	b.count(channel, -1)
}

// count changes the number of subscribers of a channel.
func (b *Broadcast) count(channel string, by int) {
	if channel == "" {
		return
	}
	in := b.shardOf(channel)
	in.Lock()
	defer in.Unlock()
	before := in.channels[channel]
	switch {
	case before == 0:
		b.heard.Add(1)
	case before+by == 0:
		b.heard.Add(-1)
		delete(in.channels, channel)
		return
	}
	in.channels[channel] = before + by
}
