package graphql_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/graphql"
)

// The table of spec 05 §1.2.
func TestWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, target, contentType, body string
		status                            int
		want                              string
	}{
		"a query by POST":              {"POST", "", "application/json", `{"query":"{apps{id}}"}`, 200, `{"data":{"apps":[]}}`},
		"variables":                    {"POST", "", "application/json; charset=utf-8", `{"query":"query Q($m:AppMethod){apps(filter:{method:$m}){id}}","variables":{"m":"SERVE"},"operationName":"Q"}`, 200, `{"data":{"apps":[]}}`},
		"variables that are not there": {"POST", "", "application/json", `{"query":"{apps{id}}","variables":{"zz":1}}`, 200, `{"data":{"apps":[]}}`},
		"a query by GET":               {"GET", "?query={apps{id}}", "", "", 200, `{"data":{"apps":[]}}`},
		"variables by GET":             {"GET", "?query=query+Q($m:AppMethod){apps(filter:{method:$m}){id}}&operationName=Q&variables={%22m%22:%22API%22}", "", "", 200, `{"data":{"apps":[]}}`},
		"a mutation by GET":            {"GET", "?query=mutation{deleteAppByName(name:%22a%22)}", "", "", 406, `{"errors":[{"message":"GET requests only allow query operations"}],"data":null}`},
		"no JSON":                      {"POST", "", "application/json", `nope`, 400, `{"errors":[{"message":"json request body could not be decoded: invalid character 'o' in literal null (expecting 'u') body:nope"}],"data":null}`},
		"another type":                 {"POST", "", "text/plain", `{"query":"{apps{id}}"}`, 400, `{"errors":[{"message":"transport not supported"}],"data":null}`},
		"another method":               {"PUT", "", "application/json", `{}`, 400, `{"errors":[{"message":"transport not supported"}],"data":null}`},
		"no query":                     {"POST", "", "application/json", `{}`, 422, `{"errors":[{"message":"no operation provided","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}],"data":null}`},
		"half a query":                 {"POST", "", "application/json", `{"query":"{apps{"}`, 422, `{"errors":[{"message":"Expected Name, found \u003cEOF\u003e","locations":[{"line":1,"column":7}],"extensions":{"code":"GRAPHQL_PARSE_FAILED"}}],"data":null}`},
		"an unknown field":             {"POST", "", "application/json", `{"query":"{nope}"}`, 422, `{"errors":[{"message":"Cannot query field \"nope\" on type \"Query\".","locations":[{"line":1,"column":2}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}],"data":null}`},
		"a field that is nearly one":   {"POST", "", "application/json", `{"query":"{apps{nope}}"}`, 422, `{"errors":[{"message":"Cannot query field \"nope\" on type \"App\". Did you mean \"name\"?","locations":[{"line":1,"column":7}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}],"data":null}`},
		"an unused variable":           {"POST", "", "application/json", `{"query":"query($r:String){apps{id}}"}`, 422, `{"errors":[{"message":"Variable \"$r\" is never used.","locations":[{"line":1,"column":7}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}],"data":null}`},
		"an unknown operation":         {"POST", "", "application/json", `{"query":"query A{apps{id}}","operationName":"B"}`, 422, `{"errors":[{"message":"operation B not found","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}],"data":null}`},
		"a bad ULID":                   {"POST", "", "application/json", `{"query":"{eventV2(id:\"x\"){id}}"}`, 200, `{"errors":[{"message":"ulid: bad data size when unmarshaling","path":["eventV2","id"]}],"data":null}`},
		"a bad UUID":                   {"POST", "", "application/json", `{"query":"{app(id:\"x\"){id}}"}`, 200, `{"errors":[{"message":"invalid UUID length: 1","path":["app","id"]}],"data":{"app":null}}`},
		"an error of a resolver":       {"POST", "", "application/json", `{"query":"{run(runID:\"x\"){id} apps{id}}"}`, 200, `{"errors":[{"message":"error parsing runID: ulid: bad data size when unmarshaling","path":["run"]}],"data":{"run":null,"apps":[]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, graphql.Config{})
			r := httptest.NewRequestWithContext(t.Context(), c.method, "/v0/gql"+c.target, strings.NewReader(c.body))
			if c.contentType != "" {
				r.Header.Set("Content-Type", c.contentType)
			}
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, r)
			if got := strings.TrimSuffix(w.Body.String(), "\n"); w.Code != c.status || got != c.want {
				t.Errorf("status %d, want %d\ngot  %s\nwant %s", w.Code, c.status, got, c.want)
			}
			if kinds := w.Header().Values("Content-Type"); !slices.Equal(kinds, []string{"application/json"}) {
				t.Errorf("content types %q", kinds)
			}
			if f.log.Len() > 0 {
				t.Errorf("logged %s", f.log)
			}
		})
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	w := f.post(`{"query":` + quote(introspection) + `}`)
	for _, want := range []string{`"name":"FunctionRunV2"`, `"name":"RunsFilterV2"`, `"defaultValue":"QUEUED_AT"`, `"subscriptionType":null`} {
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%d, without %s: %.300s", w.Code, want, w.Body)
		}
	}
}

func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	const hash = "6c0a5c9bcb21b4d77f4c8d5a51bb4a5b3a1b8ba5a1ab2cb1a5bcd0dfb0d7d000"
	unknown := `{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}],"data":null}`
	if w := f.post(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}}`); w.Code != http.StatusOK || w.Body.String() != unknown {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	named := `"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hashOf("{apps{id}}") + `"}}`
	for _, body := range []string{`{"query":"{apps{id}}",` + named + `}`, `{` + named + `}`} {
		if w := f.post(body); w.Code != http.StatusOK || w.Body.String() != `{"data":{"apps":[]}}` {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// introspection is what usual tools ask.
const introspection = `query IntrospectionQuery{__schema{queryType{name} mutationType{name} subscriptionType{name} types{...FullType} directives{name description locations args{...InputValue}}}}
fragment FullType on __Type{kind name description fields(includeDeprecated:true){name description args{...InputValue} type{...TypeRef} isDeprecated deprecationReason} inputFields{...InputValue} interfaces{...TypeRef} enumValues(includeDeprecated:true){name description isDeprecated deprecationReason} possibleTypes{...TypeRef}}
fragment InputValue on __InputValue{name description type{...TypeRef} defaultValue}
fragment TypeRef on __Type{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name}}}}}}}}}}`

func TestWire_SaysWhichMethodsThereAre(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	newFixture(t, graphql.Config{}).handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "OPTIONS", "/v0/gql", nil))
	if w.Code != 200 || w.Header().Get("Allow") != "OPTIONS, GET, POST" || len(w.Header()) != 1 || w.Body.Len() != 0 {
		t.Errorf("status %d, headers %v, body %q", w.Code, w.Header(), w.Body)
	}
}
