package function

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/ids"
)

// AppState is what the catalog holds that a sync may touch, read before Plan is called. A catalog that is changed between
// the two must make the plan fail or the sync start over; syncs of one app are serialised.
type AppState struct {
	// App has the request's name; nil when there is none. It may be archived.
	App *App
	// Functions are App's active functions, in any order.
	Functions []Function
	// Placeholders are the active apps without a name at the request's URL.
	Placeholders []Placeholder
	// Stored are those functions among Mintable that are stored: archived ones of the app, and any of another app.
	Stored map[uuid.UUID]Function
}

// Placeholder is an app of which only the URL is known, and its active functions; only very old servers gave it any.
type Placeholder struct {
	ID        uuid.UUID
	Functions []Function
}

// Mintable returns the IDs that a sync may give to functions that are not active yet. A function that was archived may have one of
// them; it comes back with its next version. One of another app may have it too, and keeps it. So the catalog is to be asked
// for AppState.Stored.
func Mintable(state AppState, request Request) []uuid.UUID {
	change := newRegistration(state, request)
	active := change.activeBySlug()
	var minted []uuid.UUID
	for _, declared := range request.Functions {
		if _, known := active[declared.slug()]; known {
			continue
		}
		steps, err := declared.steps()
		if err != nil || len(steps) == 0 {
			continue
		}
		minted = append(minted, mintable(declared.Name, steps[0].URI, declared.slug(), change.app.ID)...)
	}
	return minted
}

// Outcome is what the app is told.
type Outcome struct {
	// AppID is the app's identity; zero when there is no name to make one of.
	AppID uuid.UUID
	// Modified says whether the app differs from its last sync.
	Modified bool
	// Refused is why the sync is refused, nil when it is not. A plan that comes with it only records that.
	Refused *Refusal
}

// Plan decides what a registration changes, spec 01 §4.7 steps 3 to 10.
//
// A registration takes effect as a whole or not at all: when it is refused, functions stay as they are, and so does the
// row of an app that exists, but for its error. An app that is refused at its first sync gets a row that says so; while
// it has an error, the same registration is looked at again.
func Plan(state AppState, request Request, checks Checks) (SyncPlan, Outcome) {
	if request.AppName == "" {
		return SyncPlan{}, Outcome{Refused: &Refusal{Status: StatusRefused, Text: textNoAppName}}
	}
	change := newRegistration(state, request)
	if DeniedSDK(request.SDK) {
		return change.refuse(CodeSDKDenied, Refusal{Status: StatusRefused, Code: CodeSDKDenied, Text: textSDKDenied})
	}
	if change.unchanged() {
		return change.refresh(), Outcome{AppID: change.app.ID}
	}
	declared, complaints := convertAll(request, checks)
	if len(complaints) > 0 {
		return change.refuse(ErrorText(complaints), Refusal{Status: StatusRefused, Text: textInvalidFunction})
	}
	return change.apply(declared), Outcome{AppID: change.app.ID, Modified: true}
}

// registration is a request on its way to a plan.
type registration struct {
	state   AppState
	request Request
	// app is the row to write, without an error.
	app App
	// active are the functions that the app has so far, its own or an adopted placeholder's.
	active []Function
	plan   SyncPlan
}

// newRegistration settles the app's identity: its row's, or else that of a placeholder with functions, or else a new one. All
// other placeholders at the URL are superseded.
func newRegistration(state AppState, request Request) *registration {
	r := &registration{state: state, request: request, active: state.Functions}
	language, version := request.sdk()
	r.app = App{
		ID: ids.AppID(request.AppName), Name: request.AppName, SDK: language, SDKVersion: version,
		Framework: request.Framework, Metadata: request.Observations.metadata(), Checksum: Checksum(request),
		URL: request.URL, Method: request.Method(), AppVersion: request.AppVersion,
	}
	if state.App != nil {
		r.app.ID = state.App.ID
	}
	for _, placeholder := range state.Placeholders {
		if state.App == nil && !r.plan.Adopt && len(placeholder.Functions) > 0 {
			r.app.ID, r.active, r.plan.Adopt = placeholder.ID, placeholder.Functions, true
			continue
		}
		r.plan.DropPlaceholders = append(r.plan.DropPlaceholders, placeholder.ID)
	}
	return r
}

// refuse records the error with the app and leaves everything else alone.
func (r *registration) refuse(message string, refusal Refusal) (SyncPlan, Outcome) {
	if r.state.App != nil && !r.state.App.Archived {
		r.plan.DropPlaceholders = nil
		r.app = *r.state.App
	}
	r.app.Error = message
	r.plan.App = r.app
	return r.plan, Outcome{AppID: r.app.ID, Refused: &refusal}
}

// unchanged says whether the app is active, healthy and has just what it registers. The slugs are compared besides the
// checksum, because a server that stops halfway through a sync may have left a checksum that promises too much.
func (r *registration) unchanged() bool {
	app := r.state.App
	if app == nil || app.Archived || app.Error != "" || app.Checksum != r.app.Checksum {
		return false
	}
	registered := map[string]bool{}
	for _, declared := range r.request.Functions {
		registered[declared.slug()] = true
	}
	for _, f := range r.active {
		if !registered[f.Slug] {
			return false
		}
		delete(registered, f.Slug)
	}
	return len(registered) == 0
}

// refresh plans nothing, or only new observations and the end of placeholders.
func (r *registration) refresh() SyncPlan {
	metadata := r.state.App.Metadata
	if r.request.Observations != nil && !sameJSON(metadata, r.app.Metadata) {
		metadata = r.app.Metadata
	} else if len(r.plan.DropPlaceholders) == 0 {
		return SyncPlan{}
	}
	r.plan.App = *r.state.App
	r.plan.App.Metadata = metadata
	return r.plan
}

// sameJSON compares two JSON texts, spaces apart.
func sameJSON(left, right json.RawMessage) bool {
	var compacted bytes.Buffer
	return json.Compact(&compacted, left) == nil && bytes.Equal(compacted.Bytes(), right)
}

// convertAll converts the functions of a request. Of two with the same slug the later one wins, in its place.
func convertAll(request Request, checks Checks) (functions []Function, complaints []string) {
	for _, declared := range request.Functions {
		f, wrong := declared.Convert(checks)
		complaints = append(complaints, wrong...)
		functions = slices.DeleteFunc(functions, func(earlier Function) bool { return earlier.Slug == f.Slug })
		functions = append(functions, f)
	}
	return functions, complaints
}

// apply gives every function its identity and version and archives what is not registered any more.
func (r *registration) apply(declared []Function) SyncPlan {
	active := r.activeBySlug()
	taken := make(map[uuid.UUID]bool, len(declared))
	for _, f := range declared {
		if before, ok := active[f.Slug]; ok {
			taken[before.ID] = true
		}
	}
	for _, f := range declared {
		before, known := active[f.Slug]
		if known {
			f.ID, f.Version = before.ID, before.Version+1
		} else {
			f.ID = r.newID(f, taken)
			f.Version = r.state.Stored[f.ID].Version + 1
		}
		taken[f.ID] = true
		f.AppID = r.app.ID
		if r.app.Method == MethodConnect {
			f.Settings.Concurrency = withWorkerLimit(f.Settings.Concurrency, r.app.ID)
		}
		f.Config = Encode(f)
		r.plan.Put = append(r.plan.Put, f)
	}
	for _, f := range r.active {
		if !taken[f.ID] {
			r.plan.Archive = append(r.plan.Archive, f.ID)
		}
	}
	r.plan.App = r.app
	return r.plan
}

func (r *registration) activeBySlug() map[string]Function {
	active := make(map[string]Function, len(r.active))
	for _, f := range r.active {
		active[f.Slug] = f
	}
	return active
}

// mintable are the identities that a function of the app may get, in the order of preference. Name and URL alone do not always tell
// two functions apart, and slugs not those of two apps.
func mintable(name, uri, slug string, app uuid.UUID) []uuid.UUID {
	return []uuid.UUID{
		ids.FunctionID(name, uri), ids.FunctionID(name+uri, slug), ids.FunctionID(name+uri+slug, app.String()),
	}
}

// newID mints the identity of a function that is not active yet: the first that no other function has.
func (r *registration) newID(f Function, taken map[uuid.UUID]bool) uuid.UUID {
	minted := mintable(f.Name, f.Step.URI, f.Slug, r.app.ID)
	for _, id := range minted {
		stored, known := r.state.Stored[id]
		if !taken[id] && (!known || stored.AppID == r.app.ID) {
			return id
		}
	}
	return minted[len(minted)-1]
}

// withWorkerLimit adds the limit that the workers of a connected app share.
func withWorkerLimit(limits *Concurrency, app uuid.UUID) *Concurrency {
	added := Concurrency{}
	if limits != nil {
		added.Step, added.Run = limits.Step, slices.Clone(limits.Run)
	}
	added.Run = append(added.Run, RunLimit{Scope: RunScopeApp, ID: "app:" + app.String()})
	return &added
}
