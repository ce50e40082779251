package event

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
)

// maxDepth bounds the nesting of a value, like Go's own decoder does.
const maxDepth = 10000

// cleaner reads JSON from src and writes it to dst in the form in which payloads are kept: no whitespace between
// tokens, no invalid UTF-8, no duplicate members, names with the fewest escapes; numbers and other strings as sent.
//
// It makes one pass. What a duplicate made void is only marked while reading and cut out at the end of the outermost value, so
// that no input costs more than O(n log n).
type cleaner struct {
	src []byte
	pos int
	dst []byte

	depth   int
	members []member // of the objects that are open, innermost last
	void    []span   // of dst, members that a later duplicate replaces
}

// member is a finished member of an open object: where its name lies in dst.
type member struct{ name, value span }

// span is the half-open range [from, to) of a buffer.
type span struct{ from, to int }

// indexFrom is the number of members from which an object's names are looked up in a map. Below it a scan is faster.
const indexFrom = 16

// value reads one value of any kind and appends its clean form. pos must be at its first byte or at space before it.
func (c *cleaner) value() error {
	start := len(c.dst)
	if err := c.any(); err != nil {
		return err
	}
	c.cut(start)
	return nil
}

func (c *cleaner) any() error {
	first, err := c.peek()
	if err != nil {
		return err
	}
	switch {
	case first == '{':
		return c.object()
	case first == '[':
		return c.array()
	case first == '"':
		return c.text()
	case first == '-' || isDigit(first):
		return c.number()
	case first == 't':
		return c.literal("true")
	case first == 'f':
		return c.literal("false")
	case first == 'n':
		return c.literal("null")
	}
	return c.unexpected("looking for beginning of value")
}

func (c *cleaner) object() error {
	if err := c.enter('{'); err != nil {
		return err
	}
	base := len(c.members)
	var index map[string]int
	next, err := c.peek()
	if err != nil {
		return err
	}
	for count := 0; next != '}' || count > 0; count++ {
		item := len(c.dst)
		if err := c.name(); err != nil {
			return err
		}
		name := span{item, len(c.dst) - 1} // without the colon
		if err := c.any(); err != nil {
			return err
		}
		if next, err = c.peek(); err != nil {
			return err
		}
		index = c.record(base, index, member{name: name, value: span{item, len(c.dst)}})
		if next == '}' {
			break
		}
		if next != ',' {
			return c.unexpected("after object key:value pair")
		}
		c.take()
		c.members[len(c.members)-1].value.to = len(c.dst) // the comma goes with its member
	}
	c.members = c.members[:base]
	c.leave()
	return nil
}

// record remembers a member and marks the earlier one of the same name as void. An object that is cut at its end keeps a
// comma too many only if its last member were void, and the last member never is.
func (c *cleaner) record(base int, index map[string]int, added member) map[string]int {
	name := c.dst[added.name.from:added.name.to]
	earlier := -1
	switch count := len(c.members) - base; {
	case index != nil:
		if at, found := index[string(name)]; found {
			earlier = at
		}
	case count < indexFrom:
		for at := base; at < len(c.members); at++ {
			if bytes.Equal(c.dst[c.members[at].name.from:c.members[at].name.to], name) {
				earlier = at // the newest of several
			}
		}
	default:
		index = make(map[string]int, 4*indexFrom)
		for at := base; at < len(c.members); at++ {
			index[string(c.dst[c.members[at].name.from:c.members[at].name.to])] = at
		}
		if at, found := index[string(name)]; found {
			earlier = at
		}
	}
	if earlier >= 0 {
		c.void = append(c.void, c.members[earlier].value)
	}
	if index != nil {
		index[string(name)] = len(c.members)
	}
	c.members = append(c.members, added)
	return index
}

// cut removes what is void from dst, starting at start. Void spans are disjoint or nested.
func (c *cleaner) cut(start int) {
	if len(c.void) == 0 {
		return
	}
	slices.SortFunc(c.void, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	kept, from := c.dst[:start], start
	for _, gone := range c.void {
		if gone.from < from {
			continue // within one that is gone already
		}
		kept = append(kept, c.dst[from:gone.from]...)
		from = gone.to
	}
	c.dst = append(kept, c.dst[from:]...)
	c.void = c.void[:0]
}

func (c *cleaner) array() error {
	if err := c.enter('['); err != nil {
		return err
	}
	next, err := c.peek()
	if err != nil {
		return err
	}
	for count := 0; next != ']' || count > 0; count++ {
		if err := c.any(); err != nil {
			return err
		}
		if next, err = c.peek(); err != nil {
			return err
		}
		if next == ']' {
			break
		}
		if next != ',' {
			return c.unexpected("after array element")
		}
		c.take()
	}
	c.leave()
	return nil
}

func (c *cleaner) enter(open byte) error {
	if c.depth++; c.depth > maxDepth {
		return invalid("body", "exceeded max depth")
	}
	c.dst = append(c.dst, open)
	c.pos++
	return nil
}

func (c *cleaner) leave() {
	c.depth--
	c.take()
}

// take copies one byte.
func (c *cleaner) take() {
	c.dst = append(c.dst, c.src[c.pos])
	c.pos++
}

// name reads a member's name and the colon after it.
func (c *cleaner) name() error {
	first, err := c.peek()
	if err != nil {
		return err
	}
	if first != '"' {
		return c.unexpected("looking for beginning of object key string")
	}
	start := len(c.dst)
	if err := c.text(); err != nil {
		return err
	}
	if bytes.IndexByte(c.dst[start:], '\\') >= 0 {
		// Equal names must be equal bytes, for duplicates here and for whoever looks for a member later.
		plain := unquote(c.dst[start:])
		c.dst = quote(c.dst[:start], plain)
	}
	colon, err := c.peek()
	if err != nil {
		return err
	}
	if colon != ':' {
		return c.unexpected("after object key")
	}
	c.take()
	return nil
}

// peek skips space and returns the byte at pos without taking it.
func (c *cleaner) peek() (byte, error) {
	c.space()
	if c.pos == len(c.src) {
		return 0, c.end()
	}
	return c.src[c.pos], nil
}

func (c *cleaner) space() {
	for c.pos < len(c.src) {
		switch c.src[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return
		}
	}
}

// errEnd says that the input ended within a value.
var errEnd = &InvalidError{Field: "body", Reason: "unexpected end of JSON input"}

func (c *cleaner) end() error { return errEnd }

// unexpected says that the byte at pos cannot stand there, in the words of Go's decoder.
func (c *cleaner) unexpected(where string) error {
	return invalid("body", "invalid character %s %s", quoteByte(c.src[c.pos]), where)
}

// quoteByte is the byte as Go's decoder shows it.
func quoteByte(char byte) string {
	switch char {
	case '\'':
		return `'\''`
	case '"':
		return `'"'`
	}
	text := strconv.Quote(string(rune(char)))
	return "'" + text[1:len(text)-1] + "'"
}
