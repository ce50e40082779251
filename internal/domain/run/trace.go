package run

import (
	"crypto/sha256"
	"encoding/hex"
)

// Trace is the run's place in distributed traces. It is derived from the run's ID, so it needs no storage and is the
// same on every replica and after every restart.
type Trace struct {
	// ID is the trace of the run's calls, 32 hex digits.
	ID string
	// Parent is the traceparent under which the app hangs its own spans.
	Parent string
}

// Trace returns the run's trace.
func (s State) Trace() Trace {
	calls := sha256.Sum256(append([]byte("calls:"), s.ID[:]...))
	userland := sha256.Sum256(append([]byte("userland:"), s.ID[:]...))
	return Trace{
		ID:     hex.EncodeToString(calls[:16]),
		Parent: "00-" + hex.EncodeToString(userland[:16]) + "-" + hex.EncodeToString(userland[16:24]) + "-01",
	}
}
