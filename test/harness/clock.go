package harness

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Now is the time of a server with Options.Clock.
func (s *Server) Now(t testing.TB) time.Time {
	t.Helper()
	return s.askClock(t, http.MethodGet, "/now")
}

// Advance moves the time of a server with Options.Clock ahead. What is due then happens soon after.
func (s *Server) Advance(t testing.TB, by time.Duration) {
	t.Helper()
	s.askClock(t, http.MethodPost, "/advance?by="+by.String())
}

// askClock makes a request to the clock of the server and returns the time that it tells.
func (s *Server) askClock(t testing.TB, method, path string) time.Time {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d%s", s.clockPort, path), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := readClient.Do(req)
	if err != nil {
		t.Fatalf("ask the clock: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("ask the clock: %v", err)
	}
	now, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatalf("%s %s: status %d: %s", method, path, resp.StatusCode, text)
	}
	return now
}
