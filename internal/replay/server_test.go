package replay

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/testkit"
)

// server is a running server process.
type server struct {
	addr string // host:port
	url  string
	log  *testkit.Output
}

// startServer runs the binary in dev mode on a free port, in a folder of its own, until the test ends.
func startServer(t *testing.T, flags ...string) *server {
	t.Helper()
	port := freePort(t)
	srv := &server{
		addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		url:  "http://127.0.0.1:" + strconv.Itoa(port),
		log:  &testkit.Output{},
	}
	args := append([]string{"dev", "--no-discovery", "--host", "127.0.0.1", "--port", strconv.Itoa(port)}, flags...)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	process := exec.CommandContext(ctx, serverBinary, args...)
	process.Dir = t.TempDir()
	process.Stdout, process.Stderr = srv.log, srv.log
	process.Cancel = func() error { return process.Process.Signal(os.Interrupt) }
	process.WaitDelay = 5 * time.Second
	if err := process.Start(); err != nil {
		cancel()
		t.Fatalf("start %s: %v", serverBinary, err)
	}
	exited := make(chan struct{})
	go func() { _ = process.Wait(); close(exited) }()
	t.Cleanup(func() {
		select {
		case <-exited:
			t.Errorf("the server ended during the test:\n%s", srv.log)
		default:
		}
		cancel()
		<-exited
		if strings.Contains(srv.log.String(), "DATA RACE") { // of a binary that was built with -race
			t.Errorf("the server has a data race:\n%s", srv.log)
		}
		if t.Failed() && testing.Verbose() {
			t.Logf("log of the server:\n%s", srv.log)
		}
	})
	srv.waitHealthy(t, exited)
	return srv
}

func (s *server) waitHealthy(t *testing.T, exited <-chan struct{}) {
	t.Helper()
	err := poll(t.Context(), 20*time.Second, func() error {
		select {
		case <-exited:
			t.Fatalf("the server ended at once:\n%s", s.log)
		default:
		}
		status, _, err := s.get(t.Context(), "/health")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	if err != nil {
		t.Fatalf("the server is not healthy: %v\n%s", err, s.log)
	}
}

// get asks the server for a path and returns status and body.
func (s *server) get(ctx context.Context, path string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		return 0, nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("read answer of %s: %w", path, err)
	}
	return response.StatusCode, body, nil
}

// freePort is a TCP port that nobody listens on at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// poll calls try until it succeeds, and returns its last error when that takes longer than limit.
func poll(ctx context.Context, limit time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}
