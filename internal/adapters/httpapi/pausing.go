package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Pauses pauses functions and resumes them.
type Pauses interface {
	Set(ctx context.Context, app, name string, paused bool) (function.Function, error)
	SetByID(ctx context.Context, id uuid.UUID, paused bool) (function.Function, error)
}

// setPaused is POST /v1/apps/{app}/functions/{function}/pause and /resume. The reference has no such routes.
func (a *api) setPaused(paused bool) echo.HandlerFunc {
	return func(c echo.Context) error {
		fn, err := a.Pauses.Set(context.WithoutCancel(c.Request().Context()), pathText(c, "app"), pathText(c, "function"), paused)
		switch {
		case errors.Is(err, ports.ErrNotFound):
			writeError(c, http.StatusNotFound, "", "function not found")
		case err != nil:
			a.Log.ErrorContext(c.Request().Context(), "set pause of function", "error", err)
			writeError(c, http.StatusInternalServerError, "", "Unable to pause or resume the function: the catalog is unavailable")
		default:
			return a.writeData(c, struct {
				ID         string    `json:"id"`
				InternalID uuid.UUID `json:"internal_id"`
				IsPaused   bool      `json:"is_paused"`
			}{fn.Slug, fn.ID, paused})
		}
		return nil
	}
}

// pathText is a parameter of the path as it was meant: the library leaves it escaped when the path has its escapes still.
func pathText(c echo.Context, name string) string {
	text := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return text
	}
	if meant, err := url.PathUnescape(text); err == nil {
		return meant
	}
	return text
}
