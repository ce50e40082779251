// Package gatewayhttp makes the requests of step.ai.infer and step.fetch over HTTP. It implements ports.Gateway.
//
// What is requested is the choice of an app's data, so every connection is guarded: the dialer resolves the name, asks
// the policy about each address and connects to an address that it has asked about, not to the name. Redirects pass the
// same dialer. Proxies of the environment are not used, since they would resolve names behind the guard's back.
//
// Connections are kept alive for a short time, as for calls to apps.
//
// Source: spec 01 §9, §11.4; spec 02 §14.
package gatewayhttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ingothq/ingot/internal/adapters/httppool"
	"github.com/ingothq/ingot/internal/domain/gateway"
	"github.com/ingothq/ingot/internal/ports"
)

// Config of a Gateway. The zero value of a field means its default.
type Config struct {
	// Policy says which addresses may be reached. Default: the public internet only. A server in dev takes
	// gateway.AllowAll; one in start takes it only when the operator says so (setting allow-private-gateway).
	Policy gateway.Policy
	// Resolver finds the addresses of names. Default net.DefaultResolver.
	Resolver Resolver
	// Timeout bounds a request, redirects and body included. Default 2 h, as for calls to apps.
	Timeout time.Duration
	// HeaderTimeout bounds the time from a request that is sent to the headers of its answer. Default 10 min: models that
	// think, and answer at once at the end, need minutes. The reference waits 2 h, with a worker in use.
	HeaderTimeout time.Duration
	// DialTimeout bounds the search for an address and the connection to it. Default 30 s.
	DialTimeout time.Duration
	// MaxConnsPerHost bounds the connections to one host; more requests wait. Default 128.
	MaxConnsPerHost int
	// MaxIdleConnsPerHost is how many connections to a host are kept between requests. Default 32.
	MaxIdleConnsPerHost int
	// IdleTimeout is how long a connection is kept without a request. Default 3 s.
	IdleTimeout time.Duration
}

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, 2*time.Hour)
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, 10*time.Minute)
	c.DialTimeout = cmp.Or(c.DialTimeout, 30*time.Second)
	c.MaxConnsPerHost = cmp.Or(c.MaxConnsPerHost, 128)
	c.MaxIdleConnsPerHost = cmp.Or(c.MaxIdleConnsPerHost, 32)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 3*time.Second)
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	return c
}

// Gateway makes requests. It is safe for concurrent use.
type Gateway struct {
	config Config
	client *http.Client
	pool   *httppool.Pool
}

var _ ports.Gateway = (*Gateway)(nil)

// New makes a Gateway. Close it to close its connections.
func New(config Config, clock ports.Clock) *Gateway {
	config = config.withDefaults()
	guard := &dialer{
		policy: config.Policy, resolver: config.Resolver, timeout: config.DialTimeout,
		connect: (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext,
	}
	return newGateway(config, clock, guard)
}

func newGateway(config Config, clock ports.Clock, guard *dialer) *Gateway {
	pool := httppool.New(&http.Transport{
		DialContext:         guard.dial,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 15 * time.Second,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(1024),
		},
		MaxConnsPerHost:        config.MaxConnsPerHost,
		MaxIdleConns:           8 * config.MaxIdleConnsPerHost,
		MaxIdleConnsPerHost:    config.MaxIdleConnsPerHost,
		IdleConnTimeout:        config.IdleTimeout,
		ResponseHeaderTimeout:  config.HeaderTimeout,
		MaxResponseHeaderBytes: 1 << 20,
		DisableCompression:     true, // decoding is ours, with its limit
	}, clock)
	return &Gateway{config: config, pool: pool, client: &http.Client{Transport: pool, CheckRedirect: checkRedirect}}
}

// Close closes the connections that no request uses.
func (g *Gateway) Close() { g.pool.Close() }

// Do implements ports.Gateway.
func (g *Gateway) Do(ctx context.Context, request gateway.Request, relay func(chunk []byte)) (gateway.Response, error) {
	timed, cancel := context.WithTimeoutCause(ctx, g.config.Timeout, fmt.Errorf("no complete response within %s", g.config.Timeout))
	defer cancel()
	response, err := g.do(timed, request, relay)
	switch {
	case err == nil:
		return response, nil // also when ctx has just ended: an answer may have cost money
	case ctx.Err() != nil:
		return gateway.Response{}, fmt.Errorf("request of a step: %w", context.Cause(ctx))
	case timed.Err() != nil:
		err = context.Cause(timed)
	}
	var refused *gateway.RefusedError
	return gateway.Response{
		Status: response.Status, Header: response.Header,
		TransportError: request.Redact(err.Error()),
		Refused:        errors.As(err, &refused),
	}, nil
}

func (g *Gateway) do(ctx context.Context, r gateway.Request, relay func(chunk []byte)) (gateway.Response, error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return gateway.Response{}, err
	}
	request.Header.Set("User-Agent", "Inngest")
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	request.Header.Set("Accept-Encoding", "gzip")
	answer, err := g.client.Do(request)
	if err != nil {
		return gateway.Response{}, err
	}
	defer answer.Body.Close()
	return readAnswer(answer, relay)
}
