package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/ports"
)

// functionAnswer is a function as REST shows it. Spec 04 §7.3.
type functionAnswer struct {
	InternalID    uuid.UUID       `json:"internal_id"`
	EnvironmentID uuid.UUID       `json:"env_id"`
	AppID         uuid.UUID       `json:"app_id"`
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	Config        json.RawMessage `json:"config"`
	CreatedAt     time.Time       `json:"created_at"`
	// ArchivedAt is always zero: only active functions are shown.
	ArchivedAt time.Time `json:"archived_at"`
}

// appFunctions is GET /v1/apps/{app}/functions: a bare array, empty for an app that is not known.
func (a *api) appFunctions(c echo.Context) error {
	ctx := c.Request().Context()
	app, err := a.Catalog.AppByName(ctx, pathText(c, "app"))
	if errors.Is(err, ports.ErrNotFound) {
		return writeJSON(c, http.StatusOK, []functionAnswer{})
	}
	var functions []ports.FunctionRecord
	if err == nil {
		functions, err = a.Catalog.FunctionsOf(ctx, app.ID)
	}
	if err != nil {
		a.Log.ErrorContext(ctx, "list functions of app", "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to list functions: the catalog is unavailable")
		return nil
	}
	slices.SortFunc(functions, func(x, y ports.FunctionRecord) int { return bytes.Compare(x.ID[:], y.ID[:]) })
	answer := make([]functionAnswer, len(functions))
	for i, fn := range functions {
		answer[i] = functionAnswer{
			InternalID: fn.ID, AppID: fn.AppID, ID: fn.Slug, Name: fn.Name, Config: fn.Config, CreatedAt: fn.CreatedAt,
		}
	}
	return writeJSON(c, http.StatusOK, answer)
}

// prometheus is GET /v1/prom/{env}, which is not there outside of the cloud. Spec 04 §7.6.
func (a *api) prometheus(c echo.Context) error {
	writeError(c, http.StatusNotImplemented, "", "not implemented")
	return nil
}
