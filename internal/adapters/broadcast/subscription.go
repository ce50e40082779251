package broadcast

import (
	"context"
	"fmt"
	"sync"

	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
)

// subscription is one subscriber.
type subscription struct {
	broadcast *Broadcast
	queue     *queue

	edit sync.Mutex
	// topics are the keys of the channels, empty for none, by those of the topics.
	topics map[string]string
	closed bool
}

var _ ports.Subscription = (*subscription)(nil)

// Next implements ports.Subscription.
func (s *subscription) Next(ctx context.Context) (realtime.Frame, error) { return s.queue.take(ctx) }

// Add implements ports.Subscription.
func (s *subscription) Add(ctx context.Context, topics []realtime.Topic) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	s.edit.Lock()
	defer s.edit.Unlock()
	if s.closed || s.broadcast.closed.Load() {
		return fmt.Errorf("subscribe: %w", ports.ErrClosed)
	}
	added := map[string]string{}
	for _, topic := range topics {
		if key := topic.Key(); !s.has(key) {
			added[key] = channelOf(topic)
		}
	}
	if len(s.topics)+len(added) > realtime.MaxTopics {
		return fmt.Errorf("subscribe: %w", realtime.ErrTooManyTopics)
	}
	for key, channel := range added {
		if err := s.broadcast.join(key, channel, s); err != nil {
			for joined := range added {
				if s.has(joined) {
					s.part(joined)
				}
			}
			return err
		}
		s.topics[key] = channel
	}
	return nil
}

// Remove implements ports.Subscription.
func (s *subscription) Remove(ctx context.Context, topics []realtime.Topic) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	s.edit.Lock()
	defer s.edit.Unlock()
	for _, topic := range topics {
		if key := topic.Key(); s.has(key) {
			s.part(key)
		}
	}
	return nil
}

// Close implements ports.Subscription.
func (s *subscription) Close() {
	s.queue.fail(ports.ErrClosed)
	s.edit.Lock()
	defer s.edit.Unlock()
	s.closed = true
	for key := range s.topics {
		s.part(key)
	}
	s.broadcast.openLock.Lock()
	defer s.broadcast.openLock.Unlock()
	delete(s.broadcast.open, s)
}

// channelOf is the key of a topic's channel, empty for a topic without one.
func channelOf(topic realtime.Topic) string {
	if topic.Kind != realtime.TopicRun {
		return ""
	}
	return realtime.ChannelKey(topic.EnvID, topic.Channel)
}

func (s *subscription) has(key string) bool {
	_, ok := s.topics[key]
	return ok
}

func (s *subscription) part(key string) {
	s.broadcast.leave(key, s.topics[key], s)
	delete(s.topics, key)
}

// queue holds the frames that wait for a subscriber, until it fails for good.
type queue struct {
	maxFrames, maxBytes int
	// wake has room for one signal: there is something to take.
	wake chan struct{}

	mu     sync.Mutex
	frames []realtime.Frame
	bytes  int
	err    error
}

func newQueue(config Config) *queue {
	return &queue{maxFrames: config.Frames, maxBytes: config.Bytes, wake: make(chan struct{}, 1)}
}

func (q *queue) put(frame realtime.Frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.err != nil:
		return
	case len(q.frames) >= q.maxFrames, len(q.frames) > 0 && q.bytes+len(frame.Body) > q.maxBytes:
		q.end(ports.ErrSlowSubscriber)
	default:
		q.frames = append(q.frames, frame)
		q.bytes += len(frame.Body)
	}
	q.signal()
}

func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.end(err)
	}
	q.signal()
}

// end lets go of what is buffered.
func (q *queue) end(err error) { q.err, q.frames, q.bytes = err, nil, 0 }

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) take(ctx context.Context) (realtime.Frame, error) {
	for {
		if frame, ok, err := q.tryTake(); ok || err != nil {
			return frame, err
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return realtime.Frame{}, fmt.Errorf("wait for a frame: %w", ctx.Err())
		}
	}
}

func (q *queue) tryTake() (frame realtime.Frame, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil || len(q.frames) == 0 {
		return realtime.Frame{}, false, q.err
	}
	frame = q.frames[0]
	q.frames[0] = realtime.Frame{} // the array outlives the frame
	q.frames = q.frames[1:]
	q.bytes -= len(frame.Body)
	return frame, true, nil
}
