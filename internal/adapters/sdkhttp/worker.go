// Package sdkhttp calls apps over HTTP. It implements ports.Worker.
//
// Connections are kept alive, for less time than the servers of the common runtimes keep theirs (Node: 5 s), since a
// call a step is the whole traffic. All addresses are allowed: the apps are the operator's own.
//
// Source: spec 01 §6, §9; spec 16 §7.
package sdkhttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ingothq/ingot/internal/adapters/httppool"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// Config of a Worker. The zero value of a field means its default.
type Config struct {
	// ServerKind is sent with pings: "dev" or "cloud". Default "dev".
	ServerKind string
	// SigningKey signs pings; with or without prefix. Default none, which leaves them unsigned.
	SigningKey string
	// CallTimeout bounds a call, redirects and body included. Default 2 h.
	CallTimeout time.Duration
	// PingTimeout bounds a ping. Default 10 s.
	PingTimeout time.Duration
	// ProbeTimeout bounds a probe. Default 2 s.
	ProbeTimeout time.Duration
	// MaxIdleConnsPerHost is how many connections to an app are kept open between calls. Default 256.
	MaxIdleConnsPerHost int
	// IdleTimeout is how long a connection is kept without a call. Default 3 s.
	IdleTimeout time.Duration
}

func (c Config) withDefaults() Config {
	c.ServerKind = cmp.Or(c.ServerKind, "dev")
	c.CallTimeout = cmp.Or(c.CallTimeout, 2*time.Hour)
	c.PingTimeout = cmp.Or(c.PingTimeout, 10*time.Second)
	c.ProbeTimeout = cmp.Or(c.ProbeTimeout, 2*time.Second)
	c.MaxIdleConnsPerHost = cmp.Or(c.MaxIdleConnsPerHost, 256)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 3*time.Second)
	return c
}

// Worker calls apps. It is safe for concurrent use.
type Worker struct {
	config Config
	clock  ports.Clock
	pool   *httppool.Pool
}

var _ ports.Worker = (*Worker)(nil)

// New makes a Worker. Close it to close its connections.
func New(config Config, clock ports.Clock) *Worker {
	config = config.withDefaults()
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	pool := httppool.New(&http.Transport{
		DialContext:         dialer.DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 15 * time.Second,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(8192),
		},
		MaxIdleConnsPerHost: config.MaxIdleConnsPerHost,
		IdleConnTimeout:     config.IdleTimeout,
	}, clock)
	return &Worker{config: config, clock: clock, pool: pool}
}

// Close closes the connections that no call uses.
func (w *Worker) Close() { w.pool.Close() }

// Ping asks an app to register: PUT {"url":…}. A failure to get a response is the response's TransportError, in the
// HTTP client's words; the error is for a context that ended. Source: spec 01 §6, spec 16 §7.3.
func (w *Worker) Ping(ctx context.Context, url string) (sdk.Response, error) {
	timed, cancel := context.WithTimeoutCause(ctx, w.config.PingTimeout, fmt.Errorf("no answer to the ping within %s", w.config.PingTimeout))
	defer cancel()
	response, err := w.ping(timed, url)
	if ctx.Err() != nil {
		return sdk.Response{}, fmt.Errorf("ping app %s: %w", url, context.Cause(ctx))
	}
	if err != nil {
		response.TransportError = err.Error()
	}
	return response, nil
}

func (w *Worker) ping(ctx context.Context, url string) (sdk.Response, error) {
	body, err := json.Marshal(struct {
		URL string `json:"url"`
	}{url})
	if err != nil {
		return sdk.Response{}, fmt.Errorf("encode ping: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		return sdk.Response{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(sdk.HeaderServerKind, w.config.ServerKind)
	signature, err := sdk.Signature(w.config.SigningKey, body, w.clock.Now().Unix())
	if err != nil {
		return sdk.Response{}, err
	}
	if signature != "" {
		request.Header.Set(sdk.HeaderSignature, signature)
	}
	answer, err := w.client().Do(request)
	if err != nil {
		return sdk.Response{}, err
	}
	defer answer.Body.Close()
	response := sdk.Response{Status: answer.StatusCode, Header: firstValues(answer.Header)}
	response.Body, response.TooLarge, err = readLimited(answer.Body, answer.ContentLength)
	return response, err
}

// Probe looks for an app: true when something that calls itself an SDK answers a GET. Source: spec 16 §7.1.
func (w *Worker) Probe(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, w.config.ProbeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	answer, err := w.client().Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.Header.Get(sdk.HeaderSDK) != ""
}

// client follows redirects as Go does, but shows a signature to nobody else.
func (w *Worker) client() *http.Client {
	return &http.Client{
		Transport: w.pool,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			const most = 10
			if len(via) >= most {
				return errors.New("stopped after 10 redirects")
			}
			if !sameSite(via[0].URL, next.URL) {
				next.Header.Del(sdk.HeaderSignature)
			}
			return nil
		},
	}
}

// firstValues returns the first value of every header.
func firstValues(header http.Header) map[string]string {
	values := make(map[string]string, len(header))
	for name, all := range header {
		if len(all) > 0 {
			values[name] = all[0]
		}
	}
	return values
}
