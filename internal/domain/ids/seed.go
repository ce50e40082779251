package ids

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
)

// Seed is the content of the header "x-inngest-event-id-seed": it makes a repeated request give its events the same
// internal IDs, so that no run starts twice (spec 03 §8.1).
type Seed struct {
	// MS is the time of the IDs in milliseconds since the epoch, above 0. It may exceed what a ULID can hold.
	MS int64
	// Entropy is the random part of the ID of the event with index 0.
	Entropy [entropySize]byte
}

// ParseSeed reads "<millis>,<standard base64 of exactly 10 bytes>". Anything else gives false: the header is then to be
// ignored, never answered with an error.
func ParseSeed(header string) (Seed, bool) {
	millis, encoded, found := strings.Cut(header, ",")
	if !found || strings.Contains(encoded, ",") {
		return Seed{}, false
	}
	ms, err := strconv.ParseInt(millis, 10, 64)
	if err != nil || ms <= 0 {
		return Seed{}, false
	}
	entropy, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(entropy) != entropySize {
		return Seed{}, false
	}
	return Seed{MS: ms, Entropy: [entropySize]byte(entropy)}, true
}

// EventID is the internal ID of the event with that index: the last four bytes of the entropy count up with it and wrap
// around without a carry. The first event of a POST /e has index 1, an invocation has index 0. It is false when the
// seed's time does not fit a ULID; the caller then draws a random one.
func (s Seed) EventID(index int) (ulid.ULID, bool) {
	if s.MS < 0 || uint64(s.MS) > ulid.MaxTime() {
		return ulid.ULID{}, false
	}
	var id ulid.ULID
	setTime(&id, uint64(s.MS))
	copy(id[timeSize:], s.Entropy[:])
	counter := id[len(id)-4:]
	binary.BigEndian.PutUint32(counter, binary.BigEndian.Uint32(counter)+uint32(index))
	return id, true
}

// String is the header's value.
func (s Seed) String() string {
	return strconv.FormatInt(s.MS, 10) + "," + base64.StdEncoding.EncodeToString(s.Entropy[:])
}
