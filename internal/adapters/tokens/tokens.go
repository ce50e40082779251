// Package tokens signs and checks the server's own tokens: JSON Web Tokens with HMAC-SHA256, of which nothing is accepted
// but the one form that it makes.
//
// Each kind of token has a secret of its own, derived from the signing key, so that whoever knows a token learns nothing of
// the key and a token of one kind is no token of another. Without a signing key the secret is the reference's constant,
// which is no secret: such a server is open to everybody anyway, and tokens that were made by the reference stay good.
//
// Source: spec 04 §3.3, §8.5, §10.1, §10.2.
package tokens

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/session"
	"github.com/ingothq/ingot/internal/ports"
)

// devSecret is what the reference signs with in every mode.
const devSecret = "dev-mode-is-not-secret" //nolint:gosec // no secret: it is in the public documentation, for development

// Labels that tell derived secrets apart. Changing one makes all tokens of that kind invalid.
const (
	realtimeLabel = "ingot token: realtime"
	runLabel      = "ingot token: run"
	sessionLabel  = "ingot token: session"
)

// Tokens signs with secrets of one signing key. Safe for concurrent use.
type Tokens struct {
	realtime, run, session []byte
	parser                 *jwt.Parser
}

var _ ports.Tokens = (*Tokens)(nil)

// New derives the secrets from a signing key, with or without its prefix; an empty one is that of a server without keys.
func New(signingKey string) (*Tokens, error) {
	t := &Tokens{
		realtime: []byte(devSecret), run: []byte(devSecret), session: []byte(devSecret),
		// The claims say themselves whether they are valid.
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()),
	}
	key := sdk.NormalizeKey(signingKey)
	if key == "" {
		return t, nil
	}
	for label, secret := range map[string]*[]byte{realtimeLabel: &t.realtime, runLabel: &t.run, sessionLabel: &t.session} {
		derived, err := hkdf.Key(sha256.New, []byte(key), nil, label, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive secret for %q: %w", label, err)
		}
		*secret = derived
	}
	return t, nil
}

// SignRealtime implements ports.Tokens.
func (t *Tokens) SignRealtime(claims realtime.Claims) (string, error) {
	return sign(t.realtime, claims)
}

// VerifyRealtime implements ports.Tokens.
func (t *Tokens) VerifyRealtime(token string, now time.Time) (realtime.Claims, error) {
	return verify[realtime.Claims](t.parser, t.realtime, token, now)
}

// SignRun implements ports.Tokens.
func (t *Tokens) SignRun(claims realtime.RunClaims) (string, error) { return sign(t.run, claims) }

// VerifyRun implements ports.Tokens.
func (t *Tokens) VerifyRun(token string, now time.Time) (realtime.RunClaims, error) {
	return verify[realtime.RunClaims](t.parser, t.run, token, now)
}

// SignSession implements ports.Tokens.
func (t *Tokens) SignSession(claims session.Claims) (string, error) { return sign(t.session, claims) }

// VerifySession implements ports.Tokens.
func (t *Tokens) VerifySession(token string, now time.Time) (session.Claims, error) {
	return verify[session.Claims](t.parser, t.session, token, now)
}

// claims are what can be in a token.
type claims interface{ Validate(now time.Time) error }

// payload carries claims through the library, which shall not look into them: its own base of them stays empty.
type payload[C claims] struct {
	jwt.RegisteredClaims

	value C
}

// MarshalJSON writes only the claims.
func (p payload[C]) MarshalJSON() ([]byte, error) { return json.Marshal(p.value) }

// UnmarshalJSON reads only the claims.
func (p *payload[C]) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &p.value) }

func sign[C claims](secret []byte, value C) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, payload[C]{value: value}).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

func verify[C claims](parser *jwt.Parser, secret []byte, token string, now time.Time) (C, error) {
	var content payload[C]
	_, err := parser.ParseWithClaims(token, &content, func(*jwt.Token) (any, error) { return secret, nil })
	if err == nil {
		err = content.value.Validate(now)
	}
	if err != nil {
		var none C
		return none, fmt.Errorf("%w: %w", ports.ErrBadToken, err)
	}
	return content.value, nil
}
