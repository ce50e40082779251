package start

import (
	"encoding/json"
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
)

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
