package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// register is POST /fn/register. Spec 01 §4.7, §4.8.
func (a *api) register(c echo.Context) error {
	expected := c.Request().Header.Get("X-Inngest-Expected-Server-Kind")
	if text, mismatch := function.KindMismatch(string(a.config.Kind), expected); mismatch {
		return writeJSON(c, http.StatusBadRequest, plainError{text})
	}
	body, err := readBody(c, maxRegisterBody)
	if err != nil {
		return writeJSON(c, statusOf(err), plainError{"Invalid request: " + err.Error()})
	}
	result, err := a.Sync.Register(c.Request().Context(), body)
	if refused := (*appsync.RefusedError)(nil); errors.As(err, &refused) {
		if refused.Unreadable {
			return writeJSON(c, http.StatusBadRequest, plainError{refused.Text})
		}
		writeError(c, http.StatusBadRequest, refused.Code, refused.Text)
		return nil
	}
	if err != nil {
		a.Log.ErrorContext(c.Request().Context(), "register app", "error", err)
		writeError(c, http.StatusInternalServerError, "", function.TextSavingFunction)
		return nil
	}
	answer, err := json.Marshal(struct {
		OK       bool      `json:"ok"`
		Modified bool      `json:"modified"`
		Message  string    `json:"message,omitempty"`
		SyncID   uuid.UUID `json:"sync_id"`
		AppID    uuid.UUID `json:"app_id"`
	}{true, result.Modified, result.Message, uuid.New(), result.AppID})
	if err != nil {
		return err
	}
	return writeBody(c, http.StatusOK, answer) // without the newline that all others have
}

type plainError struct {
	Error string `json:"error"`
}

// remove is DELETE /fn/remove?url=. Spec 04 §5.2.
func (a *api) remove(c echo.Context) error {
	url := c.FormValue("url")
	err := a.Sync.Remove(c.Request().Context(), url)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		writeError(c, http.StatusNotFound, "", "App not found: "+url)
	case err != nil:
		a.Log.ErrorContext(c.Request().Context(), "remove app", "error", err)
		writeError(c, http.StatusInternalServerError, "", "Error removing app")
	default:
		return c.NoContent(http.StatusOK)
	}
	return nil
}

// setLimit is POST /fn/step-limit and /fn/state-size-limit. Spec 04 §5.3.
func (a *api) setLimit(set func(uuid.UUID, int)) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := readForm(c); err != nil {
			writeError(c, statusOf(err), "", "Invalid form: "+err.Error())
			return nil
		}
		limit, err := strconv.Atoi(c.FormValue("limit"))
		if err != nil {
			writeError(c, http.StatusBadRequest, "", "Invalid limit: "+c.FormValue("limit"))
			return nil
		}
		if id, err := uuid.Parse(c.FormValue("functionId")); err == nil {
			set(id, limit)
		}
		return c.NoContent(http.StatusOK)
	}
}

// dropLimit is DELETE of the same routes.
func (a *api) dropLimit(drop func(uuid.UUID) bool, what string) echo.HandlerFunc {
	return func(c echo.Context) error {
		text := c.FormValue("functionId")
		if id, err := uuid.Parse(text); err != nil || !drop(id) {
			writeError(c, http.StatusNotFound, "", fmt.Sprintf("No %s set for function: %s", what, text))
			return nil
		}
		return c.NoContent(http.StatusOK)
	}
}
