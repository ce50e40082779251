package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

const userlandPath = "/v1/traces/userland"

// traced is a fixture with a run, and its ID.
func traced(t *testing.T, edit ...func(*httpapi.Deps)) (*fixture, ulid.ULID) {
	t.Helper()
	f := newFixture(t, devConfig, edit...)
	f.send(http.MethodPost, "/fn/register", registration(""))
	f.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
	f.route()
	return f, f.backend.Runs()[0].RunID
}

// reference is the attribute by which a span says which run it is of.
func reference(run ulid.ULID) string {
	return strings.ReplaceAll(`%7B%22tp%22%3A%22TP%22%2C%22ts%22%3A%22%22%7D`, "TP", trace.Of(run).Parent)
}

// jsonSpans are the spans of a request of the TypeScript SDK: its wrapper and a call below it.
func jsonSpans(run ulid.ULID) string {
	own := `{"key":"inngest.traceref","value":{"stringValue":"` + reference(run) + `"}},{"key":"sdk.run.id","value":{"stringValue":"` + run.String() + `"}}`
	return `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},{"key":"process.pid","value":{"intValue":"7"}}],"droppedAttributesCount":0},
		"scopeSpans":[{"scope":{"name":"inngest","version":"4.0.0"},"spans":[
			{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"aaaaaaaaaaaaaaaa","name":"inngest.execution","kind":1,
			 "startTimeUnixNano":"1772366400000000001","endTimeUnixNano":1772366401000000000,"status":{"code":0},"attributes":[` + own + `]},
			{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"0011223344556677","parentSpanId":"eee19b7ec3c1b174","name":"GET","kind":"SPAN_KIND_CLIENT","flags":257,"later":{},
			 "startTimeUnixNano":"1772366400100000000","endTimeUnixNano":"1772366400200000000","status":{"code":2,"message":"no"},"events":[{"name":"e"}],"attributes":[` + own + `,
			  {"key":"s","value":{"stringValue":"<é>"}},{"key":"b","value":{"boolValue":true}},{"key":"i","value":{"intValue":"9007199254740993"}},{"key":"d","value":{"doubleValue":1.5}},
			  {"key":"nan","value":{"doubleValue":"NaN"}},{"key":"raw","value":{"bytesValue":"AQI="}},{"key":"none","value":{}},
			  {"key":"l","value":{"arrayValue":{"values":[{"intValue":1},{"stringValue":"x"}]}}},{"key":"o","value":{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":false}},{"key":"m"}]}}}]}]}]}]}`
}

func TestUserland_JSON(t *testing.T) {
	t.Parallel()
	f, run := traced(t)
	for range 2 {
		w := f.send(http.MethodPost, userlandPath, jsonSpans(run), asJSON)
		if w.Code != http.StatusOK || w.Body.String() != "{}" || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("status %d, %s, %v", w.Code, w.Body, w.Header())
		}
	}
	rows := userRows(t, f, run)
	if len(rows) != 2 {
		t.Fatalf("rows are %+v", rows)
	}
	wrapper, call := rows[0], rows[1]
	_, root := trace.RunIDs(run)
	if wrapper.ID != "eee19b7ec3c1b174" || wrapper.Parent != root || wrapper.Status != "" || wrapper.Start.Nanosecond() != 1 {
		t.Errorf("the wrapper is %+v", wrapper)
	}
	if call.ID != "0011223344556677" || call.Parent != wrapper.ID || call.Status != trace.Failed || call.App == uuid.Nil || call.Function == uuid.Nil {
		t.Errorf("the call is %+v", call)
	}
	const want = `{"_inngest.ended_at":"1772366400200","_inngest.started_at":"1772366400100","_inngest.userland":true,"_inngest.userland.kind":"CLIENT",` +
		`"_inngest.userland.name":"GET","_inngest.userland.resource.attributes":"{\"service.name\":\"shop\",\"process.pid\":7}","_inngest.userland.scope.name":"inngest",` +
		`"_inngest.userland.scope.version":"4.0.0","_inngest.userland.service.name":"shop","_inngest.userland.span.id":"0011223344556677",` +
		`"b":true,"d":1.5,"i":9007199254740993,"l":[1,"x"],"nan":"NaN","none":null,"o":{"k":false,"m":null},"raw":"AQI=","s":"\u003cé\u003e"}`
	if diff := cmp.Diff(want, string(call.Attributes)); diff != "" {
		t.Errorf("attributes -want +got:\n%s", diff)
	}
}

func userRows(t *testing.T, f *fixture, run ulid.ULID) []trace.Span {
	t.Helper()
	all, err := f.backend.Spans(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	var rows []trace.Span
	for _, row := range all {
		if row.Name == trace.NameUserland {
			rows = append(rows, row)
		}
	}
	return rows
}

func stringAttribute(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

func binarySpans(t *testing.T, run ulid.ULID) []byte {
	t.Helper()
	span := &otlp.Span{
		SpanId: []byte{1, 2, 3, 4, 5, 6, 7, 8}, ParentSpanId: []byte{8, 7, 6, 5, 4, 3, 2, 1}, Name: "work", StartTimeUnixNano: 1772366400000000000,
		EndTimeUnixNano: 1772366400500000000, Status: &otlp.Status{Code: otlp.Status_STATUS_CODE_OK},
		Attributes: []*common.KeyValue{stringAttribute("inngest.traceref", reference(run)), stringAttribute("sdk.run.id", run.String())},
	}
	body, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: []*otlp.ResourceSpans{{
		Resource: &resource.Resource{}, ScopeSpans: []*otlp.ScopeSpans{{Spans: []*otlp.Span{span, {SpanId: []byte{1}}}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestUserland_Binary(t *testing.T) {
	t.Parallel()
	f, run := traced(t)
	w := f.send(http.MethodPost, userlandPath, string(binarySpans(t, run)), "Content-Type: application/x-protobuf")
	var answer collector.ExportTraceServiceResponse
	if err := proto.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/x-protobuf" {
		t.Fatalf("status %d, %v, %v", w.Code, w.Header(), err)
	}
	if got := answer.GetPartialSuccess(); got.GetRejectedSpans() != 1 || got.GetErrorMessage() != "1: it has no valid inngest.traceref" {
		t.Errorf("answer is %v", &answer)
	}
	rows := userRows(t, f, run)
	if len(rows) != 1 || rows[0].ID != "0102030405060708" || rows[0].Parent != "0807060504030201" || rows[0].Status != trace.Completed {
		t.Errorf("rows are %+v", rows)
	}
}

func TestUserland_Packed(t *testing.T) {
	t.Parallel()
	f, run := traced(t)
	packed := func(body []byte) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if w := f.send(http.MethodPost, userlandPath, packed([]byte(jsonSpans(run))), asJSON, "Content-Encoding: gzip"); w.Code != http.StatusOK || len(userRows(t, f, run)) != 2 {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	for body, want := range map[string]int{packed(make([]byte, 9<<20)): 413, "no gzip": 400, packed([]byte(jsonSpans(run)))[:50]: 400} {
		if w := f.send(http.MethodPost, userlandPath, body, asJSON, "Content-Encoding: gzip"); w.Code != want {
			t.Errorf("status %d, want %d: %s", w.Code, want, w.Body)
		}
	}
}

func TestUserland_Refused(t *testing.T) {
	t.Parallel()
	f, run := traced(t)
	span := func(attributes string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"0011223344556677","startTimeUnixNano":"1","endTimeUnixNano":"18446744073709551615","attributes":[` + attributes + `]}]}]}]}`
	}
	ref := `{"key":"inngest.traceref","value":{"stringValue":"` + reference(run) + `"}}`
	of := func(run ulid.ULID) string {
		return ref + `,{"key":"sdk.run.id","value":{"stringValue":"` + run.String() + `"}}`
	}
	for name, c := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"nothing":        {`{}`, 200, `{}`},
		"no JSON":        {`{`, 400, `{"message":"Invalid payload"}`},
		"an ID of signs": {strings.Replace(span(""), "0011223344556677", "!!", 1), 400, `{"message":"Invalid payload"}`},
		"too large":      {strings.Repeat(" ", 9<<20), 413, `{"message":"Request body too large"}`},
		"no reference":   {span(``), 200, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"1: it has no valid inngest.traceref"}}`},
		"no run":         {span(ref), 200, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"1: sdk.run.id is no run"}}`},
		"no times":       {span(of(run)), 200, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"1: it has no start and end"}}`},
		"an unknown run": {strings.ReplaceAll(jsonSpans(run), `"stringValue":"`+run.String(), `"stringValue":"`+unknownID), 200,
			`{"partialSuccess":{"rejectedSpans":"2","errorMessage":"2: its run is not known"}}`},
		"IDs of 16 digits that are no hex": {strings.ReplaceAll(jsonSpans(run), "0011223344556677", "zz11223344556677"), 200,
			`{"partialSuccess":{"rejectedSpans":"1","errorMessage":"1: its ID or that of its parent is not 8 bytes"}}`},
	} {
		w := f.send(http.MethodPost, userlandPath, c.body, asJSON)
		if w.Code != c.status || w.Body.String() != c.want {
			t.Errorf("%s: status %d, %s", name, w.Code, w.Body)
		}
	}
	w := f.send(http.MethodPost, userlandPath, "{}", "Content-Type: text/plain")
	var answer status.Status
	if err := proto.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusBadRequest || answer.GetMessage() != "Invalid payload" {
		t.Errorf("of another type: status %d, %q, %v", w.Code, w.Body, err)
	}
}

// gone is what cannot be asked, or written.
type gone struct {
	ports.History
	ports.Catalog
	run, add, function error
	left               int
}

func (g gone) Run(ctx context.Context, id ulid.ULID) (ports.RunRecord, error) {
	if g.run != nil {
		return ports.RunRecord{}, g.run
	}
	return g.History.Run(ctx, id)
}

func (g gone) AddSpans(ctx context.Context, rows []trace.Span) (int, error) {
	if g.add != nil || g.left > 0 {
		return g.left, g.add
	}
	return g.History.AddSpans(ctx, rows)
}

func (g gone) FunctionsByID(ctx context.Context, ids []uuid.UUID) ([]function.Function, error) {
	if g.function != nil {
		return nil, g.function
	}
	return g.Catalog.FunctionsByID(ctx, ids)
}

func TestUserland_StorageFailure(t *testing.T) {
	t.Parallel()
	const unavailable = `{"message":"The run store is unavailable"}`
	for name, c := range map[string]struct {
		gone gone
		code int
		want string
	}{
		"the run":                    {gone{run: errBroken}, 503, unavailable},
		"the function":               {gone{function: errBroken}, 503, unavailable},
		"the rows":                   {gone{add: errBroken}, 503, unavailable},
		"a function that is no more": {gone{function: ports.ErrNotFound}, 200, `{}`},
		"no more room":               {gone{left: 1}, 200, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"1: its run has as many as it may, or is gone"}}`},
	} {
		f, run := traced(t, func(d *httpapi.Deps) {
			c.gone.History, c.gone.Catalog = d.History, d.Catalog
			d.History, d.Catalog = c.gone, c.gone
		})
		if w := f.send(http.MethodPost, userlandPath, jsonSpans(run), asJSON); w.Code != c.code || w.Body.String() != c.want {
			t.Errorf("%s: status %d, %s", name, w.Code, w.Body)
		}
		if got, want := strings.Count(f.log.String(), "/secret/path"), strings.Count(c.want, "unavailable"); got != want {
			t.Errorf("%s: the cause was logged %d times", name, got)
		}
	}
}

// TestUserland_BrokenBody is a connection that ends too soon.
func TestUserland_BrokenBody(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, userlandPath, io.MultiReader(strings.NewReader("{"), broke{}))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || w.Body.String() != `{"message":"Error reading body"}` {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
}

type broke struct{}

func (broke) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// FuzzUserland: whatever is sent, the answer is one, and what is taken has attributes that are JSON.
func FuzzUserland(f *testing.F) {
	f.Add(jsonSpans(ulid.MustParse(unknownID)), true)
	f.Add("", false)
	f.Add("\x0a\x02\x12\x00", false)
	var all rowsSeen
	handler := newFixture(f, devConfig, func(d *httpapi.Deps) { d.History = &all }).handler
	f.Fuzz(func(t *testing.T, body string, asText bool) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, userlandPath, strings.NewReader(body))
		if asText {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		for _, row := range all.rows {
			if !json.Valid(row.Attributes) || len(row.ID) != 16 || len(row.Parent) != 16 {
				t.Fatalf("row is %+v", row)
			}
		}
		all.rows = nil
	})
}

// rowsSeen is a history that knows every run and notes the rows.
type rowsSeen struct {
	ports.History
	rows []trace.Span
}

func (*rowsSeen) Run(_ context.Context, id ulid.ULID) (ports.RunRecord, error) {
	return ports.RunRecord{RunID: id}, nil
}

func (r *rowsSeen) AddSpans(_ context.Context, rows []trace.Span) (int, error) {
	r.rows = append(r.rows, rows...)
	return 0, nil
}
