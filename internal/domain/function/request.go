package function

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Request is a registration: everything an app says about itself and its functions. Its JSON is the body of
// POST /fn/register, read without regard to the case of field names; Python's "appname" depends on that (spec 01 §4.1).
type Request struct {
	// V is the version of the body, "0.1" or "1".
	V string `json:"v"`
	// URL is where the app serves its functions, normalised by Decode.
	URL string `json:"url"`
	// DeployType is "ping" or "connect"; empty counts as "ping".
	DeployType string `json:"deployType"`
	// SDK is "<language>:<version>", for example "js:v4.18.1".
	SDK       string `json:"sdk"`
	Framework string `json:"framework"`
	// AppName is the app's identity, its client ID.
	AppName        string       `json:"appName"`
	AppVersion     string       `json:"appVersion,omitempty"`
	Functions      []Declared   `json:"functions"`
	IdempotencyKey string       `json:"idempotencyKey"`
	Capabilities   Capabilities `json:"capabilities"`
	// Observations is what the SDK found out about its surroundings; nil when it says nothing.
	Observations *Observations `json:"featureObservations,omitempty"`
}

// Capabilities are the protocols an SDK speaks, each "v1" or empty.
type Capabilities struct {
	InBandSync string `json:"in_band_sync"`
	TrustProbe string `json:"trust_probe"`
	Connect    string `json:"connect"`
}

// Declared is a function as an app declares it (spec 01 §4.2). Checksums are made of its members in this order.
type Declared struct {
	Name        string            `json:"name"`
	ID          string            `json:"id"`
	Triggers    []DeclaredTrigger `json:"triggers"`
	Concurrency *Concurrency      `json:"concurrency,omitempty"`
	Priority    *Priority         `json:"priority,omitempty"`
	// BatchEvents is read when the function is converted: its faults concern the function, not the request.
	BatchEvents map[string]any          `json:"batchEvents,omitempty"`
	Idempotency *string                 `json:"idempotency,omitempty"`
	RateLimit   *RateLimit              `json:"rateLimit,omitempty"`
	Throttle    *Throttle               `json:"throttle,omitempty"`
	Retries     *int                    `json:"retries,omitempty"`
	Debounce    *Debounce               `json:"debounce,omitempty"`
	Timeouts    *Timeouts               `json:"timeouts,omitempty"`
	Cancel      []Cancel                `json:"cancel,omitempty"`
	Singleton   *Singleton              `json:"singleton,omitempty"`
	Checkpoint  *Checkpoint             `json:"checkpoint,omitempty"`
	Steps       map[string]DeclaredStep `json:"steps"`
}

// DeclaredTrigger tells absent members from empty ones, which get different complaints.
type DeclaredTrigger struct {
	Event      *string `json:"event,omitempty"`
	Expression *string `json:"expression,omitempty"`
	Cron       *string `json:"cron,omitempty"`
	Jitter     *string `json:"jitter,omitempty"`
}

// DeclaredStep is the declaration of a function's one step. Runtime's "url" is where it is called.
type DeclaredStep struct {
	ID      string           `json:"id"`
	Name    string           `json:"name"`
	Runtime map[string]any   `json:"runtime"`
	Retries *DeclaredRetries `json:"retries"`
}

// DeclaredRetries is how often a step is tried again.
type DeclaredRetries struct {
	Attempts *int `json:"attempts"`
}

// RequestError says that a body is not a registration. Its text is the answer's "error".
type RequestError struct{ Reason string }

func (e *RequestError) Error() string { return "Invalid request: " + e.Reason }

// Decode reads the body of a registration and normalises its URLs. Data after the first JSON value is ignored. The error
// is a *RequestError.
func Decode(body []byte) (Request, error) {
	var request Request
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&request); err != nil {
		return Request{}, &RequestError{Reason: decodeReason(err)}
	}
	request.normalize()
	return request, nil
}

// normalize brings a request to its stored form: URLs, and throttles that let nothing through. Texts that are not URLs stay,
// and fail validation later.
func (r *Request) normalize() {
	r.URL = NormalizeURL(r.URL)
	for _, declared := range r.Functions {
		if declared.Throttle != nil {
			declared.Throttle.Limit = max(declared.Throttle.Limit, 1)
		}
		for _, step := range declared.Steps {
			if uri, ok := step.Runtime["url"].(string); ok {
				step.Runtime["url"] = NormalizeURL(uri)
			}
		}
	}
}

// connectCapability is the version of the Connect protocol that a connected app must speak.
const connectCapability = "v1"

// Method says how the app is reached: "connect" or "serve".
func (r *Request) Method() string {
	if r.Capabilities.Connect == connectCapability && r.DeployType == MethodConnect {
		return MethodConnect
	}
	return MethodServe
}

// sdk splits the SDK's language from its version, which may be missing.
func (r *Request) sdk() (language, version string) {
	parts := strings.Split(r.SDK, ":")
	if len(parts) > 1 {
		version = parts[1]
	}
	return parts[0], version
}

// publicNames are the names under which clients know the types of a request from error texts.
var publicNames = map[string]string{"Request": "RegisterRequest", "Declared": "SDKFunction"}

// decodeReason words a decoding error as the reference does, whose types have other names.
func decodeReason(err error) string {
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return err.Error()
	}
	typeName := mismatch.Type.String()
	if public, ok := publicNames[mismatch.Type.Name()]; ok {
		typeName = "sdk." + public
	}
	if mismatch.Struct == "" && mismatch.Field == "" {
		return fmt.Sprintf("json: cannot unmarshal %s into Go value of type %s", mismatch.Value, typeName)
	}
	structName := mismatch.Struct
	if public, ok := publicNames[structName]; ok {
		structName = public
	}
	return fmt.Sprintf("json: cannot unmarshal %s into Go struct field %s.%s of type %s",
		mismatch.Value, structName, mismatch.Field, typeName)
}
