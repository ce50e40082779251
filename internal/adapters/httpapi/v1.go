package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/duration"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Bounds of GET /v1/events. Spec 04 §7.1.
const (
	defaultEvents = 20
	maxEvents     = 51
	eventsWindow  = time.Hour
)

// events is GET /v1/events.
func (a *api) events(c echo.Context) error {
	query, message := a.eventQuery(c)
	if message != "" {
		writeError(c, http.StatusBadRequest, "", message)
		return nil
	}
	found, err := a.History.Events(c.Request().Context(), query)
	if err != nil {
		a.Log.ErrorContext(c.Request().Context(), "query events", "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to query events")
		return nil
	}
	answer := make([]eventAnswer, len(found))
	for i, e := range found {
		answer[i] = answerEvent(e)
	}
	return a.writeData(c, answer)
}

func (a *api) eventQuery(c echo.Context) (query ports.EventQuery, message string) {
	now := a.Clock.Now()
	query = ports.EventQuery{Name: c.QueryParam("name"), After: now.Add(-eventsWindow), Before: now, Limit: defaultEvents}
	if n, err := strconv.Atoi(c.QueryParam("limit")); err == nil && n != 0 {
		query.Limit = min(max(n, 1), maxEvents)
	}
	if text := c.QueryParam("cursor"); text != "" {
		cursor, err := ulid.ParseStrict(text)
		if err != nil {
			return query, "Invalid cursor query parameter"
		}
		query.Cursor = cursor
	}
	for _, bound := range []struct {
		name string
		at   *time.Time
	}{{"received_after", &query.After}, {"received_before", &query.Before}} {
		text := c.QueryParam(bound.name)
		if text == "" {
			continue
		}
		at, ok := duration.ParseDate(text)
		if !ok {
			return query, "Invalid " + bound.name + " query parameter"
		}
		*bound.at = at
	}
	if c.QueryParam("received_before") != "" && c.QueryParam("received_after") == "" {
		query.After = time.Time{} // who asks for what was before a time does not mean the last hour
	}
	return query, ""
}

// event is GET /v1/events/{id}.
func (a *api) event(c echo.Context) error {
	id, ok := idParam(c, "event")
	if !ok {
		return nil
	}
	found, err := a.History.Event(c.Request().Context(), id)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		writeError(c, http.StatusNotFound, "", "Event not found")
	case err != nil:
		a.Log.ErrorContext(c.Request().Context(), "query event", "event_id", id.String(), "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to query events")
	default:
		return a.writeData(c, answerEvent(found))
	}
	return nil
}

// eventRuns is GET /v1/events/{id}/runs.
func (a *api) eventRuns(c echo.Context) error {
	id, ok := idParam(c, "event")
	if !ok {
		return nil
	}
	found, err := a.History.EventRuns(c.Request().Context(), id)
	if err != nil {
		a.Log.ErrorContext(c.Request().Context(), "query runs of event", "event_id", id.String(), "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to query event runs")
		return nil
	}
	answer := make([]runAnswer, len(found))
	for i, r := range found {
		answer[i] = answerRun(r)
		answer[i].EnvironmentID = uuid.Nil
	}
	return a.writeData(c, answer)
}

// run is GET /v1/runs/{id}.
func (a *api) run(c echo.Context) error {
	id, ok := idParam(c, "run")
	if !ok {
		return nil
	}
	found, err := a.History.Run(c.Request().Context(), id)
	if err != nil {
		a.runNotLoaded(c, id, err)
		return nil
	}
	return a.writeData(c, answerRun(found))
}

// cancel is DELETE /v1/runs/{id}. A run that has ended stays as it is, and that is a success.
func (a *api) cancel(c echo.Context) error {
	id, ok := idParam(c, "run")
	if !ok {
		return nil
	}
	if _, err := a.History.Run(c.Request().Context(), id); err != nil {
		a.runNotLoaded(c, id, err)
		return nil
	}
	if err := a.Runs.Cancel(c.Request().Context(), id); err != nil && !errors.Is(err, ports.ErrNotFound) {
		a.Log.ErrorContext(c.Request().Context(), "cancel run", "run_id", id.String(), "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to cancel function run: the run store is unavailable")
		return nil
	}
	return c.NoContent(http.StatusOK)
}

func (a *api) runNotLoaded(c echo.Context, id ulid.ULID, err error) {
	status := http.StatusNotFound
	if !errors.Is(err, ports.ErrNotFound) {
		status = http.StatusInternalServerError
		a.Log.ErrorContext(c.Request().Context(), "query run", "run_id", id.String(), "error", err)
	}
	writeError(c, status, "", "Unable to load function run: "+id.String())
}

// idParam reads the path's ULID, or answers that it is none.
func idParam(c echo.Context, what string) (ulid.ULID, bool) {
	text := c.Param("id")
	id, err := ulid.ParseStrict(text)
	if err != nil {
		writeError(c, http.StatusBadRequest, "", "Invalid "+what+" ID: "+text)
	}
	return id, err == nil
}

// eventAnswer is an event as REST shows it. Spec 04 §7.1.
type eventAnswer struct {
	InternalID    ulid.ULID       `json:"internal_id"`
	AccountID     uuid.UUID       `json:"account_id"`
	EnvironmentID uuid.UUID       `json:"environment_id"`
	Source        string          `json:"source"`
	SourceID      *string         `json:"source_id"`
	ReceivedAt    time.Time       `json:"received_at"`
	ID            string          `json:"id,omitempty"`
	Name          string          `json:"name"`
	Data          json.RawMessage `json:"data"`
	User          json.RawMessage `json:"user,omitempty"`
	TS            int64           `json:"ts,omitempty"`
	V             string          `json:"v,omitempty"`
}

func answerEvent(e event.Tracked) eventAnswer {
	return eventAnswer{
		InternalID: e.InternalID, ReceivedAt: e.ReceivedAt, ID: e.ID, Name: e.Name, Data: e.Data, User: e.User, TS: e.TS, V: e.V,
	}
}

// runAnswer is a run as REST shows it. Spec 04 §7.2.
type runAnswer struct {
	RunID           ulid.ULID       `json:"run_id"`
	RunStartedAt    time.Time       `json:"run_started_at"`
	FunctionID      uuid.UUID       `json:"function_id"`
	FunctionVersion int             `json:"function_version"`
	EnvironmentID   uuid.UUID       `json:"environment_id"`
	EventID         ulid.ULID       `json:"event_id"`
	BatchID         *ulid.ULID      `json:"batch_id,omitempty"`
	OriginalRunID   *ulid.ULID      `json:"original_run_id,omitempty"`
	Cron            string          `json:"cron,omitempty"`
	Status          run.Status      `json:"status"`
	EndedAt         *time.Time      `json:"ended_at"`
	Output          json.RawMessage `json:"output,omitempty"`
}

func answerRun(r ports.RunRecord) runAnswer {
	answer := runAnswer{
		RunID: r.RunID, RunStartedAt: r.StartedAt, FunctionID: r.FunctionID, FunctionVersion: r.FunctionVersion,
		EnvironmentID: ids.EnvID(), EventID: r.EventID, BatchID: known(r.BatchID), OriginalRunID: known(r.OriginalRunID),
		Cron: r.Cron, Status: r.Status,
	}
	if !r.EndedAt.IsZero() {
		answer.EndedAt = &r.EndedAt
		answer.Output = r.Output
		if !json.Valid(r.Output) {
			quoted, err := json.Marshal(string(r.Output))
			if err == nil {
				answer.Output = quoted
			}
		}
	}
	return answer
}

func known(id ulid.ULID) *ulid.ULID {
	if id == (ulid.ULID{}) {
		return nil
	}
	return &id
}
