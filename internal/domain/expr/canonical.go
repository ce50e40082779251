package expr

import (
	"cmp"
	"slices"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Canonical forms: two values that == takes for equal have the same one. The other direction need not hold. Null and missing share
// a form, since both equal null.
const (
	canonicalNull  = "null"
	canonicalFalse = "false"
)

// canonicalJSON appends the form of a member of an event.
func canonicalJSON(to []byte, value any) []byte {
	switch value := value.(type) {
	case bool:
		return strconv.AppendBool(to, value)
	case float64:
		return canonicalNumber(to, value)
	case string:
		return append(append(to, '"'), value...)
	case []any:
		to = append(to, '[')
		for _, element := range value {
			to = append(canonicalJSON(to, element), ',')
		}
		return append(to, ']')
	case map[string]any:
		names := make([]string, 0, len(value))
		for name := range value {
			names = append(names, name)
		}
		slices.Sort(names)
		to = append(to, '{')
		for _, name := range names {
			to = append(strconv.AppendQuote(to, name), ':')
			to = append(canonicalJSON(to, value[name]), ',')
		}
		return append(to, '}')
	}
	return append(to, canonicalNull...)
}

func canonicalNumber(to []byte, number float64) []byte {
	if number == 0 {
		number = 0 // of either sign
	}
	return strconv.AppendFloat(to, number, 'g', -1, 64)
}

// canonicalValue appends the form of a value that a condition compares with; false if it has none.
func canonicalValue(to []byte, value ref.Val) ([]byte, bool) {
	switch value := value.(type) {
	case types.Bool:
		return strconv.AppendBool(to, bool(value)), true
	case types.Int:
		return canonicalNumber(to, float64(value)), true
	case types.Uint:
		return canonicalNumber(to, float64(value)), true
	case types.Double:
		return canonicalNumber(to, float64(value)), true
	case types.String:
		return append(append(to, '"'), value...), true
	case traits.Lister:
		to = append(to, '[')
		for at := value.Iterator(); at.HasNext() == types.True; {
			var ok bool
			if to, ok = canonicalValue(to, at.Next()); !ok {
				return nil, false
			}
			to = append(to, ',')
		}
		return append(to, ']'), true
	case traits.Mapper:
		to = append(to, '{')
		for _, key := range sortedKeys(value) {
			name, ok := key.(types.String)
			if !ok {
				return nil, false
			}
			to = append(strconv.AppendQuote(to, string(name)), ':')
			if to, ok = canonicalValue(to, value.Get(key)); !ok {
				return nil, false
			}
			to = append(to, ',')
		}
		return append(to, '}'), true
	case types.Null, *types.Unknown, *types.Err:
		return append(to, canonicalNull...), true
	}
	return nil, false
}

// sortedKeys are a map's keys, texts in their order.
func sortedKeys(value traits.Mapper) []ref.Val {
	keys := []ref.Val{}
	for at := value.Iterator(); at.HasNext() == types.True; {
		keys = append(keys, at.Next())
	}
	slices.SortFunc(keys, func(a, b ref.Val) int {
		return cmp.Or(cmp.Compare(a.Type().TypeName(), b.Type().TypeName()), cmp.Compare(textOf(a), textOf(b)))
	})
	return keys
}
