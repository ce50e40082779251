package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is a server process under test.
type server struct {
	url     string
	process *exec.Cmd
	exited  chan struct{}
	// health is how long it took from the start of the process to the first healthy answer.
	health time.Duration
}

const (
	healthTimeout = 2 * time.Minute
	healthPoll    = time.Millisecond
)

// startServer starts the binary with its data in dir and waits until it is healthy.
func startServer(ctx context.Context, dir, address string, persist bool, opts options) (*server, error) {
	binary, err := filepath.Abs(opts.server)
	if err != nil {
		return nil, fmt.Errorf("server binary: %w", err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", address, err)
	}
	args := []string{opts.mode, "--host", host, "--port", port}
	if opts.mode == "start" {
		args = append(args, "--signing-key", opts.signKey, "--event-key", opts.eventKey)
	} else {
		args = append(args, "--no-discovery", "--no-poll")
		if persist {
			args = append(args, "--persist")
		}
	}
	args = append(args, strings.Fields(opts.extraServerOptions)...)
	s := &server{url: "http://" + address, process: exec.CommandContext(ctx, binary, args...), exited: make(chan struct{})}
	s.process.Dir = dir
	if opts.keepServerLog {
		s.process.Stdout, s.process.Stderr = os.Stderr, os.Stderr
	}
	begin := time.Now()
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	go func() {
		_ = s.process.Wait()
		close(s.exited)
	}()
	if err := s.waitHealthy(ctx); err != nil {
		s.kill()
		return nil, err
	}
	s.health = time.Since(begin)
	return s, nil
}

var errExited = errors.New("the server exited before it was healthy; -server-log shows why")

func (s *server) waitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, healthTimeout, errors.New("the server did not become healthy"))
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/health", http.NoBody)
		if err != nil {
			return fmt.Errorf("health: %w", err)
		}
		if answer, err := http.DefaultClient.Do(req); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.exited:
			return errExited
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(healthPoll):
		}
	}
}

// kill ends the process at once, as a crash would, and waits until it is gone.
func (s *server) kill() {
	_ = s.process.Process.Kill()
	<-s.exited
}

// usage is what the process has used. It is zero where /proc does not exist.
type usage struct {
	cpu       time.Duration
	rss, peak int64 // bytes
}

// clockTick is the unit of the times in /proc/<pid>/stat on Linux.
const clockTick = 10 * time.Millisecond

func (s *server) usage() usage {
	if s == nil {
		return usage{}
	}
	proc := fmt.Sprintf("/proc/%d/", s.process.Process.Pid)
	stat, err := os.ReadFile(proc + "stat")
	if err != nil {
		return usage{}
	}
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		return usage{}
	}
	return parseUsage(string(stat), string(status))
}

// parseUsage reads the texts of stat and status.
func parseUsage(stat, status string) usage {
	var used usage
	// The second field is the program's name in brackets, which may hold blanks; user and system time are the 14th and
	// 15th field.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const userTime, systemTime = 11, 12
	if len(fields) > systemTime {
		used.cpu = time.Duration(number(fields[userTime])+number(fields[systemTime])) * clockTick
	}
	for line := range strings.Lines(status) {
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "VmRSS":
			used.rss = kilobytes(value)
		case "VmHWM":
			used.peak = kilobytes(value)
		}
	}
	return used
}

func kilobytes(value string) int64 {
	const kilobyte = 1024
	return number(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB"))) * kilobyte
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// freeAddress returns a loopback address that nothing listens on.
func freeAddress() (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
