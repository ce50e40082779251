package sdk

import (
	"encoding/json"
	"strings"
)

// PingError is what an app's answer to a ping says against the app, as the app's error shows it; empty for nothing. A
// status that the table does not know, 502 for example, says nothing. Source: spec 01 §6, spec 16 §7.3.
func PingError(resp Response) string {
	if text := resp.TransportError; text != "" {
		if strings.Contains(text, "server gave HTTP response to HTTPS client") || strings.Contains(text, "unsupported protocol") {
			return "unsupported_protocol"
		}
		return "unreachable"
	}
	switch resp.Status {
	case 400:
		return pingRefusal(resp.Body)
	case 401:
		return "unauthorized"
	case 403:
		return "forbidden"
	case 404:
		return "url_not_found"
	case 500:
		return "internal_server_error"
	default:
		return ""
	}
}

// pingRefusal reads the body of a 400: a code for the messages that SDKs are known to send, else the message itself.
func pingRefusal(body []byte) string {
	var refusal struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &refusal); err != nil {
		return err.Error()
	}
	if refusal.Message == "Your signing key is invalid" {
		return "invalid_signing_key"
	}
	for _, known := range []struct{ part, code string }{
		{"No functions registered", "no_functions"},
		{"function is invalid", "invalid_function"},
		{"You didn't specify your workspace's signing key", "missing_signing_key"},
		{"No INNGEST_ENV branch name found", "missing_branch_env_name"},
	} {
		if strings.Contains(refusal.Message, known.part) {
			return known.code
		}
	}
	return refusal.Message
}
