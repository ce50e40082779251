package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// sameOrigin says that a request does not come from a page of another origin: it is of no browser, of the server's own pages, or was
// typed. The standard library says so of requests that change something; here it is asked of reads too.
func sameOrigin(r *http.Request) bool {
	asked := *r
	asked.Method = http.MethodPost
	return new(http.CrossOriginProtection).Check(&asked) == nil
}

// overTLS says whether the browser is connected over TLS, here or at a proxy before. Who lies about it harms their own cookie.
func overTLS(r *http.Request) bool {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return r.TLS != nil || strings.EqualFold(strings.TrimSpace(first), "https")
}

// addressOf is who a request is from, for counting: the other end of the connection, since everything else can be made up. Of an IPv6
// address it is the network, as its owner has all of that.
func addressOf(r *http.Request) string {
	const network = 64
	address, ok := peer(r)
	if !ok {
		return r.RemoteAddr
	}
	if prefix, err := address.Prefix(network); err == nil && address.Is6() {
		return prefix.String()
	}
	return address.String()
}

// peer is the address at the other end of the connection.
func peer(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(host)
	return address.Unmap().WithZone(""), err == nil
}
