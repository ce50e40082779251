package httpapi

import (
	"encoding/json"
	"expvar"
	"net/http"
	"net/http/pprof"

	"github.com/labstack/echo/v4"
)

// debugRoutes are the profiler and the counters of the process. Unlike the reference's they are for who may manage the server, and the
// command line, which may hold keys, is in none of them. Spec 04 §13.
func (a *api) debugRoutes() []route {
	toProfiler := func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "/debug/pprof/") }
	routes := []route{
		{http.MethodGet, "/debug", managed, a.local(toProfiler)},
		{http.MethodGet, "/debug/pprof", managed, a.local(toProfiler)},
		{http.MethodGet, "/debug/vars", managed, a.local(debugVars)},
	}
	for path, handler := range map[string]http.HandlerFunc{
		"/debug/pprof/": pprof.Index, "/debug/pprof/profile": pprof.Profile, "/debug/pprof/trace": pprof.Trace,
		"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/allocs": pprof.Index, "/debug/pprof/block": pprof.Index,
		"/debug/pprof/goroutine": pprof.Index, "/debug/pprof/heap": pprof.Index, "/debug/pprof/mutex": pprof.Index,
		"/debug/pprof/threadcreate": pprof.Index,
	} {
		routes = append(routes, route{http.MethodGet, path, managed, a.local(echo.WrapHandler(handler))})
	}
	return append(routes, route{http.MethodPost, "/debug/pprof/symbol", managed, a.local(echo.WrapHandler(http.HandlerFunc(pprof.Symbol)))})
}

// local lets requests from this machine through where no key decides, and none that the page of somebody else makes there.
func (a *api) local(next echo.HandlerFunc) echo.HandlerFunc {
	if a.config.SigningKey != "" {
		return next
	}
	return func(c echo.Context) error {
		if address, ok := peer(c.Request()); !ok || !address.IsLoopback() || !sameOrigin(c.Request()) {
			writeError(c, http.StatusForbidden, "", "Profiles of a server without a signing key are for its own machine only")
			return nil
		}
		return next(c)
	}
}

// debugVars is GET /debug/vars: what expvar has, but for the command line.
func debugVars(c echo.Context) error {
	vars := map[string]json.RawMessage{}
	expvar.Do(func(v expvar.KeyValue) {
		if v.Key != "cmdline" {
			vars[v.Key] = json.RawMessage(v.Value.String())
		}
	})
	return writeJSON(c, http.StatusOK, vars)
}
