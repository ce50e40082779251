package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	apprealtime "github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
)

// streamType is the content type of a body that is relayed as it comes.
const streamType = "text/stream"

// maxPublishTopics bounds the topics of one publication.
const maxPublishTopics = 100

// envOf is the environment that a caller acts in.
func envOf(claims *realtime.Claims) uuid.UUID {
	if claims == nil {
		return ids.EnvID()
	}
	return claims.Env
}

// realtimePublish is POST /v1/realtime/publish. All topics of the query get the message. What cannot be delivered as it is,
// is refused; the reference cuts long bodies and leaves out all topics but the first.
func (a *api) realtimePublish(c echo.Context, claims *realtime.Claims) error {
	if !mayPublish(claims) {
		writeError(c, http.StatusUnauthorized, "", notForPublishing)
		return nil
	}
	to, err := publicationOf(c, envOf(claims))
	if err != nil {
		writeError(c, http.StatusBadRequest, "", "Invalid request: "+err.Error())
		return nil
	}
	if c.Request().Header.Get(echo.HeaderContentType) == streamType {
		return a.realtimeStream(c, to)
	}
	body, err := readBody(c, realtime.MaxBody)
	if err != nil {
		refuseBody(c, err)
		return nil
	}
	if err := a.Realtime.Publisher.Publish(c.Request().Context(), to, body); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

// refuseBody answers a request whose body could not be read. Only its length is the client's to know.
func refuseBody(c echo.Context, err error) {
	reason := "body cannot be read"
	if errors.Is(err, errTooLarge) {
		reason = errTooLarge.Error()
	}
	writeError(c, statusOf(err), "", "Invalid request: "+reason)
}

func publicationOf(c echo.Context, env uuid.UUID) (apprealtime.Publication, error) {
	query := c.QueryParams()
	to := apprealtime.Publication{EnvID: env, Channel: query.Get("channel"), Topics: query["topic"]}
	if len(to.Topics) > maxPublishTopics {
		return to, fmt.Errorf("more than %d topics", maxPublishTopics)
	}
	// What is no run ID is left out of the message, which can do without.
	to.RunID, _ = ulid.ParseStrict(query.Get("run_id"))
	var err error
	to.Metadata, err = realtime.Metadata(query.Get("metadata"))
	return to, err
}

func (a *api) realtimeStream(c echo.Context, to apprealtime.Publication) error {
	if c.Request().ContentLength > realtime.MaxStream {
		writeError(c, http.StatusRequestEntityTooLarge, "", "Invalid request: "+errTooLarge.Error())
		return nil
	}
	stream, err := a.Realtime.Publisher.Stream(c.Request().Context(), to)
	if err != nil {
		return err
	}
	switch err := a.Realtime.relay(c, stream, realtime.MaxStream); {
	case err == nil:
		return c.NoContent(http.StatusOK)
	case errors.Is(err, errForward):
		return err
	default:
		refuseBody(c, err)
		return nil
	}
}

// realtimeTee is POST /v1/realtime/publish/tee.
func (a *api) realtimeTee(c echo.Context, claims *realtime.Claims) error {
	channel := c.QueryParam("channel")
	fail := func(status int, message string) error {
		http.Error(c.Response(), message, status)
		return nil
	}
	switch {
	case !mayPublish(claims):
		return fail(http.StatusUnauthorized, notForPublishing)
	case channel == "":
		return fail(http.StatusBadRequest, "channel query parameter required")
	case c.Request().ContentLength > realtime.MaxTee:
		return fail(http.StatusRequestEntityTooLarge, errTooLarge.Error())
	}
	err := a.Realtime.relay(c, a.Realtime.Publisher.Tee(envOf(claims), channel), realtime.MaxTee)
	switch {
	case err == nil:
		return c.NoContent(http.StatusOK)
	case errors.Is(err, errTooLarge):
		return fail(http.StatusRequestEntityTooLarge, errTooLarge.Error())
	case errors.Is(err, errForward):
		a.logFailure(c, err)
		return fail(http.StatusInternalServerError, "Error forwarding data")
	default:
		return fail(http.StatusBadRequest, "Error reading data")
	}
}

// errForward says that it was not the client's fault.
var errForward = errors.New("forward data")

// forwarder takes a body piece by piece.
type forwarder interface {
	Write(ctx context.Context, piece []byte) error
	End(ctx context.Context) error
}

// relay passes a body on while it comes in. A producer may take its time, but is not silent for longer than config.Read.
// However it ends, whoever receives the body is told.
func (rt *Realtime) relay(c echo.Context, to forwarder, limit int64) error {
	ctx := c.Request().Context()
	control := http.NewResponseController(c.Response())
	body := http.MaxBytesReader(c.Response(), c.Request().Body, limit)
	piece := make([]byte, 16<<10)
	var failure error
	for failure == nil {
		// A socket's deadline is in the machine's time. Where there is no socket, there is none to set.
		_ = control.SetReadDeadline(time.Now().Add(rt.config.Read))
		n, err := body.Read(piece)
		if forwardErr := to.Write(ctx, piece[:n]); forwardErr != nil {
			return fmt.Errorf("%w: %w", errForward, forwardErr)
		}
		failure = tooLarge(err)
	}
	if err := to.End(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("%w: %w", errForward, err)
	}
	if errors.Is(failure, io.EOF) {
		return nil
	}
	return failure
}
