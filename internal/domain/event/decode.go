package event

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// null is what an event without data carries.
var null = json.RawMessage("null")

// Decode reads one event. The result shares no memory with raw.
//
// Members are recognised without regard to case, the last of several wins, and what is not a member of an event is
// dropped; JSON null leaves a member as it was, except data, user and meta, which it empties. Data and User are kept
// as raw JSON in clean form: no space between tokens, invalid UTF-8 and halves of surrogate pairs replaced by U+FFFD, the
// last of duplicate members kept; numbers, order and strings are as sent. Data is the literal null when absent. The
// session layers of meta are merged (spec 03 §6.4) but not yet limited; Normalise does that.
//
// Every error is an *InvalidError with the text of Go's JSON decoder, as the reference answers. Syntax errors come before type
// errors. JSON null is an empty event.
//
// Source: spec 03 §6.1.
func Decode(raw json.RawMessage) (Event, error) {
	event, rest, err := decodeFirst(raw)
	if err != nil {
		return Event{}, err
	}
	if scan := (cleaner{src: rest}); len(rest) > 0 {
		if _, err := scan.peek(); err == nil {
			return Event{}, scan.unexpected("after top-level value")
		}
	}
	return event, nil
}

// decodeFirst decodes the first value of raw and returns what follows it.
func decodeFirst(raw []byte) (Event, []byte, error) {
	var open [indexFrom]member
	decoder := decoder{cleaner: cleaner{src: raw, dst: make([]byte, 0, len(raw)), members: open[:0]}}
	if err := decoder.top(); err != nil {
		return Event{}, nil, err
	}
	if decoder.mistyped != nil {
		return Event{}, nil, decoder.mistyped
	}
	event := decoder.event
	if event.Data == nil {
		event.Data = null
	}
	if err := decoder.sessions(); err != nil {
		return Event{}, nil, err
	}
	event.Sessions = decoder.event.Sessions
	return event, raw[decoder.pos:], nil
}

// decoder reads an event's members through the cleaner.
type decoder struct {
	cleaner
	event Event
	meta  []byte
	// mistyped is the first member of a wrong type. Reading goes on after it, since a syntax error is the better reason.
	mistyped *InvalidError
}

func (d *decoder) top() error {
	first, err := d.peek()
	if err != nil {
		return err
	}
	if first != '{' {
		if err := d.value(); err != nil {
			return err
		}
		if kind := kindOf(first); kind != "null" {
			d.mistyped = invalid("body", "json: cannot unmarshal %s into Go value of type event.raw", kind)
		}
		return nil
	}
	d.pos++
	if first, err = d.peek(); err != nil {
		return err
	}
	for count := 0; first != '}' || count > 0; count++ {
		if err := d.member(); err != nil {
			return err
		}
		if first, err = d.peek(); err != nil {
			return err
		}
		if first == '}' {
			break
		}
		if first != ',' {
			return d.unexpected("after object key:value pair")
		}
		d.pos++
	}
	d.pos++
	return nil
}

// member reads one member of the event. Of dst only what the event keeps stays.
func (d *decoder) member() error {
	start := len(d.dst)
	if err := d.name(); err != nil {
		return err
	}
	field := fieldOf(d.dst[start+1 : len(d.dst)-2])
	d.dst = d.dst[:start]
	if err := d.value(); err != nil {
		return err
	}
	value := d.dst[start:len(d.dst):len(d.dst)]
	if !d.assign(field, value) {
		d.dst = d.dst[:start]
	}
	return nil
}

// assign sets the field to a clean value. It reports whether the event now holds on to the value's memory.
func (d *decoder) assign(field string, value []byte) bool {
	switch field {
	case "id":
		d.setText(&d.event.ID, field, value)
	case "name":
		d.setText(&d.event.Name, field, value)
	case "v":
		d.setText(&d.event.V, field, value)
	case "ts":
		d.setInteger(&d.event.TS, field, value)
	case "data":
		d.event.Data = d.object(field, value)
		return d.event.Data != nil
	case "user":
		d.event.User = d.object(field, value)
		if len(d.event.User) == len("{}") {
			d.event.User = nil
		}
		return d.event.User != nil
	case "meta":
		if value[0] != '{' && value[0] != 'n' {
			d.wrong(mismatch(kindOf(value[0]), field, "event.Meta"))
			return false
		}
		d.meta = nil
		if value[0] == '{' {
			d.meta = value
		}
		return d.meta != nil
	}
	return false
}

func (d *decoder) setText(field *string, name string, value []byte) {
	switch value[0] {
	case '"':
		*field = unquote(value)
	case 'n':
	default:
		d.wrong(mismatch(kindOf(value[0]), name, "string"))
	}
}

func (d *decoder) setInteger(field *int64, name string, value []byte) {
	switch kind := kindOf(value[0]); kind {
	case "null":
	case "number":
		number, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			d.wrong(mismatch("number "+string(value), name, "int64"))
			return
		}
		*field = number
	default:
		d.wrong(mismatch(kind, name, "int64"))
	}
}

// object is the value if it is an object, nil if it is null or of a wrong type.
func (d *decoder) object(name string, value []byte) json.RawMessage {
	switch kind := kindOf(value[0]); kind {
	case "object":
		return value
	case "null":
	default:
		d.wrong(mismatch(kind, name, "map[string]interface {}"))
	}
	return nil
}

func (d *decoder) wrong(err *InvalidError) {
	if d.mistyped == nil {
		d.mistyped = err
	}
}

// fieldOf is the event's member of that name, however it is capitalised, or "".
func fieldOf(name []byte) string {
	for _, field := range [...]string{"data", "name", "id", "ts", "user", "v", "meta"} {
		if string(name) == field {
			return field
		}
	}
	for _, field := range [...]string{"data", "name", "id", "ts", "user", "v", "meta"} {
		if bytes.EqualFold(name, []byte(field)) {
			return field
		}
	}
	return ""
}

// kindOf names the kind of a JSON value by its first byte, as Go's decoder does.
func kindOf(first byte) string {
	switch first {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	return "number"
}
