package sdk

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// maxSignatureAge is how old, or how far in the future, a signature may be.
const maxSignatureAge = 5 * time.Minute

// ErrBadSignature says that a signature is missing, too old, or not made with the key.
var ErrBadSignature = errors.New("bad signature")

// NormalizeKey returns a signing key without its prefix "signkey-<environment>-", which is no part of the secret.
// Source: spec 01 §2.1.
func NormalizeKey(key string) string {
	const prefix = "signkey-"
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return key
	}
	end := 0
	for end < len(rest) && isWordChar(rest[end]) {
		end++
	}
	if end == 0 || end == len(rest) || rest[end] != '-' {
		return key
	}
	return rest[end+1:]
}

func isWordChar(char byte) bool {
	return 'a' <= char && char <= 'z' || 'A' <= char && char <= 'Z' || '0' <= char && char <= '9' || char == '_'
}

// HashKey returns the hash of a signing key that SDKs send as a bearer token: SHA-256 in hex over the key's bytes,
// which it must give in hex. Source: spec 01 §2.1.
func HashKey(key string) (string, error) {
	secret, err := hex.DecodeString(NormalizeKey(key))
	if err != nil {
		// The cause would quote characters of the key.
		return "", errors.New("hash signing key: it must be hex")
	}
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:]), nil
}

// Sign returns the X-Inngest-Signature of a canonical body: t=<unix seconds>&s=<hex HMAC>. The key may have its prefix.
// Source: spec 01 §2.2.
func Sign(key string, canonicalBody []byte, unix int64) string {
	timestamp := strconv.FormatInt(unix, 10)
	mac := hmac.New(sha256.New, []byte(NormalizeKey(key)))
	mac.Write(canonicalBody)
	mac.Write([]byte(timestamp))
	return "t=" + timestamp + "&s=" + hex.EncodeToString(mac.Sum(nil))
}

// CanonicalBody returns a body as RFC 8785 writes it, with every number a double; an empty body stays empty. Of repeated
// names the last one counts, as in every SDK's decoder. The body itself is left alone.
func CanonicalBody(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	canonical := jsontext.Value(bytes.Clone(body))
	ints := jsontext.CanonicalizeRawInts(true)
	err := canonical.Canonicalize(ints)
	if err != nil && json.Valid(body) {
		// It repeats a name, or holds broken UTF-8. Go's decoder settles both as the SDKs' decoders do.
		canonical, err = decodeAndEncode(body)
		if err == nil {
			err = canonical.Canonicalize(ints)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("canonicalise body: %w", err)
	}
	return canonical, nil
}

func decodeAndEncode(body []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// Signature returns the X-Inngest-Signature of a body, such that the SDK finds it right; empty when there is no key.
//
// SDKs do not check the bytes but their own canonical form of what they decoded, in which every number is a double. The
// bodies of this server hold integers of any size.
func Signature(key string, body []byte, unix int64) (string, error) {
	if key == "" {
		return "", nil
	}
	canonical, err := CanonicalBody(body)
	if err != nil {
		return "", fmt.Errorf("sign call: %w", err)
	}
	return Sign(key, canonical, unix), nil
}

// VerifySignature checks the X-Inngest-Signature of a body at the time now. The error is an ErrBadSignature.
func VerifySignature(key, header string, body []byte, now time.Time) error {
	values, err := url.ParseQuery(header)
	if err != nil {
		return fmt.Errorf("%w: unreadable header", ErrBadSignature)
	}
	unix, err := strconv.ParseInt(values.Get("t"), 10, 64)
	if err != nil {
		return fmt.Errorf("%w: no time", ErrBadSignature)
	}
	if age := now.Sub(time.Unix(unix, 0)); age > maxSignatureAge || age < -maxSignatureAge {
		return fmt.Errorf("%w: made at another time", ErrBadSignature)
	}
	canonical, err := CanonicalBody(body)
	if err != nil {
		return fmt.Errorf("%w: body is no JSON", ErrBadSignature)
	}
	want := "t=" + values.Get("t") + "&s=" + values.Get("s")
	if subtle.ConstantTimeCompare([]byte(want), []byte(Sign(key, canonical, unix))) != 1 {
		return fmt.Errorf("%w: made with another key or of another body", ErrBadSignature)
	}
	return nil
}

// VerifyBearer says whether an Authorization header carries the signing key, plain or hashed, with or without prefix.
// It is false for an empty key. The time it takes does not depend on the token. Source: spec 01 §2.3.
func VerifyBearer(configuredKey, header string) bool {
	return VerifyBearerAny([]string{configuredKey}, header)
}

// VerifyBearerAny says whether an Authorization header carries one of several signing keys. All of them are compared,
// whichever matches.
func VerifyBearerAny(configuredKeys []string, header string) bool {
	const scheme = "bearer"
	// The character after the scheme is not looked at.
	if len(header) <= len(scheme)+1 || !strings.EqualFold(header[:len(scheme)], scheme) {
		return false
	}
	token := sha256.Sum256([]byte(NormalizeKey(header[len(scheme)+1:])))
	matches := 0
	for _, key := range configuredKeys {
		if NormalizeKey(key) == "" {
			continue
		}
		matches |= sameSum(token, NormalizeKey(key))
		if hashed, err := HashKey(key); err == nil {
			matches |= sameSum(token, hashed)
		}
	}
	return matches == 1
}

// sameSum compares by digests, which are all of one length.
func sameSum(token [sha256.Size]byte, want string) int {
	sum := sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(token[:], sum[:])
}
