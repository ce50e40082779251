package httpapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/app/checkpoint"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// outputWait is how long a client may wait for the end of a run. Spec 02 §20.
const outputWait = 5 * time.Minute

// checkpointOutput is {method} /v1/checkpoint/{run}/output?token=: the answer of a durable endpoint, for the client whose request
// it could not answer at once. The token says which run it is. Spec 04 §8.5.
func (a *api) checkpointOutput(c echo.Context) error {
	ctx := c.Request().Context()
	output, err := a.Checkpoints.Await(ctx, c.QueryParam("token"), outputWait)
	switch {
	case errors.Is(err, ports.ErrBadToken):
		writeTextError(c, http.StatusUnauthorized, "Unable to find run with auth token")
	case errors.Is(err, ports.ErrNotFound):
		writeTextError(c, http.StatusNotFound, "Run not found")
	case ctx.Err() != nil:
		return nil // nobody is there to be answered
	case err != nil:
		a.Log.ErrorContext(ctx, "output of run", "error", err)
		writeTextError(c, http.StatusServiceUnavailable, "Unable to load the output of the run")
	case output.Status == run.Running:
		return writeJSON(c, http.StatusOK, struct {
			Status  string `json:"status"`
			Message string `json:"message"`
		}{"running", "run did not end within 5 minutes"})
	case output.Response != nil:
		return writeResponse(c, *output.Response)
	default:
		return writeOutput(c, output)
	}
	return nil
}

// writeTextError is an error object that is sent as text, as the reference does here.
func writeTextError(c echo.Context, status int, message string) {
	c.Response().Header()[echo.HeaderContentType] = []string{"text/plain; charset=utf-8"}
	c.Response().WriteHeader(status)
	_, _ = c.Response().Write(encodeError(status, message)) // a client that is gone hears nothing
}

// writeOutput is the output of a run without an answer of its own: a success if the run was one.
func writeOutput(c echo.Context, output checkpoint.Output) error {
	status := http.StatusOK
	if output.Status != run.Completed {
		status = http.StatusInternalServerError
	}
	return writeBody(c, status, output.Raw)
}

// notForwarded are headers of an app's answer that are about its connection, or that would reach into this server's address.
var notForwarded = map[string]bool{
	"Connection": true, "Content-Length": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true, "Content-Encoding": true,
	"Set-Cookie": true, "Alt-Svc": true, "Clear-Site-Data": true, "Service-Worker-Allowed": true, "Strict-Transport-Security": true,
}

// writeResponse is an app's answer to its client. It comes from this server's address, so a page in it runs on its own and has
// none of this server's rights.
func writeResponse(c echo.Context, response sdk.HTTPResult) error {
	header := c.Response().Header()
	for name, value := range response.Headers {
		if canonical := http.CanonicalHeaderKey(name); !notForwarded[canonical] {
			header.Set(canonical, value)
		}
	}
	header.Set("Content-Security-Policy", "sandbox allow-forms allow-popups allow-scripts")
	c.Response().WriteHeader(response.Status)
	_, err := c.Response().Write([]byte(response.Body))
	return err
}
