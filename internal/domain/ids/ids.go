// Package ids derives every deterministic identifier that apps, SDKs and stored data rely on: apps, functions, steps,
// runs' idempotency keys, queue jobs, events and requests.
//
// All of it is pure: equal arguments give equal identifiers on every replica and in every release, because they are
// kept in databases, in Redis and inside running SDKs. A change here is a change of the wire format.
//
// Source: spec 01 §1, §5; spec 02 §1, §3, §5; spec 03 §8; spec 11 §1.1.
package ids

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// Identity of the one tenant of a self-hosted server. Both are sent to apps and part of stored keys (spec 01 §1).
const (
	// AccountIDText is the account's UUID as text, the value of the header "account-id".
	AccountIDText = "00000000-0000-4000-a000-000000000000"
	// EnvIDText is the environment's (workspace's) UUID as text.
	EnvIDText = "00000000-0000-4000-b000-000000000000"
)

// AccountID returns the UUID of the only account.
func AccountID() uuid.UUID {
	return uuid.UUID{6: 0x40, 8: 0xa0}
}

// EnvID returns the UUID of the only environment.
func EnvID() uuid.UUID {
	return uuid.UUID{6: 0x40, 8: 0xb0}
}

// AppID is the identity of the app of that name.
func AppID(name string) uuid.UUID {
	return named([]byte(name))
}

// PlaceholderAppID is the identity of an app whose name is not known yet, made of its normalised URL.
func PlaceholderAppID(url string) uuid.UUID {
	return named([]byte(url))
}

// FunctionID is the identity a function gets at its first registration, of its name and its first step's URI. A later
// registration of the same slug keeps the stored one.
func FunctionID(name, stepURI string) uuid.UUID {
	return named([]byte(name + stepURI))
}

// EndpointAppID is the identity of the app that stands for a durable endpoint's domain, for example
// "https://api.example.com".
func EndpointAppID(env uuid.UUID, domain string) uuid.UUID {
	return named(append(env[:], domain...))
}

// EndpointFunctionID is the identity of a durable endpoint, for example of the slug "POST /users".
func EndpointFunctionID(app uuid.UUID, slug string) uuid.UUID {
	return named(append(app[:], slug...))
}

// PauseID is the identity of the pause that the step op of a run waits on.
func PauseID(runID, op string) uuid.UUID {
	return named([]byte(runID + op))
}

// CancelPauseID is the identity of a cancelOn pause: of the run's idempotency string, the awaited event's name and the
// interpolated condition, empty when there is none (spec 02 §3).
func CancelPauseID(idempotency, eventName, condition string) uuid.UUID {
	name := idempotency + "-" + eventName
	if condition != "" {
		name += "-" + condition
	}
	return named([]byte(name))
}

// named is the version-5 UUID of name in the OID namespace, which all derived UUIDs share.
func named(name []byte) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, name)
}

// X36 is the xxHash64 of text, seed 0, in lower-case base 36 without padding.
func X36(text string) string {
	return strconv.FormatUint(xxhash.Sum64String(text), 36)
}

// BatchKeyHash names a batch of the events whose batch key has that text: SHA-256 in standard base64 with padding.
func BatchKeyHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// StepHash is the hashed ID that SDKs give to the index-th use of a step's id: the lower-case hex SHA-1 of the id for the
// first use (index 0), of "id:index" after it.
func StepHash(id string, index int) string {
	if index > 0 {
		id += ":" + strconv.Itoa(index)
	}
	sum := sha1.Sum([]byte(id))
	return hex.EncodeToString(sum[:])
}

// DeterministicULID is the ULID of a time in milliseconds since the epoch whose entropy is derived from seed: the first ten
// bytes of its SHA-256, after padding a seed shorter than ten bytes with zero bytes. A time outside the 48 bits of a
// ULID is clamped to the nearest end.
func DeterministicULID(ms int64, seed string) ulid.ULID {
	padded := []byte(seed)
	for len(padded) < entropySize {
		padded = append(padded, 0)
	}
	sum := sha256.Sum256(padded)
	var id ulid.ULID
	setTime(&id, uint64(min(max(ms, 0), int64(ulid.MaxTime()))))
	copy(id[timeSize:], sum[:entropySize])
	return id
}

// RequestID is the ULID of one call to an app: of the instant of dispatch in milliseconds, the hashed job ID and the
// job's generation, sent as "x-request-id" (spec 01 §8.2).
func RequestID(dispatchMS int64, job string, generation int) ulid.ULID {
	return DeterministicULID(dispatchMS, job+":"+strconv.Itoa(generation))
}

// DeferEventID is the internal ID of the "inngest/deferred.schedule" event that a finished run publishes for one of its
// defers; it carries the parent run's time (spec 03 §8.2).
func DeferEventID(parent ulid.ULID, hashedID string) ulid.ULID {
	return DeterministicULID(int64(parent.Time()), "defer-event:"+parent.String()+":"+hashedID)
}

const (
	timeSize    = 6
	entropySize = 10
)

// setTime writes the 48-bit millisecond time of a ULID, big-endian; ms must fit.
func setTime(id *ulid.ULID, ms uint64) {
	for at := range timeSize {
		id[at] = byte(ms >> (8 * (timeSize - 1 - at)))
	}
}
