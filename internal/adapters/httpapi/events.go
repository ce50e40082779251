package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
)

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
	body := borrowBuffer() // decoded events share nothing with it
	defer returnBuffer(body)
	if err := readInto(body, c, maxEventsBody); err != nil {
		if errors.Is(err, errTooLarge) {
			return writeIDs(c, statusOf(err), nil, "Request body is over the max size: Max "+strconv.Itoa(maxEventsBody)+" bytes")
		}
		return writeIDs(c, statusOf(err), nil, "Unable to read request body")
	}
	events, err := a.readEvents(body.Bytes(), c.Request().Header.Get(echo.HeaderContentType))
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
	text := c.Request().Header.Get(seedHeader)
	if text == "" {
		return nil
	}
	seed, ok := ids.ParseSeed(text)
	if !ok {
		return nil
	}
	return &seed
}

// writeIDs writes {"ids":[…],"status":…,"error":…}. An answer without IDs has one empty ID, as clients are used to.
func writeIDs(c echo.Context, status int, accepted []ulid.ULID, message string) error {
	b := append(make([]byte, 0, 64+len(message)+len(`"",`)*len(accepted)+ulid.EncodedSize*len(accepted)), `{"ids":["`...)
	for i, id := range accepted {
		if i > 0 {
			b = append(b, `","`...)
		}
		b = append(b, id.String()...)
	}
	b = strconv.AppendInt(append(b, `"],"status":`...), int64(status), 10)
	if message != "" {
		text, err := json.Marshal(message)
		if err != nil {
			return err
		}
		b = append(append(b, `,"error":`...), text...)
	}
	return writeBody(c, status, append(b, "}\n"...))
}

// invoke is POST /invoke/{slug}: it accepts an event that starts one function. The slug is unescaped like a query, "+" is a
// space. Spec 03 §10.
func (a *api) invoke(c echo.Context) error {
	slug, err := url.QueryUnescape(c.Param("slug"))
	if err != nil {
		writeError(c, http.StatusBadRequest, "", "Unable to decode function slug")
		return nil
	}
	body, err := readBody(c, maxInvokeBody)
	if err != nil {
		writeError(c, statusOf(err), "", "Unable to read post data request")
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
