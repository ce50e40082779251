package graphql

import (
	"context"
	"encoding/json"
	"math"

	gqlgen "github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Codes of queries that are refused for what they would cost, in extensions.code. They are answered like invalid queries.
const (
	codeTooLong  = "QUERY_TOO_LONG"
	codeTooDeep  = "QUERY_TOO_DEEP"
	codeTooDear  = "COMPLEXITY_LIMIT_EXCEEDED"
	kindOfLimits = errcode.KindProtocol
)

func init() { //nolint:gochecknoinits // the library's registry of codes has no other door
	for _, code := range []string{codeTooLong, codeTooDeep, codeTooDear} {
		errcode.RegisterErrorType(code, kindOfLimits)
	}
}

func overLimit(code, format string, args ...any) *gqlerror.Error {
	err := gqlerror.Errorf(format, args...)
	errcode.Set(err, code)
	return err
}

// textLimit bounds the text of a query in bytes, before it is read or kept.
type textLimit int

// ExtensionName implements graphql.HandlerExtension.
func (textLimit) ExtensionName() string { return "TextLimit" }

// Validate implements graphql.HandlerExtension.
func (textLimit) Validate(gqlgen.ExecutableSchema) error { return nil }

// MutateOperationParameters implements graphql.OperationParameterMutator.
func (limit textLimit) MutateOperationParameters(_ context.Context, request *gqlgen.RawParams) *gqlerror.Error {
	if len(request.Query) > int(limit) {
		return overLimit(codeTooLong, "query has %d bytes, which exceeds the limit of %d", len(request.Query), int(limit))
	}
	return nil
}

// costLimit bounds how deep a query is and how large its answer may become.
type costLimit struct{ depth, cost int }

// ExtensionName implements graphql.HandlerExtension.
func (costLimit) ExtensionName() string { return "CostLimit" }

// Validate implements graphql.HandlerExtension.
func (costLimit) Validate(gqlgen.ExecutableSchema) error { return nil }

// MutateOperationContext implements graphql.OperationContextMutator.
func (l costLimit) MutateOperationContext(_ context.Context, operation *gqlgen.OperationContext) *gqlerror.Error {
	m := measure{variables: operation.Variables, fragments: map[*ast.FragmentDefinition]size{}}
	switch got := m.set(operation.Operation.SelectionSet); {
	case got.depth > l.depth:
		return overLimit(codeTooDeep, "query is %d fields deep, which exceeds the limit of %d", got.depth, l.depth)
	case got.cost > l.cost:
		return overLimit(codeTooDear, "query has a cost of %d, which exceeds the limit of %d", got.cost, l.cost)
	}
	return nil
}

// size is what a selection may come to.
type size struct{ cost, depth int }

// measure walks a valid query. A fragment is walked once, however often it is used: fragments that use each other are few to write
// and exponentially many to walk.
type measure struct {
	variables map[string]any
	fragments map[*ast.FragmentDefinition]size
}

func (m *measure) set(selections ast.SelectionSet) size {
	var all size
	for _, selection := range selections {
		one := m.selection(selection)
		all = size{add(all.cost, one.cost), max(all.depth, one.depth)}
	}
	return all
}

func (m *measure) selection(selection ast.Selection) size {
	switch s := selection.(type) {
	case *ast.Field:
		below := m.set(s.SelectionSet)
		return size{add(1, multiply(m.factor(s), below.cost)), below.depth + 1}
	case *ast.InlineFragment:
		return m.set(s.SelectionSet)
	case *ast.FragmentSpread:
		known, ok := m.fragments[s.Definition]
		if !ok {
			known = m.set(s.Definition.SelectionSet)
			m.fragments[s.Definition] = known
		}
		return known
	}
	return size{}
}

// factors says how many items lists may have. They are estimates where only the store knows; what they must not do is to call a
// list one.
var factors = map[string]int{
	"Query.apps": 10, "Query.functions": 50, "App.functions": 20, "Query.events": 51, "EventV2.runs": 5, "Event.functionRuns": 5,
	"StreamItem.runs": 5, "FunctionRun.events": 10, "FunctionRun.history": 20, "RunTraceSpan.childrenSpans": 2,
	"FunctionRunV2.trace": 2, "FunctionRunV2.defers": 3, "FunctionRunV2.siblingDefers": 3, "FunctionRunV2.deferredFrom": 3,
	"DebugRun.debugTraces": 10, "DebugSession.debugRuns": 10,
	"__Schema.types": 100, "__Type.fields": 5, "__Type.possibleTypes": 3, "__Type.inputFields": 3, "__Type.interfaces": 3,
}

// pages are the lists whose length is an argument, with the most that there is of them.
var pages = map[string]struct {
	argument string
	most     int
}{
	"Query.runs":              {"first", maxRuns},
	"Query.eventsV2":          {"first", maxEvents},
	"Query.stream":            {"limit", maxStream},
	"Query.workerConnections": {"first", maxRuns},
}

// factor is how often what is below a field may occur.
func (m *measure) factor(field *ast.Field) int {
	name := field.ObjectDefinition.Name + "." + field.Name
	if page, ok := pages[name]; ok {
		asked, ok := integer(field.ArgumentMap(m.variables)[page.argument])
		if !ok || asked < 1 || asked > page.most {
			return page.most
		}
		return asked
	}
	return max(factors[name], 1)
}

// integer reads a number of a query or of its variables.
func integer(value any) (int, bool) {
	switch n := value.(type) {
	case int64:
		return int(n), true
	case int:
		return n, true
	case json.Number:
		i, err := n.Int64()
		return int(i), err == nil
	}
	return 0, false
}

// add and multiply stay at the greatest number instead of passing it.
func add(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

func multiply(a, b int) int {
	if b != 0 && a > math.MaxInt/b {
		return math.MaxInt
	}
	return a * b
}
