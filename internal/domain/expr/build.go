package expr

import (
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// node evaluates one part of an expression. It never returns nil.
type node func(*frame) ref.Val

// frame is the state of one evaluation.
type frame struct {
	event, async *Subject // nil if the variable has no value
	now          time.Time
	parameters   []ref.Val // of the literals that were lifted out of the text
	budget       int
	locals       []ref.Val // of the macros that are open, by depth
}

// spend takes from the budget and reports whether it is used up. What is returned then does not matter, so only what loops or
// works in proportion to the data has to stop.
func (f *frame) spend(cost int) bool {
	f.budget -= cost
	return f.budget < 0
}

// exhausted stands for any value once the budget is used up.
var exhausted = types.WrapErr(ErrCostLimit)

// builder turns a checked tree into nodes.
type builder struct {
	*language
	needs, asyncNeeds needs
	attributes        []*attribute
	// lifted are the literals that are parameters, by their id in the tree, see lift.go.
	lifted map[int64]int
	// outcome says that output and error are members of the second variable, see search.go.
	outcome bool
	// waits is what differs in a condition that waits for an event, nil for others.
	waits *waiting
}

// attribute is a path of member names below an event.
type attribute struct {
	root string
	path []string
	// longer are the longer paths used in the same expression. If one of them is missing, this one counts as unknown as
	// well, even if it is there (spec 12 §5).
	longer [][]string
}

func (b *builder) findPrefixes() {
	for _, shorter := range b.attributes {
		for _, other := range b.attributes {
			if other.root == shorter.root && len(other.path) > len(shorter.path) && slices.Equal(shorter.path, other.path[:len(shorter.path)]) {
				shorter.longer = append(shorter.longer, other.path)
			}
		}
	}
}

// node builds one part. The scope holds the names of the open macros' variables, innermost last.
func (b *builder) node(e ast.Expr, scope []string) (node, error) {
	if b.waits != nil {
		return b.waits.node(b, e, scope)
	}
	return b.plainNode(e, scope)
}

func (b *builder) plainNode(e ast.Expr, scope []string) (node, error) {
	switch e.Kind() {
	case ast.LiteralKind:
		if at, found := b.lifted[e.ID()]; found {
			return parameter(at), nil
		}
		return constant(e.AsLiteral()), nil
	case ast.IdentKind, ast.SelectKind:
		if root, path := pathOf(e); root != "" && !slices.Contains(scope, root) && isVariable(root) {
			return b.path(root, path, e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly()), nil
		} else if b.outcome && isOutcome(root) && !slices.Contains(scope, root) {
			return b.path("async", append([]string{root}, path...), e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly()), nil
		}
		if e.Kind() == ast.IdentKind {
			return b.name(e, scope)
		}
		return b.selection(e.AsSelect(), scope)
	case ast.CallKind:
		return b.call(e.AsCall(), scope)
	case ast.ListKind:
		elements, err := b.nodes(e.AsList().Elements(), scope)
		return list(elements), err
	case ast.MapKind:
		return b.object(e.AsMap(), scope)
	case ast.ComprehensionKind:
		return b.macro(e.AsComprehension(), scope)
	}
	return nil, fmt.Errorf("messages are not supported")
}

func (b *builder) nodes(parts []ast.Expr, scope []string) ([]node, error) {
	built := make([]node, len(parts))
	for at, part := range parts {
		var err error
		if built[at], err = b.node(part, scope); err != nil {
			return nil, err
		}
	}
	return built, nil
}

func isVariable(name string) bool { return name == "event" || name == "async" || name == "vars" }

// pathOf is the variable and the members that a chain of selections names; has(a.b.c) names the same path as a.b.c.
func pathOf(e ast.Expr) (root string, path []string) {
	for e.Kind() == ast.SelectKind {
		path = append(path, e.AsSelect().FieldName())
		e = e.AsSelect().Operand()
	}
	if e.Kind() != ast.IdentKind {
		return "", nil
	}
	slices.Reverse(path)
	return e.AsIdent(), path
}

func constant(value ref.Val) node {
	return func(f *frame) ref.Val {
		f.spend(1)
		return value
	}
}

func parameter(at int) node {
	return func(f *frame) ref.Val {
		f.spend(1)
		return f.parameters[at]
	}
}

func (b *builder) name(e ast.Expr, scope []string) (node, error) {
	for at := len(scope) - 1; at >= 0; at-- {
		if scope[at] == e.AsIdent() {
			return func(f *frame) ref.Val {
				f.spend(1)
				return f.locals[at]
			}, nil
		}
	}
	if value, found := b.env.CELTypeProvider().FindIdent(e.AsIdent()); found { // the name of a type
		return constant(value), nil
	}
	return nil, fmt.Errorf("undeclared reference to '%s'", e.AsIdent())
}

// selection is a member of something that is not a plain path.
func (b *builder) selection(e ast.SelectExpr, scope []string) (node, error) {
	operand, err := b.node(e.Operand(), scope)
	if err != nil {
		return nil, err
	}
	name, test := types.String(e.FieldName()), e.IsTestOnly()
	return func(f *frame) ref.Val {
		f.spend(1)
		value := operand(f)
		switch object, ok := value.(traits.Mapper); {
		case types.IsUnknownOrError(value):
			return value
		case !ok:
			return types.NoSuchOverloadErr()
		case test:
			_, found := object.Find(name)
			return types.Bool(found)
		default:
			return object.Get(name)
		}
	}, nil
}

func list(elements []node) node {
	return func(f *frame) ref.Val {
		f.spend(1 + len(elements))
		values := make([]ref.Val, len(elements))
		for at, element := range elements {
			if values[at] = known(element(f)); types.IsError(values[at]) {
				return values[at]
			}
		}
		return types.NewRefValList(types.DefaultTypeAdapter, values)
	}
}

func (b *builder) object(e ast.MapExpr, scope []string) (node, error) {
	var parts []ast.Expr
	for _, entry := range e.Entries() {
		parts = append(parts, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
	}
	built, err := b.nodes(parts, scope)
	if err != nil {
		return nil, err
	}
	return func(f *frame) ref.Val {
		f.spend(1 + len(built))
		entries := make(map[ref.Val]ref.Val, len(built)/2)
		for at := 0; at < len(built); at += 2 {
			key, value := known(built[at](f)), known(built[at+1](f))
			if types.IsError(key) {
				return key
			}
			if types.IsError(value) {
				return value
			}
			entries[key] = value
		}
		return types.NewRefValMap(types.DefaultTypeAdapter, entries)
	}, nil
}

// known is the value, or an error if it is unknown: a literal cannot hold what is missing.
func known(value ref.Val) ref.Val {
	if types.IsUnknown(value) {
		return types.NewErr("no such key")
	}
	return value
}

func (b *builder) call(e ast.CallExpr, scope []string) (node, error) {
	parts := e.Args()
	if e.IsMemberFunction() {
		parts = append([]ast.Expr{e.Target()}, parts...)
	}
	name := e.FunctionName()
	until := name == operators.NotStrictlyFalse && isNot(parts[0])
	if until {
		parts = parts[0].AsCall().Args()
	}
	operands, err := b.nodes(parts, scope)
	if err != nil {
		return nil, err
	}
	if b.waits != nil && comparisons[name] != "" {
		for at, part := range parts {
			if isMember(part, "event", scope) {
				operands[at] = orNull(operands[at])
			}
		}
	}
	switch name {
	case operators.NotStrictlyFalse:
		return goOn(operands[0], until), nil
	case operators.LogicalOr:
		return either(operands[0], operands[1], true), nil
	case operators.LogicalAnd:
		return either(operands[0], operands[1], false), nil
	case operators.Conditional:
		return func(f *frame) ref.Val {
			f.spend(1)
			if truthy(operands[0](f)) {
				return operands[1](f)
			}
			return operands[2](f)
		}, nil
	default:
		return b.apply(name, operands)
	}
}

func isNot(e ast.Expr) bool {
	return e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalNot
}

// goOn is the condition of a macro's loop: go on until what it has found so far is true (exists), or as long as it is not
// false (all). An element that cannot be evaluated does not end the loop.
func goOn(found node, until bool) node {
	return func(f *frame) ref.Val {
		f.spend(1)
		if until {
			return types.Bool(!truthy(found(f)))
		}
		return types.Bool(found(f) != types.False)
	}
}

// either is "||" (until true) or "&&" (until false): the first operand that decides, else the last.
func either(left, right node, until bool) node {
	return func(f *frame) ref.Val {
		f.spend(1)
		if value := left(f); truthy(value) == until {
			return value
		}
		return right(f)
	}
}
