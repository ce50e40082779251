package sdkgo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/inngest/inngestgo"

	"github.com/ingothq/ingot/test/harness"
)

// waitLimit bounds the wait for one run, on a machine that does many other things.
const waitLimit = 60 * time.Second

type (
	object = map[string]any
	input  = inngestgo.Input[object]
)

func TestMain(m *testing.M) { harness.Main(m.Run) }

// app is the application under test: SDK functions served over HTTP, and a record of what they saw.
type app struct {
	server *harness.Server
	client inngestgo.Client
	url    string // where the functions are served

	provider *provider

	mu       sync.Mutex
	seen     map[string][]sighting      // by the key of the event's data
	steps    map[string][]string        // names of the steps whose body ran, by run
	useAPI   int                        // calls whose body was trimmed
	answered map[string]int             // calls that were answered, by run
	broken   map[string]bool            // runs whose next answer is that of a process that breaks down
	gates    map[string]chan struct{}   // where steps wait for the test, by key
	inside   map[string]int             // calls in the app now, by what is limited
	most     map[string]int             // the most that there were
	finished map[string]json.RawMessage // data of inngest/function.finished events, by run
}

// sighting is one thing that happened in the app: a handler was entered, or a step's body ran.
type sighting struct {
	what string
	at   time.Time
	run  string
}

// newApp serves the app and registers it. With a signing key in opts the SDK runs in its production mode: it checks the
// signature of every call and refuses others.
func newApp(t *testing.T, server *harness.Server, opts harness.Options) *app {
	t.Helper()
	a, mux := emptyApp(t, server, opts)
	a.createFunctions(t)
	a.mountEndpoints(mux, opts)
	a.register(t)
	return a
}

// emptyApp serves an app without functions, which is not registered yet.
func emptyApp(t *testing.T, server *harness.Server, opts harness.Options) (*app, *http.ServeMux) {
	t.Helper()
	a := &app{
		server: server, provider: newProvider(t), seen: map[string][]sighting{}, steps: map[string][]string{}, answered: map[string]int{},
		broken: map[string]bool{}, gates: map[string]chan struct{}{}, finished: map[string]json.RawMessage{},
		inside: map[string]int{}, most: map[string]int{},
	}
	mux := http.NewServeMux()
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	serveURL, err := url.Parse(web.URL + "/api/inngest")
	if err != nil {
		t.Fatal(err)
	}
	options := inngestgo.ClientOpts{
		AppID:           "go-suite",
		Dev:             inngestgo.BoolPtr(opts.SigningKey == ""),
		URL:             serveURL,
		APIBaseURL:      &server.URL,
		EventAPIBaseURL: &server.URL,
		RegisterURL:     inngestgo.StrPtr(server.URL + "/fn/register"),
		Logger:          slog.New(slog.DiscardHandler),
	}
	if opts.SigningKey != "" {
		options.SigningKey, options.EventKey = &opts.SigningKey, &opts.EventKey
	}
	a.client, err = inngestgo.NewClient(options)
	if err != nil {
		t.Fatalf("make the SDK client: %v", err)
	}
	a.url = serveURL.String()
	mux.Handle("/api/inngest", a.watch(a.client.ServeWithOpts(inngestgo.ServeOpts{EnableUnauthedSync: inngestgo.BoolPtr(true)})))
	return a, mux
}

// register has the SDK register the app with the server, which it does when it is asked to by PUT.
func (a *app) register(t *testing.T) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, a.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("register the app: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("register the app: status %d, %v: %s", resp.StatusCode, err, body)
	}
}

// watch sees every call and its answer. It counts calls that tell the SDK to fetch the state itself, which the Go SDK
// cannot (Spec 01 §8.4), and puts a 500 in place of the answers of broken runs.
func (a *app) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var call struct {
			UseAPI bool `json:"use_api"`
			Ctx    struct {
				UseAPI bool   `json:"use_api"`
				RunID  string `json:"run_id"`
			} `json:"ctx"`
		}
		isCall := r.Method == http.MethodPost && json.Unmarshal(body, &call) == nil
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)

		a.mu.Lock()
		if isCall && (call.UseAPI || call.Ctx.UseAPI) {
			a.useAPI++
		}
		broken := a.broken[call.Ctx.RunID]
		delete(a.broken, call.Ctx.RunID)
		a.mu.Unlock()
		if broken {
			http.Error(w, "broken down", http.StatusInternalServerError)
			return
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		a.mu.Lock()
		defer a.mu.Unlock()
		a.answered[call.Ctx.RunID]++
	})
}

func (a *app) trimmedCalls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.useAPI
}

// note records what happened in a run of the event with this key.
func (a *app) note(in input, what string) {
	key, _ := in.Event.Data["key"].(string)
	a.noteKey(key, in.InputCtx.RunID, what)
}

// noteStep is note for what happens in the body of a step.
func (a *app) noteStep(in input, step, what string) {
	a.note(in, what)
	a.mu.Lock()
	defer a.mu.Unlock()
	if run := in.InputCtx.RunID; !slices.Contains(a.steps[run], step) {
		a.steps[run] = append(a.steps[run], step)
	}
}

// stepsOf are the names of the steps whose body ran in a run.
func (a *app) stepsOf(run string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.steps[run])
}

func (a *app) noteKey(key, run, what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[key] = append(a.seen[key], sighting{what: what, at: time.Now(), run: run})
}

// times returns when something happened for the key, in order.
func (a *app) times(key, what string) []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	var at []time.Time
	for _, s := range a.seen[key] {
		if s.what == what {
			at = append(at, s.at)
		}
	}
	return at
}

// runs returns the different run ids that the app saw for the key.
func (a *app) runs(key string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ids []string
	for _, s := range a.seen[key] {
		if !slices.Contains(ids, s.run) {
			ids = append(ids, s.run)
		}
	}
	return ids
}

// sawOnce fails the test unless each of these things happened exactly once for the key.
func (a *app) sawOnce(t *testing.T, key string, whats ...string) {
	t.Helper()
	for _, what := range whats {
		a.sawTimes(t, key, what, 1)
	}
}

func (a *app) sawTimes(t *testing.T, key, what string, want int) {
	t.Helper()
	if got := len(a.times(key, what)); got != want {
		t.Errorf("app saw %q of %s %d times, want %d", what, key, got, want)
	}
}

// send sends one event through the SDK and returns the id that the server gave it.
func (a *app) send(t *testing.T, event string, data object) string {
	t.Helper()
	id, err := a.client.Send(t.Context(), inngestgo.GenericEvent[object]{Name: event, Data: data})
	if err != nil {
		t.Fatalf("send %s: %v", event, err)
	}
	return id
}

// sendAt is send for an event whose runs start at a time.
func (a *app) sendAt(t *testing.T, event string, data object, at time.Time) string {
	t.Helper()
	id, err := a.client.Send(t.Context(), inngestgo.GenericEvent[object]{Name: event, Data: data, Timestamp: at.UnixMilli()})
	if err != nil {
		t.Fatalf("send %s: %v", event, err)
	}
	return id
}

// finish sends an event with this key, waits for its run and checks how the server says it ended, that the app
// saw that run and no other, and that the steps that it saw are in the trace.
func (a *app) finish(t *testing.T, event, key, status string) harness.Run {
	t.Helper()
	return a.settle(t, a.send(t, event, object{"key": key}), key, status)
}

// settle does the same for an event that was sent before.
func (a *app) settle(t *testing.T, eventID, key, status string) harness.Run {
	t.Helper()
	run := a.server.AwaitRun(t, eventID, waitLimit)
	if run.Status != status {
		t.Fatalf("run %s of %s is %s, want %s; output %s", run.ID, key, run.Status, status, run.Output)
	}
	if ids := a.runs(key); len(ids) != 1 || ids[0] != run.ID {
		t.Errorf("app saw the runs %v of %s, want only %s", ids, key, run.ID)
	}
	a.server.CheckTrace(t, run, a.stepsOf(run.ID)...)
	return run
}

// await waits until the app saw something and returns the run that it saw first for the key.
func (a *app) await(t *testing.T, key, what string) string {
	t.Helper()
	harness.Eventually(t, waitLimit, what+" of "+key, func() (bool, string) { return len(a.times(key, what)) > 0, "not seen" })
	return a.runs(key)[0]
}

// sameJSON fails the test unless both texts are the same JSON, numbers compared by their text.
func sameJSON(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	a, b := compact(t, what, got), compact(t, what, []byte(want))
	if !bytes.Equal(a, b) {
		t.Errorf("%s is\n %s\nwant\n %s", what, a, b)
	}
}

// compact rewrites JSON with sorted keys and without spaces or needless escapes; number text stays.
func compact(t *testing.T, what string, text []byte) []byte {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s is not JSON: %v: %.300s", what, err, text)
	}
	out, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return out
}

// handler is the type of the functions under test.
type handler = func(context.Context, input) (any, error)
