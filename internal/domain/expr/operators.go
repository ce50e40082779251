package expr

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// looseOperators are the operators that take operands of any types, for known operands (spec 12 §5).
var looseOperators = map[string]func(left, right ref.Val) ref.Val{
	operators.Add:           add,
	operators.Equals:        func(left, right ref.Val) ref.Val { return types.Bool(equal(left, right)) },
	operators.NotEquals:     func(left, right ref.Val) ref.Val { return types.Bool(!equal(left, right)) },
	operators.Less:          ordered(func(order types.Int) bool { return order < 0 }),
	operators.LessEquals:    ordered(func(order types.Int) bool { return order <= 0 }),
	operators.Greater:       ordered(func(order types.Int) bool { return order > 0 }),
	operators.GreaterEquals: ordered(func(order types.Int) bool { return order >= 0 }),
}

// equal compares numbers by their value whatever their kind; other values of different types are different.
func equal(left, right ref.Val) bool {
	return types.Equal(left, right) == types.True
}

func ordered(holds func(types.Int) bool) func(left, right ref.Val) ref.Val {
	return func(left, right ref.Val) ref.Val {
		if left == types.NullValue {
			left = zeroOf(right)
		} else if right == types.NullValue {
			right = zeroOf(left)
		}
		comparer, ok := left.(traits.Comparer)
		if !ok {
			return types.NoSuchOverloadErr()
		}
		switch order := comparer.Compare(right).(type) {
		case types.Int:
			return types.Bool(holds(order))
		default:
			if isNaN(left) || isNaN(right) {
				return types.False
			}
			return order
		}
	}
}

func isNaN(value ref.Val) bool {
	number, ok := value.(types.Double)
	return ok && number != number
}

// zeroOf is what null counts as when it is ordered against the other value, null if there is no such thing.
func zeroOf(other ref.Val) ref.Val {
	switch other.(type) {
	case types.Int:
		return types.IntZero
	case types.Uint:
		return types.Uint(0)
	case types.Double:
		return types.Double(0)
	case types.String:
		return types.String("")
	}
	return types.NullValue
}

// add adds what CEL can add, and joins the texts of two values of different types.
func add(left, right ref.Val) ref.Val {
	first, isList := left.(traits.Lister)
	second, areLists := right.(traits.Lister)
	if _, inPlace := left.(traits.MutableLister); isList && areLists && !inPlace {
		return concatenate(first, second)
	}
	if adder, ok := left.(traits.Adder); ok {
		if sum := adder.Add(right); !types.IsError(sum) || left.Type() == right.Type() {
			return sum
		}
	}
	if left.Type() == right.Type() && left != types.NullValue {
		return types.NoSuchOverloadErr()
	}
	return types.String(textOf(left) + textOf(right))
}

// concatenate copies, because CEL's own sum of lists is a tree that is walked anew for each element.
func concatenate(lists ...traits.Lister) ref.Val {
	values := []ref.Val{}
	for _, one := range lists {
		for at := one.Iterator(); at.HasNext() == types.True; {
			values = append(values, at.Next())
		}
	}
	return types.NewRefValList(types.DefaultTypeAdapter, values)
}

// truthy is how "&&", "||" and "?:" see a value: empty lists and maps are true.
func truthy(value ref.Val) bool {
	switch value := value.(type) {
	case types.Bool:
		return bool(value)
	case types.Int:
		return value != 0
	case types.Uint:
		return value != 0
	case types.Double:
		return value != 0
	case types.String:
		return value != ""
	case types.Null:
		return false
	}
	return !types.IsUnknownOrError(value)
}

// textOf is Text of a value that is still CEL's.
func textOf(value ref.Val) string { return Text(native(value)) }

// native is the Go value at all depths; null within a list or map is nil.
func native(value ref.Val) any {
	switch value := value.(type) {
	case types.Null:
		return nil
	case traits.Lister:
		items := []any{}
		for at := value.Iterator(); at.HasNext() == types.True; {
			items = append(items, native(at.Next()))
		}
		return items
	case traits.Mapper:
		members := map[any]any{}
		for at := value.Iterator(); at.HasNext() == types.True; {
			key := at.Next()
			members[native(key)] = native(value.Get(key))
		}
		return members
	}
	return value.Value()
}
