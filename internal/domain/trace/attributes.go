package trace

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"
)

// attributes appends the members of a JSON object. Whoever uses it names the keys in their order: the rows are written at each
// commit, so nothing is collected and sorted. A value that says nothing is left out.
type attributes struct{ json []byte }

// newAttributes begins an object of about so many bytes.
func newAttributes(size int) *attributes {
	return &attributes{json: append(make([]byte, 0, size), '{')}
}

// Sizes of objects: of a span as a whole, and of an addition that says little. Headers are on top.
const (
	wholeBytes = 704
	smallBytes = 160
)

func (a *attributes) key(name string) {
	if len(a.json) > 1 {
		a.json = append(a.json, ',')
	}
	a.json = append(a.json, '"')
	a.json = append(a.json, name...)
	a.json = append(a.json, '"', ':')
}

func (a *attributes) text(name, value string) {
	if value != "" {
		a.key(name)
		a.json = appendText(a.json, value)
	}
}

// plain is text for a value that needs no escapes.
func (a *attributes) plain(name, value string) {
	if value != "" {
		a.key(name)
		a.json = append(a.json, '"')
		a.json = append(a.json, value...)
		a.json = append(a.json, '"')
	}
}

func (a *attributes) id(name string, id ulid.ULID) {
	if !id.IsZero() {
		a.plain(name, id.String())
	}
}

func (a *attributes) number(name string, value int) {
	a.key(name)
	a.json = strconv.AppendInt(a.json, int64(value), 10)
}

func (a *attributes) flag(name string, value bool) {
	a.key(name)
	a.json = strconv.AppendBool(a.json, value)
}

func (a *attributes) yes(name string, value bool) {
	if value {
		a.flag(name, value)
	}
}

func (a *attributes) at(name string, at time.Time) {
	if !at.IsZero() {
		a.key(name)
		a.json = append(a.json, '"')
		a.json = strconv.AppendInt(a.json, at.UnixMilli(), 10)
		a.json = append(a.json, '"')
	}
}

// status is kept beside the column, since readers of the reference ask the attribute.
func (a *attributes) status(status Status) { a.plain(KeyStatus, string(status)) }

func (a *attributes) object() json.RawMessage { return append(a.json, '}') }

// appendText appends a JSON string as the reference writes it: what only HTML cares about is escaped too. Spec 15 §5.4.
func appendText[Text string | []byte](dst []byte, text Text) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			continue
		}
		if c != '"' && c != '\\' {
			// Rare, and full of rules.
			whole, err := json.Marshal(string(text[start:]))
			if err == nil { // a string always encodes
				dst = append(dst, whole[1:len(whole)-1]...)
			}
			return append(dst, '"')
		}
		dst = append(dst, text[start:i]...)
		dst = append(dst, '\\', c)
		start = i + 1
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

// redacted are the headers whose values are nobody's business. Spec 05 §8.3.
func redacted(header string) bool {
	switch header {
	case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "X-Auth-Token", "Www-Authenticate", "Proxy-Authenticate":
		return true
	}
	return false
}

// headers appends the headers of a response as JSON in a string.
func (a *attributes) headers(header map[string]string) {
	if len(header) == 0 {
		return
	}
	var room [16]string
	names := room[:0]
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	var space [768]byte
	text := append(space[:0], '{')
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		value := header[name]
		if redacted(name) {
			value = "[REDACTED]"
		}
		text = append(appendText(text, name), ':')
		text = appendText(text, value)
	}
	a.key(KeyHeaders)
	a.json = appendText(a.json, append(text, '}'))
}

// mergeAttributes is the object with the members of both, sorted; the later one says what both say. Either may be nil. Both are
// objects as attributes writes them: without space, sorted by key.
func mergeAttributes(earlier, later json.RawMessage) json.RawMessage {
	switch {
	case len(earlier) <= len("{}"):
		return later
	case len(later) <= len("{}"):
		return earlier
	}
	merged := append(make([]byte, 0, len(earlier)+len(later)), '{')
	a, b := members(earlier), members(later)
	for !a.done() || !b.done() {
		from := &a
		switch {
		case a.done() || !b.done() && b.key() < a.key():
			from = &b
		case !b.done() && a.key() == b.key():
			a.next()
			from = &b
		}
		if len(merged) > 1 {
			merged = append(merged, ',')
		}
		merged = append(merged, from.member()...)
		from.next()
	}
	return append(merged, '}')
}

// cursor walks the members of an object.
type cursor struct {
	json []byte
	// at is where the member begins, colon where its name ends, end where it ends.
	at, colon, end int
}

func members(object json.RawMessage) cursor {
	c := cursor{json: object, end: 0}
	c.next()
	return c
}

func (c *cursor) done() bool     { return c.at >= len(c.json)-1 }
func (c *cursor) key() string    { return string(c.json[c.at:c.colon]) }
func (c *cursor) member() []byte { return c.json[c.at:c.end] }

func (c *cursor) next() {
	c.at = c.end + 1
	if c.done() {
		return
	}
	c.colon = c.skipText(c.at)
	depth := 0
	i := c.colon + 1
	for ; i < len(c.json); i++ {
		switch c.json[i] {
		case '"':
			i = c.skipText(i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				c.end = i
				return
			}
			depth--
		case ',':
			if depth == 0 {
				c.end = i
				return
			}
		}
	}
	c.end = min(i, len(c.json))
}

// skipText returns where a string ends that begins at i.
func (c *cursor) skipText(i int) int {
	for i++; i < len(c.json); i++ {
		switch c.json[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(c.json)
}
