package event

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// text reads a string. Runs of harmless bytes are copied at once.
func (c *cleaner) text() error {
	src, at, copied := c.src, c.pos+1, c.pos
	for at < len(src) {
		char := src[at]
		switch {
		case char == '"':
			at++
			c.dst = append(c.dst, src[copied:at]...)
			c.pos = at
			return nil
		case char == '\\':
			size, lone, err := c.escape(at)
			if err != nil {
				return err
			}
			if lone {
				c.dst = append(append(c.dst, src[copied:at]...), "\uFFFD"...)
				copied = at + size
			}
			at += size
		case char < ' ':
			c.pos = at
			return c.unexpected("in string literal")
		case char < utf8.RuneSelf:
			at++
		default:
			char, size := utf8.DecodeRune(src[at:])
			if char == utf8.RuneError && size == 1 {
				c.dst = append(append(c.dst, src[copied:at]...), "\uFFFD"...)
				copied = at + 1
			}
			at += size
		}
	}
	return c.end()
}

// escape measures the escape sequence at at; lone says that it is half of a surrogate pair.
func (c *cleaner) escape(at int) (size int, lone bool, err error) {
	if at+1 >= len(c.src) {
		return 0, false, c.end()
	}
	switch c.src[at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, false, nil
	case 'u':
	default:
		c.pos = at + 1
		return 0, false, c.unexpected("in string escape code")
	}
	unit, err := c.hex(at + 2)
	if err != nil {
		return 0, false, err
	}
	if unit < 0xD800 || unit > 0xDFFF {
		return 6, false, nil
	}
	if unit < 0xDC00 && bytes.HasPrefix(c.src[at+6:], []byte(`\u`)) {
		low, err := c.hex(at + 8)
		if err != nil {
			return 0, false, err
		}
		if low >= 0xDC00 && low <= 0xDFFF {
			return 12, false, nil
		}
	}
	return 6, true, nil
}

func (c *cleaner) hex(at int) (rune, error) {
	var unit rune
	for end := at + 4; at < end; at++ {
		if at >= len(c.src) {
			return 0, c.end()
		}
		digit := c.src[at]
		switch {
		case isDigit(digit):
			digit -= '0'
		case 'a' <= digit|0x20 && digit|0x20 <= 'f':
			digit = digit | 0x20 - 'a' + 10
		default:
			c.pos = at
			return 0, c.unexpected(`in \u hexadecimal character escape`)
		}
		unit = unit<<4 | rune(digit)
	}
	return unit, nil
}

// number reads a number and keeps its text. One that no double can hold is refused: neither apps nor expressions could
// read it.
func (c *cleaner) number() error {
	start, exponent := c.pos, false
	if c.src[c.pos] == '-' {
		c.pos++
	}
	switch {
	case c.pos < len(c.src) && c.src[c.pos] == '0':
		c.pos++
	default:
		if err := c.digits("in numeric literal"); err != nil {
			return err
		}
	}
	if c.pos < len(c.src) && c.src[c.pos] == '.' {
		c.pos++
		if err := c.digits("after decimal point in numeric literal"); err != nil {
			return err
		}
	}
	if c.pos < len(c.src) && c.src[c.pos]|0x20 == 'e' {
		exponent = true
		c.pos++
		if c.pos < len(c.src) && (c.src[c.pos] == '+' || c.src[c.pos] == '-') {
			c.pos++
		}
		if err := c.digits("in exponent of numeric literal"); err != nil {
			return err
		}
	}
	text := c.src[start:c.pos]
	if exponent || len(text) > 300 {
		if _, err := strconv.ParseFloat(string(text), 64); err != nil {
			return mismatch("number "+string(text), "data", "float64")
		}
	}
	c.dst = append(c.dst, text...)
	return nil
}

// digits reads at least one digit.
func (c *cleaner) digits(where string) error {
	start := c.pos
	for c.pos < len(c.src) && isDigit(c.src[c.pos]) {
		c.pos++
	}
	switch {
	case c.pos > start:
		return nil
	case c.pos == len(c.src):
		return c.end()
	}
	return c.unexpected(where)
}

func (c *cleaner) literal(word string) error {
	for at := range len(word) {
		if c.pos == len(c.src) {
			return c.end()
		}
		if c.src[c.pos] != word[at] {
			return c.unexpected("in literal " + word + " (expecting " + quoteByte(word[at]) + ")")
		}
		c.pos++
	}
	c.dst = append(c.dst, word...)
	return nil
}

func isDigit(char byte) bool { return '0' <= char && char <= '9' }

// quote appends text as a JSON string with the fewest escapes; invalid UTF-8 becomes U+FFFD.
func quote(dst []byte, text string) []byte {
	dst, _ = jsontext.AppendQuote(dst, text) // the error only reports what was replaced
	return dst
}

// unquote is the text of a JSON string that the cleaner has written.
func unquote(literal []byte) string {
	if inner := literal[1 : len(literal)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	text, _ := jsontext.AppendUnquote(nil, literal) // clean strings unquote without an error
	return string(text)
}
