package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
)

// Limits bound a request of events. Zero means the default.
type Limits struct {
	// MaxEventBytes is the most bytes of one event as sent. Default 3 MiB.
	MaxEventBytes int
	// MaxEvents is the most events of one request. Default 5,000.
	MaxEvents int
}

const (
	defaultMaxEventBytes = 3 << 20
	defaultMaxEvents     = 5000
)

// errShape answers a body that holds no event at all.
var errShape = &InvalidError{Field: "body", Reason: "Request body must contain an event object or an array of event objects"}

// Parse splits the body of a request into its events, each the JSON as sent, in order. It returns none for a body that is
// empty or only space. The results share body's memory unless the body is a form.
//
// What the body is follows from its first token, not from contentType: "{" is one event, "[" an array of them. Only a body
// that does not start like that is read as a form, if contentType says so. Parse checks the syntax of an array's
// elements but not of a single object; Decode does. Bytes after an array are ignored, bytes after an object are Decode's to refuse.
//
// The request is atomic: one bad event refuses all. Every error is an *InvalidError. An array without its end is
// refused as "unexpected EOF" (the reference accepts what it got so far).
//
// Source: spec 03 §5.
func Parse(body []byte, contentType string, limits Limits) ([]json.RawMessage, error) {
	if limits.MaxEventBytes == 0 {
		limits.MaxEventBytes = defaultMaxEventBytes
	}
	if limits.MaxEvents == 0 {
		limits.MaxEvents = defaultMaxEvents
	}
	scan := cleaner{src: body}
	first, err := scan.peek()
	switch {
	case err != nil:
		return nil, nil
	case first == '{':
		return one(body[scan.pos:], limits)
	case first == '[':
		return elements(&scan, limits)
	}
	form, err := readForm(body, contentType)
	if err != nil {
		return nil, err
	}
	return one(form, limits)
}

func one(raw []byte, limits Limits) ([]json.RawMessage, error) {
	if err := checkSize(raw, limits); err != nil {
		return nil, err
	}
	return []json.RawMessage{raw}, nil
}

func checkSize(raw []byte, limits Limits) error {
	if len(raw) > limits.MaxEventBytes {
		return invalid("body", "Event is over the max size: Max %d bytes / Size %d bytes", limits.MaxEventBytes, len(raw))
	}
	return nil
}

// elements reads the array that scan stands at.
func elements(scan *cleaner, limits Limits) ([]json.RawMessage, error) {
	var events []json.RawMessage
	// The clean form is scratch here: only the syntax and the ends of the elements count.
	scan.dst = make([]byte, 0, min(len(scan.src), 4096))
	scan.pos++
	for {
		next, err := scan.peek()
		if err != nil {
			return nil, truncated(err)
		}
		if next == ']' && len(events) == 0 {
			return nil, nil
		}
		if len(events) == limits.MaxEvents {
			return nil, invalid("body", "Cannot have more than %d events in a batch", limits.MaxEvents)
		}
		start := scan.pos
		scan.dst = scan.dst[:0]
		if err := scan.value(); err != nil {
			return nil, truncated(err)
		}
		raw := scan.src[start:scan.pos:scan.pos]
		if err := checkSize(raw, limits); err != nil {
			return nil, err
		}
		events = append(events, raw)
		if next, err = scan.peek(); err != nil {
			return nil, truncated(err)
		}
		if next == ']' {
			return events, nil
		}
		if next != ',' {
			return nil, scan.unexpected("after array element")
		}
		scan.pos++
	}
}

// truncated gives an array that ends too early the reference's text for it.
func truncated(err error) error {
	if errors.Is(err, errEnd) {
		return &InvalidError{Field: "body", Reason: io.ErrUnexpectedEOF.Error()}
	}
	return err
}

// readForm is the JSON object of a form's fields, each with the list of its values as text. As an event such an object is
// always refused by Decode or Normalise; it is read to give the sender the right reason.
func readForm(body []byte, contentType string) (json.RawMessage, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, errShape
	}
	var fields map[string][]string
	switch mediaType {
	case "multipart/form-data":
		fields, err = readParts(body, params["boundary"])
	case "application/x-www-form-urlencoded":
		fields, err = url.ParseQuery(string(body))
	default:
		return nil, errShape
	}
	if err != nil {
		return nil, invalid("body", "%s", err)
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encode form fields: %w", err)
	}
	return raw, nil
}

func readParts(body []byte, boundary string) (map[string][]string, error) {
	fields := map[string][]string{}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return fields, nil
		}
		if err != nil {
			return nil, err
		}
		name := part.FormName()
		if name == "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		fields[name] = append(fields[name], string(value))
	}
}
