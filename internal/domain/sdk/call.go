package sdk

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
)

// AccountID is the one account of a server that is not the hosted product (spec 01 §1).
const AccountID = ids.AccountIDText

// NoTarget is the step ID of a call that does not target an op.
const NoTarget = "step"

// ErrNotHTTP is the error of CallURL for a URI that HTTP cannot reach; the text is the attempt's error.
var ErrNotHTTP = errors.New("Unable to use HTTP executor for non-HTTP runtime")

// HeaderInput is all that the headers of a call say.
type HeaderInput struct {
	RunID      ulid.ULID
	FunctionID uuid.UUID
	AppID      uuid.UUID
	// Target is the targeted op, or NoTarget.
	Target string
	// JobID is the hashed job ID. It, RequestID and GenerationID are left out when empty.
	JobID          string
	RequestID      string
	GenerationID   int
	Attempt        int
	RequestVersion int
	// TraceID is the run's trace in hex; without it no trace headers are sent.
	TraceID string
	// TraceRef is the traceparent under which the app's own spans shall hang.
	TraceRef string
	// Signature is what Signature returned; it is left out when empty.
	Signature string
}

// Headers returns the headers of a call by canonical name, without those that a transport adds itself (Host,
// Content-Length, Accept-Encoding). Source: spec 01 §8.2.
func Headers(in HeaderInput) map[string]string {
	const most = 13
	headers := make(map[string]string, most)
	headers[headerAccount] = AccountID
	headers[headerContentType] = "application/json"
	headers[headerUserAgent] = "Inngest"
	headers[headerRunID] = in.RunID.String()
	headers[headerReqVersion] = strconv.Itoa(in.RequestVersion)
	headers[headerStepID] = in.Target
	if in.RequestID != "" {
		headers[headerRequestID] = in.RequestID
	}
	if in.GenerationID > 0 {
		headers[headerGenerationID] = strconv.Itoa(in.GenerationID)
	}
	if in.JobID != "" {
		headers[headerJobID] = in.JobID
	}
	if in.Signature != "" {
		headers[HeaderSignature] = in.Signature
	}
	if in.TraceID != "" {
		headers[headerTraceparent] = traceparent(in)
		headers[headerTracestate] = tracestate(in)
	}
	return headers
}

func traceparent(in HeaderInput) string {
	return "00-" + in.TraceID + "-" + SpanID(in.JobID, in.Attempt) + "-01"
}

// SpanID is the span of one attempt of a job, 16 hex digits. It is known without asking anyone, so that what the app
// and the server report about the attempt meets. Source: spec 01 §8.2.
func SpanID(jobID string, attempt int) string {
	var buffer [128]byte
	text := append(buffer[:0], `{"attempt":`...)
	text = strconv.AppendInt(text, int64(attempt), 10)
	text = append(text, `,"id":`...)
	text = appendString(text, jobID)
	text = append(text, '}')
	sum := xxhash.Sum64(text)
	var span [8]byte
	for i := range span {
		span[i] = byte(sum >> (56 - 8*i))
	}
	return hex.EncodeToString(span[:])
}

func tracestate(in HeaderInput) string {
	state := "inngest@fn=" + in.FunctionID.String() + ",inngest@app=" + in.AppID.String()
	if in.TraceRef == "" {
		return state
	}
	// {"tp":"…","ts":""}, escaped for a URL.
	return "inngest@traceref=%7B%22tp%22%3A%22" + url.QueryEscape(in.TraceRef) + "%22%2C%22ts%22%3A%22%22%7D," + state
}

// CallURL is the URL of a call: the step's URI with stepId set to the target and its query sorted by key. A URI that is
// not HTTP is ErrNotHTTP. Source: spec 01 §8.1.
func CallURL(stepURI, target string) (string, error) {
	if fast, ok := fastCallURL(stepURI, target); ok {
		return fast, nil
	}
	parsed, err := url.Parse(stepURI)
	if err != nil {
		return "", fmt.Errorf("parse step URI %q: %w", stepURI, err)
	}
	if parsed.Scheme != "http" && parsed.Scheme != "https" {
		return "", ErrNotHTTP
	}
	query := parsed.Query()
	query.Set("stepId", target)
	parsed.RawQuery = query.Encode()
	return parsed.String(), nil
}

// fastCallURL does the work of CallURL for the URIs that SDKs register: no escapes, and parameters already in order.
func fastCallURL(stepURI, target string) (string, bool) {
	base, query, _ := strings.Cut(stepURI, "?")
	if !strings.HasPrefix(base, "http://") && !strings.HasPrefix(base, "https://") || !plain(base, ":/@") || !plain(target, "") {
		return "", false
	}
	const stepParam = "stepId"
	var text strings.Builder
	text.Grow(len(stepURI) + len("&stepId=") + len(target))
	text.WriteString(base)
	separator := byte('?')
	add := func(name, value string) {
		text.WriteByte(separator)
		separator = '&'
		text.WriteString(name)
		text.WriteByte('=')
		text.WriteString(value)
	}
	last, done := "", false
	for query != "" {
		var param string
		param, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(param, "=")
		if name <= last || !plain(name, "") || !plain(value, "") {
			return "", false
		}
		last = name
		if !done && name >= stepParam {
			add(stepParam, target)
			done = true
		}
		if name != stepParam {
			add(name, value)
		}
	}
	if !done {
		add(stepParam, target)
	}
	return text.String(), true
}

// plain says whether a text means itself in a URL: letters, digits, -_.~ and the characters in also.
func plain(text, also string) bool {
	for i := range len(text) {
		char := text[i]
		switch {
		case 'a' <= char && char <= 'z', 'A' <= char && char <= 'Z', '0' <= char && char <= '9':
		case char == '-', char == '_', char == '.', char == '~':
		case strings.IndexByte(also, char) >= 0:
		default:
			return false
		}
	}
	return true
}
