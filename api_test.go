package ingot

import (
	"net/http"
	"testing"

	"connectrpc.com/connect"

	"github.com/ingothq/ingot/client"
	"github.com/ingothq/ingot/internal/config"
	api "github.com/ingothq/ingot/proto/api/v2"
)

// TestAPI_IsOnTheOnePort calls a server with keys in every protocol, over HTTP/1 and HTTP/2.
func TestAPI_IsOnTheOnePort(t *testing.T) {
	t.Parallel()
	const key = "00112233445566778899aabbccddeeff"
	p := start(t, config.Config{Mode: config.Start, SigningKey: key, EventKeys: []config.Secret{"k"}, QueueWorkers: 1})
	overHTTP2 := &http.Transport{Protocols: new(http.Protocols)}
	overHTTP2.Protocols.SetUnencryptedHTTP2(true)
	defer overHTTP2.CloseIdleConnections()
	for name, options := range map[string]connect.ClientOption{
		"gRPC": connect.WithGRPC(), "gRPC-Web": connect.WithGRPCWeb(), "Connect": connect.WithProtoJSON(),
	} {
		health := func(signingKey string) error {
			c, err := client.New(p.url, signingKey, client.WithHTTPClient(&http.Client{Transport: overHTTP2}), client.WithConnectOptions(options))
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Health(t.Context(), connect.NewRequest(&api.HealthRequest{}))
			return err
		}
		if err := health(""); connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s without a key: %v", name, err)
		}
		if err := health(key); err != nil {
			t.Errorf("%s with the key: %v", name, err)
		}
	}
	for _, path := range []string{"/api/v2/health", "/v2/health", "/v2/openapi.json", "/api/v2/operations"} {
		if status, body := p.ask(http.MethodGet, path, ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	p.key = ""
	for _, path := range []string{"/api/v2", "/api/v2/health", "/v2/nope", "/v2/openapi.json", "/api/v2/operations"} {
		if status, body := p.ask(http.MethodGet, path, ""); status != http.StatusUnauthorized || body != "Authentication failed\n" {
			t.Errorf("%s without a key: %d %s", path, status, body)
		}
	}
}
