package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEvents_StoresWhatItAccepts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	f.send(http.MethodPost, "/e/k", `{"Name":"hc/x","id":"mine","data":{"_inngest":{"fn_id":"x"},"keep":9007199254740993},"user":{},"other":1}`)
	f.send(http.MethodPost, "/e/k", `{"name":"hc/y"}`)
	var got []string
	for _, e := range f.backend.AllEvents() {
		got = append(got, string(e.AppendStored(nil)))
	}
	want := []string{
		`{"id":"mine","name":"hc/x","data":{"keep":9007199254740993},"ts":1772366400123}`,
		`{"id":"01KJMMA2KV0000000000000002","name":"hc/y","data":null,"ts":1772366400123}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEvents_Atomic sends batches with one bad event at each place.
func TestEvents_Atomic(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{`{"name":1}`, `{"name":"inngest/x"}`, `{"name":""}`, `{"name":"a","ts":1}`, `7`, `{`, padded(3<<20 + 1)} {
		for at := range 3 {
			f := newFixture(t, devConfig)
			events := []string{`{"name":"a"}`, `{"name":"b"}`, `{"name":"c"}`}
			events[at] = bad
			w := f.send(http.MethodPost, "/e/k", "["+strings.Join(events, ",")+"]")
			if w.Code != http.StatusBadRequest {
				t.Errorf("bad event %.20q at %d: status %d", bad, at, w.Code)
			}
			if stored := f.backend.AllEvents(); len(stored) != 0 {
				t.Errorf("bad event %.20q at %d: %d events stored", bad, at, len(stored))
			}
		}
	}
}

func TestEvents_FiveThousand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	if w := f.send(http.MethodPost, "/e/k", many(5001)); w.Code != http.StatusBadRequest || len(f.backend.AllEvents()) != 0 {
		t.Errorf("5001 events: status %d, %d stored", w.Code, len(f.backend.AllEvents()))
	}
	w := f.send(http.MethodPost, "/e/k", many(5000))
	var answer struct{ IDs []string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	stored := f.backend.AllEvents()
	if w.Code != http.StatusOK || len(stored) != 5000 || len(answer.IDs) != 5000 || answer.IDs[4999] != stored[4999].InternalID.String() {
		t.Errorf("status %d, %d stored, %d ids", w.Code, len(stored), len(answer.IDs))
	}
}

func TestEvents_SeedStoresOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	for range 2 {
		f.send(http.MethodPost, "/e/k", `[{"name":"a"},{"name":"b"}]`, "X-Inngest-Event-Id-Seed: 1700000000000,AAAAAAAAAAAAAA==")
	}
	if stored := f.backend.AllEvents(); len(stored) != 2 {
		t.Errorf("%d events stored, want 2", len(stored))
	}
}

// TestEvents_BodyIsNotShared sends requests whose buffers are used again, and looks at the first event afterwards.
func TestEvents_BodyIsNotShared(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	for n := range 100 {
		f.send(http.MethodPost, "/e/k", `{"name":"hc/`+strconv.Itoa(n)+`","id":"id-`+strconv.Itoa(n)+`","data":{"n":`+strconv.Itoa(n)+`},"v":"v`+strconv.Itoa(n)+`"}`)
	}
	for n, e := range f.backend.AllEvents() {
		text := strconv.Itoa(n)
		if e.Name != "hc/"+text || e.ID != "id-"+text || string(e.Data) != `{"n":`+text+`}` || e.V != "v"+text {
			t.Fatalf("event %d became %s", n, e.AppendStored(nil))
		}
	}
}

func TestInvoke_Target(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"app-fn": "app-fn", "a%2Fb": "a/b", "a+b": "a b", "a%20b": "a b", "a%2Bb": "a+b", "%C3%A9": "é"} {
		f := newFixture(t, devConfig)
		f.send(http.MethodPost, "/invoke/"+path, `{"data":{"x":1,"_inngest":{"fn_id":"forged"}}}`)
		e := f.backend.AllEvents()[0]
		var data struct {
			Inngest struct {
				FnID string `json:"fn_id"`
			} `json:"_inngest"`
			X int `json:"x"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		if e.Name != "inngest/function.invoked" || data.Inngest.FnID != want || data.X != 1 || e.ID == e.InternalID.String() {
			t.Errorf("%s: event %s %s of id %s", path, e.Name, e.Data, e.ID)
		}
	}
}

func TestV1Events_Limit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	f.send(http.MethodPost, "/e/k", many(60))
	page := func(query string) []string {
		var answer struct {
			Data []struct {
				InternalID string `json:"internal_id"`
			}
		}
		if err := json.Unmarshal(f.send(http.MethodGet, "/v1/events?"+query, "").Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		ids := make([]string, len(answer.Data))
		for i, e := range answer.Data {
			ids[i] = e.InternalID
		}
		return ids
	}
	for query, want := range map[string]int{
		"": 20, "limit=": 20, "limit=0": 20, "limit=abc": 20, "limit=1.5": 20, "limit=-3": 1, "limit=1": 1, "limit=51": 51, "limit=52": 51,
		"limit=9223372036854775808": 20, "limit=1000000": 51,
	} {
		if got := len(page(query)); got != want {
			t.Errorf("%q: %d events, want %d", query, got, want)
		}
	}
	seen := map[string]bool{}
	for cursor := ""; ; {
		ids := page("limit=25" + cursor)
		for _, id := range ids {
			seen[id] = true
		}
		if len(ids) < 25 {
			break
		}
		cursor = "&cursor=" + ids[len(ids)-1]
	}
	if len(seen) != 60 {
		t.Errorf("paging saw %d events, want 60", len(seen))
	}
}

// TestRegister_TakesEffect registers, removes and registers again, and looks at what an event starts.
func TestRegister_TakesEffect(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	runs := func() int {
		f.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
		f.route()
		return len(f.backend.Runs())
	}
	if got := runs(); got != 0 {
		t.Errorf("%d runs before the registration", got)
	}
	f.send(http.MethodPost, "/fn/register", registration(""))
	if got := runs(); got != 1 {
		t.Errorf("%d runs after the registration, want 1", got)
	}
	f.send(http.MethodDelete, "/fn/remove?url=http://localhost:9/api/inngest", "")
	if got := runs(); got != 1 {
		t.Errorf("%d runs after the removal, want 1", got)
	}
}
