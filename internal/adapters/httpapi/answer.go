package httpapi

import (
	"bytes"
	"encoding/json"
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

// encodeError is the error object as JSON, with a newline.
func encodeError(status int, message string) []byte {
	body, err := json.Marshal(publicError{Error: message, Status: status})
	if err != nil {
		return nil // texts and numbers always encode
	}
	return append(body, '\n')
}

// jsonType is shared by all answers; nobody changes it.
var jsonType = []string{echo.MIMEApplicationJSON}

// writeJSON writes a value and a newline, as clients of the reference expect.
func writeJSON(c echo.Context, status int, value any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(value); err != nil {
		return err
	}
	return writeBody(c, status, b.Bytes())
}

// writeBody writes a JSON text as it is.
func writeBody(c echo.Context, status int, body []byte) error {
	w := c.Response()
	w.Header()[echo.HeaderContentType] = jsonType
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// envelope wraps the answers of /v1. Spec 04 §4.2.
type envelope struct {
	Data     any          `json:"data"`
	Metadata envelopeMeta `json:"metadata"`
}

type envelopeMeta struct {
	FetchedAt time.Time `json:"fetched_at"`
}

func (a *api) writeData(c echo.Context, data any) error {
	return writeJSON(c, http.StatusOK, envelope{data, envelopeMeta{a.Clock.Now()}})
}
