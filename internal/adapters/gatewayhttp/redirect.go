package gatewayhttp

import (
	"net/http"

	"github.com/ingothq/ingot/internal/adapters/httppool"
)

// keyHeaders are the headers that APIs take keys in, besides those that net/http keeps from strangers itself.
var keyHeaders = []string{
	"Authorization", "Cookie", "X-Api-Key", "Api-Key", "Apikey", "X-Goog-Api-Key", "X-Auth-Token", "X-Amz-Security-Token",
	"X-Inngest-Signature",
}

// checkRedirect keeps what is meant for one site from others: a redirect that has left the site of the request, in
// whatever hop, carries no keys. No hop tells the URL of the one before, whose query may hold a key. The address is
// checked by the dialer.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > httppool.MaxRedirects {
		return httppool.ErrRedirects
	}
	next.Header.Del("Referer")
	home := via[0].URL
	for _, hop := range append(via[1:len(via):len(via)], next) {
		if hop.URL.Host != home.Host || home.Scheme == "https" && hop.URL.Scheme != "https" {
			for _, name := range keyHeaders {
				next.Header.Del(name)
			}
			return nil
		}
	}
	return nil
}
