// Package realtime publishes realtime messages: those of apps, streams of bytes, and the server's own about runs and steps.
// It stamps and encodes them and hands them to ports.Broadcast, topic by topic.
//
// Source: spec 04 §10.
package realtime

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
)

// Publisher publishes. Safe for concurrent use.
type Publisher struct {
	broadcast ports.Broadcast
	clock     ports.Clock
	ids       ports.IDs
}

// New returns a publisher.
func New(broadcast ports.Broadcast, clock ports.Clock, ids ports.IDs) *Publisher {
	return &Publisher{broadcast, clock, ids}
}

// Publication is where something is published, and on whose behalf.
type Publication struct {
	EnvID   uuid.UUID
	Channel string
	// Topics are the names of topics on the channel; a repeated one counts once. None is the topic without a name.
	Topics []string
	// Metadata is JSON, nil for none; it goes into messages, not into chunks.
	Metadata json.RawMessage
	FnID     uuid.UUID
	FnSlug   string
	RunID    ulid.ULID
}

// topics are the names of all topics, each once.
func (p Publication) topics() []string {
	if len(p.Topics) == 0 {
		return []string{""}
	}
	seen := make(map[string]bool, len(p.Topics))
	var names []string
	for _, name := range p.Topics {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

func (p Publication) message(kind realtime.MessageKind, topic string, data json.RawMessage, now time.Time) realtime.Message {
	return realtime.Message{
		Kind: kind, Data: data, Metadata: p.Metadata, CreatedAt: now, Channel: p.Channel, EnvID: p.EnvID, Topic: topic,
		FnID: p.FnID, FnSlug: p.FnSlug, RunID: p.RunID,
	}
}

// Publish sends a body to the subscribers of every topic of the publication: as it is if it is JSON, else as a JSON string.
// Delivery is that of ports.Broadcast: who is not connected misses it.
func (p *Publisher) Publish(ctx context.Context, to Publication, body []byte) error {
	return p.all(ctx, to, realtime.KindData, realtime.Data(body))
}

func (p *Publisher) all(ctx context.Context, to Publication, kind realtime.MessageKind, data json.RawMessage) error {
	now := p.now()
	for _, topic := range to.topics() {
		if err := p.send(ctx, to.message(kind, topic, data, now)); err != nil {
			return err
		}
	}
	return nil
}

// send publishes a message on each of its topics, under that topic's name.
func (p *Publisher) send(ctx context.Context, message realtime.Message) error {
	for _, topic := range message.Topics() {
		message.Topic = topic.Name
		frame, err := message.Encode()
		if err != nil {
			return fmt.Errorf("publish on channel %q: %w", message.Channel, err)
		}
		if err := p.broadcast.Publish(ctx, topic, frame); err != nil {
			return fmt.Errorf("publish on channel %q: %w", message.Channel, err)
		}
	}
	return nil
}

// now is the time of a message, in the milliseconds that clients know.
func (p *Publisher) now() time.Time { return p.clock.Now().UTC().Truncate(time.Millisecond) }
