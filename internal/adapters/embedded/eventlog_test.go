package embedded

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
)

// TestEventLog_AWakeUpThatALeaverGotGoesOn: of two takers, the one that was woken leaves in that moment.
func TestEventLog_AWakeUpThatALeaverGotGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, Config{})
		tracked := event.Tracked{InternalID: ulid.MustNew(ulid.Timestamp(time.Now()), ulid.DefaultEntropy()), Event: event.Event{ID: "e", Name: "x"}}
		if err := e.EventLog().Append(t.Context(), []event.Tracked{tracked}); err != nil {
			t.Fatal(err)
		}
		<-e.log.wake // as the taker does who leaves
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.EventLog().Take(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
		select {
		case <-e.log.wake:
		default:
			t.Error("nobody is woken for the event")
		}
	})
}
