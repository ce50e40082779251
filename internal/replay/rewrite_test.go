package replay

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// recordedPorts are the public addresses of the recorded apps, by lane.
var recordedPorts = map[string]string{"ts4": "8791", "ts3": "8794", "ts4nc": "8797", "go": "8801"}

// providerPorts are the addresses of the recorded providers, one a lane.
var providerPorts = []string{"8780", "8781", "8782", "8783"}

var (
	isoTime  = regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	tsMember = regexp.MustCompile(`"ts":(\d{13})\b`)
)

// rewriter moves a recording to the place and time of the test: the app's address becomes the fake app's, times become
// as if the scenario had begun just now, and the event ids that hold such a time move with it. Nothing else changes.
type rewriter struct {
	addresses *strings.Replacer
	ids       *strings.Replacer
	start     time.Time
	shift     time.Duration
}

// newRewriter reads the events that were sent in a recording. app is the fake app's host and port.
func newRewriter(rec *recording, app string, now time.Time) (*rewriter, error) {
	port := recordedPorts[rec.lane()]
	addresses := []string{"localhost:" + port, "localhost:" + portOf(app), "127.0.0.1:" + port, "127.0.0.1:" + portOf(app)}
	for _, provider := range providerPorts {
		addresses = append(addresses, "127.0.0.1:"+provider, "127.0.0.1:"+portOf(app))
	}
	rw := &rewriter{addresses: strings.NewReplacer(addresses...)}
	var ids []string
	var failed error
	rec.all(func(one *exchange) {
		seed := one.request.Headers.get("x-inngest-event-id-seed")
		if seed == "" || failed != nil {
			return
		}
		millis, entropy, err := splitSeed(seed)
		if err != nil {
			failed = err
			return
		}
		if rw.start.IsZero() {
			rw.start = time.UnixMilli(millis)
			// Whole milliseconds, and a second ago: an event from the future would wait for its time. A recording whose
			// waits are longer than ours begins earlier.
			rw.shift = now.Add(-time.Second).Truncate(time.Millisecond).Sub(rw.start)
			if slices.Contains(backoffs, rec.name) {
				rw.shift -= time.Duration(rec.exchanges[len(rec.exchanges)-1].request.T) * time.Millisecond
			}
		}
		for i, recorded := range eventIDs(one.response.Body) {
			computed, err := seededEventID(uint64(millis), entropy, i+1)
			if err != nil || computed != recorded {
				failed = fmt.Errorf("exchange %d: recorded event id %s, computed %s: %w", one.number, recorded, computed, err)
				return
			}
			moved, err := seededEventID(uint64(millis+rw.shift.Milliseconds()), entropy, i+1)
			if err != nil {
				failed = err
				return
			}
			ids = append(ids, recorded, moved)
		}
	})
	rw.ids = strings.NewReplacer(ids...)
	return rw, failed
}

// text moves a body or a path.
func (rw *rewriter) text(recorded string) string {
	moved := rw.ids.Replace(rw.addresses.Replace(recorded))
	if rw.start.IsZero() {
		return moved
	}
	moved = isoTime.ReplaceAllStringFunc(moved, rw.isoTime)
	return tsMember.ReplaceAllStringFunc(moved, func(member string) string {
		millis, err := strconv.ParseInt(member[len(`"ts":`):], 10, 64)
		if err != nil || !rw.near(time.UnixMilli(millis)) {
			return member
		}
		return `"ts":` + strconv.FormatInt(millis+rw.shift.Milliseconds(), 10)
	})
}

// header moves a header's value.
func (rw *rewriter) header(name, value string) string {
	if strings.EqualFold(name, "x-inngest-event-id-seed") {
		if millis, entropy, err := splitSeed(value); err == nil {
			return strconv.FormatInt(millis+rw.shift.Milliseconds(), 10) + "," + entropy
		}
	}
	return rw.text(value)
}

func (rw *rewriter) isoTime(text string) string {
	parsed, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !rw.near(parsed) {
		return text
	}
	layout := "2006-01-02T15:04:05"
	if dot := strings.IndexByte(text, '.'); dot > 0 {
		layout += "." + strings.Repeat("0", len(text)-dot-2)
	}
	return parsed.Add(rw.shift).UTC().Format(layout) + "Z"
}

// near is true for times of the scenario, which move; other times are data.
func (rw *rewriter) near(at time.Time) bool {
	return at.Sub(rw.start).Abs() < 3*time.Hour
}

func splitSeed(seed string) (int64, string, error) {
	before, entropy, found := strings.Cut(seed, ",")
	millis, err := strconv.ParseInt(before, 10, 64)
	if !found || err != nil {
		return 0, "", fmt.Errorf("event id seed %q: %w", seed, err)
	}
	return millis, entropy, nil
}

// eventIDs are the ids of an event API answer.
func eventIDs(body string) []string {
	var answer struct {
		IDs []string `json:"ids"`
	}
	if json.Unmarshal([]byte(body), &answer) != nil {
		return nil
	}
	var valid []string
	for _, id := range answer.IDs {
		if _, err := ulid.ParseStrict(id); err == nil {
			valid = append(valid, id)
		}
	}
	return valid
}

func portOf(hostPort string) string { return hostPort[strings.LastIndexByte(hostPort, ':')+1:] }
