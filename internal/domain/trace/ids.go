package trace

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2" //nolint:depguard // a generator with a given key is a function, not chance
	"strconv"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// seeded are the bytes that a seed stands for: those of a trace ID, then those of a span ID. Spec 15 §8.7.
func seeded(seed []byte) (traceID [16]byte, spanID [8]byte) {
	var out [24]byte
	// Read of this generator does not fail.
	_, _ = rand.NewChaCha8(sha256.Sum256(seed)).Read(out[:]) //nolint:forbidigo // the key says all
	return [16]byte(out[:16]), [8]byte(out[16:])
}

func seededSpan(seed string) string {
	_, spanID := seeded([]byte(seed))
	return hex.EncodeToString(spanID[:])
}

// RunIDs are the IDs of a run's trace and of its span. The trace has the run's own ID, in hex: who knows one knows the other, and rows
// that are keyed by trace come in their order, where a hash would scatter them. The last 10 bytes are random, as W3C Trace Context wants it.
func RunIDs(run ulid.ULID) (traceID, spanID string) {
	_, s := seeded(run[:])
	return hex.EncodeToString(run[:]), hex.EncodeToString(s[:])
}

// StepID is the ID of the span of a step, by the hash that the SDK gave it.
func StepID(step string) string { return seededSpan(step) }

// AttemptID is the ID of the span of an attempt of a step that failed and is made again; attempts count from zero.
func AttemptID(step string, attempt int) string {
	return seededSpan(step + ":" + strconv.Itoa(attempt))
}

// SleepID is the ID of the span of a sleep.
func SleepID(step string) string { return seededSpan("sleep-step:" + step) }

// SleepDiscoveryID is the ID of the span of the calls after a sleep.
func SleepDiscoveryID(step string) string { return seededSpan("sleep-discovery:" + step) }

// NonStepID is the ID of the span of a call that ended the function, or failed outside of any step.
func NonStepID(group string, attempt int) string {
	return seededSpan("nonstep:" + group + ":" + strconv.Itoa(attempt))
}

// DeferID is the ID of the span of a run that is to be started when its parent ends.
func DeferID(parent ulid.ULID, step string) string {
	return seededSpan("defer-span:" + parent.String() + ":" + step)
}

// MetadataID is the ID of the span of what is attached to another under a kind.
func MetadataID(parent, kind string) string {
	t, _ := seeded([]byte(parent + "-metadata-" + kind))
	return hex.EncodeToString(t[:len(t)/2])
}

// PlannedID is the ID of the row that says that a step is to be run; the one that ends it has the same Dynamic.
func PlannedID(step string) string { return hashed("planned:" + step) }

// ExtendID is the ID of a row that tells more of a span, by what it tells.
func ExtendID(dynamic, cause string) string { return hashed("extend:" + dynamic + ":" + cause) }

// hashed is the ID of a row that the reference gives a random one.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// GroupID names the attempts of a job, as the reference's groups do: a UUID of version 5.
func GroupID(job string) string {
	name := append(make([]byte, 0, 64), uuid.NameSpaceOID[:]...)
	sum := sha1.Sum(append(name, job...))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return id.String()
}
