package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	apprealtime "github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
)

// RealtimeDeps are what the realtime routes need.
type RealtimeDeps struct {
	Publisher *apprealtime.Publisher
	Broadcast ports.Broadcast
	Tokens    ports.Tokens
	Clock     ports.Clock
	IDs       ports.IDs
	Log       *slog.Logger
	// Ticker returns a channel that is sent to every d, and what stops it. Nil is the machine's.
	Ticker func(d time.Duration) (<-chan time.Time, func())
}

// RealtimeConfig are the times of connections. Zero values are the defaults.
type RealtimeConfig struct {
	// KeepAlive is the time between two signs of life on an idle connection. Default 15 s.
	KeepAlive time.Duration
	// Lifetime is when an SSE connection is closed for the client to come again. Default 15 min.
	Lifetime time.Duration
	// Write bounds how long a client may take for one message, or to answer a ping. Default 10 s.
	Write time.Duration
	// Read bounds how long a producer of a stream may be silent. Default 2 min.
	Read time.Duration
}

// maxKeepAliveFailures in a row end a connection.
const maxKeepAliveFailures = 3

// Realtime is the part of the API that clients stay connected to.
type Realtime struct {
	RealtimeDeps

	config RealtimeConfig

	mu sync.Mutex
	// connections are those that are open; none is let in once announced is closed.
	connections sync.WaitGroup
	announced   chan struct{}
	closed      chan struct{}
}

// Why the server ends a connection.
var (
	errShutdown = errors.New("server is shutting down")
	errLifetime = errors.New("connection has reached its lifetime")
)

// NewRealtime returns the realtime part of an API. It must be closed.
func NewRealtime(d RealtimeDeps, config RealtimeConfig) *Realtime {
	if d.Ticker == nil {
		d.Ticker = func(interval time.Duration) (<-chan time.Time, func()) {
			ticker := time.NewTicker(interval)
			return ticker.C, ticker.Stop
		}
	}
	config.KeepAlive = cmp.Or(config.KeepAlive, 15*time.Second)
	config.Lifetime = cmp.Or(config.Lifetime, 15*time.Minute)
	config.Write = cmp.Or(config.Write, 10*time.Second)
	config.Read = cmp.Or(config.Read, 2*time.Minute)
	return &Realtime{RealtimeDeps: d, config: config, announced: make(chan struct{}), closed: make(chan struct{})}
}

// realtimeRoutes are none without a Realtime. Spec 04 §10.3.
func (a *api) realtimeRoutes() []route {
	if a.Realtime == nil {
		return nil
	}
	return []route{
		{http.MethodPost, "/v1/realtime/token", managed, a.realtimeToken},
		{http.MethodGet, "/v1/realtime/connect", open, a.tokenOrKey(a.realtimeConnect)},
		{http.MethodGet, "/v1/realtime/sse", open, a.tokenOrKey(a.realtimeSSE)},
		{http.MethodPost, "/v1/realtime/publish", open, a.tokenOrKey(a.realtimePublish)},
		{http.MethodPost, "/v1/realtime/publish/tee", open, a.tokenOrKey(a.realtimeTee)},
	}
}

// Announce tells every client that the server is about to close, and lets no new ones in. Those who are connected stay, so
// that work in progress can still be followed.
func (rt *Realtime) Announce() {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	shut(rt.announced)
}

// Close ends all connections and waits until they have ended, or ctx.
func (rt *Realtime) Close(ctx context.Context) error {
	rt.Announce()
	rt.mu.Lock()
	shut(rt.closed)
	rt.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		rt.connections.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close realtime connections: %w", ctx.Err())
	}
}

func shut(gate chan struct{}) {
	select {
	case <-gate:
	default:
		close(gate)
	}
}

// subscribe lets a connection in. The caller calls leave when it has ended.
func (rt *Realtime) subscribe(ctx context.Context, topics []realtime.Topic) (sub ports.Subscription, leave func(), err error) {
	rt.mu.Lock()
	select {
	case <-rt.announced:
		rt.mu.Unlock()
		return nil, nil, errShutdown
	default:
	}
	rt.connections.Add(1)
	rt.mu.Unlock()
	sub, err = rt.Broadcast.Subscribe(ctx, topics)
	if err != nil {
		rt.connections.Done()
		return nil, nil, err
	}
	return sub, func() {
		sub.Close()
		rt.connections.Done()
	}, nil
}

// maxTopicsBody bounds a list of topics.
const maxTopicsBody = 512 << 10

// realtimeToken is POST /v1/realtime/token. A realtime token is no way to get another one, unlike in the reference, where a
// subscriber can so subscribe to everything.
func (a *api) realtimeToken(c echo.Context) error {
	body, err := readBody(c, maxTopicsBody)
	if err != nil {
		refuseBody(c, err)
		return nil
	}
	topics, err := realtime.ParseTopics(body, ids.EnvID())
	switch {
	case errors.Is(err, realtime.ErrTooManyTopics):
		writeError(c, http.StatusBadRequest, "", "Invalid request: "+err.Error())
		return nil
	case err != nil:
		writeError(c, http.StatusBadRequest, "", "Invalid request: must provide a list of topics")
		return nil
	}
	now := a.Realtime.Clock.Now()
	token, err := a.Realtime.Tokens.SignRealtime(realtime.SubscribeClaims(a.Realtime.IDs.ULID(now), ids.EnvID(), topics, now, realtime.SubscribeLifetime))
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusCreated, struct {
		JWT string `json:"jwt"`
	}{token})
}
