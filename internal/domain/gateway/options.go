package gateway

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// raw is JSON that has been checked to be one value.
type raw = json.RawMessage

// options are the members of an op's opts. The first error is kept; what is read after it is of no use.
type options struct {
	members map[string]raw
	err     error
}

func readOptions(opts raw) (*options, error) {
	read := &options{}
	if err := json.Unmarshal(opts, &read.members); err != nil || read.members == nil {
		return nil, &InvalidError{"opts", "is not an object"}
	}
	return read, nil
}

func (o *options) fail(field, reason string) {
	if o.err == nil {
		o.err = &InvalidError{"opts." + field, reason}
	}
}

// value returns a member, nil when it is absent or null.
func (o *options) value(name string) raw {
	value := o.members[name]
	if isNull(value) {
		return nil
	}
	return value
}

// text returns a member that is a string, empty when it is absent or null.
func (o *options) text(name string) string {
	value := o.value(name)
	if value == nil {
		return ""
	}
	text, ok := unquote(value)
	if !ok {
		o.fail(name, "is not a string")
	}
	return text
}

// url returns the URL as it was written, without blanks around it.
func (o *options) url() string {
	text := strings.TrimSpace(o.text("url"))
	target, err := url.Parse(text)
	switch {
	case text == "":
		o.fail("url", "is missing")
	case err != nil:
		o.fail("url", "is not a URL")
	case target.Scheme != "http" && target.Scheme != "https", target.Hostname() == "":
		o.fail("url", "is not an absolute http or https URL")
	}
	return text
}

// method returns the method in upper case, POST when there is none. As in browsers, CONNECT and TRACE are not for apps.
func (o *options) method() string {
	method := strings.ToUpper(o.text("method"))
	switch {
	case method == "":
		return "POST"
	case !isToken(method):
		o.fail("method", "is not an HTTP method")
	case method == "CONNECT", method == "TRACE":
		o.fail("method", "is not allowed")
	}
	return method
}

// headers returns the headers by canonical name; never nil.
func (o *options) headers() map[string]string {
	header := map[string]string{}
	value := o.value("headers")
	if value == nil {
		return header
	}
	var members map[string]raw
	if json.Unmarshal(value, &members) != nil {
		o.fail("headers", "is not an object")
		return header
	}
	for _, name := range sortedNames(members) {
		value, isText := unquote(members[name])
		switch {
		case isNull(members[name]):
			continue
		case !isText:
			o.fail("headers."+name, "is not a string")
		case !isToken(name):
			o.fail("headers."+name, "is not the name of a header")
		case !validHeaderValue(value):
			o.fail("headers."+name, "has characters that no header can carry")
		case !ownedByTransport(sdk.CanonicalName(name)):
			header[sdk.CanonicalName(name)] = strings.Trim(value, " \t")
		}
	}
	return header
}

// content returns the body of a fetch: a string is sent as the text that it holds, other JSON as it is.
func (o *options) content() []byte {
	value := o.value("body")
	if text, isText := unquote(value); isText {
		if text == "" {
			return nil
		}
		return []byte(text)
	}
	return value
}

// publish returns nil when no channel is named.
func (o *options) publish() *Publish {
	value := o.value("publish")
	if value == nil {
		return nil
	}
	inner, err := readOptions(value)
	if err != nil {
		o.fail("publish", "is not an object")
		return nil
	}
	publish := Publish{Channel: inner.text("channel"), Topic: inner.text("topic")}
	for _, name := range []string{"channel", "topic"} {
		if value := inner.value(name); value != nil && value[0] != '"' {
			o.fail("publish."+name, "is not a string")
		}
	}
	if publish.Channel == "" {
		return nil
	}
	return &publish
}

func isNull(value raw) bool { return string(value) == "null" }

// unquote returns the content of a JSON string; false when the value is something else.
func unquote(value raw) (text string, ok bool) {
	if !bytes.HasPrefix(value, []byte{'"'}) {
		return "", false
	}
	return text, json.Unmarshal(value, &text) == nil
}
