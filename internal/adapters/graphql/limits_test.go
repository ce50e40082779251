package graphql_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// nested repeats a selection inside itself.
func nested(times int, open, inner string) string {
	return strings.Repeat(open+"{", times) + inner + strings.Repeat("}", times)
}

// doubled are fragments of which each uses the next one twice, so that walking all of them would take for ever.
func doubled(fragments int) string {
	var b strings.Builder
	b.WriteString(`query{app(id:"00000000-0000-0000-0000-000000000000"){...f0}}`)
	for i := range fragments {
		fmt.Fprintf(&b, ` fragment f%d on App{a:functions{app{...f%d}} b:functions{app{...f%d}}}`, i, i+1, i+1)
	}
	fmt.Fprintf(&b, ` fragment f%d on App{id}`, fragments)
	return b.String()
}

func TestLimits_RefuseWhatWouldCostTooMuch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query, code, message string
	}{
		"a long text":          {"{apps{id}}" + strings.Repeat(" ", 128<<10), "QUERY_TOO_LONG", "query has 131082 bytes, which exceeds the limit of 131072"},
		"many tokens":          {"{apps{" + strings.Repeat("id ", 4000) + "}}", "GRAPHQL_PARSE_FAILED", "exceeded token limit of 4000"},
		"deep":                 {`{app(id:"00000000-0000-0000-0000-000000000000"){` + nested(25, "functions{app", "id") + strings.Repeat("}", 27), "QUERY_TOO_DEEP", "query is 52 fields deep, which exceeds the limit of 25"},
		"deep by fragments":    {doubled(30), "QUERY_TOO_DEEP", "query is 62 fields deep, which exceeds the limit of 25"},
		"wide by fragments":    {doubled(8), "COMPLEXITY_LIMIT_EXCEEDED", "which exceeds the limit of 200000"},
		"lists in lists":       {`{functions{app{functions{app{functions{app{functions{id}}}}}}}}`, "COMPLEXITY_LIMIT_EXCEEDED", "query has a cost of 442101, which exceeds the limit of 200000"},
		"long pages":           {`{runs(first:400,orderBy:[],filter:{from:"2026-01-01T00:00:00Z"}){edges{node{app{functions{app{functions{id name slug}}}}}}}}`, "COMPLEXITY_LIMIT_EXCEEDED", "which exceeds the limit of 200000"},
		"as many pages":        {"{" + pages(30) + "}", "COMPLEXITY_LIMIT_EXCEEDED", "which exceeds the limit of 200000"},
		"types of types":       {`{__schema{types{fields{type{fields{type{fields{type{fields{type{name}}}}}}}}}}}`, "", ""},
		"types through unions": {`{__schema{types{possibleTypes{interfaces{possibleTypes{interfaces{possibleTypes{interfaces{possibleTypes{interfaces{name}}}}}}}}}}}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, graphql.Config{})
			w := f.post(`{"query":` + quote(c.query) + `}`)
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), c.message) || !strings.Contains(w.Body.String(), `"code":"`+c.code) ||
				!strings.HasSuffix(w.Body.String(), `,"data":null}`) {
				t.Errorf("%d %.400s", w.Code, w.Body)
			}
		})
	}
}

func pages(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `r%d:runs(first:300,orderBy:[],filter:{from:"2026-01-01T00:00:00Z"}){edges{node{id app{id} trace{childrenSpans{name status queuedAt startedAt}}}}} `, i)
	}
	return b.String()
}

// What the dashboard and the reference's test client ask must pass.
func TestLimits_AdmitWhatClientsAsk(t *testing.T) {
	t.Parallel()
	const span = `name runID status attempts isRoot parentSpanID spanID startedAt endedAt duration outputID stepOp stepInfo{__typename ...on InvokeStepInfo{triggeringEventID functionID timeout returnEventID runID timedOut} ...on SleepStepInfo{sleepUntil} ...on WaitForEventStepInfo{eventName expression timeout foundEventID timedOut} ...on RunStepInfo{type}} metadata{scope kind values} response{statusCode headers}`
	tree := span
	for range 5 {
		tree = span + ` childrenSpans{` + tree + `}`
	}
	for name, query := range map[string]string{
		"introspection":              introspection,
		"a long list":                `{runs(first:400,orderBy:[],filter:{from:"2026-01-01T00:00:00Z"}){totalCount pageInfo{hasNextPage endCursor} edges{cursor node{id status queuedAt startedAt endedAt app{externalID name} function{name slug} eventName isBatch cronSchedule hasAI}}}}`,
		"a trace":                    `{run(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W"){status trace(preview:true){` + tree + `}}}`,
		"a page of events with runs": `{eventsV2(first:40,filter:{from:"2026-01-01T00:00:00Z"}){totalCount edges{node{id name occurredAt receivedAt raw runs{id status startedAt endedAt function{name slug} trace(preview:true){skipReason skipExistingRunID}}}}}}`,
		"all functions":              `{functions{id slug name triggers{type value} app{id name} configuration{retries{value} concurrency{scope limit{value}}}}}`,
	} {
		f := newFixture(t, graphql.Config{})
		if w := f.post(`{"query":` + quote(query) + `}`); w.Code != http.StatusOK {
			t.Errorf("%s: %d %.300s", name, w.Code, w.Body)
		}
	}
}

// Queries that are dear to check rather than to answer are cheap enough within the bounds of their text.
func TestLimits_CheckingIsCheap(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"one field many times":     "{apps{" + strings.Repeat("id ", 3900) + "}}",
		"many fragments":           "{apps{" + strings.Repeat("...a ", 1800) + "}} fragment a on App{id}",
		"many inline fragments":    "{apps{" + strings.Repeat("...{id} ", 900) + "}}",
		"many operations":          strings.Repeat("{apps{id}} ", 600),
		"nested lists of a value":  `{apps(filter:` + strings.Repeat("[", 1900) + strings.Repeat("]", 1900) + `){id}}`,
		"nested inline fragments":  "{apps" + nested(1200, "{...", "id") + "}}",
		"fragments that use all":   chained(60),
		"a fragment that uses it":  "{apps{...a}} fragment a on App{functions{app{...a}}}",
		"many unknown directives":  "{apps{id " + strings.Repeat("@nope ", 1900) + "}}",
		"many aliases of one list": "{" + aliases(500) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, graphql.Config{})
			began := time.Now()
			w := f.post(`{"query":` + quote(query) + `}`)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %s: %d %.200s", took, w.Code, w.Body)
			}
			if w.Code == http.StatusInternalServerError || w.Body.Len() == 0 {
				t.Errorf("%d %.200s", w.Code, w.Body)
			}
		})
	}
}

// chained are fragments each of which uses all that follow.
func chained(n int) string {
	var b strings.Builder
	b.WriteString("{apps{...f0}}")
	for i := range n {
		fmt.Fprintf(&b, " fragment f%d on App{id", i)
		for j := i + 1; j < n; j++ {
			fmt.Fprintf(&b, " ...f%d", j)
		}
		b.WriteString("}")
	}
	return b.String()
}

func aliases(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d:apps{id} ", i)
	}
	return b.String()
}

func TestLimits_Body(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{MaxBody: 100})
	want := "{\"errors\":[{\"message\":\"request body is over the limit of 100 bytes\"}],\"data\":null}\n"
	if w := f.post(`{"query":"{apps{id}}"` + strings.Repeat(" ", 100) + `}`); w.Code != http.StatusRequestEntityTooLarge || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// slow is a catalog that answers when whoever asks has given up.
type slow struct{ ports.Catalog }

func (s slow) Apps(ctx context.Context) ([]function.App, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestLimits_Time(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, graphql.Config{}, func(d *graphql.Deps) { d.Catalog = slow{d.Catalog} })
		began := time.Now()
		w := f.post(`{"query":"{apps{id}}"}`)
		if want := `{"errors":[{"message":"the query takes longer than 30s"}],"data":null}`; w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("took %s", took)
		}
		if f.log.Len() > 0 {
			t.Errorf("logged %s", f.log)
		}
	})
}
