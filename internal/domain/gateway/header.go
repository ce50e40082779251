package gateway

import (
	"maps"
	"slices"
	"strings"
)

// ownedByTransport says of a canonical name whether the header is about the connection, or is derived from the request:
// it is neither taken from an app nor remembered of an answer.
func ownedByTransport(name string) bool {
	switch name {
	case "Accept-Encoding", "Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	default:
		return false
	}
}

// shown says of a header of an answer, by canonical name, whether the app sees it.
func shown(name string) bool { return name == "Content-Length" || !ownedByTransport(name) }

// isToken says whether a text may be the name of a header, or a method: RFC 9110 §5.6.2.
func isToken(text string) bool {
	const marks = "!#$%&'*+-.^_`|~"
	for i := range len(text) {
		char := text[i]
		if !isLetter(char) && (char < '0' || char > '9') && strings.IndexByte(marks, char) < 0 {
			return false
		}
	}
	return text != ""
}

func isLetter(char byte) bool { return 'a' <= char|0x20 && char|0x20 <= 'z' }

// validHeaderValue says whether a text may be the value of a header: no control characters but tabs.
func validHeaderValue(text string) bool {
	for i := range len(text) {
		if char := text[i]; char < ' ' && char != '\t' || char == 0x7f {
			return false
		}
	}
	return true
}

func sortedNames[V any](values map[string]V) []string {
	return slices.Sorted(maps.Keys(values))
}
