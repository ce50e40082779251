package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"

	"github.com/ingothq/ingot/internal/domain/event"
)

// searchLanguage declares what a search is over besides the event: the output of a run and its error.
var searchLanguage = sync.OnceValues(func() (*language, error) {
	return newLanguage(cel.Variable("output", cel.DynType), cel.Variable("error", cel.DynType))
})

func isOutcome(name string) bool { return name == "output" || name == "error" }

// Search is a compiled search for runs or events. It is immutable and safe for concurrent use.
type Search struct {
	lines []*Program
	// Event and Outcome say what the search looks at.
	Event, Outcome bool
}

// SearchError says which line of a search cannot be used, counted from one, and why. The cause tells the place in the line.
type SearchError struct {
	Line  int
	Text  string
	cause error
}

func (e *SearchError) Error() string {
	return fmt.Sprintf("line %d of the query: %s: %s", e.Line, e.Text, e.cause.Error())
}

// Unwrap is the cause.
func (e *SearchError) Unwrap() error { return e.cause }

// CompileSearch compiles a search for runs: each line that is not blank is a condition over event, output and error, and all must be met.
// The error is a *SearchError. Spec 05 §6.6.
func CompileSearch(text string) (*Search, error) { return compileSearch(text, true) }

// CompileEventSearch compiles a search for events: as for runs, but over event only.
func CompileEventSearch(text string) (*Search, error) { return compileSearch(text, false) }

func compileSearch(text string, outcome bool) (*Search, error) {
	search := &Search{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		program, err := search.compile(line, outcome)
		if err != nil {
			return nil, &SearchError{Line: i + 1, Text: line, cause: err}
		}
		search.lines = append(search.lines, program)
	}
	return search, nil
}

// compile compiles a line. With outcome it may look at output and error.
func (s *Search) compile(line string, outcome bool) (*Program, error) {
	language, scope := sharedLanguage, "event"
	if outcome {
		language, scope = searchLanguage, "event, output and error"
	}
	program, tree, err := compileIn(language, line, func(b *builder, _ *ast.AST) { b.outcome = outcome })
	if err != nil {
		return nil, err
	}
	switch kind := tree.GetType(tree.Expr().ID()); kind.Kind() {
	case cel.BoolKind, cel.DynKind:
	default:
		return nil, fmt.Errorf("a condition is true or false, this is of type %s", kind)
	}
	for _, name := range ast.MatchDescendants(ast.NavigateAST(tree), ast.KindMatcher(ast.IdentKind)) {
		switch root := name.AsIdent(); root {
		case "event":
			s.Event = true
		case "output", "error":
			s.Outcome = outcome
		case "async", "vars":
			return nil, errors.New("a search has no " + root + ": it is over " + scope)
		}
	}
	return program, nil
}

// Outcome is how a run ended, as a search sees it: what the function returned, or the error that it ended with.
type Outcome struct{ subject *Subject }

// NewOutcome decodes an output and an error; nil, or what is no JSON, is missing.
func NewOutcome(output, failure json.RawMessage) Outcome {
	members := map[string]any{}
	for name, raw := range map[string]json.RawMessage{"output": output, "error": failure} {
		var value any
		if len(raw) > 0 && json.Unmarshal(raw, &value) == nil {
			members[name] = value
		}
	}
	return Outcome{&Subject{members: members, data: true, user: true}}
}

// Match tells whether a run meets all lines, with one of the events that started it, or with none. A line that cannot be evaluated is not
// met.
func (s *Search) Match(events []event.Event, outcome Outcome) bool {
	if len(events) == 0 {
		return s.match(&Subject{members: map[string]any{}, data: true, user: true}, outcome)
	}
	for _, e := range events {
		if s.match(NewSubject(e, time.Time{}), outcome) {
			return true
		}
	}
	return false
}

func (s *Search) match(subject *Subject, outcome Outcome) bool {
	for _, line := range s.lines {
		if ok, err := met(line.run(&frame{event: subject, async: outcome.subject})); err != nil || !ok {
			return false
		}
	}
	return true
}
