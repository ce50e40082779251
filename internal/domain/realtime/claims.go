package realtime

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
)

// Issuers and subjects of tokens.
const (
	// Issuer makes realtime tokens.
	Issuer = "rt.inngest.com"
	// RunIssuer makes run tokens.
	RunIssuer = "api.inngest.com"
	// RunSubject is the subject of every run token.
	RunSubject = "run-claim"
)

// How long tokens are good for.
const (
	// SubscribeLifetime is the time to connect with a subscribe token; a connection outlives it.
	SubscribeLifetime = time.Minute
	// StreamLifetime is the time to connect to the stream of a run.
	StreamLifetime = 16 * time.Minute
	// RunLifetime is the time to fetch the output of a run.
	RunLifetime = time.Hour
)

// Why claims are refused.
var (
	ErrIssuer    = errors.New("token is of another issuer")
	ErrSubject   = errors.New("token is of another subject")
	ErrNoExpiry  = errors.New("token has no expiry")
	ErrExpired   = errors.New("token has expired")
	ErrFromLater = errors.New("token was issued in the future")
	ErrNoEnv     = errors.New("token has no environment")
	ErrNoRun     = errors.New("token has no run")
)

// Claims are what a realtime token says: its bearer may subscribe to Topics or, if Publish is true, publish on every
// channel of Env. Times are Unix seconds. Spec 04 §10.2.
type Claims struct {
	Issuer    string    `json:"iss"`
	Account   uuid.UUID `json:"sub"`
	ExpiresAt int64     `json:"exp"`
	IssuedAt  int64     `json:"iat"`
	ID        ulid.ULID `json:"jti"`
	Env       uuid.UUID `json:"env"`
	// Topics are null in a publish token.
	Topics  []Topic `json:"topics"`
	Publish bool    `json:"publish"`
}

// SubscribeClaims let their bearer subscribe to the topics.
func SubscribeClaims(id ulid.ULID, env uuid.UUID, topics []Topic, now time.Time, lifetime time.Duration) Claims {
	if topics == nil {
		topics = []Topic{}
	}
	claims := newClaims(id, env, now, lifetime)
	claims.Topics = topics
	return claims
}

// PublishClaims let their bearer publish.
func PublishClaims(id ulid.ULID, env uuid.UUID, now time.Time, lifetime time.Duration) Claims {
	claims := newClaims(id, env, now, lifetime)
	claims.Publish = true
	return claims
}

// StreamClaims let their bearer follow what a run's app streams. Spec 02 §20.
func StreamClaims(id ulid.ULID, env uuid.UUID, run ulid.ULID, now time.Time) Claims {
	return SubscribeClaims(id, env, []Topic{ChannelTopic(env, run.String(), NameStream)}, now, StreamLifetime)
}

func newClaims(id ulid.ULID, env uuid.UUID, now time.Time, lifetime time.Duration) Claims {
	return Claims{
		Issuer: Issuer, Account: ids.AccountID(), ID: id, Env: env,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(lifetime).Unix(),
	}
}

// Validate says why the claims give no right at the time, nil if they do.
func (c Claims) Validate(now time.Time) error {
	switch {
	case c.Issuer != Issuer:
		return ErrIssuer
	case c.Env == uuid.Nil:
		return ErrNoEnv
	case len(c.Topics) > MaxTopics:
		return ErrTooManyTopics
	}
	return validateTimes(c.ExpiresAt, c.IssuedAt, now)
}

// RunClaims are what a run token says: its bearer may have the output of the run. Spec 04 §8.5.
type RunClaims struct {
	Issuer    string    `json:"iss"`
	Subject   string    `json:"sub"`
	ExpiresAt int64     `json:"exp"`
	IssuedAt  int64     `json:"iat"`
	Env       uuid.UUID `json:"Env"`
	RunID     ulid.ULID `json:"RunID"`
}

// NewRunClaims give a right to the output of the run.
func NewRunClaims(env uuid.UUID, run ulid.ULID, now time.Time) RunClaims {
	return RunClaims{
		Issuer: RunIssuer, Subject: RunSubject, Env: env, RunID: run,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(RunLifetime).Unix(),
	}
}

// Validate says why the claims give no right at the time, nil if they do.
func (c RunClaims) Validate(now time.Time) error {
	switch {
	case c.Issuer != RunIssuer:
		return ErrIssuer
	case c.Subject != RunSubject:
		return ErrSubject
	case c.Env == uuid.Nil:
		return ErrNoEnv
	case c.RunID.IsZero():
		return ErrNoRun
	}
	return validateTimes(c.ExpiresAt, c.IssuedAt, now)
}

// validateTimes has no tolerance: the one who checks a token is the one who made it.
func validateTimes(expires, issued int64, now time.Time) error {
	switch {
	case expires == 0:
		return ErrNoExpiry
	case !now.Before(time.Unix(expires, 0)):
		return ErrExpired
	case time.Unix(issued, 0).After(now):
		return ErrFromLater
	}
	return nil
}
