package ingot

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes in memory, so that a test's clock rules their deadlines.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects a client to a server with the listener's limits.
func dial(t *testing.T, handler http.Handler) net.Conn {
	t.Helper()
	listener := pipes{make(chan net.Conn), make(chan struct{})}
	srv := webServer(handler, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(listener) }()
	client, server := net.Pipe()
	listener.conns <- server
	t.Cleanup(func() {
		_ = client.Close()
		_ = srv.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return client
}

func TestWebServer_SlowClients(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		first string // what the client sends before it falls silent
		limit time.Duration
	}{
		"nothing at all":     {"", readHeaderTimeout},
		"half a header":      {"GET / HTTP/1.1\r\nHost: x\r\n", readHeaderTimeout},
		"half a body":        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345", readTimeout},
		"idle after request": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1", idleTimeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := dial(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(io.Discard, r.Body); err != nil {
						w.WriteHeader(http.StatusBadRequest)
					}
				}))
				start := time.Now()
				go func() { _, _ = io.WriteString(client, test.first) }()
				if _, err := io.Copy(io.Discard, client); err != nil {
					t.Errorf("read until the server hangs up: %v", err)
				}
				if took := time.Since(start); took < test.limit || took > test.limit+time.Second {
					t.Errorf("the server hung up after %v, want %v", took, test.limit)
				}
			})
		})
	}
}

func TestWebServer_HugeHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := dial(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request was let through") }))
		go func() {
			_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\nX-Huge: "+strings.Repeat("x", maxHeaderBytes+8192)+"\r\n\r\n")
		}()
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, client); err != nil {
			t.Errorf("read until the server hangs up: %v", err)
		}
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", response.StatusCode)
		}
	})
}
