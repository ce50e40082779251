package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/app/cancel"
	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/function"
)

func sayCancellations(s *transcript) {
	post := func(title, body string) {
		s.tb.Helper()
		s.say(title, http.MethodPost, "/v1/cancellations", body)
	}
	s.send(http.MethodPost, "/fn/register", registration(""))
	s.send(http.MethodPost, "/e/k", `[{"name":"app/event","data":{"n":1}},{"name":"app/event","data":{"n":2}}]`)
	s.route()
	s.clock.advance(time.Second)

	s.say("none yet", http.MethodGet, "/v1/cancellations", "")
	post("nothing given", `{}`)
	post("no JSON", `{`)
	post("no date", `{"app_id":"app","function_id":"app-fn","started_before":"tomorrow"}`)
	post("in the future", `{"app_id":"app","function_id":"app-fn","started_before":"2026-03-01T12:00:07Z"}`)
	post("no span", `{"app_id":"app","function_id":"app-fn","started_before":"2026-03-01T12:00:00Z","started_after":"2026-03-01T12:00:00Z"}`)
	post("bad condition", `{"app_id":"app","function_id":"app-fn","started_before":"2026-03-01T12:00:00Z","if":"event.data.n = 1"}`)
	post("unknown function", `{"app_id":"app","function_id":"none","started_before":"2026-03-01T12:00:00Z"}`)
	post("too large", `{"if":"`+strings.Repeat("x", 512<<10)+`"}`)
	post("of some", `{"app_id":"app","function_id":"app-fn","started_after":"2026-03-01T14:00:00.1+02:00","started_before":"2026-03-01T12:00:01Z","if":"event.data.n == 2"}`)
	post("of all, by the ID within the app", `{"app_id":"app","function_id":"fn","started_before":"2026-03-01T12:00:06.1Z"}`)
	s.say("both under way", http.MethodGet, "/v1/cancellations", "")
	s.cancelAll()
	s.say("one has ended, one waits for its time", http.MethodGet, "/v1/cancellations", "")
	for _, run := range s.backend.Runs() {
		s.say("a run", http.MethodGet, "/v1/runs/"+run.RunID.String(), "")
	}
	waiting := "/v1/cancellations/01KJMMA3K30000000000000006"
	s.say("stopped", http.MethodDelete, waiting, "")
	s.say("stopped again", http.MethodDelete, waiting, "")
	s.say("of an ID that is none", http.MethodDelete, "/v1/cancellations/nope", "")
	s.say("one is left", http.MethodGet, "/v1/cancellations", "")
	s.say("one alone cannot be read", http.MethodGet, waiting, "")
}

func sayPausing(s *transcript) {
	post := func(title, path string) {
		s.tb.Helper()
		s.say(title, http.MethodPost, path, "")
	}
	const fn = "/v1/apps/app/functions/app-fn"
	s.send(http.MethodPost, "/fn/register", registration(""))
	post("paused", fn+"/pause")
	post("paused again", fn+"/pause")
	s.send(http.MethodPost, "/fn/register", registration(`"priority":{"run":"1"},`))
	s.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
	s.route()
	s.say("its run", http.MethodGet, "/v1/events/"+s.backend.Runs()[0].EventID.String()+"/runs", "")
	post("resumed, by the ID within the app", "/v1/apps/app/functions/fn/resume")
	post("resumed again", fn+"/resume")
	s.clock.advance(time.Second)
	s.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
	s.route()
	s.say("its run", http.MethodGet, "/v1/events/"+s.backend.Runs()[1].EventID.String()+"/runs", "")
	post("unknown function", "/v1/apps/app/functions/none/pause")
	post("unknown app", "/v1/apps/none/functions/app-fn/resume")
	s.say("wrong method", http.MethodGet, fn+"/pause", "")
}

// TestPause_NamesAreUnescaped pauses functions whose names need escapes.
func TestPause_NamesAreUnescaped(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig)
	f.send(http.MethodPost, "/fn/register", strings.ReplaceAll(strings.ReplaceAll(registration(""), `"id":"app-fn"`, `"id":"a/b %c"`), `"appName":"app"`, `"appName":"100%"`))
	for _, path := range []string{"/v1/apps/100%25/functions/a%2Fb%20%25c/pause", "/v1/apps/100%25/functions/a%2fb+%25c/pause"} {
		w := f.send(http.MethodPost, path, "")
		if want := 200 + 204*strings.Count(path, "+"); w.Code != want {
			t.Errorf("%s: status %d, want %d: %s", path, w.Code, want, w.Body)
		}
	}
}

// orders is a use case that answers with one error.
type orders struct{ err error }

func (o orders) Create(context.Context, []byte) (cancellation.Cancellation, error) {
	return cancellation.Cancellation{}, o.err
}
func (o orders) List(context.Context) ([]cancellation.Cancellation, error) { return nil, o.err }
func (o orders) Delete(context.Context, ulid.ULID) error                   { return o.err }
func (o orders) Set(context.Context, string, string, bool) (function.Function, error) {
	return function.Function{}, o.err
}

func (o orders) SetByID(context.Context, uuid.UUID, bool) (function.Function, error) {
	return function.Function{}, o.err
}

func TestCancellations_Failure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err          error
		method, path string
		status       int
		want         string
	}{
		"too many": {cancel.ErrTooMany, http.MethodPost, "/v1/cancellations", 429, "500 cancellations are under way; try again when some have ended"},
		"create":   {errBroken, http.MethodPost, "/v1/cancellations", 500, "Unable to create cancellation: the run store is unavailable"},
		"list":     {errBroken, http.MethodGet, "/v1/cancellations", 500, "Unable to list cancellations"},
		"delete":   {errBroken, http.MethodDelete, "/v1/cancellations/" + unknownID, 500, "Unable to delete cancellation: the run store is unavailable"},
		"pause":    {errBroken, http.MethodPost, "/v1/apps/a/functions/f/pause", 500, "Unable to pause or resume the function: the catalog is unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, devConfig, func(d *httpapi.Deps) { d.Cancellations, d.Pauses = orders{c.err}, orders{c.err} })
			w := f.send(c.method, c.path, "{}")
			if w.Code != c.status || !strings.Contains(w.Body.String(), `"error":"`+c.want+`"`) {
				t.Errorf("status %d, body %s", w.Code, w.Body)
			}
			if logged := strings.Count(f.log.String(), "/secret/path"); logged != strings.Count(http.StatusText(c.status), "Internal") {
				t.Errorf("the cause was logged %d times:\n%s", logged, f.log)
			}
		})
	}
}
