package ingot

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/embedded"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// tickCall is a call that an app gets for a tick.
type tickCall struct {
	fn    string
	Event struct {
		ID, Name string
		Data     struct{ Cron, ScheduledAt, FireAt string }
		TS       int64
	}
	Ctx struct {
		RunID string `json:"run_id"`
	}
}

// timedApp answers every call with the end of the function and tells of it.
func timedApp(t *testing.T) (url string, calls <-chan tickCall) {
	t.Helper()
	told := make(chan tickCall, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := tickCall{fn: r.URL.Query().Get("fnId")}
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("X-Inngest-Sdk", "inngest-js:v4.24.0")
		w.Header().Set("X-Inngest-Req-Version", "2")
		_, _ = io.WriteString(w, `"done"`)
		told <- call
	}))
	t.Cleanup(server.Close)
	return server.URL, told
}

// storeFunctions puts functions with those triggers into the database of a directory, as the reference may have left it.
func storeFunctions(t *testing.T, dir, url string, triggers map[string]function.Trigger) {
	t.Helper()
	engine, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	plan := function.SyncPlan{App: function.App{ID: ids.AppID("timed"), Name: "timed", SDK: "js", URL: url, Method: function.MethodServe}}
	for name, trigger := range triggers {
		uri := url + "/?fnId=" + name + "&stepId=step"
		plan.Put = append(plan.Put, function.Function{
			ID: ids.FunctionID(name, uri), AppID: plan.App.ID, Version: 1, Name: name, Slug: "timed-" + name, Triggers: []function.Trigger{trigger},
			Step: function.Step{ID: "step", Name: "step", URI: uri},
		})
	}
	if err := engine.Catalog().Sync(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if err := engine.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRun_FiresSchedules starts on a database with functions on a schedule, of the kind that only stored functions have because
// it ticks each second, and one that timer events start. It goes on after a restart.
func TestRun_FiresSchedules(t *testing.T) {
	t.Parallel()
	cfg := quiet()
	cfg.Persist, cfg.SQLiteDir = true, t.TempDir()
	url, calls := timedApp(t)
	storeFunctions(t, cfg.SQLiteDir, url, map[string]function.Trigger{
		"one": {Cron: "@every 1s"}, "two": {Cron: "@every 2s"}, "listens": {Event: event.ScheduledTimer},
	})
	seen := map[string]bool{}
	count := map[string]int{}
	for range 2 {
		p := start(t, cfg)
		for clear(count); count["one"] < 2 || count["two"] < 1 || count["listens"] < 2; {
			call := <-calls
			if count[call.fn]++; seen[call.fn+call.Event.ID] {
				t.Errorf("%s was started twice for %s", call.fn, call.Event.ID)
			}
			seen[call.fn+call.Event.ID] = true
			if call.Event.Name != event.ScheduledTimer || call.Event.ID != call.Event.Data.ScheduledAt || call.Event.Data.FireAt != call.Event.ID || call.Event.TS == 0 {
				t.Errorf("%s was called with %+v", call.fn, call.Event)
			}
			p.await("the run has not ended", func() bool {
				_, body := p.ask(http.MethodGet, "/v1/runs/"+call.Ctx.RunID, "")
				var answer struct{ Data struct{ Status, Cron string } }
				if err := json.Unmarshal([]byte(body), &answer); err != nil {
					t.Fatalf("%v in %s", err, body)
				}
				if want := map[string]string{"one": "@every 1s", "two": "@every 2s"}[call.fn]; answer.Data.Cron != want {
					t.Errorf("cron of a run of %s: %s", call.fn, body)
				}
				return answer.Data.Status == "Completed"
			})
		}
		p.stop()
	}
}
