// Package gateway decides what the server requests on behalf of a step, and what is remembered of the answer: an AI
// inference (step.ai.infer, op AIGateway) or any HTTP request (step.fetch, op Gateway). It also says which addresses
// such a request may reach, since its URL is chosen by an app's data and not by the operator.
//
// A step goes this way: Decode makes a Request of the op, an adapter makes a Response of it, and Request.Outcome makes
// of that the step's memo, or asks for another attempt.
//
// Source: spec 01 §9, §11.2, §11.4; spec 02 §14.
package gateway

import (
	"net/url"
	"strings"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Request is what the server shall request for a step. It holds secrets of the app: never log it.
type Request struct {
	// Op is sdk.OpAIGateway or sdk.OpGateway.
	Op sdk.Opcode
	// Method is in upper case.
	Method string
	// URL is absolute, with the scheme http or https.
	URL string
	// Header holds the headers by canonical name, without those that the transport owns (Host, Content-Length and those
	// between two hops).
	Header map[string]string
	// Body is sent as it is; nil for none.
	Body []byte
	// Format is how an inference's provider is spoken to, such as "openai-chat"; empty for a fetch.
	Format string
	// Publish asks to relay the response while it arrives; nil when nobody does.
	Publish *Publish
	// Secret is the key that Header or URL carry, as the app gave it; empty for none. See Redact.
	Secret string
}

// Publish says to whom a response is relayed while it arrives.
type Publish struct{ Channel, Topic string }

// InvalidError says which member of an op cannot be used. Another attempt would meet it again.
type InvalidError struct {
	// Field is "op", or a path such as "opts.headers.x-id".
	Field string
	// Reason completes the sentence that begins with the field. It quotes no values.
	Reason string
}

// Error is the text that users see.
func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

// Decode reads an op of the kinds AIGateway and Gateway. All its errors are *InvalidError; Refused makes the memo of
// one.
func Decode(op sdk.Op) (Request, error) {
	members, err := readOptions(op.Opts)
	if err != nil {
		return Request{}, err
	}
	request := Request{Op: op.Op}
	switch op.Op {
	case sdk.OpAIGateway:
		err = request.decodeInference(members)
	case sdk.OpGateway:
		err = request.decodeFetch(members)
	default:
		return Request{}, &InvalidError{"op", "is neither AIGateway nor Gateway"}
	}
	if err != nil {
		return Request{}, err
	}
	return request, nil
}

// decodeInference reads the options of step.ai.infer. The body goes to the provider byte for byte. The reference writes
// it anew with sorted keys, which changes what a model answers where it follows the order of a JSON schema's properties,
// and digits of large numbers.
func (r *Request) decodeInference(members *options) error {
	r.Method = "POST"
	r.URL = members.url()
	r.Header = members.headers()
	if body := members.value("body"); body != nil {
		r.Body = []byte(body)
	}
	r.Publish = members.publish()
	r.Secret = members.text("auth_key")
	r.Format = members.text("format")
	if members.err != nil {
		return members.err
	}
	if _, given := r.Header["Content-Type"]; !given {
		r.Header["Content-Type"] = "application/json"
	}
	return r.authorize()
}

// decodeFetch reads the options of step.fetch.
func (r *Request) decodeFetch(members *options) error {
	r.URL = members.url()
	r.Method = members.method()
	r.Header = members.headers()
	r.Body = members.content()
	r.Publish = members.publish()
	return members.err
}

// authorize adds the key in the way of the provider. A header that the app wrote itself stays as it is.
func (r *Request) authorize() error {
	if r.Secret == "" {
		return nil
	}
	if !validHeaderValue(r.Secret) {
		return &InvalidError{"opts.auth_key", "has characters that no header can carry"}
	}
	switch r.Format {
	case "gemini":
		r.URL = withQueryKey(r.URL, r.Secret)
	case "anthropic":
		r.setDefault("X-Api-Key", r.Secret)
	case "bedrock":
		r.setDefault("Authorization", r.Secret)
	default:
		r.setDefault("Authorization", "Bearer "+r.Secret)
	}
	return nil
}

func (r *Request) setDefault(name, value string) {
	if _, given := r.Header[name]; !given {
		r.Header[name] = value
	}
}

// withQueryKey sets the query parameter key. The rest of the query stays as it was written if there is no such
// parameter yet.
func withQueryKey(address, key string) string {
	target, err := url.Parse(address)
	if err != nil {
		return address // options.url has parsed it
	}
	query := target.Query()
	switch {
	case query.Has("key"):
		query.Set("key", key)
		target.RawQuery = query.Encode()
	case target.RawQuery == "":
		target.RawQuery = "key=" + url.QueryEscape(key)
	default:
		target.RawQuery += "&key=" + url.QueryEscape(key)
	}
	return target.String()
}

// Redact takes the request's key out of a text that is to be shown, such as an error that quotes the URL. A key of
// less than four bytes is no secret, and to take it out would spoil the text.
func (r Request) Redact(text string) string {
	const shortest, shown = 4, "xxxxx"
	if len(r.Secret) < shortest {
		return text
	}
	return strings.NewReplacer(r.Secret, shown, url.QueryEscape(r.Secret), shown).Replace(text)
}
