package ports

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/realtime"
)

// Errors of Broadcast.
var (
	// ErrSlowSubscriber: the subscriber did not take its frames fast enough and was dropped.
	ErrSlowSubscriber = errors.New("subscriber is too slow")
	// ErrTooManySubscribers: the topic has as many subscribers as it may have.
	ErrTooManySubscribers = errors.New("topic has too many subscribers")
)

// Broadcast carries frames from publishers to everyone who is subscribed at that moment. Nothing is kept for later.
//
// Delivery is at most once: a frame may be lost when a process or a backend fails, and is never repeated. Frames that one
// publisher published on one topic, one call after the other, arrive in that order; nothing is promised between topics or
// publishers. Publishers never wait for subscribers: each subscription has a buffer of bounded length and size, and one
// whose buffer is full is dropped.
type Broadcast interface {
	// Publish hands the frame to the topic's subscribers. Its body must not change afterwards. Having no subscribers is no
	// error. ErrClosed: the backend is shutting down.
	Publish(ctx context.Context, topic realtime.Topic, frame realtime.Frame) error
	// Heard reports whether a topic of the channel may have subscribers at this moment, so that no frame is made for nobody.
	// It is false only if what is published on the channel now would reach none. It never waits, and costs next to nothing
	// while nobody is subscribed to anything.
	Heard(env uuid.UUID, channel string) bool
	// Subscribe returns a subscription to the topics, all or none; what is published after it returned is delivered. The
	// caller must close it. ErrTooManySubscribers, realtime.ErrTooManyTopics, ErrClosed.
	Subscribe(ctx context.Context, topics []realtime.Topic) (Subscription, error)
}

// Subscription is one subscriber. A topic that it has several times counts once. Next has one caller at a time; the other
// methods may be called at any time.
type Subscription interface {
	// Next waits for a frame. Once the subscription has failed, what was buffered is gone and the error stays:
	// ErrSlowSubscriber, or ErrClosed after Close and when the backend shuts down. When ctx ends, its error is returned and
	// nothing is lost.
	Next(ctx context.Context) (realtime.Frame, error)
	// Add subscribes to more topics, all or none, with the errors of Subscribe.
	Add(ctx context.Context, topics []realtime.Topic) error
	// Remove ends the subscription to topics. Frames buffered before still come. Unknown topics are no error.
	Remove(ctx context.Context, topics []realtime.Topic) error
	// Close ends the subscription and all that it holds. Closing again does nothing.
	Close()
}
