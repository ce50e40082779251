package httppool

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/testkit"
)

// stepping is a clock that moves on by a step each time it is read, also by several at once.
type stepping struct {
	testkit.Clock
	mu   sync.Mutex
	now  time.Time
	step time.Duration
}

func (c *stepping) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(c.step)
	return c.now
}

// TestPool_TellsWhatOpeningTook makes two requests, of which only the first opens a connection.
func TestPool_TellsWhatOpeningTook(t *testing.T) {
	t.Parallel()
	const tick = time.Second
	for name, test := range map[string]struct {
		encrypted, named, pristine bool
		want                       Opening
	}{
		// The clock is read when dialling begins and ends, when a name is asked for and known, and when all is agreed on.
		"an address":             {want: Opening{TCP: tick}},
		"a name":                 {named: true, want: Opening{DNS: tick, TCP: 2 * tick}},
		"encrypted":              {encrypted: true, want: Opening{TCP: tick, TLS: tick}},
		"dialler that is unseen": {pristine: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
			transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				if trace := httptrace.ContextClientTrace(ctx); test.named {
					trace.DNSStart(httptrace.DNSStartInfo{})
					trace.DNSDone(httptrace.DNSDoneInfo{})
				}
				return new(net.Dialer).DialContext(ctx, network, app.Listener.Addr().String())
			}}
			if test.encrypted {
				app.StartTLS()
				transport.TLSClientConfig = &tls.Config{RootCAs: app.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
			} else {
				app.Start()
			}
			t.Cleanup(app.Close)
			if test.pristine {
				transport.DialContext = nil
			}
			pool := New(transport, &stepping{step: tick})
			t.Cleanup(pool.Close)
			for i, want := range []Opening{test.want, {}} {
				if opening := openingOf(t, pool, app.URL); opening != want {
					t.Errorf("request %d: opening took %+v, want %+v", i, opening, want)
				}
			}
		})
	}
}

// openingOf makes a request and returns what opening its connection took.
func openingOf(t *testing.T, pool *Pool, url string) Opening {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, opening, err := pool.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return opening
}

// TestPool_TellsOfTheReplacement replaces a dead connection, and tells what opening the new one took.
func TestPool_TellsOfTheReplacement(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	url, _ := testkit.Script(t, []func(net.Conn){testkit.Say(answer), testkit.HangUp}, []func(net.Conn){testkit.Say(answer)})
	pool := New(&http.Transport{DialContext: new(net.Dialer).DialContext}, &stepping{step: time.Millisecond})
	t.Cleanup(pool.Close)
	for range 2 {
		if opening, want := openingOf(t, pool, url), (Opening{TCP: time.Millisecond}); opening != want {
			t.Errorf("opening took %+v, want %+v", opening, want)
		}
	}
}

// TestPool_FailsToDial hands the dialler's error on.
func TestPool_FailsToDial(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	pool := New(&http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, refused }}, testkit.Clock{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://app.test", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, opening, err := pool.Do(request)
	if answer != nil {
		answer.Body.Close()
	}
	if !errors.Is(err, refused) || opening != (Opening{}) {
		t.Errorf("got %v, %+v", err, opening)
	}
}
