package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// graphQLPath is where GraphQL is served. Spec 05 §1.1.
const graphQLPath = "/v0/gql"

// graphQLRoutes want the signing key, unlike those of the reference: who may ask can read all payloads, cancel runs and remove apps.
func (a *api) graphQLRoutes() []route {
	if a.GraphQL == nil {
		return nil
	}
	handler := echo.WrapHandler(a.GraphQL)
	return []route{{http.MethodGet, graphQLPath, managed, handler}, {http.MethodPost, graphQLPath, managed, handler}}
}
