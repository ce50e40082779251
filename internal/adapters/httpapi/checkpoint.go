package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/checkpoint"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Checkpoints saves steps while a call, or a client's request to a durable endpoint, goes on.
type Checkpoints interface {
	Async(ctx context.Context, body []byte) error
	Start(ctx context.Context, sdkName string, body []byte) (checkpoint.Started, error)
	Report(ctx context.Context, body []byte) error
	Await(ctx context.Context, token string, limit time.Duration) (checkpoint.Output, error)
}

// maxCheckpointBody bounds a checkpoint: as much as a run may hold.
const maxCheckpointBody = 36 << 20

// checkpointRoutes are served under the public prefix and under the one that the Go SDK and redirects use.
func (a *api) checkpointRoutes() []route {
	var routes []route
	for _, prefix := range []string{"/v1/checkpoint", "/v1/http/runs"} {
		routes = append(routes,
			route{http.MethodPost, prefix, managed, a.checkpointStart},
			route{http.MethodPost, prefix + "/:run/steps", managed, a.checkpointSteps},
			route{http.MethodPost, prefix + "/:run/async", managed, a.checkpointAsync},
		)
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			routes = append(routes, route{method, prefix + "/:run/output", open, a.checkpointOutput})
		}
	}
	return routes
}

// checkpointAsync is POST /v1/checkpoint/{run}/async. The steps are durable before the answer; what cannot be saved is an
// error to the SDK, which then returns its steps in its answer instead. Spec 04 §8.3.
func (a *api) checkpointAsync(c echo.Context) error { return a.checkpointWith(c, a.Checkpoints.Async) }

// checkpointSteps is POST /v1/checkpoint/{run}/steps. Unlike the reference, which always answers 200, it says when the steps are
// not saved. Spec 04 §8.2.
func (a *api) checkpointSteps(c echo.Context) error { return a.checkpointWith(c, a.Checkpoints.Report) }

// checkpointWith saves the steps of a request. The SDK may have given up waiting; what it sent is saved all the same.
func (a *api) checkpointWith(c echo.Context, save func(ctx context.Context, body []byte) error) error {
	body, err := readBody(c, maxCheckpointBody)
	if err != nil {
		writeError(c, statusOf(err), "", "invalid request body: "+err.Error())
		return nil
	}
	if err := save(context.WithoutCancel(c.Request().Context()), body); err != nil {
		return a.checkpointFailed(c, err)
	}
	return c.NoContent(http.StatusOK)
}

func (a *api) checkpointFailed(c echo.Context, err error) error {
	if errors.Is(err, checkpoint.ErrRunExists) {
		writeError(c, http.StatusConflict, "", "Run already exists")
		return nil
	}
	invalid := (*checkpoint.InvalidError)(nil)
	if !errors.As(err, &invalid) {
		a.Log.ErrorContext(c.Request().Context(), "checkpoint", "error", err)
		writeError(c, http.StatusServiceUnavailable, "", "the run store is unavailable")
		return nil
	}
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

// checkpointStart is POST /v1/checkpoint: a run of a durable endpoint begins. Spec 04 §8.1.
func (a *api) checkpointStart(c echo.Context) error {
	body, err := readBody(c, maxCheckpointBody)
	if err != nil {
		writeError(c, statusOf(err), "", "Invalid request body")
		return nil
	}
	ctx := context.WithoutCancel(c.Request().Context())
	started, err := a.Checkpoints.Start(ctx, c.Request().Header.Get(sdk.HeaderSDK), body)
	if err != nil {
		return a.checkpointFailed(c, err)
	}
	return a.writeData(c, struct {
		FunctionID    uuid.UUID `json:"fn_id"`
		AppID         uuid.UUID `json:"app_id"`
		RunID         ulid.ULID `json:"run_id"`
		Token         string    `json:"token,omitempty"`
		RealtimeToken string    `json:"realtime_token,omitempty"`
	}{started.FunctionID, started.AppID, started.RunID, started.OutputToken, started.StreamToken})
}
