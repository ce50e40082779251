package sdk

// Names of headers as maps of this package hold them: in the canonical form of net/http.
const (
	headerAccount      = "Account-Id"
	headerForcePlan    = "X-Inngest-Force-Step-Plan"
	headerContentType  = "Content-Type"
	headerGenerationID = "X-Inngest-Generation-Id"
	headerJobID        = "X-Inngest-Job-Id"
	headerNoRetry      = "X-Inngest-No-Retry"
	headerReqVersion   = "X-Inngest-Req-Version"
	headerRequestID    = "X-Request-Id"
	headerRetryAfter   = "Retry-After"
	headerRunID        = "X-Run-Id"
	headerSDK          = "X-Inngest-Sdk"
	headerStepID       = "X-Inngest-Step-Id"
	headerTraceparent  = "Traceparent"
	headerTracestate   = "Tracestate"
	headerUserAgent    = "User-Agent"

	// HeaderSDK names the SDK of an app; an answer that has it comes from one.
	HeaderSDK = headerSDK
	// HeaderServerKind tells an app what kind of server talks to it, in pings and in answers of the API.
	HeaderServerKind = "X-Inngest-Server-Kind"
	// HeaderSignature carries what Sign returns.
	HeaderSignature = "X-Inngest-Signature"
)

// CanonicalName writes a header's name in the canonical form: capitals at the start and after each hyphen.
func CanonicalName(name string) string {
	text := []byte(name)
	upper := true
	for i, char := range text {
		switch {
		case upper && 'a' <= char && char <= 'z':
			text[i] = char - 'a' + 'A'
		case !upper && 'A' <= char && char <= 'Z':
			text[i] = char - 'A' + 'a'
		}
		upper = char == '-'
	}
	return string(text)
}
