package function_test

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
)

// catalog is a model of the database: it makes plans true as SyncPlan says.
type catalog struct {
	apps      map[uuid.UUID]function.App
	functions map[uuid.UUID]stored
}

type stored struct {
	function.Function
	archived bool
}

func newCatalog() *catalog {
	return &catalog{apps: map[uuid.UUID]function.App{}, functions: map[uuid.UUID]stored{}}
}

func (c *catalog) state(request function.Request) function.AppState {
	var state function.AppState
	for id, app := range c.apps {
		switch {
		case app.Name == request.AppName:
			found := app
			state.App, state.Functions = &found, c.active(id)
		case app.Name == "" && app.URL == request.URL && !app.Archived:
			state.Placeholders = append(state.Placeholders, function.Placeholder{ID: id, Functions: c.active(id)})
		}
	}
	state.Stored = map[uuid.UUID]function.Function{}
	for _, id := range function.Mintable(state, request) {
		if known, ok := c.functions[id]; ok {
			state.Stored[id] = known.Function
		}
	}
	return state
}

// active returns an app's active functions by slug.
func (c *catalog) active(app uuid.UUID) []function.Function {
	var active []function.Function
	for _, f := range c.functions {
		if f.AppID == app && !f.archived {
			active = append(active, f.Function)
		}
	}
	slices.SortFunc(active, func(left, right function.Function) int {
		if left.Slug < right.Slug {
			return -1
		}
		return 1
	})
	return active
}

func (c *catalog) slugs(app uuid.UUID) []string {
	var slugs []string
	for _, f := range c.active(app) {
		slugs = append(slugs, f.Slug)
	}
	return slugs
}

func (c *catalog) apply(plan function.SyncPlan) {
	if plan.Empty() {
		return
	}
	for _, id := range plan.DropPlaceholders {
		app := c.apps[id]
		app.Archived = true
		c.apps[id] = app
	}
	app := plan.App
	app.Archived = false
	c.apps[app.ID] = app
	for _, id := range plan.Archive {
		f := c.functions[id]
		f.archived = true
		c.functions[id] = f
	}
	for _, f := range plan.Put {
		c.functions[f.ID] = stored{Function: f}
	}
}

func (c *catalog) archiveApp(id uuid.UUID) {
	app := c.apps[id]
	app.Archived = true
	c.apps[id] = app
	for key := range maps.Clone(c.functions) {
		if f := c.functions[key]; f.AppID == id {
			f.archived = true
			c.functions[key] = f
		}
	}
}

// sync registers a request and returns what was decided.
func (c *catalog) sync(request function.Request, checks function.Checks) (function.SyncPlan, function.Outcome) {
	plan, outcome := function.Plan(c.state(request), request, checks)
	c.apply(plan)
	return plan, outcome
}
