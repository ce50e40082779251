package flow

import (
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// TestKeys are the vectors of spec 11 §10.1.
func TestKeys(t *testing.T) {
	t.Parallel()
	sample := ulid.MustParse(sampleULID)
	for name, c := range map[string]struct{ key, want string }{
		"event":    {EventKey(event.Event{ID: "abc"}), "1wuy30g4tx7s8-11mo2jbx36f89"},
		"batch":    {BatchKey(sampleFunction, sample), "1wuy30g4tx7s8-2b3bkgti3y80p"},
		"tick":     {CronKey(time.Date(2026, 8, 21, 2, 5, 0, 1, time.FixedZone("", 7200))), "1wuy30g4tx7s8-2ckjy9ft9bfev"},
		"rerun":    {RerunKey(sample), ids.FunctionIdempotency(sampleFunction, sampleULID)},
		"debounce": {DebounceKey(event.Tracked{InternalID: sample, Event: event.Event{ID: "abc"}}), ids.FunctionIdempotency(sampleFunction, sampleULID)},
	} {
		if got := ids.FunctionIdempotency(sampleFunction, c.key); got != c.want {
			t.Errorf("%s: %q is %s, want %s", name, c.key, got, c.want)
		}
	}
}
