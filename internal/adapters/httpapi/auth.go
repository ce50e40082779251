package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// requireSigningKey lets requests through that carry a signing key or its hash, or are of a session. A request that names a key is
// judged by the key alone. Spec 04 §3.1. Wrong keys are counted; a right one is let through however many wrong ones came from its address.
func (a *api) requireSigningKey(next echo.HandlerFunc) echo.HandlerFunc {
	return a.keyed(next, a.tooManyWrong)
}

// keyed is requireSigningKey, with what is done about a wrong key: true when it has answered.
func (a *api) keyed(next echo.HandlerFunc, wrong func(echo.Context) bool) echo.HandlerFunc {
	if a.config.SigningKey == "" {
		return next
	}
	return func(c echo.Context) error {
		if header := c.Request().Header.Get(echo.HeaderAuthorization); header != "" {
			if a.keyKnown(header) {
				return next(c)
			}
			if wrong(c) {
				return nil
			}
		} else if claims, ok := a.sessionOf(c); ok {
			return a.inSession(c, claims, next)
		}
		http.Error(c.Response(), "Authentication failed", http.StatusUnauthorized)
		return nil
	}
}

// tooManyWrong counts a request with a wrong key, and answers it when its address, or all together, have sent too many. That is asked after
// the key was found to be wrong: whoever has the right one may share an address with somebody who guesses, behind a proxy with everybody,
// and must not be locked out. So a guess is told from the key as before, which nobody finds by guessing; but a client that keeps
// trying a wrong one is told to wait, and what the log has of it is bounded. Logins are counted apart, since there a right key may have
// to wait.
func (a *api) tooManyWrong(c echo.Context) bool {
	address := addressOf(c.Request())
	a.sessions.Lock()
	wait := a.wrongKeys.Take(address, a.Clock.Now())
	a.sessions.Unlock()
	if wait <= 0 {
		a.Log.WarnContext(c.Request().Context(), "request with a wrong signing key", "address", address, "route", c.Path())
		return false
	}
	setRetryAfter(c, wait)
	http.Error(c.Response(), "Authentication failed; too many attempts, try again later", http.StatusTooManyRequests)
	return true
}

func setRetryAfter(c echo.Context, wait time.Duration) {
	c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(wait.Seconds()))))
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
