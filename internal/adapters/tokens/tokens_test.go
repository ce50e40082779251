package tokens

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/domain/session"
	"github.com/ingothq/ingot/internal/ports"
)

// Vectors of spec 04 §10.2 and §8.5, signed with the reference's constant.
const (
	realtimeVector = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJydC5pbm5nZXN0LmNvbSIsInN1YiI6IjAwMDAwMDAwLTAwMDAtNDAwMC1hMDAwLTAwMDAwMDAwMDAwMCIsImV4cCI6MTc0MzEzMDE5NywiaWF0IjoxNzQzMTMwMTM3LCJqdGkiOiIwMUpRRTFLMTNRMUE0RDFCNVhGME0xUzJFMCIsImVudiI6IjAwMDAwMDAwLTAwMDAtNDAwMC1iMDAwLTAwMDAwMDAwMDAwMCIsInRvcGljcyI6W3sia2luZCI6InJ1biIsImVudl9pZCI6IjAwMDAwMDAwLTAwMDAtNDAwMC1iMDAwLTAwMDAwMDAwMDAwMCIsImNoYW5uZWwiOiJ1c2VyOjEyMyIsIm5hbWUiOiJtZXNzYWdlcyJ9XSwicHVibGlzaCI6ZmFsc2V9.L1XLVzPo0Bx-ktNCT4yNz8SpiaKlyf7bfPO3NclvzcA"
	runVector      = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhcGkuaW5uZ2VzdC5jb20iLCJzdWIiOiJydW4tY2xhaW0iLCJleHAiOjE3NDMxMzM3MzcsImlhdCI6MTc0MzEzMDEzNywiRW52IjoiMDAwMDAwMDAtMDAwMC00MDAwLWIwMDAtMDAwMDAwMDAwMDAwIiwiUnVuSUQiOiIwMUpRRTFLMTNRMUE0RDFCNVhGME0xUzJFMCJ9.DW0h1Dsq_X9fADR6QKhPisFLYNg_QJpZpsQe3AJyaB8"
	// recorded is the realtime_token of a checkpoint's answer of the reference.
	recorded = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJydC5pbm5nZXN0LmNvbSIsInN1YiI6IjAwMDAwMDAwLTAwMDAtNDAwMC1hMDAwLTAwMDAwMDAwMDAwMCIsImV4cCI6MTc5NTQ3Njg0NiwiaWF0IjoxNzk1NDc1ODg2LCJqdGkiOiIwMU04NUI3S1kwREZNQ0tDRU5HTk1ZUDJOOCIsImVudiI6IjAwMDAwMDAwLTAwMDAtNDAwMC1iMDAwLTAwMDAwMDAwMDAwMCIsInRvcGljcyI6W3sia2luZCI6InJ1biIsImVudl9pZCI6IjAwMDAwMDAwLTAwMDAtNDAwMC1iMDAwLTAwMDAwMDAwMDAwMCIsImNoYW5uZWwiOiIwMU04NUI3S1hUU0pUSEFNRzBFNFpYU1gyMCIsIm5hbWUiOiIkc3RyZWFtIn1dLCJwdWJsaXNoIjpmYWxzZX0.YWOT7tIHsgc0VnrectwkAgdwH-qs4tCG5JBXI4R4Egk"
)

var (
	issued   = time.Unix(1743130137, 0)
	vectorID = ulid.MustParse("01JQE1K13Q1A4D1B5XF0M1S2E0")

	claimsOfVector = realtime.SubscribeClaims(vectorID, ids.EnvID(), []realtime.Topic{realtime.ChannelTopic(ids.EnvID(), "user:123", "messages")}, issued, realtime.SubscribeLifetime)
)

func newTokens(t *testing.T, signingKey string) *Tokens {
	t.Helper()
	made, err := New(signingKey)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestTokens_AreThoseOfTheReferenceWithoutAKey(t *testing.T) {
	t.Parallel()
	dev := newTokens(t, "")
	if got, err := dev.SignRealtime(claimsOfVector); err != nil || got != realtimeVector {
		t.Errorf("signed %s, %v", got, err)
	}
	got, err := dev.VerifyRealtime(realtimeVector, issued)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(claimsOfVector, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, err := dev.SignRun(realtime.NewRunClaims(ids.EnvID(), vectorID, issued)); err != nil || got != runVector {
		t.Errorf("signed %s, %v", got, err)
	}
	run, err := dev.VerifyRun(runVector, issued.Add(59*time.Minute))
	if err != nil || run != realtime.NewRunClaims(ids.EnvID(), vectorID, issued) {
		t.Errorf("verified %+v, %v", run, err)
	}
	run2 := ulid.MustParse("01M85B7KXTSJTHAMG0E4ZXSX20")
	stream := realtime.StreamClaims(ulid.MustParse("01M85B7KY0DFMCKCENGNMYP2N8"), ids.EnvID(), run2, time.Unix(1795475886, 0))
	if got, err := dev.SignRealtime(stream); err != nil || got != recorded {
		t.Errorf("signed %s, %v", got, err)
	}
}

func TestTokens_DependOnTheKey(t *testing.T) {
	t.Parallel()
	keys := map[string]*Tokens{"none": newTokens(t, ""), "one": newTokens(t, "abc123"), "other": newTokens(t, "abc124")}
	for signer, signing := range keys {
		token, err := signing.SignRealtime(claimsOfVector)
		if err != nil {
			t.Fatal(err)
		}
		run, err := signing.SignRun(realtime.NewRunClaims(ids.EnvID(), vectorID, issued))
		if err != nil {
			t.Fatal(err)
		}
		began := session.New(vectorID, issued)
		login, err := signing.SignSession(began)
		if err != nil {
			t.Fatal(err)
		}
		for verifier, verifying := range keys {
			_, err := verifying.VerifyRealtime(token, issued)
			_, runErr := verifying.VerifyRun(run, issued)
			found, sessionErr := verifying.VerifySession(login, issued)
			same := signer == verifier
			if (err == nil) != same || (runErr == nil) != same || (sessionErr == nil) != same || (found == began) != same {
				t.Errorf("%s verifies %s: %v, %v, %v", verifier, signer, err, runErr, sessionErr)
			}
		}
		for _, foreign := range []string{token, run} {
			if _, err := signing.VerifySession(foreign, issued); !errors.Is(err, ports.ErrBadToken) {
				t.Errorf("another token is a session: %v", err)
			}
		}
		if _, err := signing.VerifyRun(token, issued); !errors.Is(err, ports.ErrBadToken) {
			t.Errorf("a realtime token is a run token: %v", err)
		}
		if _, err := signing.VerifyRealtime(run, issued); !errors.Is(err, ports.ErrBadToken) {
			t.Errorf("a run token is a realtime token: %v", err)
		}
	}
	prefixed, err := newTokens(t, "signkey-prod-abc123").SignRealtime(claimsOfVector)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys["one"].VerifyRealtime(prefixed, issued); err != nil {
		t.Errorf("the prefix of a key matters: %v", err)
	}
	if one := keys["one"]; string(one.realtime) == string(one.run) || string(one.run) == string(one.session) || string(one.session) == string(one.realtime) {
		t.Error("kinds share a secret")
	}
}

// TestVerify_RefusesOtherForms: there is one way to write a valid token.
func TestVerify_RefusesOtherForms(t *testing.T) {
	t.Parallel()
	dev := newTokens(t, "")
	encode := base64.RawURLEncoding.EncodeToString
	part := strings.Split(realtimeVector, ".")
	with := func(method jwt.SigningMethod, key any, body any) string {
		token, err := jwt.NewWithClaims(method, body.(jwt.Claims)).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	// padded has the same bytes in its signature, with bits set that belong to none.
	padded := realtimeVector[:len(realtimeVector)-1] + "B"
	for name, token := range map[string]string{
		"nothing":             "",
		"no token":            "x",
		"two parts":           part[0] + "." + part[1],
		"four parts":          realtimeVector + ".x",
		"another signature":   part[0] + "." + part[1] + "." + encode(make([]byte, 32)),
		"no signature":        part[0] + "." + part[1] + ".",
		"changed claims":      part[0] + "." + encode([]byte(`{"iss":"rt.inngest.com"}`)) + "." + part[2],
		"algorithm none":      with(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, payload[realtime.Claims]{value: claimsOfVector}),
		"another HMAC":        with(jwt.SigningMethodHS512, []byte(devSecret), payload[realtime.Claims]{value: claimsOfVector}),
		"padding":             realtimeVector + "=",
		"bits beyond the end": padded,
		"space":               " " + realtimeVector,
		"claims of no shape":  with(jwt.SigningMethodHS256, []byte(devSecret), jwt.MapClaims{"exp": "soon"}),
		"another issuer":      with(jwt.SigningMethodHS256, []byte(devSecret), jwt.MapClaims{"iss": "x", "exp": 1743130197}),
	} {
		if got, err := dev.VerifyRealtime(token, issued); !errors.Is(err, ports.ErrBadToken) || got.Env != (realtime.Claims{}).Env {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, at := range map[string]time.Time{"expired": issued.Add(time.Minute), "of later": issued.Add(-time.Second)} {
		if _, err := dev.VerifyRealtime(realtimeVector, at); !errors.Is(err, ports.ErrBadToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := dev.VerifyRealtime(realtimeVector, issued.Add(time.Minute)); !errors.Is(err, realtime.ErrExpired) {
		t.Errorf("the reason is lost: %v", err)
	}
}

// FuzzVerify: whatever is accepted says what was signed, in the one form that signing gives.
func FuzzVerify(f *testing.F) {
	for _, seed := range []string{realtimeVector, runVector, recorded, "a.b.c", ""} {
		f.Add(seed)
	}
	dev, err := New("")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := dev.VerifyRealtime(token, issued)
		if err != nil {
			return
		}
		if again, err := dev.SignRealtime(claims); err != nil || again != token {
			t.Fatalf("accepted %s, signs %s (%v)", token, again, err)
		}
	})
}
