package ingot

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/adapters/system"
	"github.com/ingothq/ingot/internal/adapters/tokens"
	"github.com/ingothq/ingot/internal/app/execute"
	"github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/config"
	domain "github.com/ingothq/ingot/internal/domain/realtime"
)

// TestRun_Realtime follows a topic from the token to the end of the server, which clients do not hold up.
func TestRun_Realtime(t *testing.T) {
	t.Parallel()
	cfg := config.Default(config.Start)
	cfg.SQLiteDir, cfg.SigningKey, cfg.EventKeys = t.TempDir(), "0123abcd", []config.Secret{"one"}
	p := start(t, cfg)
	status, body := p.ask(http.MethodPost, "/v1/realtime/token", `[{"channel":"user:1","name":"a","kind":"run"}]`)
	var token struct{ JWT string }
	if err := json.Unmarshal([]byte(body), &token); err != nil || status != http.StatusCreated {
		t.Fatalf("token: %d %s", status, body)
	}
	socket, _, err := websocket.Dial(t.Context(), p.url+"/v1/realtime/connect?token="+token.JWT, nil)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/realtime/sse?token="+token.JWT, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	events, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	if status, body := p.ask(http.MethodPost, "/v1/realtime/publish?channel=user:1&topic=a", `{"a":1}`); status != http.StatusOK {
		t.Fatalf("publish: %d %s", status, body)
	}
	p.cancel()
	for _, kind := range []string{"data", "closing"} {
		if _, text, err := socket.Read(t.Context()); err != nil || !strings.HasPrefix(string(text), `{"kind":"`+kind+`"`) {
			t.Errorf("got %s (%v), want %s", text, err, kind)
		}
	}
	if _, _, err := socket.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the socket ends with %v", err)
	}
	rest, err := io.ReadAll(events.Body)
	if err != nil || strings.Count(string(rest), "data: ") != 2 {
		t.Errorf("events: %q, %v", rest, err)
	}
	p.stop()
}

// TestRun_FollowsARun from a response that comes in to the run's end, with and without keys.
func TestRun_FollowsARun(t *testing.T) {
	t.Parallel()
	closed := config.Default(config.Start)
	closed.SQLiteDir, closed.SigningKey, closed.EventKeys, closed.AllowPrivateGateway = t.TempDir(), "0123abcd", []config.Secret{"test"}, true
	for name, cfg := range map[string]config.Config{"dev": quiet(), "start": closed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			follow(t, start(t, cfg))
		})
	}
}

// follow subscribes to a run while its app waits, and reads half of a response before the other half is sent.
func follow(t *testing.T, p *process) {
	t.Helper()
	other := make(chan struct{})
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one ")
		_ = http.NewResponseController(w).Flush()
		<-other
		_, _ = io.WriteString(w, "two")
	}))
	t.Cleanup(provider.Close)
	runs, subscribed := make(chan string, 1), make(chan struct{})
	app := newApp(t, "")
	app.answer = func(runID string, steps map[string]json.RawMessage) (int, string) {
		if _, done := steps["f"]; done {
			return http.StatusOK, `"done"`
		}
		runs <- runID
		<-subscribed
		return http.StatusPartialContent, `[{"op":"Gateway","id":"f","displayName":"ask","opts":{"url":"` + provider.URL + `","publish":{"channel":"` + runID + `","topic":"ai"}}}]`
	}
	if status, body := p.ask(http.MethodPost, "/fn/register", app.registration()); status != http.StatusOK {
		t.Fatalf("register: %d %s", status, body)
	}
	p.send("test", `{"name":"app/event"}`)
	runID := <-runs
	status, body := p.ask(http.MethodPost, "/v1/realtime/token", strings.ReplaceAll(`[{"channel":"R","name":"$run","kind":"run"},{"channel":"R","name":"$step","kind":"run"},{"channel":"R","name":"ai","kind":"run"}]`, "R", runID))
	var token struct{ JWT string }
	if err := json.Unmarshal([]byte(body), &token); err != nil || status != http.StatusCreated {
		t.Fatalf("token: %d %s", status, body)
	}
	socket, _, err := websocket.Dial(t.Context(), p.url+"/v1/realtime/connect?token="+token.JWT, nil)
	if err != nil {
		t.Fatal(err)
	}
	close(subscribed)
	next := func() string {
		_, text, err := socket.Read(t.Context())
		var m struct {
			Kind, Topic string
			Data        json.RawMessage
		}
		if err = errors.Join(err, json.Unmarshal(text, &m)); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(m.Kind, "datastream-") {
			m.Data = nil
		}
		return strings.TrimSpace(m.Kind + " " + m.Topic + " " + string(m.Data))
	}
	for _, want := range []string{
		"datastream-start ai", `chunk ai "one "`, `chunk ai "two"`, "datastream-end ai",
		`step $step {"id":"f","name":"ask","status":"Completed","output":{`, `run $run {"status":"Completed","output":"done"}`,
	} {
		if got := next(); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
		if want == `chunk ai "one "` {
			close(other) // the rest is sent once the first part has been received
		}
	}
	_ = socket.CloseNow()
}

// TestWebServer_EventsOutliveItsLimits: a client that only listens is neither slow nor idle.
func TestWebServer_EventsOutliveItsLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		b, clock, ids := broadcast.New(broadcast.Config{}), system.Clock{}, system.NewIDs()
		signer, err := tokens.New("")
		if err != nil {
			t.Fatal(err)
		}
		live := newRealtime(realtime.New(b, clock, ids), b, signer, clock, ids, log)
		handler := httpapi.New(httpapi.Deps{Limits: &execute.Overrides{}, Realtime: live, Clock: clock, IDs: ids, Log: log}, httpapi.Config{Kind: httpapi.KindDev})
		env := domain.ChannelTopic([16]byte{1}, "user:1", "a")
		token, err := signer.SignRealtime(domain.SubscribeClaims(ulid.ULID{1}, env.EnvID, []domain.Topic{env}, clock.Now(), domain.SubscribeLifetime))
		if err != nil {
			t.Fatal(err)
		}
		client, began := dial(t, handler), time.Now()
		go func() {
			_, _ = io.WriteString(client, "GET /v1/realtime/sse?token="+token+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		}()
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 15*time.Minute {
			t.Errorf("the connection ended after %v", took)
		}
		// One at once, and one every 15 s, the last of which may or may not come before the end.
		if alive := strings.Count(string(text), ":\n\n"); alive != 60 && alive != 61 || len(text) != 3*alive {
			t.Errorf("%d signs of life in %q", alive, text)
		}
		if err := live.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
