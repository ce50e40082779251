package sdkhttp

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// payload is the body of a call's requests. A transport may go on reading a body after it has returned, so the payload
// can be taken away from it.
type payload struct {
	mu      sync.Mutex
	content []byte
	gone    bool
}

var errDetached = errors.New("the call has ended")

// detach ends all reading; the content is the caller's again.
func (p *payload) detach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
}

// open returns a reader of the whole payload.
func (p *payload) open() io.ReadCloser { return &payloadReader{payload: p} }

type payloadReader struct {
	payload *payload
	offset  int
}

// Read implements io.Reader.
func (r *payloadReader) Read(into []byte) (int, error) {
	r.payload.mu.Lock()
	defer r.payload.mu.Unlock()
	switch {
	case r.payload.gone:
		return 0, errDetached
	case r.offset == len(r.payload.content):
		return 0, io.EOF
	}
	n := copy(into, r.payload.content[r.offset:])
	r.offset += n
	return n, nil
}

// Close implements io.Closer.
func (r *payloadReader) Close() error { return nil }

// readAnswer reads an answer's body, decodes it, and closes it.
func readAnswer(answer *http.Response) (sdk.Response, error) {
	defer answer.Body.Close()
	response := sdk.Response{Status: answer.StatusCode, Header: firstValues(answer.Header)}
	content, length, err := decode(answer)
	if err != nil {
		return response, err
	}
	if length < 0 {
		delete(response.Header, "Content-Encoding")
		delete(response.Header, "Content-Length")
	}
	response.Body, response.TooLarge, err = readLimited(content, length)
	if err != nil {
		return response, errReset
	}
	return response, nil
}

// decode returns an answer's decoded content, with its length or -1.
func decode(answer *http.Response) (io.Reader, int64, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(answer.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return answer.Body, answer.ContentLength, nil
	case "gzip":
		content, err := gzip.NewReader(answer.Body)
		if err != nil {
			return nil, 0, errReset
		}
		return content, -1, nil
	case "br":
		return brotli.NewReader(answer.Body), -1, nil
	default:
		return nil, 0, encodingError(encoding)
	}
}

// buffers are for contents of unknown length; they are copied out at their exact size.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readLimited reads a content of the given length, or of an unknown one if it is negative. A content of more than
// sdk.MaxResponseBytes is tooLarge and not returned.
func readLimited(content io.Reader, length int64) (read []byte, tooLarge bool, err error) {
	if length > sdk.MaxResponseBytes {
		return nil, true, nil
	}
	if length >= 0 {
		read = make([]byte, length)
		if _, err := io.ReadFull(content, read); err != nil {
			return nil, false, err
		}
		// The end must be seen for the connection to be kept.
		_, _ = content.Read(make([]byte, 1))
		return read, false, nil
	}
	buffer := buffers.Get().(*bytes.Buffer)
	defer func() {
		const mostKept = 1 << 20
		if buffer.Cap() <= mostKept {
			buffers.Put(buffer)
		}
	}()
	buffer.Reset()
	if _, err := buffer.ReadFrom(io.LimitReader(content, sdk.MaxResponseBytes+1)); err != nil {
		return nil, false, err
	}
	if buffer.Len() > sdk.MaxResponseBytes {
		return nil, true, nil
	}
	return bytes.Clone(buffer.Bytes()), false, nil
}

// discard reads a little of a body that nobody needs, so that the connection may be kept, and closes it.
func discard(content io.ReadCloser) {
	const most = 2 << 10
	_, _ = io.CopyN(io.Discard, content, most)
	content.Close()
}
