package run

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// finish ends the run: nothing is left to do, the record gets its output, and the lifecycle events are published.
// Spec 02 §17.
func (s State) finish(t *Transition, o outcome, now time.Time) {
	t.Jobs, t.Pauses, t.Call = nil, nil, nil
	t.Publish = slices.DeleteFunc(t.Publish, func(e event.Event) bool { return e.Name == event.FunctionInvoked })
	if t.Current.Fate != FateNone {
		t.Current = Disposition{Fate: FateDone}
	}
	if o.failure != nil && o.failure.Engine {
		o.output = sdk.EngineOutput(*o.failure)
	}
	t.Finish = &Finish{Status: o.status, Output: o.output, Response: o.response, At: now}
	t.Publish = append(t.Publish, s.lifecycle(o, now)...)
	t.Publish = append(t.Publish, s.applyWaits(*t).deferred(now)...)
}

// lifecycle are the events that tell of the run's end: "finished" always, "failed" or "cancelled" besides. There are
// none for a run that such an event started, so that handlers of ends do not call each other for ever.
func (s State) lifecycle(o outcome, now time.Time) []event.Event {
	var events []event.Event
	for i, trigger := range s.Events {
		_, correlation := event.Target(trigger.Event)
		if trigger.Name == event.FunctionFinished || trigger.Name == event.FunctionFailed || (i > 0 && correlation == "") {
			continue
		}
		e := event.Event{Data: s.lifecycleData(o, trigger.Event, correlation), TS: now.UnixMilli(), Sessions: trigger.Sessions}
		finished := e
		finished.Name = event.FunctionFinished
		events = append(events, finished)
		switch o.status {
		case Failed:
			e.Name, e.ID = event.FunctionFailed, s.ID.String()
			events = append(events, e)
		case Cancelled:
			e.Name, e.ID = event.FunctionCancelled, s.ID.String()
			events = append(events, e)
		}
	}
	return events
}

// lifecycleData is the payload of the events: an object with the members of spec 03 §15, sorted by name.
func (s State) lifecycleData(o outcome, trigger event.Event, correlation string) json.RawMessage {
	data := []byte(`{"_inngest":{"status":`)
	data = appendString(data, string(o.status))
	data = append(data, '}')
	if correlation != "" {
		data = append(data, `,"correlation_id":`...)
		data = appendString(data, correlation)
	}
	result, failure := o.report()
	if failure != nil {
		data = append(data, `,"error":`...)
		data = append(data, failure...)
	}
	data = append(data, `,"event":`...)
	data = trigger.AppendMap(data)
	data = append(data, `,"events":[`...)
	for i, e := range s.Events {
		if i > 0 {
			data = append(data, ',')
		}
		data = e.AppendStored(data)
	}
	data = append(data, `],"function_id":`...)
	data = appendString(data, s.Slug)
	if result != nil {
		data = append(data, `,"result":`...)
		data = append(data, result...)
	}
	data = append(data, `,"run_id":`...)
	data = appendString(data, s.ID.String())
	return append(data, '}')
}

// report is what the lifecycle events say of the outcome: the result and the error, each as JSON or nil. What the
// server itself made an error of is reported as the text of its output. Spec 02 §17.1.
func (o outcome) report() (result, failure []byte) {
	if o.status == Cancelled {
		return nil, nil
	}
	if o.failure == nil {
		return o.output, nil
	}
	std := sdk.Reply{Output: o.output, PlainText: o.plainText, Failure: o.failure}.StandardError()
	if !o.failure.Engine {
		return o.output, std.AppendJSON(nil)
	}
	if o.silent {
		std.Error = std.Message
		return nil, std.AppendJSON(nil)
	}
	return appendString(nil, string(o.output)), std.AppendJSON(nil)
}

// appendString appends a JSON string. Unlike the standard encoder it leaves <, > and & as they are.
func appendString(dst []byte, text string) []byte {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return append(dst, `""`...) // a string always encodes
	}
	return append(dst, strings.TrimSuffix(b.String(), "\n")...)
}
