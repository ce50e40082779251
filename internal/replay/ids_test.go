package replay

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// uuid5 is spec 01 §5's u5.
func uuid5(name string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)).String()
}

// endpointIDs are the ids of the app and the function that stand for a durable endpoint (spec 04 §8.1).
func endpointIDs(domain, slug string) (app, function string) {
	env := uuid.MustParse("00000000-0000-4000-b000-000000000000")
	appID := uuid.NewSHA1(uuid.NameSpaceOID, append(env[:], domain...))
	return appID.String(), uuid.NewSHA1(uuid.NameSpaceOID, append(appID[:], slug...)).String()
}

// x36 is spec 01 §5's x36.
func x36(text string) string { return strconv.FormatUint(xxhash.Sum64String(text), 36) }

// queueItemID is ctx.qi_id of a job.
func queueItemID(jobID string) string {
	return base64.StdEncoding.EncodeToString([]byte(jobID + "::default"))
}

// runKey is the key that a run's job ids start with: function and idempotency string (spec 02 §3).
func runKey(functionID, eventID string) string {
	return functionID + ":" + x36(functionID) + "-" + x36(eventID)
}

// coalesceKey is the key of a parallel group's common discovery (spec 02 §8.1).
func coalesceKey(runID string, ops []string) string {
	digest := xxhash.New()
	_, _ = digest.WriteString(runID)
	for _, op := range slices.Sorted(slices.Values(ops)) {
		_, _ = digest.Write([]byte{0})
		_, _ = digest.WriteString(op)
	}
	return fmt.Sprintf("%016x", digest.Sum64())
}

// requestIDEntropy is the random part of the request id of a job's n-th dispatch, as 16 characters of base 32.
func requestIDEntropy(jobID string, generation int) string {
	seed := []byte(jobID + ":" + strconv.Itoa(generation))
	for len(seed) < 10 {
		seed = append(seed, 0)
	}
	sum := sha256.Sum256(seed)
	var id ulid.ULID
	copy(id[6:], sum[:10])
	return id.String()[10:]
}

// spanID is the span part of a call's traceparent (spec 01 §8.2).
func spanID(jobID string, attempt int) string {
	sum := xxhash.Sum64String(fmt.Sprintf(`{"attempt":%d,"id":%q}`, attempt, jobID))
	return fmt.Sprintf("%016x", sum)
}

// seededEventID is the event id that a seed header gives the event at an index (spec 03 §8.1).
func seededEventID(millis uint64, entropy string, index int) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(entropy)
	if err != nil || len(raw) != 10 {
		return "", fmt.Errorf("entropy %q is not 10 bytes of base64: %w", entropy, err)
	}
	var id ulid.ULID
	if err := id.SetTime(millis); err != nil {
		return "", fmt.Errorf("set time %d: %w", millis, err)
	}
	copy(id[6:], raw)
	binary.BigEndian.PutUint32(id[12:], binary.BigEndian.Uint32(id[12:])+uint32(index))
	return id.String(), nil
}

// deferEventID is the id of the event that starts the run which an op of a finished run deferred (spec 03 §8.2).
func deferEventID(runID, op string) string {
	parent, err := ulid.ParseStrict(runID)
	if err != nil {
		return ""
	}
	var id ulid.ULID
	copy(id[:6], parent[:6])
	sum := sha256.Sum256([]byte("defer-event:" + runID + ":" + op))
	copy(id[6:], sum[:10])
	return id.String()
}

// jobNames gives each job id that a run can have the name of what it is for. ops are the ops of the app's answers, one
// list an answer.
func jobNames(functionID, eventID, runID string, answers [][]string) map[string]string {
	key := runKey(functionID, eventID)
	names := map[string]string{x36(key): "start"}
	for _, ops := range answers {
		if len(ops) > 1 {
			short := make([]string, len(ops))
			for i, op := range ops {
				short[i] = op[:min(6, len(op))]
			}
			names[x36(runID+"-"+coalesceKey(runID, ops)+"-discover")] = "coalesced " + strings.Join(short, "+")
		}
		for _, op := range ops {
			names[x36(key+"-"+op)] = "after " + op
			names[x36(key+"-"+op+"-plan")] = "planned " + op
			names[x36(key+"-"+op+"-event")] = "resumed " + op
			names[x36(key+"-"+op+"-timeout")] = "timed out " + op
			names[x36(key+"-"+op+"-failure")] = "failed " + op
			names[x36(key+"-"+op+"-sync-retry")] = "retried " + op
		}
	}
	return names
}

func TestFormulas(t *testing.T) {
	t.Parallel()
	const op = "98bf98df193bcce7c33e6bc50927cf2ac21206cb"
	function := "2b8a7a4a-6d0a-5e0c-8c25-0b6f0a4c2f11"
	seeded, err := seededEventID(1743130137367, "eii2YKXRVTJPuA==", 1)
	if err != nil {
		t.Fatal(err)
	}
	endpointApp, endpoint := endpointIDs("https://example.com", "GET /api/users")
	for name, pair := range map[string][2]string{
		"endpoint app":  {endpointApp, "ae96cb58-46ab-5bab-a9af-05ed3a1876f5"},
		"endpoint":      {endpoint, "443a7e4f-0b0b-57d1-9c30-80163cf71fcf"},
		"app id":        {uuid5("my-app"), "6314abb5-b9cc-5d32-8ac3-51e26170f039"},
		"x36":           {x36("hello"), "l8a8u0vgmher"},
		"qi_id":         {queueItemID("3w5j0v5g0k3xd"), "M3c1ajB2NWcwazN4ZDo6ZGVmYXVsdA=="},
		"start job":     {x36(runKey(function, "01HZZZZZZZZZZZZZZZZZZZZZZZ")), "1da9epkpqfwqp"},
		"coalesce key":  {coalesceKey("01J8ZKZ5H4X0V6QK3N8N3W9R7T", []string{"bbb", "aaa"}), "31d4cf0f7e73de71"},
		"request id":    {requestIDEntropy("3w5j0v5g0k3xd", 1), "01HF7YAT000YKTD0RRPDWRPQDS"[10:]},
		"seeded event":  {seeded, "01JQDAE4RQF8MBCR55T5AK4KXS"},
		"deferred":      {deferEventID("01HKQJZ5R7XR4MNTQGZ8Z3KPAB", "fixed-hashed-id"), "01HKQJZ5R7GC5N0NPVNFBX80JK"},
		"discovery job": {jobNames(function, "01HZZZZZZZZZZZZZZZZZZZZZZZ", "r", [][]string{{op}})["1pl0odwgv5qct"], "after " + op},
		"planned job":   {jobNames(function, "01HZZZZZZZZZZZZZZZZZZZZZZZ", "r", [][]string{{op}})["pt2hegcnyupn"], "planned " + op},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %q, want %q", name, pair[0], pair[1])
		}
	}
}
