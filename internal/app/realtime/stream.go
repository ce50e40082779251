package realtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/realtime"
)

// Stream is a datastream in progress: subscribers were told its ID and are sent what is written. One caller at a time.
type Stream struct {
	publisher *Publisher
	to        Publication
	id        string
	// rest is the first part of a character whose end has not come yet.
	rest []byte
}

// Stream begins a datastream on every topic of the publication. The caller must end it.
func (p *Publisher) Stream(ctx context.Context, to Publication) (*Stream, error) {
	s := &Stream{publisher: p, to: to, id: realtime.StreamID(p.ids.ULID(p.clock.Now()))}
	if err := p.all(ctx, to, realtime.KindStreamStart, s.data()); err != nil {
		return nil, err
	}
	return s, nil
}

// data is the ID as JSON.
func (s *Stream) data() json.RawMessage { return realtime.Data([]byte(`"` + s.id + `"`)) }

// Write sends a piece. A character that the piece ends in the middle of goes out with the next one.
func (s *Stream) Write(ctx context.Context, piece []byte) error {
	whole, rest := realtime.SplitText(append(s.rest, piece...))
	s.rest = bytes.Clone(rest)
	return s.send(ctx, whole)
}

func (s *Stream) send(ctx context.Context, piece []byte) error {
	if len(piece) == 0 {
		return nil
	}
	for _, topic := range s.to.topics() {
		chunk := realtime.Chunk{
			StreamID: s.id, Data: string(piece), FnID: s.to.FnID, FnSlug: s.to.FnSlug, RunID: s.to.RunID,
			Channel: s.to.Channel, Topic: topic,
		}
		if err := s.publisher.broadcast.Publish(ctx, realtime.ChannelTopic(s.to.EnvID, s.to.Channel, topic), chunk.Encode()); err != nil {
			return fmt.Errorf("stream on channel %q: %w", s.to.Channel, err)
		}
	}
	return nil
}

// End sends what is left and says that nothing more comes; the latter also when the former failed.
func (s *Stream) End(ctx context.Context) error {
	rest := s.rest
	s.rest = nil
	return errors.Join(s.send(ctx, rest), s.publisher.all(ctx, s.to, realtime.KindStreamEnd, s.data()))
}

// Tee passes bytes on to whoever follows the stream of a channel, as they come and without a frame around them. One caller
// at a time.
type Tee struct {
	publisher *Publisher
	topic     realtime.Topic
	rest      []byte
}

// Tee begins to pass bytes on.
func (p *Publisher) Tee(env uuid.UUID, channel string) *Tee {
	return &Tee{publisher: p, topic: realtime.ChannelTopic(env, channel, realtime.NameStream)}
}

// Write sends a piece, except that a character it ends in the middle of goes out with the next one.
func (t *Tee) Write(ctx context.Context, piece []byte) error {
	whole, rest := realtime.SplitText(append(t.rest, piece...))
	t.rest = bytes.Clone(rest)
	return t.send(ctx, whole)
}

func (t *Tee) send(ctx context.Context, piece []byte) error {
	if len(piece) == 0 {
		return nil
	}
	if err := t.publisher.broadcast.Publish(ctx, t.topic, realtime.Frame{Kind: realtime.FrameRaw, Body: piece}); err != nil {
		return fmt.Errorf("tee on channel %q: %w", t.topic.Channel, err)
	}
	return nil
}

// End sends what is left.
func (t *Tee) End(ctx context.Context) error {
	rest := t.rest
	t.rest = nil
	return t.send(ctx, rest)
}
