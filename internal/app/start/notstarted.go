package start

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/event"
)

// Awaits is how whoever waits for a run of the function that the event invokes is told of it, empty when nobody does or the event invokes
// another function.
func Awaits(slug string, function uuid.UUID, e event.Event) (correlation string) {
	if e.Name != event.FunctionInvoked {
		return ""
	}
	target, correlation := event.Target(e)
	if target != slug && target != function.String() {
		return ""
	}
	return correlation
}

// NotStarted tells the invoker that no run will tell it anything.
func NotStarted(correlation, message string, now time.Time) event.Event {
	type failure struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	data, err := json.Marshal(struct {
		FunctionID    string  `json:"function_id"`
		RunID         string  `json:"run_id"`
		CorrelationID string  `json:"correlation_id,omitempty"`
		Error         failure `json:"error"`
	}{CorrelationID: correlation, Error: failure{"Error", message}})
	if err != nil {
		data = []byte(`{}`) // strings always encode
	}
	return event.Event{Name: event.FunctionFinished, Data: data, TS: now.UnixMilli()}
}
