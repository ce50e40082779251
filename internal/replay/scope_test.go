package replay

import (
	"os"
	"slices"
	"strings"
	"testing"
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

// withoutGraphQL are the scenarios of whose runs nothing was asked over GraphQL, with the reason.
var withoutGraphQL = map[string]string{
	"01": "registrations: apps and functions were asked for once, after all recordings (apps.graphql.json)",
	"02": "their events start no runs; the read API was asked for them",
	"39": "pings and what they lead to: as of 01",
}

// TestGraphQLScope: of every scenario with runs there is what GraphQL told of them.
func TestGraphQLScope(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(wireDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name, isRecording := strings.CutSuffix(entry.Name(), ".jsonl.gz")
		if !isRecording || name == "http-cases" {
			continue
		}
		_, without := withoutGraphQL[name[:2]]
		if asked := len(load(t, name).asked) > 0; asked == without {
			t.Errorf("%s: GraphQL answers %t, named as without them %t", name, asked, without)
		}
	}
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
