package replay

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// appsAnswer is one entry of apps.graphql.json: what a query about apps and functions was answered with after all recordings.
type appsAnswer struct {
	Name      string         `json:"name"`
	Query     string         `json:"query"`
	Variables map[string]any `json:"variables"`
	Status    int            `json:"status"`
	Headers   headerList     `json:"headers"`
	Body      string         `json:"body"`
}

// compareApps asks over GraphQL for the apps and functions of a lane, once they are registered.
func compareApps(t *testing.T, srv *server, lane string) []mismatch {
	t.Helper()
	content, err := readGzip("apps.graphql.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []appsAnswer
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	var found []mismatch
	compared := 0
	for _, one := range all {
		want := ofLane(one.Body, lane)
		if want == nil {
			continue
		}
		compared++
		cmp := &comparer{where: "graphql " + one.Name, excuse: excuseSync}
		body := render(map[string]any{"query": one.Query, "variables": one.Variables})
		got, err := ask(t.Context(), srv.addr, http.MethodPost, "/v0/gql", headerList{{"Content-Type", "application/json"}}, &body)
		if err != nil {
			t.Fatal(err)
		}
		if got.status != one.Status {
			cmp.add("status", one.Status, got.status)
		}
		cmp.headers(one.Headers, got.header)
		cmp.values("body", nil, want, ofLane(got.body, lane))
		found = append(found, cmp.found...)
	}
	if compared < 3 {
		t.Errorf("%d answers about apps were compared, want at least 3", compared)
	}
	return found
}

// syncedAgain are the apps that registered once more between their recorded registration and the answers: those of the streaming
// TypeScript apps with another framework, those of the Go apps with their functions in another order.
var syncedAgain = regexp.MustCompile(`^body\.data\.(apps|functions)\.(go|go-stream|ts4-stream|ts4nc-stream)(-s\d\d-[a-z-]+)?\.([a-z]+)$`)

// functionVersion is the version of a function in its configuration.
var functionVersion = regexp.MustCompile(`"fv":\d+,`)

// excuseSync accepts what a registration that was not recorded changed.
func excuseSync(field string, _ map[string]any, want, got any) bool {
	parts := syncedAgain.FindStringSubmatch(field)
	if parts == nil {
		return false
	}
	switch parts[4] {
	case "checksum":
		return len(text(want)) == len(text(got))
	case "framework":
		return text(want) == "nodejs" && text(got) == "edge"
	case "config":
		return functionVersion.ReplaceAllString(text(want), "") == functionVersion.ReplaceAllString(text(got), "")
	}
	return false
}

// ofLane leaves of an answer what is about apps that the lane registered; nil when there is nothing. Lists become objects, since
// their order means nothing.
func ofLane(body, lane string) any {
	value, err := decode(byName(body))
	if err != nil {
		return rawText(body)
	}
	data, left := member(value, "data"), false
	for name, inner := range data {
		object, _ := inner.(map[string]any)
		if name == "apps" || name == "functions" {
			for key := range object {
				if !isOfLane(key, lane) {
					delete(object, key)
				}
			}
			left = left || len(object) > 0
			continue
		}
		left = left || isOfLane(text(object["name"]), lane) || isOfLane(text(object["slug"]), lane)
	}
	if !left {
		return nil
	}
	return sortedFunctions(value)
}

// sortedFunctions makes objects of the lists of an app's functions.
func sortedFunctions(value any) any {
	object, _ := value.(map[string]any)
	for name, inner := range object {
		list, isList := inner.([]any)
		if name == "functions" && isList {
			object[name] = keyed(list, "slug")
			continue
		}
		sortedFunctions(inner)
	}
	return value
}

// isOfLane says whether an app or a function is one of a lane's.
func isOfLane(name, lane string) bool { return name == lane || strings.HasPrefix(name, lane+"-") }

func text(value any) string {
	text, _ := value.(string)
	return text
}
