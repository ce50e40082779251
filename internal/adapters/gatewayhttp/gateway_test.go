package gatewayhttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/gateway"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/testkit"
)

func TestDo_SendsTheRequestAndReturnsTheResponse(t *testing.T) {
	t.Parallel()
	type seen struct {
		Method, URI, Body string
		Header            http.Header
	}
	var got seen
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, string(body), r.Header}
		w.Header()["Date"] = nil
		w.Header().Add("x-r", "1")
		w.Header().Add("x-r", "2")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "<é>")
	})
	request := gateway.Request{
		Op: sdk.OpAIGateway, Method: "PUT", URL: server.URL + "/v1?b=1&a=%20", Body: []byte(`{"b":1,"a":2}`),
		Header: map[string]string{"X-Api-Key": "k", "Content-Type": "application/json"},
	}
	response := do(t, newLocal(t, Config{}), request)
	want := gateway.Response{Status: 418, Body: []byte("<é>"), Header: map[string][]string{
		"X-R": {"1", "2"}, "Content-Length": {"4"}, "Content-Type": {"text/plain; charset=utf-8"},
	}}
	if diff := cmp.Diff(want, response); diff != "" {
		t.Error("response: ", diff)
	}
	wantSeen := seen{"PUT", "/v1?b=1&a=%20", `{"b":1,"a":2}`, http.Header{
		"User-Agent": {"Inngest"}, "Accept-Encoding": {"gzip"}, "Content-Length": {"13"}, "Content-Type": {"application/json"}, "X-Api-Key": {"k"},
	}}
	if diff := cmp.Diff(wantSeen, got); diff != "" {
		t.Error("request: ", diff)
	}
}

func TestDo_UserAgentOfTheAppWins(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.UserAgent()) })
	request := aRequest(server.URL)
	request.Header["User-Agent"] = "curl/8"
	if got := do(t, newLocal(t, Config{}), request); string(got.Body) != "curl/8" {
		t.Errorf("user agent is %s", got.Body)
	}
}

func TestDo_FailuresArePartOfTheResponse(t *testing.T) {
	t.Parallel()
	local := newLocal(t, Config{})
	closed, _ := testkit.Script(t, []func(net.Conn){testkit.HangUp})
	broken, _ := testkit.Script(t, []func(net.Conn){testkit.Say("HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 10\r\n\r\nhalf")})
	tests := map[string]struct {
		url  string
		want gateway.Response
	}{
		"no answer":    {closed, gateway.Response{TransportError: `Get "` + closed + `": EOF`}},
		"half a body":  {broken, gateway.Response{Status: 200, Header: map[string][]string{"X-A": {"1"}, "Content-Length": {"10"}}, TransportError: "read response: unexpected EOF"}},
		"unusable URL": {"http://[::1", gateway.Response{TransportError: `parse "http://[::1": missing ']' in host`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, do(t, local, aRequest(test.url))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDo_FailuresDoNotShowTheKey(t *testing.T) {
	t.Parallel()
	closed, _ := testkit.Script(t, []func(net.Conn){testkit.HangUp})
	request := aRequest(closed + "/v1?key=sk-secret")
	request.Secret = "sk-secret"
	got := do(t, newLocal(t, Config{}), request)
	if want := `Get "` + closed + `/v1?key=xxxxx": EOF`; got.TransportError != want {
		t.Errorf("failure is %s, want %s", got.TransportError, want)
	}
}

func TestDo_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	stop := errors.New("lease lost")
	tests := map[string]http.HandlerFunc{
		"before the headers": func(http.ResponseWriter, *http.Request) {},
		"within the body": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "part")
			w.(http.Flusher).Flush()
		},
	}
	for name, begin := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reached, gone := make(chan struct{}), make(chan struct{})
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				begin(w, r)
				close(reached)
				<-r.Context().Done() // the client has gone
				close(gone)
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-reached
				cancel(stop)
			}()
			response, err := newLocal(t, Config{}).Do(ctx, aRequest(server.URL), nil)
			if !errors.Is(err, stop) || response.Status != 0 {
				t.Errorf("response is %+v, error %v", response, err)
			}
			<-gone
		})
	}
}

func TestDo_SlowServersAreGivenUp(t *testing.T) {
	t.Parallel()
	const short = 50 * time.Millisecond
	tests := map[string]struct {
		config Config
		begin  string
		want   string
	}{
		"no headers":       {Config{HeaderTimeout: short}, "", `Get "URL": net/http: timeout awaiting response headers`},
		"nothing at all":   {Config{Timeout: short}, "", "no complete response within 50ms"},
		"body without end": {Config{Timeout: short}, "part", "no complete response within 50ms"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if test.begin != "" {
					io.WriteString(w, test.begin)
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			})
			got := do(t, newLocal(t, test.config), aRequest(server.URL))
			if want := strings.ReplaceAll(test.want, "URL", server.URL); got.TransportError != want || got.Body != nil {
				t.Errorf("failure is %q, want %q", got.TransportError, want)
			}
		})
	}
}

func TestDo_ConnectionsAreReused(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	url, accepted := testkit.Script(t, []func(net.Conn){testkit.Say(answer), testkit.Say(answer)})
	local := newLocal(t, Config{})
	for range 2 {
		if got := do(t, local, aRequest(url)); string(got.Body) != "ok" {
			t.Errorf("response is %+v", got)
		}
	}
	if count := accepted(); count != 1 {
		t.Errorf("%d connections", count)
	}
}

func TestDo_DeadConnectionIsReplacedOnce(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	var body string
	url, accepted := testkit.Script(t, []func(net.Conn){testkit.Say(answer), testkit.HangUp}, []func(net.Conn){testkit.Say(answer)}, []func(net.Conn){testkit.HangUp})
	local := newLocal(t, Config{})
	request := aRequest(url)
	request.Method, request.Body = "POST", []byte("hello")
	for range 2 {
		got := do(t, local, request)
		body += string(got.Body)
	}
	if count := accepted(); body != "okok" || count != 2 {
		t.Errorf("bodies %q over %d connections", body, count)
	}
	// The third request finds a server that hangs up on new connections too.
	if got := do(t, local, request); !strings.HasSuffix(got.TransportError, "EOF") || accepted() != 3 {
		t.Errorf("response is %+v after %d connections", got, accepted())
	}
}

func TestDo_ConnectionsToAHostAreBounded(t *testing.T) {
	t.Parallel()
	const bound, requests = 2, 6
	var now, most atomic.Int32
	entered, release := make(chan struct{}), make(chan struct{})
	server := serve(t, func(http.ResponseWriter, *http.Request) {
		for count := now.Add(1); ; {
			seen := most.Load()
			if count <= seen || most.CompareAndSwap(seen, count) {
				break
			}
		}
		entered <- struct{}{}
		<-release
		now.Add(-1)
	})
	local := newLocal(t, Config{MaxConnsPerHost: bound})
	var all sync.WaitGroup
	for range requests {
		all.Go(func() {
			if response, err := local.Do(t.Context(), aRequest(server.URL), nil); err != nil || response.Status != 200 {
				t.Errorf("response %+v, error %v", response, err)
			}
		})
	}
	<-entered
	<-entered // two are in at once
	for range requests - bound {
		release <- struct{}{}
		<-entered
	}
	for range bound {
		release <- struct{}{}
	}
	all.Wait()
	if got := most.Load(); got != bound {
		t.Errorf("%d requests at once, want %d", got, bound)
	}
}
