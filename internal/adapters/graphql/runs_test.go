package graphql_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql"
)

const askRuns = `query($first:Int!,$after:String,$order:[RunsV2OrderBy!]!,$filter:RunsFilterV2!){page:runs(first:$first,after:$after,orderBy:$order,filter:$filter){edges{cursor node{id status}} totalCount pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}`

func order(field, direction string) []any {
	return []any{map[string]any{"field": field, "direction": direction}}
}

func (f *fixture) runs(first int, after any, order []any, filter map[string]any) connection {
	f.tb.Helper()
	if filter["from"] == nil {
		filter["from"] = "2026-01-01T00:00:00Z"
	}
	variables := map[string]any{"first": first, "after": after, "order": order, "filter": filter}
	return data[struct{ Page connection }](f, askRuns, variables).Page
}

func TestRuns_PagesHaveEachRunOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a")
	var queued []string
	for i := range 30 {
		queued = append(queued, f.run(f.send("a", `{}`)).String())
		if i%3 == 0 { // several in a millisecond
			f.clock.pass(time.Millisecond)
		}
	}
	for _, field := range []string{"QUEUED_AT", "STARTED_AT", "ENDED_AT"} {
		for _, direction := range []string{"ASC", "DESC"} {
			var got []string
			var after any
			for {
				page := f.runs(7, after, order(field, direction), map[string]any{"timeField": field})
				got = append(got, strings.Fields(page.ids())...)
				if page.TotalCount != 30 || page.PageInfo.HasPreviousPage != (after != nil) {
					t.Fatalf("%s %s: %+v", field, direction, page)
				}
				if !page.PageInfo.HasNextPage {
					break
				}
				after = *page.PageInfo.EndCursor
			}
			want := slices.Clone(queued)
			if direction == "DESC" {
				slices.Reverse(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: got %v", field, direction, got)
			}
		}
	}
	for first, length := range map[int]int{1: 1, 30: 30, 31: 30, 399: 30, 1000: 30, 0: 30, -1: 30} {
		if page := f.runs(first, "", []any{}, map[string]any{}); len(page.Edges) != length || page.PageInfo.HasNextPage != (length < 30) {
			t.Errorf("first %d: %d runs, %+v", first, len(page.Edges), page.PageInfo)
		}
	}
}

// Runs have one order whatever follows the first field: their IDs decide.
func TestRuns_OrderedByManyFields(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a")
	var queued []string
	for i := range 8 {
		queued = append(queued, f.run(f.send("a", `{}`)).String())
		if i%3 == 0 {
			f.clock.pass(time.Millisecond)
		}
	}
	for _, orders := range []string{"QUEUED_AT ASC,ENDED_AT DESC", "STARTED_AT DESC,QUEUED_AT ASC", "QUEUED_AT DESC,QUEUED_AT ASC", "ENDED_AT ASC,STARTED_AT ASC,QUEUED_AT DESC", "ENDED_AT DESC,ENDED_AT ASC,QUEUED_AT DESC"} {
		var asked []any
		for one := range strings.SplitSeq(orders, ",") {
			field, direction, _ := strings.Cut(one, " ")
			asked = append(asked, order(field, direction)...)
		}
		want := slices.Clone(queued)
		field, rest, _ := strings.Cut(orders, " ")
		if strings.HasPrefix(rest, "DESC") {
			slices.Reverse(want)
		}
		var got []string
		var after any
		for more := true; more; {
			page := f.runs(3, after, asked, map[string]any{"timeField": field})
			got = append(got, strings.Fields(page.ids())...)
			if more = page.PageInfo.HasNextPage; more {
				after = *page.PageInfo.EndCursor
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v", orders, got)
		}
	}
}

// Cursors of the reference are read: the vectors of spec 05 §6.5.
func TestRuns_Cursors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a")
	run := f.run(f.send("a", `{}`))
	for _, cursor := range []string{
		"eyJpZCI6IjAxSFpYM1o5UUc3VjVLOE0yTjRQNlI4VDBXIiwiYyI6eyJzdGFydF90aW1lIjp7ImYiOiJzdGFydF90aW1lIiwidiI6MTcxNzQzMDQwMDEyMzQ1Nn19fQ==",
		"eyJpZCI6IjAxSFpYM1o5UUc3VjVLOE0yTjRQNlI4VDBXIiwiYyI6eyJxdWV1ZWRfYXQiOnsiZiI6InF1ZXVlZF9hdCIsInYiOjE3MTc0MzA0MDAxMjN9fX0=",
		// Of a list in several orders.
		base64.StdEncoding.EncodeToString([]byte(`{"id":"01HZX3Z9QG7V5K8M2N4P6R8T0W","c":{"ended_at":{"f":"ended_at","v":1717430400999},"queued_at":{"f":"queued_at","v":1717430400123}}}`)),
	} {
		if page := f.runs(5, cursor, order("QUEUED_AT", "ASC"), map[string]any{}); page.ids() != run.String() {
			t.Errorf("%s: %s", cursor, page.ids())
		}
		if page := f.runs(5, cursor, order("QUEUED_AT", "DESC"), map[string]any{}); page.ids() != "" {
			t.Errorf("%s: %s", cursor, page.ids())
		}
	}
	const ask = `{runs(orderBy:[],filter:{from:"2026-01-01T00:00:00Z"},after:%q){totalCount}}`
	for cursor, want := range map[string]string{
		"?":    "cursor is not base64",
		"e30=": `cursor's run \"\"`,
		"eyJpZCI6IjAxSFpYM1o5UUc3VjVLOE0yTjRQNlI4VDBXIiwiYyI6e319": "cursor is of a list in another order",
	} {
		if got := f.ask(fmt.Sprintf(ask, cursor), nil); !strings.Contains(got, `{"message":"error retrieving runs: `+want) || !strings.HasSuffix(got, `"data":null}`) {
			t.Errorf("%s: %s", cursor, got)
		}
	}
}

func TestRuns_Filters(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "ok", "bad", "open")
	f.answer = func(c call) response {
		switch {
		case strings.Contains(c.URL, "bad"):
			failed := respond(500, `{"name":"Error","message":"nope"}`)
			failed.Header["X-Inngest-No-Retry"] = "true"
			return failed
		case strings.Contains(c.URL, "open"):
			return respond(206, `[{"id":"`+strings.Repeat("a", 40)+`","op":"Sleep","name":"1h","displayName":"nap"}]`)
		}
		return respond(200, `{"num":12,"ok":true}`)
	}
	id := map[string]string{}
	for _, name := range []string{"ok", "bad", "open"} {
		id[name] = f.run(f.send(name, `{"n":11,"name":"`+name+`"}`)).String()
		f.clock.pass(time.Second)
	}
	fn := data[struct {
		FunctionBySlug struct{ ID, AppID string }
	}](f, `{functionBySlug(query:{functionSlug:"app-bad"}){id appID}}`, nil).FunctionBySlug
	for name, c := range map[string]struct {
		filter map[string]any
		want   []string
	}{
		"none":                {map[string]any{}, []string{"open", "bad", "ok"}},
		"nothing named":       {map[string]any{"status": []any{}, "functionIDs": []any{}, "appIDs": []any{}, "query": "", "timeField": nil}, []string{"open", "bad", "ok"}},
		"a status":            {map[string]any{"status": []any{"FAILED"}}, []string{"bad"}},
		"running":             {map[string]any{"status": []any{"RUNNING"}}, []string{"open"}},
		"several":             {map[string]any{"status": []any{"COMPLETED", "RUNNING", "CANCELLED"}}, []string{"open", "ok"}},
		"skipped":             {map[string]any{"status": []any{"SKIPPED"}}, nil},
		"a function":          {map[string]any{"functionIDs": []any{fn.ID}}, []string{"bad"}},
		"an app":              {map[string]any{"appIDs": []any{fn.AppID}}, []string{"open", "bad", "ok"}},
		"another app":         {map[string]any{"appIDs": []any{fn.ID}}, nil},
		"until":               {map[string]any{"until": "2026-03-01T12:00:01.124Z"}, []string{"bad", "ok"}},
		"from":                {map[string]any{"from": "2026-03-01T12:00:01Z"}, []string{"open", "bad"}},
		"deferred":            {map[string]any{"isDeferred": true}, nil},
		"not deferred":        {map[string]any{"isDeferred": false}, []string{"open", "bad", "ok"}},
		"a search of events":  {map[string]any{"query": `event.data.n > 10` + "\n\n" + `event.data.name != "ok"`}, []string{"open", "bad"}},
		"a search of outputs": {map[string]any{"query": `output.num > 11 && output.ok == true`}, []string{"ok"}},
		"a search of errors":  {map[string]any{"query": `error.message == "nope"`}, []string{"bad"}},
		"a search of both":    {map[string]any{"query": `event.name == "ok" && output.num == 12`}, []string{"ok"}},
	} {
		page := f.runs(10, nil, order("QUEUED_AT", "DESC"), c.filter)
		var want []string
		for _, name := range c.want {
			want = append(want, id[name])
		}
		if page.ids() != strings.Join(want, " ") || page.TotalCount != len(want) {
			t.Errorf("%s: %d, %s, want %v", name, page.TotalCount, page.ids(), c.want)
		}
	}
	f.expect(map[string]string{
		`{runs(orderBy:[{field:ENDED_AT,direction:ASC},{field:ENDED_AT,direction:DESC},{field:QUEUED_AT,direction:DESC}],filter:{from:"2026-01-01T00:00:00Z",timeField:ENDED_AT}){totalCount}}`: `{"errors":[{"message":"orderBy: runs that ended at once can be ordered by QUEUED_AT in the direction of ENDED_AT only, which is ASC","path":["runs"]}],"data":null}`,
		`{runs(orderBy:[{field:ENDED_AT,direction:ASC}],filter:{from:"2026-01-01T00:00:00Z"}){totalCount}}`:                                                                                     `{"errors":[{"message":"filter.timeField: runs that are ordered by ENDED_AT cannot be bounded by QUEUED_AT","path":["runs"]}],"data":null}`,
	})
	bad := f.ask(`{runs(orderBy:[],filter:{from:"2026-01-01T00:00:00Z",query:"event.data.n =="}){totalCount edges{cursor}}}`, nil)
	if !strings.Contains(bad, `"message":"error retrieving runs: line 1 of the query`) {
		t.Error(bad)
	}
}

func TestRun_AndWhatBelongsToIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a", "bad")
	step := strings.Repeat("a", 40)
	f.answer = func(c call) response {
		f.clock.pass(10 * time.Millisecond)
		if strings.Contains(c.URL, "bad") {
			failed := respond(400, `{"name":"TypeError","message":"nope","stack":"at x"}`)
			failed.Header["X-Inngest-No-Retry"] = "true"
			return failed
		}
		if !strings.Contains(string(c.Body), `"`+step+`"`) {
			return respond(206, `[{"id":"`+step+`","op":"StepRun","displayName":"one","data":{"n":1}}]`)
		}
		return respond(200, `{"done":true}`)
	}
	event := f.send("a", `{"x":1}`)
	run := f.run(event).String()
	f.expect(map[string]string{
		`{run(runID:"` + run + `"){id status eventName isBatch batchCreatedAt cronSchedule triggerIDs output hasAI isDeferred sourceID queuedAt app{name} function{slug} defers{fnSlug} siblingDefers{fnSlug} deferredFrom{runID}}}`: `{"data":{"run":{"id":"` + run + `","status":"COMPLETED","eventName":"a","isBatch":false,"batchCreatedAt":null,"cronSchedule":null,"triggerIDs":["` + event.String() + `"],"output":"{\"done\":true}","hasAI":false,"isDeferred":false,"sourceID":null,"queuedAt":"2026-03-01T12:00:00.123Z","app":{"name":"app"},"function":{"slug":"app-a"},"defers":[],"siblingDefers":[],"deferredFrom":[]}}}`,
		`{run(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W"){id}}`:                                            `{"errors":[{"message":"error retrieving run: sql: no rows in result set","path":["run"]}],"data":{"run":null}}`,
		`{runTrigger(runID:"` + run + `"){IDs payloads timestamp eventName isBatch batchID cron}}`: `{"data":{"runTrigger":{"IDs":["` + event.String() + `"],"payloads":[` + quote(`{"id":"`+event.String()+`","name":"a","data":{"x":1},"ts":1772366400123}`) + `],"timestamp":"2026-03-01T12:00:00.123Z","eventName":"a","isBatch":false,"batchID":null,"cron":null}}}`,
		`{runTrigger(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W"){IDs}}`:                                    `{"errors":[{"message":"error retrieving run: sql: no rows in result set","path":["runTrigger"]}],"data":null}`,
		`{runTrigger(runID:"x"){IDs}}`:                                                             `{"errors":[{"message":"error parsing runID: ulid: bad data size when unmarshaling","path":["runTrigger"]}],"data":null}`,
		`{runTrace(runID:"x"){name}}`:                                                              `{"errors":[{"message":"error parsing runID: ulid: bad data size when unmarshaling","path":["runTrace"]}],"data":null}`,
		`{runTrace(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W"){name}}`:                                     `{"errors":[{"message":"error retrieving trace: no root span found for run 01HZX3Z9QG7V5K8M2N4P6R8T0W","path":["runTrace"]}],"data":null}`,
		`{runTraceSpanOutputByID(outputID:"?"){data}}`:                                             `{"errors":[{"message":"error parsing span identifier: illegal base64 data at input byte 0","path":["runTraceSpanOutputByID"]}],"data":null}`,
		`{runTraceSpanOutputByID(outputID:""){data}}`:                                              `{"errors":[{"message":"error parsing span identifier: unexpected end of JSON input","path":["runTraceSpanOutputByID"]}],"data":null}`,
		`{runTraceSpanOutputByID(outputID:"e30="){data}}`:                                          `{"errors":[{"message":"span ID or input span ID is required to retrieve output","path":["runTraceSpanOutputByID"]}],"data":null}`,
	})
	type span struct {
		Name, Status, StepID, OutputID string
		Run                            struct{ ID, Status string }
		ChildrenSpans                  []span
	}
	const ask = `query($r:String!,$p:Boolean){run(runID:$r){trace(preview:$p){...s run{id status} childrenSpans{...s run{id status}}}}} fragment s on RunTraceSpan{name status stepID outputID}`
	for preview, names := range map[bool]string{true: "Run one Finalization", false: "app-a one function success"} {
		root := data[struct{ Run struct{ Trace span } }](f, ask, map[string]any{"r": run, "p": preview}).Run.Trace
		got := []string{root.Name}
		for _, child := range root.ChildrenSpans {
			got = append(got, child.Name)
		}
		if strings.Join(got, " ") != names || root.Status != "COMPLETED" || root.Run.ID != run || root.ChildrenSpans[0].Run.Status != "COMPLETED" {
			t.Errorf("preview %t: %+v", preview, root)
			continue
		}
		output := f.ask(`{runTraceSpanOutputByID(outputID:"`+root.ChildrenSpans[0].OutputID+`"){data error{message}}}`, nil)
		if !strings.Contains(output, `"data":"{\"n\":1}"`) && !strings.Contains(output, `"data":"{\"data\":{\"n\":1}}"`) {
			t.Errorf("preview %t: output %s", preview, output)
		}
	}
	failed := f.run(f.send("bad", `{}`)).String()
	root := data[struct{ RunTrace span }](f, `{runTrace(runID:"`+failed+`"){name status outputID}}`, nil).RunTrace
	want := `{"data":{"runTraceSpanOutputByID":{"data":null,"error":{"message":"nope","name":"TypeError","stack":"at x","cause":null}}}}`
	if got := f.ask(`{runTraceSpanOutputByID(outputID:"`+root.OutputID+`"){data error{message name stack cause}}}`, nil); got != want || root.Status != "FAILED" {
		t.Errorf("%+v: %s", root, got)
	}
}

func TestFunctionRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a", "open")
	nap := strings.Repeat("b", 40)
	f.answer = func(c call) response {
		if strings.Contains(c.URL, "open") {
			return respond(206, `[{"id":"`+nap+`","op":"Sleep","name":"1h","displayName":"nap"}]`)
		}
		return respond(200, `{"done":true}`)
	}
	event := f.send("a", `{"x":1}`)
	run := f.run(event).String()
	open := f.run(f.send("open", `{}`)).String()
	f.expect(map[string]string{
		`{functionRun(query:{functionRunId:"` + run + `"}){id functionID function{slug} status output startedAt finishedAt eventID batchID batchCreatedAt cron pendingSteps event{id payload} events{id} workspace{id} waitingFor{eventName}}}`: `{"data":{"functionRun":{"id":"` + run + `","functionID":"` + functionID(f, "app-a") + `","function":{"slug":"app-a"},"status":"COMPLETED","output":"{\"done\":true}","startedAt":"2026-03-01T12:00:00.123Z","finishedAt":"2026-03-01T12:00:00.123Z","eventID":"` + event.String() + `","batchID":null,"batchCreatedAt":null,"cron":null,"pendingSteps":0,"event":{"id":"` + event.String() + `","payload":"{\"x\":1}"},"events":[{"id":"` + event.String() + `"}],"workspace":null,"waitingFor":null}}}`,
		`{functionRun(query:{functionRunId:"` + open + `"}){status output finishedAt pendingSteps history{type stepName stepType sleep{until}}}}`:                                                                                               `{"data":{"functionRun":{"status":"RUNNING","output":null,"finishedAt":null,"pendingSteps":1,"history":[{"type":"FunctionScheduled","stepName":null,"stepType":null,"sleep":null},{"type":"FunctionStarted","stepName":null,"stepType":null,"sleep":null},{"type":"StepSleeping","stepName":"nap","stepType":"Sleep","sleep":{"until":"2026-03-01T13:00:00.123Z"}}]}}}`,
		`{functionRun(query:{functionRunId:""}){id}}`:                           `{"errors":[{"message":"function run id is required","path":["functionRun"]}],"data":{"functionRun":null}}`,
		`{functionRun(query:{functionRunId:"x"}){id}}`:                          `{"errors":[{"message":"invalid run ID: ulid: bad data size when unmarshaling","path":["functionRun"]}],"data":{"functionRun":null}}`,
		`{functionRun(query:{functionRunId:"01HZX3Z9QG7V5K8M2N4P6R8T0W"}){id}}`: `{"errors":[{"message":"not found","path":["functionRun"]}],"data":{"functionRun":null}}`,
	})
	history := data[struct {
		FunctionRun struct {
			History []struct{ ID, Type string }
		}
	}](f, `{functionRun(query:{functionRunId:"`+run+`"}){history{id type}}}`, nil).FunctionRun.History
	last := history[len(history)-1]
	if last.Type != "FunctionCompleted" {
		t.Errorf("history %+v", history)
	}
	for id, want := range map[string]string{last.ID: `"{\"done\":true}"`, history[0].ID: "null", ulid.ULID{}.String(): "null"} {
		if got := f.ask(`{functionRun(query:{functionRunId:"`+run+`"}){historyItemOutput(id:"`+id+`")}}`, nil); got != `{"data":{"functionRun":{"historyItemOutput":`+want+`}}}` {
			t.Errorf("output of %s: %s", id, got)
		}
	}
}

func functionID(f *fixture, slug string) string {
	return data[struct{ FunctionBySlug struct{ ID string } }](f, `{functionBySlug(query:{functionSlug:"`+slug+`"}){id}}`, nil).FunctionBySlug.ID
}
