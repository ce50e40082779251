package sdkhttp

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// leg is one request of a call.
type leg struct {
	method string
	url    *url.URL
	header http.Header
	// body is nil for none.
	body *payload
}

// redirection returns where an answer sends the call, empty when it does not.
func redirection(answer *http.Response) string {
	switch answer.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return answer.Header.Get("Location")
	default:
		return ""
	}
}

// follow returns the request that a redirect asks for. The call's query parameters are set on the new URL.
//
// Within a site headers and body go along whatever the method, as apps behind the reference are used to. To a stranger
// goes no signature, and the body only if the redirect says to repeat the request as it was (307, 308).
func (l leg) follow(first leg, status int, location string) (leg, error) {
	next, err := l.url.Parse(location)
	if err != nil {
		return leg{}, fmt.Errorf("failed to parse Location header %q: %w", location, err)
	}
	query := next.Query()
	for name, values := range first.url.Query() {
		query.Set(name, values[0])
	}
	next.RawQuery = query.Encode()

	followed := leg{method: l.method, url: next, header: first.header, body: first.body}
	repeats := status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect
	if !repeats {
		followed.method = http.MethodGet
	}
	if !sameSite(first.url, next) {
		followed.header = first.header.Clone()
		followed.header.Del(sdk.HeaderSignature)
		if !repeats {
			followed.body = nil
		}
	}
	return followed, nil
}

// sameSite says whether a redirect stays with the app: same host, both on this machine, to a subdomain, or from www to
// the domain itself. Ports and schemes may differ.
func sameSite(from, to *url.URL) bool {
	source, target := strings.ToLower(from.Hostname()), strings.ToLower(to.Hostname())
	switch {
	case source == target, isLoopback(source) && isLoopback(target), source == "www."+target:
		return true
	default:
		return net.ParseIP(source) == nil && source != "" && strings.HasSuffix(target, "."+source)
	}
}

func isLoopback(host string) bool {
	address := net.ParseIP(host)
	return host == "localhost" || address != nil && address.IsLoopback()
}
