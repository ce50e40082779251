// Package client talks to a server's API, version 2.
//
// A Client has a typed method for everything that the API offers. Its messages are those of
// github.com/ingothq/ingot/proto/api/v2, wrapped as connectrpc.com/connect does it:
//
//	c, err := client.New("http://localhost:8288", "")
//	apps, err := c.GetApps(ctx, connect.NewRequest(&apiv2.GetAppsRequest{}))
//
// REST makes the same calls by the names of operations, for programs that know only at run time what they call.
package client

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"connectrpc.com/connect"

	apiv2 "github.com/ingothq/ingot/proto/api/v2"
	"github.com/ingothq/ingot/proto/api/v2/apiv2connect"
)

// Client calls one server. It is safe for concurrent use.
type Client struct {
	apiv2connect.APIServiceClient

	base string
	// rest is where REST is below the base.
	rest string
	http *http.Client
}

// Option changes how a client works.
type Option func(*options)

type options struct {
	http    *http.Client
	env     string
	connect []connect.ClientOption
}

// WithHTTPClient has requests made by the client, whose transport and timeout are used.
func WithHTTPClient(c *http.Client) Option { return func(o *options) { o.http = c } }

// WithEnv names the environment that requests are about.
func WithEnv(name string) Option { return func(o *options) { o.env = name } }

// WithConnectOptions has calls made in another way, for example connect.WithGRPC(), which needs an HTTP client that speaks HTTP/2.
func WithConnectOptions(more ...connect.ClientOption) Option {
	return func(o *options) { o.connect = append(o.connect, more...) }
}

// ErrInsecure says that the signing key would be sent unencrypted to another machine.
var ErrInsecure = errors.New("refusing to send a signing key over plain HTTP to a host that is not local: use https")

// New returns a client of the server at the URL, such as "http://localhost:8288". REST is below "/api/v2" there, unless the URL
// ends with another place of it: "/v2". The signing key may be empty for a development server. It is not sent itself; its hash is. A signing key is not sent
// over plain HTTP to other machines: the error is ErrInsecure then.
func New(serverURL, signingKey string, opts ...Option) (*Client, error) {
	base, rest, err := baseOf(serverURL)
	if err != nil {
		return nil, err
	}
	if signingKey != "" && base.Scheme == "http" && !isLocal(base.Hostname()) {
		return nil, ErrInsecure
	}
	o := options{http: http.DefaultClient}
	for _, opt := range opts {
		opt(&o)
	}
	transport := o.http.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	caller := *o.http
	caller.Transport = &signer{next: transport, server: base, token: token(signingKey), env: o.env}
	c := &Client{base: base.String(), rest: rest, http: &caller}
	c.APIServiceClient = apiv2connect.NewAPIServiceClient(c.http, c.base, o.connect...)
	return c, nil
}

// baseOf reads the URL of a server, and where REST is there.
func baseOf(text string) (base *url.URL, rest string, err error) {
	base, err = url.Parse(strings.TrimRight(text, "/"))
	if err != nil {
		return nil, "", fmt.Errorf("server URL: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, "", fmt.Errorf("server URL %q: it must be http://HOST or https://HOST", text)
	}
	for _, rest := range []string{"/api/v2", "/v2"} {
		if path, ok := strings.CutSuffix(base.Path, rest); ok {
			base.Path = path
			return base, rest, nil
		}
	}
	return base, "/api/v2", nil
}

func isLocal(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// prefixed is a signing key with the prefix that names its environment.
var prefixed = regexp.MustCompile(`^signkey-\w+-`)

// token is what stands for the key in requests: its hash, behind the key's prefix, or itself if it is none that can be hashed.
func token(key string) string {
	prefix := prefixed.FindString(key)
	secret, err := hex.DecodeString(key[len(prefix):])
	if key == "" || err != nil {
		return key
	}
	sum := sha256.Sum256(secret)
	return prefix + hex.EncodeToString(sum[:])
}

// signer adds to every request what tells who asks, unless a redirect leads it to another server.
type signer struct {
	next       http.RoundTripper
	server     *url.URL
	token, env string
}

// RoundTrip implements http.RoundTripper.
func (s *signer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != s.server.Scheme || r.URL.Host != s.server.Host {
		return s.next.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	if s.env != "" {
		r.Header.Set("X-Inngest-Env", s.env)
	}
	return s.next.RoundTrip(r)
}

// Errors are what the server says went wrong; none for an error that is not the server's answer.
func Errors(err error) []*apiv2.Error {
	answer := (*connect.Error)(nil)
	if !errors.As(err, &answer) {
		return nil
	}
	for _, detail := range answer.Details() {
		if value, err := detail.Value(); err == nil {
			if response, ok := value.(*apiv2.ErrorResponse); ok {
				return response.GetErrors()
			}
		}
	}
	return nil
}

// IsReplayed tells of a response of InvokeFunction whether an earlier call with the same idempotency key started the run.
func IsReplayed(response connect.AnyResponse) bool {
	return response.Header().Get("Idempotent-Replayed") == "true"
}
