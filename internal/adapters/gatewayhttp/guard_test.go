package gatewayhttp

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/gateway"
)

func TestGuard_IsOnByDefault(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	guarded := New(Config{}, fixedClock{})
	t.Cleanup(guarded.Close)
	address := server.Listener.Addr().String()
	port := address[strings.LastIndexByte(address, ':'):]

	got := do(t, guarded, aRequest(server.URL+"/x"))
	want := gateway.Response{
		Refused:        true,
		TransportError: `Get "` + server.URL + `/x": Unable to make request to ` + address + ` at IP 127.0.0.1: private IP range`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := do(t, guarded, aRequest("http://localhost"+port)); !got.Refused || !strings.Contains(got.TransportError, "Unable to make request to localhost"+port+" at IP ") {
		t.Errorf("localhost: %+v", got)
	}
	if count := requests.Load(); count != 0 {
		t.Errorf("%d requests came through", count)
	}
	if got := do(t, newLocal(t, Config{}), aRequest(server.URL)); got.Status != 200 {
		t.Errorf("with everything allowed: %+v", got)
	}
}

func TestGuard_RefusesRedirectsToPrivateAddresses(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"loopback":           "http://127.0.0.1:8288/v1/events",
		"v6 loopback":        "http://[::1]/",
		"mapped loopback":    "http://[::ffff:127.0.0.1]/",
		"metadata service":   "http://169.254.169.254/latest/meta-data/",
		"name inside":        "http://inside.test/",
		"number for a name":  "http://2130706433/",
		"localhost":          "http://localhost/",
		"docker host":        "http://host.docker.internal/",
		"another redirect":   "http://public.test/again",
		"NAT64":              "http://[64:ff9b::7f00:1]/",
		"name with a dot":    "http://inside.test./",
		"name of many sides": "http://both.test/",
	}
	for name, location := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var served atomic.Int32
			world := &internet{server: serve(t, func(w http.ResponseWriter, r *http.Request) {
				served.Add(1)
				target := location
				if r.URL.Path == "/again" {
					target = "http://10.0.0.1/"
				}
				http.Redirect(w, r, target, http.StatusTemporaryRedirect)
			})}
			guarded := newGuarded(t, world, map[string][][]string{
				"public.test": {{"203.0.113.1"}}, "inside.test": {{"10.0.0.7"}}, "inside.test.": {{"10.0.0.7"}}, "2130706433": {{"127.0.0.1"}},
				"localhost": {{"::1", "127.0.0.1"}}, "host.docker.internal": {{"203.0.113.9"}}, "both.test": {{"10.0.0.1", "fd00::1"}},
			})
			got := do(t, guarded, aRequest("http://public.test/start"))
			if !got.Refused || !strings.Contains(got.TransportError, "Unable to make request to ") {
				t.Errorf("response is %+v", got)
			}
			for _, address := range world.connected {
				if address != "203.0.113.1:80" {
					t.Errorf("connected to %s", address)
				}
			}
			if count := served.Load(); count == 0 {
				t.Error("the first request did not come through")
			}
		})
	}
}

func TestGuard_AsksAboutTheAddressThatIsConnectedTo(t *testing.T) {
	t.Parallel()
	world := &internet{server: serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })}
	// The name's owner changes its address as soon as it has been looked up.
	guarded := newGuarded(t, world, map[string][][]string{"rebind.test": {{"203.0.113.1"}, {"127.0.0.1"}}})
	if got := do(t, guarded, aRequest("http://rebind.test:8080/")); got.Status != 200 {
		t.Fatalf("first request: %+v", got)
	}
	got := do(t, guarded, aRequest("http://rebind.test:8080/"))
	want := gateway.Response{
		Refused:        true,
		TransportError: `Get "http://rebind.test:8080/": Unable to make request to rebind.test:8080 at IP 127.0.0.1: private IP range`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Had the name been handed on, it would have been looked up again.
	if want := []string{"203.0.113.1:8080"}; !slices.Equal(want, world.connected) {
		t.Errorf("connected to %v, want %v", world.connected, want)
	}
}

func TestDial_TriesTheAllowedAddressesInOrder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		addresses []string
		connected []string
		status    int
		failure   string
	}{
		"private ones are passed over": {[]string{"10.0.0.1", "203.0.113.1", "fd00::1"}, []string{"203.0.113.1:80"}, 200, ""},
		"the first that answers":       {[]string{"203.0.113.8", "203.0.113.1", "203.0.113.2"}, []string{"203.0.113.8:80", "203.0.113.1:80"}, 200, ""},
		"v6":                           {[]string{"2606:4700::1"}, []string{"[2606:4700::1]:80"}, 200, ""},
		"none answers":                 {[]string{"10.0.0.1", "203.0.113.8", "203.0.113.9"}, []string{"203.0.113.8:80", "203.0.113.9:80"}, 0, "dial 203.0.113.8:80: connection refused\ndial 203.0.113.9:80: connection refused"},
		"no address":                   {nil, nil, 0, "look up a.test: no address"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := &internet{
				server: serve(t, func(http.ResponseWriter, *http.Request) {}),
				down:   map[string]bool{"203.0.113.8:80": true, "203.0.113.9:80": true},
			}
			got := do(t, newGuarded(t, world, map[string][][]string{"a.test": {test.addresses}}), aRequest("http://a.test/"))
			if got.Status != test.status || got.Refused {
				t.Errorf("response is %+v", got)
			}
			if test.failure != "" && got.TransportError != `Get "http://a.test/": `+test.failure {
				t.Errorf("failure is %q", got.TransportError)
			}
			if diff := cmp.Diff(test.connected, world.connected); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDial_UnknownName(t *testing.T) {
	t.Parallel()
	got := do(t, newGuarded(t, &internet{}, nil), aRequest("http://nowhere.test/"))
	want := gateway.Response{TransportError: `Get "http://nowhere.test/": look up nowhere.test: no such host`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := (&dialer{timeout: 1e9}).dial(t.Context(), "tcp", "no-port"); err == nil {
		t.Error("an address without a port was accepted")
	}
}
