package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Mount is a handler of other adapters for everything at and below some paths. It wants the signing key, where one is configured.
type Mount struct {
	Paths   []string
	Handler http.Handler
}

// mount adds what others serve to the routes.
func (a *api) mount(e *echo.Echo) {
	for _, m := range a.Mounts {
		handler := a.guarded(a.requireSigningKey(echo.WrapHandler(m.Handler)))
		for _, path := range m.Paths {
			e.Any(path, handler)
			e.Any(path+"/*", handler)
		}
	}
}
