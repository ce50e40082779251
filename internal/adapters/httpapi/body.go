package httpapi

import (
	"bytes"
	"errors"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"
)

// Most bytes of the body of a request. The reference has no such limits.
const (
	// maxEventsBody bounds a request to the event API, all its events together.
	maxEventsBody = 64 << 20
	// maxInvokeBody bounds the body of an invocation: one event.
	maxInvokeBody = 3 << 20
	// maxRegisterBody bounds a registration: an app with thousands of functions fits.
	maxRegisterBody = 32 << 20
	// maxFormBody bounds a form of a few fields.
	maxFormBody = 64 << 10
)

// errTooLarge says that a request body is longer than its route takes.
var errTooLarge = errors.New("request body too large")

const (
	// trustedLength is how much memory the announced length of a body gets before any of it is there.
	trustedLength = 1 << 20
	// keptBuffer is the largest buffer that is kept for the next request.
	keptBuffer = 64 << 10
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// borrowBuffer gives an empty buffer for as long as the request lasts.
func borrowBuffer() *bytes.Buffer {
	b, _ := buffers.Get().(*bytes.Buffer)
	return b
}

func returnBuffer(b *bytes.Buffer) {
	if b.Cap() <= keptBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// readBody reads a body of at most limit bytes.
func readBody(c echo.Context, limit int64) ([]byte, error) {
	var b bytes.Buffer
	err := readInto(&b, c, limit)
	return b.Bytes(), err
}

func readInto(b *bytes.Buffer, c echo.Context, limit int64) error {
	r := c.Request()
	body := r.Body
	switch {
	case r.ContentLength > limit:
		return errTooLarge
	case r.ContentLength < 0:
		body = http.MaxBytesReader(c.Response(), body, limit)
	default: // the server lets no more through than was announced
		b.Grow(int(min(r.ContentLength, trustedLength)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(body)
	return tooLarge(err)
}

// readForm makes the fields of a body of at most maxFormBody bytes, and those of the query, available. What is no form has
// no fields; only a body that is too long is an error.
func readForm(c echo.Context) error {
	r := c.Request()
	r.Body = http.MaxBytesReader(c.Response(), r.Body, maxFormBody)
	for _, err := range []error{r.ParseForm(), r.ParseMultipartForm(maxFormBody)} {
		if err = tooLarge(err); errors.Is(err, errTooLarge) {
			return err
		}
	}
	return nil
}

// tooLarge gives a reader's complaint about the length of a body its own error.
func tooLarge(err error) error {
	if err == nil {
		return nil
	}
	if limit := (*http.MaxBytesError)(nil); errors.As(err, &limit) {
		return errTooLarge
	}
	return err
}

// statusOf is the status of a body that could not be read.
func statusOf(err error) int {
	if errors.Is(err, errTooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}
