package realtime

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// MessageKind says what a message is.
type MessageKind string

// Kinds of messages. Spec 04 §10.4.
const (
	// KindData carries what an app published.
	KindData MessageKind = "data"
	// KindRun and KindStep tell of a run.
	KindRun  MessageKind = "run"
	KindStep MessageKind = "step"
	// KindStreamStart and KindStreamEnd frame the chunks of a datastream; their data is its ID.
	KindStreamStart MessageKind = "datastream-start"
	KindStreamEnd   MessageKind = "datastream-end"
	// KindClosing says that the server is about to close the connection.
	KindClosing MessageKind = "closing"

	kindChunk MessageKind = "chunk"
)

// Message is what subscribers receive, as a JSON object whose members are in this order. Its Topic is the name of the
// topic that the receiver is subscribed to.
type Message struct {
	Kind MessageKind `json:"kind"`
	// Data is JSON; nil is null.
	Data json.RawMessage `json:"data"`
	// Metadata is JSON; nil is left out.
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
	Channel   string          `json:"channel,omitempty"`
	EnvID     uuid.UUID       `json:"env_id,omitzero"`
	Topic     string          `json:"topic"`
	FnID      uuid.UUID       `json:"fn_id,omitzero"`
	FnSlug    string          `json:"fn_slug,omitempty"`
	RunID     ulid.ULID       `json:"run_id,omitzero"`
}

// Topics are the topics that a message goes to. One about a run or a step is on the topic of all of them and, if it
// has a name that is not one of the server's, on that one too. Spec 04 §10.5.
func (m Message) Topics() []Topic {
	var names []string
	switch m.Kind {
	case KindRun:
		names = append(names, NameRun)
	case KindStep:
		names = append(names, NameStep)
	default:
		return []Topic{ChannelTopic(m.EnvID, m.Channel, m.Topic)}
	}
	if ownTopic(m.Topic) {
		names = append(names, m.Topic)
	}
	topics := make([]Topic, len(names))
	for i, name := range names {
		topics[i] = ChannelTopic(m.EnvID, m.Channel, name)
	}
	return topics
}

// Encode returns the message as one line of JSON. It fails only on data or metadata that is no JSON.
func (m Message) Encode() (Frame, error) {
	text, err := encode(m)
	if err != nil {
		return Frame{}, fmt.Errorf("encode %s message: %w", m.Kind, err)
	}
	return Frame{FrameMessage, text}, nil
}

// Chunk is a piece of a datastream:
//
//	{"kind":"chunk","stream_id":"…","data":"<text>",…,"channel":"…","topic":"…"}
//
// The reference leaves channel and topic out, and with them the TypeScript client drops its chunks.
type Chunk struct {
	StreamID string
	Data     string
	FnID     uuid.UUID
	FnSlug   string
	RunID    ulid.ULID
	Channel  string
	Topic    string
}

// Encode returns the chunk as one line of JSON.
func (c Chunk) Encode() Frame {
	text, _ := encode(struct { // text and identifiers always have an encoding
		Kind     MessageKind `json:"kind"`
		StreamID string      `json:"stream_id"`
		Data     string      `json:"data"`
		FnID     uuid.UUID   `json:"fn_id,omitzero"`
		FnSlug   string      `json:"fn_slug,omitempty"`
		RunID    ulid.ULID   `json:"run_id,omitzero"`
		Channel  string      `json:"channel,omitempty"`
		Topic    string      `json:"topic"`
	}{kindChunk, c.StreamID, c.Data, c.FnID, c.FnSlug, c.RunID, c.Channel, c.Topic})
	return Frame{FrameChunk, text}
}

// FrameKind says what the bytes of a frame are.
type FrameKind int

// Kinds of frames.
const (
	// FrameMessage is an encoded Message, FrameChunk an encoded Chunk.
	FrameMessage FrameKind = iota + 1
	FrameChunk
	// FrameRaw is bytes as a producer sent them.
	FrameRaw
)

// Frame is what travels from a publisher to subscribers. Nobody changes its bytes: all subscribers share them.
type Frame struct {
	Kind FrameKind
	Body []byte
}

// encode writes a value on one line. Payloads stay what they are: no character is escaped that need not be.
func encode(value any) ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line.Bytes(), []byte("\n")), nil
}
