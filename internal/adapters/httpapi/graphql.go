package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// graphQLPath is where GraphQL is served. Spec 05 §1.1.
const graphQLPath = "/v0/gql"

// graphQLRoutes want the signing key, unlike those of the reference: who may ask can read all payloads, cancel runs and remove apps.
// The handler says itself which methods it does not know, in the form of its other answers.
func (a *api) graphQLRoutes() []route {
	if a.GraphQL == nil {
		return nil
	}
	handler := echo.WrapHandler(a.GraphQL)
	var routes []route
	for _, method := range []string{http.MethodOptions, http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		routes = append(routes, route{method, graphQLPath, managed, handler})
	}
	return routes
}
