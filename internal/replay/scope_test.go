package replay

import (
	"os"
	"slices"
	"strings"
)

// backoffs are the recordings with a retry that the app gave no time for.
var backoffs = []string{"30-checkpoint-errors.ts3", "38-natural-backoff.go", "38-natural-backoff.ts3", "38-natural-backoff.ts4"}

// conversations are the recordings of a lane with calls of the server, in order. Registration (01), durable endpoints (35),
// natural backoff and pings (39) have tests of their own.
func conversations(lane string) []string {
	entries, err := os.ReadDir(wireDir)
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		name, isRecording := strings.CutSuffix(entry.Name(), "."+lane+".jsonl.gz")
		if isRecording && !slices.Contains([]string{"01", "35", "39"}, name[:2]) && !slices.Contains(backoffs, name+"."+lane) {
			names = append(names, name+"."+lane)
		}
	}
	return names
}

// inScopeGroups are the groups of http-cases whose cases are sent unless casesOutOfScope names them.
var inScopeGroups = []string{"event-api", "register", "v1", "v0", "invoke", "graphql", "other"}

// casesOutOfScope are the hand-made requests that this version does not serve, with the reason. A pattern may hold *.
var casesOutOfScope = map[string]string{
	"v0: telemetry":                     "telemetry of the dashboard",
	"v0: connect *":                     "Connect is not served yet",
	"other: root":                       "the dashboard; the recorded binary had none",
	"other: unknown route":              "the dashboard; the recorded binary had none",
	"other: unknown asset":              "the dashboard; the recorded binary had none",
	"other: double slash":               "the dashboard; the recorded binary had none",
	"other: ready":                      "the dashboard; the recorded binary had none",
	"other: favicon":                    "the dashboard; the recorded binary had none",
	"other: runs UI":                    "the dashboard; the recorded binary had none",
	"other: mcp GET":                    "MCP is not served yet",
	"other: test api without TEST_MODE": "the reference's own test switch",
}

// outOfScope is the pattern of casesOutOfScope that a case falls under.
func outOfScope(one httpCase) (string, bool) {
	for pattern := range casesOutOfScope {
		if glob(pattern, one.key()) {
			return pattern, true
		}
	}
	return "", false
}
