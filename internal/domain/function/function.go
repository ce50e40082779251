// Package function holds what an app registers: functions with their triggers and settings, how a registration
// request is read, normalised and checked, and how a sync changes what is stored.
//
// Source: spec 01 §4, §5; spec 15 §6.
package function

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"
)

// DefaultRetries is the number of retries of a function that names none.
const DefaultRetries = 4

// Function is a registered function, as it is stored.
type Function struct {
	ID      uuid.UUID
	AppID   uuid.UUID
	Version int
	Name    string
	// Slug is "<app>-<function id>", as the SDK built it.
	Slug     string
	Triggers []Trigger
	Step     Step
	// Settings is what Config says beyond the fields above.
	Settings Settings
	// Config is the stored configuration, byte for byte (spec 01 §4.9).
	Config json.RawMessage
}

// Schedules are the expressions of the function's cron triggers, each once.
func (f Function) Schedules() []string {
	var all []string
	for _, trigger := range f.Triggers {
		if trigger.Cron != "" && !slices.Contains(all, trigger.Cron) {
			all = append(all, trigger.Cron)
		}
	}
	return all
}

// Slugs are what a function of the app may be called in the catalog, the likeliest first, when somebody names it by its slug
// or by its ID within the app.
func Slugs(app, name string) []string {
	return []string{name, app + "-" + name}
}

// Step is the function's one step: where its app is.
type Step struct {
	ID, Name, URI string
	// Retries is nil when the app named none.
	Retries *int
}

// MaxAttempts is how often a job of the function is tried.
func (f Function) MaxAttempts() int {
	if f.Step.Retries == nil {
		return DefaultRetries + 1
	}
	return max(*f.Step.Retries, 0) + 1
}

// Trigger starts a function: an event with an optional condition, or a schedule.
type Trigger struct {
	Event      string `json:"event,omitempty"`
	Expression string `json:"expression,omitempty"`
	Cron       string `json:"cron,omitempty"`
	Jitter     string `json:"jitter,omitempty"`
}

// App is a registered app.
type App struct {
	ID         uuid.UUID
	Name       string
	SDK        string // language, for example "js"
	SDKVersion string // for example "v3.54.2"
	Framework  string
	Metadata   json.RawMessage
	Error      string
	Checksum   string
	URL        string
	// Method is how the app is reached: MethodServe, MethodConnect or MethodAPI.
	Method     string
	AppVersion string
	// Archived apps keep their row; registering again brings them back.
	Archived bool
}

// How apps are reached. MethodAPI is an app that stands for durable endpoints.
const (
	MethodServe   = "serve"
	MethodConnect = "connect"
	MethodAPI     = "api"
)
