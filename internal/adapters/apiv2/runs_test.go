package apiv2_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

type runAnswer struct {
	ID, Status                   string
	Function, App                struct{ ID, Name string }
	QueuedAt, StartedAt, EndedAt string
	DurationMS                   string
	Trigger                      struct {
		EventIDs     []string
		IsBatch      bool
		BatchID      string
		CronSchedule string
	}
	Output json.RawMessage
}

// started invokes a function of the app "shop" some time later and returns the ID of the run.
func (f *fixture) started(fn string) string {
	f.tb.Helper()
	f.clock.mu.Lock()
	f.clock.now = f.clock.now.Add(time.Second)
	f.clock.mu.Unlock()
	return dataOf[started](f.tb, f.rest(post, "/api/v2/apps/shop/functions/"+fn+"/invoke", `{"data":{}}`)).RunID
}

// shop has runs of two functions: one failed, one completed, one in progress; and one of another app.
func (f *fixture) shop() (failed, completed, queued string) {
	f.tb.Helper()
	f.register("shop", `[`+fn("shop", "one", "")+`,`+fn("shop", "two", "")+`]`)
	f.register("other", `[`+fn("other", "one", "")+`]`)
	f.answer = func(ports.Call) sdk.Response {
		r := appAnswer(400, `{"name":"E","message":"bad","big":12345678901234567890}`)
		r.Header["X-Inngest-No-Retry"] = "true"
		return r
	}
	failed = f.started("one")
	f.work()
	f.answer = func(ports.Call) sdk.Response { return appAnswer(200, `[1,12345678901234567890]`) }
	completed = f.started("two")
	f.work()
	return failed, completed, f.started("one")
}

func (f *fixture) listed(query string) []string {
	f.tb.Helper()
	var all []string
	for _, run := range dataOf[[]runAnswer](f.tb, f.rest(get, query, "")) {
		all = append(all, run.ID)
	}
	return all
}

func TestListRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	failed, completed, queued := f.shop()
	second := url.QueryEscape("2026-03-01T12:00:02.123Z")
	for query, want := range map[string][]string{
		"/runs":                                        {queued, completed, failed},
		"/runs?order=asc":                              {failed, completed, queued},
		"/runs?status=completed&status=FAILED":         {completed, failed},
		"/runs?status=queued":                          {queued},
		"/runs?appId=shop&functionId=one":              {queued, failed},
		"/runs?app_id=shop&app_id=other":               {queued, completed, failed},
		"/runs?appId=other":                            nil,
		"/runs?appId=nope":                             nil,
		"/runs?appId=shop&functionId=nope":             nil,
		"/runs?from=" + second:                         {queued, completed},
		"/runs?until=" + second:                        {completed, failed},
		"/runs?timeField=endedAt&from=" + second:       {completed},
		"/runs?timeField=ENDED_AT&order=ASC":           {failed, completed},
		"/runs?timeField=started_at&limit=1":           {queued},
		"/runs?isDeferred=true":                        nil,
		"/runs?isDeferred=0":                           {queued, completed, failed},
		"/apps/shop/functions/one/runs":                {queued, failed},
		"/apps/shop/functions/shop-two/runs?limit=100": {completed},
		"/apps/shop/functions/nope/runs":               nil,
		"/apps/nope/functions/one/runs?appId=shop":     nil,
	} {
		if diff := cmp.Diff(want, f.listed("/api/v2"+query)); diff != "" {
			t.Errorf("%s\n%s", query, diff)
		}
	}
	for _, order := range []string{"ASC", "DESC"} {
		for _, field := range []string{"queuedAt", "endedAt"} {
			path := "/api/v2/runs?limit=1&order=" + order + "&timeField=" + field
			all, pages := walk[runAnswer](f, path)
			want := f.listed(strings.Replace(path, "limit=1", "limit=9", 1))
			var got []string
			for _, run := range all {
				got = append(got, run.ID)
			}
			if !slices.Equal(got, want) || pages != len(want) {
				t.Errorf("%s: %v on %d pages, want %v", path, got, pages, want)
			}
		}
	}
	ranged := f.rest(get, "/api/v2/runs?from=2026-03-01T12:00:00Z&until="+second, "").Body.String()
	if !strings.Contains(ranged, `"timeRange":{"from":"2026-03-01T12:00:00Z","until":"2026-03-01T12:00:02.123Z"}`) {
		t.Errorf("range in %s", ranged)
	}
}

func TestListRuns_Refuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	legacy := url.QueryEscape("eyJpZCI6IiIsImMiOnt9fQ==")
	for query, want := range map[string]string{
		"functionId=x":      refused("invalid_field_format", "appId is required when filtering by functionId"),
		"limit=0":           refused("invalid_field_format", "Limit must be at least 1"),
		"limit=101":         refused("invalid_field_format", "Limit cannot exceed 100"),
		"cursor=x":          refused("invalid_field_format", "Cursor is invalid"),
		"cursor=" + legacy:  refused("invalid_field_format", "Cursor is invalid"),
		"status=nope":       refused("invalid_field_format", "Status is invalid"),
		"status=skipped":    refused("invalid_field_format", "Status is invalid"),
		"timeField=nope":    refused("invalid_field_format", "timeField is invalid"),
		"order=sideways":    refused("invalid_field_format", "order is invalid"),
		"from=x":            refused("api_error", `parsing field "from": parsing time "x" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse "x" as "2006"`),
		"isDeferred=x":      refused("api_error", `parsing field "isDeferred": strconv.ParseBool: parsing "x": invalid syntax`),
		"limit=99999999999": refused("api_error", `parsing field "limit": strconv.ParseInt: parsing "99999999999": value out of range`),
		"from=2026-03-01T12:00:00Z&until=2026-03-01T12:00:00Z": refused("invalid_field_format", "from must be before until"),
	} {
		f.expect(get, "/api/v2/runs?"+query, "", 400, want)
	}
}

// The cursor is one that clients have today.
func TestCursor(t *testing.T) {
	t.Parallel()
	const vector = "eyJpZCI6IjAxSlFFMUsxM1ExQTREMUI1WEYwTTFTMkUwIiwiYyI6eyJzdGFydF90aW1lIjp7ImYiOiJzdGFydF90aW1lIiwidiI6MTc0MzEzMDEzNzM2NzAwMH19fQ=="
	at := time.UnixMicro(1743130137367000).UTC()
	reader := &fakeReader{runs: []ports.RunSummary{{RunID: ulid.MustParse(unknownRun), QueuedAt: at}, {}}}
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Reader = reader })
	var first page[runAnswer]
	if err := json.Unmarshal(f.rest(get, "/api/v2/runs?limit=1", "").Body.Bytes(), &first); err != nil || first.Page.Cursor != vector {
		t.Errorf("cursor %q, %v", first.Page.Cursor, err)
	}
	f.rest(get, "/api/v2/runs?limit=1&cursor="+url.QueryEscape(vector), "")
	if diff := cmp.Diff(&ports.RunCursor{At: at, Run: ulid.MustParse(unknownRun)}, reader.asked.After); diff != "" {
		t.Error(diff)
	}
}

// fakeReader has runs that nobody ran.
type fakeReader struct {
	apiv2.Reader

	runs  []ports.RunSummary
	asked history.Query
	node  *trace.Node
	err   error
}

func (r *fakeReader) Runs(_ context.Context, q history.Query) (history.Runs, error) {
	r.asked = q
	return history.Runs{Runs: r.runs[:min(len(r.runs), q.Limit)], More: len(r.runs) > q.Limit}, r.err
}

func (r *fakeReader) RunsOfEvents(_ context.Context, ids []ulid.ULID) (map[ulid.ULID][]ports.RunSummary, error) {
	return map[ulid.ULID][]ports.RunSummary{ids[0]: r.runs}, r.err
}

func (r *fakeReader) Run(context.Context, ulid.ULID) (ports.RunSummary, error) {
	if r.err != nil {
		return ports.RunSummary{}, r.err
	}
	return r.runs[0], nil
}

func (r *fakeReader) Trace(context.Context, ulid.ULID, bool) (*trace.Node, error) {
	return r.node, r.err
}

func (r *fakeReader) Output(_ context.Context, id string) (trace.Output, error) {
	parsed, err := trace.ParseOutputID(id)
	if err != nil {
		return trace.Output{}, err
	}
	if parsed.Span == "bad" {
		return trace.Output{Data: nil, Error: &trace.StepError{Name: new("E"), Message: "no", Cause: json.RawMessage(`{"n":1}`)}}, nil
	}
	return trace.Output{Input: json.RawMessage(`[12345678901234567890]`), Data: json.RawMessage(`{"b":1,"a":12345678901234567890}`)}, nil
}

func TestListRuns_Fails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Reader = &fakeReader{err: ports.ErrUnavailable} })
	failed := refused("internal_error", "Unable to fetch runs")
	f.expect(get, "/api/v2/runs", "", 500, failed)
	f.expect(get, "/api/v2/events/"+unknownRun+"/runs", "", 500, failed)
	f.expect(get, "/api/v2/runs/"+unknownRun, "", 500, refused("internal_error", "Unable to fetch run"))
	f.expect(get, "/api/v2/runs/"+unknownRun+"/trace", "", 500, refused("internal_error", "Unable to build trace response"))
}

func TestGetFunctionRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	failed, completed, queued := f.shop()
	one := dataOf[runAnswer](t, f.rest(get, "/api/v2/runs/"+completed+"?includeOutput=true", ""))
	if one.ID != completed || one.Status != "COMPLETED" || one.Function.ID != "two" || one.Function.Name != "The two" || one.App.ID != "shop" ||
		one.QueuedAt != "2026-03-01T12:00:02.123Z" || one.StartedAt == "" || one.EndedAt == "" || one.DurationMS != "0" || len(one.Trigger.EventIDs) != 1 {
		t.Errorf("run %+v", one)
	}
	if string(one.Output) != `{"data":[1,12345678901234567890]}` {
		t.Errorf("output %s", one.Output)
	}
	if one := dataOf[runAnswer](t, f.rest(get, "/api/v2/runs/"+completed, "")); one.Output != nil {
		t.Errorf("output that nobody asked for: %s", one.Output)
	}
	if one := dataOf[runAnswer](t, f.rest(get, "/api/v2/runs/"+failed+"?include_output=1", "")); one.Status != "FAILED" || !strings.Contains(string(one.Output), "12345678901234567890") {
		t.Errorf("failed run %+v: %s", one, one.Output)
	}
	if one := dataOf[runAnswer](t, f.rest(get, "/api/v2/runs/"+queued, "")); one.Status != "QUEUED" || one.EndedAt != "" || one.DurationMS != "" {
		t.Errorf("queued run %+v", one)
	}
	f.expect(get, "/api/v2/runs/"+unknownRun, "", 404, refused("not_found", "Run not found"))
	f.expect(get, "/api/v2/runs/x", "", 400, refused("invalid_field_format", "Run ID must be a valid ULID"))
	listed := dataOf[[]runAnswer](t, f.rest(get, "/api/v2/runs?includeOutput=true", ""))
	if len(listed) != 3 || listed[0].Output != nil || string(listed[1].Output) != `{"data":[1,12345678901234567890]}` {
		t.Errorf("runs with outputs %+v", listed)
	}
}

func TestGetFunctionRun_OfABatch(t *testing.T) {
	t.Parallel()
	id := ulid.MustParse(unknownRun)
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) {
		d.Reader = &fakeReader{runs: []ports.RunSummary{{RunID: id, Events: []ulid.ULID{{1}, {2}}, Batch: ulid.ULID{3}, Cron: "* * * * *"}}}
	})
	f.expect(get, "/api/v2/runs/"+unknownRun, "", 404, refused("not_found", "Function not found"))
	got := dataOf[[]runAnswer](t, f.rest(get, "/api/v2/runs", ""))
	if len(got) != 1 || len(got[0].Trigger.EventIDs) != 2 || !got[0].Trigger.IsBatch || got[0].Trigger.BatchID != (ulid.ULID{3}).String() || got[0].Trigger.CronSchedule != "* * * * *" {
		t.Errorf("run %+v", got)
	}
}

func TestGetEventRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.register("shop", `[`+fn("shop", "one", "")+`,`+fn("shop", "two", "")+`]`)
	event := dataOf[sent](t, f.rest(post, "/api/v2/events", `{"name":"app/event"}`)).EventID
	f.route()
	all, pages := walk[runAnswer](f, "/api/v2/events/"+event+"/runs?limit=1")
	if len(all) != 2 || pages != 2 || all[0].ID < all[1].ID || all[0].Trigger.EventIDs[0] != event {
		t.Errorf("runs %+v on %d pages", all, pages)
	}
	f.expect(get, "/api/v2/events/"+unknownRun+"/runs", "", 200, `{"metadata":{"fetchedAt":"`+now+`"},"page":{"limit":20}}`)
	f.expect(get, "/api/v2/events/x/runs", "", 400, refused("invalid_field_format", "Event ID must be a valid ULID"))
	f.expect(get, "/api/v2/events/"+event+"/runs?limit=41", "", 400, refused("invalid_field_format", "Limit cannot exceed 40"))
	f.expect(get, "/api/v2/events/"+event+"/runs?cursor=x", "", 400, refused("invalid_field_format", "Cursor is invalid"))
}

// largeOutputs has outputs of three megabytes.
type largeOutputs struct{ ports.History }

func (largeOutputs) Summaries(_ context.Context, ids []ulid.ULID) ([]ports.RunSummary, error) {
	var all []ports.RunSummary
	for _, id := range ids {
		all = append(all, ports.RunSummary{RunID: id, HasOutput: true, Output: []byte(`"` + strings.Repeat("x", 3<<20) + `"`)})
	}
	return all, nil
}

func TestListRuns_EndsPagesOfLargeOutputs(t *testing.T) {
	t.Parallel()
	var runs []ports.RunSummary
	for i := range 5 {
		runs = append(runs, ports.RunSummary{RunID: ulid.ULID{15: byte(i)}, Status: ports.RunCompleted, QueuedAt: time.UnixMilli(0)})
	}
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Reader, d.History = &fakeReader{runs: runs}, largeOutputs{d.History} })
	var got page[runAnswer]
	if err := json.Unmarshal(f.rest(get, "/api/v2/runs?includeOutput=true", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != 2 || !got.Page.HasMore || got.Page.Cursor == "" {
		t.Errorf("%d runs, %+v", len(got.Data), got.Page)
	}
}

func TestGetRunTrace(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	id := ulid.MustParse(unknownRun)
	root := &trace.Node{
		ID: "r", Name: "Run", Status: trace.NodeRunning, QueuedAt: at, StartedAt: at,
		Metadata: []trace.Metadata{{Scope: "run", Kind: "inngest.score", Values: metadata.Values{"a": json.RawMessage(`{"value": 1}`)}, UpdatedAt: at}},
		Children: []*trace.Node{
			{
				ID: "s", Name: "a step", Status: trace.NodeCompleted, Op: trace.OpRun, StepID: "h", QueuedAt: at, StartedAt: at, EndedAt: at.Add(time.Second),
				Duration: time.Second, HasDuration: true, Output: &trace.OutputID{Run: id, Span: "good"},
			},
			{ID: "w", Name: "a wait", Status: trace.NodeQueued, Op: trace.OpWaitForEvent, QueuedAt: at},
			{ID: "b", Name: "a failure", Status: trace.NodeFailed, QueuedAt: at, Output: &trace.OutputID{Run: id, Span: "bad"}},
		},
	}
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Reader = &fakeReader{node: root} })
	want := func(good, bad string) string {
		return stamped(`{"rootSpan":{"children":[{"durationMs":"1000","endedAt":"2026-03-01T12:00:01Z","id":"s",`+good+
			`"queuedAt":"2026-03-01T12:00:00Z","startedAt":"2026-03-01T12:00:00Z","status":"COMPLETED","stepId":"h","stepOp":"RUN"},`+
			`{"id":"w","name":"a wait","queuedAt":"2026-03-01T12:00:00Z","status":"WAITING","stepOp":"WAIT_FOR_EVENT"},`+
			`{"id":"b","name":"a failure",`+bad+`"queuedAt":"2026-03-01T12:00:00Z","status":"FAILED"}],"id":"r",`+
			`"metadata":[{"kind":"inngest.score","scope":"run","updatedAt":"2026-03-01T12:00:00Z","values":{"a":"{\"value\": 1}"}}],"name":"Run",`+
			`"queuedAt":"2026-03-01T12:00:00Z","startedAt":"2026-03-01T12:00:00Z","status":"RUNNING"},"runId":"`+unknownRun+`"}`, "")
	}
	path := "/api/v2/runs/" + unknownRun + "/trace"
	f.expect(get, path, "", 200, want(`"name":"a step",`, ``))
	f.expect(get, path+"?includeOutput=true", "", 200, want(`"input":[12345678901234567890],"name":"a step","output":{"b":1,"a":12345678901234567890},`,
		`"output":{"error":{"name":"E","message":"no","cause":{"n":1}}},`))
}

func TestGetRunTrace_OfARun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	_, completed, _ := f.shop()
	type span struct{ ID, Name, Status string }
	got := dataOf[struct {
		RunID    string
		RootSpan span
	}](t, f.rest(get, "/api/v2/runs/"+completed+"/trace?includeOutput=true", ""))
	if got.RunID != completed || got.RootSpan.Status != "COMPLETED" || got.RootSpan.ID == "" {
		t.Errorf("trace %+v", got)
	}
	f.expect(get, "/api/v2/runs/"+unknownRun+"/trace", "", 404, refused("not_found", "Trace not found"))
	f.expect(get, "/api/v2/runs/x/trace", "", 400, refused("invalid_field_format", "Run ID must be a valid ULID"))
}
