package expr

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/ingothq/ingot/internal/domain/duration"
)

// ownFunction is a function that CEL does not have (spec 12 §3).
type ownFunction struct {
	parameters []*cel.Type
	result     *cel.Type
	call       func(now time.Time, values []ref.Val) ref.Val
}

var ownFunctions = map[string]ownFunction{
	"lowercase":  ofText(cel.StringType, func(text string) ref.Val { return types.String(strings.ToLower(text)) }),
	"uppercase":  ofText(cel.StringType, func(text string) ref.Val { return types.String(strings.ToUpper(text)) }),
	"b64decode":  ofText(cel.StringType, decodeBase64),
	"json_parse": ofText(cel.MapType(cel.StringType, cel.DynType), parseJSON),
	"date": {[]*cel.Type{cel.DynType}, cel.TimestampType, func(_ time.Time, values []ref.Val) ref.Val {
		return date(values[0])
	}},
	"now":       {nil, cel.TimestampType, func(now time.Time, _ []ref.Val) ref.Val { return instant(now) }},
	"now_plus":  ofDuration(func(now time.Time, by time.Duration) time.Time { return now.Add(by) }),
	"now_minus": ofDuration(func(now time.Time, by time.Duration) time.Time { return now.Add(-by) }),
}

// ofText takes one text; a value of any other kind counts as an empty one.
func ofText(result *cel.Type, call func(string) ref.Val) ownFunction {
	return ownFunction{[]*cel.Type{cel.DynType}, result, func(_ time.Time, values []ref.Val) ref.Val {
		text, _ := values[0].(types.String)
		return call(string(text))
	}}
}

// ofDuration takes a text such as "1d" and shifts the present by it.
func ofDuration(shift func(time.Time, time.Duration) time.Time) ownFunction {
	return ownFunction{[]*cel.Type{cel.DynType}, cel.TimestampType, func(now time.Time, values []ref.Val) ref.Val {
		text, ok := values[0].(types.String)
		if !ok {
			return noValue
		}
		by, err := duration.ParseDuration(string(text))
		if err != nil || now.IsZero() {
			return noValue
		}
		return instant(shift(now, by))
	}}
}

func instant(at time.Time) ref.Val {
	if at.IsZero() {
		return noValue
	}
	return types.Timestamp{Time: at.Round(0).UTC()} // a monotonic reading would show in the text
}

// decodeBase64 keeps what could be decoded before a fault.
func decodeBase64(text string) ref.Val {
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	size, _ := base64.StdEncoding.Decode(decoded, []byte(text)) // the part before the fault is the result
	return types.String(strings.ToValidUTF8(string(decoded[:size]), "\uFFFD"))
}

func parseJSON(text string) ref.Val {
	object := map[string]any{}
	if json.Unmarshal([]byte(text), &object) != nil || object == nil {
		object = map[string]any{}
	}
	return types.DefaultTypeAdapter.NativeToValue(object)
}

// Integers below firstSeconds are no dates; those below lastSeconds are seconds, below lastMillis milliseconds, others nanoseconds.
const (
	firstSeconds = 946684800
	lastSeconds  = 9999999999
	lastMillis   = 9999999999999
)

// date reads a text or an integer; a double, and so a number of an event, is no date.
func date(value ref.Val) ref.Val {
	switch value := value.(type) {
	case types.String:
		if at, ok := duration.ParseDate(string(value)); ok {
			return instant(at)
		}
	case types.Int:
		switch {
		case value < firstSeconds:
		case value < lastSeconds:
			return instant(time.Unix(int64(value), 0))
		case value < lastMillis:
			return instant(time.UnixMilli(int64(value)))
		default:
			return instant(time.Unix(0, int64(value)))
		}
	}
	return noValue
}
