package expr

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// unknown is a missing path.
var unknown ref.Val = types.NewUnknown(0, nil)

// errNoValue is what an evaluation without a value ends with.
var errNoValue = errors.New("expression did not return true or false")

// noValue is what date and its kin return when they have nothing to return.
var noValue = types.WrapErr(errNoValue)

func isNoValue(value ref.Val) bool {
	fault, ok := value.(*types.Err)
	return ok && errors.Is(fault.Unwrap(), errNoValue)
}

// path is a variable's member, however deep, or the test for it: true when it is there, and unknown, like the member, when it is
// not.
func (b *builder) path(root string, path []string, test bool) node {
	if root == "async" {
		b.asyncNeeds.add(path)
	} else if root == "event" {
		b.needs.add(path)
	}
	used := &attribute{root: root, path: path}
	b.attributes = append(b.attributes, used)
	return func(f *frame) ref.Val {
		f.spend(1 + len(path))
		subject := f.subject(root)
		if subject == nil && len(path) == 0 {
			return types.WrapErr(&absentError{root})
		} else if subject == nil {
			return unknown
		}
		value, found := subject.find(path)
		if !found {
			return unknown
		}
		for _, longer := range used.longer {
			if _, found := subject.find(longer); !found {
				return unknown
			}
		}
		if test {
			return types.True
		}
		return types.DefaultTypeAdapter.NativeToValue(value)
	}
}

// subject is the value of a variable, nil if it has none.
func (f *frame) subject(root string) *Subject {
	switch root {
	case "event":
		return f.event
	case "async":
		return f.async
	}
	return nil
}

// absentError is a variable that has no value here. Unlike other errors it is never absorbed.
type absentError struct{ name string }

func (e *absentError) Error() string { return fmt.Sprintf("no such attribute(s): %s", e.name) }

// apply is a call of an operator or function on evaluated operands.
func (b *builder) apply(name string, operands []node) (node, error) {
	function, err := b.function(name)
	if err != nil {
		return nil, err
	}
	weighed := name != operators.Index // which looks at one element, however large the whole
	return func(f *frame) ref.Val {
		values := make([]ref.Val, len(operands))
		absorbed := false
		for at, operand := range operands {
			values[at] = operand(f)
			if f.budget < 0 {
				return exhausted
			}
			absorbed = absorbed || types.IsUnknownOrError(values[at])
			if weighed && f.spend(weight(values[at], f.budget)) {
				return exhausted
			}
		}
		if f.spend(1) {
			return exhausted
		}
		if absorbed {
			return absorb(name, values)
		}
		result := function(f, values)
		if weighed {
			f.spend(weight(result, f.budget)) // so that what grows by repetition is paid for
		}
		return result
	}, nil
}

// function finds what a call does: an operator of our own, a function of our own, or one of CEL's.
func (b *builder) function(name string) (func(*frame, []ref.Val) ref.Val, error) {
	if operator, found := looseOperators[name]; found {
		return func(_ *frame, values []ref.Val) ref.Val { return operator(values[0], values[1]) }, nil
	}
	if own, found := ownFunctions[name]; found {
		return func(f *frame, values []ref.Val) ref.Val { return own.call(f.now, values) }, nil
	}
	overload, found := b.standard[name]
	if !found {
		return nil, fmt.Errorf("undeclared function '%s'", name)
	}
	return func(_ *frame, values []ref.Val) ref.Val { return callStandard(overload, values) }, nil
}

func callStandard(overload *functions.Overload, values []ref.Val) ref.Val {
	if overload.OperandTrait != 0 && !values[0].Type().HasTrait(overload.OperandTrait) {
		return types.NoSuchOverloadErr()
	}
	switch {
	case len(values) == 1 && overload.Unary != nil:
		return overload.Unary(values[0])
	case len(values) == 2 && overload.Binary != nil:
		return overload.Binary(values[0], values[1])
	case overload.Function != nil:
		return overload.Function(values...)
	}
	return types.NoSuchOverloadErr()
}

// weight is what it costs to read a value at all depths: 1 per element and per ten bytes of text. It stops counting above
// the limit. The list that a macro is building is free: only what is added to it is read.
func weight(value ref.Val, limit int) int {
	switch value := value.(type) {
	case types.String:
		return len(value) / 10
	case types.Bytes:
		return len(value) / 10
	case traits.MutableLister:
		return 0
	case traits.Lister:
		total := 0
		for at := value.Iterator(); total <= limit && at.HasNext() == types.True; {
			total += 1 + weight(at.Next(), limit-total)
		}
		return total
	case traits.Mapper:
		total := 0
		for at := value.Iterator(); total <= limit && at.HasNext() == types.True; {
			key := at.Next()
			total += 1 + weight(key, limit-total)
			total += weight(value.Get(key), limit-total)
		}
		return total
	}
	return 0
}

// macro is a loop over a list's elements or a map's keys.
func (b *builder) macro(e ast.ComprehensionExpr, scope []string) (node, error) {
	inner := append(append([]string(nil), scope...), e.AccuVar(), e.IterVar())
	accumulator, element := len(scope), len(scope)+1
	// map and filter start from an empty list and add to it; adding in place keeps them linear.
	building := e.AccuInit().Kind() == ast.ListKind && len(e.AccuInit().AsList().Elements()) == 0
	outer, err := b.nodes([]ast.Expr{e.IterRange(), e.AccuInit()}, scope)
	if err != nil {
		return nil, err
	}
	body, err := b.nodes([]ast.Expr{e.LoopCondition(), e.LoopStep(), e.Result()}, inner)
	if err != nil {
		return nil, err
	}
	return func(f *frame) ref.Val {
		f.spend(1)
		elements := outer[0](f)
		if types.IsUnknownOrError(elements) {
			return elements
		}
		iterable, ok := elements.(traits.Iterable)
		if !ok {
			return types.NoSuchOverloadErr()
		}
		f.locals = append(f.locals[:accumulator], outer[1](f), nil)
		if building {
			f.locals[accumulator] = types.NewMutableList(types.DefaultTypeAdapter)
		}
		for at := iterable.Iterator(); at.HasNext() == types.True; {
			f.locals = append(f.locals[:element], at.Next())
			if f.spend(1) {
				return exhausted
			}
			if body[0](f) == types.False {
				break
			}
			f.locals[accumulator] = body[1](f)
		}
		if built, ok := f.locals[accumulator].(traits.MutableLister); ok {
			f.locals[accumulator] = built.ToImmutableList()
		}
		result := body[2](f)
		f.locals = f.locals[:accumulator]
		return result
	}, nil
}

// absorb is the result of a call with an unknown or an error among its operands (spec 12 §5).
func absorb(name string, values []ref.Val) ref.Val {
	for _, value := range values {
		var absent *absentError
		if fault, ok := value.(*types.Err); ok && (errors.As(fault.Unwrap(), &absent) || isNoValue(value)) {
			return value
		}
	}
	left := types.IsUnknownOrError(values[0])
	switch name {
	case "size":
		return types.IntZero
	case operators.Equals, operators.NotEquals:
		other := values[1]
		if !left {
			other = values[0]
		}
		return types.Bool((other == types.NullValue) == (name == operators.Equals))
	case operators.Less, operators.LessEquals:
		return types.Bool(left)
	case operators.Greater, operators.GreaterEquals:
		return types.Bool(!left)
	case operators.Add:
		switch {
		case !left:
			return values[0]
		case !types.IsUnknownOrError(values[1]):
			return values[1]
		}
	}
	return types.False
}
