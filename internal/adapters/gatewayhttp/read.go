package gatewayhttp

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"

	"github.com/ingothq/ingot/internal/domain/gateway"
)

// readAnswer reads and decodes an answer's body, and relays it while it arrives.
func readAnswer(answer *http.Response, relay func(chunk []byte)) (gateway.Response, error) {
	response := gateway.Response{Status: answer.StatusCode, Header: answer.Header}
	content, err := decode(answer)
	if err != nil {
		return response, err
	}
	response.Body, response.TooLarge, err = readLimited(content, protect(relay))
	if err != nil {
		return response, fmt.Errorf("read response: %w", err)
	}
	return response, nil
}

// decode returns an answer's decoded content. The headers that spoke of the encoded one are removed.
func decode(answer *http.Response) (io.Reader, error) {
	var content io.Reader
	switch encoding := strings.ToLower(strings.TrimSpace(answer.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return answer.Body, nil
	case "gzip", "x-gzip":
		content = &gzipReader{encoded: answer.Body}
	case "br":
		content = brotli.NewReader(answer.Body)
	default:
		if answer.ContentLength == 0 || answer.Body == http.NoBody {
			return http.NoBody, nil
		}
		return nil, fmt.Errorf("unsupported content encoding: %q", encoding)
	}
	if answer.ContentLength == 0 || answer.Body == http.NoBody {
		return http.NoBody, nil // as after HEAD; the headers tell of a body that is not here
	}
	answer.Header.Del("Content-Encoding")
	answer.Header.Del("Content-Length")
	return content, nil
}

// gzipReader reads the gzip header with the content, so that an empty body is an empty content.
type gzipReader struct {
	encoded io.Reader
	decoded *gzip.Reader
}

// Read implements io.Reader.
func (r *gzipReader) Read(into []byte) (int, error) {
	if r.decoded == nil {
		decoded, err := gzip.NewReader(r.encoded)
		if err != nil {
			return 0, err
		}
		r.decoded = decoded
	}
	return r.decoded.Read(into)
}

// readLimited reads a content and relays it. A content of more than gateway.MaxResponseBytes is tooLarge and not
// returned; no more than one piece beyond is read or relayed of it.
func readLimited(content io.Reader, relay func(chunk []byte)) (body []byte, tooLarge bool, err error) {
	const piece = 32 << 10
	chunk := make([]byte, piece)
	var read bytes.Buffer
	for {
		n, err := content.Read(chunk)
		if n > 0 {
			read.Write(chunk[:n])
			relay(chunk[:n])
		}
		switch {
		case read.Len() > gateway.MaxResponseBytes:
			return nil, true, nil
		case errors.Is(err, io.EOF):
			return read.Bytes(), false, nil
		case err != nil:
			return nil, false, err
		}
	}
}

// protect makes of a relay one that can be called whatever it does: it is not called again once it has panicked.
func protect(relay func(chunk []byte)) func(chunk []byte) {
	return func(chunk []byte) {
		if relay == nil {
			return
		}
		done := false
		defer func() {
			if !done {
				_ = recover()
				relay = nil
			}
		}()
		relay(chunk)
		done = true
	}
}
