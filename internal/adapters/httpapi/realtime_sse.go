package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/domain/realtime"
)

// realtimeSSE is GET /v1/realtime/sse: messages as server-sent events, bytes of a stream as they are. Spec 04 §10.3, §10.4.
func (a *api) realtimeSSE(c echo.Context, claims *realtime.Claims) error {
	rt := a.Realtime
	if claims == nil {
		writeError(c, http.StatusUnauthorized, "", notAuthenticated)
		return nil
	}
	ctx := c.Request().Context()
	sub, leave, err := rt.subscribe(ctx, claims.Topics)
	if err != nil {
		a.refuseSubscriber(c, err)
		return nil
	}
	defer leave()

	events := &eventStream{w: c.Response(), control: http.NewResponseController(c.Response()), timeout: rt.config.Write}
	// The connection is silent from now on, which would end it when the time for reading a request is over.
	_ = events.control.SetReadDeadline(time.Time{})
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "text/event-stream")
	header.Set(echo.HeaderCacheControl, "no-cache")
	header.Set(echo.HeaderConnection, "keep-alive")
	header.Set(echo.HeaderAccessControlAllowOrigin, "*")
	header.Set(echo.HeaderAccessControlExposeHeaders, echo.HeaderContentType)
	c.Response().WriteHeader(http.StatusOK)
	reason := rt.follow(ctx, sub, events, rt.config.Lifetime)
	events.finish(reason)
	rt.Log.DebugContext(ctx, "realtime connection ended", "transport", "sse", "reason", reason)
	return nil
}

// refuseSubscriber answers a client that cannot be subscribed.
func (a *api) refuseSubscriber(c echo.Context, err error) {
	a.Log.WarnContext(c.Request().Context(), "subscribe to realtime topics", "error", err)
	http.Error(c.Response(), "error subscribing to topics", http.StatusInternalServerError)
}

// eventStream is a sink that writes server-sent events.
type eventStream struct {
	control *http.ResponseController
	timeout time.Duration

	mu sync.Mutex
	w  http.ResponseWriter
}

func (s *eventStream) send(_ context.Context, frame realtime.Frame) error {
	if frame.Kind == realtime.FrameRaw {
		return s.write(frame.Body)
	}
	return s.write([]byte("data: "), frame.Body, []byte("\n\n"))
}

func (s *eventStream) keepAlive(context.Context) error { return s.write([]byte(":\n\n")) }

// write sends the parts at once.
func (s *eventStream) write(parts ...[]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A socket's deadline is in the machine's time. Where there is no socket, there is none to set.
	_ = s.control.SetWriteDeadline(time.Now().Add(s.timeout))
	for _, part := range parts {
		if _, err := s.w.Write(part); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

// finish prepares the connection for what the server does with it next: it ends the answer, and may serve another request.
// The deadline of the last write must not end that. A client that did not keep up gets a last deadline.
func (s *eventStream) finish(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var deadline time.Time
	if !errors.Is(reason, errLifetime) && !errors.Is(reason, errShutdown) {
		deadline = time.Now().Add(s.timeout)
	}
	_ = s.control.SetWriteDeadline(deadline)
}
