package httpapi

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/domain/realtime"
)

// What clients without a right are told.
const (
	notAuthenticated = "Not authenticated"
	notForPublishing = "Not authenticated for publishing"
)

// tokenOrKey lets requests through that carry a valid realtime token, with its claims, or else the signing key, without.
// Spec 04 §10.1. What is neither is not counted as a wrong key: as a rule it is a token that has expired.
func (a *api) tokenOrKey(next func(c echo.Context, claims *realtime.Claims) error) echo.HandlerFunc {
	keyed := a.keyed(func(c echo.Context) error { return next(c, nil) }, func(echo.Context) bool { return false })
	return func(c echo.Context) error {
		now := a.Realtime.Clock.Now()
		for _, token := range tokensOf(c.Request()) {
			if claims, err := a.Realtime.Tokens.VerifyRealtime(token, now); err == nil {
				return next(c, &claims)
			}
		}
		return keyed(c)
	}
}

// tokensOf are what may be a token in a request: a bearer token, an Authorization header without a scheme, the query's
// token. The reference takes whatever follows the first seven characters of the header, so that it finds a token behind a
// scheme as long as "Bearer" and none in a header that holds nothing else.
func tokensOf(r *http.Request) []string {
	var found []string
	header := r.Header.Get(echo.HeaderAuthorization)
	if scheme, rest, ok := strings.Cut(header, " "); !ok {
		found = append(found, header)
	} else if strings.EqualFold(scheme, "bearer") {
		found = append(found, strings.TrimSpace(rest))
	}
	return append(found, r.URL.Query().Get("token"))
}

// mayPublish says whether the claims, which are nil where the signing key decides, give a right to publish.
func mayPublish(claims *realtime.Claims) bool { return claims == nil || claims.Publish }
