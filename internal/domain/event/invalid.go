package event

import "fmt"

// InvalidError says why an event or a request of events is refused. Its text is the reference's where it has one, and is
// meant for the sender; the request is never worth a retry.
type InvalidError struct {
	// Field is where the fault lies: "body", or an event's member such as "name", "ts", "data" or "meta.sessions".
	Field string
	// Reason is the text for the sender.
	Reason string
}

// Error is the reason alone, as the sender must see it.
func (e *InvalidError) Error() string { return e.Reason }

func invalid(field, format string, args ...any) *InvalidError {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// mismatch is the text of Go's JSON decoder for a member of the wrong type, which the reference answers with.
func mismatch(kind, field, goType string) *InvalidError {
	return invalid(field, "json: cannot unmarshal %s into Go struct field raw.%s of type %s", kind, field, goType)
}
