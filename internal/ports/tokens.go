package ports

import (
	"errors"
	"time"

	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/domain/session"
)

// ErrBadToken says that a token is not one of this server's, or gives no right at this time.
var ErrBadToken = errors.New("bad token")

// Tokens signs claims and checks them again. To whoever holds one, a token is opaque. A token of one kind is never one of
// another. It computes and does nothing else, so methods take no context and the time is an argument.
type Tokens interface {
	// SignRealtime returns a token of the claims, as they are.
	SignRealtime(claims realtime.Claims) (string, error)
	// VerifyRealtime returns the claims of a token that was made by SignRealtime with the same secret and is valid at the
	// time; ErrBadToken for everything else, with the reason.
	VerifyRealtime(token string, now time.Time) (realtime.Claims, error)
	// SignRun returns a token of the claims, as they are.
	SignRun(claims realtime.RunClaims) (string, error)
	// VerifyRun does for run tokens what VerifyRealtime does for realtime tokens.
	VerifyRun(token string, now time.Time) (realtime.RunClaims, error)
	// SignSession returns a token of the claims, as they are.
	SignSession(claims session.Claims) (string, error)
	// VerifySession does for sessions what VerifyRealtime does for realtime tokens.
	VerifySession(token string, now time.Time) (session.Claims, error)
}
