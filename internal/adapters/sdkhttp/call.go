package sdkhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/ingothq/ingot/internal/adapters/httppool"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// The error texts of spec 01 §9.
const (
	textUnreachable = "Unable to reach SDK URL"
	textReset       = "Your server reset the connection while we were reading the reply: Unexpected ending response"
)

// Call makes one call. A failure to get a response is the response's TransportError; the error is for a context that
// ended. c.Body is not read after Call has returned. Source: spec 01 §9.
func (w *Worker) Call(ctx context.Context, c ports.Call) (sdk.Response, error) {
	timed, cancel := context.WithTimeout(ctx, w.config.CallTimeout)
	defer cancel()
	var timing sdk.Timing
	start := w.clock.Now()
	response, err := w.call(timed, c, &timing)
	timing.Total = w.clock.Now().Sub(start)
	response.Timing = timing
	if ctx.Err() != nil {
		return sdk.Response{}, fmt.Errorf("call app %s: %w", c.URL, context.Cause(ctx))
	}
	if err != nil {
		response.TransportError = transportText(err)
	}
	return response, nil
}

// call follows redirects and reads the answer. timing gets what the parts of it took.
func (w *Worker) call(ctx context.Context, c ports.Call, timing *sdk.Timing) (sdk.Response, error) {
	target, err := url.Parse(c.URL)
	if err != nil {
		return sdk.Response{}, err
	}
	first := leg{method: cmp.Or(c.Method, http.MethodPost), url: target, header: headerOf(c.Header)}
	if len(c.Body) > 0 {
		first.body = &payload{content: c.Body}
		defer first.body.detach()
	}
	current := first
	for count := 0; ; count++ {
		answer, opening, err := w.send(ctx, current)
		timing.DNS, timing.TCP, timing.TLS = timing.DNS+opening.DNS, timing.TCP+opening.TCP, timing.TLS+opening.TLS
		if err != nil {
			return sdk.Response{}, &url.Error{Op: "Post", URL: current.url.Redacted(), Err: err}
		}
		location := redirection(answer)
		if location == "" {
			began := w.clock.Now()
			response, err := readAnswer(answer)
			timing.Transfer = w.clock.Now().Sub(began)
			return response, err
		}
		discard(answer.Body)
		if count == httppool.MaxRedirects {
			return sdk.Response{}, &url.Error{Op: "Post", URL: current.url.Redacted(), Err: httppool.ErrRedirects}
		}
		current, err = current.follow(first, answer.StatusCode, location)
		if err != nil {
			return sdk.Response{}, &url.Error{Op: "Post", URL: first.url.Redacted(), Err: err}
		}
	}
}

// send makes one request.
func (w *Worker) send(ctx context.Context, l leg) (*http.Response, httppool.Opening, error) {
	request := (&http.Request{
		Method: l.method, URL: l.url, Host: l.url.Host, Header: l.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if user := l.url.User; user != nil {
		password, _ := user.Password()
		request.Header = l.header.Clone()
		request.SetBasicAuth(user.Username(), password)
	}
	if l.body != nil {
		request.Body = l.body.open()
		request.GetBody = func() (io.ReadCloser, error) { return l.body.open(), nil }
		request.ContentLength = int64(len(l.body.content))
	}
	return w.pool.Do(request)
}

// headerOf makes the headers of a call. Accept-Encoding is set so that decoding is ours, with its limits and its errors.
func headerOf(values map[string]string) http.Header {
	header := make(http.Header, len(values)+1)
	all := make([]string, len(values))
	for name, value := range values {
		all[0] = value
		header[http.CanonicalHeaderKey(name)] = all[:1:1] // one allocation for the values of all
		all = all[1:]
	}
	header["Accept-Encoding"] = []string{"gzip"}
	return header
}

// errReset says that an answer ended before its end.
var errReset = errors.New(textReset)

// encodingError says that an answer is compressed in a way that was not asked for.
type encodingError string

func (e encodingError) Error() string {
	return fmt.Sprintf("unsupported content encoding: %q", string(e))
}

// transportText says in the words of spec 01 §9 why there is no answer.
func transportText(err error) string {
	var encoding encodingError
	switch {
	case errors.Is(err, errReset):
		return textReset
	case errors.As(err, &encoding):
		return encoding.Error()
	case isUnreachable(err):
		return textUnreachable
	default:
		return "error performing request: " + err.Error()
	}
}

func isUnreachable(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	text := err.Error()
	for _, sign := range []string{"connection refused", "unreachable", "no route to host"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
