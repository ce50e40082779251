package function

import (
	"net/url"
	"strings"
)

// localhost is the name that all spellings of the own machine become, when a port is given.
const localhost = "localhost"

// defaultPorts are the ports that a scheme implies.
var defaultPorts = map[string]string{"http": "80", "ws": "80", "https": "443", "wss": "443"}

// NormalizeURL brings the URL of an app or of a step to the form it is stored, compared and called in: the query without
// "deployId" and "probe" and sorted by key, no default port, and, where a port remains, "localhost" for the loopback
// and the unspecified IPv4 address. A text that is not a URL is returned unchanged.
//
// Source: spec 01 §4.5.
func NormalizeURL(text string) string {
	parsed, err := url.Parse(text)
	if err != nil {
		return text
	}
	query := parsed.Query()
	query.Del("deployId")
	query.Del("probe")
	parsed.RawQuery = query.Encode()

	if port := parsed.Port(); port != "" && port == defaultPorts[parsed.Scheme] {
		parsed.Host = strings.TrimSuffix(parsed.Host, ":"+port)
	}
	if host, port, found := strings.Cut(parsed.Host, ":"); found {
		switch host {
		case "127.0.0.1", "0.0.0.0":
			parsed.Host = localhost + ":" + port
		}
	}
	return parsed.String()
}
