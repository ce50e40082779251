package replay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// httpCase is a hand-made request to a fresh reference server and its exact answer.
type httpCase struct {
	Group   string `json:"group"`
	Name    string `json:"name"`
	Request struct {
		Method        string            `json:"method"`
		Path          string            `json:"path"`
		Headers       map[string]string `json:"headers"`
		Body          *string           `json:"body"`
		BodyTruncated *struct {
			Bytes  int    `json:"bytes"`
			Start  string `json:"start"`
			End    string `json:"end"`
			Recipe string `json:"recipe"`
		} `json:"bodyTruncated"`
	} `json:"request"`
	Response struct {
		Status        int        `json:"status"`
		Headers       headerList `json:"headers"`
		Body          string     `json:"body"`
		BodyTruncated any        `json:"bodyTruncated"`
	} `json:"response"`
	// AppAfter is what GraphQL told of the app right after a registration that was refused: null, or an appAfter. It is empty after
	// other cases.
	AppAfter json.RawMessage `json:"appAfter"`
}

type appAfter struct {
	Name          string  `json:"name"`
	Error         *string `json:"error"`
	FunctionCount int     `json:"functionCount"`
}

func (c httpCase) key() string { return c.Group + ": " + c.Name }

// httpRecordedAt is about when the cases were recorded.
var httpRecordedAt = time.Date(2026, 11, 23, 23, 16, 30, 0, time.UTC)

// TestHTTPCases sends every hand-made request, in order, to a fresh server.
func TestHTTPCases(t *testing.T) {
	t.Parallel()
	cases, err := lines[httpCase]("http-cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	srv := startServer(t, "--no-poll")
	var found []mismatch
	sent, after := 0, 0
	for _, one := range cases {
		if _, out := outOfScope(one); out {
			continue
		}
		sent++
		found = append(found, sendCase(t, srv, one)...)
		if one.AppAfter != nil {
			after++
			found = append(found, askAfter(t, srv, one)...)
		}
	}
	keepReasons(cases, found)
	if sent < 190 {
		t.Errorf("only %d cases were sent", sent)
	}
	if after < 60 {
		t.Errorf("only %d apps were asked for after their registration", after)
	}
	judge(t, "http-cases", found)
}

// TestHTTPCaseScope keeps the scope table in step with the recorded cases.
func TestHTTPCaseScope(t *testing.T) {
	t.Parallel()
	cases, err := lines[httpCase]("http-cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	used, keys := map[string]bool{}, map[string]bool{}
	for _, one := range cases {
		if keys[one.key()] {
			t.Errorf("two cases are called %q", one.key())
		}
		keys[one.key()] = true
		if pattern, out := outOfScope(one); out {
			used[pattern] = true
			continue
		}
		if !slices.Contains(inScopeGroups, one.Group) {
			t.Errorf("case %q is neither in scope nor named as out of scope", one.key())
		}
	}
	for pattern := range casesOutOfScope {
		if !used[pattern] {
			t.Errorf("no case is called %q", pattern)
		}
	}
}

func sendCase(t *testing.T, srv *server, one httpCase) []mismatch {
	t.Helper()
	headers := headerList{}
	for name, value := range one.Request.Headers {
		headers = append(headers, [2]string{name, value})
	}
	body, err := one.body()
	if err != nil {
		t.Fatalf("case %q: %v", one.key(), err)
	}
	cmp := &comparer{where: one.key(), excuse: excuseCase}
	got, err := ask(t.Context(), srv.addr, one.Request.Method, one.Request.Path, headers, body)
	if err != nil {
		cmp.add("answer", one.Response.Status, rawText(err.Error()))
		return cmp.found
	}
	if got.status != one.Response.Status {
		cmp.add("status", one.Response.Status, got.status)
	}
	cmp.headers(one.Response.Headers, got.header)
	want := one.Response.Body
	if one.Request.Path == "/dev" {
		want, got.body = bySlug(want), bySlug(got.body)
	}
	if one.Group == "graphql" {
		want, got.body = byName(want), byName(got.body)
	}
	cmp.texts("body", want, got.body)
	return cmp.found
}

// askAfter asks for the app of a refused registration, as the recorder did.
func askAfter(t *testing.T, srv *server, one httpCase) []mismatch {
	t.Helper()
	cmp := &comparer{where: one.key() + ", app after"}
	var registered struct {
		AppName any `json:"appName"`
	}
	if err := json.Unmarshal([]byte(*one.Request.Body), &registered); err != nil {
		t.Fatalf("case %q: %v", one.key(), err)
	}
	query := `{"query":"{apps{name error functionCount}}"}`
	got, err := ask(t.Context(), srv.addr, http.MethodPost, "/v0/gql", headerList{{"Content-Type", "application/json"}}, &query)
	if err != nil {
		cmp.add("answer", "", rawText(err.Error()))
		return cmp.found
	}
	var answer struct {
		Data struct {
			Apps []map[string]any `json:"apps"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
		cmp.add("answer", "", rawText(got.body))
		return cmp.found
	}
	var app any
	for _, known := range answer.Data.Apps {
		if known["name"] == registered.AppName {
			app = known
		}
	}
	cmp.texts("app", string(one.AppAfter), render(app))
	return cmp.found
}

// keepReasons tells mismatches of apps that still have the reason for which they were refused from those that have another one.
func keepReasons(cases []httpCase, found []mismatch) {
	reasons := map[string]string{}
	for _, one := range cases {
		var app appAfter
		if json.Unmarshal(one.AppAfter, &app) == nil && app.Error != nil {
			reasons["body.data.apps."+app.Name+".error"] = render(*app.Error)
		}
	}
	for i := range found {
		if reason, ok := reasons[found[i].field]; ok && reason != found[i].got {
			found[i].field += " of another registration"
		}
	}
}

// body is the request's body; long ones are written as a recipe.
func (c httpCase) body() (*string, error) {
	cut := c.Request.BodyTruncated
	if cut == nil {
		return c.Request.Body, nil
	}
	var text string
	switch {
	case strings.HasPrefix(cut.Recipe, "pad data.p with"):
		text = cut.Start + strings.Repeat("x", cut.Bytes-len(cut.Start)-len(cut.End)) + cut.End
	case strings.HasPrefix(cut.Recipe, "5001 times "):
		text = "[" + strings.TrimSuffix(strings.Repeat(strings.TrimPrefix(cut.Recipe, "5001 times ")+",", 5001), ",") + "]"
	}
	if len(text) != cut.Bytes {
		return nil, fmt.Errorf("recipe %q gives %d bytes, want %d", cut.Recipe, len(text), cut.Bytes)
	}
	return &text, nil
}

// excuseCase accepts ids and times that a server makes new, when they have the form and age of the recorded ones.
func excuseCase(field string, _ map[string]any, want, got any) bool {
	wantText, wantIsText := want.(string)
	gotText, gotIsText := got.(string)
	switch {
	case wantIsText && gotIsText && isTime(want):
		return isTime(got)
	case wantIsText && gotIsText && field == "body.sync_id":
		return uuid.Validate(gotText) == nil
	case wantIsText && gotIsText && field == "body.jwt":
		return isNewToken(wantText, gotText)
	case wantIsText && gotIsText:
		id, err := ulid.ParseStrict(wantText)
		return err == nil && ulid.Time(id.Time()).Sub(httpRecordedAt).Abs() < time.Hour && isRecentULID(gotText)
	case strings.HasSuffix(field, ".ts"):
		millis, err := strconv.ParseInt(render(want), 10, 64)
		return err == nil && time.UnixMilli(millis).Sub(httpRecordedAt).Abs() < time.Hour && isRecent(got)
	}
	return false
}

// byName makes objects of the lists of apps and functions in an answer over GraphQL, whose order means nothing.
func byName(body string) string {
	value, err := decode(body)
	if err != nil {
		return body
	}
	data := member(value, "data")
	for list, name := range map[string]string{"apps": "name", "functions": "slug"} {
		if elements, ok := data[list].([]any); ok {
			data[list] = keyed(elements, name)
		}
	}
	return render(value)
}

// keyed makes an object of a list of objects, by one of their members.
func keyed(elements []any, name string) map[string]any {
	named := map[string]any{}
	for i, element := range elements {
		members, _ := element.(map[string]any)
		key, isText := members[name].(string)
		if !isText {
			key = strconv.Itoa(i)
		}
		named[key] = element
	}
	return named
}

// bySlug makes an object of the functions of a GET /dev answer, whose order means nothing.
func bySlug(body string) string {
	value, err := decode(body)
	if err != nil {
		return body
	}
	dev, _ := value.(map[string]any)
	functions, ok := dev["functions"].([]any)
	if !ok {
		return body
	}
	named := map[string]any{}
	for _, function := range functions {
		members, _ := function.(map[string]any)
		slug, _ := members["slug"].(string)
		named[slug] = function
	}
	dev["functions"] = named
	return render(dev)
}
