package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/ports"
)

// maxMetadataBody bounds a request: what a run may have, and as much again for names and spaces.
const maxMetadataBody = 2 * metadata.MaxRunBytes

// The reference's words for metadata that is too large.
const (
	updateTooLarge = "Metadata span exceeds maximum size of 64KB"
	runFull        = "Cumulative metadata size exceeds limit"
)

// invalidMetadata says, beside the reference's words, which member is at fault.
type invalidMetadata struct {
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

// putMetadata is POST /v1/runs/{id}/metadata. The updates are durable before the answer. Spec 04 §7.2.
func (a *api) putMetadata(c echo.Context) error {
	id, ok := a.metadataRun(c)
	if !ok {
		return nil
	}
	body, err := readBody(c, maxMetadataBody)
	if errors.Is(err, errTooLarge) {
		writeError(c, http.StatusRequestEntityTooLarge, "", runFull)
		return nil
	}
	if err != nil {
		writeError(c, http.StatusBadRequest, "", "Invalid metadata target")
		return nil
	}
	updates, err := metadata.Parse(body)
	if invalid := (*metadata.InvalidError)(nil); errors.As(err, &invalid) {
		message := "Invalid metadata"
		if invalid.Target {
			message = "Invalid metadata target"
		}
		answer := publicError{Error: message, Status: http.StatusBadRequest}
		if invalid.Field != "" {
			answer.Data = invalidMetadata{invalid.Field, invalid.Reason}
		}
		return writeJSON(c, http.StatusBadRequest, answer)
	}
	if err == nil {
		// The SDK may have given up waiting; what it sent is kept all the same.
		err = a.Metadata.Put(context.WithoutCancel(c.Request().Context()), id, updates)
	}
	if err != nil {
		a.metadataFailed(c, id, err)
		return nil
	}
	return c.NoContent(http.StatusOK)
}

// metadataFailed answers for metadata that cannot be written or read.
func (a *api) metadataFailed(c echo.Context, id ulid.ULID, err error) {
	switch {
	case errors.Is(err, ports.ErrNotFound):
		writeError(c, http.StatusNotFound, "", "Unable to find metadata target")
	case errors.Is(err, metadata.ErrUpdateTooLarge):
		writeError(c, http.StatusRequestEntityTooLarge, "", updateTooLarge)
	case errors.Is(err, metadata.ErrRunFull):
		writeError(c, http.StatusRequestEntityTooLarge, "", runFull)
	default:
		a.Log.ErrorContext(c.Request().Context(), "metadata of run", "run_id", id.String(), "error", err)
		writeError(c, http.StatusServiceUnavailable, "", "the run store is unavailable")
	}
}

// metadataRun reads the run of the path, or answers why there is no metadata.
func (a *api) metadataRun(c echo.Context) (ulid.ULID, bool) {
	if a.config.NoMetadata {
		writeError(c, http.StatusForbidden, "", "Metadata is not enabled for this account")
		return ulid.ULID{}, false
	}
	return idParam(c, "run")
}

// metadataAnswer is the metadata of one kind that a run, a step or a span has.
type metadataAnswer struct {
	Scope metadata.Scope `json:"scope"`
	// StepID is the hashed ID; StepAttempt is left out for the attempt that ended the step.
	StepID      string          `json:"step_id,omitempty"`
	StepAttempt *int            `json:"step_attempt,omitempty"`
	SpanID      string          `json:"span_id,omitempty"`
	Kind        string          `json:"kind"`
	Values      metadata.Values `json:"values"`
	UpdatedAt   time.Time       `json:"updated_at"`
}

// readMetadata is GET /v1/runs/{id}/metadata: what all updates of the run add up to. The reference has no such route.
func (a *api) readMetadata(c echo.Context) error {
	id, ok := a.metadataRun(c)
	if !ok {
		return nil
	}
	all, err := a.Metadata.All(c.Request().Context(), id)
	if err != nil {
		a.metadataFailed(c, id, err)
		return nil
	}
	values := metadata.Fold(all)
	answer := make([]metadataAnswer, len(values))
	for i, value := range values {
		answer[i] = metadataAnswer{
			Scope: value.Target.Scope(), StepID: value.Target.StepID, SpanID: value.Target.SpanID, Kind: value.Kind, Values: value.Values,
			UpdatedAt: value.UpdatedAt,
		}
		if value.Target.Attempt != metadata.FinalAttempt {
			answer[i].StepAttempt = &values[i].Target.Attempt
		}
	}
	return a.writeData(c, answer)
}
