package flow

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
)

// The function of the vectors, and the ULID.
const (
	sampleText = "11111111-2222-4333-8444-555555555555"
	sampleULID = "01J8G44701QYGE0DH65PZM8DPM"
)

var sampleFunction = uuid.MustParse(sampleText)

func withSettings(settings function.Settings) function.Function {
	return function.Function{ID: sampleFunction, Settings: settings}
}

// compile wants settings without faults.
func compile(t testing.TB, settings function.Settings) *Settings {
	t.Helper()
	compiled, faults := Compile(withSettings(settings))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return compiled
}

// stored reads settings as they are in a function's stored config.
func stored(t testing.TB, config string) function.Settings {
	t.Helper()
	fn, err := function.ParseConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return fn.Settings
}

// idOf is the n-th ULID.
func idOf(n int) ulid.ULID {
	id := ulid.ULID{14: byte(n >> 8), 15: byte(n)}
	if err := id.SetTime(ulid.Timestamp(epoch)); err != nil {
		panic(err)
	}
	return id
}

// eventOf is the n-th event, with data.
func eventOf(n int, data string) event.Tracked {
	id := idOf(n)
	return event.Tracked{InternalID: id, ReceivedAt: epoch, Event: event.Event{
		ID: id.String(), Name: "x/y", Data: json.RawMessage(data), TS: epoch.Add(-time.Hour).UnixMilli(),
	}}
}

func withTS(e event.Tracked, at time.Time) event.Tracked {
	e.TS = at.UnixMilli()
	return e
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func text(s string) *string { return &s }
