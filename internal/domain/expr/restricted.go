package expr

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// ViolationsError lists what a condition uses although it may not.
type ViolationsError struct{ Violations []string }

// Error has the layout that existing clients know. Source: spec 12 §6.
func (e *ViolationsError) Error() string {
	noun := "errors"
	if len(e.Violations) == 1 {
		noun = "error"
	}
	return fmt.Sprintf("validation failed: %d %s occurred:\n\t* %s\n\n", len(e.Violations), noun, strings.Join(e.Violations, "\n\t* "))
}

// plainCalls are the calls that a restricted condition may make: boolean logic, comparisons, access, and conversions of
// numbers.
var plainCalls = map[string]bool{
	operators.Conditional: true, operators.LogicalAnd: true, operators.LogicalOr: true, operators.LogicalNot: true,
	operators.Equals: true, operators.NotEquals: true, operators.Less: true, operators.LessEquals: true,
	operators.Greater: true, operators.GreaterEquals: true, operators.In: true, operators.Index: true,
	operators.OptIndex: true, operators.OptSelect: true,
	"int": true, "uint": true, "double": true,
}

// CheckRestricted checks the text of a condition that many events are matched with: it must compile, and use boolean
// logic only, no macros and no functions. It returns Compile's error or a *ViolationsError with all it found. What
// stands inside of list and map literals is not looked at.
func CheckRestricted(text string) error {
	_, tree, err := compile(text, nil)
	if err != nil {
		return err
	}
	if found := violations(tree.Expr()); len(found) > 0 {
		return &ViolationsError{found}
	}
	return nil
}

// violations lists what a part of an expression, and the parts below it, may not use.
func violations(e ast.Expr) []string {
	var found []string
	switch e.Kind() {
	case ast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			return []string{"macros are disallowed (uses 'has')"}
		}
		return violations(e.AsSelect().Operand())
	case ast.ComprehensionKind:
		return []string{"macros are disallowed (contains '" + e.AsComprehension().IterVar() + "')"}
	case ast.CallKind:
		call := e.AsCall()
		if !plainCalls[call.FunctionName()] {
			found = append(found, "function calls are disallowed (uses '"+call.FunctionName()+"')")
		}
		if call.IsMemberFunction() {
			found = append(found, violations(call.Target())...)
		}
		for _, argument := range call.Args() {
			found = append(found, violations(argument)...)
		}
	}
	return found
}
