package httpapi

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// actions is GET /v0/runs/{run}/actions: the memos that did not fit into a call, and the inputs of steps that a rerun changes
// and that have not run. Spec 01 §8.5.
func (a *api) actions(c echo.Context) error {
	return a.withState(c, func(state run.State) []byte {
		return sdk.AppendActions(nil, state.Stack, state.Steps, state.InputMemos())
	})
}

// batch is GET /v0/runs/{run}/batch: the events of the run.
func (a *api) batch(c echo.Context) error {
	return a.withState(c, func(state run.State) []byte {
		body := []byte{'['}
		for i, e := range state.Events {
			if i > 0 {
				body = append(body, ',')
			}
			body = e.AppendStored(body)
		}
		return append(body, "]\n"...)
	})
}

func (a *api) withState(c echo.Context, body func(run.State) []byte) error {
	id, err := ulid.ParseStrict(c.Param("run"))
	if err != nil {
		writeError(c, http.StatusBadRequest, "", "The run ID specified is invalid")
		return nil
	}
	state, err := a.Store.Load(c.Request().Context(), id)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		writeError(c, http.StatusGone, "", "runtime state is no longer available for runID: "+id.String())
	case err != nil:
		a.Log.ErrorContext(c.Request().Context(), "load run", "run_id", id.String(), "error", err)
		writeError(c, http.StatusServiceUnavailable, "", "Unable to load the state of run: "+id.String())
	default:
		return writeBody(c, http.StatusOK, body(state))
	}
	return nil
}

// cancelV0 is DELETE /v0/runs/{run}. Unlike the reference it stops the run.
func (a *api) cancelV0(c echo.Context) error {
	id, err := ulid.ParseStrict(c.Param("run"))
	if err != nil {
		writeError(c, http.StatusBadRequest, "", "The run ID specified is invalid")
		return nil
	}
	err = a.Runs.Cancel(c.Request().Context(), id)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		writeError(c, http.StatusNotFound, "", "A function run with the given ID could not be found")
	case err != nil:
		a.Log.ErrorContext(c.Request().Context(), "cancel run", "run_id", id.String(), "error", err)
		writeError(c, http.StatusInternalServerError, "", "There was an error cancelling your function")
	default:
		return c.NoContent(http.StatusNoContent)
	}
	return nil
}

// telemetry is POST /v0/telemetry. Nothing is collected, nothing is sent on.
func (a *api) telemetry(c echo.Context) error { return c.NoContent(http.StatusOK) }
