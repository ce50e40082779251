// Package realtime is the language of realtime updates: topics that clients subscribe to, the claims of the tokens that let
// them, and the messages that reach them. It is data and its encodings; who is subscribed is the matter of ports.Broadcast.
//
// A message is published on a channel, which is any text, under the name of a topic; a subscriber is sent what is
// published on its topics while it is connected, and nothing of before.
//
//	publish(channel, name, data) ──► Message ──► one Frame per Topic ──► everyone subscribed to the topic's key
//	stream of bytes              ──► datastream-start, Chunk…, datastream-end, each a Frame
//	tee of bytes                 ──► raw Frames, as the bytes come
//
// Source: spec 04 §10; spec 02 §20.
package realtime

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
)

// TopicKind says what a topic's messages are about.
type TopicKind string

// Kinds of topics. Others are kept as they are, and keyed like events.
const (
	// TopicRun topics belong to a channel; everything that apps publish is on them.
	TopicRun TopicKind = "run"
	// TopicEvent topics belong to no channel.
	TopicEvent TopicKind = "event"
)

// Names of topics that the server publishes on by itself.
const (
	// NameRun is the topic of all run messages of a channel.
	NameRun = "$run"
	// NameStep is the topic of all step messages of a channel.
	NameStep = "$step"
	// NameStream is the topic of a channel's raw bytes.
	NameStream = "$stream"
)

// MaxTopics is how many topics one token, one request or one subscription may name. The reference has no such limit.
const MaxTopics = 1000

// ErrTooManyTopics says that more than MaxTopics were named.
var ErrTooManyTopics = fmt.Errorf("more than %d topics", MaxTopics)

// Topic is something to subscribe to:
//
//	{"kind":"run","env_id":"<uuid>","run_id":"<ULID>"?,"channel":"user:123","name":"messages"}
type Topic struct {
	Kind    TopicKind `json:"kind"`
	EnvID   uuid.UUID `json:"env_id"`
	RunID   ulid.ULID `json:"run_id,omitzero"`
	Channel string    `json:"channel"`
	Name    string    `json:"name"`
}

// ChannelTopic is the topic of that name on a channel.
func ChannelTopic(env uuid.UUID, channel, name string) Topic {
	return Topic{Kind: TopicRun, EnvID: env, Channel: channel, Name: name}
}

// Key identifies a topic among all of a backend: "<env>:<base 36 of xxh64(channel)>:<name>" on a channel, "<env>:<name>"
// otherwise. Equal keys are equal topics.
func (t Topic) Key() string {
	if t.Kind != TopicRun {
		return t.EnvID.String() + ":" + t.Name
	}
	return ChannelKey(t.EnvID, t.Channel) + ":" + t.Name
}

// ChannelKey identifies a channel among all of a backend: "<env>:<base 36 of xxh64(channel)>".
func ChannelKey(env uuid.UUID, channel string) string { return env.String() + ":" + ids.X36(channel) }

// StreamID names a datastream after an ID that is used once.
func StreamID(id ulid.ULID) string { return ids.X36(id.String()) }

// errNoTopics refuses what is no list of topics.
var errNoTopics = errors.New("not a list of topics")

// ParseTopics reads a JSON array of topics; all of them are put into env, whatever they say. No topics are an empty list,
// not nil. ErrTooManyTopics: there are more than MaxTopics.
func ParseTopics(text []byte, env uuid.UUID) ([]Topic, error) {
	var topics []Topic
	if err := json.Unmarshal(text, &topics); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoTopics, err)
	}
	switch {
	case topics == nil:
		return nil, errNoTopics
	case len(topics) > MaxTopics:
		return nil, ErrTooManyTopics
	}
	for i := range topics {
		topics[i].EnvID = env
	}
	return topics, nil
}
