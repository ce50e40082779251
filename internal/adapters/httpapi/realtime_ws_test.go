package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/adapters/httpapi"
)

func TestRealtime_WebSocket(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	conn := l.dial("a")
	send := func(kind websocket.MessageType, text string) {
		t.Helper()
		if err := conn.Write(t.Context(), kind, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	command := func(text string) {
		t.Helper()
		send(websocket.MessageText, text)
		if err := <-l.commands; err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	// hears publishes on all topics, and reads what comes of it.
	hears := func(want ...string) {
		t.Helper()
		for _, topic := range []string{"b", "c", "a"} {
			l.publish("channel=user:1&topic="+topic, "1")
		}
		for _, topic := range want {
			if got := readText(t, conn); got != data(topic, "1", "") {
				t.Errorf("got %s, want it on %s", got, topic)
			}
		}
	}
	hears("a")
	// None of these changes anything or ends the connection.
	send(websocket.MessageBinary, `{"kind":"unsub","data":[{"kind":"run","channel":"user:1","name":"a"}]}`)
	for _, text := range []string{
		"x", "{}", `{"kind":"pong"}`, `{"kind":"sub"}`, `{"kind":"sub","data":1}`, `{"kind":"sub","data":"x"}`, `{"kind":"unsub","data":{}}`,
		`{"kind":"x","data":"` + strings.Repeat("x", 32<<10-22) + `"}`,
	} {
		send(websocket.MessageText, text)
	}
	command(`{"kind":"unsub","data":[{"kind":"run","channel":"user:1","name":"other"}]}`)
	command(`{"kind":"sub","data":"` + l.publishToken() + `"}`)
	hears("a")
	command(`{"kind":"sub","data":"` + l.subscribeToken("b", "c") + `"}`)
	hears("b", "c", "a")
	topic, err := json.Marshal(topics("b"))
	if err != nil {
		t.Fatal(err)
	}
	command(`{"kind":"unsub","data":` + string(topic) + `}`)
	hears("c", "a")
	send(websocket.MessageText, strings.Repeat("x", 32<<10+1))
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("a frame that is too long ends with %v", err)
	}
}

// TestRealtime_WebSocketOfBrowsers: they send an origin, and cannot send other headers.
func TestRealtime_WebSocketOfBrowsers(t *testing.T) {
	t.Parallel()
	l := newLive(t, startConfig, httpapi.RealtimeConfig{}, broadcast.Config{})
	for name, dial := range map[string]func(token string) (*websocket.Conn, *http.Response, error){
		"a browser": func(token string) (*websocket.Conn, *http.Response, error) {
			return websocket.Dial(t.Context(), l.server.URL+"/v1/realtime/connect?token="+token, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://example.com"}}})
		},
		"a Go client": func(token string) (*websocket.Conn, *http.Response, error) {
			return websocket.Dial(t.Context(), l.server.URL+"/v1/realtime/connect", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
		},
	} {
		conn, _, err := dial(l.subscribeToken("a"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		l.publish("channel=user:1&topic=a", "1", "Authorization: Bearer "+signingKey)
		if got := readText(t, conn); got != data("a", "1", "") {
			t.Errorf("%s: got %s", name, got)
		}
		if err := conn.Close(websocket.StatusNormalClosure, "done"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, response, err := dial("x"); err == nil || response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a token: %v, %v", name, response, err)
		}
	}
}

// TestRealtime_KeepAlive: a client that does not answer pings three times in a row is let go.
func TestRealtime_KeepAlive(t *testing.T) {
	t.Parallel()
	l := newLive(t, devConfig, httpapi.RealtimeConfig{Write: 20 * time.Millisecond}, broadcast.Config{})
	deaf, _, err := websocket.Dial(t.Context(), l.server.URL+"/v1/realtime/connect?token="+l.subscribeToken("a"), &websocket.DialOptions{
		OnPingReceived: func(context.Context, []byte) bool { return false },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = deaf.CloseNow() }()
	read := make(chan error)
	go func() {
		_, _, err := deaf.Read(t.Context())
		read <- err
	}()
	for range 2 { // the first ping comes at once
		l.ticks <- time.Time{}
	}
	if err := <-read; err == nil {
		t.Error("a deaf client received something")
	}
}

// TestRealtime_SlowClientsAreDropped, and others are served meanwhile.
func TestRealtime_SlowClientsAreDropped(t *testing.T) {
	t.Parallel()
	l := newLive(t, devConfig, httpapi.RealtimeConfig{Write: 100 * time.Millisecond}, broadcast.Config{Frames: 4})
	slowSocket, slowEvents, quick := l.dial("a"), l.sse("a"), l.dial("a")
	quick.SetReadLimit(-1)
	body := strings.Repeat("x", 256<<10)
	want := data("a", `"`+body+`"`, "")
	for range 64 { // more than the sockets' buffers hold
		l.publish("channel=user:1&topic=a", body)
		if got := readText(t, quick); got != want {
			t.Fatalf("got %d bytes", len(got))
		}
	}
	slowSocket.SetReadLimit(-1)
	for count := 0; ; count++ {
		if _, _, err := slowSocket.Read(t.Context()); err != nil {
			break
		}
		if count == 64 {
			t.Fatal("the slow client got everything")
		}
	}
	if n, _ := io.Copy(io.Discard, slowEvents.lines); n >= 64*int64(len(want)) {
		t.Errorf("the slow client got %d bytes", n)
	}
}

// TestRealtime_DisconnectCleansUp: nothing is left of clients that went away. What the clean-up of the test checks.
func TestRealtime_DisconnectCleansUp(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	for round := range 20 {
		e, conn := l.sse("a", fmt.Sprint(round)), l.dial("a", fmt.Sprint(round))
		l.publish("channel=user:1&topic=a", "1")
		e.event()
		readText(t, conn)
		_ = e.response.Body.Close()
		_ = conn.CloseNow()
	}
}

func TestRealtime_AThousandSubscribers(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	const subscribers = 1000
	conns := make([]*websocket.Conn, subscribers)
	for i := range conns {
		conns[i] = l.dial("a")
	}
	var readers sync.WaitGroup
	for _, conn := range conns {
		readers.Go(func() {
			for n := range 10 {
				_, got, err := conn.Read(t.Context())
				if want := data("a", fmt.Sprint(n), ""); err != nil || string(got) != want {
					t.Errorf("got %s (%v), want %s", got, err, want)
					return
				}
			}
			_ = conn.CloseNow()
		})
	}
	for n := range 10 {
		l.publish("channel=user:1&topic=a", fmt.Sprint(n))
	}
	readers.Wait()
}
