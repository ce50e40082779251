package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// MaxResponseBytes bounds the decoded body of a response. The memo of one is bounded by sdk.MaxStepBytes.
const MaxResponseBytes = sdk.MaxResponseBytes

// Response is what came of a request, before anything is made of it.
type Response struct {
	// Status is the HTTP status, 0 when there was no response.
	Status int
	// Header holds the headers by canonical name, without Content-Encoding and Content-Length if Body was decoded.
	Header map[string][]string
	// Body is the decoded body, at most MaxResponseBytes; nil when TooLarge or TransportError is set.
	Body []byte
	// TooLarge is true when the body was longer.
	TooLarge bool
	// TransportError says why there is no response, or not all of one; empty otherwise.
	TransportError string
	// Refused is true when the TransportError is that a Policy forbids the address.
	Refused bool
}

// Outcome is what became of a step's attempt: a memo, or a failure that another attempt may mend.
type Outcome struct {
	// Memo is what the step is remembered as, with its members sorted; nil when another attempt shall be made.
	Memo json.RawMessage
	// Failed is true when Memo is an error, and when there is none.
	Failed bool
	// Error says why the attempt failed, for traces and logs; empty when it did not.
	Error string
}

// emptyAnswer stands for the body of a failed inference that has none.
const emptyAnswer = `{"error":"Error making AI request"}`

// wording is how the two kinds of requests speak of a failure.
type wording struct{ name, message, attempt string }

func wordingOf(op sdk.Opcode) wording {
	if op == sdk.OpAIGateway {
		return wording{"AIGatewayError", "Error making AI request: ", "error making inference request: "}
	}
	return wording{"GatewayError", "Error making gateway request: ", "error making gateway request: "}
}

// Outcome says what a response means. A failure is final on the last attempt, and when trying again cannot help: the
// address is forbidden, or a good answer is too large to be remembered.
//
// An inference fails for want of a response and for every status above 299. A fetch fails for want of a response only:
// its status is data. Unlike the reference, an answer that is no JSON is data too, as a JSON string, and no memo is
// ever empty (spec 02 §22 #13, #14).
func (r Request) Outcome(response Response, last bool) Outcome {
	switch {
	case response.TransportError != "":
		return r.failed(response.TransportError, nil, last || response.Refused)
	case r.Op == sdk.OpAIGateway && response.Status > 299:
		return r.failed("unsuccessful status code: "+strconv.Itoa(response.Status), response.Body, last)
	case response.TooLarge:
		return r.failed(tooLarge("response", MaxResponseBytes), nil, true)
	}
	data := r.data(response)
	if len(data) > sdk.MaxStepBytes {
		return r.failed(tooLarge("step's output", sdk.MaxStepBytes), nil, true)
	}
	return Outcome{Memo: sdk.RunMemo(data)}
}

// Refused is the outcome of an op that Decode refused: no attempt can help.
func Refused(op sdk.Opcode, err error) Outcome {
	return Request{Op: op}.failed(err.Error(), nil, true)
}

func tooLarge(what string, limit int) string {
	return fmt.Sprintf("the %s is larger than the limit of %d bytes", what, limit)
}

func (r Request) failed(reason string, body []byte, final bool) Outcome {
	words, reason := wordingOf(r.Op), clip(reason)
	outcome := Outcome{Failed: true, Error: words.attempt + reason}
	if !final {
		return outcome
	}
	failure := sdk.OpError{Name: words.name, Message: words.message + reason}
	if r.Op == sdk.OpAIGateway {
		if len(bytes.TrimSpace(body)) == 0 {
			body = []byte(emptyAnswer)
		}
		failure.Data, failure.Stack = jsonOrText(body), string(body)
	}
	outcome.Memo = sdk.ErrorMemo(failure)
	if len(outcome.Memo) > sdk.MaxStepBytes {
		failure.Stack = clip(failure.Stack)
		failure.Data = quote(failure.Stack)
		outcome.Memo = sdk.ErrorMemo(failure)
	}
	return outcome
}

// clip shortens what a failure quotes.
func clip(text string) string {
	const most = 8192
	if len(text) <= most {
		return text
	}
	return text[:most] + "\n… (truncated)"
}

// data is what an app gets of a good answer.
func (r Request) data(response Response) raw {
	if r.Op == sdk.OpAIGateway {
		return jsonOrText(response.Body)
	}
	data := append(raw(nil), `{"body":`...)
	data = append(data, quote(string(response.Body))...)
	data = append(data, `,"headers":{`...)
	comma := ""
	for _, name := range sortedNames(response.Header) {
		if !shown(name) {
			continue
		}
		data = append(data, comma...)
		data = append(data, quote(name)...)
		data = append(data, ':')
		data = append(data, quote(strings.Join(response.Header[name], ","))...)
		comma = ","
	}
	data = append(data, `},"status_code":`...)
	data = strconv.AppendInt(data, int64(response.Status), 10)
	data = append(data, `,"url":`...)
	data = append(data, quote(r.URL)...)
	return append(data, '}')
}

// jsonOrText returns a body that is JSON as it is, nil of an empty one, and a JSON string of anything else.
func jsonOrText(body []byte) raw {
	text := strings.ToValidUTF8(string(body), "\uFFFD")
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return nil
	case jsontext.Value(trimmed).IsValid(jsontext.AllowDuplicateNames(true)):
		return raw(trimmed)
	default:
		return quote(text)
	}
}

// quote writes a text as a JSON string, with no more escapes than JSON needs.
func quote(text string) raw {
	// The only error is about invalid UTF-8, which no text has once it was made valid.
	quoted, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "\uFFFD"))
	return raw(quoted)
}
