package graphql_test

import (
	"encoding/json"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/graphql"
)

// FuzzAnswer sends any text as a query, with any variables. Whatever it is, the answer is JSON with data or with errors, and no fault of
// the server.
func FuzzAnswer(f *testing.F) {
	for _, query := range []string{
		`{apps{id functions{slug configuration{concurrency{scope}}}}}`, `query($f:EventsFilter!){eventsV2(first:-1,filter:$f){edges{node{raw runs{id}}}}}`,
		`{runs(first:9999999999,orderBy:[],filter:{from:"2026-01-01T00:00:00Z",query:"event.data.a == 1"}){totalCount}}`,
		`{run(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W"){trace{childrenSpans{stepInfo{... on RunStepInfo{type}}}}}}`,
		`mutation M($d:Map){invokeFunction(functionSlug:"app-a",data:$d,meta:{sessions:{a:1}})}`, `mutation{rerun(runID:"x",fromStep:{stepID:"",input:""})}`,
		`{runTraceSpanOutputByID(outputID:"e30="){data}}`, `{stream(query:{limit:-1,after:"x"}){id}}`, `fragment a on App{...a}`, introspection, doubled(3),
	} {
		f.Add(query, `{"f":{"from":"2026-01-01T00:00:00Z"},"d":{"a":[1.5,null]}}`)
	}
	server := newFixture(f, graphql.Config{MaxTokens: 500})
	server.register("", "a")
	server.send("a", `{"a":1}`)
	f.Fuzz(func(t *testing.T, query, variables string) {
		if !json.Valid([]byte(variables)) {
			variables = "null"
		}
		server.tb = t
		server.log.Reset()
		w := server.post(`{"query":` + quote(query) + `,"variables":` + variables + `}`)
		var answer struct {
			Data   json.RawMessage
			Errors []struct{ Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Errors) == 0 && len(answer.Data) == 0 {
			t.Fatalf("%d %s: %v", w.Code, w.Body, err)
		}
		if server.log.Len() > 0 || w.Code >= 500 {
			t.Fatalf("%d %s\nlogged %s", w.Code, w.Body, server.log)
		}
	})
}
