package httpapi_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/adapters/tokens"
	apprealtime "github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
)

// live is a fixture with the realtime routes, on a real socket. Its tickers tick when the test says so.
type live struct {
	*fixture
	realtime  *httpapi.Realtime
	broadcast *broadcast.Broadcast
	tokens    *tokens.Tokens
	server    *httptest.Server
	// commands are sent to after each change of a subscription that a client asked for.
	commands chan error
	// ticks are those of keep-alives, over ends connections by age.
	ticks, over chan time.Time
}

const (
	keepAliveEvery = time.Hour
	lifetime       = 2 * time.Hour
)

func newLive(t *testing.T, config httpapi.Config, times httpapi.RealtimeConfig, bounds broadcast.Config) *live {
	t.Helper()
	l := &live{commands: make(chan error, 16), ticks: make(chan time.Time), over: make(chan time.Time)}
	times.KeepAlive, times.Lifetime = keepAliveEvery, lifetime
	l.broadcast = broadcast.New(bounds)
	var err error
	if l.tokens, err = tokens.New(config.SigningKey); err != nil {
		t.Fatal(err)
	}
	l.fixture = newFixture(t, config, func(d *httpapi.Deps) {
		l.realtime = httpapi.NewRealtime(httpapi.RealtimeDeps{
			Publisher: apprealtime.New(l.broadcast, d.Clock, d.IDs), Broadcast: watched{l.broadcast, l.commands}, Tokens: l.tokens, Clock: d.Clock, IDs: d.IDs, Log: d.Log,
			Ticker: func(interval time.Duration) (<-chan time.Time, func()) {
				if interval == lifetime {
					return l.over, func() {}
				}
				return l.ticks, func() {}
			},
		}, times)
		d.Realtime = l.realtime
	})
	l.server = httptest.NewServer(l.handler)
	t.Cleanup(func() {
		if err := l.realtime.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if left := l.broadcast.Topics(); left != 0 {
			t.Errorf("%d topics have subscribers after all connections ended", left)
		}
		l.server.Close()
		l.broadcast.Close()
	})
	return l
}

// watched is a broadcast whose subscriptions tell of their changes.
type watched struct {
	ports.Broadcast

	commands chan<- error
}

func (w watched) Subscribe(ctx context.Context, topics []realtime.Topic) (ports.Subscription, error) {
	sub, err := w.Broadcast.Subscribe(ctx, topics)
	return watchedSubscription{sub, w.commands}, err
}

type watchedSubscription struct {
	ports.Subscription

	commands chan<- error
}

func (w watchedSubscription) Add(ctx context.Context, topics []realtime.Topic) error {
	err := w.Subscription.Add(ctx, topics)
	w.commands <- err
	return err
}

func (w watchedSubscription) Remove(ctx context.Context, topics []realtime.Topic) error {
	err := w.Subscription.Remove(ctx, topics)
	w.commands <- err
	return err
}

func newDev(t *testing.T) *live {
	t.Helper()
	return newLive(t, devConfig, httpapi.RealtimeConfig{}, broadcast.Config{})
}

func topics(names ...string) []realtime.Topic {
	list := []realtime.Topic{}
	for _, name := range names {
		list = append(list, realtime.ChannelTopic(ids.EnvID(), "user:1", name))
	}
	return list
}

func (l *live) sign(claims realtime.Claims) string {
	l.tb.Helper()
	token, err := l.tokens.SignRealtime(claims)
	if err != nil {
		l.tb.Fatal(err)
	}
	return token
}

// subscribeToken lets its bearer subscribe to topics of user:1.
func (l *live) subscribeToken(names ...string) string {
	l.tb.Helper()
	return l.sign(realtime.SubscribeClaims(ulid.ULID{1}, ids.EnvID(), topics(names...), l.clock.Now(), realtime.SubscribeLifetime))
}

func (l *live) publishToken() string {
	l.tb.Helper()
	return l.sign(realtime.PublishClaims(ulid.ULID{1}, ids.EnvID(), l.clock.Now(), time.Minute))
}

// publish fails the test unless the server accepts it.
func (l *live) publish(query, body string, headers ...string) {
	l.tb.Helper()
	if w := l.send(http.MethodPost, "/v1/realtime/publish?"+query, body, headers...); w.Code != http.StatusOK || w.Body.Len() > 0 {
		l.tb.Fatalf("publish %s: %d %s", query, w.Code, w.Body)
	}
}

// get begins a request whose answer does not end by itself.
func (l *live) get(path string, headers ...string) *http.Response {
	l.tb.Helper()
	request, err := http.NewRequestWithContext(l.tb.Context(), http.MethodGet, l.server.URL+path, http.NoBody)
	if err != nil {
		l.tb.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := l.server.Client().Do(request)
	if err != nil {
		l.tb.Fatal(err)
	}
	return response
}

// events is an SSE client.
type events struct {
	tb       testing.TB
	response *http.Response
	lines    *bufio.Reader
}

// sse connects and reads the first sign of life.
func (l *live) sse(names ...string) *events {
	l.tb.Helper()
	response := l.get("/v1/realtime/sse?token=" + l.subscribeToken(names...))
	l.tb.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		l.tb.Fatalf("status %s", response.Status)
	}
	e := &events{l.tb, response, bufio.NewReader(response.Body)}
	e.expect(":\n\n")
	return e
}

// expect reads exactly the text.
func (e *events) expect(text string) {
	e.tb.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(e.lines, got); err != nil || string(got) != text {
		e.tb.Fatalf("got %q (%v), want %q", got[:n], err, text)
	}
}

// line reads to the end of an event.
func (e *events) event() string {
	e.tb.Helper()
	first, err := e.lines.ReadString('\n')
	if err != nil {
		e.tb.Fatal(err)
	}
	e.expect("\n")
	return strings.TrimSuffix(first, "\n")
}

// dial connects a WebSocket.
func (l *live) dial(names ...string) *websocket.Conn {
	l.tb.Helper()
	conn, response, err := websocket.Dial(l.tb.Context(), l.server.URL+"/v1/realtime/connect?token="+l.subscribeToken(names...), nil)
	if err != nil {
		l.tb.Fatal(err)
	}
	if kind := response.Header.Get("X-Inngest-Server-Kind"); kind == "" {
		l.tb.Error("the answer does not say what the server is")
	}
	l.tb.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func readText(t testing.TB, conn *websocket.Conn) string {
	t.Helper()
	kind, text, err := conn.Read(t.Context())
	if err != nil || kind != websocket.MessageText {
		t.Fatalf("read %v %q: %v", kind, text, err)
	}
	return string(text)
}

// data is the message that a fixture's server sends of published data.
func data(topic, body, more string) string {
	return `{"kind":"data","data":` + body + `,"created_at":"2026-03-01T12:00:00.123Z","channel":"user:1",` +
		`"env_id":"00000000-0000-4000-b000-000000000000","topic":"` + topic + `"` + more + `}`
}
