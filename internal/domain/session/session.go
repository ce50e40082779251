// Package session is who is logged in to the server's own pages: what a session says, how long it lasts, which ones were ended
// early, and how often somebody may try to begin one.
//
// A session is claims in a signed token, kept by the browser. The server keeps nothing of it but that it was ended, for as long as the
// token would still be good. It is bound to the signing key, which the secret of the token is derived from: a new key ends all sessions.
package session

import (
	"errors"
	"time"

	"github.com/oklog/ulid/v2"
)

// issuer tells sessions from whatever else may be signed.
const issuer = "ingot session"

const (
	// Idle is how long a session lasts that nobody uses.
	Idle = 12 * time.Hour
	// Longest is how long a session lasts however it is used; then the key is asked for again.
	Longest = 7 * 24 * time.Hour
)

// Why claims are no session.
var (
	ErrIssuer    = errors.New("token is of another issuer")
	ErrExpired   = errors.New("session has ended")
	ErrFromLater = errors.New("session began in the future")
)

// Claims are what the token of a session says. Times are Unix seconds.
type Claims struct {
	Issuer string `json:"iss"`
	// ID stays when the session is renewed.
	ID ulid.ULID `json:"jti"`
	// BeganAt is when the key was given.
	BeganAt   int64 `json:"auth_time"`
	IssuedAt  int64 `json:"iat"`
	ExpiresAt int64 `json:"exp"`
}

// New begins a session.
func New(id ulid.ULID, now time.Time) Claims {
	c := Claims{Issuer: issuer, ID: id, BeganAt: now.Unix()}
	return c.issued(now)
}

// issued is the session as it is from now on.
func (c Claims) issued(now time.Time) Claims {
	c.IssuedAt = now.Unix()
	c.ExpiresAt = min(now.Add(Idle).Unix(), c.End().Unix())
	return c
}

// Validate says why the claims are no session at the time, nil if they are.
func (c Claims) Validate(now time.Time) error {
	switch {
	case c.Issuer != issuer:
		return ErrIssuer
	case time.Unix(c.IssuedAt, 0).After(now):
		return ErrFromLater
	case !now.Before(time.Unix(c.ExpiresAt, 0)), !now.Before(c.End()):
		return ErrExpired
	}
	return nil
}

// Renew prolongs a session that is used: true when half of its time has passed and there is more to be had.
func (c Claims) Renew(now time.Time) (Claims, bool) {
	renewed := c.issued(now)
	left := time.Unix(c.ExpiresAt, 0).Sub(now)
	return renewed, left < Idle/2 && renewed.ExpiresAt > c.ExpiresAt
}

// Expires is when the session ends unless it is used, End when it ends in any case.
func (c Claims) Expires() time.Time { return time.Unix(c.ExpiresAt, 0).UTC() }

// End is when no renewal prolongs the session any more.
func (c Claims) End() time.Time { return time.Unix(c.BeganAt, 0).UTC().Add(Longest) }

// Ended are the sessions that were ended early. The zero value is none. It is not safe for concurrent use.
type Ended struct{ until map[ulid.ULID]time.Time }

// Add ends a session, and forgets those that are over by now.
func (e *Ended) Add(c Claims, now time.Time) {
	if e.until == nil {
		e.until = map[ulid.ULID]time.Time{}
	}
	for id, end := range e.until {
		if !now.Before(end) {
			delete(e.until, id)
		}
	}
	e.until[c.ID] = c.End()
}

// Has says whether a session was ended, in whichever of its renewals.
func (e *Ended) Has(c Claims) bool {
	_, ended := e.until[c.ID]
	return ended
}
