package expr

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/parser"

	"github.com/ingothq/ingot/internal/domain/event"
)

// Template is the condition of a wait or a cancellation as an app wrote it, over event and async. It is immutable and safe for
// concurrent use.
type Template struct {
	text    string
	program *Program
	tree    *ast.AST
	parts   map[int64]part
	// entangled: the incoming event's members are used at several depths, so that leaving out one use could change what another
	// finds missing (see attribute). Then nothing is left out.
	entangled bool
}

// CompileTemplate checks the text, with Compile's errors, and prepares it to be interpolated. A client is shown the error's text as the
// fault's stack: "error compiling expression: ERROR: <input>:1:21: Syntax error: …". An empty text is an error too. Source: spec 12 §1,
// 02 §18.
func CompileTemplate(text string) (*Template, error) {
	waits := &waiting{parts: map[int64]part{}}
	var build *builder
	program, tree, err := compile(text, func(b *builder, _ *ast.AST) { b.waits, build = waits, b })
	if err != nil {
		return nil, err
	}
	entangled := slices.ContainsFunc(build.attributes, func(used *attribute) bool { return used.root == "async" && used.longer != nil })
	return &Template{text: text, program: program, tree: tree, parts: waits.parts, entangled: entangled}, nil
}

// Interpolate is CompileTemplate and Template.Interpolate. Without "event." in it, the text is returned as it is and not compiled.
func Interpolate(text string, e event.Event) (string, error) {
	if !strings.Contains(text, "event.") {
		return text, nil
	}
	template, err := CompileTemplate(text)
	if err != nil {
		return "", err
	}
	return template.Interpolate(e)
}

// Interpolate replaces what the triggering event decides by literals and leaves what the incoming event decides. The result, compiled
// and matched with any incoming event, is met exactly when the text is met with both events at hand; which error a condition that
// is not met ends with may differ. It can be "true", or "false" if no event can meet it.
//
// A member that the triggering event lacks is null where it is compared or is all that a part consists of, and unknown elsewhere.
// A text without "event." in it is not changed, as in the reference: the event is then missing as a whole.
//
// Errors: a payload that cannot be decoded, ErrCostLimit, or a result that does not compile, because a literal in it is too large or
// nested too deeply. Source: spec 12 §8.2, 08 §12.7.
func (t *Template) Interpolate(e event.Event) (result string, err error) {
	if !strings.Contains(t.text, "event.") {
		return t.text, nil
	}
	defer contain("interpolate expression", &err)
	subject := &Subject{event: e}
	if err := subject.decode(t.program.needs); err != nil {
		return "", err
	}
	filled := &filling{template: t, frame: frame{event: subject, budget: CostLimit}}
	result, err = filled.print()
	if err != nil || !filled.risky && len(result) <= maxCodePoints {
		return result, err
	}
	if _, err = Compile(result); err == nil {
		return result, nil
	}
	// A literal has a type where the member that it replaces had none, so that the check may refuse it.
	filled.guarded = true
	if result, err = filled.print(); err != nil {
		return "", err
	}
	if _, err = Compile(result); err != nil {
		return "", fmt.Errorf("interpolate %q: %w", t.text, err)
	}
	return result, nil
}

// filling is one interpolation. Trees are in the form they were written in: macros are calls.
type filling struct {
	template *Template
	frame    frame
	// guarded hides the types of literals from the check.
	guarded bool
	// risky is set when the check could refuse the result.
	risky bool
	// lacking is set when a member that the event does not have was left as null.
	lacking bool
}

func (f *filling) print() (string, error) {
	left := f.fill(f.template.tree.Expr(), forTrue)
	if f.frame.budget < 0 {
		return "", fmt.Errorf("interpolate expression: %w of %d", ErrCostLimit, CostLimit)
	}
	if f.lacking {
		left.tree = turned(left.tree)
	}
	text, err := parser.Unparse(left.tree, ast.NewSourceInfo(nil), parser.EscapeIdentifiers(true))
	if err != nil {
		return "", fmt.Errorf("print interpolated expression: %w", err)
	}
	return text, nil
}

// turned puts members left and literals right in the comparisons that the condition is made of, which is how the reference prints a
// condition of which the event lacks a member.
func turned(e ast.Expr) ast.Expr {
	if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
		return e
	}
	call := e.AsCall()
	left, right := call.Args()[0], call.Args()[1]
	if isLogical(call.FunctionName()) {
		return trees.NewCall(0, call.FunctionName(), turned(left), turned(right))
	}
	if mirrored := comparisons[call.FunctionName()]; mirrored != "" && left.Kind() == ast.LiteralKind && isMember(right, "async", nil) {
		return trees.NewCall(0, mirrored, right, left)
	}
	return e
}

// evaluate is what a part comes to with the triggering event.
func (f *filling) evaluate(one part) ref.Val {
	f.frame.locals = make([]ref.Val, one.depth)
	value := one.node(&f.frame)
	if types.IsUnknown(value) {
		return types.NullValue
	}
	return value
}
