package expr

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A condition that is met by an incoming event has something in common with it, and that is what makes it findable. It is written as
// clauses: of each, at least one fact holds whenever the condition counts as true. No clause at all means that nothing is known, a
// clause without facts that the condition is never met. Any one clause is enough to find the condition by.
type clause []fact

// fact is that the incoming event has a certain value at a place, or something that the condition alone decides.
type fact struct {
	place *place
	// value is compared with what is at the place; without a place, it is the decision.
	value node
	// each: any element of the value will do.
	each bool
	// isFalse: the decision is about being false, not about being true.
	isFalse bool
}

// place is where in the incoming event a fact looks.
type place struct {
	path []string
	// pointer is the path as a text, see Key.
	pointer string
	// among: the elements of the list, or the keys of the object, at the path.
	among bool
	// vague: the condition sees the place as missing although it may be there, since it uses a longer path as well.
	vague bool
	// indexed: the condition reaches the place by [], which is false, not missing, when what it reaches into is missing.
	indexed bool
}

// Limits of the clauses of one condition. What exceeds them is left out, so that more conditions are candidates than need be.
const (
	maxClauses = 8
	maxFacts   = 32
)

// clauses are those of a condition. They are derived after the nodes are built, when all attributes are known.
func (b *builder) clauses(e ast.Expr) []clause { return b.ifTrue(e) }

// ifTrue is what holds when a part counts as true.
func (b *builder) ifTrue(e ast.Expr) []clause {
	if b.isConstant(e) {
		return b.decision(e, false)
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	call := e.AsCall()
	operands := call.Args()
	switch call.FunctionName() {
	case operators.LogicalAnd:
		return both(b.ifTrue(operands[0]), b.ifTrue(operands[1]))
	case operators.LogicalOr:
		return alternatives(b.ifTrue(operands[0]), b.ifTrue(operands[1]))
	case operators.LogicalNot:
		return b.ifFalse(operands[0])
	case operators.Conditional:
		return alternatives(both(b.ifTrue(operands[0]), b.ifTrue(operands[1])), both(b.ifNotTrue(operands[0]), b.ifTrue(operands[2])))
	case operators.Equals:
		return b.equality(operands[0], operands[1])
	case operators.In:
		return b.membership(operands[0], operands[1])
	}
	return nil
}

// ifFalse is what holds when a part is false itself.
func (b *builder) ifFalse(e ast.Expr) []clause {
	if b.isConstant(e) {
		return b.decision(e, true)
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	operands := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalAnd: // one that does not count as true is the result, unless both do
		return alternatives(b.ifFalse(operands[0]), b.ifFalse(operands[1]))
	case operators.LogicalOr:
		return both(b.ifNotTrue(operands[0]), b.ifFalse(operands[1]))
	case operators.LogicalNot:
		if alwaysBoolean(operands[0]) { // else it may be missing
			return b.ifTrue(operands[0])
		}
	case operators.NotEquals:
		return b.equality(operands[0], operands[1])
	}
	return nil
}

// ifNotTrue is what holds when a part does not count as true.
func (b *builder) ifNotTrue(e ast.Expr) []clause {
	if alwaysBoolean(e) {
		return b.ifFalse(e)
	}
	return nil
}

// both is what holds when two conditions do.
func both(left, right []clause) []clause {
	all := append(slices.Clip(left), right...)
	return all[:min(len(all), maxClauses)]
}

// alternatives is what holds when one of two conditions does.
func alternatives(left, right []clause) []clause {
	var found []clause
	for _, one := range left {
		for _, other := range right {
			if len(one)+len(other) <= maxFacts && len(found) < maxClauses {
				found = append(found, append(slices.Clip(one), other...))
			}
		}
	}
	return found
}

// isConstant reports whether the incoming event and the present have no part in the value.
func (b *builder) isConstant(e ast.Expr) bool {
	used := uses{}
	used.walk(e, nil)
	return !used.async && !used.now && !used.loop
}

func (b *builder) decision(e ast.Expr, isFalse bool) []clause {
	value, _ := b.node(e, nil) // which has succeeded before
	return []clause{{{value: value, isFalse: isFalse}}}
}

func (b *builder) equality(left, right ast.Expr) []clause {
	if b.isConstant(left) {
		left, right = right, left
	}
	return b.fact(left, right, false, false)
}

func (b *builder) membership(element, collection ast.Expr) []clause {
	if b.isConstant(element) {
		return b.fact(collection, element, true, false)
	}
	return b.fact(element, collection, false, true)
}

func (b *builder) fact(at, value ast.Expr, among, each bool) []clause {
	found := b.place(at, among)
	if found == nil || !b.isConstant(value) {
		return nil
	}
	node, _ := b.node(value, nil) // which has succeeded before
	return []clause{{{place: found, value: node, each: each}}}
}

// place is where a chain of selections and constant indexes leads, nil for anything else.
func (b *builder) place(e ast.Expr, among bool) *place {
	found := &place{among: among}
	var names []string
	for {
		switch {
		case e.Kind() == ast.SelectKind && !e.AsSelect().IsTestOnly():
			names = append(names, e.AsSelect().FieldName())
			e = e.AsSelect().Operand()
			continue
		case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index:
			index := e.AsCall().Args()[1]
			if _, isParameter := b.lifted[index.ID()]; isParameter || index.Kind() != ast.LiteralKind {
				return nil
			}
			name, ok := index.AsLiteral().(types.String)
			if !ok {
				return nil
			}
			found.indexed = true
			names = append(names, string(name))
			e = e.AsCall().Args()[0]
			continue
		}
		break
	}
	if e.Kind() != ast.IdentKind || e.AsIdent() != "async" || len(names) == 0 {
		return nil
	}
	slices.Reverse(names)
	found.path, found.pointer = names, pointer(names, among)
	for _, used := range b.attributes {
		found.vague = found.vague || used.root == "async" && len(used.path) > len(names) && slices.Equal(names, used.path[:len(names)])
	}
	return found
}

var escapes = strings.NewReplacer("~", "~0", "/", "~1", "*", "~2")

// pointer is a path as a text: /data/tags, or /data/tags/* for what is in it.
func pointer(path []string, among bool) string {
	var text strings.Builder
	for _, name := range path {
		text.WriteByte('/')
		text.WriteString(escapes.Replace(name))
	}
	if among {
		text.WriteString("/*")
	}
	return text.String()
}

var unescapes = strings.NewReplacer("~2", "*", "~1", "/", "~0", "~")

// placeOf reads what pointer wrote.
func placeOf(text string) *place {
	path, among := strings.CutSuffix(text, "/*")
	names := strings.Split(path, "/")[1:]
	for at, name := range names {
		names[at] = unescapes.Replace(name)
	}
	return &place{path: names, pointer: text, among: among}
}

// requirement is a clause whose facts are worked out: at each place, a value's canonical form.
type requirement []literalAt

type literalAt struct {
	place *place
	text  string
}

// maxLiterals is how many values one condition is found by.
const maxLiterals = 256

// requirements work out the clauses with the literals of one condition. A clause that then says nothing is left out.
func requirements(clauses []clause, parameters []ref.Val) []requirement {
	found := make([]requirement, 0, len(clauses))
	for _, one := range clauses {
		if worked, ok := one.workOut(parameters); ok {
			found = append(found, worked)
		}
	}
	return found
}

func (c clause) workOut(parameters []ref.Val) (found requirement, ok bool) {
	defer func() {
		ok = ok && recover() == nil // of the CEL library: see contain
	}()
	found = requirement{}
	for _, one := range c {
		frame := &frame{parameters: parameters, budget: CostLimit}
		value := one.value(frame)
		switch {
		case frame.budget < 0:
			return nil, false
		case one.place == nil && one.isFalse:
			if value == types.False {
				return nil, false
			}
		case one.place == nil:
			if truthy(value) {
				return nil, false
			}
		default:
			for _, literal := range one.literals(value) {
				text, ok := canonicalValue(nil, literal)
				if !ok || one.place.vague && string(text) == canonicalNull || one.place.indexed && string(text) == canonicalFalse {
					return nil, false
				}
				found = append(found, literalAt{one.place, string(text)})
			}
		}
		if len(found) > maxLiterals {
			return nil, false
		}
	}
	return found, true
}
