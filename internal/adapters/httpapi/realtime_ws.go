package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
)

// maxSocketFrame bounds what a client sends at once.
const maxSocketFrame = 32 << 10

// realtimeConnect is GET /v1/realtime/connect: a WebSocket with a message a frame. Spec 04 §10.3, §10.4.
func (a *api) realtimeConnect(c echo.Context, claims *realtime.Claims) error {
	rt := a.Realtime
	if claims == nil {
		writeError(c, http.StatusUnauthorized, "", notAuthenticated)
		return nil
	}
	ctx, end := context.WithCancelCause(c.Request().Context())
	defer end(nil)
	sub, leave, err := rt.subscribe(ctx, claims.Topics)
	if err != nil {
		a.refuseSubscriber(c, err)
		return nil
	}
	defer leave()
	// Browsers of every origin may connect: it is the token that gives the right, and it is not sent by itself.
	conn, err := websocket.Accept(c.Response(), c.Request(), &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		rt.Log.DebugContext(ctx, "upgrade realtime connection", "error", err)
		return nil // the client has its answer
	}
	conn.SetReadLimit(maxSocketFrame)
	read := make(chan struct{})
	go func() {
		defer close(read)
		end(rt.listen(context.WithoutCancel(ctx), conn, sub, claims.Env))
	}()
	reason := rt.follow(ctx, sub, &socket{conn, rt.config.Write}, 0)
	rt.Log.DebugContext(ctx, "realtime connection ended", "transport", "websocket", "reason", reason)
	closeSocket(conn, reason)
	<-read
	return nil
}

// closeSocket ends a connection, with the reason where the client may still hear it.
func closeSocket(conn *websocket.Conn, reason error) {
	switch {
	case errors.Is(reason, errShutdown), errors.Is(reason, ports.ErrClosed):
		_ = conn.Close(websocket.StatusGoingAway, "server is shutting down")
	case errors.Is(reason, ports.ErrSlowSubscriber):
		_ = conn.Close(websocket.StatusTryAgainLater, "messages were not read fast enough")
	}
	_ = conn.CloseNow()
}

// listen does what a client asks for until the connection ends, which does not depend on ctx.
func (rt *Realtime) listen(ctx context.Context, conn *websocket.Conn, sub ports.Subscription, env uuid.UUID) error {
	for {
		kind, text, err := conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read from client: %w", err)
		}
		if kind != websocket.MessageText {
			continue
		}
		if err := rt.command(ctx, sub, env, text); err != nil {
			rt.Log.DebugContext(ctx, "realtime command failed", "error", err)
		}
	}
}

// command does what a frame of a client asks for: {"kind":"sub","data":"<token>"} adds the topics of a token,
// {"kind":"unsub","data":[<topic>…]} removes topics. Clients are not told whether it worked.
func (rt *Realtime) command(ctx context.Context, sub ports.Subscription, env uuid.UUID, text []byte) error {
	var frame struct {
		Kind string          `json:"kind"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &frame); err != nil {
		return fmt.Errorf("read command: %w", err)
	}
	switch frame.Kind {
	case "sub":
		var token string
		if err := json.Unmarshal(frame.Data, &token); err != nil {
			return fmt.Errorf("read token of command: %w", err)
		}
		claims, err := rt.Tokens.VerifyRealtime(token, rt.Clock.Now())
		if err != nil {
			return err
		}
		return sub.Add(ctx, claims.Topics)
	case "unsub":
		topics, err := realtime.ParseTopics(frame.Data, env)
		if err != nil {
			return err
		}
		return sub.Remove(ctx, topics)
	}
	return nil
}

// socket is a sink that writes WebSocket frames. A context that ends during a call would cut the connection off, and with
// it the reason for its end; so it is only time that bounds the calls.
type socket struct {
	conn    *websocket.Conn
	timeout time.Duration
}

func (s *socket) send(ctx context.Context, frame realtime.Frame) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	kind := websocket.MessageText
	if frame.Kind == realtime.FrameRaw && !utf8.Valid(frame.Body) {
		kind = websocket.MessageBinary // a client must close the connection on text that is none
	}
	return s.conn.Write(ctx, kind, frame.Body)
}

func (s *socket) keepAlive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	return s.conn.Ping(ctx)
}
