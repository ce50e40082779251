package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startLimit = 30 * time.Second // from exec until /health answers
	stopLimit  = 15 * time.Second // from SIGTERM until the process is gone
	logLimit   = 64 << 10         // bytes of output kept for a failing test
)

// Options say how a server is started; the zero value is a development server in memory.
type Options struct {
	Mode       string   // "dev" (default) or "start"
	Args       []string // further flags
	SigningKey string   // hex; only start
	EventKey   string   // only start
	Clock      bool     // a development server whose time is moved by hand, see Server.Advance
}

// Server is one server process on a port of its own. Its methods may be called from any goroutine; start, kill and
// stop do not overlap each other.
type Server struct {
	URL string // http://127.0.0.1:<port>

	opts      Options
	binary    string
	port      int
	clockPort int // with Options.Clock

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{} // closed when the present process has ended
	logs   tail
}

// New prepares a server and chooses its port; it starts no process.
func New(t testing.TB, opts Options) *Server {
	t.Helper()
	find := Binary
	if opts.Clock {
		find = ClockBinary
	}
	binary, err := find()
	if err != nil {
		t.Fatalf("server binary: %v", err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatalf("free port: %v", err)
	}
	clockPort := 0
	if opts.Clock {
		if clockPort, err = freePort(); err != nil {
			t.Fatalf("free port: %v", err)
		}
	}
	if opts.Mode == "" {
		opts.Mode = "dev"
	}
	return &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", port), opts: opts, binary: binary, port: port, clockPort: clockPort}
}

// Start prepares a server, runs it until the test ends and returns when /health answers. Its last output is logged
// when the test fails.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	s := New(t, opts)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop the server: %v", err)
		}
		s.LogIfFailed(t)
	})
	if err := s.Launch(); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	if err := s.AwaitHealthy(context.Background()); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	return s
}

// Launch runs the process; it does not wait for it to be ready.
func (s *Server) Launch() error {
	args := []string{s.opts.Mode, "--host", "127.0.0.1", "--port", strconv.Itoa(s.port)}
	if s.opts.Mode == "dev" {
		args = append(args, "--no-discovery", "--no-poll")
	} else {
		args = append(args, "--signing-key", s.opts.SigningKey, "--event-key", s.opts.EventKey)
	}
	if s.opts.Clock {
		args = append(args, "--clock-port", strconv.Itoa(s.clockPort))
	}
	cmd := exec.Command(s.binary, append(args, s.opts.Args...)...)
	cmd.Env = append(os.Environ(), "DO_NOT_TRACK=1", "INNGEST_NO_UPDATE_NOTIFIER=1")
	cmd.Stdout, cmd.Stderr = &s.logs, &s.logs
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w", s.binary, err)
	}
	exited := make(chan struct{})
	s.mu.Lock()
	s.cmd, s.exited = cmd, exited
	s.mu.Unlock()
	go func() {
		_ = cmd.Wait() // the exit status is read from ProcessState
		close(exited)
	}()
	return nil
}

// AwaitHealthy returns once GET /health answers 200, or says why it will not.
func (s *Server) AwaitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errors.New("no answer of /health in time"))
	defer cancel()
	s.mu.Lock()
	exited := s.exited
	s.mu.Unlock()
	for {
		if s.healthy(ctx) {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("the process ended by itself:\n%s", s.logs.String())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

func (s *Server) healthy(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/health", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Kill sends SIGKILL and returns when the process is gone. It reports an error when the process had ended before.
func (s *Server) Kill() error {
	s.mu.Lock()
	cmd, exited := s.cmd, s.exited
	s.mu.Unlock()
	select {
	case <-exited:
		return fmt.Errorf("the process had ended by itself: %s\n%s", cmd.ProcessState, s.logs.String())
	default:
	}
	if err := cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	<-exited
	return nil
}

// Stop sends SIGTERM and waits. A process that ends with a status other than 0, or not in time, is an error.
func (s *Server) Stop() error {
	s.mu.Lock()
	cmd, exited := s.cmd, s.exited
	s.mu.Unlock()
	if cmd == nil {
		return nil
	}
	select {
	case <-exited:
		return fmt.Errorf("the process had ended by itself: %s", cmd.ProcessState)
	default:
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("signal the server: %w", err)
	}
	select {
	case <-exited:
	case <-time.After(stopLimit):
		_ = cmd.Process.Kill()
		<-exited
		return fmt.Errorf("still running %s after SIGTERM", stopLimit)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("ended with %s", cmd.ProcessState)
	}
	return nil
}

// LogIfFailed writes the last output of the server to the log of a failed test.
func (s *Server) LogIfFailed(t testing.TB) {
	t.Helper()
	if t.Failed() {
		t.Logf("last output of the server:\n%s", s.logs.String())
	}
}

// freePort returns a TCP port that was free on the loopback address a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// tail keeps the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer; it never fails.
func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	if over := l.buf.Len() - logLimit; over > 0 {
		l.buf.Next(over)
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
