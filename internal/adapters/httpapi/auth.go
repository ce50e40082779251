package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// requireSigningKey lets requests through that carry a signing key or its hash, or are of a session. A request that names a key is
// judged by the key alone. Spec 04 §3.1.
func (a *api) requireSigningKey(next echo.HandlerFunc) echo.HandlerFunc {
	if a.config.SigningKey == "" {
		return next
	}
	return func(c echo.Context) error {
		if header := c.Request().Header.Get(echo.HeaderAuthorization); header != "" {
			if a.keyKnown(header) {
				return next(c)
			}
		} else if claims, ok := a.sessionOf(c); ok {
			return a.inSession(c, claims, next)
		}
		http.Error(c.Response(), "Authentication failed", http.StatusUnauthorized)
		return nil
	}
}

// keyKnown says whether an Authorization header carries a key that opens the management routes.
func (a *api) keyKnown(header string) bool {
	return sdk.VerifyBearerAny([]string{a.config.SigningKey, a.config.SigningKeyFallback}, header)
}

// eventKeyKnown compares in constant time, whichever key it is and however long. Spec 03 §4.
func (a *api) eventKeyKnown(key string) bool {
	if len(a.eventKeys) == 0 {
		return true
	}
	got, known := sha256.Sum256([]byte(key)), 0
	for i := range a.eventKeys {
		known |= subtle.ConstantTimeCompare(got[:], a.eventKeys[i][:])
	}
	return known == 1
}
