package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// access says who may use a route.
type access int

const (
	// open routes check for themselves, or need no check.
	open access = iota
	// managed routes want the signing key or a session, where a key is configured.
	managed
)

type route struct {
	method, path string
	access       access
	handler      echo.HandlerFunc
}

// routes is everything that is served. Unlike the reference, /invoke wants the signing key: starting functions is not
// public. So does /metrics, which names functions and says how busy they are.
func (a *api) routes() []route {
	return slices.Concat(a.sessionRoutes(), a.debugRoutes(), a.metricsRoutes(), a.testRoutes(), a.realtimeRoutes(), a.graphQLRoutes(), a.checkpointRoutes(), []route{
		{http.MethodPost, "/e/:key", open, a.receiveEvents},
		{http.MethodGet, "/health", open, a.health},

		{http.MethodPost, "/invoke/:slug", managed, a.invoke},
		{http.MethodGet, "/dev", managed, a.dev},
		{http.MethodPost, "/fn/register", managed, a.register},
		{http.MethodDelete, "/fn/remove", managed, a.remove},
		{http.MethodPost, "/fn/step-limit", managed, a.setLimit(a.Limits.SetSteps)},
		{http.MethodDelete, "/fn/step-limit", managed, a.dropLimit(a.Limits.DropSteps, "step limit")},
		{http.MethodPost, "/fn/state-size-limit", managed, a.setLimit(a.Limits.SetState)},
		{http.MethodDelete, "/fn/state-size-limit", managed, a.dropLimit(a.Limits.DropState, "state size limit")},

		{http.MethodGet, "/v0/runs/:run/actions", managed, a.yielding(a.actions)},
		{http.MethodGet, "/v0/runs/:run/batch", managed, a.yielding(a.batch)},
		{http.MethodDelete, "/v0/runs/:run", managed, a.cancelV0},
		{http.MethodPost, "/v0/telemetry", managed, a.telemetry},

		{http.MethodGet, "/v1/events", managed, a.yielding(a.events)},
		{http.MethodGet, "/v1/events/:id", managed, a.yielding(a.event)},
		{http.MethodGet, "/v1/events/:id/runs", managed, a.yielding(a.eventRuns)},
		{http.MethodGet, "/v1/runs/:id", managed, a.yielding(a.run)},
		{http.MethodDelete, "/v1/runs/:id", managed, a.cancel},
		{http.MethodGet, "/v1/runs/:id/jobs", managed, a.yielding(a.runJobs)},
		{http.MethodGet, "/v1/apps/:app/functions", managed, a.yielding(a.appFunctions)},
		{http.MethodGet, "/v1/prom/:env", managed, a.prometheus},
		{http.MethodGet, "/v1/runs/:id/metadata", managed, a.yielding(a.readMetadata)},
		{http.MethodPost, "/v1/runs/:id/metadata", managed, a.putMetadata},
		{http.MethodPost, "/v1/apps/:app/functions/:function/pause", managed, a.setPaused(true)},
		{http.MethodPost, "/v1/apps/:app/functions/:function/resume", managed, a.setPaused(false)},
		{http.MethodGet, "/v1/cancellations", managed, a.yielding(a.cancellations)},
		{http.MethodPost, "/v1/cancellations", managed, a.createCancellation},
		{http.MethodDelete, "/v1/cancellations/:id", managed, a.deleteCancellation},
		{http.MethodPost, "/v1/signals", managed, a.signal},
		{http.MethodPost, "/v1/traces/userland", managed, a.userland},
	})
}

// metricsRoutes is what an operator's monitoring asks for. Spec 17 §1.
func (a *api) metricsRoutes() []route {
	if a.Metrics == nil {
		return nil
	}
	return []route{{http.MethodGet, "/metrics", managed, echo.WrapHandler(a.Metrics)}}
}

// router builds the routes. Middleware is put around handlers here, once, where the library would do it per request;
// and route by route, so that unknown paths are unknown to everybody.
func (a *api) router() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = a.handleError
	routes := a.routes()
	for _, r := range routes {
		handler := r.handler
		if r.access == managed {
			handler = a.requireSigningKey(handler)
		}
		e.Add(r.method, r.path, a.guarded(handler))
		if len(a.allowed[r.path]) == 0 {
			if r.method != http.MethodOptions { // the library would answer with 204; a route for it stands before others of its path
				e.OPTIONS(r.path, func(echo.Context) error { return echo.ErrMethodNotAllowed })
			}
			if matchesSlashes(r.path, routes) {
				e.RouteNotFound(r.path+"/*", echo.NotFoundHandler)
			}
		}
		a.allowed[r.path] = append(a.allowed[r.path], r.method)
	}
	a.mount(e)
	return e
}

// matchesSlashes says whether the library would let the path's last parameter match several segments: it does when no
// route goes on after it.
func matchesSlashes(path string, routes []route) bool {
	return strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], ":") &&
		!slices.ContainsFunc(routes, func(r route) bool { return strings.HasPrefix(r.path, path+"/") })
}

// yielding has a request that only reads wait for its turn.
func (a *api) yielding(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		leave, err := a.Gate.Enter(c.Request().Context())
		if err != nil {
			return fmt.Errorf("wait for a turn: %w", err)
		}
		defer leave()
		return next(c)
	}
}

// guarded turns a panic into an error of the request.
func (a *api) guarded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if reason == http.ErrAbortHandler { //nolint:errorlint,err113 // it is compared like this by its only reader, net/http
				panic(reason)
			}
			err = &panicError{reason, debug.Stack()}
			if c.Response().Committed {
				a.logFailure(c, err)
				panic(http.ErrAbortHandler) // half an answer must not look like a whole one
			}
		}()
		return next(c)
	}
}

// panicError is a panic of a handler.
type panicError struct {
	reason any
	stack  []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.reason) }

// handleError answers what no handler did: unknown routes, wrong methods, and errors that escaped.
func (a *api) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	switch {
	case errors.Is(err, echo.ErrNotFound):
		http.NotFound(c.Response(), c.Request())
	case errors.Is(err, echo.ErrMethodNotAllowed):
		c.Response().Header()[echo.HeaderAllow] = a.allowed[c.Path()]
		c.Response().WriteHeader(http.StatusMethodNotAllowed)
	default:
		a.logFailure(c, err)
		writeError(c, http.StatusInternalServerError, "", "Internal server error")
	}
}

func (a *api) logFailure(c echo.Context, err error) {
	attrs := []any{"method", c.Request().Method, "route", c.Path(), "error", err}
	if crash := (*panicError)(nil); errors.As(err, &crash) {
		attrs = append(attrs, "stack", string(crash.stack))
	}
	a.Log.ErrorContext(c.Request().Context(), "request failed", attrs...)
}
