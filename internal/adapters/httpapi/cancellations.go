package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/cancel"
	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
)

// Cancellations cancels runs in bulk.
type Cancellations interface {
	Create(ctx context.Context, body []byte) (cancellation.Cancellation, error)
	List(ctx context.Context) ([]cancellation.Cancellation, error)
	Delete(ctx context.Context, id ulid.ULID) error
}

// maxCancellationBody bounds a request to cancel runs: its condition may be as long as conditions may be.
const maxCancellationBody = 512 << 10

// createCancellation is POST /v1/cancellations. Spec 04 §7.4.
func (a *api) createCancellation(c echo.Context) error {
	body, err := readBody(c, maxCancellationBody)
	if err != nil {
		writeError(c, statusOf(err), "", "Invalid cancellation request")
		return nil
	}
	created, err := a.Cancellations.Create(context.WithoutCancel(c.Request().Context()), body)
	invalid, unknown := (*cancellation.InvalidError)(nil), (*cancel.UnknownFunctionError)(nil)
	switch {
	case errors.As(err, &invalid):
		writeError(c, http.StatusBadRequest, "", invalid.Text)
	case errors.As(err, &unknown):
		writeError(c, http.StatusNotFound, "", "function not found")
	case errors.Is(err, cancel.ErrTooMany):
		writeError(c, http.StatusTooManyRequests, "", err.Error()+"; try again when some have ended")
	case err != nil:
		a.Log.ErrorContext(c.Request().Context(), "create cancellation", "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to create cancellation: the run store is unavailable")
	default:
		return a.writeData(c, answerCancellation(created))
	}
	return nil
}

// cancellations is GET /v1/cancellations.
func (a *api) cancellations(c echo.Context) error {
	found, err := a.Cancellations.List(c.Request().Context())
	if err != nil {
		a.Log.ErrorContext(c.Request().Context(), "list cancellations", "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to list cancellations")
		return nil
	}
	answer := make([]cancellationAnswer, len(found))
	for i, one := range found {
		answer[i] = answerCancellation(one)
	}
	return a.writeData(c, answer)
}

// deleteCancellation is DELETE /v1/cancellations/{id}. What it has cancelled stays cancelled.
func (a *api) deleteCancellation(c echo.Context) error {
	id, err := ulid.ParseStrict(c.Param("id"))
	if err != nil {
		writeError(c, http.StatusBadRequest, "", "Invalid cancellation ID")
		return nil
	}
	err = a.Cancellations.Delete(context.WithoutCancel(c.Request().Context()), id)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		writeError(c, http.StatusNotFound, "", "Cancellation not found")
	case err != nil:
		a.Log.ErrorContext(c.Request().Context(), "delete cancellation", "cancellation_id", id.String(), "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to delete cancellation: the run store is unavailable")
	default:
		return a.writeData(c, struct {
			OK bool `json:"ok"`
		}{true})
	}
	return nil
}

// cancellationAnswer is a cancellation as REST shows it. State, Cancelled, Error and EndedAt are not the reference's.
// Spec 04 §7.4.
type cancellationAnswer struct {
	CreatedAt          time.Time          `json:"created_at"`
	Name               *string            `json:"name"`
	ID                 ulid.ULID          `json:"id"`
	AccountID          uuid.UUID          `json:"account_id"`
	EnvironmentID      uuid.UUID          `json:"environment_id"`
	AppID              uuid.UUID          `json:"app_id"`
	FunctionInternalID uuid.UUID          `json:"function_internal_id"`
	FunctionID         string             `json:"function_id"`
	StartedAfter       *time.Time         `json:"started_after"`
	StartedBefore      time.Time          `json:"started_before"`
	If                 string             `json:"if,omitempty"`
	Kind               string             `json:"kind"`
	Cause              string             `json:"cause"`
	QueueName          *string            `json:"queue_name"`
	State              cancellation.State `json:"state"`
	Cancelled          int                `json:"cancelled"`
	Error              string             `json:"error,omitempty"`
	EndedAt            *time.Time         `json:"ended_at"`
}

func answerCancellation(c cancellation.Cancellation) cancellationAnswer {
	answer := cancellationAnswer{
		CreatedAt: c.CreatedAt, ID: c.ID, AccountID: ids.AccountID(), EnvironmentID: ids.EnvID(), AppID: c.AppID,
		FunctionInternalID: c.FunctionID, FunctionID: c.Slug, StartedBefore: c.Before, If: c.If, Kind: "bulk_run", Cause: "API",
		State: c.State, Cancelled: c.Cancelled, Error: c.Error,
	}
	if !c.After.IsZero() {
		answer.StartedAfter = &c.After
	}
	if !c.EndedAt.IsZero() {
		answer.EndedAt = &c.EndedAt
	}
	return answer
}
