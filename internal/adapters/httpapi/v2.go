package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Reruns starts runs again.
type Reruns interface {
	Run(ctx context.Context, id ulid.ULID, from *run.From) (ulid.ULID, error)
}

// Codes of the errors of the v2 API. Spec 04 §11.2.
const (
	codeAPI            = "api_error"
	codeFormat         = "invalid_field_format"
	codeInternal       = "internal_error"
	codeMissing        = "missing_field"
	codeNotFound       = "not_found"
	codeInvalid        = "invalid_request"
	codeSkipped        = "function_skipped"
	codeDebounced      = "function_debounced"
	codeRunCancelled   = "run_already_cancelled"
	codeRunEnded       = "run_already_ended"
	maxV2Body          = 4 << 20
	textRunNotFound    = "Run not found"
	textRerunFailed    = "Unable to rerun run"
	textCancelFailed   = "Unable to cancel run"
	textInvalidRunID   = "Run ID must be a valid ULID"
	textStepIDRequired = "Step ID is required"
)

// v2Routes are the routes of the v2 API, under both of its prefixes.
func (a *api) v2Routes() []route {
	var routes []route
	for _, prefix := range []string{"/api/v2", "/v2"} {
		routes = append(routes,
			route{http.MethodPost, prefix + "/runs/:run/rerun", managed, a.rerunV2},
			route{http.MethodPost, prefix + "/runs/:run/cancel", managed, a.cancelV2},
		)
	}
	return routes
}

// v2Error is an error of the v2 API.
func v2Error(c echo.Context, status int, code, message string) error {
	type failure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	return writeV2(c, status, struct {
		Errors []failure `json:"errors"`
	}{[]failure{{code, message}}})
}

// writeV2 writes a value as the v2 API does: without escapes for HTML and without a newline. Members are to be in order.
func writeV2(c echo.Context, status int, value any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	return writeBody(c, status, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// runV2 is the answer that names a run.
func (a *api) runV2(c echo.Context, id ulid.ULID) error {
	type data struct {
		RunID ulid.ULID `json:"runId"`
	}
	type metadata struct {
		FetchedAt time.Time `json:"fetchedAt"`
	}
	return writeV2(c, http.StatusOK, struct {
		Data     data     `json:"data"`
		Metadata metadata `json:"metadata"`
	}{data{id}, metadata{a.Clock.Now().UTC()}})
}

// rerunV2 is POST /api/v2/runs/{run}/rerun. Spec 04 §11.8.
func (a *api) rerunV2(c echo.Context) error {
	id, err := ulid.ParseStrict(c.Param("run"))
	if err != nil {
		return v2Error(c, http.StatusBadRequest, codeFormat, textInvalidRunID)
	}
	body, err := readBody(c, maxV2Body)
	if err != nil {
		return v2Error(c, statusOf(err), codeAPI, err.Error())
	}
	from, err := readRerun(body)
	if err != nil {
		return v2Error(c, http.StatusBadRequest, codeAPI, err.Error())
	}
	if from != nil && from.Step == "" {
		return v2Error(c, http.StatusBadRequest, codeMissing, textStepIDRequired)
	}
	next, err := a.Reruns.Run(context.WithoutCancel(c.Request().Context()), id, from)
	if err != nil {
		return a.rerunFailed(c, id, err)
	}
	return a.runV2(c, next)
}

// readRerun reads {"fromStep":{"stepId":"…","input":[…]}}; nil from is a rerun from the beginning. Members may be in camel or in
// snake case; an empty body says nothing.
func readRerun(body []byte) (*run.From, error) {
	type step struct {
		StepID  string          `json:"stepId"`
		StepID2 string          `json:"step_id"`
		Input   json.RawMessage `json:"input"`
	}
	var request struct {
		FromStep  *step `json:"fromStep"`
		FromStep2 *step `json:"from_step"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	from := request.FromStep
	if from == nil {
		from = request.FromStep2
	}
	if from == nil {
		return nil, nil
	}
	if from.StepID == "" {
		from.StepID = from.StepID2
	}
	return &run.From{Step: from.StepID, Input: from.Input}, nil
}

func (a *api) rerunFailed(c echo.Context, id ulid.ULID, err error) error {
	switch {
	case errors.Is(err, run.ErrNoSuchStep):
		return v2Error(c, http.StatusBadRequest, codeInvalid, "Step not found in original run")
	case errors.Is(err, run.ErrAmbiguousStep):
		return v2Error(c, http.StatusBadRequest, codeInvalid, "Step name matches multiple steps in original run")
	case errors.Is(err, run.ErrStepInput):
		return v2Error(c, http.StatusBadRequest, codeInvalid, run.ErrStepInput.Error())
	case errors.Is(err, ports.ErrNotFound):
		return v2Error(c, http.StatusNotFound, codeNotFound, textRunNotFound)
	case errors.Is(err, rerun.ErrNoFunction):
		return v2Error(c, http.StatusNotFound, codeNotFound, "Function not found")
	case errors.Is(err, rerun.ErrPaused):
		return v2Error(c, http.StatusUnprocessableEntity, codeSkipped, "Function invocation was skipped because the function is paused or draining.")
	case errors.Is(err, rerun.ErrSingleton):
		return v2Error(c, http.StatusUnprocessableEntity, codeSkipped, "Function invocation was skipped because another run of the function is in progress.")
	case errors.Is(err, rerun.ErrDebounced):
		return v2Error(c, http.StatusUnprocessableEntity, codeDebounced, "Function invocation was debounced.")
	case errors.Is(err, rerun.ErrNoEvents):
		return v2Error(c, http.StatusNotFound, codeNotFound, "The events of the run are not kept any more")
	}
	a.Log.ErrorContext(c.Request().Context(), "rerun", "run_id", id.String(), "error", err)
	return v2Error(c, http.StatusInternalServerError, codeInternal, textRerunFailed)
}

// cancelV2 is POST /api/v2/runs/{run}/cancel. Spec 04 §11.8.
func (a *api) cancelV2(c echo.Context) error {
	id, err := ulid.ParseStrict(c.Param("run"))
	if err != nil {
		return v2Error(c, http.StatusBadRequest, codeFormat, textInvalidRunID)
	}
	ctx := context.WithoutCancel(c.Request().Context())
	err = a.Runs.Cancel(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return a.cancelledNothing(c, id)
	}
	if err != nil {
		a.Log.ErrorContext(ctx, "cancel run", "run_id", id.String(), "error", err)
		return v2Error(c, http.StatusInternalServerError, codeInternal, textCancelFailed)
	}
	return a.runV2(c, id)
}

// cancelledNothing says why a run that is not in progress cannot be cancelled.
func (a *api) cancelledNothing(c echo.Context, id ulid.ULID) error {
	record, err := a.History.Run(c.Request().Context(), id)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return v2Error(c, http.StatusNotFound, codeNotFound, textRunNotFound)
	case err != nil:
		a.Log.ErrorContext(c.Request().Context(), "cancel run", "run_id", id.String(), "error", err)
		return v2Error(c, http.StatusInternalServerError, codeInternal, textCancelFailed)
	case record.Status == run.Cancelled:
		return v2Error(c, http.StatusConflict, codeRunCancelled, "Run is already cancelled")
	}
	return v2Error(c, http.StatusConflict, codeRunEnded, "Cannot cancel an ended run")
}
