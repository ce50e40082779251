package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// publicError is the error object of all routes but the event API's. Spec 04 §4.1.
type publicError struct {
	Code   string `json:"code,omitempty"`
	Error  string `json:"error"`
	Data   any    `json:"data"`
	Status int    `json:"status"`
}

func writeError(c echo.Context, status int, code, message string) {
	_ = writeJSON(c, status, publicError{Code: code, Error: message, Status: status})
}

// writeJSON writes a value and a newline, as clients of the reference expect.
func writeJSON(c echo.Context, status int, value any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(value); err != nil {
		return err
	}
	return c.Blob(status, echo.MIMEApplicationJSON, b.Bytes())
}

// envelope wraps the answers of /v1. Spec 04 §4.2.
type envelope struct {
	Data     any      `json:"data"`
	Metadata metadata `json:"metadata"`
}

type metadata struct {
	FetchedAt time.Time `json:"fetched_at"`
}

func (a *api) writeData(c echo.Context, data any) error {
	return writeJSON(c, http.StatusOK, envelope{data, metadata{a.Clock.Now()}})
}

// errTooLarge says that a request body is longer than its route takes.
var errTooLarge = errors.New("request body too large")

// readBody reads a body of at most limit bytes.
func readBody(c echo.Context, limit int64) ([]byte, error) {
	r := c.Request()
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(c.Response(), r.Body, limit)); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, errTooLarge
		}
		return nil, err
	}
	return b.Bytes(), nil
}
