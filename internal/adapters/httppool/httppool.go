// Package httppool makes HTTP requests over connections that are kept, for the adapters that call others: sdkhttp and
// gatewayhttp. It is the one package that adapters share.
package httppool

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/ingothq/ingot/internal/ports"
)

// StaleWithin is how soon a request on a dead connection fails: the answer to its first packet is a reset. A server that
// worked for longer has seen the request, and to repeat it is for the queue to decide.
const StaleWithin = time.Second

// MaxRedirects is how many redirects a call or a step's request follows; ErrRedirects says that there were more.
const MaxRedirects = 60

// ErrRedirects says that there were more than MaxRedirects.
var ErrRedirects = errors.New("stopped after 60 redirects")

// Pool makes single requests, a second time when a kept connection turned out to be dead: that costs a second connection,
// not an attempt. It is safe for concurrent use.
type Pool struct {
	// Kept keeps connections. It may be changed before the first request.
	Kept *http.Transport
	// fresh opens one connection a request and closes it afterwards.
	fresh *http.Transport
	clock ports.Clock
}

// New makes a Pool of a transport, which is the Pool's from then on. Close it to close its connections.
func New(transport *http.Transport, clock ports.Clock) *Pool {
	if dial := transport.DialContext; dial != nil {
		transport.DialContext = timed(dial, clock)
	}
	fresh := transport.Clone()
	fresh.DisableKeepAlives = true
	return &Pool{Kept: transport, fresh: fresh, clock: clock}
}

// Close closes the connections that no request uses.
func (p *Pool) Close() {
	p.Kept.CloseIdleConnections()
	p.fresh.CloseIdleConnections()
}

// RoundTrip implements http.RoundTripper. A request with a body that has no GetBody is made once only.
func (p *Pool) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, _, err := p.Do(request)
	return answer, err
}

// Do is RoundTrip that tells how long it took to open the connections that were opened for the request.
func (p *Pool) Do(request *http.Request) (*http.Response, Opening, error) {
	w := &watch{clock: p.clock}
	traced := httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{GotConn: w.got, GotFirstResponseByte: w.first})
	start := p.clock.Now()
	answer, err := p.Kept.RoundTrip(request.WithContext(traced))
	if err == nil || !w.reused.Load() || w.answered.Load() || request.Context().Err() != nil || p.clock.Now().Sub(start) > StaleWithin {
		return answer, w.opening(), err
	}
	again := request.Clone(traced)
	if request.Body != nil && request.Body != http.NoBody {
		if request.GetBody == nil {
			return nil, w.opening(), err
		}
		if again.Body, err = request.GetBody(); err != nil {
			return nil, w.opening(), fmt.Errorf("repeat body: %w", err)
		}
	}
	answer, err = p.fresh.RoundTrip(again)
	return answer, w.opening(), err
}
