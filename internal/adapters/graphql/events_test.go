package graphql_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/domain/event"
)

// connection is a page of a list, as far as tests look at it.
type connection struct {
	Edges []struct {
		Cursor string
		Node   struct {
			ID, Name, Raw, Status string
			EventName             *string
			Runs                  []struct{ ID, Status string }
			App, Function         struct{ Name, Slug string }
			Trace                 *struct{ Status string }
		}
	}
	TotalCount int
	PageInfo   struct {
		HasNextPage, HasPreviousPage bool
		StartCursor, EndCursor       *string
	}
}

func (c connection) ids() string {
	var list []string
	for _, edge := range c.Edges {
		list = append(list, edge.Node.ID)
	}
	return strings.Join(list, " ")
}

func TestEventsV2_PagesAreExact(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	var want []string
	for range 60 {
		want = append([]string{f.send("a", `{"n":1}`).String()}, want...)
		f.clock.pass(time.Millisecond)
	}
	const ask = `query($first:Int!,$after:String,$names:[String!],$internal:Boolean!){page:eventsV2(first:$first,after:$after,filter:{from:"2026-01-01T00:00:00Z",eventNames:$names,includeInternalEvents:$internal}){edges{cursor node{id name}} totalCount pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}`
	page := func(first int, after any, names any, internal bool) connection {
		t.Helper()
		return data[struct{ Page connection }](f, ask, map[string]any{"first": first, "after": after, "names": names, "internal": internal}).Page
	}
	var got []string
	var after any
	for pages := 1; ; pages++ {
		one := page(20, after, nil, false)
		got = append(got, strings.Fields(one.ids())...)
		if one.TotalCount != 60 || one.PageInfo.HasPreviousPage != (after != nil) || *one.PageInfo.EndCursor != one.Edges[len(one.Edges)-1].Cursor {
			t.Fatalf("page %d is %+v", pages, one)
		}
		if !one.PageInfo.HasNextPage {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		after = *one.PageInfo.EndCursor
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for first, length := range map[int]int{1: 1, 51: 51, 52: 52, 60: 60, 400: 60, 500: 60, 0: 40, -1: 40} {
		if one := page(first, "", nil, false); len(one.Edges) != length || one.PageInfo.HasNextPage != (length < 60) || one.PageInfo.HasPreviousPage {
			t.Errorf("first %d: %d events, %+v", first, len(one.Edges), one.PageInfo)
		}
	}
	if one := page(9, nil, []string{"b"}, true); len(one.Edges) != 0 || one.TotalCount != 0 || one.PageInfo.StartCursor != nil {
		t.Errorf("another name: %+v", one)
	}
}

func TestEventsV2_WindowsAndInternalEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a")
	f.send("a", `{}`)
	count := func(filter string) int {
		t.Helper()
		return data[struct{ Page connection }](f, `{page:eventsV2(filter:{`+filter+`}){totalCount edges{node{id}}}}`, nil).Page.TotalCount
	}
	at := f.clock.Now().Format(time.RFC3339Nano)
	for filter, want := range map[string]int{
		`from:"2026-01-01T00:00:00Z"`:                                                                                   1,
		`from:"2026-01-01T00:00:00Z",includeInternalEvents:true`:                                                        2,
		`from:"2026-01-01T00:00:00Z",eventNames:["inngest/function.finished"]`:                                          0,
		`from:"2026-01-01T00:00:00Z",eventNames:["inngest/function.finished","x"],includeInternalEvents:true`:           1,
		`from:"` + at + `",until:"` + at + `"`:                                                                          1,
		`from:"` + f.clock.Now().Add(1).Format(time.RFC3339Nano) + `",until:"2027-01-01T00:00:00Z"`:                     0,
		`from:"2026-01-01T00:00:00Z",until:"` + f.clock.Now().Add(-time.Second).Format(time.RFC3339Nano) + `",query:""`: 0,
	} {
		if got := count(filter); got != want {
			t.Errorf("%s: %d events, want %d", filter, got, want)
		}
	}
	f.expect(map[string]string{
		`{eventsV2(filter:{from:"2026-01-01T00:00:00Z"},after:"?"){totalCount}}`: `{"errors":[{"message":"error decoding eventsv2 cursor: illegal base64 data at input byte 0","path":["eventsV2"]}],"data":null}`,
		// {"ID":"x"}
		`{eventsV2(filter:{from:"2026-01-01T00:00:00Z"},after:"eyJJRCI6IngifQ=="){totalCount}}`: `{"errors":[{"message":"error parsing eventsv2 cursor: ulid: bad data size when unmarshaling","path":["eventsV2"]}],"data":null}`,
		// The vector of spec 05 §5.1: an event that is older than all.
		`{eventsV2(filter:{from:"2026-01-01T00:00:00Z"},after:"eyJJRCI6IjAxSFpYM1o5UUc3VjVLOE0yTjRQNlI4VDBXIn0="){edges{node{id}}}}`: `{"data":{"eventsV2":{"edges":[]}}}`,
		`{eventsV2(filter:{from:"2026-01-01T00:00:00Z",query:"event.data.n == 1"}){totalCount}}`:                                     `{"errors":[{"message":"events cannot be searched by a query; search runs by the events that started them","path":["eventsV2"]}],"data":null}`,
		`{eventsV2(filter:{from:"today"}){totalCount}}`:                                                                              `{"errors":[{"message":"parsing time \"today\" as \"2006-01-02T15:04:05.999999999Z07:00\": cannot parse \"today\" as \"2006\"","path":["eventsV2","filter","from"]}],"data":null}`,
	})
}

func TestEvent_InAllShapes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a")
	accepted, err := f.deps.Ingest.Accept(t.Context(), []event.Event{
		{ID: "mine", Name: "a", Data: []byte(`{"z":1,"a":"<é>","n":9007199254740993}`), User: []byte(`{"u":1}`), TS: 1717430400123, V: "2"},
		{Name: "b", Data: []byte(`null`), TS: 1717430400123},
	}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.work()
	a, b := accepted[0].String(), accepted[1].String()
	run := f.run(accepted[0]).String()
	f.expect(map[string]string{
		`{eventV2(id:"` + a + `"){id idempotencyKey name occurredAt receivedAt version envID raw source{id} runs{id status function{name} triggerIDs}}}`: `{"data":{"eventV2":{"id":"` + a + `","idempotencyKey":"mine","name":"a","occurredAt":"2024-06-03T16:00:00.123Z","receivedAt":"2026-03-01T12:00:00.123456789Z","version":"2","envID":"00000000-0000-0000-0000-000000000000","raw":` + quote(`{"data":{"z":1,"a":"<é>","n":9007199254740993},"id":"mine","name":"a","ts":1717430400123,"v":"2"}`) + `,"source":null,"runs":[{"id":"` + run + `","status":"COMPLETED","function":{"name":"a"},"triggerIDs":["` + a + `"]}]}}}`,
		`{eventV2(id:"` + b + `"){version raw runs{id}}}`: `{"data":{"eventV2":{"version":"","raw":` + quote(`{"data":{},"id":"`+b+`","name":"b","ts":1717430400123,"v":null}`) + `,"runs":[]}}}`,
		`{eventV2(id:"01HZX3Z9QG7V5K8M2N4P6R8T0W"){id}}`:  `{"errors":[{"message":"event not found: 01HZX3Z9QG7V5K8M2N4P6R8T0W","path":["eventV2"]}],"data":null}`,
		`{event(query:{eventId:"` + a + `"}){id externalID name createdAt payload raw status totalRuns pendingRuns functionRuns{id} schema workspace{id}}}`: `{"data":{"event":{"id":"` + a + `","externalID":"mine","name":"a","createdAt":"2024-06-03T16:00:00.123Z","payload":` + quote(`{"z":1,"a":"<é>","n":9007199254740993}`) + `,"raw":` + quote(`{"id":"mine","name":"a","data":{"z":1,"a":"<é>","n":9007199254740993},"ts":1717430400123,"v":"2","user":{"u":1}}`) + `,"status":"COMPLETED","totalRuns":1,"pendingRuns":0,"functionRuns":[{"id":"` + run + `"}],"schema":null,"workspace":null}}}`,
		`{event(query:{eventId:"` + b + `"}){status totalRuns functionRuns{id}}}`:                                                                           `{"data":{"event":{"status":"NO_FUNCTIONS","totalRuns":0,"functionRuns":null}}}`,
		`{event(query:{eventId:"x"}){id}}`:                          `{"errors":[{"message":"sql: no rows in result set","path":["event"]}],"data":{"event":null}}`,
		`{event(query:{eventId:"01HZX3Z9QG7V5K8M2N4P6R8T0W"}){id}}`: `{"errors":[{"message":"sql: no rows in result set","path":["event"]}],"data":{"event":null}}`,
		`{events(query:{}){name}}`:                                  `{"data":{"events":[{"name":"b"},{"name":"a"}]}}`,
	})
	f.clock.pass(2 * time.Hour)
	f.expect(map[string]string{`{events(query:{}){name}}`: `{"data":{"events":[]}}`})
}

func TestEvent_StatusSumsUpItsRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "ok", "bad", "open")
	f.apply(`{"v":"0.1","url":"http://localhost:4000/x","sdk":"js:v4.1.0","appName":"other","functions":[` + strings.Join([]string{
		multi("fails", "both", "fail"), multi("works", "both", "work"),
	}, ",") + `]}`)
	f.answer = func(c call) response {
		switch {
		case strings.Contains(c.URL, "bad") || strings.Contains(c.URL, "fails"):
			failed := respond(500, `{"name":"Error","message":"no"}`)
			failed.Header["X-Inngest-No-Retry"] = "true"
			return failed
		case strings.Contains(c.URL, "open"):
			return respond(206, `[{"id":"`+strings.Repeat("a", 40)+`","op":"Sleep","name":"1h","displayName":"nap"}]`)
		}
		return respond(200, `{}`)
	}
	for name, want := range map[string]string{
		"ok":   `{"status":"COMPLETED","totalRuns":1,"pendingRuns":0}`,
		"bad":  `{"status":"FAILED","totalRuns":1,"pendingRuns":0}`,
		"open": `{"status":"RUNNING","totalRuns":1,"pendingRuns":1}`,
		"both": `{"status":"PARTIALLY_FAILED","totalRuns":2,"pendingRuns":0}`,
	} {
		id := f.send(name, `{}`).String()
		if got := f.ask(`{event(query:{eventId:"`+id+`"}){status totalRuns pendingRuns}}`, nil); got != `{"data":{"event":`+want+`}}` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// multi is a function of the app "other" that an event of another name starts.
func multi(name, on, _ string) string {
	return `{"name":"` + name + `","id":"other-` + name + `","triggers":[{"event":"` + on + `"}],"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://localhost:4000/x?fnId=other-` + name + `&stepId=step"}}}}`
}

func TestStream(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a")
	one := f.send("a", `{}`)
	f.clock.pass(time.Second)
	two := f.send("b", `{}`)
	run := f.run(one).String()
	f.expect(map[string]string{
		`{stream(query:{}){id trigger type createdAt inBatch runs{id status}}}`: `{"data":{"stream":[{"id":"` + two.String() + `","trigger":"b","type":"EVENT","createdAt":"2026-03-01T12:00:01.123Z","inBatch":false,"runs":[]},{"id":"` + one.String() + `","trigger":"a","type":"EVENT","createdAt":"2026-03-01T12:00:00.123Z","inBatch":false,"runs":[{"id":"` + run + `","status":"COMPLETED"}]}]}}`,
		`{stream(query:{limit:1}){trigger}}`:                                    `{"data":{"stream":[{"trigger":"b"}]}}`,
		`{stream(query:{limit:0,before:"` + two.String() + `"}){trigger}}`:      `{"data":{"stream":[{"trigger":"a"}]}}`,
		`{stream(query:{after:"` + one.String() + `"}){trigger}}`:               `{"data":{"stream":[{"trigger":"b"}]}}`,
		`{stream(query:{includeInternalEvents:true}){trigger}}`:                 `{"data":{"stream":[{"trigger":"b"},{"trigger":"inngest/function.finished"},{"trigger":"a"}]}}`,
		`{stream(query:{before:"x"}){trigger}}`:                                 `{"errors":[{"message":"before: ulid: bad data size when unmarshaling","path":["stream"]}],"data":null}`,
	})
}
