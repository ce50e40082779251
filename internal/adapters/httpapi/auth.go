package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// requireSigningKey lets requests through that carry the signing key or its hash. Spec 04 §3.1.
func (a *api) requireSigningKey(next echo.HandlerFunc) echo.HandlerFunc {
	if a.config.SigningKey == "" {
		return next
	}
	return func(c echo.Context) error {
		if !sdk.VerifyBearer(a.config.SigningKey, c.Request().Header.Get(echo.HeaderAuthorization)) {
			http.Error(c.Response(), "Authentication failed", http.StatusUnauthorized)
			return nil
		}
		return next(c)
	}
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
