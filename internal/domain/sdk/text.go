package sdk

import (
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// quote writes a text as a JSON string, with no more escapes than JSON needs.
func quote(text string) json.RawMessage {
	return appendString(nil, text)
}

// appendString appends a text as a JSON string. Most texts here are hashes and other plain IDs, which need no care.
func appendString(dst []byte, text string) []byte {
	for i := range len(text) {
		if char := text[i]; char < 0x20 || char >= 0x7f || char == '"' || char == '\\' {
			return appendQuoted(dst, text)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

func appendQuoted(dst []byte, text string) []byte {
	// The only error is about invalid UTF-8, which no text has once it was made valid.
	dst, _ = jsontext.AppendQuote(dst, strings.ToValidUTF8(text, "\uFFFD"))
	return dst
}

// unquote returns the content of a JSON string that is known to be one.
func unquote(raw json.RawMessage) string {
	text, _ := jsontext.AppendUnquote(nil, raw)
	return string(text)
}

// valid says whether a text is one JSON value. Repeated names are allowed: they are the app's affair.
func valid(raw []byte) bool {
	return jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true))
}
