package sdkhttp

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stepClock is a clock that advances by a fixed step each time it is read.
type stepClock struct {
	testkit.Clock
	mu   sync.Mutex
	now  time.Time
	step time.Duration
}

func newClock(step time.Duration) *stepClock {
	return &stepClock{now: time.Unix(1700000000, 0), step: step}
}

func (c *stepClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now
	c.now = now.Add(c.step)
	return now
}

func newWorker(t testing.TB, config Config) *Worker {
	t.Helper()
	worker := New(config, newClock(0))
	t.Cleanup(worker.Close)
	return worker
}

// serve starts an app.
func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// everywhere makes all host names lead to the server.
func (w *Worker) everywhere(server *httptest.Server) {
	address := server.Listener.Addr().String()
	w.pool.Kept.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

const okAnswer = "HTTP/1.1 200 OK\r\nX-Inngest-Sdk: js:v4\r\nContent-Length: 2\r\n\r\n{}"

func aCall(url string) ports.Call {
	return ports.Call{URL: url, Header: map[string]string{"Content-Type": "application/json", "User-Agent": "Inngest"}, Body: []byte(`{"ctx":{}}`)}
}
