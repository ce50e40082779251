package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/ports"
)

// Signals gives signals to the runs that wait for them.
type Signals interface {
	Signal(ctx context.Context, signal string, data json.RawMessage) (ulid.ULID, error)
}

// maxSignalBody bounds a signal: its data becomes the output of a step.
const maxSignalBody = 4 << 20

// signal is POST /v1/signals. Spec 04 §7.5.
func (a *api) signal(c echo.Context) error {
	body, err := readBody(c, maxSignalBody)
	if err != nil {
		writeError(c, statusOf(err), "", "Invalid signal data")
		return nil
	}
	var request struct {
		Signal string          `json:"signal"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		writeError(c, http.StatusBadRequest, "", "Invalid signal data")
		return nil
	}
	if request.Signal == "" {
		writeError(c, http.StatusBadRequest, "", "Invalid signal data: signal is empty")
		return nil
	}
	id, err := a.Signals.Signal(context.WithoutCancel(c.Request().Context()), request.Signal, request.Data)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		writeError(c, http.StatusNotFound, "", "No signal found")
	case err != nil:
		a.Log.ErrorContext(c.Request().Context(), "receive signal", "error", err)
		writeError(c, http.StatusInternalServerError, "", "Failed to receive signal")
	default:
		return a.writeData(c, struct {
			RunID ulid.ULID `json:"run_id"`
		}{id})
	}
	return nil
}
