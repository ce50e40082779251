package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/checkpoint"
)

// Checkpoints saves steps while a call goes on.
type Checkpoints interface {
	Async(ctx context.Context, body []byte) error
}

// maxCheckpointBody bounds a checkpoint: as much as a run may hold.
const maxCheckpointBody = 36 << 20

// checkpointAsync is POST /v1/checkpoint/{run}/async. The steps are durable before the answer; what cannot be saved is an
// error to the SDK, which then returns its steps in its answer instead. Spec 04 §8.3.
func (a *api) checkpointAsync(c echo.Context) error {
	body, err := readBody(c, maxCheckpointBody)
	if err != nil {
		writeError(c, statusOf(err), "", "invalid request body: "+err.Error())
		return nil
	}
	// The SDK may have given up waiting; what it sent is saved all the same.
	err = a.Checkpoints.Async(context.WithoutCancel(c.Request().Context()), body)
	if invalid := (*checkpoint.InvalidError)(nil); errors.As(err, &invalid) {
		status := http.StatusBadRequest
		switch {
		case invalid.TooLarge:
			status = http.StatusRequestEntityTooLarge
		case invalid.Stale:
			status = http.StatusConflict
		}
		answer := publicError{Error: invalid.Reason, Status: status}
		if invalid.Run != (ulid.ULID{}) {
			answer.Data = struct {
				RunID ulid.ULID `json:"run_id"`
			}{invalid.Run}
		}
		return writeJSON(c, status, answer)
	}
	if err != nil {
		a.Log.ErrorContext(c.Request().Context(), "checkpoint", "error", err)
		writeError(c, http.StatusServiceUnavailable, "", "the run store is unavailable")
		return nil
	}
	return c.NoContent(http.StatusOK)
}
