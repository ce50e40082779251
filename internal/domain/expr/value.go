package expr

import "fmt"

// Value is what the expression comes to on the event: the key that flow control counts by, or a priority. It is one of nil (null), bool,
// string, int64, uint64, float64 (any number of an event), []byte, time.Time, time.Duration, []any and map[any]any; the name of a type
// is a string. What the event does not have is false. Errors are those of Match, except that any kind of value is fine.
//
// Source: spec 11 §1.2.
func (p *Program) Value(s *Subject) (any, error) {
	result, err := p.evaluate(s)
	if err != nil {
		return nil, err
	}
	return native(result), nil
}

// Text is a value's text, byte for byte the one that keys of the reference are made of: Go's, except that null is NULL_VALUE. A
// null within a list or an object is <nil>.
func Text(value any) string {
	switch value := value.(type) {
	case nil:
		return "NULL_VALUE"
	case string:
		return value
	}
	return fmt.Sprint(value)
}
