package realtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Most bytes of what is published.
const (
	// MaxBody bounds the body of one message. The reference cuts what is longer.
	MaxBody = 512 << 10
	// MaxTee bounds the raw bytes of one request.
	MaxTee = 1_024_000
	// MaxStream bounds the bytes of one datastream. The reference cuts after 1000 reads of at most a KiB.
	MaxStream = 16 << 20
)

// Data is what a published body becomes in a message: itself if it is JSON, else a JSON string of it. What is not UTF-8
// is replaced, since no client could read the message otherwise.
func Data(body []byte) json.RawMessage {
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte(string(utf8.RuneError)))
	}
	if json.Valid(body) {
		return body
	}
	quoted, _ := jsontext.AppendQuote(nil, body) // UTF-8 always has a quoted form
	return json.RawMessage(quoted)
}

// errNoJSON refuses metadata that would break the message.
var errNoJSON = errors.New("metadata is no JSON")

// Metadata checks a text that goes into a message as it is; empty is none.
func Metadata(text string) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) {
		return nil, errNoJSON
	}
	return json.RawMessage(text), nil
}

// SplitText divides bytes of a stream after their last whole character, so that a character that arrives in two pieces
// is passed on in one. Bytes that are no UTF-8 are not kept back; rest is at most three bytes.
func SplitText(piece []byte) (whole, rest []byte) {
	for back := 1; back < utf8.UTFMax && back <= len(piece); back++ {
		at := len(piece) - back
		if utf8.RuneStart(piece[at]) {
			if !utf8.FullRune(piece[at:]) {
				return piece[:at], piece[at:]
			}
			break
		}
	}
	return piece, nil
}
