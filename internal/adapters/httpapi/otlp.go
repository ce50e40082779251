package httpapi

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/domain/trace"
)

// maxTracesBody bounds a request with spans, packed and unpacked. Spec 04 §9.
const maxTracesBody = 8 << 20

// otlpEncoding is how a request says what it says, and its answer too.
type otlpEncoding bool

// Encodings of OTLP.
const (
	otlpBinary otlpEncoding = false
	otlpJSON   otlpEncoding = true
)

// encodingOf is that of a request: whatever is not JSON counts as binary.
func encodingOf(r *http.Request) otlpEncoding {
	return otlpEncoding(strings.Contains(r.Header.Get(echo.HeaderContentType), "json"))
}

// readTraces reads the body of a request with spans; message says what is wrong with it.
func readTraces(c echo.Context) (body []byte, code int, message string) {
	if c.Request().Header.Get(echo.HeaderContentEncoding) == "gzip" {
		unpacked, err := gzip.NewReader(http.MaxBytesReader(c.Response(), c.Request().Body, maxTracesBody))
		if err != nil {
			return nil, http.StatusBadRequest, "Error reading body"
		}
		c.Request().Body, c.Request().ContentLength = unpacked, -1
	}
	body, err := readBody(c, maxTracesBody)
	switch {
	case err == nil:
		return body, http.StatusOK, ""
	case statusOf(err) == http.StatusRequestEntityTooLarge:
		return nil, http.StatusRequestEntityTooLarge, "Request body too large"
	}
	return nil, http.StatusBadRequest, "Error reading body"
}

// decode reads the spans of a request.
func (e otlpEncoding) decode(body []byte) ([]trace.UserSpan, error) {
	var request collector.ExportTraceServiceRequest
	var err error
	if e == otlpJSON {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, &request)
	} else {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil {
		return nil, err
	}
	var spans []trace.UserSpan
	for _, of := range request.GetResourceSpans() {
		service, about := aboutResource(of.GetResource())
		for _, by := range of.GetScopeSpans() {
			for _, s := range by.GetSpans() {
				span := e.userSpan(s)
				span.Service, span.Resource = service, about
				span.Scope, span.ScopeVersion = by.GetScope().GetName(), by.GetScope().GetVersion()
				spans = append(spans, span)
			}
		}
	}
	return spans, nil
}

func (e otlpEncoding) userSpan(s *otlp.Span) trace.UserSpan {
	span := trace.UserSpan{
		ID: e.id(s.GetSpanId()), Parent: e.id(s.GetParentSpanId()), Name: s.GetName(), Kind: strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_"),
		Start: otlpTime(s.GetStartTimeUnixNano()), End: otlpTime(s.GetEndTimeUnixNano()),
	}
	switch s.GetStatus().GetCode() {
	case otlp.Status_STATUS_CODE_OK:
		span.Status = trace.Completed
	case otlp.Status_STATUS_CODE_ERROR:
		span.Status = trace.Failed
	case otlp.Status_STATUS_CODE_UNSET:
	}
	for _, a := range s.GetAttributes() {
		span.Attributes = append(span.Attributes, trace.UserAttribute{Key: a.GetKey(), Value: otlpValue(a.GetValue())})
	}
	return span
}

// id is an ID as it was meant. In JSON it is hex, unlike all other bytes, so that the decoder took 16 digits for base64 of 12 bytes.
func (e otlpEncoding) id(decoded []byte) []byte {
	const taken = 12
	if e == otlpJSON && len(decoded) == taken {
		if id, err := hex.DecodeString(base64.StdEncoding.EncodeToString(decoded)); err == nil {
			return id
		}
	}
	return decoded
}

// otlpTime is zero for none, and for one that no clock shows.
func otlpTime(nanoseconds uint64) time.Time {
	if nanoseconds == 0 || nanoseconds > math.MaxInt64 {
		return time.Time{}
	}
	return time.Unix(0, int64(nanoseconds))
}

// aboutResource is the name of a service, and all attributes as a JSON object.
func aboutResource(r *resource.Resource) (service string, all json.RawMessage) {
	for _, a := range r.GetAttributes() {
		if a.GetKey() == "service.name" {
			service = a.GetValue().GetStringValue()
		}
	}
	return service, otlpObject(nil, r.GetAttributes())
}

// otlpValue is a value as JSON. Bytes are base64; numbers that JSON has no word for are texts.
func otlpValue(v *common.AnyValue) json.RawMessage { return appendValue(nil, v) }

func appendValue(b []byte, v *common.AnyValue) []byte {
	switch value := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return appendText(b, value.StringValue)
	case *common.AnyValue_BoolValue:
		return strconv.AppendBool(b, value.BoolValue)
	case *common.AnyValue_IntValue:
		return strconv.AppendInt(b, value.IntValue, 10)
	case *common.AnyValue_DoubleValue:
		if text, err := json.Marshal(value.DoubleValue); err == nil {
			return append(b, text...)
		}
		return appendText(b, strconv.FormatFloat(value.DoubleValue, 'g', -1, 64))
	case *common.AnyValue_BytesValue:
		return appendText(b, base64.StdEncoding.EncodeToString(value.BytesValue))
	case *common.AnyValue_ArrayValue:
		b = append(b, '[')
		for i, each := range value.ArrayValue.GetValues() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, each)
		}
		return append(b, ']')
	case *common.AnyValue_KvlistValue:
		return otlpObject(b, value.KvlistValue.GetValues())
	}
	return append(b, "null"...)
}

// otlpObject appends members as a JSON object.
func otlpObject(b []byte, members []*common.KeyValue) []byte {
	b = append(b, '{')
	for i, member := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, member.GetKey()), ':')
		b = appendValue(b, member.GetValue())
	}
	return append(b, '}')
}

// appendText appends a JSON string.
func appendText(b []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		return append(b, `""`...) // strings always encode
	}
	return append(b, quoted...)
}

// answer writes how many spans were refused, and why.
func (e otlpEncoding) answer(c echo.Context, refused int64, why string) error {
	if e == otlpBinary {
		answer := &collector.ExportTraceServiceResponse{}
		if refused > 0 {
			answer.PartialSuccess = &collector.ExportTracePartialSuccess{RejectedSpans: refused, ErrorMessage: why}
		}
		return writeProto(c, http.StatusOK, answer)
	}
	// Of the library's JSON not even the spaces are promised.
	type partial struct {
		RejectedSpans string `json:"rejectedSpans"`
		ErrorMessage  string `json:"errorMessage"`
	}
	var answer struct {
		PartialSuccess *partial `json:"partialSuccess,omitempty"`
	}
	if refused > 0 {
		answer.PartialSuccess = &partial{strconv.FormatInt(refused, 10), why}
	}
	return writeCompact(c, http.StatusOK, answer)
}

// refuse answers that nothing was taken.
func (e otlpEncoding) refuse(c echo.Context, code int, message string) error {
	if e == otlpBinary {
		return writeProto(c, code, &status.Status{Message: message})
	}
	return writeCompact(c, code, struct {
		Message string `json:"message"`
	}{message})
}

func writeCompact(c echo.Context, code int, value any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(value); err != nil {
		return err
	}
	return writeBody(c, code, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func writeProto(c echo.Context, code int, message proto.Message) error {
	body, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	return c.Blob(code, "application/x-protobuf", body)
}
