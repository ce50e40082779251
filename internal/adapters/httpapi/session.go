package httpapi

import (
	"encoding/json"
	"mime"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/domain/session"
)

// How a session travels. Over TLS its cookie has a name that no other host and no page without TLS can set.
const (
	sessionCookie       = "ingot-session"
	secureSessionCookie = "__Host-" + sessionCookie
	// csrfHeader must be in every request of a session that changes anything, with whatever value: forms cannot send it, and
	// scripts of other origins may not.
	csrfHeader = "X-Ingot-Csrf"
	// maxLoginBody bounds a login: a key and a few spaces.
	maxLoginBody = 4 << 10
)

// sessionRoutes are those by which a browser gets a session for the signing key. The reference has none of them.
func (a *api) sessionRoutes() []route {
	return []route{
		{http.MethodGet, "/v0/session", open, a.showSession},
		{http.MethodPost, "/v0/session", open, a.login},
		{http.MethodDelete, "/v0/session", open, a.logout},
	}
}

// Who a request is from, as GET /v0/session tells it.
const (
	byNobody  = ""
	byNoKey   = "open"
	byKey     = "signing-key"
	bySession = "session"
)

// sessionAnswer says who a request is from. Members that do not apply are left out.
type sessionAnswer struct {
	// Required says that management routes want a key or a session.
	Required      bool   `json:"required"`
	Authenticated bool   `json:"authenticated"`
	By            string `json:"by,omitempty"`
	// ExpiresAt is when the session ends unless it is used, EndsAt when it ends in any case.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	EndsAt    *time.Time `json:"ends_at,omitempty"`
}

// showSession is GET /v0/session. It renews a session like any other use of it.
func (a *api) showSession(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	answer := sessionAnswer{Required: a.config.SigningKey != "", By: byNobody}
	if !answer.Required {
		answer.By = byNoKey
	} else if header := c.Request().Header.Get(echo.HeaderAuthorization); header != "" {
		if a.keyKnown(header) {
			answer.By = byKey
		} else if a.tooManyWrong(c) {
			return nil
		}
	} else if claims, ok := a.sessionOf(c); ok {
		claims, err := a.renewed(c, claims)
		if err != nil {
			return err
		}
		answer.tell(claims)
	}
	answer.Authenticated = answer.By != byNobody
	return writeJSON(c, http.StatusOK, answer)
}

func (s *sessionAnswer) tell(claims session.Claims) {
	expires, ends := claims.Expires(), claims.End()
	s.By, s.Authenticated, s.ExpiresAt, s.EndsAt = bySession, true, &expires, &ends
}

// login is POST /v0/session: {"signing_key":"…"}. It must be JSON, which a page of another origin cannot send unasked.
func (a *api) login(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	if a.config.SigningKey == "" {
		return a.showSession(c)
	}
	if !sameOrigin(c.Request()) {
		writeError(c, http.StatusForbidden, "", "A session is begun by the server's own pages only")
		return nil
	}
	if kind, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType)); err != nil || kind != echo.MIMEApplicationJSON {
		writeError(c, http.StatusUnsupportedMediaType, "", "Content-Type must be application/json")
		return nil
	}
	body, err := readBody(c, maxLoginBody)
	if err != nil {
		writeError(c, statusOf(err), "", "Unable to read the request: "+err.Error())
		return nil
	}
	var request struct {
		SigningKey string `json:"signing_key"`
	}
	if err := json.Unmarshal(body, &request); err != nil || request.SigningKey == "" {
		writeError(c, http.StatusBadRequest, "", "signing_key is required")
		return nil
	}
	return a.tryKey(c, request.SigningKey)
}

// tryKey begins a session if the key is right and may be tried.
func (a *api) tryKey(c echo.Context, key string) error {
	now := a.Clock.Now()
	address := addressOf(c.Request())
	a.sessions.Lock()
	wait := a.attempts.Take(address, now)
	a.sessions.Unlock()
	if wait > 0 {
		setRetryAfter(c, wait)
		writeError(c, http.StatusTooManyRequests, "", "Too many attempts; try again later")
		return nil
	}
	if !a.keyKnown("Bearer " + key) {
		a.Log.WarnContext(c.Request().Context(), "login with a wrong signing key", "address", address)
		writeError(c, http.StatusUnauthorized, "", "The signing key is not right")
		return nil
	}
	a.sessions.Lock()
	a.attempts.Right(address)
	a.sessions.Unlock()
	claims := session.New(a.IDs.ULID(now), now)
	if err := a.setSession(c, claims); err != nil {
		return err
	}
	answer := sessionAnswer{Required: true}
	answer.tell(claims)
	return writeJSON(c, http.StatusOK, answer)
}

// logout is DELETE /v0/session. The session is over for whoever has a copy of its cookie, too, as long as this process lives; a
// restart forgets which sessions were ended, but not those that are over by time.
func (a *api) logout(c echo.Context) error {
	if !sameOrigin(c.Request()) {
		writeError(c, http.StatusForbidden, "", "A session is ended by the server's own pages only")
		return nil
	}
	claims, ok := a.sessionOf(c)
	if ok && c.Request().Header.Get(csrfHeader) == "" {
		return a.noProof(c)
	}
	if ok {
		a.sessions.Lock()
		a.ended.Add(claims, a.Clock.Now())
		a.sessions.Unlock()
	}
	for name, secure := range map[string]bool{sessionCookie: false, secureSessionCookie: true} {
		c.SetCookie(cookie(name, "", secure, -1))
	}
	return c.NoContent(http.StatusNoContent)
}

// sessionOf is the session that a request is of. Requests of other origins are of none, whatever cookies they carry and whether they
// only read: what a management route answers is not for other pages, and a WebSocket begins as a GET.
func (a *api) sessionOf(c echo.Context) (session.Claims, bool) {
	if !sameOrigin(c.Request()) {
		return session.Claims{}, false
	}
	for _, name := range []string{secureSessionCookie, sessionCookie} {
		sent, err := c.Cookie(name)
		if err != nil {
			continue
		}
		claims, err := a.Tokens.VerifySession(sent.Value, a.Clock.Now())
		if err != nil {
			continue
		}
		a.sessions.Lock()
		ended := a.ended.Has(claims)
		a.sessions.Unlock()
		return claims, !ended
	}
	return session.Claims{}, false
}

// inSession answers a request of a session.
func (a *api) inSession(c echo.Context, claims session.Claims, next echo.HandlerFunc) error {
	switch c.Request().Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		if c.Request().Header.Get(csrfHeader) == "" {
			return a.noProof(c)
		}
	}
	if _, err := a.renewed(c, claims); err != nil {
		return err
	}
	// Who has logged out must not find the answer again.
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return next(c)
}

func (a *api) noProof(c echo.Context) error {
	writeError(c, http.StatusForbidden, "", "A request of a session that changes anything needs the header "+csrfHeader)
	return nil
}

// renewed prolongs the session of a request if it is time to.
func (a *api) renewed(c echo.Context, claims session.Claims) (session.Claims, error) {
	next, ok := claims.Renew(a.Clock.Now())
	if !ok {
		return claims, nil
	}
	return next, a.setSession(c, next)
}

func (a *api) setSession(c echo.Context, claims session.Claims) error {
	token, err := a.Tokens.SignSession(claims)
	if err != nil {
		return err
	}
	name, secure := sessionCookie, overTLS(c.Request())
	if secure {
		name = secureSessionCookie
	}
	c.SetCookie(cookie(name, token, secure, int(claims.Expires().Sub(a.Clock.Now()).Seconds())))
	return nil
}

// cookie is not for scripts, and not for requests that other sites make.
func cookie(name, value string, secure bool, seconds int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // without TLS a secure cookie would never be sent
		Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	}
}
