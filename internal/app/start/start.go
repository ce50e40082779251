// Package start says how a run of a function begins: what the function's settings mean for it.
package start

import (
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/duration"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
)

// Templates are the conditions, compiled, of events that cancel runs.
type Templates interface {
	// Template is that of the text; nil when it is not at hand.
	Template(text string) *expr.Template
}

// Standings tell what decides whether runs of a function start.
type Standings interface {
	Standing(function uuid.UUID) run.Standing
}

// Spec is a run of the function that the events start, without an ID, a key and a time.
func Spec(fn function.Function, templates Templates, events ...event.Tracked) run.Spec {
	return run.Spec{
		AppID: fn.AppID, FunctionID: fn.ID, FunctionVersion: fn.Version, Slug: fn.Slug, MaxAttempts: fn.MaxAttempts(),
		Events: events, CancelOn: cancelOn(fn, templates), Timeouts: timeouts(fn),
	}
}

// cancelOn are the events that cancel runs of the function.
func cancelOn(fn function.Function, templates Templates) []run.CancelOn {
	var entries []run.CancelOn
	for _, c := range fn.Settings.Cancel {
		entries = append(entries, run.CancelOn{Event: c.Event, If: c.If, Timeout: c.Timeout, Template: templates.Template(c.If)})
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
