package gatewayhttp

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/ingothq/ingot/internal/ports"
)

// staleWithin is how soon a request on a dead connection fails: the answer to its first packet is a reset. A server that
// worked for longer has seen the request, and to repeat it is for the queue to decide.
const staleWithin = time.Second

// transport makes single requests, a second time when a kept connection turned out to be dead.
type transport struct {
	clock ports.Clock
	// pooled keeps connections; fresh opens one a request and closes it afterwards.
	pooled, fresh *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	// Both are set by the transport's goroutines.
	var reused, answered atomic.Bool
	traced := httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		GotConn:              func(info httptrace.GotConnInfo) { reused.Store(info.Reused) },
		GotFirstResponseByte: func() { answered.Store(true) },
	})
	start := t.clock.Now()
	answer, err := t.pooled.RoundTrip(request.WithContext(traced))
	if err == nil || !reused.Load() || answered.Load() || request.Context().Err() != nil || t.clock.Now().Sub(start) > staleWithin {
		return answer, err
	}
	again := request.Clone(request.Context())
	if request.GetBody != nil {
		if again.Body, err = request.GetBody(); err != nil {
			return nil, fmt.Errorf("repeat body: %w", err)
		}
	}
	return t.fresh.RoundTrip(again)
}

// maxRedirects is that of calls to apps.
const maxRedirects = 60

var errRedirects = errors.New("stopped after 60 redirects")

// keyHeaders are the headers that APIs take keys in, besides those that net/http keeps from strangers itself.
var keyHeaders = []string{
	"Authorization", "Cookie", "X-Api-Key", "Api-Key", "Apikey", "X-Goog-Api-Key", "X-Auth-Token", "X-Amz-Security-Token",
	"X-Inngest-Signature",
}

// checkRedirect keeps what is meant for one site from others: a redirect that has left the site of the request, in
// whatever hop, carries no keys. No hop tells the URL of the one before, whose query may hold a key. The address is
// checked by the dialer.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errRedirects
	}
	next.Header.Del("Referer")
	home := via[0].URL
	for _, hop := range append(via[1:len(via):len(via)], next) {
		if hop.URL.Host != home.Host || home.Scheme == "https" && hop.URL.Scheme != "https" {
			for _, name := range keyHeaders {
				next.Header.Del(name)
			}
			return nil
		}
	}
	return nil
}
