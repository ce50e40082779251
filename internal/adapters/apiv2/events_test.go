package apiv2_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
	"github.com/ingothq/ingot/internal/app/invoke"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
)

type sent struct{ EventID string }

func (f *fixture) stored(w *httptest.ResponseRecorder) event.Tracked {
	f.tb.Helper()
	id, err := ulid.ParseStrict(dataOf[sent](f.tb, w).EventID)
	if err != nil {
		f.tb.Fatal(err)
	}
	e, err := f.backend.Event(f.tb.Context(), id)
	if err != nil {
		f.tb.Fatal(err)
	}
	return e
}

func TestSendEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	got := f.stored(f.rest(post, "/api/v2/events", `{"name":"a/b","data":{"z":12345678901234567890,"a":"<é>","_inngest":1},"user":{"n":0.10},"id":"mine","ts":"1700000000000"}`))
	want := event.Event{ID: "mine", Name: "a/b", Data: json.RawMessage(`{"z":12345678901234567890,"a":"<é>"}`), User: json.RawMessage(`{"n":0.10}`), TS: 1700000000000}
	if diff := cmp.Diff(want, got.Event); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{`{"name":"a/b"}`, `{"name":"a/b","data":null,"user":null,"id":null,"ts":null}`} {
		got := f.stored(f.rest(post, "/v2/events", body))
		if got.ID != got.InternalID.String() || string(got.Data) != "null" || got.User != nil || got.TS != f.clock.Now().UnixMilli() {
			t.Errorf("%s is %+v", body, got)
		}
	}
	if got := f.stored(f.rest(post, "/api/v2/events", `{"name":"`+strings.Repeat("n", 512)+`"}`)); len(got.Name) != 512 {
		t.Errorf("name %q", got.Name)
	}
}

// TestSendEvent_OfManyValues sends what is much longer as a message of protobuf than it is as JSON.
func TestSendEvent_OfManyValues(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	data := `{"all":[1` + strings.Repeat(",1", 500_000) + `]}`
	if got := f.stored(f.rest(post, "/api/v2/events?name=other", `{"name":"a/b","data":`+data+`}`)); string(got.Data) != data || got.Name != "a/b" {
		t.Errorf("event of %d bytes", len(got.Data))
	}
	// A large body that is refused is refused for what it says itself.
	f.expect(post, "/api/v2/events", `{"data":`+data+`,"foo":1}`, 400, refused("api_error", fmt.Sprintf(`proto: (line 1:%d): unknown field "foo"`, len(`{"data":,`)+len(data)+1)))
	f.expect(post, "/api/v2/events", `{"data":[`+data+`]}`, 400, refused("api_error", `proto: syntax error (line 1:9): unexpected token [`))
	f.expect(post, "/api/v2/events", `{"data":`+data, 400, refused("api_error", `proto: unexpected EOF`))
	f.expect(post, "/api/v2/events", `[`+data+`]`, 400, refused("api_error", `proto: syntax error (line 1:1): unexpected token [`))
	f.expect(post, "/api/v2/events", `{"name":"a/b","id":"`+strings.Repeat("i", 3<<20-30)+`"}`, 400, refused("validation_error", "Event payload cannot exceed 3145728 bytes"))
}

func TestSendEvent_Refuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	for body, want := range map[string]string{
		``:                                  refused("missing_field", "Event name is required"),
		`{}`:                                refused("missing_field", "Event name is required"),
		`{"name":""}`:                       refused("missing_field", "Event name is required"),
		`{"name":"inngest/x"}`:              refused("invalid_field_format", "event name is reserved for internal use: inngest/x"),
		`{"name":"x","ts":1}`:               refused("validation_error", "timestamp is before Jan 1, 1980"),
		`{"name":"x", "foo":1}`:             refused("api_error", `proto: (line 1:14): unknown field "foo"`),
		`{"name":"x","data":[1]}`:           refused("api_error", "proto: syntax error (line 1:20): unexpected token ["),
		`{"name":"x","data":{"a":1,"a":2}}`: refused("api_error", `proto: (line 1:27): duplicate map key "a"`),
		`{"name":"x","name":"y"}`:           refused("api_error", `proto: (line 1:13): duplicate field "name"`),
	} {
		f.expect(post, "/api/v2/events", body, 400, want)
	}
	long := `{"name":"` + strings.Repeat("n", 513) + `"}`
	f.expect(post, "/api/v2/events", long, 400, refused("invalid_field_format", "Event name cannot exceed 512 characters"))
	// The limit of events is theirs alone.
	f.expect(post, "/api/v2/runs/"+unknownRun+"/rerun", `{"fromStep":{"stepId":"`+strings.Repeat("s", 3<<20)+`"}}`, 404, refused("not_found", "Run not found"))
}

// failingIngest accepts nothing.
type failingIngest struct{}

func (failingIngest) Accept(context.Context, []event.Event, *ids.Seed, int) ([]ulid.ULID, error) {
	return nil, ports.ErrUnavailable
}

func TestSendEvent_StoreFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Ingest = failingIngest{} })
	f.expect(post, "/api/v2/events", `{"name":"x"}`, 500, refused("internal_error", "Unable to send event"))
	if !strings.Contains(f.log.String(), "unavailable") {
		t.Errorf("log %s", f.log)
	}
}

type started struct{ RunID string }

func TestInvokeFunction(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.register("shop", `[`+fn("shop", "one", "")+`]`)
	const path = "/api/v2/apps/shop/functions/one/invoke"
	id, err := ulid.ParseStrict(dataOf[started](t, f.rest(post, path, `{"data":{"n":12345678901234567890}}`)).RunID)
	if err != nil {
		t.Fatal(err)
	}
	f.route()
	state, err := f.backend.Load(t.Context(), id)
	if err != nil || !strings.Contains(string(state.Events[0].Data), `"n":12345678901234567890`) {
		t.Errorf("state %+v, %v", state, err)
	}
	if runs := f.backend.Runs(); len(runs) != 1 {
		t.Errorf("%d runs", len(runs))
	}
}

func TestInvokeFunction_OncePerKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.register("shop", `[`+fn("shop", "one", "")+`]`)
	const path, body = "/api/v2/apps/shop/functions/one/invoke", `{"data":{},"idempotencyKey":"k"}`
	answers := make([]*httptest.ResponseRecorder, 10)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() { answers[i] = f.rest(post, path, body) })
	}
	wait.Wait()
	f.route()
	codes := map[int]int{}
	bodies := map[string]bool{}
	for _, w := range answers {
		codes[w.Code]++
		bodies[w.Body.String()] = true
		if replayed := w.Header().Get("Idempotent-Replayed"); (replayed == "true") != (w.Code == 409) {
			t.Errorf("status %d, replayed %q", w.Code, replayed)
		}
	}
	if codes[200] != 1 || codes[409] != 9 || len(bodies) != 1 || len(f.backend.Runs()) != 1 {
		t.Errorf("statuses %v, bodies %v, %d runs", codes, bodies, len(f.backend.Runs()))
	}
	if w := f.rest(post, path, `{"data":{},"idempotency_key":"other"}`); w.Code != 200 || len(f.backend.Runs()) != 2 {
		t.Errorf("another key: %d %s", w.Code, w.Body)
	}
}

func TestInvokeFunction_Refuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.register("shop", `[`+fn("shop", "one", "")+`,`+fn("shop", "limited", `"rateLimit":{"limit":1,"period":"1h"},`)+`]`)
	for _, body := range []string{``, `{}`, `{"data":null}`} {
		f.expect(post, "/api/v2/apps/shop/functions/one/invoke", body, 400, refused("missing_field", "Input data is required"))
	}
	f.expect(post, "/api/v2/apps//functions/one/invoke", `{"data":{}}`, 400, refused("missing_field", "App ID is required"))
	f.expect(post, "/api/v2/apps/shop/functions//invoke", `{"data":{}}`, 400, refused("missing_field", "Function ID is required"))
	f.expect(post, "/api/v2/apps/shop/functions/nope/invoke", `{"data":{}}`, 404, refused("not_found", "Function not found"))
	const limited = "/api/v2/apps/shop/functions/limited/invoke"
	if w := f.rest(post, limited, `{"data":{}}`); w.Code != 200 {
		t.Errorf("first: %d %s", w.Code, w.Body)
	}
	f.expect(post, limited, `{"data":{}}`, 422, refused("rate_limited", "Function execution rate limit exceeded. Please try again later."))
}

// refusing is an invoker that starts nothing.
type refusing struct{ err error }

func (r refusing) Invoke(context.Context, function.Function, json.RawMessage, string) (invoke.Started, error) {
	return invoke.Started{}, r.err
}

func TestInvokeFunction_StartsNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
		want   string
	}{
		{start.ErrDebounced, 422, refused("function_debounced", "Function invocation was debounced.")},
		{start.ErrPaused, 422, refused("function_skipped", "Function invocation was skipped because the function is paused or draining.")},
		{start.ErrSingleton, 422, refused("function_skipped", "Function invocation was skipped because another run of the function is in progress.")},
		{invoke.ErrFlow, 422, refused("function_skipped", "Function invocation was skipped because a flow control key of the function failed on its data.")},
		{ports.ErrUnavailable, 500, refused("internal_error", "There was an error invoking your function")},
	}
	for _, test := range tests {
		t.Run(test.err.Error(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Invoker = refusing{fmt.Errorf("invoke: %w", test.err)} })
			f.register("shop", `[`+fn("shop", "one", "")+`]`)
			f.expect(post, "/api/v2/apps/shop/functions/one/invoke", `{"data":{}}`, test.status, test.want)
		})
	}
}

// panicking is an invoker that does not come back.
type panicking struct{}

func (panicking) Invoke(context.Context, function.Function, json.RawMessage, string) (invoke.Started, error) {
	panic("oh no")
}

func TestPanic(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Invoker = panicking{} })
	f.register("shop", `[`+fn("shop", "one", "")+`]`)
	f.expect(post, "/api/v2/apps/shop/functions/one/invoke", `{"data":{}}`, 500, refused("internal_error", "Internal server error"))
	if !strings.Contains(f.log.String(), "oh no") {
		t.Errorf("log %s", f.log)
	}
}

// slow is a catalog that waits until it is told not to.
type slow struct{ ports.Catalog }

func (slow) AppsByID(ctx context.Context, _ []uuid.UUID) ([]ports.AppRecord, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{Timeout: 1}, func(d *apiv2.Deps) { d.Catalog = slow{d.Catalog} })
	f.expect(get, "/api/v2/apps/"+uuid.NewString(), "", 504, refused("internal_error", "The request took too long"))
}
