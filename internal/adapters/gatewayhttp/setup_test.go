package gatewayhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ingothq/ingot/internal/domain/gateway"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixedClock is a clock that stands still.
type fixedClock struct{ testkit.Clock }

func (fixedClock) Now() time.Time { return time.Unix(1_700_000_000, 0) }

// newLocal makes a gateway that may reach everything, as in dev.
func newLocal(t testing.TB, config Config) *Gateway {
	t.Helper()
	config.Policy = gateway.AllowAll
	made := New(config, fixedClock{})
	t.Cleanup(made.Close)
	return made
}

// serve starts a provider.
func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func aRequest(url string) gateway.Request {
	return gateway.Request{Op: sdk.OpGateway, Method: http.MethodGet, URL: url, Header: map[string]string{}}
}

func do(t testing.TB, g *Gateway, request gateway.Request) gateway.Response {
	t.Helper()
	response, err := g.Do(t.Context(), request, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// names is a resolver: each name has a list of answers, the last of which stays. Addresses are themselves.
type names struct {
	mu      sync.Mutex
	answers map[string][][]string
}

var errNoSuchHost = errors.New("no such host")

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	answers, known := n.answers[host]
	if !known {
		return nil, errNoSuchHost
	}
	if len(answers) > 1 {
		n.answers[host] = answers[1:]
	}
	var found []netip.Addr
	for _, text := range answers[0] {
		found = append(found, netip.MustParseAddr(text))
	}
	return found, nil
}

// internet leads every address that is connected to, to one server, but for the addresses that are down.
type internet struct {
	server *httptest.Server
	down   map[string]bool

	mu        sync.Mutex
	connected []string
}

func (i *internet) connect(ctx context.Context, network, address string) (net.Conn, error) {
	i.mu.Lock()
	i.connected = append(i.connected, address)
	i.mu.Unlock()
	if i.down[address] {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	return new(net.Dialer).DialContext(ctx, network, i.server.Listener.Addr().String())
}

// newGuarded makes a gateway with the policy of start, in an internet of its own.
func newGuarded(t testing.TB, world *internet, answers map[string][][]string) *Gateway {
	t.Helper()
	config := Config{Resolver: &names{answers: answers}}.withDefaults()
	made := newGateway(config, fixedClock{}, &dialer{
		policy: config.Policy, resolver: config.Resolver, timeout: config.DialTimeout, connect: world.connect,
	})
	t.Cleanup(made.Close)
	return made
}
