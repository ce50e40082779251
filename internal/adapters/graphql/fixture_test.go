package graphql_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/adapters/embedded"
	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/app/registry"
)

// recordedQuery is a query with what v1.43.0 answered on the recorded database.
type recordedQuery struct {
	Name      string
	Query     string
	Variables map[string]any
	Response  any
}

// difference is a way in which the answers differ from the reference's on purpose; each has a row in docs/compatibility.md. In its texts
// * stands for anything.
type difference struct {
	query, path, want, got, reason string
}

// TestRecordedAnswers asks all queries that were recorded on the database of v1.43.0, and compares all values of the answers.
func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	f := recordedServer(t)
	used := make([]bool, len(differences))
	count := 0
	for _, asked := range recordedQueries(t) {
		var answer any
		if err := json.Unmarshal([]byte(f.ask(asked.Query, asked.Variables)), &answer); err != nil {
			t.Fatalf("%s: %v", asked.Name, err)
		}
		want, got := flat(asked.Response), flat(answer)
		paths := maps.Clone(want)
		maps.Copy(paths, got)
		for _, path := range slices.Sorted(maps.Keys(paths)) {
			count++
			before, after := want[path], got[path]
			if before == after || explained(used, asked.Name, path, before, after) {
				continue
			}
			t.Errorf("%s: %s is %.300s, want %.300s", asked.Name, path, or(after, "(absent)"), or(before, "(absent)"))
		}
	}
	for i, was := range used {
		if !was {
			t.Errorf("difference %+v does not occur", differences[i])
		}
	}
	if count < 5000 {
		t.Errorf("only %d values were compared", count)
	}
}

func or(text, absent string) string {
	if text == "" {
		return absent
	}
	return text
}

func explained(used []bool, query, path, want, got string) bool {
	for i, d := range differences {
		if matches(d.query, query) && matches(d.path, path) && matches(d.want, want) && matches(d.got, got) {
			used[i] = true
			return true
		}
	}
	return false
}

// matches says whether a text is that of a pattern; an empty pattern is any text.
func matches(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^(?s:" + strings.Join(parts, ".*") + ")$").MatchString(or(text, "(absent)"))
}

// flat maps the path of every value to its text. Elements of lists are named by what identifies them; the order of edges is a value
// of its own, others have none; times are in UTC to the millisecond; texts that hold JSON are compared as JSON.
func flat(value any) map[string]string {
	all := map[string]string{}
	flatten(all, "", value)
	return all
}

func flatten(all map[string]string, path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if name == "childrenSpans" {
				flattenSteps(all, path, member)
				continue
			}
			flatten(all, strings.TrimPrefix(path+"."+name, "."), member)
		}
		if len(value) == 0 {
			all[path] = "{}"
		}
	case []any:
		var order []string
		for i, element := range value {
			name := nameOf(element, i)
			order = append(order, name)
			flatten(all, path+"["+name+"]", element)
		}
		if strings.HasSuffix(path, ".edges") {
			all[path+".order"] = strings.Join(order, " ")
		}
		if len(value) == 0 {
			all[path] = "[]"
		}
	case string:
		all[path] = normalised(value)
	default:
		text, _ := json.Marshal(value)
		all[path] = string(text)
	}
}

// nameOf is what tells an element from the others of its list: most are listed in no order.
func nameOf(element any, at int) string {
	members, _ := element.(map[string]any)
	if node, ok := members["node"].(map[string]any); ok {
		return fmt.Sprint(node["id"])
	}
	for _, name := range []string{"slug", "kind"} {
		if text, ok := members[name].(string); ok {
			return text
		}
	}
	return fmt.Sprint(at)
}

// flattenSteps keeps of the spans below the run each step once, with what it was and what became of it. The reference lists most of
// them twice; how attempts are told of is compared where traces are built.
func flattenSteps(all map[string]string, path string, children any) {
	list, _ := children.([]any)
	if !strings.HasSuffix(path, ".trace") {
		return
	}
	seen := map[string]bool{}
	for _, child := range list {
		span := child.(map[string]any)
		name := fmt.Sprint(span["stepID"])
		if span["stepID"] == nil {
			name = "end"
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, field := range []string{"name", "status", "stepOp", "stepID", "stepInfo"} {
			flatten(all, path+".step["+name+"]."+field, span[field])
		}
	}
}

func normalised(text string) string {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
	}
	var content any
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		if json.Unmarshal([]byte(text), &content) == nil {
			canonical, _ := json.Marshal(content)
			return "JSON " + string(canonical)
		}
	}
	return text
}

// recordedServer is the API on a copy of the recorded database.
func recordedServer(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.db"), unpacked(t, "../embedded/testdata/v1.43.0.db.gz"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	clock := &clock{now: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
	engine, err := embedded.Open(t.Context(), embedded.Config{Dir: dir, Clock: clock, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(t.Context()) })
	reg := registry.New(engine.Catalog(), log)
	if err := reg.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newFixture(t, graphql.Config{}, func(d *graphql.Deps) {
		d.Catalog, d.Records, d.Store, d.Clock = engine.Catalog(), engine.History(), engine.Store(), clock
		d.Past = history.New(history.Deps{
			History: engine.History(), Store: engine.Store(), Queue: engine.Queue(), Metadata: engine.Metadata(), Catalog: engine.Catalog(), Clock: clock,
		}, history.Config{})
	})
}

func recordedQueries(t *testing.T) []recordedQuery {
	t.Helper()
	var recording struct{ Queries []recordedQuery }
	if err := json.Unmarshal(unpacked(t, "testdata/v1.43.0.json.gz"), &recording); err != nil {
		t.Fatal(err)
	}
	return recording.Queries
}

func unpacked(t *testing.T, name string) []byte {
	t.Helper()
	packed, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
