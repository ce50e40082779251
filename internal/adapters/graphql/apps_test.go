package graphql_test

import (
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

func TestApps(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a", "b")
	f.apply(`{"v":"0.1","url":"http://localhost:4000/x","sdk":"go:v0.16.0","appName":"other","functions":[{"name":"c","id":"other-c","triggers":[{"event":"c"}],"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://localhost:4000/x?fnId=other-c&stepId=step"}}}}]}`)
	id := ids.AppID("app").String()
	f.expect(map[string]string{
		`{app(id:"` + id + `"){id externalID name sdkLanguage sdkVersion framework url error connected method appVersion functionCount autodiscovered functions{slug} sdkFeatureReadiness{aiMetadataExtraction{ready} extendedTraces{ready}}}}`: `{"data":{"app":{"id":"` + id + `","externalID":"app","name":"app","sdkLanguage":"js","sdkVersion":"v4.1.0","framework":"express","url":"http://localhost:3000/api/inngest","error":null,"connected":true,"method":"SERVE","appVersion":"","functionCount":2,"autodiscovered":false,"functions":[{"slug":"app-a"},{"slug":"app-b"}],"sdkFeatureReadiness":{"aiMetadataExtraction":null,"extendedTraces":null}}}}`,
		`{apps{name functionCount}}`:                              `{"data":{"apps":[{"name":"` + sortedByID("app", "other")[0] + `","functionCount":` + map[bool]string{true: "2", false: "1"}[sortedByID("app", "other")[0] == "app"] + `},{"name":"` + sortedByID("app", "other")[1] + `","functionCount":` + map[bool]string{true: "2", false: "1"}[sortedByID("app", "other")[1] == "app"] + `}]}}`,
		`{apps(filter:{method:CONNECT}){name}}`:                   `{"data":{"apps":[]}}`,
		`{app(id:"00000000-0000-0000-0000-000000000001"){name}}`:  `{"errors":[{"message":"sql: no rows in result set","path":["app"]}],"data":{"app":null}}`,
		`{functions{slug app{name}}}`:                             `{"data":{"functions":[{"slug":"app-a","app":{"name":"app"}},{"slug":"app-b","app":{"name":"app"}},{"slug":"other-c","app":{"name":"other"}}]}}`,
		`{functionBySlug(query:{functionSlug:"app-b"}){name}}`:    `{"data":{"functionBySlug":{"name":"b"}}}`,
		`{functionBySlug(query:{functionSlug:"app-none"}){name}}`: `{"errors":[{"message":"sql: no rows in result set","path":["functionBySlug"]}],"data":{"functionBySlug":null}}`,
	})
}

// sortedByID are names of apps in the order of their IDs.
func sortedByID(a, b string) []string {
	if ids.AppID(a).String() < ids.AppID(b).String() {
		return []string{a, b}
	}
	return []string{b, a}
}

func TestApps_ReadinessOfTheSDK(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	put := func(name, metadata string) string {
		app := function.App{ID: ids.AppID(name), Name: name, URL: "http://" + name, Method: function.MethodServe, Metadata: []byte(metadata), Error: "unreachable"}
		if err := f.backend.Sync(t.Context(), function.SyncPlan{App: app}); err != nil {
			t.Fatal(err)
		}
		return app.ID.String()
	}
	good := put("good", `{"featureObservations":"{\"aiMetadataExtraction\":{\"readinessReason\":3},\"extendedTraces\":{\"readinessReason\":1}}"}`)
	bad := put("bad", `{"featureObservations":"7"}`)
	f.expect(map[string]string{
		`{app(id:"` + good + `"){connected error sdkFeatureReadiness{aiMetadataExtraction{ready reason} extendedTraces{ready reason}}}}`: `{"data":{"app":{"connected":false,"error":"unreachable","sdkFeatureReadiness":{"aiMetadataExtraction":{"ready":false,"reason":3},"extendedTraces":{"ready":true,"reason":1}}}}}`,
	})
	if got := f.ask(`{app(id:"`+bad+`"){sdkFeatureReadiness{aiMetadataExtraction{ready}}}}`, nil); !strings.Contains(got, `"message":"invalid SDK feature observations: `) {
		t.Error(got)
	}
}

// The table of spec 05 §4.4.
func TestFunctions_Configuration(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register(`,"cancel":[{"event":"stop","timeout":"1h","if":"event.data.a == async.data.a"},{"event":"halt"}],"priority":{"run":"event.data.p"}`, "a")
	f.expect(map[string]string{
		`{functionBySlug(query:{functionSlug:"app-a"}){concurrency url triggers{type value condition} failureHandler{slug} configuration{cancellations{event timeout condition} retries{value isDefault} priority eventsBatch{maxSize timeout key} concurrency{scope limit{value isPlanLimit} key} rateLimit{limit} debounce{period} throttle{limit} singleton{mode}}}}`: `{"data":{"functionBySlug":{"concurrency":0,"url":"http://localhost:3000/api/inngest?fnId=app-a\u0026stepId=step","triggers":[{"type":"EVENT","value":"a","condition":null}],"failureHandler":null,"configuration":{"cancellations":[{"event":"stop","timeout":"1h","condition":"event.data.a == async.data.a"},{"event":"halt","timeout":null,"condition":null}],"retries":{"value":4,"isDefault":true},"priority":"event.data.p","eventsBatch":null,"concurrency":[{"scope":"ACCOUNT","limit":{"value":-1,"isPlanLimit":true},"key":null}],"rateLimit":null,"debounce":null,"throttle":null,"singleton":null}}}}`,
	})
	f.register(`,"batchEvents":{"maxSize":10,"timeout":"40s","key":"event.data.k"}`, "a")
	f.expect(map[string]string{
		`{functionBySlug(query:{functionSlug:"app-a"}){configuration{eventsBatch{maxSize timeout key}}}}`: `{"data":{"functionBySlug":{"configuration":{"eventsBatch":{"maxSize":10,"timeout":"40s","key":"event.data.k"}}}}}`,
	})
	f.register(`,"concurrency":[{"limit":2},{"limit":4,"scope":"env","key":"\"x\""}],"rateLimit":{"limit":3,"period":"1m","key":"event.data.k"},"debounce":{"period":"7d","key":"event.data.k"},"throttle":{"limit":2,"period":"2d","burst":3},"singleton":{"mode":"cancel","key":"event.data.k"}`, "a", "a-failure")
	f.expect(map[string]string{
		`{functionBySlug(query:{functionSlug:"app-a"}){concurrency failureHandler{slug app{name}} configuration{cancellations{event} concurrency{scope limit{value isPlanLimit} key} rateLimit{limit period key} debounce{period key} throttle{burst key limit period} singleton{mode key}}}}`: `{"data":{"functionBySlug":{"concurrency":2,"failureHandler":{"slug":"app-a-failure","app":{"name":"app"}},"configuration":{"cancellations":[],"concurrency":[{"scope":"FUNCTION","limit":{"value":2,"isPlanLimit":false},"key":null},{"scope":"ENVIRONMENT","limit":{"value":4,"isPlanLimit":false},"key":"\"x\""}],"rateLimit":{"limit":3,"period":"1m","key":"event.data.k"},"debounce":{"period":"7d","key":"event.data.k"},"throttle":{"burst":3,"key":null,"limit":2,"period":"48h0m0s"},"singleton":{"mode":"CANCEL","key":"event.data.k"}}}}}`,
	})
}

func TestFunctions_OfEndpointsAndSchedules(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	app, fn := function.Endpoint("https://api.example.com", "POST /users", "POST", nil)
	fn.Triggers = append(fn.Triggers, function.Trigger{Cron: "*/5 * * * *"})
	if err := f.backend.Sync(t.Context(), function.SyncPlan{App: app, Put: []function.Function{fn}}); err != nil {
		t.Fatal(err)
	}
	got := f.ask(`{functions{url app{method} triggers{type value}}}`, nil)
	if !strings.Contains(got, `"url":"https://api.example.com`) || !strings.Contains(got, `{"type":"CRON","value":"*/5 * * * *"}`) || !strings.Contains(got, `"method":"API"`) {
		t.Error(got)
	}
}

func TestAppOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	placeholder := ids.PlaceholderAppID("http://localhost:3000/api/inngest").String()
	f.expect(map[string]string{
		`mutation{createApp(input:{url:"127.0.0.1:3000/api/inngest?deployId=x"}){id}}`: `{"errors":[{"message":"unreachable","path":["createApp"]}],"data":null}`,
	})
	f.expect(map[string]string{
		`{apps{id externalID error connected}}`: `{"data":{"apps":[{"id":"` + placeholder + `","externalID":"","error":"unreachable","connected":false}]}}`,
	})
	f.ping = func(string) sdk.Response { return sdk.Response{Status: 400, Body: []byte(`{}`)} }
	f.expect(map[string]string{
		`mutation{createApp(input:{url:"http://localhost:3000/api/inngest"}){id}}`: `{"errors":[{"message":"There was an error creating your app","path":["createApp"]}],"data":null}`,
	})
	f.ping = func(string) sdk.Response {
		f.register("", "a")
		return sdk.Response{Status: 200, Body: []byte(`{}`)}
	}
	id := ids.AppID("app").String()
	for _, step := range [][2]string{
		{`mutation{createApp(input:{url:"http://localhost:3000/api/inngest"}){id name functionCount}}`, `{"data":{"createApp":{"id":"` + id + `","name":"app","functionCount":1}}}`},
		{`mutation{updateApp(input:{id:"` + id + `",url:"localhost:3001/x"}){id url}}`, `{"data":{"updateApp":{"id":"` + id + `","url":"http://localhost:3001/x"}}}`},
		{`mutation{updateApp(input:{id:"x",url:"localhost:3001/x"}){id}}`, `{"errors":[{"message":"invalid UUID length: 1","path":["updateApp"]}],"data":null}`},
		{`mutation{updateApp(input:{id:"00000000-0000-0000-0000-000000000001",url:"x"}){id}}`, `{"errors":[{"message":"sql: no rows in result set","path":["updateApp"]}],"data":null}`},
		{`mutation{deleteApp(id:"x")}`, `{"errors":[{"message":"invalid UUID length: 1","path":["deleteApp"]}],"data":null}`},
		{`mutation{deleteApp(id:"00000000-0000-0000-0000-000000000001")}`, `{"data":{"deleteApp":"00000000-0000-0000-0000-000000000001"}}`},
		{`mutation{deleteAppByName(name:"none")}`, `{"data":{"deleteAppByName":false}}`},
		{`mutation{deleteAppByName(name:"app")}`, `{"data":{"deleteAppByName":true}}`},
		{`mutation{deleteAppByName(name:"app")}`, `{"data":{"deleteAppByName":false}}`},
		{`{apps{id} functions{id}}`, `{"data":{"apps":[],"functions":[]}}`},
		{`{app(id:"` + id + `"){name functionCount}}`, `{"data":{"app":{"name":"app","functionCount":0}}}`},
		{`mutation{deleteApp(id:"` + id + `")}`, `{"data":{"deleteApp":"` + id + `"}}`},
	} {
		if got := f.ask(step[0], nil); got != step[1] {
			t.Errorf("%s\ngot  %s\nwant %s", step[0], got, step[1])
		}
	}
	if f.log.Len() > 0 && strings.Contains(f.log.String(), "level=ERROR") {
		t.Errorf("logged %s", f.log)
	}
}

func TestWorkers_AreNone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.expect(map[string]string{
		`{workerConnections(orderBy:[],filter:{}){edges{node{id}} pageInfo{hasNextPage hasPreviousPage startCursor endCursor} totalCount}}`: `{"data":{"workerConnections":{"edges":[],"pageInfo":{"hasNextPage":false,"hasPreviousPage":false,"startCursor":null,"endCursor":null},"totalCount":0}}}`,
		`{workerConnection(connectionId:"01HZX3Z9QG7V5K8M2N4P6R8T0W"){id}}`:                                                                 `{"errors":[{"message":"error retrieving worker connection: sql: no rows in result set","path":["workerConnection"]}],"data":{"workerConnection":null}}`,
	})
}
