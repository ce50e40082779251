package sdk

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// HTTPResult is the answer of a durable endpoint to its client, as its app reports it with RunComplete:
//
//	{"status":201,"headers":{"Content-Type":"application/json"},"body":"{}"}
type HTTPResult struct {
	// Status is the HTTP status, from 200 to 999.
	Status int
	// Headers hold one value each, by the names that the app wrote; those of the protocol are not among them.
	Headers map[string]string
	// Body is the body's text; empty for none.
	Body string
}

// Successful reports whether the status is 2xx.
func (r HTTPResult) Successful() bool { return r.Status >= 200 && r.Status <= 299 }

const (
	// minStatus and maxStatus bound the statuses of an answer.
	minStatus = 200
	maxStatus = 999

	statusOK    = 200
	statusError = 400

	defaultMethod = "POST"
	methodPut     = "PUT"

	typeJSON = "application/json"
	typeText = "text/plain"
)

// ParseHTTPResult reads the data of a RunComplete op. It is not ok when the data is no such object, or names no status of an
// answer; headers that are no texts are left out.
func ParseHTTPResult(data json.RawMessage) (result HTTPResult, ok bool) {
	var object struct {
		Status  int                        `json:"status"`
		Headers map[string]json.RawMessage `json:"headers"`
		Body    json.RawMessage            `json:"body"`
	}
	if err := json.Unmarshal(data, &object); err != nil || object.Status < minStatus || object.Status > maxStatus {
		return HTTPResult{}, false
	}
	result = HTTPResult{Status: object.Status, Body: textOf(object.Body)}
	for name, value := range object.Headers {
		if len(value) > 0 && value[0] == '"' && isOwn(name) {
			if result.Headers == nil {
				result.Headers = make(map[string]string, len(object.Headers))
			}
			result.Headers[name] = unquote(value)
		}
	}
	return result, true
}

// EndpointRequest is the request that started a run of a durable endpoint, as the SDK described it in the data of the run's
// event. Source: spec 01 §12, 02 §19.
type EndpointRequest struct {
	Domain      string `json:"domain"`
	Method      string `json:"method"`
	Path        string `json:"path"`
	Fn          string `json:"fn"`
	ContentType string `json:"content_type"`
	QueryParams string `json:"query_params"`
	Body        string `json:"body"`
}

// ParseEndpointRequest reads the data of the event of a durable endpoint. The error names the field that is wrong.
func ParseEndpointRequest(data json.RawMessage) (EndpointRequest, error) {
	var request EndpointRequest
	if err := json.Unmarshal(data, &request); err != nil {
		return EndpointRequest{}, fmt.Errorf("event.data: %w", err)
	}
	if request.Method == "" {
		request.Method = defaultMethod
	}
	target, err := url.Parse(request.URL())
	switch {
	case err != nil:
		return EndpointRequest{}, fmt.Errorf("event.data.domain: %w", err)
	case target.Scheme != "http" && target.Scheme != "https" || target.Host == "":
		return EndpointRequest{}, fmt.Errorf("event.data.domain: %q is not an HTTP address", request.Domain)
	case !isToken(request.Method):
		return EndpointRequest{}, fmt.Errorf("event.data.method: %q is not an HTTP method", request.Method)
	}
	return request, nil
}

// isToken reports whether the text can be an HTTP method.
func isToken(text string) bool {
	for _, char := range []byte(text) {
		switch {
		case 'a' <= char && char <= 'z', 'A' <= char && char <= 'Z', '0' <= char && char <= '9', char == '-', char == '_':
		default:
			return false
		}
	}
	return text != ""
}

// Slug names the endpoint within its app: as the app named it, or by method and path.
func (r EndpointRequest) Slug() string {
	if r.Fn != "" {
		return r.Fn
	}
	return r.Method + " " + r.Path
}

// URL is the endpoint's address, without the query of the request.
func (r EndpointRequest) URL() string { return r.Domain + r.Path }

// EndpointCall is how an endpoint is called again: its request once more, as the client made it.
type EndpointCall struct {
	Method, URL, ContentType string
	// Body is nil for a request without one.
	Body []byte
}

// LanguageJS is the language of the TypeScript SDK.
const LanguageJS = "js"

// EndpointLanguage is the language of an SDK that reports runs of durable endpoints, of what its header X-Inngest-Sdk says:
// LanguageJS, or empty for the Go SDK, which sends none.
func EndpointLanguage(sdkName string) string {
	if strings.HasPrefix(sdkName, "inngest-js:") {
		return LanguageJS
	}
	return ""
}

// Call returns the request to be made anew. The TypeScript SDK writes bodies as text; others write them in base64, and what is
// no base64 is text all the same. The reference repeats the request only for events named "inngest/http.request", and takes
// every text that happens to be base64 for it.
func (r EndpointRequest) Call(language string) EndpointCall {
	call := EndpointCall{Method: r.Method, URL: r.URL(), ContentType: r.ContentType, Body: []byte(r.Body)}
	if language != LanguageJS {
		if decoded, err := base64.StdEncoding.DecodeString(r.Body); err == nil {
			call.Body = decoded
		}
	}
	if len(call.Body) == 0 {
		call.Body = nil
	}
	if r.QueryParams != "" {
		separator := "?"
		if strings.Contains(call.URL, "?") {
			separator = "&"
		}
		call.URL += separator + strings.TrimPrefix(r.QueryParams, "?")
	}
	return call
}

// EndpointSignature signs a call of a durable endpoint as its SDK checks it: the TypeScript SDK over the body, and over nothing
// where the method has none. The Go SDK means to check the run's ID, which it canonicalises as JSON first; it is none, and
// nothing is left of it.
func EndpointSignature(key, language string, call EndpointCall, unix int64) string {
	switch {
	case language != LanguageJS:
		return Sign(key, nil, unix)
	case call.Method != defaultMethod && call.Method != methodPut:
		return Sign(key, nil, unix)
	}
	signature, err := Signature(key, call.Body, unix)
	if err != nil {
		return Sign(key, call.Body, unix) // it is no JSON
	}
	return signature
}

// EndpointHeaders returns the headers of a call of a durable endpoint by canonical name. Nothing of the run is in its body,
// which is the client's; the app asks for the run's steps. Unlike other calls it says whether steps are to be planned, and
// names a step only when it is for one. Source: spec 01 §12.
func EndpointHeaders(in HeaderInput, contentType string, forcePlan bool) map[string]string {
	headers := Headers(in)
	delete(headers, headerAccount)
	if contentType != "" {
		headers[headerContentType] = contentType
	}
	if in.Target == NoTarget || in.Target == "" {
		delete(headers, headerStepID)
	}
	if forcePlan {
		headers[headerForcePlan] = "true"
	}
	headers[HeaderSignature] = in.Signature
	return headers
}

// InterpretEndpoint says what the answer of a durable endpoint to the server means. It differs from Interpret in that every
// status may carry ops, and in that the endpoint's final answer to its client may come as a RunComplete op on its own.
// Source: spec 01 §12.
func InterpretEndpoint(resp Response, now time.Time) Reply {
	if resp.TransportError != "" || resp.TooLarge || resp.Header[headerSDK] == "" {
		return Interpret(resp, now)
	}
	body := resp.Body
	switch first := firstByte(body); {
	case first == '[' && resp.Status < statusError:
		ops, err := parseOps(body)
		// A list of ops that was cut off is no answer; a text that begins like a list may be one.
		if err == nil && isOps(ops) || err != nil && resp.Status == statusOps && !valid(body) {
			return Interpret(withStatus(resp, statusOps), now)
		}
	case first == '{':
		if ops, err := parseOps(body); err == nil && isFinal(ops) {
			return Interpret(withStatus(resp, statusOps), now)
		}
	}
	// It is the endpoint's own answer, whose status means nothing to the protocol unless it is an error.
	reply := Interpret(resp, now)
	if resp.Status >= statusOK && resp.Status < statusError {
		reply = Interpret(withStatus(resp, statusOK), now)
	}
	reply.Response = &HTTPResult{Status: resp.Status, Headers: ownHeaders(resp), Body: string(resp.Body)}
	return reply
}

// ownHeaders are the headers of an endpoint's answer. One without a type, or whose type looks like the guess of a library though
// it is JSON, is JSON, as the reference says of every answer.
func ownHeaders(resp Response) map[string]string {
	headers := make(map[string]string, len(resp.Header))
	for name, value := range resp.Header {
		if isOwn(name) {
			headers[name] = value
		}
	}
	contentType := headers[headerContentType]
	if contentType == "" || strings.HasPrefix(contentType, typeText) && json.Valid(resp.Body) {
		headers[headerContentType] = typeJSON
	}
	return headers
}

// isOwn reports whether a header of an app's answer is the endpoint's, and not about the call: the SDK's, or the connection's.
// The Go SDK names a run that does not exist.
func isOwn(name string) bool {
	name = CanonicalName(name)
	switch name {
	case headerRunID, headerUserAgent, headerTraceparent, headerTracestate, "Date", "Content-Length", "Connection", "Keep-Alive":
		return false
	}
	return !strings.HasPrefix(name, "X-Inngest-")
}

func withStatus(resp Response, status int) Response {
	resp.Status = status
	return resp
}

// isOps reports whether a list holds ops, and not just objects that an endpoint answers with.
func isOps(ops []Op) bool {
	for _, op := range ops {
		if op.Op == OpNone && op.ID == "" {
			return false
		}
	}
	return true
}

// isFinal reports whether an object is the op that ends a run.
func isFinal(ops []Op) bool {
	return len(ops) == 1 && (ops[0].Op == OpRunComplete || ops[0].Op == OpSyncRunComplete)
}

func firstByte(body []byte) byte {
	for _, char := range body {
		switch char {
		case ' ', '\t', '\r', '\n':
		default:
			return char
		}
	}
	return 0
}
