// Package expr compiles and evaluates the expressions that functions are registered with. They are CEL with a looser
// treatment of missing members, null and mixed types than the standard's.
//
// CEL itself parses and type-checks the text (env.go). Evaluation is our own (build.go, evaluate.go): the checked tree is turned once
// into closures, and each operand is evaluated once. Three outcomes besides a value are kept apart:
//
//   - unknown: a path of members, like event.data.a.b, that the event does not have. It equals null and nothing else, orders
//     below everything, and makes any other call false (operators.go).
//   - an error, such as a type mismatch. As an operand it counts as unknown; as the result it is an error.
//   - no value: a date that cannot be read. It passes through every call and is an error in the end.
//
// A condition is matched with the event that triggers (Match, over the variable event), or, when a run waits or can be cancelled,
// with an event that comes later (MatchAsync, over async), after Interpolate has put in what the triggering event has. Index finds,
// among many such conditions, those that an incoming event can meet. The variable vars is declared and always unknown.
//
// Different from the reference by intent: escapes in quoted text are processed as CEL says, and raw, bytes and triple-quoted literals
// work, as the check at registration already assumes. Back-quoted member names work as well.
//
// Source: spec 12 §1–§8.
package expr

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/ingothq/ingot/internal/domain/event"
)

// CostLimit bounds one evaluation. Each step costs 1; a call costs another 1 per ten bytes of text and per element that it
// reads. A million takes a few tenths of a second at most, and lets a condition walk a list of over a hundred thousand elements.
const CostLimit = 1_000_000

// ErrCostLimit is wrapped by the error of an evaluation that exceeded CostLimit.
var ErrCostLimit = errors.New("expression exceeds the cost limit")

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct {
	text              string
	root              node
	needs, asyncNeeds needs
	// clauses are what an incoming event must have for the condition to be met, see keys.go.
	clauses []clause
}

// undeclared finds the message that this release of CEL words more briefly than the one the texts are known from.
var undeclared = regexp.MustCompile(`(?m)^(ERROR: <input>:\d+:\d+: undeclared reference to '[^']*')$`)

// Compile checks the text and compiles it. A result type other than boolean is accepted, as the reference does; Match then fails.
//
// The error's text is CEL's, with the position in the text, after "error compiling expression: ". Compile never panics.
func Compile(text string) (program *Program, err error) {
	program, _, err = compile(text, nil)
	return program, err
}

// compile also returns the checked tree. What prepare changes of the builder is in effect when the tree is turned into nodes.
func compile(text string, prepare func(*builder, *ast.AST)) (program *Program, tree *ast.AST, err error) {
	return compileIn(sharedLanguage, text, prepare)
}

// compileIn is compile in a language.
func compileIn(language func() (*language, error), text string, prepare func(*builder, *ast.AST)) (program *Program, tree *ast.AST, err error) {
	defer contain("error compiling expression", &err)
	shared, err := language()
	if err != nil {
		return nil, nil, err
	}
	checked, issues := shared.env.Compile(text)
	if issues.Err() != nil {
		return nil, nil, fmt.Errorf("error compiling expression: %s", undeclared.ReplaceAllString(issues.Err().Error(), "$1 (in container '')"))
	}
	tree = checked.NativeRep()
	build := builder{language: shared}
	if prepare != nil {
		prepare(&build, tree)
	}
	root, err := build.node(tree.Expr(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("error compiling expression: %w", err)
	}
	program = &Program{text: text, root: root}
	if build.waits == nil {
		program.clauses = build.clauses(tree.Expr())
	}
	build.findPrefixes()
	program.needs, program.asyncNeeds = build.needs, build.asyncNeeds
	return program, tree, nil
}

// String is the expression's text.
func (p *Program) String() string { return p.text }

// Match reports whether the event meets the condition. The event's payloads are decoded only as far as the condition needs them; several
// conditions on one event share that work through NewSubject and MatchSubject. The functions now, now_plus and now_minus are errors
// without a clock; MatchAt has one.
//
// A result that is unknown is false. Errors: the evaluation failed, was too costly (ErrCostLimit), or the result is not a boolean.
func (p *Program) Match(e event.Event) (bool, error) {
	return p.MatchSubject(NewSubject(e, time.Time{}))
}

// MatchAt is Match at an instant, which is what now() returns.
func (p *Program) MatchAt(e event.Event, now time.Time) (bool, error) {
	return p.MatchSubject(NewSubject(e, now))
}

// MatchSubject is Match for an event that several conditions are tried on.
func (p *Program) MatchSubject(s *Subject) (bool, error) {
	return met(p.evaluate(s))
}

func met(result ref.Val, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	met, ok := result.(types.Bool)
	if !ok {
		return false, fmt.Errorf("returned type %T (%[1]s): expression errored", result.Value())
	}
	return bool(met), nil
}

// evaluate is the result, never unknown or an error value.
func (p *Program) evaluate(s *Subject) (result ref.Val, err error) {
	return p.run(&frame{event: s, now: s.now})
}

// run is evaluate with any of the variables.
func (p *Program) run(f *frame) (result ref.Val, err error) {
	defer contain("evaluate expression", &err)
	if f.event != nil {
		if err := f.event.decode(p.needs); err != nil {
			return nil, err
		}
	}
	if f.async != nil {
		if err := f.async.decode(p.asyncNeeds); err != nil {
			return nil, err
		}
	}
	f.budget = CostLimit
	return finish(f, p.root(f))
}

// finish turns what an evaluation came to into a value or an error.
func finish(f *frame, result ref.Val) (ref.Val, error) {
	switch {
	case f.budget < 0:
		return nil, fmt.Errorf("evaluate expression: %w of %d", ErrCostLimit, CostLimit)
	case types.IsUnknown(result):
		return types.False, nil
	case isNoValue(result):
		return nil, errNoValue
	case types.IsError(result):
		return nil, fmt.Errorf("invalid type comparison: %w: expression errored", result.(*types.Err))
	}
	return result, nil
}

// contain, deferred, turns a panic of the CEL library into an error: the text and the data are an app's, and must not be able to
// end the server.
func contain(doing string, err *error) {
	if fault := recover(); fault != nil {
		*err = fmt.Errorf("%s: %v", doing, fault)
	}
}
