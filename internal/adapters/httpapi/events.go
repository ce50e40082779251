package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// maxEventsBody bounds a request to the event API, all its events together.
const maxEventsBody = 64 << 20

// seedHeader makes the internal IDs of a request deterministic. Spec 03 §8.1.
const seedHeader = "X-Inngest-Event-Id-Seed"

// receiveEvents is POST /e/{key}. The events of a request are stored all or none, before the answer.
func (a *api) receiveEvents(c echo.Context) error {
	if !a.eventKeyKnown(c.Param("key")) {
		return writeJSON(c, http.StatusUnauthorized, struct {
			Status  int    `json:"status"`
			Message string `json:"message"`
			Error   string `json:"error"`
		}{http.StatusUnauthorized, "", "Event key not found"})
	}
	body, err := readBody(c, maxEventsBody)
	if err != nil {
		if errors.Is(err, errTooLarge) {
			return writeIDs(c, http.StatusRequestEntityTooLarge, nil, "Request body is over the max size of 67108864 bytes")
		}
		return writeIDs(c, http.StatusBadRequest, nil, "Unable to read request body: "+err.Error())
	}
	events, err := a.readEvents(body, c.Request().Header.Get(echo.HeaderContentType))
	if err != nil {
		return writeIDs(c, http.StatusBadRequest, nil, err.Error())
	}
	if len(events) == 0 {
		return writeIDs(c, http.StatusOK, nil, "")
	}
	accepted, err := a.Ingest.Accept(c.Request().Context(), events, seedOf(c), 1)
	if err != nil {
		a.Log.ErrorContext(c.Request().Context(), "accept events", "count", len(events), "error", err)
		return writeIDs(c, http.StatusServiceUnavailable, nil, "error publishing event: the event store is unavailable")
	}
	return writeIDs(c, http.StatusOK, accepted, "")
}

func (a *api) readEvents(body []byte, contentType string) ([]event.Event, error) {
	raws, err := event.Parse(body, contentType, event.Limits{})
	if err != nil {
		return nil, err
	}
	now := a.Clock.Now()
	events := make([]event.Event, len(raws))
	for i, raw := range raws {
		e, err := event.Decode(raw)
		if err != nil {
			return nil, err
		}
		if events[i], err = event.Normalise(e, now); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func seedOf(c echo.Context) *ids.Seed {
	if seed, ok := ids.ParseSeed(c.Request().Header.Get(seedHeader)); ok {
		return &seed
	}
	return nil
}

// writeIDs writes {"ids":[…],"status":…,"error":…}. An answer without IDs has one empty ID, as clients are used to.
func writeIDs(c echo.Context, status int, accepted []ulid.ULID, message string) error {
	answer := struct {
		IDs    []string `json:"ids"`
		Status int      `json:"status"`
		Error  string   `json:"error,omitempty"`
	}{[]string{""}, status, message}
	if len(accepted) > 0 {
		answer.IDs = make([]string, len(accepted))
		for i, id := range accepted {
			answer.IDs[i] = id.String()
		}
	}
	return writeJSON(c, status, answer)
}

// maxInvokeBody bounds the body of an invocation: one event.
const maxInvokeBody = 3 << 20

// invoke is POST /invoke/{slug}: it accepts an event that starts one function. Spec 03 §10.
func (a *api) invoke(c echo.Context) error {
	slug, err := url.QueryUnescape(lastSegment(c.Request().URL))
	if err != nil {
		writeError(c, http.StatusBadRequest, "", "Unable to decode function slug")
		return nil
	}
	body, err := readBody(c, maxInvokeBody)
	if err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, errTooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		writeError(c, status, "", "Unable to read post data request")
		return nil
	}
	newID := func(ms uint64) ulid.ULID { return a.IDs.ULID(time.UnixMilli(int64(ms))) }
	e, err := event.Invocation(slug, body, a.Clock.Now(), newID)
	if err != nil {
		message := event.ErrInvalidInvocation.Error()
		if errors.Is(err, event.ErrUnreadableInvocation) {
			message = event.ErrUnreadableInvocation.Error()
		}
		writeError(c, http.StatusBadRequest, "", message)
		return nil
	}
	accepted, err := a.Ingest.Accept(c.Request().Context(), []event.Event{e}, seedOf(c), 0)
	if err != nil {
		a.Log.ErrorContext(c.Request().Context(), "accept invocation", "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to create invocation event: the event store is unavailable")
		return nil
	}
	return writeJSON(c, http.StatusOK, struct {
		ID     string `json:"id"`
		Status int    `json:"status"`
	}{accepted[0].String(), http.StatusOK})
}

// lastSegment is the last segment of the path as it was sent, still escaped.
func lastSegment(u *url.URL) string {
	path := u.EscapedPath()
	return path[strings.LastIndexByte(path, '/')+1:]
}
