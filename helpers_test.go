package ingot

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ingothq/ingot/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is a server that runs in the test's process.
type process struct {
	t      *testing.T
	url    string
	cancel context.CancelFunc
	ended  chan error
	client *http.Client
	key    string
}

// start runs the server on a free port until stop, or until the test ends.
func start(t *testing.T, cfg config.Config) *process {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, _ := listener.Addr().(*net.TCPAddr)
	cfg.Port = address.Port
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p := &process{
		t: t, url: "http://" + listener.Addr().String(), cancel: cancel, ended: make(chan error, 1),
		client: &http.Client{Transport: &http.Transport{}}, key: cfg.SigningKey.Reveal(),
	}
	go func() {
		p.ended <- Run(ctx, cfg, "1.43.0-test", slog.New(slog.DiscardHandler), listener)
		close(p.ended)
	}()
	t.Cleanup(p.stop)
	return p
}

// stop asks the server to stop and waits for it. A second stop does nothing.
func (p *process) stop() {
	p.t.Helper()
	p.cancel()
	p.client.CloseIdleConnections()
	if err := <-p.ended; err != nil {
		p.t.Errorf("run: %v", err)
	}
}

// ask makes a request and returns status and body.
func (p *process) ask(method, path, body string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if p.key != "" {
		r.Header.Set("Authorization", "Bearer "+p.key)
	}
	response, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// send sends an event and returns its internal ID.
func (p *process) send(key, event string) string {
	p.t.Helper()
	status, body := p.ask(http.MethodPost, "/e/"+key, event)
	var answer struct{ IDs []string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || len(answer.IDs) != 1 {
		p.t.Fatalf("send event: status %d, body %s", status, body)
	}
	return answer.IDs[0]
}

// awaitApp waits until the app of newApp has registered.
func (p *process) awaitApp() {
	p.t.Helper()
	p.await("the app has not registered", func() bool {
		_, body := p.ask(http.MethodGet, "/dev", "")
		return strings.Contains(body, `"slug": "app-fn"`)
	})
}

// await asks until it is so.
func (p *process) await(otherwise string, isSo func() bool) {
	p.t.Helper()
	ticker, deadline := time.NewTicker(10*time.Millisecond), time.After(20*time.Second)
	defer ticker.Stop()
	for !isSo() {
		select {
		case <-ticker.C:
		case <-deadline:
			p.t.Fatal(otherwise)
		}
	}
}

// finished waits until the run that the event started has ended and returns its status and output.
func (p *process) finished(event string) (status, output string) {
	p.t.Helper()
	p.await("the run has not ended", func() bool {
		_, body := p.ask(http.MethodGet, "/v1/events/"+event+"/runs", "")
		var answer struct {
			Data []struct {
				Status  string
				EndedAt *time.Time `json:"ended_at"`
				Output  json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			p.t.Fatalf("read runs: %v in %s", err, body)
		}
		if len(answer.Data) != 1 || answer.Data[0].EndedAt == nil {
			return false
		}
		status, output = answer.Data[0].Status, string(answer.Data[0].Output)
		return true
	})
	return status, output
}

// app is an app with one function that speaks the protocol by hand: step "a", a sleep, step "b", the end.
type app struct {
	*httptest.Server
	nap string
	// answer replaces what the app says to calls, unless it is nil.
	answer func(runID string, steps map[string]json.RawMessage) (status int, body string)
	// syncTo gets the URL of the server that the app registers with when it is asked to.
	syncTo chan string

	mu    sync.Mutex
	calls []string
	// slept is told when the app has asked for the sleep.
	slept chan struct{}
}

func newApp(t *testing.T, nap string) *app {
	t.Helper()
	a := &app{nap: nap, slept: make(chan struct{}, 10), syncTo: make(chan string, 1)}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// registration is what the app says of itself.
func (a *app) registration() string {
	return `{"v":"0.1","url":"` + a.URL + `/api/inngest","deployType":"ping","sdk":"js:v4.24.0","framework":"nodejs","appName":"app","functions":[` +
		`{"id":"app-fn","name":"Fn","triggers":[{"event":"app/event"}],"steps":{"step":{"id":"step","name":"step","runtime":` +
		`{"type":"http","url":"` + a.URL + `/api/inngest?fnId=app-fn&stepId=step"},"retries":{"attempts":0}}}}],"headers":{"env":"","platform":""}}`
}

// ServeHTTP answers pings and calls.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Inngest-Sdk", "inngest-js:v4.24.0")
	header.Set("X-Inngest-Req-Version", "2")
	if r.Method == http.MethodPut {
		if err := a.register(r.Context()); err != nil {
			w.WriteHeader(http.StatusInternalServerError) // the server asks again
		}
		return
	}
	var call struct {
		Steps map[string]json.RawMessage
		Ctx   struct {
			RunID string `json:"run_id"`
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if a.answer != nil {
		status, body := a.answer(call.Ctx.RunID, call.Steps)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return
	}
	for _, step := range []string{"a", "nap", "b"} {
		if _, done := call.Steps[step]; done {
			continue
		}
		a.note(step)
		w.WriteHeader(http.StatusPartialContent)
		if step == "nap" {
			_, _ = io.WriteString(w, `[{"op":"Sleep","id":"nap","name":"`+a.nap+`"}]`)
			a.slept <- struct{}{}
			return
		}
		_, _ = io.WriteString(w, `[{"op":"StepRun","id":"`+step+`","data":"`+step+`"}]`)
		return
	}
	a.note("end")
	_, _ = io.WriteString(w, `"done"`)
}

// register registers with the server, by a connection of its own.
func (a *app) register(ctx context.Context) error {
	url := <-a.syncTo
	a.syncTo <- url
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/fn/register", strings.NewReader(a.registration()))
	if err != nil {
		return err
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (a *app) note(call string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call)
}

func (a *app) called() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.calls...)
}
