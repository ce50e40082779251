package expr

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// trueIfTruthy reports whether a part that counts as true is true and nothing else.
func trueIfTruthy(e ast.Expr) bool {
	if alwaysBoolean(e) {
		return true
	}
	if e.Kind() != ast.CallKind {
		return false
	}
	switch call := e.AsCall(); call.FunctionName() {
	case operators.LogicalAnd:
		return trueIfTruthy(call.Args()[1])
	case operators.LogicalOr:
		return trueIfTruthy(call.Args()[0]) && trueIfTruthy(call.Args()[1])
	case operators.Conditional:
		return trueIfTruthy(call.Args()[1]) && trueIfTruthy(call.Args()[2])
	default:
		return comparisons[call.FunctionName()] != "" || tests[call.FunctionName()]
	}
}

// tests are the calls that return a boolean or fail.
var tests = map[string]bool{
	operators.LogicalNot: true, operators.In: true, "has": true,
	"contains": true, "startsWith": true, "endsWith": true, "matches": true,
}

// alwaysBoolean reports whether a part is true or false and never an error, unknown or another value.
func alwaysBoolean(e ast.Expr) bool {
	if e.Kind() == ast.LiteralKind {
		return e.AsLiteral().Type() == types.BoolType
	}
	if e.Kind() != ast.CallKind {
		return false
	}
	switch call := e.AsCall(); call.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		return alwaysBoolean(call.Args()[0]) && alwaysBoolean(call.Args()[1])
	case operators.LogicalNot:
		return alwaysBoolean(call.Args()[0])
	case operators.Equals, operators.NotEquals:
		return absorbable(call.Args()[0]) && absorbable(call.Args()[1])
	}
	return false
}

// absorbable reports whether a comparison takes whatever the part comes to, errors too: it cannot be a date that cannot be read or a
// variable without a value.
func absorbable(e ast.Expr) bool {
	switch e.Kind() {
	case ast.LiteralKind:
		return true
	case ast.SelectKind:
		root, path := pathOf(e)
		return len(path) > 0 && isVariable(root)
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			if !absorbable(element) {
				return false
			}
		}
		return true
	}
	return false
}
