package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
)

func TestRealtime_Access(t *testing.T) {
	t.Parallel()
	const (
		failed     = "Authentication failed\n"
		missing    = `{"error":"Not authenticated","data":null,"status":401}` + "\n"
		noPublish  = `{"error":"Not authenticated for publishing","data":null,"status":401}` + "\n"
		teePublish = "Not authenticated for publishing\n"
	)
	routes := []struct {
		method, path string
		// What is answered to: no key in dev, no key in start, the signing key in start, tokens in start.
		dev, start, key, subscribe, publish string
	}{
		{http.MethodPost, "/v1/realtime/token", "", failed, "", failed, failed},
		{http.MethodGet, "/v1/realtime/sse", missing, failed, missing, "", ""},
		{http.MethodGet, "/v1/realtime/connect", missing, failed, missing, "", ""},
		{http.MethodPost, "/v1/realtime/publish?channel=c&topic=t", "", failed, "", noPublish, ""},
		{http.MethodPost, "/v1/realtime/publish/tee?channel=c", "", failed, "", teePublish, ""},
	}
	dev, start := newDev(t), newLive(t, startConfig, httpapi.RealtimeConfig{}, broadcast.Config{})
	subscribe, publish := start.subscribeToken("a"), start.publishToken()
	foreign, expired := dev.subscribeToken("a"), start.sign(realtime.PublishClaims(ulid.ULID{1}, ids.EnvID(), start.clock.Now().Add(-time.Hour), time.Minute))
	for _, route := range routes {
		check := func(l *live, title, more, header, want string) {
			t.Helper()
			path := route.path
			if more != "" {
				separator := "?"
				if strings.Contains(path, "?") {
					separator = "&"
				}
				path += separator + more
			}
			// The request has ended, so that a connection that is let in ends at once.
			r := httptest.NewRequestWithContext(endedContext(t), route.method, path, strings.NewReader("[]"))
			r.Header.Set("Authorization", header)
			w := httptest.NewRecorder()
			l.handler.ServeHTTP(w, r)
			if want == "" && w.Code != http.StatusUnauthorized {
				return
			}
			if w.Code != http.StatusUnauthorized || w.Body.String() != want {
				t.Errorf("%s with %s: %d %q, want %q", route.path, title, w.Code, w.Body, want)
			}
		}
		check(dev, "nothing in dev", "", "", route.dev)
		check(dev, "an empty bearer token in dev", "", "Bearer", route.dev)
		check(start, "nothing", "", "", route.start)
		check(start, "a token of another server", "token="+foreign, "Bearer "+foreign, route.start)
		check(start, "an expired token", "token="+expired, "", route.start)
		check(start, "a token behind another scheme", "", "Digest "+publish, route.start)
		check(start, "a token behind a scheme as long as Bearer", "", "Basics "+publish, route.start)
		check(start, "the key", "", "Bearer "+signingKey, route.key)
		check(start, "the hashed key", "", "Bearer signkey-prod-"+signingHash, route.key)
		check(start, "a subscribe token", "", "Bearer "+subscribe, route.subscribe)
		check(start, "a subscribe token in the query", "token="+subscribe, "", route.subscribe)
		check(start, "a publish token", "", "bearer "+publish, route.publish)
		check(start, "a publish token without a scheme", "", publish, route.publish)
		check(start, "a publish token in the query, and another header", "token="+publish, "Basic dTpw", route.publish)
	}
}

func endedContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestRealtime_Token(t *testing.T) {
	t.Parallel()
	l := newLive(t, startConfig, httpapi.RealtimeConfig{}, broadcast.Config{})
	for body, want := range map[string][]realtime.Topic{
		`[]`: {},
		`[{"channel":"user:1","name":"a","kind":"run"},{"channel":"user:1","name":"b","kind":"run","env_id":"11111111-1111-4111-8111-111111111111"}]`: topics("a", "b"),
	} {
		w := l.send(http.MethodPost, "/v1/realtime/token", body, "Authorization: Bearer "+signingKey)
		var answer struct{ JWT string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusCreated || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
		if same := `{"jwt":"` + answer.JWT + `"}` + "\n"; w.Body.String() != same {
			t.Errorf("%s: %q, want %q", body, w.Body, same)
		}
		claims, err := l.tokens.VerifyRealtime(answer.JWT, l.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(realtime.SubscribeClaims(claims.ID, ids.EnvID(), want, l.clock.Now(), time.Minute), claims); diff != "" {
			t.Errorf("%s: -want +got:\n%s", body, diff)
		}
		if claims.ID.IsZero() {
			t.Error("a token without an ID")
		}
	}
	for body, want := range map[string]string{
		``:     `{"error":"Invalid request: must provide a list of topics","data":null,"status":400}`,
		`{}`:   `{"error":"Invalid request: must provide a list of topics","data":null,"status":400}`,
		`null`: `{"error":"Invalid request: must provide a list of topics","data":null,"status":400}`,
		"[{}" + strings.Repeat(",{}", realtime.MaxTopics) + "]": `{"error":"Invalid request: more than 1000 topics","data":null,"status":400}`,
		strings.Repeat(" ", 512<<10) + "[]":                     `{"error":"Invalid request: request body too large","data":null,"status":413}`,
	} {
		if w := l.send(http.MethodPost, "/v1/realtime/token", body, "Authorization: Bearer "+signingKey); w.Body.String() != want+"\n" {
			t.Errorf("%.20q: %d %s, want %s", body, w.Code, w.Body, want)
		}
	}
}

func TestRealtime_SSE(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	e := l.sse("a", "b")
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-cache",
		"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Content-Type",
	} {
		if got := e.response.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	l.publish("channel=user:1&topic=a", `{"a":  1}`)
	e.expect("data: " + data("a", `{"a":1}`, "") + "\n\n")
	l.publish("channel=user:1&topic=b&run_id=01JQE1K13Q1A4D1B5XF0M1S2E0&metadata={\"m\":1}", "not\njson")
	e.expect("data: " + strings.Replace(data("b", `"not\njson"`, `,"run_id":"01JQE1K13Q1A4D1B5XF0M1S2E0"`), `,"created_at"`, `,"metadata":{"m":1},"created_at"`, 1) + "\n\n")
	l.publish("channel=user:1&topic=b&topic=x&topic=a&topic=b&run_id=undefined", "1")
	e.expect("data: " + data("b", "1", "") + "\n\ndata: " + data("a", "1", "") + "\n\n")
	l.publish("channel=user:2&topic=a", "2")
	l.publish("", "2")
	l.ticks <- time.Time{}
	e.expect(":\n\n")
	l.over <- time.Time{}
	if rest, err := io.ReadAll(e.lines); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
}

func TestRealtime_PublishRefuses(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	e := l.sse("a", "$stream")
	long := strings.Repeat("x", realtime.MaxBody+1)
	endless := strings.Repeat("x", realtime.MaxStream+1)
	for name, test := range map[string]struct {
		path, body, contentType string
		status                  int
		want                    string
	}{
		"a body that is too long":   {"?channel=user:1&topic=a", long, "", 413, `{"error":"Invalid request: request body too large","data":null,"status":413}` + "\n"},
		"metadata that is no JSON":  {"?channel=user:1&topic=a&metadata=x", "1", "", 400, `{"error":"Invalid request: metadata is no JSON","data":null,"status":400}` + "\n"},
		"too many topics":           {"?channel=user:1" + strings.Repeat("&topic=a", 101), "1", "", 400, `{"error":"Invalid request: more than 100 topics","data":null,"status":400}` + "\n"},
		"a stream that is too long": {"?channel=user:1&topic=a", endless, "text/stream", 413, `{"error":"Invalid request: request body too large","data":null,"status":413}` + "\n"},
		"a tee without a channel":   {"/tee", "1", "", 400, "channel query parameter required\n"},
		"a tee that is too long":    {"/tee?channel=user:1", endless, "", 413, "request body too large\n"},
	} {
		w := l.send(http.MethodPost, "/v1/realtime/publish"+test.path, test.body, "Content-Type: "+test.contentType)
		if w.Code != test.status || w.Body.String() != test.want {
			t.Errorf("%s: %d %q, want %q", name, w.Code, w.Body, test.want)
		}
	}
	l.publish("channel=user:1&topic=a", long[1:])
	e.expect("data: " + data("a", `"`+long[1:]+`"`, "") + "\n\n")
}

// post sends a body in pieces, each after the one before has arrived.
func (l *live) post(path, contentType string, pieces ...func(write func(string))) (status int, body string) {
	l.tb.Helper()
	reader, writer := io.Pipe()
	request, err := http.NewRequestWithContext(l.tb.Context(), http.MethodPost, l.server.URL+path, reader)
	if err != nil {
		l.tb.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	var sender sync.WaitGroup
	sender.Go(func() {
		for _, piece := range pieces {
			piece(func(text string) { _, _ = io.WriteString(writer, text) })
		}
		_ = writer.Close()
	})
	defer sender.Wait()
	response, err := l.server.Client().Do(request)
	if err != nil {
		l.tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		l.tb.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestRealtime_Stream(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	conn := l.dial("a")
	var id string
	chunk := func(text string) {
		want := fmt.Sprintf(`{"kind":"chunk","stream_id":"%s","data":"%s","run_id":"01JQE1K13Q1A4D1B5XF0M1S2E0","channel":"user:1","topic":"a"}`, id, text)
		if got := readText(t, conn); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	framed := func(kind string) {
		want := strings.Replace(data("a", `"`+id+`"`, `,"run_id":"01JQE1K13Q1A4D1B5XF0M1S2E0"`), `"data"`, `"`+kind+`"`, 1)
		if got := readText(t, conn); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	status, body := l.post("/v1/realtime/publish?channel=user:1&topic=a&run_id=01JQE1K13Q1A4D1B5XF0M1S2E0", "text/stream",
		func(write func(string)) {
			write("one ")
			var start struct{ Data string }
			text := readText(t, conn)
			if err := json.Unmarshal([]byte(text), &start); err != nil || start.Data == "" || !strings.HasPrefix(text, `{"kind":"datastream-start"`) {
				t.Errorf("start is %s", text)
			}
			id = start.Data
			chunk("one ")
		},
		func(write func(string)) { write("two\xc3"); chunk("two") },
		func(write func(string)) { write("\xa9\xf0"); chunk("é") },
	)
	chunk(`\ufffd`)
	framed("datastream-end")
	if status != http.StatusOK || body != "" {
		t.Errorf("answer is %d %q", status, body)
	}
}

func TestRealtime_Tee(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	e, conn := l.sse("$stream"), l.dial("$stream")
	first, second := "event: inngest.metadata\ndata: {\"runId\":\"x\"}\n\n", "event: é\xff\n\n\xe2\x82"
	status, body := l.post("/v1/realtime/publish/tee?channel=user:1", "application/octet-stream",
		func(write func(string)) {
			write(first)
			e.expect(first)
			if got := readText(t, conn); got != first {
				t.Errorf("got %q", got)
			}
		},
		func(write func(string)) { write(second) },
	)
	e.expect(second)
	for _, want := range []string{"event: é\xff\n\n", "\xe2\x82"} { // no text, so not sent as text
		if kind, got, err := conn.Read(t.Context()); err != nil || kind != websocket.MessageBinary || string(got) != want {
			t.Errorf("got %v %q, %v", kind, got, err)
		}
	}
	if status != http.StatusOK || body != "" {
		t.Errorf("answer is %d %q", status, body)
	}
}

// TestRealtime_RelaysUpToALimit of a body whose length is not known before.
func TestRealtime_RelaysUpToALimit(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	endless := strings.Repeat("x", realtime.MaxStream+1)
	send := func(write func(string)) { write(endless) }
	if status, body := l.post("/v1/realtime/publish/tee?channel=user:1", "", send); status != 413 || body != "request body too large\n" {
		t.Errorf("tee: %d %q", status, body)
	}
	status, body := l.post("/v1/realtime/publish?channel=user:1", "text/stream", send)
	if want := `{"error":"Invalid request: request body too large","data":null,"status":413}` + "\n"; status != 413 || body != want {
		t.Errorf("stream: %d %q", status, body)
	}
}

// TestRealtime_EndsStreamsOfProducersThatFail so that subscribers do not wait for ever.
func TestRealtime_EndsStreamsOfProducersThatFail(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	conn := l.dial("a")
	send := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/realtime/publish"+path, io.MultiReader(strings.NewReader("half"), cutOff{}))
		r.Header.Set("Content-Type", "text/stream")
		w := httptest.NewRecorder()
		l.handler.ServeHTTP(w, r)
		return w
	}
	if w := send("?channel=user:1&topic=a"); w.Code != http.StatusBadRequest {
		t.Errorf("stream: %d %s", w.Code, w.Body)
	}
	for _, kind := range []string{"datastream-start", "chunk", "datastream-end"} {
		if got := readText(t, conn); !strings.HasPrefix(got, `{"kind":"`+kind+`"`) {
			t.Errorf("got %s, want %s", got, kind)
		}
	}
	if w := send("/tee?channel=user:1"); w.Code != http.StatusBadRequest || w.Body.String() != "Error reading data\n" {
		t.Errorf("tee: %d %s", w.Code, w.Body)
	}
}

// cutOff is a body that breaks off.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRealtime_PublishFailsWhenTheBackendIsClosed(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	l.broadcast.Close()
	const internal = `{"error":"Internal server error","data":null,"status":500}` + "\n"
	for path, want := range map[string]string{"?channel=user:1": internal, "/tee?channel=user:1": "Error forwarding data\n"} {
		if w := l.send(http.MethodPost, "/v1/realtime/publish"+path, "1"); w.Code != 500 || w.Body.String() != want {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	if w := l.send(http.MethodPost, "/v1/realtime/publish?channel=user:1", "1", "Content-Type: text/stream"); w.Code != 500 || w.Body.String() != internal {
		t.Errorf("stream: %d %q", w.Code, w.Body)
	}
}

func TestRealtime_SubscribersAreRefused(t *testing.T) {
	t.Parallel()
	l := newLive(t, devConfig, httpapi.RealtimeConfig{}, broadcast.Config{Subscribers: 1})
	l.sse("full")
	for _, path := range []string{"sse", "connect"} {
		w := l.send(http.MethodGet, "/v1/realtime/"+path+"?token="+l.subscribeToken("a", "full"), "")
		if w.Code != http.StatusInternalServerError || w.Body.String() != "error subscribing to topics\n" {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	if w := l.send(http.MethodGet, "/v1/realtime/connect?token="+l.subscribeToken("a"), ""); w.Code != http.StatusUpgradeRequired {
		t.Errorf("no upgrade: %d %q", w.Code, w.Body)
	}
	l.sse("a") // what was refused took no place
}

func TestRealtime_Shutdown(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	e, conn := l.sse("a"), l.dial("a")
	const closing = `{"kind":"closing","data":null,"created_at":"2026-03-01T12:00:00.123Z","topic":""}`
	l.realtime.Announce()
	e.expect("data: " + closing + "\n\n")
	if got := readText(t, conn); got != closing {
		t.Errorf("got %s", got)
	}
	l.publish("channel=user:1&topic=a", "1") // work in progress can still be followed
	e.expect("data: " + data("a", "1", "") + "\n\n")
	if got := readText(t, conn); got != data("a", "1", "") {
		t.Errorf("got %s", got)
	}
	if w := l.send(http.MethodGet, "/v1/realtime/sse?token="+l.subscribeToken("a"), ""); w.Code != http.StatusInternalServerError {
		t.Errorf("a new client gets %d", w.Code)
	}
	if err := l.realtime.Close(endedContext(t)); !errors.Is(err, context.Canceled) && err != nil {
		t.Errorf("close in no time: %v", err)
	}
	if rest, err := io.ReadAll(e.lines); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the socket ends with %v", err)
	}
}

// TestRealtime_CloseSaysSo also to clients that Announce did not reach.
func TestRealtime_CloseSaysSo(t *testing.T) {
	t.Parallel()
	l := newDev(t)
	e := l.sse("a")
	if err := l.realtime.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := e.event(); !strings.HasPrefix(got, `data: {"kind":"closing"`) {
		t.Errorf("got %s", got)
	}
}

// TestRealtime_SilentProducers are given up, and their subscribers told.
func TestRealtime_SilentProducers(t *testing.T) {
	t.Parallel()
	l := newLive(t, devConfig, httpapi.RealtimeConfig{Read: 50 * time.Millisecond}, broadcast.Config{})
	conn := l.dial("a")
	status, body := l.post("/v1/realtime/publish?channel=user:1&topic=a", "text/stream", func(write func(string)) {
		write("one")
		for _, kind := range []string{"datastream-start", "chunk", "datastream-end"} {
			if got := readText(t, conn); !strings.HasPrefix(got, `{"kind":"`+kind+`"`) {
				t.Errorf("got %s, want %s", got, kind)
			}
		}
	})
	if status != http.StatusBadRequest || body != `{"error":"Invalid request: body cannot be read","data":null,"status":400}`+"\n" {
		t.Errorf("answer is %d %q", status, body)
	}
}
