package apiv2_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

type app struct {
	ID            string
	IsArchived    bool
	FunctionCount int
}

type page[T any] struct {
	Data []T
	Page struct {
		Cursor  string
		HasMore bool
		Limit   int
	}
}

// walk reads all pages.
func walk[T any](f *fixture, path string) (all []T, pages int) {
	f.tb.Helper()
	cursor := ""
	for {
		w := f.rest(get, path+"&cursor="+cursor, "")
		var next page[T]
		if err := json.Unmarshal(w.Body.Bytes(), &next); err != nil || w.Code != 200 {
			f.tb.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		all, pages = append(all, next.Data...), pages+1
		if next.Page.HasMore != (next.Page.Cursor != "") {
			f.tb.Errorf("page %+v", next.Page)
		}
		if !next.Page.HasMore {
			return all, pages
		}
		cursor = next.Page.Cursor
	}
}

func TestApps(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.expect(get, "/api/v2/apps", "", 200, `{"metadata":{"fetchedAt":"`+now+`"},"page":{"limit":20}}`)
	names := []string{"a", "b", "c", "d", "e"}
	for _, name := range names {
		f.register(name, `[`+fn(name, "one", "")+`,`+fn(name, "two", "")+`]`)
	}
	for _, name := range names[3:] {
		if err := f.backend.RemoveApp(t.Context(), uuid.NewSHA1(uuid.NameSpaceOID, []byte(name))); err != nil {
			t.Fatal(err)
		}
	}
	active, pages := walk[app](f, "/api/v2/apps?limit=2")
	if len(active) != 3 || pages != 2 || active[0].FunctionCount != 2 {
		t.Errorf("apps %+v on %d pages", active, pages)
	}
	archived, pages := walk[app](f, "/api/v2/apps?limit=1&archived=1")
	if len(archived) != 2 || pages != 2 || !archived[0].IsArchived || archived[0].FunctionCount != 0 {
		t.Errorf("archived apps %+v on %d pages", archived, pages)
	}
	f.expect(get, "/api/v2/apps?limit=-1", "", 400, refused("invalid_field_format", "Limit must be at least 1"))
	f.expect(get, "/api/v2/apps?limit=101", "", 400, refused("invalid_field_format", "Limit cannot exceed 100"))
	f.expect(get, "/api/v2/apps?cursor=x", "", 400, refused("invalid_field_format", "Cursor is invalid"))
	f.expect(get, "/api/v2/apps?archived=x", "", 400, refused("api_error", `parsing field "archived": strconv.ParseBool: parsing "x": invalid syntax`))
	if w := f.rest(get, "/api/v2/apps?limit=0", ""); !strings.Contains(w.Body.String(), `"page":{"limit":20}`) {
		t.Errorf("limit 0: %s", w.Body)
	}
}

func TestApp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.register("shop", `[`+fn("shop", "one", "")+`]`)
	f.register("a/b %41", `[]`)
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte("shop")).String()
	want := stamped(`{"createdAt":"`+now+`","functionCount":1,"id":"shop","latestSync":{"framework":"nodejs","sdkLanguage":"js",`+
		`"sdkVersion":"v4.24.0","url":"http://localhost:9/shop"},"method":"SERVE","name":"shop"}`, "")
	f.expect(get, "/api/v2/apps/shop", "", 200, want)
	f.expect(get, "/api/v2/apps/"+id, "", 200, want)
	for _, spelled := range []string{"a%2Fb%20%2541", "a%252Fb%2520%252541"} {
		if got := dataOf[app](t, f.rest(get, "/api/v2/apps/"+spelled, "")); got.ID != "a/b %41" {
			t.Errorf("%s is %q", spelled, got.ID)
		}
	}
	f.expect(get, "/api/v2/apps/other", "", 404, refused("not_found", "App not found"))
	f.expect(get, "/api/v2/apps/"+uuid.NewString(), "", 404, refused("not_found", "App not found"))
	if err := f.backend.RemoveApp(t.Context(), uuid.MustParse(id)); err != nil {
		t.Fatal(err)
	}
	f.expect(get, "/api/v2/apps/shop", "", 404, refused("not_found", "App not found"))
	f.expect(get, "/api/v2/apps/"+id, "", 200, stamped(`{"archivedAt":"`+now+`","createdAt":"`+now+`","id":"shop","isArchived":true,"latestSync":`+
		`{"framework":"nodejs","sdkLanguage":"js","sdkVersion":"v4.24.0","url":"http://localhost:9/shop"},"method":"SERVE","name":"shop"}`, ""))
}

func TestApp_ThatHasNotRegistered(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	id := uuid.New()
	if err := f.backend.PutPlaceholder(t.Context(), function.App{ID: id, URL: "http://127.0.0.1:9/x", Error: "unreachable"}); err != nil {
		t.Fatal(err)
	}
	f.expect(get, "/api/v2/apps/"+id.String(), "", 200, stamped(`{"createdAt":"`+now+`","id":"`+id.String()+
		`","latestSync":{"error":"unreachable","url":"http://127.0.0.1:9/x"},"method":"SERVE"}`, ""))
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.register("shop", `[`+strings.Join([]string{fn("shop", "a", ""), fn("shop", "b", ""), fn("shop", "c", "")}, ",")+`]`)
	f.register("other", `[`+fn("other", "a", "")+`]`)
	all, pages := walk[app](f, "/api/v2/apps/shop/functions?limit=2")
	var ids []string
	for _, one := range all {
		ids = append(ids, one.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{"a", "b", "c"}) || pages != 2 {
		t.Errorf("functions %v on %d pages", ids, pages)
	}
	f.expect(get, "/api/v2/apps/nope/functions", "", 200, `{"metadata":{"fetchedAt":"`+now+`"},"page":{"limit":20}}`)
	f.expect(get, "/api/v2/apps/shop/functions?cursor=x", "", 400, refused("invalid_field_format", "Cursor is invalid"))
	f.expect(get, "/api/v2/apps/shop/functions?limit=101", "", 400, refused("invalid_field_format", "Limit cannot exceed 100"))
}

func TestFunction(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.register("shop", `[{"id":"shop-full","name":"Full","triggers":[{"event":"a/b","expression":"event.data.ok == true"},{"cron":"0 3 * * *"}],`+
		`"cancel":[{"event":"a/c","if":"async.data.id == event.data.id","timeout":"1h"}],"priority":{"run":"event.data.vip ? 100 : 0"},`+
		`"concurrency":[{"limit":5,"key":"event.data.userId"},{"limit":50,"scope":"env","key":"\"all\""}],"debounce":{"period":"5s","key":"event.data.id"},`+
		`"rateLimit":{"limit":5,"period":"1m"},"throttle":{"limit":10,"period":"1m","burst":2,"key":"event.data.userId"},`+
		`"singleton":{"mode":"cancel","key":"event.data.id"},`+
		`"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://127.0.0.1:9/shop?fnId=shop-full&stepId=step"},"retries":{"attempts":0}}}},`+
		fn("shop", "batch", `"batchEvents":{"maxSize":3,"timeout":"10s","key":"event.data.id"},`)+`,`+fn("shop", "FUNCTION_RUN_STATUS_X", "")+`]`)
	full := stamped(`{"app":{"id":"shop"},"configuration":{"cancellations":[{"condition":"async.data.id == event.data.id","event":"a/c","timeout":"1h"}],`+
		`"concurrency":[{"key":"event.data.userId","limit":{"isPlanLimit":false,"value":5},"scope":"FUNCTION"},`+
		`{"key":"\"all\"","limit":{"isPlanLimit":false,"value":50},"scope":"ENVIRONMENT"}],"debounce":{"key":"event.data.id","period":"5s"},`+
		`"priority":"event.data.vip ? 100 : 0","rateLimit":{"limit":5,"period":"1m"},"retries":{"isDefault":false},`+
		`"singleton":{"key":"event.data.id","mode":"CANCEL"},"throttle":{"burst":2,"key":"event.data.userId","limit":10,"period":"1m0s"}},`+
		`"id":"full","name":"Full","slug":"full","triggers":[{"if":"event.data.ok == true","type":"EVENT","value":"a/b"},{"type":"CRON","value":"0 3 * * *"}]}`, "")
	for _, id := range []string{"full", "shop-full"} {
		f.expect(get, "/api/v2/apps/shop/functions/"+id, "", 200, full)
	}
	f.expect(get, "/api/v2/apps/shop/functions/batch", "", 200, stamped(`{"app":{"id":"shop"},"configuration":{"concurrency":[{"limit":{"isPlanLimit":true,"value":-1},`+
		`"scope":"ACCOUNT"}],"eventsBatch":{"key":"event.data.id","maxSize":3,"timeout":"10s"},"retries":{"isDefault":true,"value":4}},"id":"batch","name":"The batch",`+
		`"slug":"batch","triggers":[{"type":"EVENT","value":"app/event"}]}`, ""))
	// A text that begins like a value of an enum is a text.
	if got := dataOf[app](t, f.rest(get, "/api/v2/apps/shop/functions/FUNCTION_RUN_STATUS_X", "")); got.ID != "FUNCTION_RUN_STATUS_X" {
		t.Errorf("ID %q", got.ID)
	}
	found, ok := f.registry.Find("shop-batch")
	if !ok {
		t.Fatal("the function is not registered")
	}
	f.registry.SetPaused(found.ID, true)
	if got := dataOf[struct{ IsPaused bool }](t, f.rest(get, "/api/v2/apps/shop/functions/"+found.ID.String(), "")); !got.IsPaused {
		t.Error("the function does not seem to be paused")
	}
	for _, path := range []string{"/apps/shop/functions/nope", "/apps/nope/functions/full"} {
		f.expect(get, "/api/v2"+path, "", 404, refused("not_found", "Function not found"))
	}
}

func TestFunction_OfADurableEndpoint(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	endpoint, fn := function.Endpoint("http://127.0.0.1:8791", "GET /endpoint/ok", http.MethodGet, nil)
	if err := f.backend.Sync(t.Context(), function.EndpointPlan(endpoint, fn)); err != nil {
		t.Fatal(err)
	}
	path := "/api/v2/apps/http:%2F%2F127.0.0.1:8791/functions/GET%20%2Fendpoint%2Fok"
	if got := dataOf[app](t, f.rest(get, path, "")); got.ID != "GET /endpoint/ok" {
		t.Errorf("ID %q", got.ID)
	}
	f.expect(get, path+"x", "", 404, refused("not_found", "Function not found"))
}

// failingCatalog answers nothing.
type failingCatalog struct{ ports.Catalog }

var errCatalog = errors.New("the disk is on fire")

func (failingCatalog) AppPage(context.Context, ports.AppQuery) ([]ports.AppRecord, error) {
	return nil, errCatalog
}

func (failingCatalog) AppByName(context.Context, string) (ports.AppRecord, error) {
	return ports.AppRecord{}, errCatalog
}

func TestCatalogFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Catalog = failingCatalog{d.Catalog} })
	f.expect(get, "/api/v2/apps", "", 500, refused("internal_error", "Unable to fetch apps"))
	f.expect(get, "/api/v2/apps/x", "", 500, refused("internal_error", "Unable to fetch app"))
	f.expect(get, "/api/v2/apps/x/functions", "", 500, refused("internal_error", "Unable to fetch functions"))
	f.expect(get, "/api/v2/apps/x/functions/y", "", 500, refused("internal_error", "Unable to fetch function"))
	if !strings.Contains(f.log.String(), errCatalog.Error()) {
		t.Errorf("log %s", f.log)
	}
}

// TestApps_AnswerAsRecorded registers an app of the TypeScript SDK, and compares what is said of it with what the reference said.
func TestApps_AnswerAsRecorded(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Registration   json.RawMessage
		App, Functions map[string]any
	}
	if err := json.Unmarshal(raw, &recorded); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, apiv2.Config{})
	if _, err := f.sync.Register(t.Context(), recorded.Registration); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]map[string]any{"/apps/ts4-reg": recorded.App, "/apps/ts4-reg/functions": recorded.Functions} {
		var got map[string]any
		if err := json.Unmarshal(f.rest(get, "/api/v2"+path, "").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		// Times are those of another day.
		ignore := cmpopts.IgnoreMapEntries(func(name string, _ any) bool { return name == "createdAt" || name == "fetchedAt" })
		if diff := cmp.Diff(want, got, ignore); diff != "" {
			t.Errorf("%s\n%s", path, diff)
		}
	}
}
