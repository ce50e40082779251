package expr

import (
	"math"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// literalTree is an expression whose value is the given one, nil if there is none: for errors, which
// lists and maps cannot hold.
func literalTree(value ref.Val) ast.Expr {
	switch value := value.(type) {
	case types.Double:
		if math.IsNaN(float64(value)) || math.IsInf(float64(value), 0) {
			return convert("double", strconv.FormatFloat(float64(value), 'g', -1, 64))
		}
		return trees.NewLiteral(0, value)
	case types.String:
		return trees.NewLiteral(0, types.String(strings.ToValidUTF8(string(value), "\uFFFD"))) // as in JSON
	case types.Null, types.Bool, types.Int, types.Uint, types.Bytes:
		return trees.NewLiteral(0, value)
	case types.Timestamp:
		return convert("timestamp", value.Time.UTC().Format(time.RFC3339Nano))
	case types.Duration:
		return convert("duration", value.Duration.String())
	case *types.Type:
		return trees.NewIdent(0, value.TypeName())
	case traits.Lister:
		elements := []ast.Expr{}
		for at := value.Iterator(); at.HasNext() == types.True; {
			elements = append(elements, literalTree(at.Next()))
		}
		return trees.NewList(0, elements, nil)
	case traits.Mapper:
		return mapTree(value)
	}
	return nil
}

func convert(function, text string) ast.Expr {
	return trees.NewCall(0, function, trees.NewLiteral(0, types.String(text)))
}

// mapTree orders the entries by their keys, so that equal events give equal texts.
func mapTree(value traits.Mapper) ast.Expr {
	entries := []ast.EntryExpr{}
	for _, key := range sortedKeys(value) {
		entries = append(entries, trees.NewMapEntry(0, literalTree(key), literalTree(value.Get(key)), false))
	}
	return trees.NewMap(0, entries)
}

// failing is an expression that fails as the value did: an error, or a date that cannot be read.
func failing(value ref.Val) ast.Expr {
	if isNoValue(value) {
		return trees.NewCall(0, "date", trees.NewLiteral(0, types.NullValue))
	}
	message := "no such value"
	if fault, ok := value.(*types.Err); ok {
		message = fault.Error()
	}
	return trees.NewCall(0, "_[_]", trees.NewMap(0, nil), trees.NewLiteral(0, types.String(message)))
}
