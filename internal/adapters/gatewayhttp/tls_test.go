package gatewayhttp

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// newProvider starts a server with TLS and HTTP/2 for the name example.com, and a guarded gateway that trusts it.
func newProvider(t *testing.T, handler http.HandlerFunc) (*Gateway, *internet) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	world := &internet{server: server}
	guarded := newGuarded(t, world, map[string][][]string{"example.com": {{"203.0.113.1"}}, "other.test": {{"203.0.113.1"}}})
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	guarded.pool.Kept.TLSClientConfig.RootCAs = trusted
	return guarded, world
}

func TestTLS_GuardedConnectionsSpeakHTTP2(t *testing.T) {
	t.Parallel()
	guarded, world := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, r.Proto+" "+r.Host+" "+string(body))
	})
	request := aRequest("https://example.com/v1")
	request.Method, request.Body = "POST", []byte("hi")
	for range 2 {
		if got := do(t, guarded, request); string(got.Body) != "HTTP/2.0 example.com hi" {
			t.Errorf("response is %+v", got)
		}
	}
	if len(world.connected) != 1 || world.connected[0] != "203.0.113.1:443" {
		t.Errorf("connected to %v", world.connected)
	}
}

func TestTLS_CertificateIsOfTheName(t *testing.T) {
	t.Parallel()
	guarded, _ := newProvider(t, func(http.ResponseWriter, *http.Request) {})
	if got := do(t, guarded, aRequest("https://other.test/")); !strings.Contains(got.TransportError, "certificate is valid for example.com") {
		t.Errorf("response is %+v", got)
	}
}
