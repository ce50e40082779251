package apiv2

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/ingothq/ingot/internal/domain/event"
)

// object is a JSON text as an object; what is none stands in one, as its member "data". It is nil for no text. REST gets the text
// itself, with all digits of its numbers. Spec 04 §11.7.
func object(ctx context.Context, text json.RawMessage) *structpb.Struct {
	if text = valid(text); len(text) == 0 {
		return nil
	}
	if text[0] != '{' {
		text = append(append([]byte(`{"data":`), text...), '}')
	}
	out := &structpb.Struct{}
	if !fill(ctx, out, text) {
		return nil
	}
	return out
}

// value is a JSON text as it is; nil for none.
func value(ctx context.Context, text json.RawMessage) *structpb.Value {
	if text = valid(text); len(text) == 0 {
		return nil
	}
	out := &structpb.Value{}
	if !fill(ctx, out, text) {
		return nil
	}
	return out
}

// valid is the text without space around it; one that is no JSON, as old rows may have it, becomes a JSON text.
func valid(text json.RawMessage) json.RawMessage {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || json.Valid(text) {
		return text
	}
	quoted, err := json.Marshal(string(text))
	if err != nil {
		return nil // texts always encode
	}
	return quoted
}

// fill makes the message stand for the text.
func fill(ctx context.Context, out proto.Message, text []byte) bool {
	if restOf(ctx) != nil {
		exactly(out.ProtoReflect(), text)
		return true
	}
	return codec{}.Unmarshal(text, out) == nil
}

// dataOf are the raw members "data" and "user" of the body of a REST request, so that they keep their digits; or else those
// of the message.
func dataOf(ctx context.Context, data, user *structpb.Struct) (event.Event, error) {
	var body struct {
		Data json.RawMessage `json:"data"`
		User json.RawMessage `json:"user"`
	}
	if call := restOf(ctx); call != nil && call.body != nil {
		if err := json.Unmarshal(call.body, &body); err != nil {
			return event.Event{}, err
		}
	} else {
		var err error
		if body.Data, err = text("data", data); err != nil {
			return event.Event{}, err
		}
		if body.User, err = text("user", user); err != nil {
			return event.Event{}, err
		}
	}
	// Put together by hand: encoding/json would write some characters in another way.
	raw := []byte("{")
	if body.Data != nil {
		raw = append(append(append(raw, `"data":`...), body.Data...), ',')
	}
	if body.User != nil {
		raw = append(append(append(raw, `"user":`...), body.User...), ',')
	}
	return event.Decode(append(bytes.TrimSuffix(raw, []byte(",")), '}'))
}

// text is an object of protobuf as JSON; nil for none. JSON does not have all of its numbers.
func text(field string, data *structpb.Struct) (json.RawMessage, error) {
	if data == nil {
		return nil, nil
	}
	raw, err := protojson.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written as JSON: %w", field, err)
	}
	return raw, nil
}
