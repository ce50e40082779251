package expr

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// waiting builds the nodes of a condition that is to be interpolated. It differs from others in what a missing member of the
// triggering event is: null, where it is compared with something or where its part of the condition meets the incoming event's.
// Elsewhere it is unknown as ever. Source: spec 12 §8.2.
type waiting struct {
	// parts are the greatest parts of the tree that depend on the triggering event and on nothing else, and the parts below
	// them, by id.
	parts  map[int64]part
	inside bool
}

// part is a part of a tree that the triggering event decides.
type part struct {
	node  node
	depth int // of open macros around it
}

func (w *waiting) node(b *builder, e ast.Expr, scope []string) (node, error) {
	greatest := !w.inside && decided(e, scope)
	w.inside = w.inside || greatest
	built, err := b.plainNode(e, scope)
	if err != nil {
		return nil, err
	}
	if w.inside && decided(e, scope) {
		w.parts[e.ID()] = part{built, len(scope)}
	}
	if greatest {
		w.inside = false
		return orNull(built), nil
	}
	return built, nil
}

// orNull is the value, null if it is unknown.
func orNull(value node) node {
	return func(f *frame) ref.Val {
		if found := value(f); !types.IsUnknown(found) {
			return found
		}
		return types.NullValue
	}
}

// comparisons are the operators that compare, and what they become when their operands change places.
var comparisons = map[string]string{
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals,
	operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals,
	operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
}

// isMember reports whether a part is a plain path of members of the variable.
func isMember(e ast.Expr, variable string, scope []string) bool {
	if e.Kind() != ast.SelectKind || e.AsSelect().IsTestOnly() {
		return false
	}
	root, path := pathOf(e)
	return root == variable && len(path) > 0 && !slices.Contains(scope, root)
}

// decided reports whether a part depends on the triggering event and on nothing else that is known only later: not on the incoming
// event, the present, or the variable of a macro around it.
func decided(e ast.Expr, scope []string) bool {
	used := uses{around: scope}
	used.walk(e, nil)
	return used.event && !used.other
}

// uses is what the parts of a tree refer to.
type uses struct {
	event, async, now, loop bool
	other                   bool     // anything that Interpolate cannot know
	around                  []string // the variables of macros around the tree
}

func (u *uses) walk(e ast.Expr, bound []string) {
	switch e.Kind() {
	case ast.IdentKind:
		u.name(e.AsIdent(), bound)
	case ast.SelectKind:
		u.walk(e.AsSelect().Operand(), bound)
	case ast.CallKind:
		call := e.AsCall()
		if presentCalls[call.FunctionName()] {
			u.now, u.other = true, true
		}
		if call.IsMemberFunction() {
			u.walk(call.Target(), bound)
		}
		for _, argument := range call.Args() {
			u.walk(argument, bound)
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			u.walk(element, bound)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			u.walk(entry.AsMapEntry().Key(), bound)
			u.walk(entry.AsMapEntry().Value(), bound)
		}
	case ast.ComprehensionKind:
		u.loop = true
		loop := e.AsComprehension()
		u.walk(loop.IterRange(), bound)
		u.walk(loop.AccuInit(), bound)
		inner := append(slices.Clip(bound), loop.AccuVar(), loop.IterVar())
		u.walk(loop.LoopCondition(), inner)
		u.walk(loop.LoopStep(), inner)
		u.walk(loop.Result(), inner)
	}
}

func (u *uses) name(name string, bound []string) {
	switch {
	case slices.Contains(bound, name):
	case slices.Contains(u.around, name):
		u.other = true
	case name == "event":
		u.event = true
	case name == "async":
		u.async, u.other = true, true
	case name == "vars" || !isType(name):
		u.other = true
	}
}

// isType reports whether a name that no macro declares is a type's. Everything else that passes the check is a variable.
func isType(name string) bool {
	shared, _ := sharedLanguage() // Compile has checked the tree with it
	_, found := shared.env.CELTypeProvider().FindIdent(name)
	return found
}

// presentCalls are the functions whose result changes with the time.
var presentCalls = map[string]bool{"now": true, "now_plus": true, "now_minus": true}
