package function

import (
	"encoding/json"
	"net/url"
	"strings"
)

// What an app's error says when the app could not be pinged (spec 01 §6, spec 16 §7.3).
const (
	PingUnreachable         = "unreachable"
	PingUnsupportedProtocol = "unsupported_protocol"
)

// pingStatuses are the statuses of an app's answer that are errors in themselves. Others, 400 excepted, are successes.
var pingStatuses = map[int]string{
	401: "unauthorized",
	403: "forbidden",
	404: "url_not_found",
	500: "internal_server_error",
}

// pingMessages are what SDKs say in a 400 answer, in parts, with the error it stands for.
var pingMessages = []struct{ part, code string }{
	{"Your signing key is invalid", "invalid_signing_key"},
	{"No functions registered", "no_functions"},
	{"function is invalid", "invalid_function"},
	{"You didn't specify your workspace's signing key", "missing_signing_key"},
	{"No INNGEST_ENV branch name found", "missing_branch_env_name"},
}

// PingError returns the app error that an app's answer to a ping stands for; failed is false when the ping succeeded,
// which does not clear an error from before. A 400 without a message gives an empty text: nothing to show.
func PingError(status int, body []byte) (text string, failed bool) {
	if status != StatusRefused {
		text, failed = pingStatuses[status]
		return text, failed
	}
	var answer struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err.Error(), true
	}
	for _, known := range pingMessages {
		if strings.Contains(answer.Message, known.part) {
			return known.code, true
		}
	}
	return answer.Message, true
}

// PingURLError returns the app error for a URL that cannot be pinged, empty for one that can. Of a text that is no URL it says
// why.
func PingURLError(text string) string {
	parsed, err := url.Parse(text)
	if err != nil {
		return err.Error()
	}
	if parsed.Scheme != "http" && parsed.Scheme != "https" {
		return PingUnsupportedProtocol
	}
	return ""
}

// PingTransportError returns the app error for a ping that got no answer.
func PingTransportError(err error) string {
	text := err.Error()
	for _, part := range []string{"HTTP response to HTTPS client", "unsupported protocol"} {
		if strings.Contains(text, part) {
			return PingUnsupportedProtocol
		}
	}
	return PingUnreachable
}
