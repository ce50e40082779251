// Package start says how a run of a function begins: what the function's settings mean for it.
package start

import (
	"github.com/ingothq/ingot/internal/domain/duration"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
)

// Spec is a run of the function that the events start, without an ID, a key and a time.
func Spec(fn function.Function, events ...event.Tracked) run.Spec {
	return run.Spec{
		AppID: fn.AppID, FunctionID: fn.ID, FunctionVersion: fn.Version, Slug: fn.Slug, MaxAttempts: fn.MaxAttempts(),
		Events: events, CancelOn: cancelOn(fn), Timeouts: timeouts(fn),
	}
}

// cancelOn are the events that cancel runs of the function.
func cancelOn(fn function.Function) []run.CancelOn {
	var entries []run.CancelOn
	for _, c := range fn.Settings.Cancel {
		entries = append(entries, run.CancelOn{Event: c.Event, If: c.If, Timeout: c.Timeout})
	}
	return entries
}

// timeouts are the function's; a text that is no duration counts as absent. Spec 02 §22 #15.
func timeouts(fn function.Function) run.Timeouts {
	var t run.Timeouts
	if fn.Settings.Timeouts != nil {
		t.Start, _ = duration.ParseDuration(fn.Settings.Timeouts.Start)
		t.Finish, _ = duration.ParseDuration(fn.Settings.Timeouts.Finish)
	}
	return t
}
