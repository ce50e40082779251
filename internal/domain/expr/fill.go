package expr

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

var trees = ast.NewExprFactory()

// purpose is what matters of a part's value, which allows to simplify it.
type purpose int

const (
	forValue  purpose = iota // all of it
	forTruth                 // whether it is true, and whether it counts as true
	forTruthy                // whether it counts as true
	forTrue                  // whether it is true and not anything else
)

// filled is what is left of a part, and its value if it has become a literal.
type filled struct {
	tree   ast.Expr
	value  ref.Val
	noDate bool // it is a date that cannot be read
}

func isLogical(name string) bool { return name == operators.LogicalAnd || name == operators.LogicalOr }

// literal is a part that has become a value.
func literal(value ref.Val) (filled, bool) {
	tree := literalTree(value)
	return filled{tree: tree, value: value}, tree != nil
}

// fill is what is left of a part for the purpose.
func (f *filling) fill(e ast.Expr, why purpose) filled {
	if one, found := f.template.parts[e.ID()]; found {
		return f.decided(e, one, why)
	}
	if call, found := f.template.tree.SourceInfo().GetMacroCall(e.ID()); found {
		return filled{tree: f.operands(call)}
	}
	switch e.Kind() {
	case ast.LiteralKind:
		return filled{tree: e, value: e.AsLiteral()}
	case ast.SelectKind:
		chosen := e.AsSelect()
		return filled{tree: trees.NewSelect(0, f.fill(chosen.Operand(), forValue).tree, chosen.FieldName())}
	case ast.ListKind:
		elements := make([]ast.Expr, e.AsList().Size())
		for at, element := range e.AsList().Elements() {
			elements[at] = f.strict(element)
		}
		return filled{tree: trees.NewList(0, elements, nil)}
	case ast.MapKind:
		entries := make([]ast.EntryExpr, e.AsMap().Size())
		for at, entry := range e.AsMap().Entries() {
			key, value := entry.AsMapEntry().Key(), entry.AsMapEntry().Value()
			entries[at] = trees.NewMapEntry(0, f.strict(key), f.strict(value), false)
		}
		return filled{tree: trees.NewMap(0, entries)}
	case ast.CallKind:
		return f.call(e, why)
	}
	return filled{tree: e}
}

// decided is a part that depends on nothing but the triggering event.
func (f *filling) decided(e ast.Expr, one part, why purpose) filled {
	if why != forValue && f.lacks(e) {
		f.lacking = true
		return filled{tree: f.operands(e)} // as the reference shows it
	}
	value := f.evaluate(one)
	f.lacking = f.lacking || f.isMissing(e)
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Add && f.isMixed(e.AsCall().Args()) {
		return filled{tree: f.operands(e)} // so does this
	}
	if why != forValue && value == types.NullValue {
		value = types.False
	}
	if done, ok := literal(value); ok {
		f.risky = f.risky || done.tree.Kind() != ast.LiteralKind
		return done
	}
	f.risky = true
	return filled{tree: failing(value), noDate: isNoValue(value)}
}

// lacks reports whether a part compares a member that the event does not have.
func (f *filling) lacks(e ast.Expr) bool {
	if e.Kind() != ast.CallKind || comparisons[e.AsCall().FunctionName()] == "" {
		return false
	}
	for at, operand := range e.AsCall().Args() {
		if f.isMissing(operand) {
			return e.AsCall().Args()[1-at].Kind() == ast.LiteralKind
		}
	}
	return false
}

// isMissing reports whether a part is a member that the event does not have.
func (f *filling) isMissing(e ast.Expr) bool {
	if !isMember(e, "event", nil) {
		return false
	}
	_, path := pathOf(e)
	_, found := f.frame.event.find(path)
	return !found
}

// isMixed reports whether a sum is of two simple values of different types, which are joined as texts.
func (f *filling) isMixed(operands []ast.Expr) bool {
	var values [2]ref.Val
	for at, operand := range operands {
		if operand.Kind() == ast.LiteralKind {
			values[at] = operand.AsLiteral()
		} else if one, found := f.template.parts[operand.ID()]; found {
			values[at] = f.evaluate(one)
		} else {
			return false
		}
		switch values[at].(type) {
		case types.String, types.Int, types.Double, types.Bool:
		default:
			return false
		}
	}
	return values[0].Type() != values[1].Type()
}

// operands fills in the operands of a call, for their value.
func (f *filling) operands(e ast.Expr) ast.Expr {
	call := e.AsCall()
	name := call.FunctionName()
	_, isLoose := loose[name]
	_, isOwn := ownFunctions[name]
	fill := f.strict
	if isLoose || isOwn {
		fill = func(operand ast.Expr) ast.Expr { return f.fill(operand, forValue).tree }
	}
	arguments := make([]ast.Expr, len(call.Args()))
	for at, argument := range call.Args() {
		arguments[at] = fill(argument)
	}
	if call.IsMemberFunction() {
		return trees.NewMemberCall(0, name, fill(call.Target()), arguments...)
	}
	return trees.NewCall(0, name, arguments...)
}

// strict fills in an operand whose type the check looks at.
func (f *filling) strict(operand ast.Expr) ast.Expr {
	done := f.fill(operand, forValue)
	f.risky = f.risky || operand.Kind() != ast.LiteralKind && (done.value != nil || done.noDate)
	return f.guard(done)
}

// guard hides a literal's type. Other errors than that of a date need none and would not survive the call.
func (f *filling) guard(done filled) ast.Expr {
	if f.guarded && (done.value != nil || done.noDate) {
		return trees.NewCall(0, "dyn", done.tree)
	}
	return done.tree
}

// call fills in and simplifies a call that depends on the incoming event or the present.
func (f *filling) call(e ast.Expr, why purpose) filled {
	call := e.AsCall()
	if f.template.entangled {
		return filled{tree: f.operands(e)}
	}
	switch name := call.FunctionName(); name {
	case operators.Conditional:
		condition := f.fill(call.Args()[0], forTruthy)
		if condition.value != nil {
			chosen := f.fill(call.Args()[2], why)
			if truthy(condition.value) {
				chosen = f.fill(call.Args()[1], why)
			}
			f.risky = true
			if chosen.value != nil || !f.guarded {
				return chosen
			}
		}
		one, other := f.fill(call.Args()[1], why), f.fill(call.Args()[2], why)
		f.risky = f.risky || condition.noDate || one.value != nil || other.value != nil
		return filled{tree: trees.NewCall(0, name, f.guard(condition), f.guard(one), f.guard(other))}
	case operators.LogicalAnd, operators.LogicalOr:
		return f.logical(name, call.Args(), why)
	}
	return filled{tree: f.operands(e)}
}

func (f *filling) logical(name string, operands []ast.Expr, why purpose) filled {
	until := name == operators.LogicalOr
	first := why
	switch {
	case why != forValue && !until:
		first = forTruthy
	case why == forTrue:
		first = forTruth // since what counts as true and is not true decides too
	}
	left := f.fill(operands[0], first)
	if left.value != nil && truthy(left.value) == until {
		if why == forTrue && !until {
			left, _ = literal(types.False)
		}
		return left
	}
	right := f.fill(operands[1], why)
	if left.value != nil {
		return right
	}
	if right.value != nil {
		if done, ok := simplified(until, left, right, why); ok {
			return done
		}
		f.risky = f.risky || right.value.Type() != types.BoolType
	}
	f.risky = f.risky || left.noDate || right.noDate
	return filled{tree: trees.NewCall(0, name, f.guard(left), f.guard(right))}
}

// simplified is "left || value" (until true) or "left && value" without the operator, if the purpose allows it.
func simplified(until bool, left, right filled, why purpose) (filled, bool) {
	holds := truthy(right.value)
	if why == forTrue {
		holds = right.value == types.True
	}
	// decides: the value makes the whole what it is, whatever the left side is.
	decides := holds == until
	boolean := holds && trueIfTruthy(left.tree) && right.value == types.True
	switch {
	case why == forTruthy, why != forValue && !holds, boolean,
		why == forValue && right.value == types.False && alwaysBoolean(left.tree):
	default:
		return filled{}, false
	}
	if !decides {
		return left, true
	}
	done, _ := literal(types.Bool(until))
	return done, true
}
