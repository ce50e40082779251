package sdkhttp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/httppool"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/testkit"
)

func TestCall_SendsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	type seen struct {
		Method, URL, Body string
		Length            int64
		Close             bool
		Encoding          []string
		Header            http.Header
	}
	requests := make(chan seen, 1)
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		requests <- seen{r.Method, r.URL.String(), string(content), r.ContentLength, r.Close, r.TransferEncoding, r.Header}
		w.Header().Set("x-inngest-sdk", "js:v4.24.0")
		w.Header().Add("Multi", "first")
		w.Header().Add("Multi", "second")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, `[]`)
	})
	call := aCall(app.URL + "/api/inngest?fnId=app-fn&stepId=step")
	call.Header = sdk.Headers(sdk.HeaderInput{
		RunID: ulid.MustParse("01M85AZD4YFS3SBA6XSGVZRXBB"), FunctionID: uuid.Nil, Target: "step",
		JobID: "3lf0gww6iso0o", RequestID: "01M85AZD9NC7237MR9G5570WH9", GenerationID: 1, RequestVersion: -1,
	})
	response, err := newWorker(t, Config{}).Call(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}

	want := seen{
		Method: "POST", URL: "/api/inngest?fnId=app-fn&stepId=step", Body: `{"ctx":{}}`, Length: 10,
		Header: http.Header{
			"Accept-Encoding": {"gzip"}, "Account-Id": {sdk.AccountID}, "Content-Length": {"10"},
			"Content-Type": {"application/json"}, "User-Agent": {"Inngest"}, "X-Inngest-Generation-Id": {"1"},
			"X-Inngest-Job-Id": {"3lf0gww6iso0o"}, "X-Inngest-Req-Version": {"-1"}, "X-Inngest-Step-Id": {"step"},
			"X-Request-Id": {"01M85AZD9NC7237MR9G5570WH9"}, "X-Run-Id": {"01M85AZD4YFS3SBA6XSGVZRXBB"},
		},
	}
	if diff := cmp.Diff(want, <-requests); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	delete(response.Header, "Date")
	wantResponse := sdk.Response{
		Status: 206, Body: []byte("[]"),
		Header: map[string]string{"X-Inngest-Sdk": "js:v4.24.0", "Multi": "first", "Content-Length": "2", "Content-Type": "text/plain; charset=utf-8"},
	}
	if diff := cmp.Diff(wantResponse, response); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
}

func TestCall_KeepsTheConnection(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
	}))
	app.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	app.Start()
	t.Cleanup(app.Close)
	worker := newWorker(t, Config{})
	for _, path := range []string{"/", "/", "/chunked", "/chunked", "/"} {
		if response, err := worker.Call(t.Context(), aCall(app.URL+path)); err != nil || string(response.Body) != `{"ctx":{}}` {
			t.Fatalf("got %+v, %v", response, err)
		}
	}
	if got := opened.Load(); got != 1 {
		t.Errorf("%d connections for 5 calls, want 1", got)
	}
}

func TestCall_DeadConnections(t *testing.T) {
	t.Parallel()
	type answers = [][]func(net.Conn)
	unreachable := sdk.Response{TransportError: textUnreachable}
	ok := sdk.Response{Status: 200, Body: []byte("{}"), Header: map[string]string{"X-Inngest-Sdk": "js:v4", "Content-Length": "2"}}
	for name, test := range map[string]struct {
		answers     answers
		step        time.Duration
		calls       int
		want        sdk.Response
		connections int
	}{
		"a kept one costs no attempt":           {answers{{testkit.Say(okAnswer), testkit.HangUp}, {testkit.Say(okAnswer)}}, 0, 2, ok, 2},
		"a new one costs the attempt":           {answers{{testkit.HangUp}, {testkit.Say(okAnswer)}}, 0, 1, unreachable, 1},
		"the second try is the last":            {answers{{testkit.Say(okAnswer), testkit.HangUp}, {testkit.HangUp}, {testkit.Say(okAnswer)}}, 0, 2, unreachable, 2},
		"not tried again once it has answered":  {answers{{testkit.Say(okAnswer), testkit.Say("HTTP/1.1 200 OK\r\n")}, {testkit.Say(okAnswer)}}, 0, 2, unreachable, 1},
		"not tried again after it has worked":   {answers{{testkit.Say(okAnswer), testkit.HangUp}, {testkit.Say(okAnswer)}}, 2 * httppool.StaleWithin, 2, unreachable, 1},
		"an answer that ends early is a reset":  {answers{{testkit.Say("HTTP/1.1 201 Created\r\nX-Inngest-Sdk: js:v4\r\nContent-Length: 9\r\n\r\n{}")}}, 0, 1, sdk.Response{Status: 201, Header: map[string]string{"X-Inngest-Sdk": "js:v4", "Content-Length": "9"}, TransportError: textReset}, 1},
		"a chunked one that ends early as well": {answers{{testkit.Say("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}")}}, 0, 1, sdk.Response{Status: 201, Header: map[string]string{}, TransportError: textReset}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, accepted := testkit.Script(t, test.answers...)
			worker := New(Config{}, newClock(test.step))
			t.Cleanup(worker.Close)
			var response sdk.Response
			for range test.calls {
				var err error
				if response, err = worker.Call(t.Context(), aCall(url)); err != nil {
					t.Fatal(err)
				}
			}
			response.Timing = sdk.Timing{} // TestCall_TellsWhereItsTimeWent
			if diff := cmp.Diff(test.want, response); diff != "" {
				t.Errorf("last response (-want +got):\n%s", diff)
			}
			if got := accepted(); got != test.connections {
				t.Errorf("%d connections, want %d", got, test.connections)
			}
		})
	}
}

func TestCall_SaysWhyThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	garbage, _ := testkit.Script(t, []func(net.Conn){testkit.Say("SSH-2.0-OpenSSH\r\n\r\n")})
	for name, test := range map[string]struct{ url, want string }{
		"nobody listens":   {closed, "Unable to reach SDK URL"},
		"not HTTP":         {garbage, `error performing request: Post "` + garbage + `": net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH"`},
		"not a URL":        {"http://[", `error performing request: parse "http://[": missing ']' in host`},
		"another protocol": {"ftp://user:secret@example.com/", `error performing request: Post "ftp://user:xxxxx@example.com/": unsupported protocol scheme "ftp"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, err := newWorker(t, Config{}).Call(t.Context(), aCall(test.url))
			if err != nil || response.TransportError != test.want {
				t.Errorf("got %+v, %v; want %s", response, err, test.want)
			}
		})
	}
}

func TestTransportText_KnowsAnUnreachableNetwork(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"dial tcp: connect: no route to host", "connect: network is unreachable"} {
		if got := transportText(errors.New(text)); got != textUnreachable {
			t.Errorf("%s reads %s", text, got)
		}
	}
}

func TestCall_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	started, ended := make(chan struct{}), make(chan struct{})
	app := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(started)
		<-r.Context().Done() // the connection is closed
		close(ended)
	})
	reason := errors.New("lease lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-started; cancel(reason) }()
	response, err := newWorker(t, Config{}).Call(ctx, aCall(app.URL))
	if !errors.Is(err, reason) || response.Status != 0 {
		t.Errorf("got %+v, %v", response, err)
	}
	<-ended
}

func TestCall_HasATimeLimit(t *testing.T) {
	t.Parallel()
	app := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	response, err := newWorker(t, Config{CallTimeout: 20 * time.Millisecond}).Call(t.Context(), aCall(app.URL))
	want := `error performing request: Post "` + app.URL + `": context deadline exceeded`
	if err != nil || response.TransportError != want {
		t.Errorf("got %+v, %v; want %s", response, err, want)
	}
}

// The race detector is the judge here: the app answers before it has read the body.
func TestCall_LeavesTheBodyAloneAfterwards(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	call := aCall(app.URL)
	call.Body = make([]byte, 16<<20)
	if response, err := newWorker(t, Config{}).Call(t.Context(), call); err != nil || response.Status != 401 && response.TransportError == "" {
		t.Fatalf("got %+v, %v", response, err)
	}
	clear(call.Body)
}

func TestPayload_IsNotReadOnceDetached(t *testing.T) {
	t.Parallel()
	sent := &payload{content: []byte("abc")}
	reader := sent.open()
	part := make([]byte, 2)
	if n, err := reader.Read(part); n != 2 || err != nil {
		t.Fatalf("read %d, %v", n, err)
	}
	sent.detach()
	if n, err := reader.Read(part); n != 0 || !errors.Is(err, errDetached) {
		t.Errorf("read %d, %v after the call", n, err)
	}
}

func TestCall_DecodesAnswers(t *testing.T) {
	t.Parallel()
	const content = `{"hello":"world"}`
	for name, test := range map[string]struct {
		encoding string
		body     []byte
		want     sdk.Response
	}{
		"plain":                    {"", []byte(content), sdk.Response{Body: []byte(content)}},
		"identity":                 {"identity", []byte(content), sdk.Response{Body: []byte(content)}},
		"gzip":                     {"GZIP", zipped(content), sdk.Response{Body: []byte(content)}},
		"br":                       {"br", brotlied(content), sdk.Response{Body: []byte(content)}},
		"unsupported":              {"deflate", []byte("x"), sdk.Response{TransportError: `unsupported content encoding: "deflate"`}},
		"not gzip":                 {"gzip", []byte(content), sdk.Response{TransportError: textReset}},
		"cut gzip":                 {"gzip", zipped(content)[:20], sdk.Response{TransportError: textReset}},
		"not br":                   {"br", []byte(content), sdk.Response{TransportError: textReset}},
		"gzip bomb":                {"gzip", zipped(strings.Repeat("0", sdk.MaxResponseBytes+1)), sdk.Response{TooLarge: true}},
		"as large as it may be":    {"", make([]byte, sdk.MaxResponseBytes), sdk.Response{Body: make([]byte, sdk.MaxResponseBytes)}},
		"larger, says its length":  {"", make([]byte, sdk.MaxResponseBytes+1), sdk.Response{TooLarge: true}},
		"as large, of no length":   {"chunked", make([]byte, sdk.MaxResponseBytes), sdk.Response{Body: make([]byte, sdk.MaxResponseBytes)}},
		"larger, and of no length": {"chunked", make([]byte, sdk.MaxResponseBytes+1), sdk.Response{TooLarge: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.encoding == "chunked" {
					w.(http.Flusher).Flush()
				} else if test.encoding != "" {
					w.Header().Set("Content-Encoding", test.encoding)
				}
				_, _ = w.Write(test.body)
			})
			response, err := newWorker(t, Config{}).Call(t.Context(), aCall(app.URL))
			if err != nil {
				t.Fatal(err)
			}
			if decoded := response.Header["Content-Encoding"]; test.want.TransportError == "" && decoded != "" && decoded != "identity" {
				t.Errorf("Content-Encoding %q is left", decoded)
			}
			if !bytes.Equal(response.Body, test.want.Body) || response.TooLarge != test.want.TooLarge ||
				response.TransportError != test.want.TransportError || response.Status != 200 {
				t.Errorf("got status %d, %d bytes, too large %v, error %q", response.Status, len(response.Body), response.TooLarge, response.TransportError)
			}
		})
	}
}

func zipped(text string) []byte {
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	_, _ = io.WriteString(writer, text)
	writer.Close()
	return buffer.Bytes()
}

func brotlied(text string) []byte {
	var buffer bytes.Buffer
	writer := brotli.NewWriter(&buffer)
	_, _ = io.WriteString(writer, text)
	writer.Close()
	return buffer.Bytes()
}

func TestCall_SendsTheCredentialsOfItsURL(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_, _ = io.WriteString(w, user+":"+password)
	})
	response, err := newWorker(t, Config{}).Call(t.Context(), aCall(strings.Replace(app.URL, "://", "://ann:secret@", 1)))
	if err != nil || string(response.Body) != "ann:secret" {
		t.Errorf("got %s, %v", response.Body, err)
	}
}

func TestCall_SpeaksHTTP2(t *testing.T) {
	t.Parallel()
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	app.EnableHTTP2 = true
	app.StartTLS()
	t.Cleanup(app.Close)
	worker := newWorker(t, Config{})
	worker.pool.Kept.TLSClientConfig.RootCAs = app.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	response, err := worker.Call(t.Context(), aCall(app.URL))
	if err != nil || string(response.Body) != "HTTP/2.0" {
		t.Errorf("got %+v, %v", response, err)
	}
}

func BenchmarkCall(b *testing.B) {
	app := serve(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Inngest-Sdk", "js:v4.24.0")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, `[{"op":"StepRun","id":"98bf98df193bcce7c33e6bc50927cf2ac21206cb","name":"first","data":"hi"}]`)
	})
	worker := newWorker(b, Config{})
	call := aCall(app.URL + "/api/inngest?fnId=app-fn&stepId=step")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			response, err := worker.Call(b.Context(), call)
			if err != nil || response.Status != 206 {
				b.Errorf("got %+v, %v", response, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
